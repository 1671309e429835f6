//! `--mutants` and `--idle`: what the checks are worth, in tables.

use std::fs;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use syncline_sim::Invariant;

use super::Verdict;
use super::crew::{Plan, is_interrupted};
use super::idle::{self, Need};
use super::mutants::{Hunted, Hunter};
use super::options::Cli;

/// Plants faults, tells how they are found, and which checks are needed for it.
///
/// # Errors
/// The tables cannot be written.
pub fn hunt(cli: &Cli, plan: Plan) -> Result<Verdict> {
    eprintln!("at most {} runs of {} acts from seed {} for each fault", plan.runs, plan.acts, plan.base);
    let mut hunter = Hunter::new(plan);
    let canary = hunter.canary();
    match canary {
        Some(invariant) => eprintln!("the canary is found by {} at the first story", invariant.name()),
        None => println!("the canary lives: the checks do not see a file that nobody wrote"),
    }
    let mut hunted = Vec::new();
    for fault in cli.mutants() {
        if is_interrupted() {
            break;
        }
        let one = hunter.hunt(*fault);
        if !cli.json {
            println!("{}", row(&one));
        }
        hunted.push(one);
    }
    let mut needs = Vec::new();
    for invariant in Invariant::ALL.into_iter().filter(|_| cli.idle) {
        if is_interrupted() {
            break;
        }
        let need = idle::need(&mut hunter, &hunted, invariant);
        if !cli.json {
            println!("{}", need_row(&need));
        }
        needs.push(need);
    }
    if let Some(file) = &cli.markdown {
        fs::write(file, markdown(&hunted, &needs)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let is_well = tell(cli, plan, &hunter, canary, &hunted, &needs);
    Ok(if is_well { Verdict::Well } else { Verdict::Wrong })
}

/// Sums up; true if all is well.
fn tell(cli: &Cli, plan: Plan, hunter: &Hunter, canary: Option<Invariant>, hunted: &[Hunted], needs: &[Need]) -> bool {
    let living: Vec<&str> = hunted.iter().filter(|one| one.found.is_none()).map(|one| one.fault.name()).collect();
    let idle: Vec<&str> = needs.iter().filter(|need| need.lives.is_none()).map(|need| need.invariant.name()).collect();
    if cli.json {
        println!("{:#}", to_json(plan, hunter, canary, hunted, needs));
    } else {
        println!("{} of {} planted faults found", hunted.len() - living.len(), hunted.len());
        println!("{} failing stories did not count, for they fail without a fault, too", hunter.sick());
        if !living.is_empty() {
            println!("these live: {}", living.join(", "));
        }
        if !idle.is_empty() {
            println!("these checks are idle: {}", idle.join(", "));
        }
        println!("again: cargo xtask sim --mutants --runs {} --seed {} --acts {}", plan.runs, plan.base, plan.acts);
    }
    canary.is_some() && living.is_empty() && idle.is_empty() && !is_interrupted()
}

fn names(invariants: &[Invariant]) -> String {
    invariants.iter().map(|invariant| invariant.name()).collect::<Vec<_>>().join(", ")
}

fn row(hunted: &Hunted) -> String {
    let (name, seconds) = (hunted.fault.name(), hunted.time.as_secs_f64());
    let slow = hunted.slowest.as_secs_f64();
    let slow = if slow > 5.0 { format!(", the slowest story {slow:.1} s") } else { String::new() };
    match hunted.found {
        Some((runs, invariant)) => {
            let all = names(&hunted.invariants());
            format!("{name:<30} {runs:>5}  {:<18} {all} ({seconds:.1} s{slow})", invariant.name())
        }
        None => format!("{name:<30} LIVES after {} stories ({seconds:.1} s{slow})", hunted.runs),
    }
}

fn need_row(need: &Need) -> String {
    let name = need.invariant.name();
    match (need.lives, need.breakers) {
        (Some(fault), _) => format!("{name:<18} not checked: {} lives", fault.name()),
        (None, 0) => format!("{name:<18} IDLE: no fault breaks it"),
        (None, breakers) => format!("{name:<18} IDLE: other checks find all {breakers} faults that break it"),
    }
}

fn markdown(hunted: &[Hunted], needs: &[Need]) -> String {
    let mut text =
        "| planted fault | what it does wrong | found after | first by | broken in its first failures |\n".to_owned();
    text += "|---|---|---:|---|---|\n";
    for one in hunted {
        let (name, does) = (one.fault.name(), one.fault.description());
        let (runs, first) = match one.found {
            Some((runs, invariant)) => (runs.to_string(), invariant.name()),
            None => ("never".to_owned(), ""),
        };
        text += &format!("| {name} | {does} | {runs} | {first} | {} |\n", names(&one.invariants()));
    }
    if !needs.is_empty() {
        text += "\n| promise | faults that break it | lives when it is not checked |\n|---|---:|---|\n";
        for need in needs {
            let lives = need.lives.map_or("none: the check is idle", |fault| fault.name());
            text += &format!("| {} | {} | {lives} |\n", need.invariant.name(), need.breakers);
        }
    }
    text
}

fn to_json(plan: Plan, hunter: &Hunter, canary: Option<Invariant>, hunted: &[Hunted], needs: &[Need]) -> Value {
    let faults = hunted.iter().map(|one| {
        json!({
            "fault": one.fault.name(),
            "found_after": one.found.map(|(runs, _)| runs),
            "found_by": one.found.map(|(_, invariant)| invariant.name()),
            "breaks": one.invariants().into_iter().map(Invariant::name).collect::<Vec<_>>(),
            "runs": one.runs,
            "seconds": one.time.as_secs_f64(),
        })
    });
    let needs = needs.iter().map(|need| {
        json!({
            "invariant": need.invariant.name(),
            "broken_by": need.breakers,
            "lives_without": need.lives.map(|fault| fault.name()),
        })
    });
    json!({
        "seed": plan.base,
        "acts": plan.acts,
        "runs_max": plan.runs,
        "canary": canary.map(Invariant::name),
        "failing_without_fault": hunter.sick(),
        "faults": faults.collect::<Vec<_>>(),
        "checks": needs.collect::<Vec<_>>(),
    })
}
