//! Files beside the rows: they go through the same log, and decisions, crashes and stores that are put back concern them,
//! too. What becomes of one that many change at once is judged by the stories of trees ([`crate::story`]); here it is
//! judged whether each device has the same, whether the last word on a path stands, and that nothing else does.

use std::collections::BTreeMap;

use syncline_core::api::Command;

use super::{
    act::{Act, ActKind},
    play::Scene,
};
use crate::{Invariant, ROOT, SiteId, Tree};

/// Something that someone did to a file.
struct Deed {
    device: usize,
    /// What the file holds from then on; none if it was removed.
    text: Option<Vec<u8>>,
    /// What it held before, where it was there.
    shown: Option<Vec<u8>>,
    /// The engine rested: what had come here was saved, so that it can tell what was removed.
    at_rest: bool,
    /// The device was removed, or lost power since.
    is_doubtful: bool,
}

/// All that people did to files, by path, in order.
#[derive(Default)]
pub(super) struct Files {
    by_path: BTreeMap<String, Vec<Deed>>,
    /// A loss of power may have torn what somebody wrote.
    has_torn: bool,
}

impl Files {
    /// Of what was done on a device until now nobody else may hear.
    pub fn doubt(&mut self, device: usize) {
        let own = self.by_path.values_mut().flatten().filter(|deed| deed.device == device);
        own.for_each(|deed| deed.is_doubtful = true);
    }

    /// A device loses power: what was written there may not have been on its disk, or in part.
    pub fn tear(&mut self, device: usize) {
        self.has_torn = true;
        self.doubt(device);
    }

    /// Someone wrote over it, or removed it.
    fn replaced(&self, text: &[u8]) -> bool {
        self.by_path.values().flatten().any(|deed| deed.shown.as_deref() == Some(text))
    }

    fn may_stand(&self, text: &[u8]) -> bool {
        self.has_torn || self.by_path.values().flatten().any(|deed| deed.text.as_deref() == Some(text))
    }
}

impl Scene {
    /// Someone writes, changes or removes a file.
    pub(super) fn change_files(&mut self, device: usize, act: Act) -> Option<String> {
        let site = self.sites[device];
        if self.world[site].config().roots.is_empty() {
            return None;
        }
        let before = self.world[site].tree();
        let shown: Vec<&str> = before.items().map(|(path, _)| path).collect();
        let path = match act.kind {
            ActKind::WriteFile => format!("f{}", act.number),
            _ => (*shown.get(usize::from(act.amount) % shown.len().max(1))?).to_owned(),
        };
        let text = (act.kind != ActKind::RemoveFile).then(|| format!("text {}", act.number).into_bytes());
        let at_rest = self.runs(site) && self.world[site].status().quiet && !self.world[site].status().failed;
        let disk = self.world[site].disk();
        match &text {
            Some(text) => disk.write(&path, text),
            None => disk.remove(&path),
        }
        self.world.people_changed(site, &before);
        if self.runs(site) {
            self.world.command(site, Command::Rescan { root: ROOT });
        }
        let told = if text.is_some() { format!("writes file {path}") } else { format!("removes file {path}") };
        let shown = before.at(&path).and_then(|item| item.bytes()).map(<[u8]>::to_vec);
        let is_doubtful = self.removed.contains(&device);
        self.files.by_path.entry(path).or_default().push(Deed { device, text, shown, at_rest, is_doubtful });
        Some(told)
    }

    /// Every device has the same files, and those that must come of what people did.
    pub(super) fn check_files(&mut self) {
        let members = self.members();
        // What a removed device wrote over and nobody else has any more but in the local history, all wait for.
        let waits = |site: &SiteId| self.world[*site].status().roots.iter().any(|root| root.waiting > 0);
        if !self.removed.is_empty() && members.iter().any(|(_, site)| waits(site)) {
            return self.coverage.count("files not judged, for one is nowhere");
        }
        let trees: Vec<(usize, Tree)> =
            members.iter().map(|(device, site)| (*device, self.world[*site].tree())).collect();
        let Some((first, tree)) = trees.first() else { return };
        for (device, other) in &trees {
            self.judge.must(Invariant::Convergence, other == tree, || {
                format!("devices {first} and {device} have other files: {tree:?} and {other:?}")
            });
        }
        let texts: Vec<&[u8]> = tree.items().filter_map(|(_, item)| item.bytes()).collect();
        for (path, deeds) in &self.files.by_path {
            let Some(last) = deeds.last().filter(|last| !last.is_doubtful) else { continue };
            // Two versions of a file may change names.
            let is_kept = |text: &Vec<u8>| texts.contains(&text.as_slice()) || self.files.replaced(text);
            match &last.text {
                Some(text) => self.judge.must(Invariant::NoLoss, is_kept(text), || {
                    format!("what device {} wrote last into {path} is nowhere", last.device)
                }),
                None => {
                    let is_seen = deeds.windows(2).all(|two| !two[0].is_doubtful && two[0].text == two[1].shown);
                    let must_go = is_seen && last.at_rest;
                    self.judge.must(Invariant::NoResurrection, !must_go || tree.at(path).is_none(), || {
                        format!("{path} is there, which device {} removed last", last.device)
                    });
                }
            }
        }
        for text in texts {
            self.judge.must(Invariant::Authority, self.files.may_stand(text), || {
                format!("a file holds what nobody wrote: {}", String::from_utf8_lossy(text))
            });
        }
        self.coverage.count_many("files in the end", tree.items().count() as u64);
    }
}
