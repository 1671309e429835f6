//! Which kinds of things stories are drawn from.

use super::{Act, ActKind, Story, Trouble, TroubleKind};
use crate::{messages, records};

/// A kind of thing that can be left out of all stories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Something that people do.
    Act(ActKind),
    /// Something that befalls devices.
    Trouble(TroubleKind),
    /// Devices whose file systems differ.
    Platforms,
    /// Something that applications with a message folder do.
    MessageAct(messages::ActKind),
    /// Something that befalls devices with a message folder, and no others.
    MessageTrouble(messages::TroubleKind),
    /// Something that people do to rows.
    RecordAct(records::ActKind),
    /// Something that befalls devices with rows, and no others.
    RecordTrouble(records::TroubleKind),
}

impl Kind {
    /// The kind of a name, as it stands in the table of what happened; `Platforms` for file systems that differ. What has
    /// the same name in stories of file trees and of message folders is one kind.
    pub fn from_name(name: &str) -> Option<Kind> {
        let acts = ActKind::ALL.into_iter().map(Kind::Act);
        let all = acts.chain(TroubleKind::ALL.into_iter().map(Kind::Trouble)).chain([Kind::Platforms]);
        let all = all.chain(messages::ActKind::ALL.into_iter().map(Kind::MessageAct));
        let all = all.chain(messages::TroubleKind::ALL.iter().copied().map(Kind::MessageTrouble));
        let all = all.chain(records::ActKind::ALL.into_iter().map(Kind::RecordAct));
        let all = all.chain(records::TroubleKind::ALL.iter().copied().map(Kind::RecordTrouble));
        all.into_iter().find(|kind| kind.name() == name)
    }

    /// Its name.
    pub fn name(self) -> String {
        match self {
            Kind::Act(kind) => format!("{kind:?}"),
            Kind::Trouble(kind) => format!("{kind:?}"),
            Kind::Platforms => "Platforms".into(),
            Kind::MessageAct(kind) => format!("{kind:?}"),
            Kind::MessageTrouble(kind) => format!("{kind:?}"),
            Kind::RecordAct(kind) => format!("{kind:?}"),
            Kind::RecordTrouble(kind) => format!("{kind:?}"),
        }
    }
}

/// The kinds that stories may hold. What is left out is taken away after a story was drawn, so that the rest of it is the
/// same with and without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swarm {
    /// One bit for each kind that is left out.
    acts: u64,
    troubles: u64,
    has_platforms: bool,
    message_acts: u64,
    message_troubles: u64,
    record_acts: u64,
    record_troubles: u64,
}

impl Default for Swarm {
    /// All kinds but those whose consequences the engine cannot cope with yet: `docs/testing.md` tells which and why.
    fn default() -> Swarm {
        let all = Swarm {
            acts: 0,
            troubles: 0,
            has_platforms: true,
            message_acts: 0,
            message_troubles: 0,
            record_acts: 0,
            record_troubles: 0,
        };
        all.without(Kind::Trouble(TroubleKind::RollBackUnheard))
    }
}

impl Swarm {
    /// The same, and this kind is left out.
    #[must_use]
    pub fn without(self, kind: Kind) -> Swarm {
        match kind {
            Kind::Act(kind) => Swarm { acts: self.acts | bit(kind as u8), ..self },
            Kind::Trouble(kind) => Swarm { troubles: self.troubles | bit(kind as u8), ..self },
            Kind::Platforms => Swarm { has_platforms: false, ..self },
            Kind::MessageAct(kind) => Swarm { message_acts: self.message_acts | bit(kind as u8), ..self },
            Kind::MessageTrouble(kind) => Swarm { message_troubles: self.message_troubles | bit(kind as u8), ..self },
            Kind::RecordAct(kind) => Swarm { record_acts: self.record_acts | bit(kind as u8), ..self },
            Kind::RecordTrouble(kind) => Swarm { record_troubles: self.record_troubles | bit(kind as u8), ..self },
        }
    }

