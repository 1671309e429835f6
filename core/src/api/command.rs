//! What people and applications can ask for.

use serde::{Deserialize, Serialize};

use super::RootId;

/// A request to the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum Command {
    /// Compare the whole folder with what is known of it.
    Rescan {
        /// Which root.
        root: RootId,
    },
    /// Go on with the deletions that were held because there were so many.
    AllowDeletions {
        /// Which root.
        root: RootId,
    },
    /// Bring back what held deletions had removed from the folder.
    RestoreDeletions {
        /// Which root.
        root: RootId,
    },
    /// Try again now what failed before.
    Retry {
        /// Which root.
        root: RootId,
    },
}
