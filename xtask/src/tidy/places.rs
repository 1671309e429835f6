//! No file names the machine it was written on, nor the place packages were fetched from.

use std::path::{Component, Path};

use anyhow::Result;
use regex::{Regex, RegexBuilder};

use super::{Finding, Source};

/// Top folders that mean the same on every machine, though a clone may lie in one of them.
const COMMON: [&str; 11] = ["/bin", "/dev", "/etc", "/lib", "/mnt", "/opt", "/srv", "/tmp", "/usr", "/var", "/home"];
/// The one source that lock files name; Cargo writes this name of crates.io whatever mirror it fetched from.
const CRATES_IO: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
/// Names of XML vocabularies, which nothing is fetched from.
const VOCABULARY: &str = "http://maven.apache.org/";

/// Finds machine paths and package registries' addresses. `root` is where this clone lies.
///
/// # Errors
/// None: the patterns are constants.
pub fn check(sources: &[Source], root: &Path) -> Result<Vec<Finding>> {
    let home = std::env::var("HOME").unwrap_or_default();
    let machine = machine_paths(root, &home)?;
    let registry = RegexBuilder::new(
        r#"https?://[\w.@:-]*(?:registry|mirror|proxy|artifactory|nexus|crates\.io|npmjs|maven|pypi|debian)[^\s"'<>)]*"#,
    )
    .case_insensitive(true)
    .build()?;
    let mut findings = Vec::new();
    for source in sources {
        for (line, text) in source.text.lines().enumerate() {
            let place = || format!("{}:{}", source.path, line + 1);
            if let Some(found) = machine.captures(text) {
                let message = format!("expected no path of one machine, found `{}`: say it relative", &found[1]);
                findings.push(Finding { place: place(), message });
            }
            if let Some(found) = registry.find_iter(text).find(|found| !found.as_str().starts_with(VOCABULARY)) {
                let message = format!("expected no registry's address, found `{}`: name the package", found.as_str());
                findings.push(Finding { place: place(), message });
            }
            if let Some(message) = lock_problem(source, text) {
                findings.push(Finding { place: place(), message });
            }
        }
    }
    Ok(findings)
}

/// Lock files name packages and hashes only.
fn lock_problem(source: &Source, line: &str) -> Option<String> {
    let line = line.trim();
    let named = if source.path.ends_with("Cargo.lock") {
        line.starts_with("source = ") && line != CRATES_IO
    } else {
        source.path.ends_with("package-lock.json") && line.starts_with("\"resolved\":")
    };
    named.then(|| {
        format!("expected no place that a package came from, found `{line}`: lock it from its registry by name")
    })
}

/// Matches people's home folders, this user's, and the folders above this clone.
fn machine_paths(root: &Path, home: &str) -> Result<Regex> {
    let mut folders = vec![r"/home/[a-z]\w*".to_owned(), r"/Users/\w+".to_owned(), r"/root".to_owned()];
    let mut top = root.components();
    if let (Some(Component::RootDir), Some(Component::Normal(name))) = (top.next(), top.next()) {
        folders.push(regex::escape(&format!("/{}", name.to_string_lossy())));
    }
    folders.push(regex::escape(home));
    folders.retain(|folder| folder.len() > 1 && !COMMON.contains(&folder.as_str()));
    Ok(Regex::new(&format!(r#"(?:^|[\s"'`=:(\[])((?:{})/[^\s"'`)]*)"#, folders.join("|")))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        let source = Source { path: path.to_owned(), text: text.to_owned() };
        let findings = check(&[source], Path::new("/builds/someone/syncline")).expect("the patterns compile");
        findings.into_iter().map(|finding| finding.message).collect()
    }

    // The texts are put together here, so that this file itself is tidy.
    #[test]
    fn machine_paths_are_found() {
        for folder in ["home/ann", "Users/Ann", "root", "builds/someone"] {
            assert_eq!(messages("README.md", &format!("cd \"/{folder}/syncline\"")).len(), 1, "{folder}");
        }
    }

    #[test]
    fn ordinary_paths_are_not_found() {
        for text in ["/usr/bin/rustc", "see tests/home/file", "the /root folder", "a/builds/b"] {
            assert_eq!(messages("README.md", text), [""; 0], "{text}");
        }
    }

    #[test]
    fn registry_addresses_are_found_and_vocabularies_are_not() {
        let address = ["https", "://registry.example/package.tgz"].concat();
        assert_eq!(messages("README.md", &address).len(), 1);
        assert_eq!(messages("pom.xml", "xmlns=\"http://maven.apache.org/POM/4.0.0\""), [""; 0]);
    }

    #[test]
    fn lock_files_name_no_place() {
        assert_eq!(messages("Cargo.lock", CRATES_IO), [""; 0]);
        assert_eq!(messages("Cargo.lock", "source = \"git+https://example.com/a\"").len(), 1);
        assert_eq!(messages("js/package-lock.json", "  \"resolved\": \"https://example.com/a.tgz\",").len(), 1);
    }
}