    /// The same, and this kind is not left out.
    #[must_use]
    pub fn with(self, kind: Kind) -> Swarm {
        match kind {
            Kind::Act(kind) => Swarm { acts: self.acts & !bit(kind as u8), ..self },
            Kind::Trouble(kind) => Swarm { troubles: self.troubles & !bit(kind as u8), ..self },
            Kind::Platforms => Swarm { has_platforms: true, ..self },
            Kind::MessageAct(kind) => Swarm { message_acts: self.message_acts & !bit(kind as u8), ..self },
            Kind::MessageTrouble(kind) => Swarm { message_troubles: self.message_troubles & !bit(kind as u8), ..self },
            Kind::RecordAct(kind) => Swarm { record_acts: self.record_acts & !bit(kind as u8), ..self },
            Kind::RecordTrouble(kind) => Swarm { record_troubles: self.record_troubles & !bit(kind as u8), ..self },
        }
    }

    /// Stories may hold this kind.
    pub fn holds(self, kind: Kind) -> bool {
        match kind {
            Kind::Act(kind) => self.acts & bit(kind as u8) == 0,
            Kind::Trouble(kind) => self.troubles & bit(kind as u8) == 0,
            Kind::Platforms => self.has_platforms,
            Kind::MessageAct(kind) => self.message_acts & bit(kind as u8) == 0,
            Kind::MessageTrouble(kind) => self.message_troubles & bit(kind as u8) == 0,
            Kind::RecordAct(kind) => self.record_acts & bit(kind as u8) == 0,
            Kind::RecordTrouble(kind) => self.record_troubles & bit(kind as u8) == 0,
        }
    }

    /// Takes everything else away from a story.
    #[must_use]
    pub fn of(self, mut story: Story) -> Story {
        if !self.has_platforms {
            story.platforms.clear();
        }
        for turn in &mut story.turns {
            turn.act = turn.act.filter(|Act { kind, .. }| self.holds(Kind::Act(*kind)));
            turn.trouble = turn.trouble.filter(|Trouble { kind, .. }| self.holds(Kind::Trouble(*kind)));
        }
        story
    }

    /// Takes everything else away from a story of a message folder.
    #[must_use]
    pub fn of_messages(self, mut story: messages::Story) -> messages::Story {
        if self == Swarm::default() {
            return story;
        }
        let holds = |name: String| Kind::from_name(&name).is_none_or(|kind| self.holds(kind));
        for turn in &mut story.turns {
            turn.act = turn.act.filter(|act| holds(format!("{:?}", act.kind)));
            turn.trouble = turn.trouble.filter(|trouble| holds(format!("{:?}", trouble.kind)));
        }
        story
    }

    /// Takes everything else away from a story of rows.
    #[must_use]
    pub fn of_records(self, mut story: records::Story) -> records::Story {
        if self == Swarm::default() {
            return story;
        }
        let holds = |name: String| Kind::from_name(&name).is_none_or(|kind| self.holds(kind));
        for turn in &mut story.turns {
            turn.act = turn.act.filter(|act| holds(format!("{:?}", act.kind)));
            turn.trouble = turn.trouble.filter(|trouble| holds(format!("{:?}", trouble.kind)));
        }
        story
    }
}

fn bit(kind: u8) -> u64 {
    1 << kind
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::draw;

    #[test]
    fn what_is_left_out_is_gone_and_the_rest_is_the_same() {
        let kinds = [Kind::Act(ActKind::Write), Kind::Trouble(TroubleKind::Part), Kind::Platforms];
        let swarm = kinds.into_iter().fold(Swarm::default(), Swarm::without);
        for seed in 0..50 {
            let (whole, part) = (draw(seed, seed, 60), swarm.of(draw(seed, seed, 60)));
            assert!(part.platforms.is_empty());
            for (whole, part) in whole.turns.into_iter().zip(part.turns) {
                let is_left_out = whole.act.is_some_and(|act| act.kind == ActKind::Write);
                assert_eq!(part.act, whole.act.filter(|_| !is_left_out));
                assert!(part.trouble.is_none_or(|trouble| trouble.kind != TroubleKind::Part));
            }
        }
    }

    #[test]
    fn kinds_have_names_of_their_own() {
        for kind in ActKind::ALL.into_iter().map(Kind::Act).chain(TroubleKind::ALL.into_iter().map(Kind::Trouble)) {
            assert_eq!(Kind::from_name(&kind.name()), Some(kind));
            assert!(!Swarm::default().without(kind).holds(kind) && Swarm::default().with(kind).holds(kind));
        }
    }
}
