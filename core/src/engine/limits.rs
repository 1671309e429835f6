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

/// The smallest "largest message" a pipe may have; a hello fits with room to spare. Smaller claims are raised to it.
pub const PIPE_MESSAGE_BYTES_MIN: usize = 256;

/// The largest message ever put into a pipe, or accepted from one, whatever the pipe would take.
pub const PIPE_MESSAGE_BYTES_MAX: usize = 4 << 20;

/// The largest first frame of a link: nobody has shown a right to more.
pub const HELLO_BYTES_MAX: usize = 1 << 10;

/// The largest frame of the control lane: heads of a hundred thousand authors and gaps.
pub const CONTROL_FRAME_BYTES_MAX: usize = 4 << 20;

/// The largest frame of the small lane: [`MESSAGES_CREDIT_MAX`] of messages.
pub const SMALL_FRAME_BYTES_MAX: usize = 2 << 20;

/// The largest frame of all, on the bulk lane: a manifest.
pub const FRAME_BYTES_MAX: usize = 32 << 20;

/// The longest manifest that crosses a link; leaves room for its frame's other fields.
pub const MANIFEST_BYTES_MAX: usize = FRAME_BYTES_MAX - 64;

/// The longest chunk that crosses a link.
pub const CHUNK_BYTES_MAX: usize = 4 << 20;

/// What a message costs in credit beside its bytes, so that many tiny ones are not free.
pub const MESSAGE_OVERHEAD_BYTES: usize = 64;

/// The most credit that one frame of messages may cost.
pub const MESSAGES_CREDIT_MAX: usize = SMALL_FRAME_BYTES_MAX;

/// The least credit a hello may offer: two of the largest frames, so that grants of half the credit never stall a peer.
pub const CREDIT_BYTES_MIN: u32 = 4 << 20;

/// The credit this engine offers.
pub const CREDIT_BYTES: u32 = 8 << 20;

/// The most contents one frame may ask the manifests of.
pub const WANTED_MANIFESTS_MAX: usize = 1024;

/// The most chunks one frame may ask for.
pub const WANTED_CHUNKS_MAX: usize = 1024;

/// What a link has in its host's buffer at most before the host reports that the buffer is empty. One packet always
/// goes.
pub const LINK_WINDOW_BYTES: usize = 4 << 20;

/// How much of one lane may wait in a link before the engine stops producing more for it.
pub const LANE_QUEUE_BYTES: u64 = 8 << 20;

// What one definition promises about another.
const _: () = {
    assert!(HELLO_BYTES_MAX > PIPE_MESSAGE_BYTES_MIN);
    assert!(MESSAGE_BYTES_MAX + MESSAGE_OVERHEAD_BYTES <= MESSAGES_CREDIT_MAX);
    assert!(CREDIT_BYTES_MIN as usize >= 2 * MESSAGES_CREDIT_MAX);
    assert!(CREDIT_BYTES >= CREDIT_BYTES_MIN);
    assert!(CHUNK_BYTES_MAX < FRAME_BYTES_MAX);
};
