//! Playing one story, and telling it.

use std::path::Path;

use anyhow::{Context, Result, bail};
use syncline_core::planted::{self, Planted};
use syncline_sim::story::{Options, Played, Record};
use syncline_sim::{Tale, Traits};

use super::failure::Failure;
use super::options::Cli;
use super::seeds::Pair;
use super::{Verdict, place, quiet};

/// Plays the story in a file.
///
/// # Errors
/// There is none, or it cannot be kept.
pub fn file(cli: &Cli, file: &Path, options: Options) -> Result<Verdict> {
    let record = place::read(file)?;
    plant(cli, &record)?;
    let played = quiet::play(&record.story, options);
    tell(&record.story, &played);
    keep(cli, &record)?;
    Ok(verdict(&played))
}

/// Plays the story of a pair of seeds; one that fails is made small first.
///
/// # Errors
/// It cannot be written.
pub fn pair(cli: &Cli, pair: Pair, options: Options) -> Result<Verdict> {
    let story = pair.draw(cli.genre(), cli.swarm(), cli.acts);
    let played = quiet::play(&story, options);
    let Some(violation) = played.violation.as_ref().filter(|_| !cli.whole) else {
        tell(&story, &played);
        if cli.keep.is_some() && played.violation.is_none() {
            bail!("expected a story that fails, found one that does not: keep the small one with --replay");
        }
        return Ok(verdict(&played));
    };
    let failure = Failure::shrunk(&story, violation, options, cli.detail);
    let name = format!("{}-{}", violation.invariant.name(), pair.workload);
    println!("{}", failure.report(&name, &cli.same_options(), cli.plant)?);
    let invariant = Some(failure.violation.invariant);
    let planted = cli.plant.map(|fault| fault.name().to_owned());
    keep(cli, &Record { about: String::new(), invariant, planted, story: failure.story })?;
    Ok(Verdict::Wrong)
}

/// Plays every kept story; those that fail are told.
///
/// # Errors
/// One cannot be read.
pub fn kept(options: Options) -> Result<Verdict> {
    let files = place::kept_files()?;
    let mut verdict = Verdict::Well;
    for file in &files {
        let record = place::read(file)?;
        let played = quiet::play(&record.story, Options { with_work: false, ..options });
        if played.violation.is_some() {
            println!("== {}: {}", place::show(file), record.about);
            tell(&record.story, &played);
            println!("again: cargo xtask sim --replay {}\n", place::show(file));
            verdict = Verdict::Wrong;
        }
    }
    eprintln!("{} kept stories played", files.len());
    Ok(verdict)
}

/// The fault that was asked for, else the one that the story was written down with.
fn plant(cli: &Cli, record: &Record) -> Result<()> {
    let Some(name) = record.planted.as_ref().filter(|_| cli.plant.is_none()) else { return Ok(()) };
    let fault = Planted::from_name(name).with_context(|| format!("expected a planted fault, found {name}"))?;
    println!("planted: {name}: {}", fault.description());
    planted::plant(Some(fault));
    Ok(())
}

fn tell(story: &Tale, played: &Played) {
    match story {
        Tale::Folder(story) => println!("{:?}, sealed: {}, links {:?}", story.members, story.sealed, story.links),
        Tale::Rows(story) => println!("{:?}, sealed: {}, links {:?}", story.keepers, story.sealed, story.links),
        Tale::Tree(story) => {
            println!("{} devices, {:?}, watchers {:?}", story.devices, story.shape, story.watchers);
            let odd = story.platforms.iter().enumerate().filter(|(_, traits)| **traits != Traits::default());
            for (device, traits) in odd {
                let oddities: Vec<&str> = traits.oddities().collect();
                println!("device {device} has a file system with {}", oddities.join(", "));
            }
        }
    }
    for line in &played.told {
        println!("{line}");
    }
    match &played.violation {
        Some(violation) => println!("{violation}"),
        None => println!("nothing is broken"),
    }
}

fn keep(cli: &Cli, record: &Record) -> Result<()> {
    if let (Some(name), Some(about)) = (&cli.keep, &cli.about) {
        let record = Record { about: about.clone(), ..record.clone() };
        println!("kept as {}", place::show(&place::write(&place::kept(), name, &record)?));
    }
    Ok(())
}

fn verdict(played: &Played) -> Verdict {
    if played.violation.is_some() { Verdict::Wrong } else { Verdict::Well }
}
