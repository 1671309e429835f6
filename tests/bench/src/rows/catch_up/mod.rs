//! Row `catch-up`: two replicas of a group of 1,000,000 entries meet, and one lacks some.

mod negentropy;
mod ours;

use std::time::Instant;

use ::negentropy::NegentropyStorageVector;
use anyhow::{Result, ensure};
use syncline_core::api::ReplicaId;
use syncline_core::log::Heads;

use self::ours::Holder;
use crate::measure::{Comparison, Runs, Target, in_turn_by};
use crate::report::RowReporter;

const ENTRIES: u64 = 1_000_000;

/// What it took to find out what one lacks.
pub struct Exchange {
    /// Bytes in both directions.
    bytes: usize,
    /// How often something went both ways, or one way.
    rounds: usize,
    /// How many entries were found missing.
    missing: u64,
}

/// Which entries one lacks.
#[derive(Clone, Copy)]
enum Missing {
    None,
    Recent(u64),
    Scattered(u64),
}

/// Measures the row.
pub fn run(runs: Runs, report: &mut RowReporter<'_>) -> Result<()> {
    report
        .note("ours: sessions exchange hellos and heads; heads built directly, digests as an engine has them at hand");
    report.note("peer: negentropy on sealed ids of 32 bytes, without a limit of frames");
    let full = negentropy::storage(0..ENTRIES)?;
    use Missing::{None, Recent, Scattered};
    for missing in [None, Recent(100), Scattered(100), Recent(10_000), Scattered(10_000)] {
        let lacking = negentropy::storage((0..ENTRIES).filter(|number| !missing.is(*number)))?;
        for authors in [1, 10, 100] {
            case(runs, report, (&full, &lacking), authors, missing)?;
        }
    }
    Ok(())
}

fn case(
    runs: Runs,
    report: &mut RowReporter<'_>,
    (their_full, their_lacking): (&NegentropyStorageVector, &NegentropyStorageVector),
    authors: u64,
    missing: Missing,
) -> Result<()> {
    let (full, lacking) = (holder(authors, Missing::None), holder(authors, missing));
    let (ours, theirs) = (ours::exchange(&full, &lacking)?, negentropy::exchange(their_full, their_lacking)?);
    for found in [ours.missing, theirs.missing] {
        ensure!(found == missing.count(), "expected {} missing entries, found {found}", missing.count());
    }
    let author_count = if authors == 1 { "1 author".to_owned() } else { format!("{authors} authors") };
    let what = format!("{}, {author_count}", missing.name());
    report.tell(&Comparison {
        what: format!("bytes: {what}"),
        peer: format!("negentropy, {} rounds; ours {}", theirs.rounds, ours.rounds),
        unit: "B",
        ours: vec![ours.bytes as f64],
        theirs: vec![theirs.bytes as f64],
        target: if matches!(missing, Missing::None) { Target::None } else { Target::AtMost(0.1) },
    });
    let milliseconds = |exchange: &mut dyn FnMut() -> Result<Exchange>| -> Result<f64> {
        let start = Instant::now();
        let exchange = exchange()?;
        let seconds = start.elapsed().as_secs_f64();
        ensure!(exchange.missing == missing.count(), "another number of entries was found");
        Ok(seconds * 1e3)
    };
    let (ours, theirs) = in_turn_by(
        runs,
        || milliseconds(&mut || ours::exchange(&full, &lacking)),
        || milliseconds(&mut || negentropy::exchange(their_full, their_lacking)),
    )?;
    let peer = "negentropy".to_owned();
    report.tell(&Comparison {
        what: format!("time: {what}"),
        peer,
        unit: "ms",
        ours,
        theirs,
        target: Target::AtMost(1.0),
    });
    Ok(())
}

/// Who wrote in turns, each by the same number, and holds all but what is missing.
fn holder(authors: u64, missing: Missing) -> Holder {
    let mut heads = Heads::new();
    for author in 0..authors {
        let id = *::blake3::hash(&author.to_le_bytes()).as_bytes();
        let id = ReplicaId::from_bytes(std::array::from_fn(|index| id[index]));
        for number in (author..ENTRIES).step_by(authors as usize).filter(|number| !missing.is(*number)) {
            heads.insert(id, number / authors + 1);
        }
    }
    let digest = ::blake3::hash(&postcard::to_allocvec(&heads).expect("heads have bytes")).into();
    Holder { heads, digest }
}

impl Missing {
    /// Whether an entry is.
    fn is(self, number: u64) -> bool {
        match self {
            Missing::None => false,
            Missing::Recent(count) => number >= ENTRIES - count,
            Missing::Scattered(count) => {
                let step = ENTRIES / count;
                // One of each stretch, by no rule that authors or ids follow.
                let noise = (number / step).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
                number % step == noise % step
            }
        }
    }

    fn count(self) -> u64 {
        match self {
            Missing::None => 0,
            Missing::Recent(count) | Missing::Scattered(count) => count,
        }
    }

    fn name(self) -> String {
        match self {
            Missing::None => "equal".to_owned(),
            Missing::Recent(count) => format!("{count} recent missing"),
            Missing::Scattered(count) => format!("{count} scattered missing"),
        }
    }
}
