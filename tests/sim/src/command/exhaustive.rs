//! Every history of small worlds, as long as the time lasts.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use syncline_sim::mode::exhaustive::{Ended, Move, Small};

use super::options::Cli;
use super::quiet::quietly;
use super::{Verdict, several};
use crate::command::crew::is_interrupted;

/// The worlds, each larger than the one before.
const WORLDS: [Small; 4] = [
    Small { devices: 2, names: 1 },
    Small { devices: 2, names: 2 },
    Small { devices: 3, names: 1 },
    Small { devices: 3, names: 2 },
];

/// So many histories that break a promise are told whole.
const TOLD_MAX: usize = 3;

/// Plays all histories of one act, then of two, and so on, until the time is over; or the one that was asked for.
///
/// # Errors
/// What was asked for is no history.
pub fn play(cli: &Cli, jobs: usize) -> Result<Verdict> {
    if let Some(text) = &cli.history {
        return replay(cli, text);
    }
    let end = Instant::now() + Duration::from_secs(cli.minutes.saturating_mul(60));
    let mut searches = WORLDS.map(Search::new);
    let mut told = 0;
    // The cheapest step is taken next, so that small worlds are searched deep before large ones eat the time.
    while let Some(search) = searches.iter_mut().filter(|search| !search.is_over).min_by_key(|search| search.price()) {
        search.deepen(jobs, end, &mut told);
        println!("{}", search.show());
        if Instant::now() >= end || is_interrupted() {
            break;
        }
    }
    println!("\nhistories of small worlds, to the end of the deepest complete depth:");
    for search in &searches {
        println!("{}", search.show());
    }
    let (played, broken): (u64, u64) =
        searches.iter().fold((0, 0), |(played, broken), search| (played + search.played, broken + search.broken));
    println!("{played} histories played, {broken} broke a promise");
    Ok(if broken == 0 { Verdict::Well } else { Verdict::Wrong })
}

/// How far a world was searched.
struct Search {
    small: Small,
    moves: Vec<Move>,
    /// The histories of the deepest complete depth that made a difference to the end, each as long as that.
    histories: Vec<Box<[u8]>>,
    depth: usize,
    /// How long the last depth took, and the one before.
    took: [Duration; 2],
    played: u64,
    idle: u64,
    broken: u64,
    is_over: bool,
}

/// What came of all histories that are longer by one than one history.
#[derive(Default)]
struct Longer {
    histories: Vec<Box<[u8]>>,
    idle: u64,
    broken: Vec<(Box<[u8]>, Ended)>,
}

impl Search {
    fn new(small: Small) -> Search {
        let histories = vec![Box::default()];
        let (moves, took) = (small.moves(), [Duration::ZERO; 2]);
        Search { small, moves, histories, depth: 0, took, played: 0, idle: 0, broken: 0, is_over: false }
    }

    /// How long the next depth will take, as far as one can tell.
    fn price(&self) -> Duration {
        let [last, before] = self.took;
        last.mul_f64((last.as_secs_f64() / before.as_secs_f64().max(1e-3)).clamp(1.0, 200.0))
    }

    /// Plays all histories that are longer by one.
    fn deepen(&mut self, jobs: usize, end: Instant, told: &mut usize) {
        let (start, small, histories) = (Instant::now(), self.small, std::mem::take(&mut self.histories));
        let (moves, mut next) = (&self.moves, Vec::new());
        let (played, idle, broken) = (&mut self.played, &mut self.idle, &mut self.broken);
        let is_complete = several::each(
            jobs,
            &histories,
            |history| longer(small, moves, history, end),
            |_, longer| {
                *played += (longer.histories.len() + longer.broken.len()) as u64;
                *idle += longer.idle;
                *broken += longer.broken.len() as u64;
                for (history, ended) in &longer.broken {
                    *told += 1;
                    if *told <= TOLD_MAX {
                        tell(small, history, ended);
                    }
                }
                next.extend(longer.histories);
                Instant::now() < end
            },
        );
        self.is_over = !is_complete || Instant::now() >= end;
        if !self.is_over {
            self.depth += 1;
            self.histories = next;
            self.is_over = self.histories.is_empty();
        }
        self.took = [start.elapsed(), self.took[0]];
    }

    fn show(&self) -> String {
        let Search { small: Small { devices, names }, depth, played, idle, broken, .. } = self;
        let further = if self.is_over { ", and some longer ones" } else { "" };
        format!(
            "{devices} devices, {names} names: all of up to {depth} acts{further}: {played} histories played, {idle} that \
             end in an idle act skipped, {broken} broke a promise"
        )
    }
}

fn longer(small: Small, moves: &[Move], history: &[u8], end: Instant) -> Longer {
    let mut longer = Longer::default();
    for next in (0..=u8::MAX).take(moves.len()) {
        let history: Box<[u8]> = history.iter().copied().chain([next]).collect();
        if !small.is_worthwhile(moves, &history) {
            continue;
        }
        if Instant::now() >= end {
            break;
        }
        let ended = small.play(moves, &history, false);
        match (ended.is_idle, &ended.violation) {
            (true, _) => longer.idle += 1,
            (_, None) => longer.histories.push(history),
            // What follows a broken promise would break it again.
            (_, Some(_)) => longer.broken.push((history, ended)),
        }
    }
    longer
}

fn replay(cli: &Cli, text: &str) -> Result<Verdict> {
    // The moves say all but how many devices there are.
    let read = |small: &Small| small.read(text).ok().map(|history| (*small, history));
    let worlds = WORLDS.iter().filter(|small| cli.devices.is_none_or(|devices| small.devices == devices));
    let (small, history) = worlds
        .rev()
        .find_map(read)
        .ok_or_else(|| anyhow!("expected moves such as `write-a@0,look-0:delete-a@1`, found `{text}`"))?;
    let ended = quietly(|| small.play(&small.moves(), &history, cli.detail));
    Ok(tell(small, &history, &ended))
}

fn tell(small: Small, history: &[u8], ended: &Ended) -> Verdict {
    for line in &ended.told {
        println!("{line}");
    }
    let shown = small.show(history);
    let (devices, names) = (small.devices, small.names);
    match &ended.violation {
        Some(violation) => {
            println!("{shown} with {devices} devices, {names} names: {violation}");
            println!("again: cargo xtask sim --exhaustive --devices {devices} --history {shown}\n");
        }
        None if ended.is_idle => println!("{shown}: the last act finds nothing to do"),
        None => println!("{shown}: nothing is broken"),
    }
    if ended.violation.is_some() { Verdict::Wrong } else { Verdict::Well }
}
