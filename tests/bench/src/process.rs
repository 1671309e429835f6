//! Runs commands and measures their whole process tree.

use std::collections::BTreeMap;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// How often the memory of the tree is looked at. Each process's own peak is kept by the system, so that only what a
/// process took in its last moments is missed.
const SAMPLE: Duration = Duration::from_millis(5);

/// What a command cost, with all processes that it started.
#[derive(Clone, Copy)]
pub struct Cost {
    /// From start to end.
    pub wall_s: f64,
    /// User and system time.
    pub cpu_s: f64,
    /// The processes' peaks added up. Shared pages count more than once.
    pub memory_mb: f64,
}

/// Runs a command to its end, its output thrown away, and tells what it cost.
///
/// # Errors
/// It does not start or does not end with success; what it said last is in the error.
pub fn measure(command: &mut Command) -> Result<Cost> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let cpu_before = children_cpu_s()?;
    let start = Instant::now();
    let mut child = command.spawn().with_context(|| format!("{command:?} does not start"))?;
    let ended = AtomicBool::new(false);
    let (pid, over) = (child.id(), &ended);
    let (status, wall_s, memory_mb, said) = thread::scope(|scope| {
        let sampler = scope.spawn(move || sample(pid, over));
        let outcome = wait(&mut child);
        let wall_s = start.elapsed().as_secs_f64();
        over.store(true, Ordering::Relaxed);
        let memory_mb = sampler.join().expect("the sampler does not panic");
        outcome.map(|(status, said)| (status, wall_s, memory_mb, said))
    })?;
    if !status.success() {
        bail!("{command:?} ended with {status}: {}", said.trim());
    }
    Ok(Cost { wall_s, cpu_s: children_cpu_s()? - cpu_before, memory_mb })
}

/// Waits for the end, reading what the command says so that it never has to wait for us.
fn wait(child: &mut Child) -> Result<(ExitStatus, String)> {
    let said = match child.stderr.take() {
        Some(stderr) => std::io::read_to_string(stderr)?,
        None => String::new(),
    };
    Ok((child.wait()?, said))
}

/// User and system time of all processes started from here that have ended.
fn children_cpu_s() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("the system tells no times")?;
    Ok((usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6)
}

/// The sum of the peaks of a process and its descendants, in MB.
fn sample(root: u32, ended: &AtomicBool) -> f64 {
    let mut peaks = BTreeMap::new();
    while !ended.load(Ordering::Relaxed) {
        if let Ok(root) = i32::try_from(root) {
            look_at(root, &mut peaks);
        }
        thread::sleep(SAMPLE);
    }
    peaks.values().map(|kibibytes: &u64| *kibibytes as f64 * 1024.0 / 1e6).sum()
}

/// Notes the peaks of a process and its descendants. One that ends meanwhile is passed over.
fn look_at(pid: i32, peaks: &mut BTreeMap<i32, u64>) {
    let Ok(process) = procfs::process::Process::new(pid) else { return };
    if let Some(peak) = process.status().ok().and_then(|status| status.vmhwm) {
        peaks.insert(pid, peak);
    }
    for task in process.tasks().into_iter().flatten().flatten() {
        for child in task.children().unwrap_or_default() {
            look_at(i32::try_from(child).unwrap_or_default(), peaks);
        }
    }
}
