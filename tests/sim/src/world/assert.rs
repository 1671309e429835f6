//! What a test demands of a world at rest.

use super::World;
use crate::Tree;

impl World {
    /// All folders are equal, and the engines agree that they are.
    ///
    /// # Panics
    /// If they are not.
    #[track_caller]
    pub fn assert_equal(&self) {
        assert!(self.sites.iter().all(|site| site.status().replica.is_some()), "an engine has not begun");
        for pair in self.sites.windows(2) {
            let [left, right] = pair else { continue };
            assert_eq!(left.tree(), right.tree(), "the folders differ");
            assert_eq!(left.status().digest, right.status().digest, "the logs differ");
        }
    }

    /// All folders hold exactly this.
    ///
    /// # Panics
    /// If one does not.
    #[track_caller]
    pub fn assert_all(&self, expected: &Tree) {
        for (number, site) in self.sites.iter().enumerate() {
            assert_eq!(&site.tree(), expected, "left: device {number}, right: expected");
        }
        self.assert_equal();
    }
}
