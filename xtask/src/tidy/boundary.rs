//! The boundary's types, defined once, and the bindings, which hold methods only.

use anyhow::{Result, ensure};
use regex::Regex;

use super::{Finding, Source};

const API: &str = "core/src/api/mod.rs";
const BINDINGS: [&str; 2] = ["bindings-wasm/src/", "bindings-uniffi/src/"];
const OTHERS: [&str; 3] = ["js/", "swift/", "kotlin/"];
/// Lines of one binding crate.
const BINDING_LINES_MAX: usize = 300;

/// Finds second definitions of a boundary type in bindings and other languages' code, and binding crates too large.
///
/// # Errors
/// The boundary itself is not found.
pub fn check(sources: &[Source]) -> Result<Vec<Finding>> {
    let api = sources.iter().find(|source| source.path == API);
    let types = api.map(|api| exported(&api.text)).transpose()?.unwrap_or_default();
    ensure!(!types.is_empty(), "expected the boundary's types exported by {API}, found none");
    let definition = definition_of(&types)?;
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| within(source, &BINDINGS) || within(source, &OTHERS)) {
        for (line, text) in source.text.lines().enumerate() {
            if let Some(found) = definition.captures(text) {
                findings.push(Finding {
                    place: format!("{}:{}", source.path, line + 1),
                    message: format!(
                        "expected no second definition of the boundary's `{}`: use the generated one",
                        &found[1]
                    ),
                });
            }
        }
    }
    for folder in BINDINGS {
        let lines: usize =
            sources.iter().filter(|source| within(source, &[folder])).map(|source| source.text.lines().count()).sum();
        if lines >= BINDING_LINES_MAX {
            let message =
                format!("expected less than {BINDING_LINES_MAX} lines, found {lines}: bindings hold methods only");
            findings.push(Finding { place: folder.to_owned(), message });
        }
    }
    Ok(findings)
}

fn within(source: &Source, folders: &[&str]) -> bool {
    folders.iter().any(|folder| source.path.starts_with(folder))
}

/// The names in `pub use module::{..}` and `pub use module::Name`.
fn exported(api: &str) -> Result<Vec<String>> {
    let exports = Regex::new(r"pub use \w+::(?:\{([^}]*)\}|(\w+));")?;
    let lists = exports.captures_iter(api).filter_map(|found| found.get(1).or(found.get(2)));
    let names = lists.flat_map(|list| list.as_str().split(',')).map(|name| name.trim().to_owned());
    Ok(names.filter(|name| !name.is_empty()).collect())
}

/// Matches a definition of one of these in Rust, TypeScript, Swift or Kotlin.
fn definition_of(types: &[String]) -> Result<Regex> {
    let keywords = "struct|enum|union|trait|type|class|interface|actor|protocol|typealias|object";
    Ok(Regex::new(&format!(r"^\s*(?:[\w()@]+\s+)*(?:{keywords})\s+({})\b(?:\s*[<{{=:(]|\s*$)", types.join("|")))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    fn api() -> Source {
        source(API, "pub use event::{Event,\n    Hint};\npub use action::Action;\n")
    }

    #[test]
    fn exported_names_are_read_from_both_forms() {
        assert_eq!(exported(&api().text).expect("a pattern"), ["Event", "Hint", "Action"]);
    }

    #[test]
    fn second_definition_is_found_in_every_language() {
        for (path, text) in [
            ("bindings-wasm/src/lib.rs", "pub struct Event {"),
            ("js/src/types.ts", "export type Action = string;"),
            ("js/src/types.ts", "export interface Hint {"),
            ("swift/Sources/Syncline/A.swift", "public indirect enum Event: Sendable {"),
            ("kotlin/src/main/kotlin/A.kt", "data class Hint(val directory: String)"),
        ] {
            let findings = check(&[api(), source(path, text)]).expect("a boundary");
            assert_eq!(findings.len(), 1, "{text}");
            assert_eq!(findings[0].place, format!("{path}:1"));
        }
    }

    #[test]
    fn use_and_longer_names_are_no_definition() {
        for text in ["import type { Event } from \"syncline\";", "class EventLoop {", "val event: Event = Event.Wake"] {
            assert_eq!(check(&[api(), source("js/src/a.ts", text)]).expect("a boundary"), []);
        }
    }

    #[test]
    fn large_binding_crate_is_found() {
        let large = source("bindings-uniffi/src/lib.rs", &"line\n".repeat(BINDING_LINES_MAX));
        assert_eq!(check(&[api(), large]).expect("a boundary").len(), 1);
    }

    #[test]
    fn missing_boundary_is_an_error() {
        assert!(check(&[]).is_err());
    }
}
