//! What can go wrong in the host, told so that a person can act on it.

use std::io;
use std::path::{Path, PathBuf};

use syncline_core::api::GroupId;
use syncline_core::folder::InfoError;

use crate::sqlite::Unfit;

/// An error of the host: what was tried, on what, why it failed and what to do.
///
/// Paths are shown as they are; whoever prints them escapes control characters ([`escape()`](crate::escape())).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Both folders are the same one.
    #[error("`{}` and `{}` are the same folder; give two different ones", first.display(), second.display())]
    SameFolder {
        /// As it was given first.
        first: PathBuf,
        /// As it was given second.
        second: PathBuf,
    },
    /// One folder lies in the other.
    #[error("`{}` lies inside `{}`; give two folders that do not contain each other", inner.display(), outer.display())]
    Nested {
        /// The one inside.
        inner: PathBuf,
        /// The one around it.
        outer: PathBuf,
    },
    /// The root of the file system was given.
    #[error("`{}` is the root of the file system and cannot be kept in sync; give a folder in it", path.display())]
    FileSystemRoot {
        /// As it was given.
        path: PathBuf,
    },
    /// Something else than a folder stands there.
    #[error("`{}` is not a folder; give a folder, or move what is there away", path.display())]
    NotAFolder {
        /// As it was given.
        path: PathBuf,
    },
    /// The folder is not there, and must not be made.
    #[error("`{}` does not exist and was not created: {reason}", path.display())]
    MissingFolder {
        /// As it was given.
        path: PathBuf,
        /// Why it was not made, and what to do.
        reason: String,
    },
    /// The folders belong to different groups.
    #[error(
        "`{}` is in group {first_group} and `{}` in group {second_group}; folders of two groups cannot be brought \
         together (to let one join the other's group, remove its `.syncline` folder first)",
        first.display(), second.display()
    )]
    OtherGroup {
        /// The first folder.
        first: PathBuf,
        /// Its group.
        first_group: GroupId,
        /// The second folder.
        second: PathBuf,
        /// Its group.
        second_group: GroupId,
    },
    /// A folder is empty and without its marker, but the other one remembers it.
    #[error(
        "`{}` is empty and without Syncline's marker, but `{}` was kept in sync with it: it may be unmounted, emptied or \
         replaced, so nothing was done; use --refill to bring everything back into it, or --allow-deletions to delete \
         everything on the other side too",
        path.display(), remembered_by.display()
    )]
    Emptied {
        /// The empty folder.
        path: PathBuf,
        /// The folder that remembers it.
        remembered_by: PathBuf,
    },
    /// Another process has the root.
    #[error(
        "`{}` is in use by another syncline process{}; stop that one, or wait until it is done",
        path.display(), holder.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    Locked {
        /// The root.
        path: PathBuf,
        /// The process that has it, if it could be told.
        holder: Option<u32>,
    },
    /// The state was written by a newer Syncline.
    #[error(
        "the state in `{}` has format {found}, this syncline knows formats up to {known}; it was left untouched: use a \
         newer syncline",
        path.display()
    )]
    NewerFormat {
        /// The state's folder or file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest one known.
        known: u32,
    },
    /// The state makes no sense.
    #[error(
        "the state in `{}` is damaged: {detail}; remove the root's `.syncline` folder to start anew as a new replica \
         (files are kept, and united with the other side's)",
        path.display()
    )]
    Damaged {
        /// The state's folder or file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A folder that Syncline does not know.
    #[error("`{}` is not a Syncline root: it has no `.syncline` folder; make it one with `syncline sync`", path.display())]
    NotARoot {
        /// As it was given.
        path: PathBuf,
    },
    /// A folder that holds no session.
    #[error("`{}` holds no messages session yet; begin one with `syncline messages init`", path.display())]
    NoSession {
        /// As it was given.
        path: PathBuf,
    },
    /// A folder with messages and without the file that says whose they are.
    #[error(
        "`{}` holds messages of a session whose `info` is not here: it may still be arriving; wait until the folder is \
         complete, or move its `tempo-fs-session` away to begin another session",
        path.display()
    )]
    IncompleteSession {
        /// As it was given.
        path: PathBuf,
    },
    /// A folder whose session cannot be joined.
    #[error("the messages session in `{}` cannot be joined: {error}", path.display())]
    UnusableSession {
        /// As it was given.
        path: PathBuf,
        /// Why not.
        error: InfoError,
    },
    /// A folder that holds another session than this device took part in.
    #[error(
        "`{}` holds the messages session {found}, but this device took part in {expected} there: nothing was changed; bring \
         the old folder back, or give another state directory to join (the state of the old one is in `{}`)",
        path.display(), state.display()
    )]
    OtherSession {
        /// The shared folder.
        path: PathBuf,
        /// Its session.
        found: GroupId,
        /// The one that the state is of.
        expected: GroupId,
        /// The state's directory.
        state: PathBuf,
    },
    /// A file that holds no key.
    #[error("`{}` holds no key: expected 64 hexadecimal digits", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// A file that holds another key.
    #[error("`{}` holds another key; give another place for this one", path.display())]
    OtherKey {
        /// The file.
        path: PathBuf,
    },
    /// A message that no folder takes.
    #[error("expected a message of at most {limit} bytes, found {found}; send a shorter one, or share it as a file")]
    MessageTooLong {
        /// How many bytes it has.
        found: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// The operating system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The store refused.
    #[error("cannot {action} the store `{}`: {detail}", path.display())]
    Store {
        /// What was tried.
        action: &'static str,
        /// The store's file.
        path: PathBuf,
        /// Why it failed.
        detail: String,
    },
    /// A database that is not there.
    #[error("there is no database at `{}`; give one that exists, or let its application create it first", path.display())]
    MissingDatabase {
        /// As it was given.
        path: PathBuf,
    },
    /// A database in which nothing is kept in agreement.
    #[error(
        "no tables are kept in agreement in `{}`; say which with `syncline records init {} --shared TABLE…`",
        path.display(), path.display()
    )]
    UnpreparedDatabase {
        /// As it was given.
        path: PathBuf,
    },
    /// A table that is not kept in agreement.
    #[error("the table `{table}` of `{}` is not kept in agreement; `syncline records status` tells which are", path.display())]
    UnknownTable {
        /// The database.
        path: PathBuf,
        /// The table.
        table: String,
    },
    /// A row that is to be changed and is not there.
    #[error("the table `{table}` of `{}` has no row {key}; create it first", path.display())]
    MissingRow {
        /// The database.
        path: PathBuf,
        /// The table.
        table: String,
        /// The row's key, like literals of SQL.
        key: String,
    },
    /// A key of more or fewer values than the table's.
    #[error(
        "a row of the table `{table}` of `{}` is named by its {}, which {key} does not do; give one value for each",
        path.display(), columns.join(", ")
    )]
    UnfitKey {
        /// The database.
        path: PathBuf,
        /// The table.
        table: String,
        /// The key as it was given, like literals of SQL.
        key: String,
        /// The columns of the table's key.
        columns: Vec<String>,
    },
    /// A table does not take what is written: a constraint forbids it, or it has no such column.
    #[error("the table `{table}` of `{}` did not take the row: {detail}", path.display())]
    RefusedRow {
        /// The database.
        path: PathBuf,
        /// The table.
        table: String,
        /// Why not.
        detail: String,
    },
    /// A value of the program that is no row.
    #[error("expected a row of the table `{table}` of `{}`, a value for each column by name: {detail}", path.display())]
    UnfitValue {
        /// The database.
        path: PathBuf,
        /// The table.
        table: String,
        /// What was found.
        detail: String,
    },
    /// A row that is no value of the program's type.
    #[error("the row {key} of the table `{table}` of `{}` is not of the expected type: {detail}", path.display())]
    UnfitRow {
        /// The database.
        path: PathBuf,
        /// The table.
        table: String,
        /// The row's key, like literals of SQL.
        key: String,
        /// What was expected and found.
        detail: String,
    },
    /// The same database twice.
    #[error("`{}` was given twice; give two different databases", path.display())]
    SameDatabase {
        /// As it was given.
        path: PathBuf,
    },
    /// A file that is no database.
    #[error("`{}` is no SQLite database, or is encrypted; give the file of one", path.display())]
    NotADatabase {
        /// As it was given.
        path: PathBuf,
    },
    /// Another program holds a database's lock.
    #[error(
        "another program is using `{}` and did not let go of it within ten seconds; try again when it is done with its \
         transaction",
        path.display()
    )]
    DatabaseBusy {
        /// The database.
        path: PathBuf,
    },
    /// A table that cannot be kept in agreement.
    #[error("the table `{table}` of `{}` cannot be kept in agreement: {reason}", path.display())]
    UnfitTable {
        /// The database.
        path: PathBuf,
        /// The table.
        table: String,
        /// Why not, and what to do instead.
        reason: Unfit,
    },
    /// A file of tables that says something else.
    #[error("the file of tables cannot be used: {detail}")]
    TablesFile {
        /// What was expected and found.
        detail: String,
    },
    /// What Syncline keeps in a database makes no sense.
    #[error(
        "what Syncline keeps in `{}` is damaged: {detail}; bring a backup back, or begin anew with `syncline records deinit` \
         and `init` (rows are kept, and united with the others')",
        path.display()
    )]
    DamagedRecords {
        /// The database.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A database refused.
    #[error("cannot {action} the database `{}`: {detail}", path.display())]
    Database {
        /// What was tried.
        action: &'static str,
        /// The database.
        path: PathBuf,
        /// Why it failed.
        detail: String,
    },
    /// Anything else that ends a run.
    #[error("{what}")]
    Failed {
        /// What was tried, why it failed and what to do.
        what: String,
    },
}

