//! The program around the simulator.

mod crashes;
mod crew;
mod drawn;
mod exhaustive;
mod failure;
mod figures;
mod hunt;
mod idle;
mod mutants;
mod options;
mod place;
mod progress;
mod quiet;
mod replay;
mod seeds;
mod several;
mod traces;

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::thread::available_parallelism;

use anyhow::{Context, Result};
use clap::Parser;
use syncline_core::planted;
use syncline_sim::story::Options;

use self::crew::{INTERRUPTED, Plan};
use self::options::Cli;
use self::seeds::Pair;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Well,
    /// A promise is broken, a planted fault lives, or a kind of thing never happened.
    Wrong,
}

/// Does what the command line asks for.
pub fn run() -> ExitCode {
    quiet::hush();
    match obey(&Cli::parse()) {
        Ok(Verdict::Well) => ExitCode::SUCCESS,
        Ok(Verdict::Wrong) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn obey(cli: &Cli) -> Result<Verdict> {
    // The second time, it ends at once.
    let interrupt = || {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    };
    ctrlc::set_handler(interrupt).context("cannot listen for Ctrl-C")?;
    planted::plant(cli.plant);
    let options = Options { ignored: cli.ignored()?, with_work: cli.detail, ..Options::default() };
    if let Some(file) = &cli.replay {
        return replay::file(cli, file, options);
    }
    if let (Some(workload), Some(schedule)) = (cli.workload, cli.schedule) {
        return replay::pair(cli, Pair { workload, schedule }, options);
    }
    let jobs = cli.jobs.map_or_else(|| available_parallelism().map_or(1, NonZeroUsize::get), NonZeroUsize::get);
    if cli.crashes {
        return crashes::play(cli, jobs);
    }
    if cli.exhaustive {
        return exhaustive::play(cli, jobs);
    }
    let base = cli.seed.unwrap_or_else(seeds::fresh_base);
    if cli.traces {
        return Ok(traces::print(cli.genre(), base, cli.runs, cli.acts, jobs));
    }
    let options = Options { with_work: false, ..options };
    let (genre, swarm) = (cli.genre(), cli.swarm());
    let plan = Plan { genre, base, first: 0, runs: cli.runs, acts: cli.acts, swarm, jobs, options };
    if cli.asks_for_mutants() {
        return hunt::hunt(cli, Plan { options: Options::default(), ..plan });
    }
    let kept = if cli.fresh { Verdict::Well } else { replay::kept(options)? };
    eprintln!("{} runs of {} acts from seed {base}, {jobs} at once", plan.runs, plan.acts);
    let drawn = drawn::play(cli, plan)?;
    Ok(if kept == Verdict::Wrong { kept } else { drawn })
}
