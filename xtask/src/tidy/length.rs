//! Files that are short enough to be read at once.

use super::{Finding, Source};

/// Lines of a file without its test module.
const LINES_MAX: usize = 500;
const LANGUAGES: [&str; 6] = ["rs", "ts", "js", "swift", "kt", "mjs"];

/// Finds hand-written code that is longer. Test modules in files of their own are `tests.rs` and `…_tests.rs`.
pub fn check(sources: &[Source]) -> Vec<Finding> {
    let code = sources.iter().filter(|source| {
        let (name, end) = source.path.rsplit_once('.').unwrap_or_default();
        LANGUAGES.contains(&end) && !name.ends_with("/tests") && !name.ends_with("_tests")
    });
    code.filter_map(|source| {
        let lines = lines_without_tests(&source.text);
        (lines > LINES_MAX).then(|| Finding {
            place: source.path.clone(),
            message: format!("expected at most {LINES_MAX} lines without tests, found {lines}: divide it by concept"),
        })
    })
    .collect()
}

/// Counts lines outside of modules that are compiled for tests only. In formatted code such a module ends where a
/// closing brace stands at the line's beginning.
pub fn lines_without_tests(text: &str) -> usize {
    let mut count = 0;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let opens_tests = line == "#[cfg(test)]"
            && lines.peek().is_some_and(|next| {
                (next.starts_with("mod ") || next.starts_with("pub")) && next.contains("mod ") && next.ends_with('{')
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
        assert_eq!(lines_without_tests(&text.replace("mod tests", "pub(super) mod tests")), 5);
    }

    #[test]
    fn test_only_items_count() {
        assert_eq!(lines_without_tests("#[cfg(test)]\nmod tests;\n\n#[cfg(test)]\nfn only_for_tests() {}\n"), 5);
    }

    #[test]
    fn long_code_is_found_and_long_text_is_not() {
        let text = "line\n".repeat(LINES_MAX + 1);
        let source = |path: &str| Source { path: path.to_owned(), text: text.clone() };
        let findings =
            check(&["core/src/long.rs", "docs/long.md", "core/src/tests.rs", "core/src/a_tests.rs"].map(source));
        assert_eq!(findings.iter().map(|finding| finding.place.as_str()).collect::<Vec<_>>(), ["core/src/long.rs"]);
    }
}
