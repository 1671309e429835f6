//! Files that are short enough to be read at once.

use super::{Finding, Source};

/// Lines of a file without its test module.
const LINES_MAX: usize = 500;
const LANGUAGES: [&str; 6] = ["rs", "ts", "js", "swift", "kt", "mjs"];

/// Finds hand-written code that is longer.
pub fn check(sources: &[Source]) -> Vec<Finding> {
    let code = sources.iter().filter(|source| LANGUAGES.iter().any(|end| source.path.ends_with(&format!(".{end}"))));
    code.filter(|source| !is_test(&source.path))
        .filter_map(|source| {
            let lines = lines_without_tests(&source.text);
            (lines > LINES_MAX).then(|| Finding {
                place: source.path.clone(),
                message: format!(
                    "expected at most {LINES_MAX} lines without tests, found {lines}: divide it by concept"
                ),
            })
        })
        .collect()
}

/// A file that holds nothing but the tests of its neighbour.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}

/// Counts lines outside of modules that are compiled for tests only. In formatted code such a module ends where a
/// closing brace stands at the line's beginning.
pub fn lines_without_tests(text: &str) -> usize {
    let mut count = 0;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let opens_tests = line == "#[cfg(test)]"
            && lines.peek().is_some_and(|next| {
                let module = next.strip_prefix("pub(super) ").unwrap_or(next);
                module.starts_with("mod ") && module.trim_end().ends_with('{')
            });
        if opens_tests {
            lines.by_ref().find(|line| *line == "}");
        } else {
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_modules_do_not_count() {
        let text = "fn a() {\n}\n\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\n\nfn c() {}\n";
        assert_eq!(lines_without_tests(text), 5);
    }

    #[test]
    fn test_only_items_count() {
        assert_eq!(lines_without_tests("#[cfg(test)]\nmod tests;\n\n#[cfg(test)]\nfn only_for_tests() {}\n"), 5);
    }

    #[test]
    fn long_code_is_found_and_long_text_is_not() {
        let text = "line\n".repeat(LINES_MAX + 1);
        let source = |path: &str| Source { path: path.to_owned(), text: text.clone() };
        let findings = check(&[source("core/src/long.rs"), source("docs/long.md")]);
        assert_eq!(findings.iter().map(|finding| finding.place.as_str()).collect::<Vec<_>>(), ["core/src/long.rs"]);
    }
}
