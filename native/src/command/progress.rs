//! The progress line on a terminal.

use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use syncline::sync::Progress;

/// A line that is redrawn on standard error, if that is a terminal.
pub(crate) struct ProgressLine {
    bar: ProgressBar,
}

impl ProgressLine {
    /// A line, or none that is ever seen.
    pub(crate) fn new(wanted: bool) -> Self {
        let bar = if wanted { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar }
    }

    /// Draws how far the run is.
    pub(crate) fn show(&self, progress: &Progress) {
        let what = if progress.scanning { "comparing" } else { "changing" };
        self.bar.set_message(format!(
            "{what}: {} entries known, {} changed, {} to go, {} written",
            progress.entries,
            progress.changed,
            progress.pending,
            HumanBytes(progress.bytes_moved)
        ));
    }

    /// Says what is being done.
    pub(crate) fn say(&self, text: &str) {
        self.bar.set_message(text.to_string());
    }

    /// Prints something without disturbing the line.
    pub(crate) fn around(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    /// Takes the line away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
