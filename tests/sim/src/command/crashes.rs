//! A crash at every moment of a day.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use syncline_sim::mode::crashes::{self, DEVICES, Kind, Lived, Moment};

use super::options::Cli;
use super::quiet::quietly;
use super::{Verdict, several};

/// So many days that break a promise are told whole.
const TOLD_MAX: usize = 3;

/// Plays all of them, or the one that was asked for.
///
/// # Errors
/// The day breaks a promise without any crash.
pub fn play(cli: &Cli, jobs: usize) -> Result<Verdict> {
    if let Some(moment) = cli.moment {
        let lived = quietly(|| crashes::play(moment, cli.detail));
        return Ok(tell(moment, &lived));
    }
    let start = Instant::now();
    let moments = quietly(crashes::moments)
        .map_err(|violation| anyhow::anyhow!("expected a day without a crash to be well, found {violation}"))?;
    let mut tally = Tally::default();
    let all = several::each(
        jobs,
        &moments,
        |moment| crashes::play(*moment, false),
        |index, lived| {
            tally.add(moments[index], &lived);
            !(cli.first && tally.broken > 0)
        },
    );
    tally.print();
    let (played, many) = (tally.played(), moments.len());
    println!("{played} of {many} crash points played in {:.0?}, {} broke a promise", start.elapsed(), tally.broken);
    Ok(if all && tally.broken == 0 { Verdict::Well } else { Verdict::Wrong })
}

#[derive(Default)]
struct Tally {
    /// Points by device and kind of crash, and by the kind of work before.
    points: BTreeMap<(u8, Kind), BTreeMap<&'static str, u64>>,
    /// Days that were over before the crash.
    missed: u64,
    broken: usize,
}

impl Tally {
    fn add(&mut self, moment: Moment, lived: &Lived) {
        match lived.work {
            Some(work) => {
                *self.points.entry((moment.device, moment.crash)).or_default().entry(work).or_default() += 1;
            }
            None => self.missed += 1,
        }
        if lived.violation.is_some() {
            self.broken += 1;
            if self.broken <= TOLD_MAX {
                tell(moment, lived);
            }
        }
    }

    fn played(&self) -> u64 {
        self.points.values().flat_map(BTreeMap::values).sum()
    }

    fn print(&self) {
        for device in 0..DEVICES {
            for crash in Kind::ALL {
                let works = self.points.get(&(device, crash)).cloned().unwrap_or_default();
                let all: u64 = works.values().sum();
                let works: Vec<String> = works.iter().map(|(work, count)| format!("{count} behind a {work}")).collect();
                println!("device {device}, {:<7} {all:>5} points: {}", crash.name(), works.join(", "));
            }
        }
        if self.missed > 0 {
            println!("{} days were over before their crash", self.missed);
        }
    }
}

fn tell(moment: Moment, lived: &Lived) -> Verdict {
    for line in &lived.told {
        println!("{line}");
    }
    let behind = lived.work.map_or("the day was over before".to_owned(), |work| format!("behind a {work}"));
    match &lived.violation {
        Some(violation) => {
            println!("{moment}, {behind}: {violation}\nagain: cargo xtask sim --crashes --at {moment}\n")
        }
        None => println!("{moment}, {behind}: nothing is broken"),
    }
    if lived.violation.is_some() { Verdict::Wrong } else { Verdict::Well }
}
