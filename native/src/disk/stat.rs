//! Metadata of paths.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, FileType, Mode};
use rustix::path::Arg;
use rustix::{fd::AsFd, io::Errno};
use syncline_core::api::{EntryKind, Stat};

/// How far a modification time must lie from now before a later write is sure to show another one.
const SETTLE_NS: i64 = 20_000_000;
/// The same where times seem to be kept in whole seconds.
const SETTLE_COARSE_NS: i64 = 2_000_000_000;
const SECOND_NS: i64 = 1_000_000_000;

/// Tells what stands at a name, without following links.
pub(crate) fn stat_at(directory: impl AsFd, name: impl Arg) -> Result<Stat, Errno> {
    rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).map(|stat| convert(&stat, now_ns()))
}

/// Tells what an open file is.
pub(crate) fn stat_of(file: impl AsFd) -> Result<Stat, Errno> {
    rustix::fs::fstat(file).map(|stat| convert(&stat, now_ns()))
}

/// Whether two looks at a path saw the same thing. A directory's times change with its entries, so only its identity
/// counts.
pub(crate) fn same(expected: &Stat, found: &Stat) -> bool {
    expected.kind == found.kind
        && expected.file_id == found.file_id
        && (expected.kind == EntryKind::Directory
            || (expected.size == found.size && expected.modified_ns == found.modified_ns))
}

/// Whether nothing shows that something happened in between to what was seen by two looks: another file of the same size
/// and age that was put there tells itself by its status change time alone where there are no identities.
pub(crate) fn same_change(expected: &Stat, found: &Stat) -> bool {
    let has_none = expected.changed_ns == 0 || found.changed_ns == 0;
    has_none || expected.kind == EntryKind::Directory || expected.changed_ns == found.changed_ns
}

/// The permission bits that are kept; never set-uid, set-gid or sticky.
pub(crate) fn permissions(mode: u16) -> Mode {
    Mode::from_raw_mode(rustix::fs::RawMode::from(mode & 0o777))
}

#[allow(clippy::unnecessary_cast, reason = "the fields' types differ between platforms")]
fn convert(stat: &rustix::fs::Stat, now_ns: i64) -> Stat {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Symlink,
        _ => EntryKind::Special,
    };
    let modified_ns = nanoseconds(stat.st_mtime as i64, stat.st_mtime_nsec as i64);
    let changed_ns = nanoseconds(stat.st_ctime as i64, stat.st_ctime_nsec as i64);
    Stat {
        kind,
        size: if kind == EntryKind::File { u64::try_from(stat.st_size).unwrap_or(0) } else { 0 },
        // Links have no permissions of their own; what systems show for them differs.
        mode: if kind == EntryKind::Symlink { 0 } else { (stat.st_mode & 0o777) as u16 },
        modified_ns,
        changed_ns,
        file_id: stat.st_ino as u64,
        settled: settled(modified_ns, now_ns) && is_change_told(changed_ns, now_ns),
    }
}

/// A write after `now` shows another time than `modified_ns` if that lies well before now, or well after it (set by
/// hand), as writes are stamped with the time they happen at.
fn settled(modified_ns: i64, now_ns: i64) -> bool {
    let needed = if modified_ns % SECOND_NS == 0 { SETTLE_COARSE_NS } else { SETTLE_NS };
    now_ns.abs_diff(modified_ns) >= needed.unsigned_abs()
}

/// A file that is put there after `now` with an old modification time, as backups do, shows another change time than
/// `changed_ns`: fine ones always do, coarse ones after a while, and where there are none (0) nothing does.
fn is_change_told(changed_ns: i64, now_ns: i64) -> bool {
    changed_ns % SECOND_NS != 0 || settled(changed_ns, now_ns)
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(SECOND_NS).saturating_add(nanoseconds)
}

fn now_ns() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_nanos());
    i64::try_from(now).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_time_is_not_settled() {
        let now = 1_700_000_000_123_456_789;
        assert!(!settled(now, now));
        assert!(!settled(now - SETTLE_NS + 1, now));
        assert!(settled(now - SETTLE_NS, now));
        assert!(settled(now + 3_600 * SECOND_NS, now));
    }

    #[test]
    fn whole_seconds_are_taken_for_a_coarse_clock() {
        let now = 1_700_000_001_500_000_000;
        assert!(!settled(1_700_000_000_000_000_000, now));
        assert!(settled(1_699_999_999_000_000_000, now));
    }

    #[test]
    fn a_coarse_change_time_is_told_late() {
        let now = 1_700_000_001_500_000_000;
        assert!(!is_change_told(1_700_000_000_000_000_000, now));
        assert!(is_change_told(1_699_999_999_000_000_000, now));
        assert!(is_change_told(now - 1, now) && is_change_told(0, now));
    }

    #[test]
    fn a_status_change_time_tells_files_without_identity_apart() {
        let stat = |changed_ns| {
            let kind = EntryKind::File;
            Stat { kind, size: 5, mode: 0o644, modified_ns: 1, changed_ns, file_id: 0, settled: true }
        };
        assert!(same(&stat(7), &stat(8)) && !same_change(&stat(7), &stat(8)));
        assert!(same_change(&stat(7), &stat(7)) && same_change(&stat(0), &stat(8)) && same_change(&stat(7), &stat(0)));
    }

    #[test]
    fn only_permission_bits_pass() {
        assert_eq!(permissions(0o7755).as_raw_mode(), 0o755);
    }
}
