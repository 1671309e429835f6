//! Tells measurements to people and programs.

use serde::Serialize;

use crate::measure::{Comparison, Target, Verdict, median};

/// Tells what was measured as soon as it is.
pub struct Reporter {
    json: bool,
}

/// The reporter of one row.
pub struct RowReporter<'a> {
    reporter: &'a Reporter,
    row: &'static str,
}

/// A measurement, as `--json` tells it.
#[derive(Serialize)]
struct Line<'a> {
    r#type: &'static str,
    row: &'a str,
    what: &'a str,
    peer: &'a str,
    unit: &'a str,
    ours: f64,
    theirs: f64,
    ratio: f64,
    at_least: Option<f64>,
    at_most: Option<f64>,
    verdict: Verdict,
    ours_runs: &'a [f64],
    theirs_runs: &'a [f64],
}

/// Something that a reader of the figures must know, as `--json` tells it.
#[derive(Serialize)]
struct Note<'a> {
    r#type: &'static str,
    row: &'a str,
    message: &'a str,
}

impl Reporter {
    /// A reporter to standard output; as lines of JSON or a table for people.
    pub fn new(json: bool) -> Reporter {
        if !json {
            println!(
                "{:<12} {:<34} {:>9} {:>9} {:>6}  {:>7}  {:<5}  peer",
                "row", "what", "ours", "peer's", "ratio", "target", ""
            );
        }
        Reporter { json }
    }

    /// The reporter of a row.
    pub fn row(&mut self, row: &'static str) -> RowReporter<'_> {
        RowReporter { reporter: self, row }
    }
}

impl RowReporter<'_> {
    /// Tells a measurement.
    pub fn tell(&mut self, comparison: &Comparison) {
        let (ours, theirs) = (median(&comparison.ours), median(&comparison.theirs));
        let ratio = comparison.ratio();
        let verdict = comparison.target.verdict(ratio);
        let (at_least, at_most) = match comparison.target {
            Target::AtLeast(least) => (Some(least), None),
            Target::AtMost(most) => (None, Some(most)),
            Target::None => (None, None),
        };
        if self.reporter.json {
            self.line(&Line {
                r#type: "measurement",
                row: self.row,
                what: &comparison.what,
                peer: &comparison.peer,
                unit: comparison.unit,
                ours,
                theirs,
                ratio,
                at_least,
                at_most,
                verdict,
                ours_runs: &comparison.ours,
                theirs_runs: &comparison.theirs,
            });
            return;
        }
        let target = match (at_least, at_most) {
            (Some(least), _) => format!("≥ {least:.2}"),
            (_, Some(most)) => format!("≤ {most:.2}"),
            _ => String::new(),
        };
        let verdict = match verdict {
            Verdict::Pass => "pass",
            Verdict::Short => "SHORT",
            Verdict::Told => "",
        };
        println!(
            "{:<12} {:<34} {:>9} {:>9} {ratio:>6.2}  {target:>7}  {verdict:<5}  {}",
            self.row,
            comparison.what,
            figure(ours, comparison.unit),
            figure(theirs, comparison.unit),
            comparison.peer
        );
    }

    /// Tells something that a reader of the figures must know.
    pub fn note(&mut self, message: &str) {
        if self.reporter.json {
            self.line(&Note { r#type: "note", row: self.row, message });
        } else {
            println!("{:<12} {message}", self.row);
        }
    }

    fn line(&self, line: &impl Serialize) {
        println!("{}", serde_json::to_string(line).expect("plain data has JSON"));
    }
}

fn figure(value: f64, unit: &str) -> String {
    let digits = if value >= 100.0 { 0 } else { 2 };
    format!("{value:.digits$} {unit}")
}
