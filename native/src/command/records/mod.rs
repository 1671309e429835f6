//! `syncline records …`.

mod init;
mod sync;
mod tell;

use super::args::RecordsCommand;
use super::output::Output;
use super::{exit_code, logs};

/// Runs the command; its exit code comes back.
pub(crate) fn run(command: &RecordsCommand) -> u8 {
    let (json, verbose) = match command {
        RecordsCommand::Sync(args) => (args.json, args.verbose),
        RecordsCommand::Init { json, .. }
        | RecordsCommand::Deinit { json, .. }
        | RecordsCommand::Status { json, .. }
        | RecordsCommand::Show { json, .. }
        | RecordsCommand::Log { json, .. } => (*json, false),
    };
    logs::start(verbose);
    let output = Output::new(json, false);
    let ended = match command {
        RecordsCommand::Sync(args) => return sync::run(args),
        RecordsCommand::Init { db, shared, owned, set, config, .. } => {
            init::init(&output, db, &init::Wanted { shared, owned, set, config: config.as_deref() })
        }
        RecordsCommand::Deinit { db, .. } => init::deinit(&output, db),
        RecordsCommand::Status { db, .. } => tell::status(&output, db),
        RecordsCommand::Show { db, table, key, .. } => tell::show(&output, db, table, key.as_deref()),
        RecordsCommand::Log { db, table, .. } => tell::log(&output, db, table.as_deref()),
    };
    ended.unwrap_or_else(|error| {
        output.error(&error);
        exit_code(&error)
    })
}
