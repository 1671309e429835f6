//! Every history of a small world: all sequences of a few acts, and between any two of them everything that can reach
//! anyone's engine.
//!
//! Histories that differ in nothing that an engine could tell are played once: an act or a look that finds nothing to do
//! is left out with all that follows it; of two acts on different devices with nothing between them, one order is played;
//! and a device looks only right after an act of its own, for what happens elsewhere before it looks makes no difference
//! to it.

use std::fmt;

use syncline_core::api::{Command, Membership};

use crate::{
    Judge, ROOT, SiteId, Tree, Violation, World, judge,
    story::group::{Group, judged},
    tree,
};

/// The names that people give files.
const NAMES: [&str; 2] = ["a", "b"];

/// The time between two acts.
const PAUSE_MS: u64 = 1_000;

/// Longer than anyone keeps an old version open in an editor.
const NIGHT_MS: u64 = 700_000;

/// The size of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Small {
    /// How many devices there are.
    pub devices: u8,
    /// How many names people write to: 1 or 2.
    pub names: u8,
}

/// Something that someone does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    /// Writes a text that no one wrote before to a name.
    Write(u8),
    /// Deletes what has a name.
    Delete(u8),
    /// Gives what has a name the other one.
    Rename(u8),
    /// Writes a new text over the first conflict copy.
    EditCopy,
    /// Deletes it.
    DeleteCopy,
    /// Puts it in its plain name's place.
    KeepCopy,
}

/// What reaches engines before an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivery {
    /// Nothing.
    Nothing,
    /// A device sees what happened in its own folder.
    Look(u8),
    /// Two devices meet; nobody looks.
    Meet(u8, u8),
    /// All look, then all meet.
    Everything,
}

/// What happens next in a history: something reaches engines, then someone acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    before: Delivery,
    device: u8,
    deed: Deed,
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.before {
            Delivery::Nothing => {}
            Delivery::Look(device) => write!(f, "look-{device}:")?,
            Delivery::Meet(one, other) => write!(f, "meet-{one}-{other}:")?,
            Delivery::Everything => write!(f, "all:")?,
        }
        let name = |name: u8| NAMES[usize::from(name)];
        match self.deed {
            Deed::Write(number) => write!(f, "write-{}", name(number))?,
            Deed::Delete(number) => write!(f, "delete-{}", name(number))?,
            Deed::Rename(number) => write!(f, "rename-{}", name(number))?,
            Deed::EditCopy => f.write_str("edit-copy")?,
            Deed::DeleteCopy => f.write_str("delete-copy")?,
            Deed::KeepCopy => f.write_str("keep-copy")?,
        }
        write!(f, "@{}", self.device)
    }
}

/// What came of a history.
#[derive(Debug)]
pub struct Ended {
    /// The promise that was broken, if one was.
    pub violation: Option<Violation>,
    /// What happened, in sentences; nothing if the last move made no difference.
    pub told: Vec<String>,
    /// The last move made no difference: what follows it was, or will be, played without it.
    pub is_idle: bool,
}

impl Small {
    /// Every move that there is in this world; a history is a sequence of their positions.
    pub fn moves(self) -> Vec<Move> {
        let devices = 0..self.devices;
        let pairs = devices.clone().flat_map(|one| (one + 1..self.devices).map(move |other| (one, other)));
        let deliveries: Vec<Delivery> = std::iter::once(Delivery::Nothing)
            .chain(devices.clone().map(Delivery::Look))
            .chain(pairs.map(|(one, other)| Delivery::Meet(one, other)))
            .chain([Delivery::Everything])
            .collect();
        let names = 0..self.names;
        let deeds: Vec<Deed> = names
            .clone()
            .map(Deed::Write)
            .chain(names.clone().map(Deed::Delete))
            .chain(names.map(Deed::Rename))
            .chain([Deed::EditCopy, Deed::DeleteCopy, Deed::KeepCopy])
            .collect();
        let acts = devices.flat_map(|device| deeds.iter().map(move |deed| (device, *deed)));
        let acts: Vec<(u8, Deed)> = acts.collect();
        let with =
            |before: Delivery| acts.iter().map(move |(device, deed)| Move { before, device: *device, deed: *deed });
        deliveries.into_iter().flat_map(with).collect()
    }

