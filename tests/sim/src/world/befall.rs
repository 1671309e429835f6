//! What befalls one device, and is told to the judge.

use super::{Crash, SiteId, World};
use crate::Tree;

impl World {
    /// Moves a device's wall clock.
    pub fn jump_clock(&mut self, site: SiteId, milliseconds: i64) {
        self.judge.clock_moved(site.0);
        self[site].jump(milliseconds);
    }

    /// A device's clocks go faster or slower.
    pub fn drift_clock(&mut self, site: SiteId, parts_per_million: i32) {
        self.judge.clock_moved(site.0);
        self[site].clock().set_drift(parts_per_million);
    }

    /// A device goes off: its engine ends, and what was not on its disk is gone or torn.
    pub fn lose_power(&mut self, site: SiteId, chance: &mut fastrand::Rng) {
        let torn = self.crash_by(site, Crash::Power, chance);
        self.tell_came_back(site);
        // Whole folders: what goes at one path may stand at another one still.
        let after = self[site].tree();
        let mut before = after.clone();
        for torn in torn {
            if torn.displaced {
                self.judge.displaced_torn(site.0, &torn);
            } else {
                before.insert(&torn.path, torn.before);
            }
        }
        self.judge.people_changed(site.0, self[site].clock().now(), &before, &after);
    }

    /// A device's disk works again.
    pub fn mend_disk(&mut self, site: SiteId) {
        self[site].hurry();
        let host = self[site].host();
        host.disk.mend();
        host.store.mend();
    }

    /// A device's disk is put back from an image of it, with what others hold of its writing unknown to it again; its
    /// engine does not run. `others` tells what stands on other devices.
    pub(crate) fn roll_back(&mut self, site: SiteId, image: &super::Image) {
        let before = self[site].tree();
        self.restore_device(site, image);
        for open in std::mem::take(&mut self[site].belongings.open) {
            self[site].disk().close(open);
        }
        self[site].belongings.loaded.clear();
        let others = self.sites().filter(|other| *other != site).map(|other| self[other].tree()).collect::<Vec<_>>();
        self.judge.rolled_back(site.0, image.acts, &before, &self[site].tree(), &others);
    }

    /// Files that were displaced, then written through a program that held them open, then put back where they were by a
    /// loss of power: that is an edit.
    fn tell_came_back(&mut self, site: SiteId) {
        let disk = self[site].folder();
        let came = self.judge.came_back(site.0, |number| disk.path_of(number).filter(|_| !disk.is_kept(number)));
        for (path, was, now) in came {
            let (mut before, mut after) = (Tree::default(), Tree::default());
            before.insert(&path, was.into());
            after.insert(&path, now.into());
            self.judge.people_changed(site.0, self[site].clock().now(), &before, &after);
        }
    }
}
