//! `cargo xtask fuzz`: runs the fuzzers of `tests/fuzz`, whose oracles lie in `tests/oracles`.
//!
//! What a fuzzer finds on the way stays in `target/fuzz`; `--keep` picks the few inputs of it that go into the repository.

mod stats;

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, Result, bail, ensure};

use self::stats::Stats;
use crate::shell::{capture, command, run};
use crate::{toolchain, workspace};

/// The longest input that is tried, in bytes: long enough for what oracles judge, short enough to be tried often.
const INPUT_BYTES_MAX: usize = 4096;

/// The most inputs that the repository keeps for a target.
const KEPT_MAX: usize = 100;

/// What to run, and how long.
#[derive(clap::Args)]
pub struct Options {
    /// Which targets; all if none is named.
    targets: Vec<String>,
    /// How long each target runs.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many targets run at once.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Replace each corpus of the repository by a few inputs that together reach all that any input reached.
    #[arg(long)]
    keep: bool,
}

/// Runs fuzzers and tells what they did.
///
/// # Errors
/// They do not build, or one found an input that breaks a promise.
pub fn fuzz(options: &Options) -> Result<()> {
    let known = targets()?;
    if let Some(unknown) = options.targets.iter().find(|target| !known.contains(target)) {
        bail!("expected a target out of {}, found `{unknown}`", known.join(", "));
    }
    let targets = if options.targets.is_empty() { known } else { options.targets.clone() };
    let folder = workspace::target().join("fuzz");
    build(&folder)?;
    let mut seeds = command("cargo", ["run", "--quiet", "--package", "syncline-oracles", "--example", "seeds", "--"]);
    seeds.arg(folder.join("seeds"));
    run(seeds)?;

    let fuzzers = targets.iter().map(|target| Fuzzer::new(target, &folder)).collect::<Result<Vec<_>>>()?;
    let findings = run_all(&fuzzers, options)?;
    if options.keep {
        fuzzers.iter().try_for_each(Fuzzer::keep)?;
    }
    ensure!(findings.is_empty(), "{} of {} targets broke a promise: {}", findings.len(), targets.len(), findings[0]);
    Ok(())
}

/// The fuzzers' own workspace.
fn sources() -> PathBuf {
    workspace::root().join("tests/fuzz")
}

fn targets() -> Result<Vec<String>> {
    let folder = sources().join("fuzz_targets");
    let mut targets = Vec::new();
    for file in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = file?.path();
        targets.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    targets.sort();
    Ok(targets)
}

/// Without a sanitizer for memory: the engine is free of `unsafe`, and without one several times as much is tried.
fn build(folder: &Path) -> Result<()> {
    toolchain::add_compiler("nightly")?;
    let mut cargo = command(toolchain::cargo_fuzz()?, ["build", "--sanitizer", "none", "--fuzz-dir"]);
    cargo.arg(sources()).arg("--target-dir").arg(folder.join("build")).env("RUSTUP_TOOLCHAIN", "nightly");
    run(cargo).context("the fuzzers do not build")
}

/// Runs the fuzzers, so many at once, and returns what they found.
fn run_all(fuzzers: &[Fuzzer], options: &Options) -> Result<Vec<String>> {
    println!("{}", Stats::HEADING);
    let waiting = Mutex::new(fuzzers.iter());
    let findings = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            loop {
                // The lock is let go before the fuzzer runs.
                let next = waiting.lock().map(|mut waiting| waiting.next()).unwrap_or_default();
                let Some(fuzzer) = next else { return Ok(()) };
                let finding = fuzzer.run(options.seconds)?;
                if let Ok(mut findings) = findings.lock() {
                    findings.extend(finding);
                }
            }
        };
        let workers: Vec<_> = (0..options.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| bail!("a worker panicked")))
    })?;
    Ok(findings.into_inner().unwrap_or_default())
}

/// One target and where its things are.
struct Fuzzer {
    target: String,
    program: PathBuf,
    /// Inputs of the repository, those to begin with, and those found so far.
    kept: PathBuf,
    seeds: PathBuf,
    found: PathBuf,
    artifacts: PathBuf,
    log: PathBuf,
}

