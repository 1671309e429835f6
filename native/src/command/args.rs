//! Arguments.

use std::path::PathBuf;

use clap::Parser;
use clap_complete::Shell;

/// Keeps folders in agreement.
#[derive(Debug, Parser)]
#[command(name = "syncline", version, about, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) subcommand: Subcommand,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Subcommand {
    /// Keep two folders in agreement
    Sync(SyncArgs),
    /// Tell how a folder stands
    Status(StatusArgs),
    /// Print a script that completes this command's arguments
    Completions {
        /// For which shell
        shell: Shell,
    },
}

/// `syncline sync`
#[derive(Debug, clap::Args)]
pub(crate) struct SyncArgs {
    /// One folder
    pub(crate) a: PathBuf,
    /// The other folder; made if it is not there and its parent is
    pub(crate) b: PathBuf,
    /// End when both agree, instead of watching until Ctrl-C
    #[arg(long)]
    pub(crate) once: bool,
    /// Show what would be done and write nothing at all
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Go on with deletions however many there are, also where a folder was emptied
    #[arg(long, conflicts_with = "refill")]
    pub(crate) allow_deletions: bool,
    /// Bring everything back into a folder that was emptied, and what held deletions had removed
    #[arg(long)]
    pub(crate) refill: bool,
    /// Print errors only
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print each change, and more for a developer with SYNCLINE_LOG
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// `syncline status`
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// The folder
    pub(crate) root: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        Args::command().debug_assert();
    }
}
