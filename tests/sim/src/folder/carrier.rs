//! The service that carries files between copies: in any order, late, twice, torn, or not at all for a while.

use std::collections::BTreeSet;

use super::{FolderCopy, FolderFile};

/// What a service does wrong on one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The file comes as its first half.
    Torn,
    /// It comes empty.
    Empty,
    /// It comes as a placeholder.
    Placeholder,
    /// It comes beside a copy of another name.
    Doubled,
    /// It does not come this time.
    Late,
}

/// A service. It knows what each copy had when it last looked, and so what was created and removed there.
#[derive(Debug, Clone, Default)]
pub struct Carrier {
    known: Vec<BTreeSet<String>>,
}

impl Carrier {
    /// Brings every file that was created in one copy to all others, each by way of `trouble`, and removes what was removed.
    /// Tells for each copy the paths that changed.
    pub fn carry(
        &mut self,
        copies: &mut [&mut FolderCopy],
        mut trouble: impl FnMut(usize, &str) -> Option<Trouble>,
    ) -> Vec<Vec<String>> {
        self.known.resize_with(copies.len(), BTreeSet::new);
        let mut changed = vec![Vec::new(); copies.len()];
        for (number, copy) in copies.iter_mut().enumerate() {
            changed[number].extend(copy.bring());
        }
        self.remove(copies, &mut changed);
        let all: BTreeSet<String> =
            copies.iter().flat_map(|copy| copy.files().map(|(path, _)| path.to_string())).collect();
        for path in all {
            // A whole copy of it; where all are torn or elsewhere, none moves.
            let whole = copies.iter().filter_map(|copy| copy.at(&path)).max_by_key(|file| file.bytes.len()).cloned();
            let Some(whole) = whole else { continue };
            for (number, copy) in copies.iter_mut().enumerate() {
                if copy.at(&path).is_some_and(|file| file.bytes.len() == whole.bytes.len()) || !copy.is_there {
                    continue;
                }
                let is_changed = arrive(copy, &path, &whole, trouble(number, &path));
                if is_changed {
                    changed[number].push(path.clone());
                }
            }
        }
        for (known, copy) in self.known.iter_mut().zip(copies) {
            *known = copy.files().map(|(path, _)| path.to_string()).collect();
        }
        changed
    }

    /// What stood in a copy and was removed there is removed everywhere.
    fn remove(&mut self, copies: &mut [&mut FolderCopy], changed: &mut [Vec<String>]) {
        for (number, known) in self.known.iter().enumerate() {
            if !copies[number].is_there {
                continue;
            }
            let gone: Vec<String> = known.iter().filter(|path| copies[number].at(path).is_none()).cloned().collect();
            for path in gone {
                for (copy, changed) in copies.iter_mut().zip(changed.iter_mut()) {
                    if copy.take(&path).is_some() {
                        changed.push(path.clone());
                    }
                }
            }
        }
    }
}

fn arrive(copy: &mut FolderCopy, path: &str, whole: &FolderFile, trouble: Option<Trouble>) -> bool {
    let half = || FolderFile { bytes: whole.bytes[..whole.bytes.len() / 2].to_vec(), ..whole.clone() };
    match trouble {
        None => copy.put(path, FolderFile { is_local: true, ..whole.clone() }),
        Some(Trouble::Torn) => copy.put(path, half()),
        Some(Trouble::Empty) => copy.put(path, FolderFile::new([])),
        Some(Trouble::Placeholder) => copy.put(path, FolderFile { is_local: false, ..whole.clone() }),
        Some(Trouble::Doubled) => {
            copy.put(path, whole.clone());
            copy.put(&format!("{path} (1)"), half());
        }
        Some(Trouble::Late) => return false,
    }
    true
}
