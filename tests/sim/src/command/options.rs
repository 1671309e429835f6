//! What can be asked for.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Parser;
use syncline_core::planted::Planted;
use syncline_sim::mode::crashes::Moment;
use syncline_sim::story::{Kind, Swarm};
use syncline_sim::{Genre, Invariant};

/// Lets groups of devices live through drawn stories of people and troubles, and checks that nothing is ever lost.
///
/// Exit status: 0 if all is well, 1 if a promise is broken, a planted fault lives or a kind of thing never happened, 2 if
/// it was asked for what does not exist.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask sim", bin_name = "cargo xtask sim", version = None)]
pub struct Cli {
    /// How many stories to play; with --mutants, how many at most for each fault.
    #[arg(long, default_value_t = 2_000)]
    pub runs: u64,
    /// The seed of the first run; the others follow it. Drawn and printed if none is given.
    #[arg(long)]
    pub seed: Option<u64>,
    /// How many stories to play at once; as many as there are cores if none is given.
    #[arg(long)]
    pub jobs: Option<NonZeroUsize>,
    /// How many acts each story has.
    #[arg(long, default_value_t = 200)]
    pub acts: u16,
    /// Play stories of message folders instead of file trees.
    #[arg(long, conflicts_with_all = ["crashes", "exhaustive"])]
    pub folders: bool,
    /// Play stories of file trees that a message folder carries, beside links or in place of them.
    #[arg(long, conflicts_with_all = ["folders", "crashes", "exhaustive"])]
    pub carried: bool,
    /// Play stories of applications' rows.
    #[arg(long, conflicts_with_all = ["folders", "carried", "crashes", "exhaustive"])]
    pub records: bool,
    /// End with the first broken promise.
    #[arg(long)]
    pub first: bool,
    /// Do not check this promise, or leave this kind of act or trouble out of all stories (as named in the table of what
    /// happened; `Platforms` for file systems that differ). One promise, any number of kinds.
    #[arg(long, value_name = "INVARIANT|KIND", value_parser = left_out)]
    pub without: Vec<LeftOut>,
    /// Let this kind of act or trouble happen, which is left out otherwise: the engine cannot cope with it yet.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    pub with: Vec<Kind>,
    /// Plant this fault in every engine.
    #[arg(long, value_name = "FAULT", value_parser = fault, conflicts_with_all = ["mutants", "idle"])]
    pub plant: Option<Planted>,
    /// Plant each of these faults in turn, or all there are, and see after how many stories a promise breaks.
    #[arg(long, value_name = "FAULT", num_args = 0.., value_parser = fault)]
    pub mutants: Option<Vec<Planted>>,
    /// Then see for each promise whether a fault lives when it is not checked, as no check is idle.
    #[arg(long)]
    pub idle: bool,
    /// Write the tables of --mutants and --idle to this file.
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Print one JSON object at the end.
    #[arg(long)]
    pub json: bool,

    /// Play one scripted day with a crash at every moment, one at a time.
    #[arg(long, conflicts_with_all = ["mutants", "idle", "exhaustive"])]
    pub crashes: bool,
    /// With --crashes, only at this moment, as told by a broken promise.
    #[arg(long = "at", value_name = "MOMENT", requires = "crashes")]
    pub moment: Option<Moment>,
    /// Play every history of small worlds, with more and more acts.
    #[arg(long, conflicts_with_all = ["mutants", "idle"])]
    pub exhaustive: bool,
    /// With --exhaustive, how long.
    #[arg(long, default_value_t = 10, requires = "exhaustive")]
    pub minutes: u64,
    /// With --exhaustive, only this history, as told by a broken promise.
    #[arg(long, value_name = "MOVES", requires = "exhaustive")]
    pub history: Option<String>,
    /// How many devices it has.
    #[arg(long, requires = "history")]
    pub devices: Option<u8>,

    /// Print the seeds and the trace of each story that breaks nothing: a hash of all that its engines did. `cargo xtask sim
    /// --wasm` compares them with those of WebAssembly.
    #[arg(long, conflicts_with_all = ["mutants", "idle", "crashes", "exhaustive"])]
    pub traces: bool,

