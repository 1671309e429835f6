//! Planted faults, and after how many stories they are found.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use syncline_core::planted::{self, Planted};
use syncline_sim::story::Options;
use syncline_sim::{Genre, Invariant};

use super::crew::{self, Broken, Plan, is_interrupted};
use super::quiet;

/// So many failures show which promises a fault breaks.
const FAILURES_ENOUGH: usize = 8;

/// Whoever broke a promise after so many stories is watched for so many times as long, to see which others it breaks.
const WATCHED_TIMES: u64 = 3;

/// And this long at least.
const WATCHED_RUNS_MIN: u64 = 20;

/// The faults of message folders.
const FOLDER_FAULTS: [Planted; 16] = [
    Planted::OtherSessionFollowed,
    Planted::AnyPlaceRead,
    Planted::OwnFileNotCompared,
    Planted::UnsavedWritten,
    Planted::ClearedUnapplied,
    Planted::ClearedBeforeCheckpoint,
    Planted::VoidedUndelivered,
    Planted::LastOwnUnwritten,
    Planted::LargestSessionWins,
    Planted::PaddedCounterRead,
    Planted::TornFileGivenUp,
    Planted::FailedDeliveryCounts,
    Planted::StableTooEarly,
    Planted::AcknowledgementForgotten,
    Planted::InfoNotFetched,
    Planted::NumbersGivenAgain,
];

/// The faults of blobs in message folders.
const CARRIED_FAULTS: [Planted; 6] = [
    Planted::SharedCollected,
    Planted::OthersCollected,
    Planted::CollectedAtOnce,
    Planted::DeathNotNoted,
    Planted::UploadsStayDone,
    Planted::UploadsNotSpared,
];

/// The faults of rows.
const RECORD_FAULTS: [Planted; 28] = [
    Planted::LastArrivalWins,
    Planted::StampReplicaIgnored,
    Planted::PropertiesMixed,
    Planted::OldUpdateRevives,
    Planted::DeletionWinsIgnored,
    Planted::AppliedNotObserved,
    Planted::HeldAppliedAtOnce,
    Planted::HeldMovesClock,
    Planted::HeldForGood,
    Planted::RowClockNotSaved,
    Planted::UnmergedNotMarked,
    Planted::UnmarkedBeforeMerged,
    Planted::RowOverwritten,
    Planted::TakenBeforeSaved,
    Planted::ChangedForgotten,
    Planted::BatchNumberedAgain,
    Planted::WalkLeavesOut,
    Planted::KnownTableNotWalked,
    Planted::FailedBatchCounts,
    Planted::StaleRowsStay,
    Planted::ForeignRowAccepted,
    Planted::RefusedNotUndone,
    Planted::VoidTaken,
    Planted::VoidKept,
    Planted::VoidRowsStay,
    Planted::VoidedByUnawareKept,
    Planted::CoveredByPassing,
    Planted::NotRecreated,
];

/// How a fault was found, or was not.
#[derive(Debug, Clone)]
pub struct Hunted {
    /// The fault.
    pub fault: Planted,
    /// After how many stories it was found, and which promise it broke; none if it lives.
    pub found: Option<(u64, Invariant)>,
    /// All promises that it broke in the first few failing stories, with how many each.
    pub by: BTreeMap<Invariant, u64>,
    /// How many stories were played with it.
    pub runs: u64,
    /// How long that took.
    pub time: Duration,
    /// How long the slowest took.
    pub slowest: Duration,
}

/// Plants faults one after the other, and knows which stories fail without any.
pub struct Hunter {
    plan: Plan,
    /// Of runs that failed with a fault: whether they fail without one, too.
    sick: BTreeMap<(Genre, u64, Option<Invariant>), bool>,
}

impl Hunter {
    /// Plays these stories for each fault.
    pub fn new(plan: Plan) -> Hunter {
        Hunter { plan, sick: BTreeMap::new() }
    }

