//! Paths below a root: names joined with `/`; the empty text is the root itself.

use alloc::string::String;

use super::Name;

/// The path of `name` in `directory`.
pub fn join(directory: &str, name: &str) -> String {
    let mut path = String::with_capacity(directory.len().saturating_add(name.len()).saturating_add(1));
    if !directory.is_empty() {
        path.push_str(directory);
        path.push('/');
    }
    path.push_str(name);
    path
}

/// The directory and the name of a path; none for the root.
pub fn split(path: &str) -> Option<(&str, Name)> {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    Name::new(name).ok().map(|name| (directory, name))
}

/// How many names a path has.
pub fn depth(path: &str) -> usize {
    if path.is_empty() { 0 } else { path.matches('/').count().saturating_add(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_and_splits_are_inverse() {
        for (directory, name) in [("", "a"), ("a", "b"), ("a/b", "c d")] {
            let path = join(directory, name);
            assert_eq!(split(&path), Some((directory, Name::new(name).unwrap())));
        }
        assert_eq!(split(""), None);
    }
}
