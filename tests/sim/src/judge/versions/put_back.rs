//! Devices that lose their memory, or are put back to what they were: what they brought and ended may come back or be gone.

use super::{Act, MessageId, Telling, Versions, content, family, text};
use crate::Tree;

impl Versions {
    /// A device lost its memory: what stands there is brought to the group as if it were new, and what was done there
    /// and not yet told is forgotten.
    pub fn forgot(&mut self, site: usize, folder: &Tree) {
        self.loads.unsettled(site);
        self.restored(site);
        if !self.known.insert(site) {
            self.forgetful.insert(site);
        }
        for (path, item) in folder.items() {
            if let Some(text) = text(item) {
                self.make(site, path, text, false, None);
            }
        }
    }

    /// A device and its memory were put back as they were after so many `acts`. What it forgot is as after
    /// [`forgot`](Versions::forgot), but it tells nothing of what stands there no more: that was never removed for others,
    /// and where it stands on another device it must go on living. What stood only there is gone with it.
    /// `is_public` tells whether another device has a message.
    pub fn rolled_back(
        &mut self,
        site: usize,
        acts: u64,
        before: &Tree,
        folder: &Tree,
        others: &[Tree],
        is_public: impl Fn(MessageId) -> bool,
    ) {
        self.known.insert(site);
        self.has_put_back = true;
        self.forget_makings_anew(site, acts, is_public);
        for (path, item) in before.items() {
            let Some(old) = text(item) else { continue };
            let stands = |folder: &Tree| {
                folder.items().any(|(other, item)| text(item).as_ref() == Some(&old) && family(other) == family(path))
            };
            if !stands(folder) && !others.iter().any(stands) {
                self.acts += 1;
                let path = path.to_string();
                let ending =
                    Act { at: self.acts, site, path: path.clone(), is_certain: false, in_grace: false, over: None };
                self.past(&path, old).endings.push(ending);
            }
        }
        self.forgot(site, folder);
    }

    /// What was removed or replaced on a device, and brought again since it was as it is now again: unless the device told
    /// others of it, nobody knows that it was brought again, and what stands elsewhere still, or again here, may be what
    /// was ended.
    fn forget_makings_anew(&mut self, site: usize, acts: u64, is_public: impl Fn(MessageId) -> bool) {
        for ((name, text), past) in &mut self.pasts {
            let first_end = past.endings.iter().filter(|ending| ending.site == site).map(|ending| ending.at).min();
            let Some(first_end) = first_end else { continue };
            let content = content(text);
            let is_told = |making: &Act| {
                let of_it = |telling: &&Telling| telling.site == site && telling.acts >= making.at;
                let alike = |telling: &&Telling| telling.name == *name && telling.content == content;
                self.tellings.iter().filter(of_it).filter(alike).any(|telling| is_public(telling.message))
            };
            let is_anew = |making: &&mut Act| making.site == site && making.at > acts.max(first_end);
            let forgotten = past.makings.iter_mut().filter(is_anew).filter(|making| !is_told(making));
            forgotten.for_each(|making| making.is_certain = false);
        }
    }

    /// What was ended on a device may come back.
    pub fn restored(&mut self, site: usize) {
        let endings = self.pasts.values_mut().flat_map(|past| &mut past.endings);
        for ending in endings.filter(|ending| ending.site == site) {
            ending.is_certain = false;
            // Until its engine looks there, what is put there again and removed again is not seen.
            self.doubts.unknown(site, &ending.path);
        }
    }
}