    /// A history as it is written on a command line.
    pub fn show(self, history: &[u8]) -> String {
        let moves = self.moves();
        let shown = history.iter().filter_map(|position| moves.get(usize::from(*position)).map(Move::to_string));
        shown.collect::<Vec<_>>().join(",")
    }

    /// Reads what [`show`](Small::show) wrote.
    ///
    /// # Errors
    /// There is no such move in this world.
    pub fn read(self, text: &str) -> Result<Vec<u8>, String> {
        let moves: Vec<String> = self.moves().iter().map(Move::to_string).collect();
        let position = |text: &str| {
            let position =
                moves.iter().position(|shown| shown == text).and_then(|position| u8::try_from(position).ok());
            position.ok_or_else(|| format!("expected a move such as `{}`, found `{text}`", moves[0]))
        };
        text.split(',').map(position).collect()
    }

    /// Whether a history is worth trying: it does not differ from another one only in what no engine can tell.
    pub fn is_worthwhile(self, moves: &[Move], history: &[u8]) -> bool {
        let at = |position: &u8| moves.get(usize::from(*position));
        match history {
            [.., before, last] => match (at(before), at(last)) {
                (Some(before), Some(last)) => match last.before {
                    Delivery::Nothing => before.device <= last.device,
                    Delivery::Look(device) => before.device == device,
                    Delivery::Meet(..) | Delivery::Everything => true,
                },
                _ => false,
            },
            [first] => at(first).is_some_and(|first| first.before == Delivery::Nothing),
            [] => false,
        }
    }

    /// Plays a history to its end; every piece of work is told if asked for.
    pub fn play(self, moves: &[Move], history: &[u8], with_work: bool) -> Ended {
        let judge = Judge::new(None);
        let mut ended = Ended { violation: None, told: Vec::new(), is_idle: false };
        let lived = judged(&judge, || {
            let mut small = Life::new(self, judge.clone(), with_work);
            let lived = judged(&judge, || {
                let made = history.iter().filter_map(|position| moves.get(usize::from(*position)));
                for (number, next) in made.enumerate() {
                    if !small.make(*next, number) {
                        return true;
                    }
                }
                small.group.end();
                false
            });
            ended.told = small.group.world.narrative().lines();
            let folders =
                small.group.sites.iter().map(|site| format!("in the end:\n{:?}", small.group.world[*site].tree()));
            ended.told.extend(folders.filter(|_| lived.is_err()));
            lived
        });
        match lived.and_then(|lived| lived) {
            Ok(is_idle) => ended.is_idle = is_idle,
            Err(violation) => ended.violation = Some(violation),
        }
        ended
    }
}

/// A history that is being played.
struct Life {
    group: Group,
}

impl Life {
    /// All have one file and are parted.
    fn new(small: Small, judge: Judge, with_work: bool) -> Life {
        let mut world = World::narrated(1, judge, with_work);
        for number in 0..small.devices {
            let site = world.add(if number == 0 { Membership::Founder } else { Membership::Joiner });
            if number == 0 {
                world[site].disk().put(&tree([(NAMES[0], "first text")]));
            }
        }
        world.pass(1_000);
        let pairs = (0..small.devices).flat_map(|one| (one + 1..small.devices).map(move |other| (one, other)));
        let mut group = Group::new(world, pairs);
        for site in group.sites.clone() {
            group.world.start(site);
        }
        group.join();
        group.world.settle();
        let mut life = Life { group };
        life.part();
        life.group.world.pass(NIGHT_MS);
        life
    }

    /// Makes a move; false if it makes no difference.
    fn make(&mut self, next: Move, number: usize) -> bool {
        self.deliver(next.before);
        let site = self.group.sites[usize::from(next.device)];
        let before = self.group.world[site].tree();
        let Some(told) = self.act(site, next.deed, &before, &format!("text {number}")) else { return false };
        self.group.world.people_changed(site, &before);
        self.group.world.narrative().tell(&format!("on device {}, someone {told}", next.device));
        self.group.world.pass(PAUSE_MS);
        true
    }

