//! Texts that people keep in editors while other texts take their places (§8.4).
//!
//! Who saves a text that he loaded some time ago was shown that text, and not what stands there by then. Where that came
//! from elsewhere a moment ago, the save must not end it. From outside this is certain only while nobody but the engine
//! touched the path, once, and if the engine tells of the save while the grace surely lasts.

use std::collections::BTreeMap;

use syncline_core::api::{Content, Now};

use super::text::Text;

/// So long the grace surely lasts after a version took a path: a minute less than ten, for what lies between.
const SURE_GRACE_MS: u64 = 540_000;

/// What people loaded on every device, and what was saved over.
#[derive(Default)]
pub(super) struct Loads {
    loads: BTreeMap<(usize, String), Load>,
    spared: Vec<Spared>,
}

struct Load {
    text: Text,
    fate: Fate,
}

/// What became of a loaded text at its path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stands,
    /// The engine put something else there, once, at this time of the device's wall clock.
    Replaced(u64),
    Unknown,
}

/// Something that a save from an editor must not have ended, if the engine is quick to tell of it.
#[derive(Clone)]
pub(super) struct Spared {
    pub site: usize,
    pub path: String,
    /// What stood there.
    pub old: Text,
    /// What was saved.
    pub new: Content,
    /// The number of the save among people's acts.
    pub at: u64,
    until: u64,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Untold,
    /// The message that tells of it is being saved.
    Saving,
    Saved,
}

impl Loads {
    /// Someone loaded a text into an editor, or saved it from there.
    pub fn load(&mut self, site: usize, path: &str, text: Text) {
        self.loads.insert((site, path.to_string()), Load { text, fate: Fate::Stands });
    }

    /// A device's engine changed a path.
    pub fn replaced(&mut self, site: usize, path: &str, now: Now) {
        if let Some(load) = self.loads.get_mut(&(site, path.to_string())) {
            load.fate = if load.fate == Fate::Stands { Fate::Replaced(now.unix.0) } else { Fate::Unknown };
        }
    }

    /// Somebody else changed a path, or nobody knows.
    pub fn touched(&mut self, site: usize, path: &str) {
        // What is told from now on may be something else that came there.
        let is_untold = |spared: &Spared| spared.site == site && spared.path == path && spared.stage == Stage::Untold;
        self.spared.retain(|spared| !is_untold(spared));
        // Most people have no editor open.
        if let Some(load) = self.loads.get_mut(&(site, path.to_string())) {
            load.fate = Fate::Unknown;
        }
    }

    /// A device's engine ended, or its clock or its memory is not what it was.
    pub fn unsettled(&mut self, site: usize) {
        self.spared.retain(|spared| spared.site != site);
        let loads = self.loads.iter_mut().filter(|((of, _), _)| *of == site);
        loads.for_each(|(_, load)| load.fate = Fate::Unknown);
    }

    /// The text that was loaded from a path where surely another one took its place, and until when a save surely
    /// ends nothing there.
    pub fn grace(&self, site: usize, path: &str, now: Now) -> Option<(&Text, u64)> {
        let load = self.loads.get(&(site, path.to_string()))?;
        let Fate::Replaced(at) = load.fate else { return None };
        let until = at + SURE_GRACE_MS;
        (at <= now.unix.0 && now.unix.0 < until).then_some((&load.text, until))
    }

    /// What stood at a path must not be ended by a save there, if the engine tells of that before the time is over.
    pub fn spare(&mut self, site: usize, path: &str, old: Text, new: Content, at: u64, until: u64) {
        self.spared.push(Spared { site, path: path.to_string(), old, new, at, until, stage: Stage::Untold });
    }

    /// A device asks for a message to be saved that tells of a new version of what has this plain path.
    pub fn telling(&mut self, site: usize, now: Now, plain: &str, content: &Content) {
        let of_it = |spared: &&mut Spared| spared.site == site && spared.path == plain && spared.new == *content;
        let in_time = |spared: &&mut Spared| now.unix.0 < spared.until && spared.stage == Stage::Untold;
        self.spared.iter_mut().filter(of_it).filter(in_time).for_each(|spared| spared.stage = Stage::Saving);
    }

    /// The device saved it.
    pub fn saved(&mut self, site: usize) {
        let saving = |spared: &&mut Spared| spared.site == site && spared.stage == Stage::Saving;
        self.spared.iter_mut().filter(saving).for_each(|spared| spared.stage = Stage::Saved);
    }

    /// The engine was told so: what surely was not ended is returned.
    pub fn told(&mut self, site: usize) -> Vec<Spared> {
        let is_sure = |spared: &Spared| spared.site == site && spared.stage == Stage::Saved;
        let (sure, others) = std::mem::take(&mut self.spared).into_iter().partition(is_sure);
        self.spared = others;
        sure
    }
}
