//! Deciding what two folders are to each other before anything is done.

use std::path::Path;

use syncline_core::api::{Membership, Notice, NoticeCode};

use super::Options;
use crate::Error;
use crate::root::{Allegiance, Found, Location, Root};

/// Two folders, ready to be brought together.
pub struct Pair {
    pub(crate) roots: [Root; 2],
    /// What is to be told about them, by side.
    pub(crate) notices: Vec<(usize, Notice)>,
}

/// What one folder turned out to be.
struct Candidate {
    location: Location,
    /// Its replica, if it is one.
    replica: Option<Root>,
    /// The group it belongs to although it is no replica any more: it was copied with its state.
    copied_from: Option<Allegiance>,
}

impl Pair {
    /// Looks at two folders and opens them, making new replicas where that is safe. Whatever refuses them does so before
    /// anything is made.
    ///
    /// # Errors
    /// Folders that cannot be brought together ([`ErrorClass::Usage`](crate::ErrorClass::Usage)), a folder that looks
    /// unmounted or emptied ([`ErrorClass::Decision`](crate::ErrorClass::Decision)), or a failure.
    pub fn open(first: &Path, second: &Path, options: &Options) -> Result<Pair, Error> {
        let locations = [Location::of(first)?, Location::of(second)?];
        let [a, b] = &locations;
        a.check_apart(b)?;
        check_groups(a, b)?;
        if !a.exists() && !b.exists() {
            let reason = format!("`{}` does not exist either; one of the two must be there", b.given.display());
            return Err(Error::MissingFolder { path: a.given.clone(), reason });
        }
        let [a, b] = locations;
        let mut candidates = [Candidate::of(a, options)?, Candidate::of(b, options)?];
        let remembered = [remembered(&candidates, 0)?, remembered(&candidates, 1)?];
        for (side, remembered) in remembered.iter().enumerate() {
            check_absence(&candidates, side, *remembered, options)?;
        }
        let mut notices = Vec::new();
        let memberships = memberships(&candidates, &remembered, options, &mut notices);
        let allegiance = allegiance(&mut candidates)?;
        let [a, b] = candidates;
        let [first_membership, second_membership] = memberships;
        let second_allegiance =
            Allegiance { group: allegiance.group, group_key: allegiance.group_key, root: allegiance.root };
        let first = a.become_root(allegiance, first_membership, options)?;
        let second = b.become_root(second_allegiance, second_membership, options)?;
        Ok(Pair { roots: [first, second], notices })
    }
}

impl Candidate {
    fn of(location: Location, options: &Options) -> Result<Candidate, Error> {
        if !matches!(location.found, Found::Replica { .. }) {
            return Ok(Candidate { location, replica: None, copied_from: None });
        }
        let opened = Root::open(&location, options.dry_run)?;
        if opened.copied {
            let copied_from = Some(Allegiance::of(&opened.root.facts));
            return Ok(Candidate { location, replica: None, copied_from });
        }
        Ok(Candidate { location, replica: Some(opened.root), copied_from: None })
    }

    fn is_empty(&self) -> bool {
        matches!(self.location.found, Found::Nothing | Found::Folder { empty: true })
    }

    fn become_root(self, allegiance: Allegiance, membership: Membership, options: &Options) -> Result<Root, Error> {
        match self.replica {
            Some(root) => Ok(root),
            None if options.dry_run => Root::imagine(&self.location, allegiance, membership),
            None => Root::create(&self.location, allegiance, membership),
        }
    }
}

fn check_groups(a: &Location, b: &Location) -> Result<(), Error> {
    let (Found::Replica { marker: first }, Found::Replica { marker: second }) = (&a.found, &b.found) else {
        return Ok(());
    };
    if first.group == second.group && first.root == second.root {
        return Ok(());
    }
    Err(Error::OtherGroup {
        first: a.given.clone(),
        first_group: first.group,
        second: b.given.clone(),
        second_group: second.group,
    })
}

/// Whether the other side was kept in sync with this one, which is no replica now.
fn remembered(candidates: &[Candidate; 2], side: usize) -> Result<bool, Error> {
    let (candidate, other) = sides(candidates, side);
    match &other.replica {
        Some(other) if candidate.replica.is_none() => other.store.remembers(&candidate.location.canonical),
        _ => Ok(false),
    }
}

/// A folder that was there, and is gone or empty without its marker, may be unmounted: a person decides.
fn check_absence(candidates: &[Candidate; 2], side: usize, remembered: bool, options: &Options) -> Result<(), Error> {
    let (candidate, other) = sides(candidates, side);
    let path = candidate.location.given.clone();
    let remembered_by = other.location.given.clone();
    if !remembered || !candidate.is_empty() {
        return Ok(());
    }
    if !candidate.location.exists() {
        let reason = format!(
            "`{}` was kept in sync with it, so it may be unmounted or moved; bring it back, or make an empty folder there \
             and use --refill",
            remembered_by.display()
        );
        return Err(Error::MissingFolder { path, reason });
    }
    if options.refill || options.allow_deletions {
        return Ok(());
    }
    Err(Error::Emptied { path, remembered_by })
}

fn memberships(
    candidates: &[Candidate; 2],
    remembered: &[bool; 2],
    options: &Options,
    notices: &mut Vec<(usize, Notice)>,
) -> [Membership; 2] {
    let mut memberships = [Membership::Joiner; 2];
    if candidates.iter().all(|candidate| candidate.replica.is_none()) {
        // The one that has something publishes it; the other hears it and agrees in silence.
        let founder = usize::from(candidates[0].is_empty() && !candidates[1].is_empty());
        memberships[founder] = Membership::Founder;
    }
    for (side, candidate) in candidates.iter().enumerate() {
        if remembered[side] && candidate.is_empty() && options.allow_deletions {
            memberships[side] = Membership::Emptied;
        } else if remembered[side] && !candidate.is_empty() {
            notices.push((side, joins_anew("its marker was gone")));
        } else if candidate.copied_from.is_some() {
            notices.push((side, joins_anew("it was copied with its state")));
        }
    }
    memberships
}

fn joins_anew(why: &str) -> Notice {
    Notice {
        code: NoticeCode::NewIncarnation,
        message: format!("{why}: it takes part as a new replica, files of both sides are united and none is deleted"),
        root: None,
        path: None,
        replica: None,
    }
}

fn allegiance(candidates: &mut [Candidate; 2]) -> Result<Allegiance, Error> {
    for candidate in candidates.iter() {
        if let Some(root) = &candidate.replica {
            return Ok(Allegiance::of(&root.facts));
        }
    }
    match candidates.iter_mut().find_map(|candidate| candidate.copied_from.take()) {
        Some(allegiance) => Ok(allegiance),
        None => Allegiance::found(),
    }
}

fn sides(candidates: &[Candidate; 2], side: usize) -> (&Candidate, &Candidate) {
    let [a, b] = candidates;
    if side == 0 { (a, b) } else { (b, a) }
}
