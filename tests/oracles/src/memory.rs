//! Memory that follows from what was received, never from a number in it (DESIGN §10.9).

use syncline_core::engine::limits::OPERATION_KEYS_BYTES_MAX;

/// What any call may take, however little it was given.
const BASE_BYTES: u64 = 64 << 10;

/// What each byte given may cost: the values it decodes to, and lists that grow by doubling.
const BYTES_EACH: u64 = 64;

/// What each byte may cost besides while a value is being read: a list that the bytes left could fill is made at once,
/// on each of the few levels that lists lie in each other. Serde stops that at a mebibyte a level.
const AHEAD_BYTES_EACH: u64 = 448;

/// See [`AHEAD_BYTES_EACH`].
const AHEAD_BYTES_MAX: u64 = 4 << 20;

/// What the keys of operations may take when they are written out, lists that grow by doubling included.
pub(crate) const KEYS_BYTES: u64 = 4 * OPERATION_KEYS_BYTES_MAX as u64;

/// What reading so many bytes may take.
pub(crate) fn of_reading(bytes: usize) -> u64 {
    let bytes = bytes as u64;
    BASE_BYTES + BYTES_EACH * bytes + (AHEAD_BYTES_EACH * bytes).min(AHEAD_BYTES_MAX)
}

/// Runs something and returns what it returns.
///
/// # Panics
/// If the heap grew by more than `limit` bytes at any time meanwhile.
#[track_caller]
pub(crate) fn within<T>(limit: u64, what: impl FnOnce() -> T) -> T {
    kept_within(limit, what).0
}

/// The same, where the result decides how much more may be taken.
#[track_caller]
pub(crate) fn within_for<T>(limit: impl FnOnce(&T) -> u64, what: impl FnOnce() -> T) -> T {
    let mut result = None;
    let used = allocation_counter::measure(|| result = Some(what()));
    let result = result.expect("it ran");
    let limit = limit(&result);
    assert!(used.bytes_max <= limit, "expected at most {limit} bytes of memory, found {}", used.bytes_max);
    result
}

/// The same, and how many bytes more than before are held now.
#[track_caller]
pub(crate) fn kept_within<T>(limit: u64, what: impl FnOnce() -> T) -> (T, i64) {
    let mut result = None;
    let used = allocation_counter::measure(|| result = Some(what()));
    assert!(used.bytes_max <= limit, "expected at most {limit} bytes of memory, found {}", used.bytes_max);
    (result.expect("it ran"), used.bytes_current)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_and_given_back_is_seen() {
        let taken = std::panic::catch_unwind(|| within(1 << 20, || drop(vec![1u8; 2 << 20])));
        assert!(taken.is_err());
        assert_eq!(kept_within(1 << 20, || vec![1u8; 1000].len()), (1000, 0));
    }
}