impl Fuzzer {
    fn new(target: &str, folder: &Path) -> Result<Fuzzer> {
        let version = capture(command("rustup", ["run", "nightly", "rustc", "-vV"]))?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("expected rustc's host")?;
        let fuzzer = Fuzzer {
            target: target.to_owned(),
            program: folder.join("build").join(host).join("release").join(target),
            kept: sources().join("corpus").join(target),
            seeds: folder.join("seeds").join(target),
            found: folder.join("corpus").join(target),
            artifacts: folder.join("artifacts").join(target),
            log: folder.join(format!("{target}.log")),
        };
        for folder in [&fuzzer.kept, &fuzzer.found, &fuzzer.artifacts] {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        Ok(fuzzer)
    }

    /// Runs for so long, prints what came of it, and returns what it found.
    fn run(&self, seconds: u64) -> Result<Option<String>> {
        let before = count(&self.found)?;
        let mut fuzzer = self.command();
        fuzzer.arg(format!("-max_total_time={seconds}")).arg("-print_final_stats=1");
        fuzzer.arg(format!("-artifact_prefix={}/", self.artifacts.display()));
        fuzzer.args([&self.found, &self.kept, &self.seeds]);
        let status = fuzzer.status().with_context(|| format!("cannot start the fuzzer {}", self.target))?;
        let log = String::from_utf8_lossy(&fs::read(&self.log)?).into_owned();
        let stats = Stats::of(&log)?;
        println!("{}", stats.row(&self.target, count(&self.found)?.saturating_sub(before)));
        if status.success() {
            return Ok(None);
        }
        let why = stats.failure.unwrap_or_else(|| status.to_string());
        let Some(input) = stats.input else { bail!("the fuzzer {} failed: {why}", self.target) };
        println!("{}: {why}\n  found by  {input}\n  the log   {}", self.target, self.log.display());
        println!("  replay    {} {input}", self.program.display());
        println!("  keep it   cp {input} {}/ && cargo test -p syncline-oracles {}", self.kept.display(), self.target);
        Ok(Some(format!("{}: {why}", self.target)))
    }

    /// Replaces the repository's inputs by those to begin with and the fewest that reach what all reach, each code edge
    /// counted once.
    fn keep(&self) -> Result<()> {
        let chosen = self.found.with_extension("chosen");
        workspace::clear(&chosen)?;
        let mut fuzzer = self.command();
        fuzzer.args(["-set_cover_merge=1", "-use_counters=0"]).arg(&chosen);
        fuzzer.args([&self.kept, &self.seeds, &self.found]);
        let status = fuzzer.status().with_context(|| format!("cannot start the fuzzer {}", self.target))?;
        ensure!(status.success(), "the inputs of {} cannot be chosen: {}", self.target, self.log.display());
        let seeds = inputs(&self.seeds)?;
        let mut found = inputs(&chosen)?;
        found.retain(|(_, bytes)| seeds.iter().all(|(_, seed)| seed != bytes));
        found.sort_by_key(|(_, bytes)| bytes.len());
        // Of too many, every so many by length.
        let step = found.len().div_ceil(KEPT_MAX.saturating_sub(seeds.len()).max(1)).max(1);
        workspace::clear(&self.kept)?;
        for (name, bytes) in seeds.iter().chain(found.iter().step_by(step)) {
            if bytes.len() <= INPUT_BYTES_MAX {
                fs::write(self.kept.join(name), bytes)?;
            }
        }
        println!("{}: {} inputs kept", self.target, count(&self.kept)?);
        Ok(())
    }

    /// The fuzzer with limits, its output in the log.
    fn command(&self) -> Command {
        let mut fuzzer = command(&self.program, [format!("-max_len={INPUT_BYTES_MAX}")]);
        fuzzer.args(["-len_control=0", "-timeout=25", "-rss_limit_mb=2048"]);
        if let Ok((out, log)) = File::create(&self.log).and_then(|log| Ok((log.try_clone()?, log))) {
            fuzzer.stdout(out).stderr(log);
        }
        fuzzer
    }
}

/// Files of a folder: names and what they hold.
fn inputs(folder: &Path) -> Result<Vec<(OsString, Vec<u8>)>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    entries
        .map(|entry| entry.and_then(|entry| Ok((entry.file_name(), fs::read(entry.path())?))).map_err(Into::into))
        .collect()
}

fn count(folder: &Path) -> Result<u64> {
    Ok(u64::try_from(inputs(folder)?.len())?)
}
