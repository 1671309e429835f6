//! How far it is, on standard error.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::crew::Tally;

/// How often a line is written where no one sees a bar.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Tells how far it is: a line that changes once a second on a terminal, a new line now and then elsewhere.
pub struct Progress {
    bar: Option<ProgressBar>,
    runs: u64,
    last: Instant,
}

impl Progress {
    /// Of so many runs.
    pub fn new(runs: u64) -> Progress {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(runs), ProgressDrawTarget::stderr_with_hz(1));
            // The template is a constant that holds only what the library knows.
            let style = ProgressStyle::with_template("{wide_bar} {human_pos} of {human_len} runs, {msg}");
            style.map_or(bar.clone(), |style| bar.with_style(style))
        });
        Progress { bar, runs, last: Instant::now() }
    }

    /// So much is done.
    pub fn show(&mut self, tally: &Tally) {
        let left = Duration::from_secs_f64((self.runs.saturating_sub(tally.runs)) as f64 / tally.pace().max(1e-3));
        let broken = if tally.broken.is_empty() { String::new() } else { format!(", {} broken", tally.broken.len()) };
        let (pace, events) = (tally.pace(), tally.event_pace());
        let text = format!("{pace:.1} runs/s, {events:.0} events/s, {} left{broken}", HumanDuration(left));
        match &self.bar {
            Some(bar) => {
                bar.set_position(tally.runs);
                bar.set_message(text);
            }
            None if self.last.elapsed() >= LINE_EVERY => {
                self.last = Instant::now();
                eprintln!("{} of {} runs, {text}", tally.runs, self.runs);
            }
            None => {}
        }
    }

    /// A line above.
    pub fn tell(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Nothing is told any more.
    pub fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
