//! What an engine may ask of a host at all.

use syncline_core::api::{CommitItem, Put, StageSource, Work};

use super::{Invariant, Violation, broken};

/// The most bytes of one read.
const READ_BYTES_MAX: u32 = 4 << 20;

/// The most bytes of a link's target.
const TARGET_BYTES_MAX: usize = 4_095;

/// The most readings of files, and the most listings, that one device is asked for and has not done yet.
const READINGS_MAX: usize = 8;
const LISTINGS_MAX: usize = 16;

/// The most looks at paths under way, second looks at what was missing among them.
const LOOKS_MAX: usize = 8;

/// Bounds: however much there is to do, only so much is asked for at once. Judges all work under way of a device.
pub(super) fn check_burden<'a>(site: usize, under_way: impl Iterator<Item = &'a Work>) -> Result<(), Violation> {
    let (mut readings, mut listings, mut looks) = (0, 0, 0);
    for work in under_way {
        match work {
            Work::Hash { .. } => readings += 1,
            Work::List { .. } => listings += 1,
            Work::Probe { .. } => looks += 1,
            _ => {}
        }
    }
    let counts =
        [("reads of files", readings, READINGS_MAX), ("listings", listings, LISTINGS_MAX), ("looks", looks, LOOKS_MAX)];
    match counts.into_iter().find(|(_, count, most)| count > most) {
        Some((what, count, most)) => {
            broken(Invariant::Bounds, format!("device {site} is asked for {count} {what} at once, more than {most}"))
        }
        None => Ok(()),
    }
}

/// Containment: whatever peers say, no work names a path outside the root or Syncline's own files in it, gives more
/// than permission bits, or makes a link that no system can hold.
pub(super) fn check(site: usize, work: &Work) -> Result<(), Violation> {
    paths(work).into_iter().try_for_each(|path| check_path(site, path))?;
    match work {
        Work::Commit { items, .. } => items.iter().try_for_each(|item| check_commit(site, item)),
        Work::Read { ranges, .. } if ranges.iter().any(|range| range.length > READ_BYTES_MAX) => broken(
            Invariant::Bounds,
            format!("device {site} is asked to read more than {READ_BYTES_MAX} bytes at once"),
        ),
        _ => Ok(()),
    }
}

fn paths(work: &Work) -> Vec<&str> {
    match work {
        Work::Load { .. } | Work::Save { .. } | Work::Discard { .. } => Vec::new(),
        Work::List { directory, .. } => vec![directory],
        Work::Probe { paths, .. } => paths.iter().map(String::as_str).collect(),
        Work::Hash { items, .. } => items.iter().map(|item| item.path.as_str()).collect(),
        Work::Read { ranges, .. } => ranges.iter().map(|range| range.path.as_str()).collect(),
        Work::Stage { items, .. } => {
            let copied = items.iter().filter_map(|item| match &item.source {
                StageSource::Copy { path, .. } => Some(path.as_str()),
                StageSource::Bytes { .. } => None,
            });
            copied.collect()
        }
        Work::Commit { items, .. } => items.iter().map(|item| item.path.as_str()).collect(),
        Work::FolderList { directory, .. } => vec![directory],
        Work::FolderProbe { paths, .. }
        | Work::FolderRead { paths, .. }
        | Work::FolderRemove { paths, .. }
        | Work::FolderFetch { paths, .. } => paths.iter().map(String::as_str).collect(),
        Work::FolderCreate { files, .. } => files.iter().map(|file| file.path.as_str()).collect(),
        Work::Deliver { .. } | Work::ApplyRows { .. } => Vec::new(),
    }
}

fn check_path(site: usize, path: &str) -> Result<(), Violation> {
    let honest = |name: &str| !matches!(name, "" | "." | "..") && !name.contains('\0');
    let own = path.split('/').next().is_some_and(|name| name.eq_ignore_ascii_case(".syncline"));
    if own || !(path.is_empty() || path.split('/').all(honest)) {
        return broken(Invariant::Containment, format!("work on device {site} names `{}`", path.escape_debug()));
    }
    Ok(())
}

fn check_commit(site: usize, item: &CommitItem) -> Result<(), Violation> {
    if let Put::Symlink { target } = &item.put
        && (target.contains(&0) || target.len() > TARGET_BYTES_MAX)
    {
        let text = format!("work on device {site} makes a link at `{}` to what no link can lead to", item.path);
        return broken(Invariant::Containment, text);
    }
    let mode = match &item.put {
        Put::File { mode, .. } | Put::Directory { mode } | Put::Mode { mode } => *mode,
        Put::Symlink { .. } | Put::Nothing => 0,
    };
    if mode > 0o777 || item.path.is_empty() {
        let text = format!("work on device {site} puts mode {mode:o} at `{}`", item.path.escape_debug());
        return broken(Invariant::Containment, text);
    }
    Ok(())
}
