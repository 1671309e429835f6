//! The updates that all sides make.

/// How many there are.
pub const UPDATES: u32 = 100_000;
/// Of how many keys.
pub const KEYS: u32 = 20_000;

/// A property of a row is given a value.
pub struct Update {
    /// The row's key; the peers' maps have it as theirs.
    pub key: String,
    /// The value.
    pub number: u32,
}

/// All of them: each key in its turn, in an order that is not that of their names.
pub fn updates() -> Vec<Update> {
    let key = |number: u32| format!("key-{}", u64::from(number) * 7919 % u64::from(KEYS));
    (0..UPDATES).map(|number| Update { key: key(number), number }).collect()
}

/// The same as so many writers make them who have not heard of each other: runs of equal length.
pub fn shares(updates: &[Update], writers: usize) -> Vec<&[Update]> {
    updates.chunks(updates.len().div_ceil(writers)).collect()
}
