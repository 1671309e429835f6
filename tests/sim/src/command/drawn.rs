//! Playing many drawn stories.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use serde_json::{Value, json};

use super::crew::{self, Broken, Plan, Tally, is_interrupted};
use super::failure::{Failure, choose};
use super::options::Cli;
use super::progress::Progress;
use super::seeds::Pair;
use super::{Verdict, figures};

/// So many failures are made small; the others are counted.
const SHRUNK_MAX: usize = 10;

/// So many failures are told while stories are still being played.
const TOLD_MAX: usize = 10;

/// Plays them, and tells what broke and what never happened.
///
/// # Errors
/// A failing story cannot be written.
pub fn play(cli: &Cli, plan: Plan) -> Result<Verdict> {
    let mut progress = Progress::new(plan.runs);
    let mut told = 0;
    let tally = crew::play(plan, |tally| {
        for broken in tally.broken.iter().skip(told).take(TOLD_MAX.saturating_sub(told)) {
            progress.tell(&format!("{}: {:.160}", broken.pair, broken.violation.to_string()));
        }
        told = tally.broken.len();
        progress.show(tally);
        !(cli.first && told > 0)
    });
    progress.end();
    report_all(cli, plan, &tally)?;
    let missing = if tally.runs >= figures::RUNS_ENOUGH {
        figures::missing(&tally.coverage, plan.genre, plan.swarm)
    } else {
        Vec::new()
    };
    if cli.json {
        println!("{:#}", to_json(plan, &tally, &missing));
    } else {
        print(cli, plan, &tally, &missing);
    }
    Ok(if tally.broken.is_empty() && missing.is_empty() { Verdict::Well } else { Verdict::Wrong })
}

/// Makes failing stories small, several at once, and tells each when it is.
fn report_all(cli: &Cli, plan: Plan, tally: &Tally) -> Result<()> {
    let chosen = choose(&tally.broken, if cli.first { 1 } else { SHRUNK_MAX });
    if chosen.is_empty() || is_interrupted() {
        return Ok(());
    }
    eprintln!("making {} of {} failing stories small", chosen.len(), tally.broken.len());
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        while let Some(broken) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
            let report = report(cli, plan, broken)?;
            if !cli.json {
                println!("{report}");
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..plan.jobs.min(chosen.len())).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

fn report(cli: &Cli, plan: Plan, broken: &Broken) -> Result<String> {
    let story = broken.pair.draw(plan.genre, plan.swarm, plan.acts);
    let failure = Failure::shrunk(&story, &broken.violation, plan.options, cli.detail);
    let name = format!("{}-{}", broken.violation.invariant.name(), broken.pair.workload);
    let report = failure.report(&name, &cli.same_options(), cli.plant)?;
    let (pair, workload, schedule) = (broken.pair, broken.pair.workload, broken.pair.schedule);
    let whole = format!("--workload {workload} --schedule {schedule} --acts {}", plan.acts);
    Ok(format!("== run {}, {pair}\n{report}drawn: cargo xtask sim {whole}{}\n", broken.run, cli.same_options()))
}

fn print(cli: &Cli, plan: Plan, tally: &Tally, missing: &[String]) {
    println!("{}", figures::table(&tally.coverage));
    println!("{}", figures::summary(tally, plan.jobs));
    if is_interrupted() {
        println!("ended before all {} runs were played", plan.runs);
    }
    if !tally.broken.is_empty() {
        println!("{} runs broke a promise:\n{}", tally.broken.len(), figures::by_invariant(tally));
    }
    if !missing.is_empty() {
        println!("never happened in {} runs: {}", tally.runs, missing.join(", "));
    }
    if is_interrupted() {
        for broken in choose(&tally.broken, SHRUNK_MAX) {
            let Pair { workload, schedule } = broken.pair;
            let acts = plan.acts;
            println!(
                "broken: cargo xtask sim --workload {workload} --schedule {schedule} --acts {acts}{}",
                cli.same_options()
            );
        }
    }
    println!(
        "again: cargo xtask sim --runs {} --seed {} --acts {}{}",
        plan.runs,
        plan.base,
        plan.acts,
        cli.same_options()
    );
}

fn to_json(plan: Plan, tally: &Tally, missing: &[String]) -> Value {
    let broken = tally.broken.iter().map(|broken| {
        json!({
            "workload": broken.pair.workload,
            "schedule": broken.pair.schedule,
            "invariant": broken.violation.invariant.name(),
            "message": broken.violation.message,
        })
    });
    let coverage: serde_json::Map<String, Value> =
        tally.coverage.counts().map(|(kind, count)| (kind.to_owned(), count.into())).collect();
    json!({
        "seed": plan.base,
        "acts": plan.acts,
        "jobs": plan.jobs,
        "runs": tally.runs,
        "events": tally.events,
        "seconds": tally.time.as_secs_f64(),
        "coverage": coverage,
        "never_happened": missing,
        "broken": broken.collect::<Vec<_>>(),
    })
}