    /// Play the one story in this file and tell it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["workload", "schedule", "mutants", "idle"])]
    pub replay: Option<PathBuf>,
    /// Play the one story of this pair of seeds and tell it: what people do.
    #[arg(long, value_name = "SEED", requires = "schedule", conflicts_with_all = ["mutants", "idle"])]
    pub workload: Option<u64>,
    /// What befalls them.
    #[arg(long, value_name = "SEED", requires = "workload")]
    pub schedule: Option<u64>,
    /// Tell every piece of work that the devices did, too.
    #[arg(long)]
    pub detail: bool,
    /// Tell a failing story of a pair of seeds as it was drawn, instead of making it small first.
    #[arg(long, requires = "workload")]
    pub whole: bool,
    /// Keep the story under this name, to be played in every test from now on.
    #[arg(long, value_name = "NAME", requires = "about", value_parser = file_name)]
    pub keep: Option<String>,
    /// What the kept story shows, in a line.
    #[arg(long, requires = "keep")]
    pub about: Option<String>,
    /// Do not play the kept stories before the drawn ones.
    #[arg(long)]
    pub fresh: bool,
}

impl Cli {
    /// Which kind of stories to play.
    pub fn genre(&self) -> Genre {
        match () {
            () if self.folders => Genre::Folders,
            () if self.carried => Genre::Carried,
            () if self.records => Genre::Records,
            () => Genre::Trees,
        }
    }

    /// Whether planted faults shall be found.
    pub fn asks_for_mutants(&self) -> bool {
        self.mutants.is_some() || self.idle
    }

    /// The faults to plant.
    pub fn mutants(&self) -> &[Planted] {
        self.mutants.as_deref().filter(|faults| !faults.is_empty()).unwrap_or(Planted::ALL)
    }

    /// The promise that is not checked.
    ///
    /// # Errors
    /// There are two.
    pub fn ignored(&self) -> Result<Option<Invariant>> {
        let promises = self.without.iter().filter_map(|left| match left {
            LeftOut::Promise(invariant) => Some(*invariant),
            LeftOut::Kind(_) => None,
        });
        let mut promises = promises.fuse();
        let first = promises.next();
        ensure!(promises.next().is_none(), "expected at most one promise that is not checked, found two");
        Ok(first)
    }

    /// What stories may hold.
    pub fn swarm(&self) -> Swarm {
        let swarm = self.with.iter().fold(Swarm::default(), |swarm, kind| swarm.with(*kind));
        self.without.iter().fold(swarm, |swarm, left| match left {
            LeftOut::Kind(kind) => swarm.without(*kind),
            LeftOut::Promise(_) => swarm,
        })
    }

    /// What else decides how a story is drawn and played, as flags of another command.
    pub fn same_options(&self) -> String {
        let folders = self.folders.then(|| " --folders".to_owned());
        let carried = self.carried.then(|| " --carried".to_owned());
        let records = self.records.then(|| " --records".to_owned());
        let plant = self.plant.map(|fault| format!(" --plant {}", fault.name()));
        let without = self.without.iter().map(|left| match left {
            LeftOut::Promise(invariant) => format!(" --without {}", invariant.name()),
            LeftOut::Kind(kind) => format!(" --without {}", kind.name()),
        });
        let with = self.with.iter().map(|kind| format!(" --with {}", kind.name()));
        folders.into_iter().chain(carried).chain(records).chain(plant).chain(without).chain(with).collect()
    }
}

fn left_out(name: &str) -> Result<LeftOut, String> {
    let promise = || Invariant::from_name(name).map(LeftOut::Promise);
    let names = || Invariant::ALL.map(Invariant::name).join(", ");
    let expected = || format!("expected a kind of act or trouble, or one of {}", names());
    Kind::from_name(name).map(LeftOut::Kind).or_else(promise).ok_or_else(expected)
}

fn kind(name: &str) -> Result<Kind, String> {
    Kind::from_name(name)
        .ok_or_else(|| "expected a kind of act or trouble, as in the table of what happened".to_owned())
}

fn fault(name: &str) -> Result<Planted, String> {
    let names = || Planted::ALL.iter().map(|fault| fault.name()).collect::<Vec<_>>().join(", ");
    Planted::from_name(name).ok_or_else(|| format!("expected one of {}", names()))
}

fn file_name(name: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match !name.is_empty() && name.chars().all(fits) {
        true => Ok(name.to_owned()),
        false => Err("expected lower-case letters, digits and hyphens".to_owned()),
    }
}

/// What `--without` leaves out.
#[derive(Debug, Clone, Copy)]
pub enum LeftOut {
    /// The check of a promise.
    Promise(Invariant),
    /// A kind of thing.
    Kind(Kind),
}
