//! How many tests ran, read from what the runners print.

use std::process::Command;

use anyhow::{Result, ensure};
use regex::Regex;

use crate::shell::show;

/// Tests that ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How many passed.
    pub passed: u64,
    /// How many failed.
    pub failed: u64,
}

/// Runs a test runner, showing its output, and counts its tests.
///
/// # Errors
/// It cannot be started, or fails for another reason than failed tests.
pub fn tests(command: Command, count: fn(&str) -> Count) -> Result<Count> {
    let name = command.get_program().to_string_lossy().into_owned();
    let (output, status) = show(command)?;
    let count = count(&output);
    ensure!(status.success() || count.failed > 0, "{name} failed: {status}");
    Ok(count)
}

/// Of `cargo test`: one line for each binary.
pub fn cargo(output: &str) -> Count {
    Count {
        passed: sum(output, r"(?m)^test result: \w+\. (\d+) passed"),
        failed: sum(output, r"(?m)^test result: \w+\. \d+ passed; (\d+) failed"),
    }
}

/// Of `node --test`.
pub fn node(output: &str) -> Count {
    Count { passed: sum(output, r"(?m)^\S pass (\d+)"), failed: sum(output, r"(?m)^\S (?:fail|cancelled) (\d+)") }
}

/// Of `swift test` with Swift Testing, whose last line has the number of all tests.
pub fn swift(output: &str) -> Count {
    // The last line is of the same form as a test's.
    let failed =
        sum(output, r"(?m)^\S+ Test .+ failed after ()") - sum(output, r"(?m)^\S+ Test run with .+ failed after ()");
    let all = sum(output, r"(?m)^\S+ Test run with (\d+) tests?");
    Count { passed: all.saturating_sub(failed), failed }
}

/// Of Maven's Surefire, whose last line, unlike those of the classes, has no time.
pub fn surefire(output: &str) -> Count {
    let total = |what| sum(output, &format!(r"(?m)Tests run: {what}Skipped: \d+\s*$"));
    let all = total(r"(\d+), Failures: \d+, Errors: \d+, ");
    let failed = total(r"\d+, Failures: (\d+), Errors: \d+, ") + total(r"\d+, Failures: \d+, Errors: (\d+), ");
    let skipped = sum(output, r"(?m)Tests run: \d+, Failures: \d+, Errors: \d+, Skipped: (\d+)\s*$");
    Count { passed: all.saturating_sub(failed).saturating_sub(skipped), failed }
}

/// Of Python's `unittest`.
pub fn unittest(output: &str) -> Count {
    let all = sum(output, r"(?m)^Ran (\d+) tests? in ");
    let failed = sum(output, r"(?m)^FAILED \(.*?failures=(\d+)") + sum(output, r"(?m)^FAILED \(.*?errors=(\d+)");
    let skipped = sum(output, r"(?m)^(?:OK|FAILED) \(.*?skipped=(\d+)");
    Count { passed: all.saturating_sub(failed).saturating_sub(skipped), failed }
}

/// Adds up a pattern's first group over all places; an empty group counts one.
fn sum(output: &str, pattern: &str) -> u64 {
    // The patterns are constants of this file, each held by a test below.
    let Ok(pattern) = Regex::new(pattern) else { return 0 };
    pattern.captures_iter(output).map(|found| found[1].parse().unwrap_or(1)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_lines_add_up() {
        let output = "test result: ok. 3 passed; 0 failed; 0 ignored\n\
                      test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured\n";
        assert_eq!(cargo(output), Count { passed: 7, failed: 2 });
    }

    #[test]
    fn node_counts_with_either_reporter() {
        assert_eq!(node("# tests 3\n# pass 2\n# fail 1\n# cancelled 0\n"), Count { passed: 2, failed: 1 });
        assert_eq!(node("ℹ tests 3\nℹ pass 1\nℹ fail 1\nℹ cancelled 1\n"), Count { passed: 1, failed: 2 });
    }

    #[test]
    fn swift_counts_failed_ones_apart() {
        let passed =
            "✔ Test \"starts\" passed after 0.01 seconds.\n✔ Test run with 1 test passed after 0.01 seconds.\n";
        assert_eq!(swift(passed), Count { passed: 1, failed: 0 });
        let failed = "✘ Test starts() failed after 0.01 seconds with 1 issue.\n\
                      ✘ Test run with 2 tests failed after 0.01 seconds with 1 issue.\n";
        assert_eq!(swift(failed), Count { passed: 1, failed: 1 });
    }

    #[test]
    fn surefire_counts_the_last_line_only() {
        let output = "[INFO] Tests run: 2, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 0.1 s -- in EngineTest\n\
                      [ERROR] Tests run: 4, Failures: 1, Errors: 1, Skipped: 1\n";
        assert_eq!(surefire(output), Count { passed: 1, failed: 2 });
    }

    #[test]
    fn unittest_counts_failures_and_errors_and_no_skipped_ones() {
        assert_eq!(unittest("Ran 59 tests in 34.741s\n\nOK\n"), Count { passed: 59, failed: 0 });
        let failed = "Ran 9 tests in 1.000s\n\nFAILED (failures=2, errors=1, skipped=3)\n";
        assert_eq!(unittest(failed), Count { passed: 3, failed: 3 });
    }

    #[test]
    fn output_without_tests_counts_none() {
        for count in [cargo, node, swift, surefire, unittest] {
            assert_eq!(count("nothing to see"), Count::default());
        }
    }
}
