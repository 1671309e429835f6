//! `syncline records sync`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::HumanBytes;
use serde_json::{Value, json};
use syncline::messages::key;
use syncline::records::{Databases, Observer, Options, Report, Summary};
use syncline::sqlite::{Applied, RowNotice, plain_key};
use syncline::sync::{Ending, Stopper};
use syncline::{Error, escape};
use syncline_core::api::{Notice, RowState};

use super::super::args::RecordsSyncArgs;
use super::super::output::Output;
use super::super::progress::ProgressLine;
use super::super::sync::{code, listen_for_interrupts};
use super::super::{DONE, FAILED, WAITING, exit_code};

/// How often `--json` tells progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

pub(super) fn run(args: &RecordsSyncArgs) -> u8 {
    let began = Instant::now();
    let teller = Arc::new(Teller {
        output: Output::new(args.json, args.quiet),
        progress: ProgressLine::new(!args.quiet && !args.json && !args.dry_run),
        dry_run: args.dry_run,
        verbose: args.verbose,
        told: Mutex::default(),
        names: Mutex::default(),
    });
    let ended = run_with(args, &teller);
    teller.progress.clear();
    match ended {
        Ok(report) => {
            teller.output.value(&with_type("summary", &report.summary));
            teller.output.text(&format!("{}: {}", how(args, report.ending), counts(&report.summary)));
            match report.ending {
                _ if args.dry_run => DONE,
                Ending::Agreed => DONE,
                Ending::Waiting => WAITING,
                Ending::Interrupted => FAILED,
            }
        }
        Err(error) => {
            teller.output.error(&error);
            let code = exit_code(&error);
            if code != super::super::USAGE {
                let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                teller.output.value(&with_type("summary", &Summary { elapsed_ms, ..Summary::default() }));
            }
            code
        }
    }
}

fn run_with(args: &RecordsSyncArgs, teller: &Arc<Teller>) -> Result<Report, Error> {
    let options = Options { once: args.once || args.dry_run };
    let stopper = Stopper::default();
    listen_for_interrupts(&stopper)?;
    let observer: Arc<dyn Observer> = Arc::<Teller>::clone(teller);
    let databases = match (&args.db2, &args.via) {
        (Some(second), _) if args.dry_run => Databases::copies(&args.db, second)?,
        (Some(second), _) => Databases::pair(&args.db, second)?,
        (None, via) => {
            let key = args.key_file.as_deref().map(key::read).transpose()?;
            // One of the two is there: clap sees to it.
            Databases::via(&args.db, via.as_deref().unwrap_or_else(|| Path::new("")), key)?
        }
    };
    databases.run(options, &stopper, observer)
}

struct Teller {
    output: Output,
    progress: ProgressLine,
    dry_run: bool,
    verbose: bool,
    told: Mutex<Option<Instant>>,
    /// What was told of rows already: it is found again whenever rows of their tables come.
    names: Mutex<Vec<(PathBuf, RowNotice)>>,
}

impl Observer for Teller {
    fn notice(&self, database: &Path, notice: &Notice) {
        let code = code(notice.code);
        self.output.value(&json!({ "type": "notice", "code": code, "message": notice.message,
            "path": database.to_string_lossy() }));
        self.remark(database, &notice.message);
    }

    fn row(&self, database: &Path, notice: &RowNotice) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let told = (database.to_path_buf(), notice.clone());
        if names.contains(&told) {
            return;
        }
        names.push(told);
        drop(names);
        let row = format!("{} {}", notice.name.table, plain_key(&notice.name.key));
        let message = format!("the row {row} does not stand as it should: {}", notice.trouble);
        self.output.value(&json!({ "type": "notice", "code": "row_aside", "message": message,
            "path": database.to_string_lossy(), "table": notice.name.table, "key": plain_key(&notice.name.key) }));
        self.remark(database, &message);
    }

    fn applied(&self, database: &Path, rows: &[RowState], _applied: &Applied) {
        if !self.dry_run && !self.verbose {
            return;
        }
        for row in rows {
            let action = if row.exists { "put" } else { "remove" };
            let key = plain_key(&row.name.key);
            if self.dry_run {
                self.output.value(&json!({ "type": "plan", "action": action, "root": database.to_string_lossy(),
                    "path": format!("{} {key}", row.name.table), "reason": "changed in another database" }));
                self.output.text(&format!("{action} {} {key} in {}", row.name.table, database.display()));
            } else {
                self.remark(database, &format!("{action} {} {key}", row.name.table));
            }
        }
    }

    fn failed(&self, database: &Path, error: &Error) {
        self.remark(database, &format!("tried again: {error}"));
    }

    fn progress(&self, summary: &Summary) {
        self.progress.say(&format!("merging: {}", counts(summary)));
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if self.output.is_json() && told.get_or_insert_with(Instant::now).elapsed() >= PROGRESS_EVERY {
            *told = Some(Instant::now());
            self.output.value(&with_type("progress", summary));
        }
    }

    fn settled(&self, summary: &Summary) {
        self.output.value(&with_type("settled", summary));
        self.progress.around(|| self.output.text(&format!("in agreement: {}", counts(summary))));
    }
}

impl Teller {
    fn remark(&self, database: &Path, message: &str) {
        if !self.output.is_json() {
            let text = format!("syncline: {}: {message}", escape(&database.to_string_lossy()));
            self.progress.around(|| self.output.remark(&text));
        }
    }
}

/// A summary as a line of this type.
fn with_type(kind: &str, summary: &Summary) -> Value {
    let mut value = serde_json::to_value(summary).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.insert("type".into(), kind.into());
    }
    value
}

fn how(args: &RecordsSyncArgs, ending: Ending) -> &'static str {
    match ending {
        _ if args.dry_run => "nothing was written; it would be",
        Ending::Agreed => "in sync",
        Ending::Waiting => "finished, but something waits (see above, and `syncline records status`)",
        Ending::Interrupted => "interrupted before all agreed; run it again to go on",
    }
}

fn counts(summary: &Summary) -> String {
    let mut text = format!(
        "{} rows created, {} updated, {} deleted, {} operations sent, {} received, {} moved, {:.1} s",
        summary.rows_created,
        summary.rows_updated,
        summary.rows_deleted,
        summary.operations_sent,
        summary.operations_received,
        HumanBytes(summary.bytes_moved),
        Duration::from_millis(summary.elapsed_ms).as_secs_f64()
    );
    if summary.held > 0 {
        text.push_str(&format!(", {} held", summary.held));
    }
    text
}
