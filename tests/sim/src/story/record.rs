//! A story in a file.

use serde::{Deserialize, Serialize};

use crate::{Invariant, Tale};

/// A story that is worth keeping, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What it shows, in a line.
    pub about: String,
    /// The promise that was broken when it was written down.
    pub invariant: Option<Invariant>,
    /// The planted fault that broke it, by its name; none if the engine did so by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planted: Option<String>,
    /// The story.
    pub story: Tale,
}
