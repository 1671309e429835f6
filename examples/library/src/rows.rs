//! The rows of the tables that are kept in agreement.

use serde::{Deserialize, Serialize};

/// An album.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Album {
    pub(crate) name: String,
    pub(crate) year: Option<i64>,
    /// Two devices that make an album of one name make two.
    pub(crate) id: String,
}

/// A tag. Its name is its key, so that two devices that make the same one make one.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Tag {
    pub(crate) name: String,
}

/// A tag on a content, and so on all files that have it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TagOnFile {
    pub(crate) cas_id: String,
    pub(crate) tag: String,
}

/// A file of one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FilePath {
    pub(crate) device: String,
    pub(crate) path: String,
    pub(crate) size: i64,
    pub(crate) cas_id: String,
}
