//! Each `Invariant:` line of ARCHITECTURE.md names a test that exists.

use std::collections::BTreeSet;

use anyhow::Result;
use regex::Regex;

use super::{Finding, Source};

const ARCHITECTURE: &str = "ARCHITECTURE.md";

/// Finds invariants that no test holds. A test is named in backquotes, after its last `::` if it has a path.
///
/// # Errors
/// None: the patterns are constants.
pub fn check(sources: &[Source]) -> Result<Vec<Finding>> {
    let tests = tests(sources)?;
    let quoted = Regex::new(r"`(?:\w+::)*([a-z]\w*)`")?;
    let invariant = Regex::new(r"^\s*(?:[-*] )?Invariant:")?;
    let mut findings = Vec::new();
    let Some(architecture) = sources.iter().find(|source| source.path == ARCHITECTURE) else {
        let message = "expected the code map with its `Invariant:` lines, found no such file".to_owned();
        return Ok(vec![Finding { place: ARCHITECTURE.to_owned(), message }]);
    };
    for (line, text) in architecture.text.lines().enumerate() {
        if !invariant.is_match(text) {
            continue;
        }
        let named: Vec<&str> = quoted.captures_iter(text).map(|found| found.extract::<1>().1[0]).collect();
        if !named.iter().any(|name| tests.contains(*name)) {
            let message =
                format!("expected the name of a test that exists, found {named:?}: name the one that holds it");
            findings.push(Finding { place: format!("{ARCHITECTURE}:{}", line + 1), message });
        }
    }
    Ok(findings)
}

/// The names of all tests in Rust.
fn tests(sources: &[Source]) -> Result<BTreeSet<String>> {
    let test = Regex::new(r"#\[(?:\w+::)?test\b[^\n]*\]\s*(?:#\[[^\n]*\]\s*)*(?:async )?fn (\w+)")?;
    // Inside of a `proptest!` block, too, each test carries its attribute.
    let rust = sources.iter().filter(|source| source.path.ends_with(".rs"));
    Ok(rust.flat_map(|source| test.captures_iter(&source.text).map(|found| found[1].to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_line(line: &str) -> usize {
        let code = "#[test]\n    #[cfg(unix)]\n    fn sends_after_saving() {}\n#[tokio::test]\nasync fn waits() {}\n";
        let sources = [
            Source { path: ARCHITECTURE.to_owned(), text: format!("# Code map\n\n{line}\n") },
            Source { path: "core/src/a.rs".to_owned(), text: code.to_owned() },
        ];
        check(&sources).expect("the patterns compile").len()
    }

    #[test]
    fn invariant_with_its_test_is_right() {
        assert_eq!(check_line("Invariant: nothing is sent before it is saved (`engine::sends_after_saving`)"), 0);
        assert_eq!(check_line("- Invariant: one save is in flight (`waits`)"), 0);
    }

    #[test]
    fn invariant_without_a_test_is_found() {
        assert_eq!(check_line("Invariant: nothing is sent before it is saved"), 1);
        assert_eq!(check_line("Invariant: nothing is sent before `Save` (`sends_before_saving`)"), 1);
    }

    #[test]
    fn other_lines_need_no_test() {
        for line in ["The engine saves before it sends.", "Lines with `Invariant:` name their test."] {
            assert_eq!(check_line(line), 0);
        }
    }

    #[test]
    fn missing_code_map_is_found() {
        assert_eq!(check(&[]).expect("the patterns compile").len(), 1);
    }
}
