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

/// All of them: keys and values by chance, the same every time, so that nobody is helped by a rule that they follow. Each
/// key is there.
pub fn updates() -> Vec<Update> {
    let mut state = 7u64;
    let mut chance = |below: u32| {
        // splitmix64
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % u64::from(below)) as u32
    };
    let mut updates: Vec<Update> = (0..UPDATES)
        .map(|place| {
            let key = if place < KEYS { place } else { chance(KEYS) };
            Update { key: format!("key-{key}"), number: chance(1_000_000) }
        })
        .collect();
    for place in (1..updates.len()).rev() {
        updates.swap(place, chance(place as u32 + 1) as usize);
    }
    updates
}

/// The same as so many writers make them who have not heard of each other: runs of equal length.
pub fn shares(updates: &[Update], writers: usize) -> Vec<&[Update]> {
    updates.chunks(updates.len().div_ceil(writers)).collect()
}
