//! What goes to standard output and standard error.

use std::io::Write;
use std::path::Path;

use serde::Serialize;
use syncline::sync::{Progress, Summary};
use syncline::{Error, escape};
use syncline_core::api::UnixMs;

use super::plan::PlanLine;

/// One line of `--json`.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Line<'a> {
    /// One change of the plan.
    Plan(&'a PlanLine),
    /// How far a run is.
    Progress {
        /// Entries known on both roots together.
        entries: u64,
        /// Entries changed so far.
        changed: u64,
        /// Paths still to change.
        pending: u64,
        /// File bytes written so far.
        bytes_moved: u64,
        /// Bytes still to be fetched.
        bytes_pending: u64,
    },
    /// Something to know.
    Notice {
        /// What kind of thing, for programs.
        code: &'a str,
        /// The same for people.
        message: &'a str,
        /// What it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        path: Option<&'a str>,
    },
    /// Something failed.
    Error {
        /// What kind of thing, for programs.
        code: &'a str,
        /// The same for people.
        message: &'a str,
        /// What it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
    /// Both roots agree, while watching.
    Settled(&'a Summary),
    /// The end of a run.
    Summary(&'a Summary),
    /// How a root stands.
    Status(&'a serde_json::Value),
}

impl<'a> Line<'a> {
    /// Progress as a line.
    pub(crate) fn progress(progress: &Progress) -> Self {
        Line::Progress {
            entries: progress.entries,
            changed: progress.changed,
            pending: progress.pending,
            bytes_moved: progress.bytes_moved,
            bytes_pending: progress.bytes_pending,
        }
    }
}

/// Where output goes, and in which form.
pub(crate) struct Output {
    json: bool,
    quiet: bool,
}

impl Output {
    /// Output as the arguments ask for it.
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    /// Whether programs read it.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Data for programs; nothing unless they read it.
    pub(crate) fn line(&self, line: &Line<'_>) {
        if !self.json {
            return;
        }
        if let Ok(mut text) = serde_json::to_vec(line) {
            text.push(b'\n');
            self.raw(&text);
        }
    }

    /// The same, already made.
    pub(crate) fn value(&self, value: &serde_json::Value) {
        if self.json {
            self.raw(format!("{value}\n").as_bytes());
        }
    }

    /// Data for people; nothing if programs read it or quiet was asked for. Names in it are escaped here.
    pub(crate) fn text(&self, text: &str) {
        if !self.json && !self.quiet {
            self.raw(format!("{}\n", escape(text)).as_bytes());
        }
    }

    /// Remarks for people, beside the data.
    pub(crate) fn remark(&self, text: &str) {
        if !self.quiet {
            // Nobody may be reading any more.
            let _ = writeln!(std::io::stderr().lock(), "{}", escape(text));
        }
    }

    /// An error, for people and programs.
    pub(crate) fn error(&self, error: &Error) {
        let message = error.to_string();
        self.line(&Line::Error {
            code: error.code(),
            message: &message,
            path: error.path().map(|path| path.to_string_lossy().into_owned()),
        });
        let _ = writeln!(std::io::stderr().lock(), "syncline: {}", escape(&message));
    }

    /// Bytes as they are.
    pub(crate) fn raw(&self, bytes: &[u8]) {
        let mut out = std::io::stdout().lock();
        // A reader that went away does not end the work.
        let _ = out.write_all(bytes).and_then(|()| out.flush());
    }
}

/// A path in a root, for people.
pub(crate) fn shown(root: &Path, path: &str) -> String {
    root.join(path).to_string_lossy().into_owned()
}

/// A time as people read it.
pub(crate) fn time(unix_ms: UnixMs) -> String {
    let time = i64::try_from(unix_ms.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| "at no time".into(), |time| time.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// The same of something that may never have been.
pub(crate) fn time_or_never(unix_ms: UnixMs) -> String {
    if unix_ms == UnixMs::default() { "never".into() } else { time(unix_ms) }
}