    /// A fault of the simulator itself, which every story must show: which promise its first story breaks.
    pub fn canary(&self) -> Option<Invariant> {
        let options = Options { with_canary: true, ..self.plan.options };
        let Plan { genre, swarm, acts, .. } = self.plan;
        let story = super::seeds::Pair::of_run(self.plan.base, 0).draw(genre, swarm, acts);
        quiet::play(&story, options).violation.map(|violation| violation.invariant)
    }

    /// Plays stories until a fault has broken a promise and shown which others it breaks, too.
    pub fn hunt(&mut self, fault: Planted) -> Hunted {
        self.pursue(fault, None, true)
    }

    /// Plays stories until a fault has broken a promise other than this one.
    pub fn hunt_without(&mut self, fault: Planted, ignored: Invariant) -> Hunted {
        self.pursue(fault, Some(ignored), false)
    }

    /// How many of the stories that showed faults fail without one, too, and were not counted.
    pub fn sick(&self) -> usize {
        self.sick.values().filter(|is_sick| **is_sick).count()
    }

    fn pursue(&mut self, fault: Planted, ignored: Option<Invariant>, to_watch: bool) -> Hunted {
        let start = Instant::now();
        let genre = genre_of(fault);
        let (found, by) = (None, BTreeMap::new());
        let mut hunted = Hunted { fault, found, by, runs: 0, time: Duration::ZERO, slowest: Duration::ZERO };
        while hunted.found.is_none() && hunted.runs < self.plan.runs && !is_interrupted() {
            let options = Options { ignored, ..self.plan.options };
            let plan = Plan { first: hunted.runs, runs: self.plan.runs - hunted.runs, genre, options, ..self.plan };
            planted::plant(Some(fault));
            let tally = crew::play(plan, |tally| goes_on(plan, tally, to_watch));
            planted::plant(None);
            hunted.runs += tally.runs;
            hunted.slowest = hunted.slowest.max(tally.slowest);
            for broken in tally.broken.iter().take(FAILURES_ENOUGH) {
                if !self.is_sick(genre, broken, options) {
                    let invariant = broken.violation.invariant;
                    hunted.found.get_or_insert((broken.run + 1, invariant));
                    *hunted.by.entry(invariant).or_default() += 1;
                }
            }
        }
        hunted.time = start.elapsed();
        hunted
    }

    /// The story fails without the fault, too.
    fn is_sick(&mut self, genre: Genre, broken: &Broken, options: Options) -> bool {
        let Plan { swarm, acts, .. } = self.plan;
        let play = || quiet::play(&broken.pair.draw(genre, swarm, acts), options).violation.is_some();
        *self.sick.entry((genre, broken.run, options.ignored)).or_insert_with(play)
    }
}

/// The kind of stories that can show a fault: most of those of file trees have no message folder.
fn genre_of(fault: Planted) -> Genre {
    match fault {
        fault if FOLDER_FAULTS.contains(&fault) => Genre::Folders,
        fault if CARRIED_FAULTS.contains(&fault) => Genre::Carried,
        fault if RECORD_FAULTS.contains(&fault) => Genre::Records,
        _ => Genre::Trees,
    }
}

fn goes_on(plan: Plan, tally: &crew::Tally, to_watch: bool) -> bool {
    let Some(first) = tally.broken.iter().map(|broken| broken.run - plan.first).min() else { return true };
    let watched = (first * WATCHED_TIMES).max(first + WATCHED_RUNS_MIN);
    to_watch && tally.broken.len() < FAILURES_ENOUGH && tally.runs < watched
}

impl Hunted {
    /// The promises that it broke, the one broken most often first.
    pub fn invariants(&self) -> Vec<Invariant> {
        let mut all: Vec<_> = self.by.iter().map(|(invariant, count)| (*invariant, *count)).collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all.into_iter().map(|(invariant, _)| invariant).collect()
    }
}
