//! Looking at single paths.

use syncline_core::api::{Failure, Outcome, ProbeResult, Stat};

use super::Disk;
use super::failure::failure;
use super::stat::stat_at;
use super::tree::Directories;

impl Disk {
    /// Tells what stands at each path.
    pub(crate) fn probe(&self, paths: &[String]) -> Outcome {
        let mut directories = Directories::new(&self.tree);
        let results = paths
            .iter()
            .map(|path| match look(&mut directories, path) {
                Ok(stat) => ProbeResult::Present { stat },
                Err(failure) => ProbeResult::Failed { failure },
            })
            .collect();
        Outcome::Probed { results, marker: self.marker() }
    }
}

fn look(directories: &mut Directories<'_>, path: &str) -> Result<Stat, Failure> {
    let (directory, name) = directories.parent(path, failure)?;
    stat_at(&directory, name).map_err(failure)
}
