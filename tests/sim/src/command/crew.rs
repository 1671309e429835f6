//! Many stories at once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use syncline_sim::story::{Coverage, Options, Swarm};
use syncline_sim::{Genre, Violation};

use super::quiet;
use super::seeds::Pair;

/// How often whoever watches is told at least.
const BEAT: Duration = Duration::from_millis(200);

/// Someone asked the program to end.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether someone asked the program to end.
pub fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Which stories to play, and how.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Of which kind.
    pub genre: Genre,
    /// The seed of run 0.
    pub base: u64,
    /// The number of the first run.
    pub first: u64,
    /// How many.
    pub runs: u64,
    /// How many acts each has.
    pub acts: u16,
    /// What they may hold.
    pub swarm: Swarm,
    /// How many at once.
    pub jobs: usize,
    /// How to play them.
    pub options: Options,
}

/// A run that broke a promise.
#[derive(Debug, Clone)]
pub struct Broken {
    /// Its number, from 0.
    pub run: u64,
    /// Its seeds.
    pub pair: Pair,
    /// Which promise, and how.
    pub violation: Violation,
}

/// What came of many stories.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How many were played.
    pub runs: u64,
    /// How many events engines took in them.
    pub events: u64,
    /// What happened in them.
    pub coverage: Coverage,
    /// Those that broke a promise, in their order.
    pub broken: Vec<Broken>,
    /// How long it took.
    pub time: Duration,
    /// How long the slowest took.
    pub slowest: Duration,
}

struct Finished {
    run: u64,
    pair: Pair,
    events: u64,
    coverage: Coverage,
    violation: Option<Violation>,
    time: Duration,
}

/// Plays stories until all are played or `goes_on` says that it is enough, which is asked several times a second. Runs
/// begin in their order, and each that began ends: of all before the first broken one, none is left out.
pub fn play(plan: Plan, mut goes_on: impl FnMut(&Tally) -> bool) -> Tally {
    let start = Instant::now();
    let (next, is_over) = (AtomicU64::new(plan.first), AtomicBool::new(false));
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..plan.jobs {
            let (sender, next, is_over) = (sender.clone(), &next, &is_over);
            scope.spawn(move || work(plan, next, is_over, &sender));
        }
        drop(sender);
        loop {
            match receiver.recv_timeout(BEAT) {
                Ok(finished) => tally.add(finished),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            tally.time = start.elapsed();
            if !is_over.load(Ordering::Relaxed) && (is_interrupted() || !goes_on(&tally)) {
                is_over.store(true, Ordering::Relaxed);
            }
        }
    });
    tally.broken.sort_by_key(|broken| broken.run);
    tally
}

fn work(plan: Plan, next: &AtomicU64, is_over: &AtomicBool, sender: &mpsc::Sender<Finished>) {
    while !is_over.load(Ordering::Relaxed) {
        let run = next.fetch_add(1, Ordering::Relaxed);
        if run >= plan.first.saturating_add(plan.runs) {
            return;
        }
        let (start, pair) = (Instant::now(), Pair::of_run(plan.base, run));
        let played = quiet::play(&pair.draw(plan.genre, plan.swarm, plan.acts), plan.options);
        let (events, coverage, violation) = (played.events, played.coverage, played.violation);
        // Whoever listens does so until the last of us is done.
        let _ = sender.send(Finished { run, pair, events, coverage, violation, time: start.elapsed() });
    }
}

impl Tally {
    fn add(&mut self, finished: Finished) {
        let Finished { run, pair, events, coverage, violation, time } = finished;
        self.runs += 1;
        self.events += events;
        self.coverage.add(&coverage);
        self.slowest = self.slowest.max(time);
        self.broken.extend(violation.map(|violation| Broken { run, pair, violation }));
    }

    /// Runs a second so far.
    pub fn pace(&self) -> f64 {
        self.runs as f64 / self.time.as_secs_f64().max(1e-3)
    }

    /// Events a second so far.
    pub fn event_pace(&self) -> f64 {
        self.events as f64 / self.time.as_secs_f64().max(1e-3)
    }
}
