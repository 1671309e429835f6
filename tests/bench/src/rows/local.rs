//! Rows `local-small` and `local-big`: the whole command, from one folder into an empty one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::data::{self, Place};
use crate::measure::{Comparison, Runs, Target};
use crate::process::{self, Cost};
use crate::report::RowReporter;

/// A name for people, rsync's arguments, the target for wall time.
type Peer = (&'static str, &'static [&'static str], Target);

/// Runs of each side where there is no target: a disk can take a minute for one.
const DISK_RUNS: Runs = Runs(3);

/// 10,000 files of 4 KiB.
pub fn small(runs: Runs, report: &mut RowReporter<'_>) -> Result<()> {
    run(data::write_small, runs, report)
}

/// One file of 1 GiB.
pub fn big(runs: Runs, report: &mut RowReporter<'_>) -> Result<()> {
    run(data::write_big, runs, report)
}

fn run(write: fn(&Path) -> Result<()>, runs: Runs, report: &mut RowReporter<'_>) -> Result<()> {
    let syncline = build()?;
    if install_rsync()? {
        report.note("rsync was missing and has been installed");
    }
    for place in Place::all()? {
        // The target is for memory, where no disk's moods count; the others are told beside it. There, rsync that
        // syncs each file before its rename is the like of what syncline promises.
        let (runs, peers): (Runs, &[Peer]) = if place.kind == "tmpfs" {
            (runs, &[("rsync -a", &["-a"], Target::AtMost(0.8))])
        } else {
            (DISK_RUNS, &[("rsync -a", &["-a"], Target::None), ("rsync -a --fsync", &["-a", "--fsync"], Target::None)])
        };
        for (name, arguments, target) in peers {
            let folders = Folders::write(&place, write)?;
            let (ours, theirs) = folders.in_turn(runs, &syncline, arguments)?;
            tell(report, &format!("{name} on {}", place.kind), *target, &ours, &theirs);
        }
    }
    Ok(())
}

/// The four folders of a measurement. Ours and the peer's sources are two, for we leave our state in ours.
struct Folders {
    ours: PathBuf,
    ours_copy: PathBuf,
    theirs: PathBuf,
    theirs_copy: PathBuf,
}

impl Folders {
    fn write(place: &Place, write: fn(&Path) -> Result<()>) -> Result<Folders> {
        let [ours, ours_copy, theirs, theirs_copy] =
            ["ours", "ours-copy", "theirs", "theirs-copy"].map(|name| place.path(name));
        for source in [&ours, &theirs] {
            remove(source)?;
            write(source)?;
        }
        Ok(Folders { ours, ours_copy, theirs, theirs_copy })
    }

    fn in_turn(&self, runs: Runs, syncline: &Path, rsync: &[&str]) -> Result<(Vec<Cost>, Vec<Cost>)> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        self.our_run(syncline)?;
        ensure!(data::equal(&self.ours, &self.ours_copy)?, "after `syncline sync` the two folders differ");
        self.their_run(rsync)?;
        ensure!(data::equal(&self.theirs, &self.theirs_copy)?, "after rsync the two folders differ");
        for run in 0..runs.0 {
            if run % 2 == 0 {
                ours.push(self.our_run(syncline)?);
                theirs.push(self.their_run(rsync)?);
            } else {
                theirs.push(self.their_run(rsync)?);
                ours.push(self.our_run(syncline)?);
            }
        }
        for path in [&self.ours_copy, &self.theirs_copy] {
            remove(path)?;
        }
        Ok((ours, theirs))
    }

    /// What earlier runs left to be written is written before the next one's time counts.
    fn settle(&self) -> Result<()> {
        let directory = fs::File::open(&self.ours)?;
        nix::unistd::syncfs(directory).context("the file system cannot be synced")
    }

    /// A first sync: neither folder remembers anything.
    fn our_run(&self, syncline: &Path) -> Result<Cost> {
        remove(&self.ours.join(".syncline"))?;
        remove(&self.ours_copy)?;
        fs::create_dir(&self.ours_copy)?;
        self.settle()?;
        process::measure(Command::new(syncline).arg("sync").args([&self.ours, &self.ours_copy]).arg("--once"))
    }

    fn their_run(&self, arguments: &[&str]) -> Result<Cost> {
        remove(&self.theirs_copy)?;
        fs::create_dir(&self.theirs_copy)?;
        self.settle()?;
        let mut source = self.theirs.clone().into_os_string();
        source.push("/");
        process::measure(Command::new("rsync").args(arguments).arg(source).arg(&self.theirs_copy))
    }
}

fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", directory.display()))
        }
        _ => Ok(()),
    }
}

fn tell(report: &mut RowReporter<'_>, peer: &str, target: Target, ours: &[Cost], theirs: &[Cost]) {
    type Quantity = (&'static str, &'static str, fn(&Cost) -> f64);
    let quantities: [Quantity; 3] = [
        ("wall", "s", |cost| cost.wall_s),
        ("CPU of all processes", "s", |cost| cost.cpu_s),
        ("peak memory of all processes", "MB", |cost| cost.memory_mb),
    ];
    for (what, unit, value) in quantities {
        report.tell(&Comparison {
            what: what.to_owned(),
            peer: peer.to_owned(),
            unit,
            ours: ours.iter().map(value).collect(),
            theirs: theirs.iter().map(value).collect(),
            target: if unit == "s" && what == "wall" { target } else { Target::None },
        });
    }
}

/// Builds the command as it is shipped and tells where it is.
fn build() -> Result<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(&workspace)
        .args(["build", "--release", "-p", "syncline", "--bin", "syncline", "--message-format", "json"])
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cargo does not start")?;
    ensure!(output.status.success(), "the command does not build: cargo ended with {}", output.status);
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        if let Some(executable) = message["executable"].as_str() {
            return Ok(executable.into());
        }
    }
    bail!("cargo built no executable of the package `syncline`");
}

/// Installs rsync where it is missing, and tells whether it had to.
fn install_rsync() -> Result<bool> {
    let there = || Command::new("rsync").arg("--version").output().is_ok_and(|output| output.status.success());
    if there() {
        return Ok(false);
    }
    let status =
        Command::new("apt-get").args(["install", "-y", "-q", "rsync"]).stdout(std::process::Stdio::null()).status();
    ensure!(
        status.is_ok_and(|status| status.success()) && there(),
        "rsync is missing and `apt-get install rsync` failed; install it and try again"
    );
    Ok(true)
}
