//! Every limit of the engine, in one place (§2.5). Bytes unless the name says otherwise.

/// Bytes of one read of the store at the start.
pub const LOAD_BYTES_MAX: u32 = 1 << 20;
/// Directories that are listed at once for one root.
pub const LISTS_MAX: usize = 16;
/// Bytes of files that are being hashed at once for one root; one file may pass it.
pub const HASH_BYTES_MAX: u64 = 64 << 20;
/// Batches of files that are being hashed at once for one root.
pub const HASH_TASKS_MAX: usize = 8;
/// Files of one batch.
pub const HASH_ITEMS_MAX: usize = 128;
/// Bytes of the files of one batch; one file may pass it.
pub const HASH_BATCH_BYTES_MAX: u64 = 4 << 20;
/// Paths of one probe.
pub const PROBE_ITEMS_MAX: usize = 1024;
/// Claims that one call compares with the disk.
pub const CLAIMS_PER_TURN: usize = 1024;
/// Directories that one call compares as a whole.
pub const SWEEP_CLAIMS_MAX: usize = 4096;
/// Changes of the tree in one batch.
pub const COMMIT_ITEMS_MAX: usize = 1024;
/// Batches of changes that are under way at once for one root.
pub const COMMITS_MAX: usize = 4;
/// Bytes of content asked for and not yet on disk, for one root.
pub const FETCH_BYTES_MAX: u64 = 32 << 20;
/// Files that are being fetched at once for one root.
pub const FETCHES_MAX: usize = 4096;
/// Chunks of one batch that is staged.
pub const STAGE_ITEMS_MAX: usize = 128;
/// Bytes of one batch that is staged; one chunk may pass it.
pub const STAGE_BYTES_MAX: u64 = 4 << 20;
/// Chunks that are looked up in the store at once.
pub const CHUNK_LOOKUPS_MAX: usize = 1024;
/// Parts of files of one read for a peer.
pub const READ_ITEMS_MAX: usize = 128;
/// Bytes of one read for a peer; one chunk may pass it.
pub const READ_BYTES_MAX: u64 = 4 << 20;
/// Bytes read for one peer and not yet handed to the pipe.
pub const SERVE_BYTES_MAX: u64 = 16 << 20;
/// Chunks that one peer may have asked for and not got.
pub const SERVE_WANTS_MAX: usize = 65_536;
/// Bytes of messages read from the store for one peer at a time.
pub const FEED_BYTES_MAX: u32 = 512 << 10;
/// An own message is closed when its changes reach this size, well below the largest message.
pub const DRAFT_BYTES: usize = 256 << 10;
/// Names in a path.
pub const DEPTH_MAX: usize = 256;
/// A path's length.
pub const PATH_BYTES_MAX: usize = 4096;
/// A symbolic link's target.
pub const TARGET_BYTES_MAX: usize = 4095;
/// The longest device name.
pub const DEVICE_NAME_BYTES_MAX: usize = 256;
/// The first wait before what failed is tried again, in milliseconds; doubles each time.
pub const RETRY_MS: u64 = 1_000;
/// The least wait before the second try of what was tried again at once, in milliseconds.
pub const RETRY_MS_MIN: u64 = 50;
/// The longest wait, in milliseconds.
pub const RETRY_MS_MAX: u64 = 60_000;
/// How long after an unrelated version took a path the first write there supersedes nothing, in milliseconds (§8.4).
pub const GRACE_MS: u64 = 600_000;
/// Deletions of at most this many files need no one's consent (§8.8).
pub const DELETIONS_FREE: u64 = 10;
/// The share of a root's files beyond which deletions are held: one in four.
pub const DELETIONS_SHARE: u64 = 4;
/// Deletions so long ago still count towards the share, in milliseconds.
pub const DELETIONS_WINDOW_MS: u64 = 60_000;
