//! What the operating system's errors mean to the engine.

use rustix::io::Errno;
use syncline_core::api::Failure;

/// The failure for an error at the path itself.
pub(crate) fn failure(errno: Errno) -> Failure {
    match errno {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP => Failure::Missing,
        Errno::ACCESS | Errno::PERM | Errno::ROFS => Failure::Denied,
        Errno::NOSPC | Errno::DQUOT => Failure::NoSpace,
        Errno::NOTEMPTY => Failure::NotEmpty,
        Errno::NAMETOOLONG | Errno::ILSEQ => Failure::Unrepresentable,
        other => other_failure(&other.to_string()),
    }
}

/// The failure for an error on the way to a path that is about to be changed: whatever is no real directory there is a
/// change, not an absence.
pub(crate) fn change_failure(errno: Errno) -> Failure {
    match failure(errno) {
        Failure::Missing => Failure::Changed,
        failure => failure,
    }
}

/// A failure that only its text tells.
pub(crate) fn other_failure(message: &str) -> Failure {
    Failure::Other { message: message.to_string() }
}
