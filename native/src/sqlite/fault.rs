//! What goes wrong with a database, before it is told with the database's name.

use std::path::Path;

use rusqlite::ErrorCode;

use super::schema::Unfit;
use crate::Error;

/// What went wrong.
#[derive(Debug)]
pub(super) enum Fault {
    /// SQLite refused.
    Sql(rusqlite::Error),
    /// A table cannot be kept in agreement.
    Unfit(String, Unfit),
    /// What Syncline keeps in the database makes no sense.
    Damaged(String),
    /// It is told already.
    Told(Error),
}

/// What may go wrong.
pub(super) type Tried<T> = Result<T, Fault>;

/// Whether an error is about the row that was to be written; else the database itself cannot be written.
pub(super) fn is_about_row(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqlInputError { .. } => true,
        // `Unknown` is SQLite's general error, as where there is no such column, or where a trigger of the application calls a
        // function that is not here.
        rusqlite::Error::SqliteFailure(code, _) => matches!(
            code.code,
            ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig | ErrorCode::Unknown
        ),
        _ => false,
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        Fault::Sql(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Told(error)
    }
}

impl Fault {
    /// Tells it of this database.
    pub(super) fn told(self, action: &'static str, path: &Path) -> Error {
        let path = path.to_path_buf();
        match self {
            Fault::Told(error) => error,
            Fault::Unfit(table, reason) => Error::UnfitTable { path, table, reason },
            Fault::Damaged(detail) => Error::DamagedRecords { path, detail },
            Fault::Sql(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::DatabaseBusy { path },
                Some(ErrorCode::NotADatabase) => Error::NotADatabase { path },
                _ => Error::Database { action, path, detail: error.to_string() },
            },
        }
    }
}
