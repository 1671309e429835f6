//! Paths of the boundary, taken apart; nothing that could leave the root passes.

use syncline_core::api::Failure;

/// The folder of Syncline's own files, below the root.
pub const OWN: &str = ".syncline";

/// A path below the root: the directory it lies in and its name there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    /// The directory's path; empty for the root.
    pub(crate) parent: &'a str,
    /// The name in it.
    pub(crate) name: &'a str,
}

/// Takes the path of an entry apart.
///
/// # Errors
/// [`Failure::Unrepresentable`] for what names no entry below the root, or one of Syncline's own.
pub(crate) fn place(path: &str) -> Result<Place<'_>, Failure> {
    check(path)?;
    match path.rsplit_once('/') {
        Some((parent, name)) => Ok(Place { parent, name }),
        None if path.is_empty() => Err(Failure::Unrepresentable),
        None => Ok(Place { parent: "", name: path }),
    }
}

/// Checks the path of a directory; the empty one is the root.
///
/// # Errors
/// As [`place`].
pub(crate) fn check(path: &str) -> Result<(), Failure> {
    if path.is_empty() {
        return Ok(());
    }
    let mut names = path.split('/');
    if names.clone().next() == Some(OWN) || !names.all(is_name) {
        return Err(Failure::Unrepresentable);
    }
    Ok(())
}

/// Whether this is one name, and that of an entry in its directory.
pub(crate) fn is_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.bytes().any(|byte| matches!(byte, b'/' | 0))
}

/// The first name, where a file system that folds case or characters might take it for [`OWN`].
pub(crate) fn doubtful_first(path: &str) -> Option<&str> {
    let first = path.split('/').next().unwrap_or(path);
    (first.eq_ignore_ascii_case(OWN) || !first.is_ascii()).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        assert_eq!(place("a"), Ok(Place { parent: "", name: "a" }));
        assert_eq!(place("a/b/c"), Ok(Place { parent: "a/b", name: "c" }));
        assert_eq!(place("a/.syncline"), Ok(Place { parent: "a", name: ".syncline" }));
        assert_eq!(check(""), Ok(()));
    }

    #[test]
    fn h01_what_could_leave_the_root_is_refused() {
        for path in
            ["", "/", "/etc", "a/", "a//b", ".", "..", "a/..", "../b", "a/./b", "a\0b", ".syncline", ".syncline/x"]
        {
            assert_eq!(place(path), Err(Failure::Unrepresentable), "{path:?}");
        }
    }

    #[test]
    fn doubtful_names_are_looked_at_again() {
        assert!(doubtful_first(".SyncLine/store").is_some());
        assert!(doubtful_first("é").is_some());
        assert!(doubtful_first("notes/.SYNCLINE").is_none());
    }
}