    fn act(&mut self, site: SiteId, deed: Deed, tree: &Tree, text: &str) -> Option<String> {
        let copy = tree.copies().first().map(ToString::to_string);
        let disk = self.group.world[site].disk();
        let name = |name: u8| NAMES[usize::from(name)];
        match deed {
            Deed::Write(number) => {
                disk.write(name(number), text);
                Some(format!("writes {text:?} to `{}`", name(number)))
            }
            Deed::Delete(number) => {
                tree.at(name(number))?;
                disk.remove(name(number));
                Some(format!("deletes `{}`", name(number)))
            }
            Deed::Rename(number) => {
                tree.at(name(number))?;
                disk.rename(name(number), name(1 - number));
                Some(format!("renames `{}` to `{}`", name(number), name(1 - number)))
            }
            Deed::EditCopy => {
                disk.write(&copy.clone()?, text);
                Some(format!("writes {text:?} over `{}`", copy?))
            }
            Deed::DeleteCopy => {
                disk.remove(&copy.clone()?);
                Some(format!("deletes `{}`", copy?))
            }
            Deed::KeepCopy => {
                let copy = copy?;
                let plain = judge::family(&copy);
                disk.rename(&copy, &plain);
                Some(format!("puts `{copy}` in the place of `{plain}`"))
            }
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Nothing => {}
            Delivery::Look(device) => {
                self.tell(&format!("device {device} looks"));
                self.group.world.rescan(self.group.sites[usize::from(device)]);
            }
            Delivery::Meet(one, other) => {
                self.tell(&format!("devices {one} and {other} meet"));
                let (one, other) = (self.group.sites[usize::from(one)], self.group.sites[usize::from(other)]);
                self.group.world.meet(one, other);
            }
            Delivery::Everything => {
                self.tell("all look and meet");
                for site in self.group.sites.clone() {
                    self.group.world.command(site, Command::Rescan { root: ROOT });
                }
                self.group.world.settle();
                self.group.join();
                self.group.world.settle();
                self.part();
            }
        }
    }

    fn part(&mut self) {
        for (one, other) in self.group.edges.clone() {
            self.group.world.unlink(one, other);
        }
        self.group.world.settle();
    }

    fn tell(&self, told: &str) {
        self.group.world.narrative().tell(told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays every history of so many acts; returns how many there are.
    fn play_all(small: Small, depth: usize) -> usize {
        let moves = small.moves();
        let mut histories = vec![Vec::new()];
        let mut played = 0;
        for _ in 0..depth {
            let mut longer = Vec::new();
            for history in &histories {
                for next in 0..u8::try_from(moves.len()).expect("few moves") {
                    let history: Vec<u8> = history.iter().copied().chain([next]).collect();
                    if !small.is_worthwhile(&moves, &history) {
                        continue;
                    }
                    let ended = small.play(&moves, &history, false);
                    let (shown, told) = (small.show(&history), ended.told.join("\n"));
                    assert_eq!(ended.violation, None, "{small:?} {shown}\n{told}");
                    if !ended.is_idle {
                        played += 1;
                        longer.push(history);
                    }
                }
            }
            histories = longer;
        }
        played
    }

    #[test]
    fn every_history_of_two_acts_breaks_nothing() {
        let played = [(2, 1), (2, 2), (3, 1)].map(|(devices, names)| play_all(Small { devices, names }, 2));
        println!("{played:?} histories");
        assert!(played.iter().all(|played| *played > 30), "{played:?}");
    }

    #[test]
    fn a_history_is_read_as_it_is_shown() {
        let small = Small { devices: 3, names: 2 };
        let all: Vec<u8> = (0..=u8::MAX).take(small.moves().len()).collect();
        assert_eq!(small.moves().len(), all.len());
        assert_eq!(small.read(&small.show(&all)), Ok(all));
        assert!(small.read("write-c@0").is_err());
    }

    #[test]
    fn a_conflict_copy_is_within_three_acts() {
        let small = Small { devices: 2, names: 1 };
        let moves = small.moves();
        let read = |text| small.read(text).expect("moves");
        let history = read("write-a@0,look-0:write-a@1,all:delete-copy@0");
        assert!(!small.play(&moves, &history, false).is_idle);
        assert!(small.play(&moves, &read("write-a@0,all:delete-copy@0"), false).is_idle);
    }
}
