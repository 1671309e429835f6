//! Rows `ops-*`: 100,000 updates of one property over 20,000 rows.

mod automerge;
mod data;
mod durable;
mod loro;
mod ours;
mod yrs;

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use self::data::{KEYS, UPDATES, shares, updates};
use crate::measure::{Comparison, Runs, Target, in_turn_by};
use crate::report::RowReporter;

pub use self::durable::durable;

/// Makes them, one a transaction.
pub fn generate(runs: Runs, report: &mut RowReporter<'_>) -> Result<()> {
    report.note("ours: clock read, stamp, own row, batch, each by itself; encoded and signed at the end");
    report.note("peers: a transaction each; the whole encoded at the end, nothing signed");
    let updates = updates();
    let ours = || timed(|| ours::generate(1, &updates));
    let (our_seconds, seconds) = in_turn_by(runs, ours, || timed(|| Ok(yrs::generate(1, &updates))))?;
    report.tell(&speeds("100,000 updates", "yrs", &our_seconds, &seconds, Target::AtLeast(3.0)));
    let (our_seconds, seconds) = in_turn_by(runs, ours, || timed(|| loro::generate(1, &updates)))?;
    report.tell(&speeds("100,000 updates", "loro", &our_seconds, &seconds, Target::None));
    Ok(())
}

/// Merges them into a fresh replica.
pub fn merge(runs: Runs, report: &mut RowReporter<'_>) -> Result<()> {
    report.note("ours: bytes decoded and checked whole, signature verified, merged into rows by key");
    report.note("peers: bytes decoded and merged into a fresh document, nothing verified");
    let updates = updates();
    for writers in [2, 10] {
        let shares = shares(&updates, writers);
        let each = || (1u8..).zip(&shares);
        let ours = each().map(|(number, share)| Ok(ours::generate(number, share)?.0)).collect::<Result<Vec<_>>>()?;
        let yrs: Vec<Vec<u8>> = each().map(|(number, share)| yrs::generate(number.into(), share).0).collect();
        let loro = each().map(|(number, share)| Ok(loro::generate(number.into(), share)?.0));
        let loro = loro.collect::<Result<Vec<_>>>()?;
        ensure!(ours::merge(&ours)?.len() == KEYS as usize, "rows are missing");
        ensure!(yrs::keys(&yrs::merge(&yrs)?) == KEYS as usize, "keys of yrs are missing");
        ensure!(loro::keys(&loro::merge(&loro)?) == KEYS as usize, "keys of loro are missing");

        let ours = || timed(|| ours::merge(&ours));
        let what = format!("100,000 of {writers} writers");
        let (our_seconds, seconds) = in_turn_by(runs, ours, || timed(|| yrs::merge(&yrs)))?;
        report.tell(&speeds(&what, "yrs", &our_seconds, &seconds, Target::AtLeast(5.0)));
        let (our_seconds, seconds) = in_turn_by(runs, ours, || timed(|| loro::merge(&loro)))?;
        report.tell(&speeds(&what, "loro", &our_seconds, &seconds, Target::AtLeast(5.0)));
    }
    Ok(())
}

/// How many bytes they take.
pub fn size(_: Runs, report: &mut RowReporter<'_>) -> Result<()> {
    let updates = updates();
    let (batch, _) = ours::generate(1, &updates)?;
    for (change_each, target) in [(true, Target::AtMost(0.85)), (false, Target::AtMost(0.85))] {
        let changes = if change_each { "a change each" } else { "one change" };
        report.tell(&Comparison {
            what: "a signed message of all, an update".to_owned(),
            peer: format!("automerge save, {changes}"),
            unit: "B",
            ours: vec![batch.len() as f64 / f64::from(UPDATES)],
            theirs: vec![automerge::save(&updates, change_each)? as f64 / f64::from(UPDATES)],
            target,
        });
    }
    let (first, rest) = updates.split_first().context("there are updates")?;
    let second = rest.first().context("there are updates")?;
    let change = automerge::change(first, second)? as f64;
    for (what, share, target) in [
        ("one of a signed message of 100", &rest[..100], Target::AtMost(1.0)),
        ("a signed message of one", &rest[..1], Target::None),
    ] {
        let bytes = ours::later_message(first, share)?;
        report.tell(&Comparison {
            what: what.to_owned(),
            peer: "one automerge change, unsigned".to_owned(),
            unit: "B",
            ours: vec![bytes.len() as f64 / share.len() as f64],
            theirs: vec![change],
            target,
        });
    }
    Ok(())
}

/// Seconds of some work; what it made is given up behind them.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<f64> {
    let start = Instant::now();
    let made = work()?;
    let seconds = start.elapsed().as_secs_f64();
    drop(made);
    Ok(seconds)
}

fn speeds(what: &str, peer: &str, ours: &[f64], theirs: &[f64], target: Target) -> Comparison {
    let thousands = |seconds: &[f64]| seconds.iter().map(|seconds| f64::from(UPDATES) / seconds / 1e3).collect();
    Comparison {
        what: what.to_owned(),
        peer: peer.to_owned(),
        unit: "k/s",
        ours: thousands(ours),
        theirs: thousands(theirs),
        target,
    }
}
