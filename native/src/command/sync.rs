//! `syncline sync`.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::HumanBytes;
use syncline::Error;
use syncline::messages::key;
use syncline::sync::{Ending, Observer, Options, Pair, Progress, Report, Stopper, Summary, Via};
use syncline_core::api::{CommitItem, Notice, NoticeCode};

use super::args::SyncArgs;
use super::output::{Line, Output};
use super::plan::PlanLine;
use super::progress::ProgressLine;
use super::{DONE, FAILED, INTERRUPTED, WAITING, exit_code, logs};

/// How often `--json` tells progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Runs the command; its exit code comes back.
pub(crate) fn run(args: &SyncArgs) -> u8 {
    logs::start(args.verbose);
    let began = Instant::now();
    let teller = Arc::new(Teller::new(args));
    match run_with(args, &teller) {
        Ok(report) => {
            teller.progress.clear();
            teller.output.line(&Line::Summary(&report.summary));
            teller.output.text(&summary_text(args, &report));
            match report.ending {
                _ if args.dry_run => DONE,
                Ending::Agreed => DONE,
                Ending::Waiting => WAITING,
                Ending::Interrupted => FAILED,
            }
        }
        Err(error) => {
            teller.progress.clear();
            teller.output.error(&error);
            let code = exit_code(&error);
            if matches!(code, FAILED | WAITING) {
                let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                teller.output.line(&Line::Summary(&Summary { elapsed_ms, ..Summary::default() }));
            }
            code
        }
    }
}

fn run_with(args: &SyncArgs, teller: &Arc<Teller>) -> Result<Report, Error> {
    let options =
        Options { once: args.once, dry_run: args.dry_run, allow_deletions: args.allow_deletions, refill: args.refill };
    let stopper = Stopper::default();
    listen_for_interrupts(&stopper)?;
    let observer: Arc<dyn Observer> = Arc::<Teller>::clone(teller);
    match (&args.b, &args.via) {
        (Some(b), _) => Pair::open(&args.a, b, &options)?.run(options, &stopper, observer),
        (None, via) => {
            let key = args.key_file.as_deref().map(key::read).transpose()?;
            // One of the two is there: clap sees to it.
            let via = Via::open(&args.a, via.as_deref().unwrap_or_else(|| Path::new("")), key)?;
            via.run(options, &stopper, observer)
        }
    }
}

/// The first Ctrl-C ends the run in order, the second at once.
pub(crate) fn listen_for_interrupts(stopper: &Stopper) -> Result<(), Error> {
    let stopper = stopper.clone();
    let interrupted = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if interrupted.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED);
        }
        stopper.stop();
    })
    .map_err(|e| Error::Failed { what: format!("cannot listen for Ctrl-C: {e}") })
}

/// Tells people and programs what happens.
struct Teller {
    output: Output,
    progress: ProgressLine,
    dry_run: bool,
    verbose: bool,
    told: Mutex<Option<Instant>>,
}

impl Teller {
    fn new(args: &SyncArgs) -> Self {
        Self {
            output: Output::new(args.json, args.quiet),
            progress: ProgressLine::new(!args.quiet && !args.json && !args.dry_run),
            dry_run: args.dry_run,
            verbose: args.verbose,
            told: Mutex::default(),
        }
    }

    fn plan(&self, line: &PlanLine) {
        self.output.line(&Line::Plan(line));
        self.output.text(&line.text());
    }
}

impl Observer for Teller {
    fn notice(&self, root: &Path, notice: &Notice) {
        if self.dry_run
            && let Some(line) = PlanLine::of_notice(root, notice)
        {
            return self.plan(&line);
        }
        let code = code(notice.code);
        self.output.line(&Line::Notice { code: &code, message: &notice.message, path: notice.path.as_deref() });
        if !self.output.is_json() {
            let about = root.join(notice.path.as_deref().unwrap_or_default());
            let text = format!("syncline: {}: {}", about.display(), notice.message);
            self.progress.around(|| self.output.remark(&text));
        }
    }

    fn changed(&self, root: &Path, change: &CommitItem) {
        if self.dry_run {
            self.plan(&PlanLine::of_change(root, change));
        } else if self.verbose {
            let text = PlanLine::of_change(root, change).text();
            self.progress.around(|| self.output.remark(&text));
        }
    }

    fn progress(&self, progress: &Progress) {
        self.progress.show(progress);
        if self.output.is_json() {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.get_or_insert_with(Instant::now).elapsed() >= PROGRESS_EVERY {
                *told = Some(Instant::now());
                self.output.line(&Line::progress(progress));
            }
        }
    }

    fn settled(&self, summary: &Summary) {
        self.output.line(&Line::Settled(summary));
        self.progress.around(|| self.output.text(&format!("in agreement: {}", counts(summary))));
    }
}

fn summary_text(args: &SyncArgs, report: &Report) -> String {
    let how = match report.ending {
        _ if args.dry_run => "nothing was written; it would be",
        Ending::Agreed => "in sync",
        Ending::Waiting => "finished, but something waits for you (see above)",
        Ending::Interrupted => "interrupted before both agreed; run it again to go on",
    };
    format!("{how}: {}", counts(&report.summary))
}

fn counts(summary: &Summary) -> String {
    let mut text = format!(
        "{} created, {} updated, {} renamed, {} removed, {} written, {:.1} s",
        summary.created,
        summary.updated,
        summary.renamed,
        summary.removed,
        HumanBytes(summary.bytes_moved),
        Duration::from_millis(summary.elapsed_ms).as_secs_f64()
    );
    for (number, what) in [
        (summary.conflicts, "conflict copies stand"),
        (summary.skipped, "special files skipped"),
        (summary.held, "deletions held (--allow-deletions or --refill)"),
    ] {
        if number > 0 {
            text.push_str(&format!(", {number} {what}"));
        }
    }
    text
}

/// A notice's code as programs see it: `deletions_held`.
pub(crate) fn code(code: NoticeCode) -> String {
    let mut text = String::new();
    for c in format!("{code:?}").chars() {
        if c.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(c.to_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_words() {
        assert_eq!(code(NoticeCode::DeletionsHeld), "deletions_held");
        assert_eq!(code(NoticeCode::Fork), "fork");
    }
}