/// What an error means to whoever started the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The run failed.
    Failure,
    /// What was asked for makes no sense.
    Usage,
    /// A person has to decide.
    Decision,
}

impl Error {
    /// An error of the operating system.
    pub fn io(action: &'static str, path: impl AsRef<Path>, source: impl Into<io::Error>) -> Self {
        Error::Io { action, path: path.as_ref().to_path_buf(), source: source.into() }
    }

    /// What it means.
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::SameFolder { .. }
            | Error::Nested { .. }
            | Error::FileSystemRoot { .. }
            | Error::NotAFolder { .. }
            | Error::MissingFolder { .. }
            | Error::NotARoot { .. }
            | Error::NoSession { .. }
            | Error::MessageTooLong { .. }
            | Error::NotAKey { .. }
            | Error::OtherKey { .. }
            | Error::MissingDatabase { .. }
            | Error::UnpreparedDatabase { .. }
            | Error::SameDatabase { .. }
            | Error::UnknownTable { .. }
            | Error::NotADatabase { .. }
            | Error::UnfitTable { .. }
            | Error::TablesFile { .. }
            | Error::OtherGroup { .. } => ErrorClass::Usage,
            Error::Emptied { .. } => ErrorClass::Decision,
            _ => ErrorClass::Failure,
        }
    }

    /// A short name that stays the same, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Error::SameFolder { .. } => "same_folder",
            Error::Nested { .. } => "nested",
            Error::FileSystemRoot { .. } => "file_system_root",
            Error::NotAFolder { .. } => "not_a_folder",
            Error::MissingFolder { .. } => "missing_folder",
            Error::OtherGroup { .. } => "other_group",
            Error::Emptied { .. } => "emptied",
            Error::Locked { .. } => "locked",
            Error::NewerFormat { .. } => "newer_format",
            Error::Damaged { .. } => "damaged",
            Error::NotARoot { .. } => "not_a_root",
            Error::NoSession { .. } => "no_session",
            Error::IncompleteSession { .. } => "incomplete_session",
            Error::UnusableSession { .. } => "unusable_session",
            Error::OtherSession { .. } => "other_session",
            Error::NotAKey { .. } => "not_a_key",
            Error::OtherKey { .. } => "other_key",
            Error::MessageTooLong { .. } => "message_too_long",
            Error::Io { .. } => "io",
            Error::Store { .. } => "store",
            Error::MissingDatabase { .. } => "missing_database",
            Error::UnpreparedDatabase { .. } => "unprepared_database",
            Error::SameDatabase { .. } => "same_database",
            Error::UnknownTable { .. } => "unknown_table",
            Error::MissingRow { .. } => "missing_row",
            Error::UnfitKey { .. } => "unfit_key",
            Error::RefusedRow { .. } => "refused_row",
            Error::UnfitValue { .. } => "unfit_value",
            Error::UnfitRow { .. } => "unfit_row",
            Error::NotADatabase { .. } => "not_a_database",
            Error::DatabaseBusy { .. } => "database_busy",
            Error::UnfitTable { .. } => "unfit_table",
            Error::TablesFile { .. } => "tables_file",
            Error::DamagedRecords { .. } => "damaged_records",
            Error::Database { .. } => "database",
            Error::Failed { .. } => "failed",
        }
    }

    /// What it is about, if it is about one path.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Error::FileSystemRoot { path }
            | Error::NotAFolder { path }
            | Error::MissingFolder { path, .. }
            | Error::Emptied { path, .. }
            | Error::Locked { path, .. }
            | Error::NewerFormat { path, .. }
            | Error::Damaged { path, .. }
            | Error::NotARoot { path }
            | Error::NoSession { path }
            | Error::IncompleteSession { path }
            | Error::NotAKey { path }
            | Error::OtherKey { path }
            | Error::UnusableSession { path, .. }
            | Error::OtherSession { path, .. }
            | Error::MissingDatabase { path }
            | Error::UnpreparedDatabase { path }
            | Error::SameDatabase { path }
            | Error::UnknownTable { path, .. }
            | Error::MissingRow { path, .. }
            | Error::UnfitKey { path, .. }
            | Error::RefusedRow { path, .. }
            | Error::UnfitValue { path, .. }
            | Error::UnfitRow { path, .. }
            | Error::NotADatabase { path }
            | Error::DatabaseBusy { path }
            | Error::UnfitTable { path, .. }
            | Error::DamagedRecords { path, .. }
            | Error::Database { path, .. }
            | Error::Io { path, .. }
            | Error::Store { path, .. } => Some(path),
            Error::Nested { inner, .. } => Some(inner),
            Error::SameFolder { second, .. } | Error::OtherGroup { second, .. } => Some(second),
            Error::MessageTooLong { .. } | Error::TablesFile { .. } | Error::Failed { .. } => None,
        }
    }
}
