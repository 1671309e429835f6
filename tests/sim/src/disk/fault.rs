//! What goes wrong on demand, and how often it did.

use syncline_core::api::Failure;

use super::{Body, Disk, parent};

/// What goes wrong at a path, and at everything below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An error of the device (EIO).
    Device,
    /// The operating system forbids it (EACCES).
    Denied,
}

/// What a flipped bit is met by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// A part of a file that is read to be sent.
    Range,
    /// A chunk that was staged, when it is read back.
    Staged,
    /// A file that is hashed. A host hashes what it reads, so this makes a content that nobody wrote: the hardware lies,
    /// and no engine can tell.
    Hashed,
}

/// A bit that will be flipped.
pub(super) struct Flip {
    reading: Reading,
    /// How many readings of this kind pass before.
    after: u32,
    bit: u64,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// How often each kind of fault really struck a device.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Faults {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Faults {
            /// The kinds by name, and how often each struck.
            pub fn kinds(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }

            /// These and those.
            #[must_use]
            pub fn plus(self, other: Faults) -> Faults {
                Faults { $($name: self.$name + other.$name,)* }
            }
        }
    };
}

counters! {
    /// Errors of the device at a path (EIO).
    device,
    /// Paths that the operating system forbade (EACCES).
    denied,
    /// Chunks for which there was no space (ENOSPC).
    no_space,
    /// Changes of the tree that failed without an effect.
    commits_failed,
    /// Batches of changes that were made and could not be put on disk.
    syncs_failed,
    /// Batches that the store did not take.
    saves_failed,
    /// Batches that the store took though it said that it did not.
    saves_failed_late,
    /// Bits flipped in what was read to be sent.
    flipped_ranges,
    /// Bits flipped in what was staged.
    flipped_staged,
    /// Bits flipped in what was hashed.
    flipped_hashed,
    /// Work that came late.
    delayed,
    /// Ends of the engine's process alone.
    process_crashes,
    /// Ends of the whole device.
    power_crashes,
    /// Work that a crash left begun.
    work_begun,
    /// Work that was done and not told when the crash came.
    work_untold,
    /// Work of which a crash left some whole items.
    work_in_part,
    /// Changes of the tree that a crash left between two of their steps.
    items_in_part,
    /// Replacements in whose middle a user's write came, and then the crash.
    items_raced,
    /// Chunks of which a crash left a part in staging.
    chunks_torn,
    /// Staged files that a crash took away, shortened or filled with zeros.
    staged_torn,
    /// Changes of the tree that were made, and undone by a loss of power.
    items_undone,
    /// Batches that the store took, and lost by a loss of power.
    saves_undone,
    /// Writes of people that a loss of power undid.
    writes_undone,
    /// Writes of people that a loss of power tore.
    writes_torn,
    /// Files of people that a loss of power took away.
    files_vanished,
    /// Jumps of the wall clock forwards.
    jumps_forwards,
    /// Jumps of the wall clock backwards.
    jumps_backwards,
    /// Times that the device slept.
    sleeps,
    /// Hints that never came.
    hints_lost,
    /// Hints that came late.
    hints_late,
    /// Hints that came twice.
    hints_doubled,
    /// Hints told of the directory above.
    hints_merged,
    /// Times that the watcher lost count and told of anything.
    hints_overflowed,
}

impl Fault {
    fn failure(self) -> Failure {
        match self {
            Fault::Device => Failure::Other { message: "input/output error".into() },
            Fault::Denied => Failure::Denied,
        }
    }
}

impl Disk {
    /// Flips one bit in one of the next readings of this kind, both drawn.
    pub fn flip(&mut self, reading: Reading, chance: &mut fastrand::Rng) {
        self.flips.push_back(Flip { reading, after: chance.u32(..4), bit: chance.u64(..) });
    }

    /// No more bits are flipped.
    pub fn let_bits_be(&mut self) {
        self.flips.clear();
    }

    /// How often each kind of fault struck so far.
    pub fn faults(&self) -> Faults {
        self.struck.get()
    }

    pub(crate) fn strike(&self, count: impl FnOnce(&mut Faults)) {
        let mut struck = self.struck.get();
        count(&mut struck);
        self.struck.set(struck);
    }

    /// Lets a reading pass, or flips a bit in it.
    pub(crate) fn maybe_flip(&mut self, reading: Reading, bytes: &mut [u8]) -> bool {
        let Some(index) = self.flips.iter().position(|flip| flip.reading == reading) else { return false };
        let flip = &mut self.flips[index];
        if bytes.is_empty() || flip.after > 0 {
            flip.after = flip.after.saturating_sub(1);
            return false;
        }
        let bit = flip.bit % (bytes.len() as u64 * 8);
        bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
        self.flips.remove(index);
        self.strike(|faults| match reading {
            Reading::Range => faults.flipped_ranges += 1,
            Reading::Staged => faults.flipped_staged += 1,
            Reading::Hashed => faults.flipped_hashed += 1,
        });
        true
    }

    /// What is read of a file if a bit is flipped in it.
    pub(crate) fn flipped(&mut self, reading: Reading, number: u64) -> Option<Vec<u8>> {
        if self.flips.is_empty() {
            return None;
        }
        let Body::File(bytes) = self.body_of(number) else { return None };
        let mut bytes = bytes.clone();
        self.maybe_flip(reading, &mut bytes).then_some(bytes)
    }

    pub(crate) fn check_fault(&self, path: &str) -> Result<(), Failure> {
        if self.faults.is_empty() {
            return Ok(());
        }
        let mut prefix = path;
        loop {
            if let Some(fault) = self.faults.get(prefix) {
                self.strike(|faults| match fault {
                    Fault::Device => faults.device += 1,
                    Fault::Denied => faults.denied += 1,
                });
                return Err(fault.failure());
            }
            if prefix.is_empty() {
                return Ok(());
            }
            prefix = parent(prefix);
        }
    }

    /// Takes bytes of the space that is left.
    pub(crate) fn take_space(&mut self, bytes: usize) -> Result<(), Failure> {
        match &mut self.space {
            Some(left) if *left < bytes as u64 => {
                self.strike(|faults| faults.no_space += 1);
                Err(Failure::NoSpace)
            }
            Some(left) => {
                *left -= bytes as u64;
                Ok(())
            }
            None => Ok(()),
        }
    }
}
