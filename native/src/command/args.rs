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
    /// Send and read messages through a folder that something else carries: Dropbox, Syncthing, a USB stick
    ///
    /// One member begins a session with `init`; every other joins by itself, with whatever it does first. Each device keeps
    /// its own state outside the folder. To chat: `syncline messages follow FOLDER` in one terminal, `syncline messages post
    /// FOLDER hello` in another.
    #[command(subcommand)]
    Messages(MessagesCommand),
    /// Keep tables of SQLite databases in agreement, between devices and programs
    ///
    /// `syncline records init A.db --shared albums tags` says which tables; then `syncline records sync A.db B.db` brings
    /// another database on this machine into agreement, and `syncline records sync A.db --via FOLDER` those of all who use
    /// that folder, which something else carries.
    #[command(subcommand)]
    Records(RecordsCommand),
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
    #[arg(required_unless_present = "via", conflicts_with = "via")]
    pub(crate) b: Option<PathBuf>,
    /// Keep the first folder in sync with whoever else uses this message folder, which something else carries
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["dry_run", "refill"])]
    pub(crate) via: Option<PathBuf>,
    /// The key of a sealed message folder: 64 hexadecimal digits in a file
    #[arg(long, value_name = "F", requires = "via")]
    pub(crate) key_file: Option<PathBuf>,
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

/// `syncline messages …`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum MessagesCommand {
    /// Begin a session in a folder, or join the one that is there
    Init {
        #[command(flatten)]
        place: MessagesPlace,
        /// Seal the messages with a group key, which is made unless --key-file has one
        #[arg(long)]
        sealed: bool,
    },
    /// Send a message
    Post {
        #[command(flatten)]
        place: MessagesPlace,
        /// What it says; standard input, whole, if neither this nor --file is given
        text: Option<String>,
        /// Send what this file holds
        #[arg(long, conflicts_with = "text")]
        file: Option<PathBuf>,
    },
    /// Print all messages in their total order, the same for every member
    Read {
        #[command(flatten)]
        place: MessagesPlace,
        /// Only those that came behind this number
        #[arg(long, value_name = "SEQUENCE")]
        after: Option<u64>,
    },
    /// Print messages as they come, each once, until Ctrl-C
    Follow {
        #[command(flatten)]
        place: MessagesPlace,
        /// As they arrive, or in total order: each when nothing can come before it any more
        #[arg(long, value_enum, default_value_t = FollowOrder::Arrival)]
        order: FollowOrder,
    },
    /// Tell who takes part and what is missing
    Status {
        #[command(flatten)]
        place: MessagesPlace,
    },
}

/// Which messages, with which state.
#[derive(Debug, clap::Args)]
pub(crate) struct MessagesPlace {
    /// The shared folder
    pub(crate) folder: PathBuf,
    /// Keep this device's state here, not in the user's own directory for state
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// The key of a sealed session: 64 hexadecimal digits in a file
    #[arg(long, value_name = "F")]
    pub(crate) key_file: Option<PathBuf>,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// `syncline records …`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum RecordsCommand {
    /// Keep tables in agreement: adds triggers that note what is changed, and tables named `syncline_*`
    Init {
        /// The database
        db: PathBuf,
        /// Tables that every member writes, merged column by column
        #[arg(long, value_name = "TABLE", num_args = 1..)]
        shared: Vec<String>,
        /// Tables of whose rows each is written only by the device that made it
        #[arg(long, value_name = "TABLE", num_args = 1..)]
        owned: Vec<String>,
        /// Tables to which every member adds rows that are never changed or deleted
        #[arg(long, value_name = "TABLE", num_args = 1..)]
        set: Vec<String>,
        /// Tables and their rules, in TOML: `[tables.albums]` with `kind`, `merge` and `delete`
        #[arg(long, value_name = "F.toml")]
        config: Option<PathBuf>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Take all of Syncline out of a database; its rows stay
    Deinit {
        /// The database
        db: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Bring databases into agreement, and keep them so
    Sync(RecordsSyncArgs),
    /// Tell who takes part, what waits and what is wrong
    Status {
        /// The database
        db: PathBuf,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Print rows with who wrote each value and when
    Show {
        /// The database
        db: PathBuf,
        /// The table
        table: String,
        /// The row with this key; all rows if none is given
        key: Option<String>,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Print the operations that made the rows
    Log {
        /// The database
        db: PathBuf,
        /// The table; all tables if none is given
        table: Option<String>,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
}

/// `syncline records sync`
#[derive(Debug, clap::Args)]
pub(crate) struct RecordsSyncArgs {
    /// One database
    pub(crate) db: PathBuf,
    /// The other one; made with the first one's tables if it is not there or empty
    #[arg(required_unless_present = "via", conflicts_with = "via")]
    pub(crate) db2: Option<PathBuf>,
    /// Bring the database into agreement with those of all who use this message folder, which something else carries
    #[arg(long, value_name = "FOLDER")]
    pub(crate) via: Option<PathBuf>,
    /// The key of a sealed message folder: 64 hexadecimal digits in a file
    #[arg(long, value_name = "F", requires = "via")]
    pub(crate) key_file: Option<PathBuf>,
    /// End when all agree, instead of following what is written until Ctrl-C
    #[arg(long)]
    pub(crate) once: bool,
    /// Show what would be done and write nothing at all
    #[arg(long, conflicts_with = "via")]
    pub(crate) dry_run: bool,
    /// Print one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Print errors only
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print each row, and more for a developer with SYNCLINE_LOG
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// In which order messages are printed as they come.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum FollowOrder {
    /// As they arrive
    Arrival,
    /// In total order
    Total,
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
