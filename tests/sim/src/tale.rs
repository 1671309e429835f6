//! A story of any kind.

use serde::{Deserialize, Serialize};
use syncline_core::api::Hash;

use crate::{
    Invariant, Trace, Violation, messages, records,
    story::{self, Carried, Options, Played, Swarm},
};

/// Which kind of stories.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Genre {
    /// Of file trees that are synced over links.
    #[default]
    Trees,
    /// Of file trees that a message folder carries, too.
    Carried,
    /// Of groups that speak through a message folder.
    Folders,
    /// Of groups whose applications keep rows.
    Records,
}

impl Genre {
    /// All there are.
    pub const ALL: [Genre; 4] = [Genre::Trees, Genre::Carried, Genre::Folders, Genre::Records];

    /// Its name, as programs tell it each other.
    pub fn name(self) -> &'static str {
        match self {
            Genre::Trees => "trees",
            Genre::Carried => "carried",
            Genre::Folders => "folders",
            Genre::Records => "records",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Genre> {
        Genre::ALL.into_iter().find(|genre| genre.name() == name)
    }
}

/// A story of a file tree, of a message folder or of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Tale {
    /// Of a file tree.
    Tree(story::Story),
    /// Of a message folder.
    Folder(messages::Story),
    /// Of rows.
    Rows(records::Story),
}

impl Tale {
    /// A story of so many acts, drawn from two seeds, of these kinds only.
    pub fn draw(genre: Genre, swarm: Swarm, workload: u64, schedule: u64, acts: u16) -> Tale {
        match genre {
            Genre::Trees => Tale::Tree(story::draw_from(swarm, workload, schedule, acts)),
            Genre::Carried => Tale::Tree(story::draw_carried(swarm, workload, schedule, acts)),
            Genre::Folders => Tale::Folder(messages::draw_from(swarm, workload, schedule, acts)),
            Genre::Records => Tale::Rows(records::draw_from(swarm, workload, schedule, acts)),
        }
    }

    /// Plays it to its end.
    pub fn play(&self, options: Options) -> Played {
        self.play_traced(options, None)
    }

    /// Plays it and returns the [`Trace`] of every action that any engine returned, in order, and of the folders or the
    /// databases at the end: the same story gives the same one, on every machine.
    ///
    /// # Errors
    /// The story breaks a promise. (In WebAssembly, where a panic ends everything, it does not return then.)
    pub fn trace(&self) -> Result<Hash, Violation> {
        let trace = Trace::default();
        let played = self.play_traced(Options::default(), Some(&trace));
        played.violation.map_or_else(|| Ok(trace.hash()), Err)
    }

    fn play_traced(&self, options: Options, trace: Option<&Trace>) -> Played {
        match self {
            Tale::Tree(story) => story::play_traced(story, options, trace),
            Tale::Folder(story) => messages::play_traced(story, options, trace),
            Tale::Rows(story) => records::play_traced(story, options, trace),
        }
    }

    /// The smallest one found that still breaks the same promise when it is played with these options; before each try,
    /// `goes_on` is asked whether there shall be another one.
    #[must_use]
    pub fn shrink_while(&self, options: Options, invariant: Invariant, goes_on: impl FnMut() -> bool) -> Tale {
        match self {
            Tale::Tree(story) => Tale::Tree(story::shrink_while(story, options, invariant, goes_on)),
            Tale::Folder(story) => Tale::Folder(messages::shrink_while(story, options, invariant, goes_on)),
            Tale::Rows(story) => Tale::Rows(records::shrink_while(story, options, invariant, goes_on)),
        }
    }

    /// How many turns it has.
    pub fn turns(&self) -> usize {
        match self {
            Tale::Tree(story) => story.turns.len(),
            Tale::Folder(story) => story.turns.len(),
            Tale::Rows(story) => story.turns.len(),
        }
    }

    /// Its devices and how they are joined, in a line.
    pub fn cast(&self) -> String {
        match self {
            Tale::Tree(story) => {
                let shape = format!("{:?}", story.shape).to_lowercase();
                match story.carried {
                    None => format!("{} devices in a {shape}", story.devices),
                    Some(Carried { linked: true, .. }) => {
                        format!("{} devices in a {shape}, with a message folder", story.devices)
                    }
                    Some(_) => format!("{} devices with a message folder alone", story.devices),
                }
            }
            Tale::Folder(story) => {
                let sealed = if story.sealed { "sealed" } else { "open" };
                let (many, links) = (story.members.len(), story.links.len());
                format!("{many} devices with {sealed} messages in a folder, and {links} links")
            }
            Tale::Rows(story) => {
                let (many, links) = (story.keepers.len(), story.links.len());
                let in_folder = story.keepers.iter().filter(|keeper| keeper.in_folder).count();
                format!("{many} devices with rows, {in_folder} of them in a message folder, and {links} links")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_story_has_one_trace_and_another_has_another() {
        let mut all = BTreeSet::new();
        for genre in Genre::ALL {
            assert_eq!(Genre::from_name(genre.name()), Some(genre));
            let trace = |seed| Tale::draw(genre, Swarm::default(), seed, seed, 12).trace().expect("nothing is broken");
            for seed in 0..6 {
                assert_eq!(trace(seed), trace(seed), "seed {seed} of {genre:?}");
                all.insert(trace(seed));
            }
        }
        assert_eq!(all.len(), 24);
    }
}
