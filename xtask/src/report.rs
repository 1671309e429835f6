//! What a test run tells at its end: time per phase, tests per language.

use std::fmt::Display;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::count::Count;

/// The phases so far.
#[derive(Default)]
pub struct Report {
    phases: Vec<Phase>,
    counts: Vec<(String, Count)>,
}

struct Phase {
    name: String,
    time: Duration,
    error: Option<String>,
}

impl Report {
    /// Does one phase; a failure is kept for the end, so that one run shows everything that is wrong.
    pub fn phase<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Option<T> {
        println!("\n== {name}");
        let start = Instant::now();
        let result = work();
        let time = start.elapsed();
        let (value, error) = match result {
            Ok(value) => (Some(value), None),
            Err(error) => {
                println!("{name}: {error:#}");
                (None, Some(format!("{error:#}")))
            }
        };
        self.phases.push(Phase { name: name.to_owned(), time, error });
        value
    }

    /// Notes what a language's runner counted; nothing where it failed or did not come to run.
    pub fn count(&mut self, language: impl Display, count: Option<Count>) {
        self.counts.push((language.to_string(), count.unwrap_or_default()));
    }

    /// Prints the report.
    ///
    /// # Errors
    /// A phase failed, or a language ran no test.
    pub fn finish(self) -> Result<()> {
        println!("\n== time");
        for phase in &self.phases {
            let verdict = if phase.error.is_none() { "ok" } else { "FAILED" };
            println!("{:8.1} s  {:<28} {verdict}", phase.time.as_secs_f64(), phase.name);
        }
        let total: Duration = self.phases.iter().map(|phase| phase.time).sum();
        println!("{:8.1} s  total", total.as_secs_f64());

        println!("\n== tests");
        for (language, count) in &self.counts {
            println!("{language}: {} passed, {} failed", count.passed, count.failed);
        }
        self.verdict()
    }

    fn verdict(&self) -> Result<()> {
        let mut wrong: Vec<String> = Vec::new();
        for phase in &self.phases {
            wrong.extend(phase.error.as_ref().map(|error| format!("{}: {error}", phase.name)));
        }
        for (language, count) in &self.counts {
            if count.passed == 0 {
                wrong.push(format!("{language}: expected tests, found none that passed"));
            }
            if count.failed > 0 {
                wrong.push(format!("{language}: {} tests failed", count.failed));
            }
        }
        if !wrong.is_empty() {
            bail!("{} things are wrong\n  {}", wrong.len(), wrong.join("\n  "));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::Language;

    #[test]
    fn run_without_tests_is_wrong() {
        let mut report = Report::default();
        report.count(Language::Js, None);
        assert!(report.finish().expect_err("no test ran").to_string().contains("js: expected tests"));
    }

    #[test]
    fn failed_phase_is_kept_and_the_next_one_runs() {
        let mut report = Report::default();
        assert_eq!(report.phase("first", || -> Result<()> { bail!("broken") }), None);
        assert_eq!(report.phase("second", || Ok(3)), Some(3));
        assert!(report.finish().expect_err("a phase failed").to_string().contains("first: broken"));
    }

    #[test]
    fn run_with_passing_tests_is_right() {
        let mut report = Report::default();
        report.count(Language::Rust, Some(Count { passed: 1, failed: 0 }));
        assert!(report.finish().is_ok());
    }
}
