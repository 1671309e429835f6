//! A device is removed from the group: what it said beyond its last message that the founder has is void.

use super::play::Scene;
use crate::SiteId;

impl Scene {
    /// The founder removes a device, while another one stays with it. Where the folder alone joins them, what the device took
    /// away there of what counts could not come to everybody any more.
    pub(super) fn remove(&mut self, device: usize) -> Option<String> {
        let founder = self.sites[0];
        let stay = self.sites.len() - self.removed.len();
        let founds = self.runs(founder) && !self.world[founder].is_asleep() && !self.world[founder].status().failed;
        let is_joined = self.sites.iter().any(|site| !self.world[*site].message_folder().is_there);
        if device == 0 || stay < 3 || !founds || !is_joined || !self.removed.insert(device) {
            return None;
        }
        let shown = self.world[founder].database().rows().clone();
        self.model.removed(device, &shown);
        self.files.doubt(device);
        self.world.remove_member(founder, self.sites[device]);
        self.bridge(u8::try_from(device).unwrap_or(u8::MAX));
        Some("the founder removes it".into())
    }

    /// Whoever was linked to the device is linked to the founder now.
    fn bridge(&mut self, device: u8) {
        let others = self.links.iter().filter(|(a, b)| *a == device || *b == device);
        let others: Vec<u8> =
            others.map(|(a, b)| if *a == device { *b } else { *a }).filter(|other| *other > 0).collect();
        for other in others {
            if !self.links.contains(&(0, other)) {
                self.links.push((0, other));
            }
        }
    }

    /// The devices that must agree in the end, each with its number: those that nobody tried to remove.
    pub(super) fn members(&self) -> Vec<(usize, SiteId)> {
        self.sites.iter().copied().enumerate().filter(|(device, _)| !self.removed.contains(device)).collect()
    }
}
