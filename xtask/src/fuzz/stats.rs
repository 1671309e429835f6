//! What libFuzzer tells about a run.

use anyhow::Result;
use regex::Regex;

/// The figures of one run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Inputs tried.
    pub executions: u64,
    /// Inputs tried in a second.
    pub a_second: u64,
    /// Code edges reached.
    pub coverage: u64,
    /// Inputs that reach what no other does.
    pub corpus: u64,
    /// Where the input lies that broke a promise.
    pub input: Option<String>,
    /// The promise.
    pub failure: Option<String>,
}

impl Stats {
    /// Above the rows.
    pub const HEADING: &str = "target         executions   a second   coverage     corpus        new";

    /// Reads them from what the fuzzer printed.
    ///
    /// # Errors
    /// None: the patterns are constants.
    pub fn of(log: &str) -> Result<Stats> {
        let last = |pattern: &str| -> Result<Option<String>> {
            Ok(Regex::new(pattern)?.captures_iter(log).last().map(|found| found[1].trim().to_owned()))
        };
        let number = |pattern: &str| -> Result<u64> {
            Ok(last(pattern)?.and_then(|number| number.parse().ok()).unwrap_or_default())
        };
        Ok(Stats {
            executions: number(r"stat::number_of_executed_units:\s*(\d+)")?,
            a_second: number(r"stat::average_exec_per_sec:\s*(\d+)")?,
            coverage: number(r"\bcov: (\d+)")?,
            corpus: number(r"\bcorp: (\d+)")?,
            input: last(r"Test unit written to (\S+)")?,
            failure: last(r"panicked at [^\n]*\n([^\n]+)")?.or(last(r"ERROR: libFuzzer: ([^\n]+)")?),
        })
    }

    /// One line about a target.
    pub fn row(&self, target: &str, new: u64) -> String {
        let Stats { executions, a_second, coverage, corpus, .. } = self;
        format!("{target:<14} {executions:>10} {a_second:>10} {coverage:>10} {corpus:>10} {new:>10}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_at_the_end() {
        let log = "#2\tINITED cov: 5 ft: 6 corp: 1/1b exec/s: 0 rss: 40Mb\n\
                   #99\tDONE   cov: 1554 ft: 4247 corp: 432/27Kb lim: 470 exec/s: 7301 rss: 421Mb\n\
                   stat::number_of_executed_units: 226352\nstat::average_exec_per_sec:     7301\n";
        let stats = Stats::of(log).expect("patterns");
        assert_eq!((stats.executions, stats.a_second, stats.coverage, stats.corpus), (226_352, 7_301, 1_554, 432));
        assert_eq!((stats.input, stats.failure), (None, None));
    }

    #[test]
    fn a_broken_promise_is_named_with_its_input() {
        let log = "thread '<unnamed>' panicked at tests/oracles/src/decoders.rs:9:5:\nanother form was taken\n\
                   ==7== ERROR: libFuzzer: deadly signal\nTest unit written to target/fuzz/artifacts/listing/crash-1\n";
        let stats = Stats::of(log).expect("patterns");
        assert_eq!(stats.failure.as_deref(), Some("another form was taken"));
        assert_eq!(stats.input.as_deref(), Some("target/fuzz/artifacts/listing/crash-1"));
        let slow = Stats::of("==7== ERROR: libFuzzer: timeout after 25 seconds\n").expect("patterns");
        assert_eq!(slow.failure.as_deref(), Some("timeout after 25 seconds"));
    }
}
