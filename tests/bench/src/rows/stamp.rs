//! Row `stamp`: stamps issued and observed.

use std::hint::black_box;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow};
use syncline_core::clock::Clock;
use uhlc::{HLCBuilder, ID, Timestamp};

use crate::measure::{Comparison, Runs, Target, in_turn};
use crate::report::RowReporter;

const STAMPS: u32 = 1_000_000;
/// How many stamps an event of ours may issue: the host reads its clock once an event.
const PER_EVENT: u32 = 100;

/// Measures the row: next and observe by turns.
pub fn run(runs: Runs, report: &mut RowReporter<'_>) -> Result<()> {
    let other = ID::try_from(7_u8).map_err(|error| anyhow!("{error:?}"))?;
    let own = ID::try_from(9_u8).map_err(|error| anyhow!("{error:?}"))?;
    let hlc = HLCBuilder::new().with_id(own).build();
    let heard = Timestamp::new(HLCBuilder::new().with_id(other).build().new_timestamp().get_time().to_owned(), other);
    let theirs = || {
        for _ in 0..STAMPS {
            black_box(hlc.new_timestamp());
            black_box(hlc.update_with_timestamp(black_box(&heard))).expect("the stamp is not ahead");
        }
    };
    for (what, per_event, target) in [
        ("next + observe, a clock read an event", PER_EVENT, Target::AtMost(0.25)),
        ("next + observe, a clock read each", 1, Target::None),
    ] {
        let mut clock = Clock::new(own);
        let ours = || {
            for _ in 0..STAMPS / per_event {
                let now_ns = unix_ns();
                for _ in 0..per_event {
                    black_box(clock.next(black_box(now_ns))).expect("the year 2106 is far");
                    clock.observe(black_box(&heard));
                }
            }
        };
        let (ours, theirs) = in_turn(runs, ours, theirs);
        let nanoseconds = |seconds: &[f64]| seconds.iter().map(|s| s * 1e9 / f64::from(STAMPS)).collect();
        report.tell(&Comparison {
            what: what.to_owned(),
            peer: "uhlc::HLC, which reads its clock at each".to_owned(),
            unit: "ns",
            ours: nanoseconds(&ours),
            theirs: nanoseconds(&theirs),
            target,
        });
    }
    Ok(())
}

fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
