//! Every limit of the engine, in one place.

/// The longest message, in bytes as they are stored and sent.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// How many bytes of entries fit into any message: the longest message without its header, its signature and, in the
/// first one, the introduction.
pub const ENTRIES_BYTES_MAX: usize = MESSAGE_BYTES_MAX - 1024;

/// The longest device name, in bytes.
pub const DEVICE_NAME_BYTES_MAX: usize = 256;

/// The longest target of a symbolic link, in bytes.
pub const SYMLINK_TARGET_BYTES_MAX: usize = 4095;

/// How far a message's lamport may exceed the highest one seen before the message is held back.
pub const LAMPORT_AHEAD_MAX: u64 = 1 << 32;

/// How many messages may wait for others before the oldest of them is dropped; a peer sends it again.
pub const WAITING_MESSAGES_MAX: usize = 1024;

/// How many bytes of messages may wait for others, likewise.
pub const WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;
