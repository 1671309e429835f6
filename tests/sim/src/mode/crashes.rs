//! One scripted day, played once for every moment at which a device can crash in it.
//!
//! A moment lies behind each piece of work that a device carries out, before its engine hears how it ended or just after
//! that. What else was under way then is left not begun, in part or whole. The device starts again, the day goes on, and
//! in the end all must be as people left it.

use std::{fmt, str::FromStr};

use syncline_core::api::Membership;

use crate::{
    Crash, Judge, Order, SiteId, Violation, WatcherTraits, World,
    story::{
        Act, ActKind,
        group::{Group, judged},
    },
    tree,
};

/// How many devices the day has: the first is joined to the second, the second to the third.
pub const DEVICES: u8 = 3;

/// How long a device is off after its crash, in milliseconds.
const OFF_MS: u64 = 300;

/// How long a message takes at least: what people do at once is done unseen.
const LATENCY_MS: u64 = 100;

/// The time after the last act, in which its crashes fall.
const EVENING_MS: u64 = 15_000;

/// Longer than anyone keeps an old version open in an editor.
const LUNCH_MS: u64 = 700_000;

/// What people do: on which device, what, to which thing, where to or how, and the milliseconds until the next act.
const DAY: &[(u8, ActKind, u8, u8, u64)] = &[
    (0, ActKind::Write, 1, 0, 2_000),
    (1, ActKind::Edit, 0, 0, 2_000),
    (2, ActKind::MakeDirectory, 3, 0, 0),
    (2, ActKind::Write, 4, 0, 2_000),
    (0, ActKind::WriteBig, 2, 0, 3_000),
    (1, ActKind::Rename, 1, 9, 2_000),
    (2, ActKind::Chmod, 2, 1, 2_000),
    // Two at once: one becomes a conflict copy.
    (0, ActKind::Edit, 0, 0, 0),
    (2, ActKind::Edit, 0, 0, 4_000),
    (1, ActKind::EditCopy, 0, 0, LUNCH_MS),
    (2, ActKind::KeepCopy, 0, 0, 2_000),
    (1, ActKind::EditBig, 0, 0, 3_000),
    (0, ActKind::MoveDirectory, 0, 4, 2_000),
    (2, ActKind::Save, 1, 1, 0),
    (0, ActKind::Delete, 0, 0, 3_000),
    (1, ActKind::Link, 7, 1, 1_000),
    (1, ActKind::Swap, 2, 2, 2_000),
    (0, ActKind::Append, 1, 0, 0),
    (2, ActKind::DeleteDirectory, 1, 0, 2_000),
    (1, ActKind::Copy, 0, 11, 0),
];

/// When a device crashes, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Which device.
    pub device: u8,
    /// Whether its process ends, or the device goes off.
    pub crash: Kind,
    /// After so many pieces of work that it carried out that day.
    pub work: u64,
    /// Its engine has heard how the last of them ended.
    pub is_told: bool,
}

/// How a device crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// See [`Crash::Process`].
    Process,
    /// See [`Crash::Power`].
    Power,
}

impl Kind {
    /// Both.
    pub const ALL: [Kind; 2] = [Kind::Process, Kind::Power];

    /// A stable name for programs and people.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Process => "process",
            Kind::Power => "power",
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = if self.is_told { "told" } else { "untold" };
        write!(f, "{}/{}/{}/{told}", self.device, self.crash.name(), self.work)
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Moment, String> {
        let moment = || {
            let mut parts = text.split('/');
            let device = parts.next()?.parse().ok().filter(|device| *device < DEVICES)?;
            let name = parts.next()?;
            let crash = Kind::ALL.into_iter().find(|kind| kind.name() == name)?;
            let work = parts.next()?.parse().ok()?;
            let is_told =
                [false, true][["untold", "told"].iter().position(|told| Some(*told) == parts.clone().next())?];
            Some(Moment { device, crash, work, is_told })
        };
        moment().ok_or_else(|| format!("expected a moment such as `1/power/57/untold`, found `{text}`"))
    }
}

/// What came of a day.
#[derive(Debug)]
pub struct Lived {
    /// The promise that was broken, if one was.
    pub violation: Option<Violation>,
    /// What happened, in sentences.
    pub told: Vec<String>,
    /// The kind of work behind which the crash came; none if the day was over before.
    pub work: Option<&'static str>,
}

/// Every moment of the day, in order: a day without a crash tells how much work each device carries out.
///
/// # Errors
/// That day already breaks a promise.
pub fn moments() -> Result<Vec<Moment>, Violation> {
    let judge = Judge::new(None);
    let works = judged(&judge, || {
        let mut day = Day::new(judge.clone(), None, false);
        day.live();
        let works = day.group.sites.iter().map(|site| day.worked(*site)).collect::<Vec<_>>();
        day.group.end();
        works
    })?;
    let mut moments = Vec::new();
    for (device, works) in (0..).zip(works) {
        for crash in Kind::ALL {
            let all = (1..=works).flat_map(|work| [false, true].map(|is_told| (work, is_told)));
            moments.extend(all.map(|(work, is_told)| Moment { device, crash, work, is_told }));
        }
    }
    Ok(moments)
}

/// Lives through the day with one crash; every piece of work is told if asked for.
pub fn play(moment: Moment, with_work: bool) -> Lived {
    let judge = Judge::new(None);
    let mut lived = Lived { violation: None, told: Vec::new(), work: None };
    let ended = judged(&judge, || {
        let mut day = Day::new(judge.clone(), Some(moment), with_work);
        let ended = judged(&judge, || {
            day.live();
            day.group.end();
        });
        (lived.told, lived.work) = (day.group.world.narrative().lines(), day.crashed_behind);
        ended
    });
    lived.violation = ended.and_then(|ended| ended).err();
    lived
}

