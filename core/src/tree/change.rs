//! Changes of a tree as messages carry them.

use serde::{Deserialize, Serialize};

use super::Name;
use crate::api::Content;
use crate::log::{Dot, DotSet};

/// One change of one root. Its dot is (author, counter of the message, index among the message's changes).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A new node, named by the change's own dot, with its first version.
    Birth {
        /// The directory it lies in; none is the root itself.
        parent: Option<Dot>,
        /// Its name there.
        name: Name,
        /// What it replaces (§8.2).
        past: DotSet,
        /// What it holds.
        content: Content,
        /// Permission bits.
        mode: u16,
        /// Modification time, nanoseconds since 1970.
        modified_ns: i64,
    },
    /// A new version of a node, named by the change's own dot.
    Version {
        /// The node.
        node: Dot,
        /// What it replaces (§8.2).
        past: DotSet,
        /// What the node holds now.
        body: Body,
        /// Modification time, nanoseconds since 1970.
        modified_ns: i64,
    },
    /// Other permission bits.
    Mode {
        /// The node.
        node: Dot,
        /// Permission bits.
        mode: u16,
    },
}

/// What a version holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// Bytes, a link or a directory.
    Content(Content),
    /// Nothing: a deletion.
    Deleted,
}