struct Day {
    group: Group,
    /// How much work each device had carried out when the day began.
    before: Vec<u64>,
    /// The crash that is still to come.
    next: Option<Moment>,
    crashed_behind: Option<&'static str>,
}

impl Day {
    /// The morning: all have the same folder.
    fn new(judge: Judge, crash: Option<Moment>, with_work: bool) -> Day {
        let mut world = World::narrated(1, judge, with_work);
        for number in 0..DEVICES {
            let site = world.add(if number == 0 { Membership::Founder } else { Membership::Joiner });
            let chance = fastrand::Rng::with_seed(u64::from(number));
            world[site].watch(Some((WatcherTraits::default(), chance)));
            if number == 0 {
                world[site].disk().put(&tree([("a.md", "first text"), ("d/a.md", "first text of d"), ("g/b", "of g")]));
            }
        }
        world.pass(1_000);
        let mut group = Group::new(world, [(0, 1), (1, 2)]);
        for site in group.sites.clone() {
            group.world.start(site);
        }
        group.join();
        group.world.pass(LUNCH_MS);
        let before = group.sites.iter().map(|site| group.world[*site].counts().performed).collect();
        Day { group, before, next: crash, crashed_behind: None }
    }

    fn live(&mut self) {
        self.group.world.set_order(Order::Asked);
        self.group.world.set_latency(LATENCY_MS);
        for (number, (device, kind, at, to, pause_ms)) in (0..).zip(DAY) {
            let act = Act { kind: *kind, device: *device, at: *at, to: *to, number };
            let site = self.group.sites[usize::from(*device)];
            if let Some(told) = act.perform(&mut self.group.world, site) {
                self.tell(&format!("on device {device}, someone {told}"));
            }
            self.pass(*pause_ms);
        }
        self.pass(EVENING_MS);
    }

    /// Time passes, and if the crash falls in it, it comes.
    fn pass(&mut self, milliseconds: u64) {
        if let Some(moment) = self.next {
            let site = self.group.sites[usize::from(moment.device)];
            let works = self.before[usize::from(moment.device)] + moment.work;
            if self.group.world.pass_until(milliseconds, |world| world[site].counts().performed >= works) {
                self.next = None;
                self.crash(moment, site);
            }
        }
        self.group.world.pass(milliseconds);
    }

    fn crash(&mut self, moment: Moment, site: SiteId) {
        while moment.is_told && self.group.world[site].answerable() > 0 {
            self.group.world.step();
        }
        self.crashed_behind = self.group.world[site].last_work();
        let seed = moment.work << 3 | u64::from(moment.device) << 1 | u64::from(moment.is_told);
        let mut chance = fastrand::Rng::with_seed(seed);
        let (device, work) = (moment.device, self.crashed_behind.unwrap_or_default());
        match moment.crash {
            Kind::Process => {
                self.tell(&format!("the engine of device {device} ends at once, after a {work}"));
                let _torn = self.group.world.crash_by(site, Crash::Process, &mut chance);
            }
            Kind::Power => {
                self.tell(&format!("device {device} goes off, after a {work}"));
                self.group.world.lose_power(site, &mut chance);
            }
        }
        self.group.world.pass(OFF_MS);
        self.tell(&format!("device {device} starts again"));
        self.group.world.start(site);
        self.group.join();
    }

    fn worked(&self, site: SiteId) -> u64 {
        let number = self.group.sites.iter().position(|other| *other == site).unwrap_or_default();
        self.group.world[site].counts().performed - self.before[number]
    }

    fn tell(&self, told: &str) {
        self.group.world.narrative().tell(told);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// One of so many moments is played here; `cargo xtask sim --crashes` plays all.
    const ONE_IN: usize = 23;

    #[test]
    fn a_day_with_a_crash_at_any_moment_breaks_nothing() {
        let moments = moments().expect("a day without a crash is well");
        let mut works = BTreeSet::new();
        for moment in moments.iter().step_by(ONE_IN) {
            let lived = play(*moment, false);
            assert_eq!(lived.violation, None, "{moment}\n{}", lived.told.join("\n"));
            works.insert(lived.work.expect("the crash comes"));
        }
        println!("{} of {} moments, behind {works:?}", moments.len().div_ceil(ONE_IN), moments.len());
        assert!(works.is_superset(&["Save", "Hash", "Probe", "Commit"].into()), "{works:?}");
    }

    #[test]
    fn every_act_of_the_day_finds_something_to_do() {
        let judge = Judge::new(None);
        let mut day = Day::new(judge, None, false);
        day.live();
        let acts = day.group.world.narrative().lines();
        assert_eq!(acts.iter().filter(|line| line.contains("someone")).count(), DAY.len(), "{}", acts.join("\n"));
    }

    #[test]
    fn a_moment_is_read_as_it_is_shown() {
        for moment in [
            Moment { device: 2, crash: Kind::Power, work: 57, is_told: false },
            Moment { device: 0, crash: Kind::Process, work: 1, is_told: true },
        ] {
            assert_eq!(moment.to_string().parse(), Ok(moment));
        }
        for text in ["", "3/power/1/told", "1/flood/1/told", "1/power/x/told", "1/power/1/maybe"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }
}
