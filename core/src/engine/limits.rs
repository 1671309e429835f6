//! Every limit of the engine, in one place.

/// The longest message, in bytes as they are stored and sent.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// How many bytes of entries fit into any message: the longest message without its header, its signature and, in the
/// first one, the introduction.
pub const ENTRIES_BYTES_MAX: usize = MESSAGE_BYTES_MAX - 1024;

/// The longest application message, in bytes: what fits into any message beside its entry's own fields.
pub const PAYLOAD_BYTES_MAX: usize = ENTRIES_BYTES_MAX - 16;

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

/// A link on which so long nothing was said is told that this side lives, in milliseconds.
pub const HEARTBEAT_MS: u64 = 20_000;

/// A link on which nothing came for so long is closed, in milliseconds: three heartbeats were lost, and one that a host
/// sends late, as browsers do whose pages nobody looks at. Within it a pipe must be able to carry its largest message.
pub const LINK_SILENT_MS: u64 = 75_000;

/// The same before the peer's hello, in milliseconds: it may be reading a large store first.
pub const HELLO_SILENT_MS: u64 = 600_000;

/// How many comparisons with a peer's clock are remembered.
pub const OFFSET_SAMPLES_MAX: usize = 8;

/// How long a comparison with a peer's clock counts, in milliseconds: within it the worst quartz drifts by 60 ms.
pub const OFFSET_AGE_MS: u64 = 600_000;

/// A wall clock that moved by so much more or less than the monotonic one was set, or the device slept, in milliseconds:
/// comparisons from before do not count.
pub const OFFSET_STEP_MS: u64 = 1_000;

/// How much of one lane may wait in a link before the engine stops producing more for it.
pub const LANE_QUEUE_BYTES: u64 = 8 << 20;

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
/// Probes of one root at once.
pub const PROBES_MAX: usize = 8;
/// Deletions that one call absorbs.
pub const DELETIONS_PER_TURN: usize = 1024;
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
/// Contents that one peer asked for in vain and is told of when they are there: as many as it fetches at once for a few
/// roots. Beyond them it asks again by itself.
pub const SERVE_MISSED_MAX: usize = 4 * FETCHES_MAX;
/// Manifests read for one peer at once.
pub const SERVE_MANIFESTS_MAX: usize = 16;
/// Chunks, and likewise manifests, that one peer may have asked for and not got.
pub const SERVE_WANTS_MAX: usize = 65_536;
/// Of how many incarnations of removed devices that nothing is held of it is noted whose they are.
pub const REMOVED_NOTED_MAX: usize = 1024;
/// Feeds that a retraction may name beside its own.
pub const LEFT_FEEDS_MAX: usize = 64;
/// How long a removed member may take to hear that it is removed before its link is closed, in milliseconds.
pub const FAREWELL_MS: u64 = 10_000;
/// Bytes of messages read from the store for one peer at a time.
pub const FEED_BYTES_MAX: u32 = 512 << 10;
/// An own message is closed when its changes reach this size, well below the largest message.
pub const DRAFT_BYTES: usize = 256 << 10;
/// The intervals of a version's past beyond which it is shortened to the versions it replaces directly, well below what
/// fits into a message.
pub const PAST_INTERVALS_MAX: usize = 4_096;
/// Names in a path.
pub const DEPTH_MAX: usize = 256;
/// A path's length.
pub const PATH_BYTES_MAX: usize = 4096;
/// The first wait before what failed is tried again, in milliseconds; doubles each time.
pub const RETRY_MS: u64 = 1_000;
/// The least wait before the second try of what was tried again at once, in milliseconds.
pub const RETRY_MS_MIN: u64 = 50;
/// What is looked at again sooner than this is under way, not waiting: longer than times of the coarsest file systems
/// (2 s) need to settle. In milliseconds.
pub const MOMENT_MS: u64 = 5_000;
/// The longest wait, in milliseconds.
pub const RETRY_MS_MAX: u64 = 60_000;
/// How long a peer is not asked again for a content that it did not have or did not send as it is, in milliseconds. That it
/// says that it has it by now ends the wait.
pub const ASK_AGAIN_MS: u64 = 60_000;
/// How long after an unrelated version took a path the first write there supersedes nothing, in milliseconds (§8.4).
pub const GRACE_MS: u64 = 600_000;
/// Deletions of at most this many files need no one's consent (§8.8).
pub const DELETIONS_FREE: u64 = 10;
/// The share of a root's files beyond which deletions are held: one in four.
pub const DELETIONS_SHARE: u64 = 4;
/// Deletions so long ago still count towards the share, in milliseconds.
pub const DELETIONS_WINDOW_MS: u64 = 60_000;

/// How much of the control or small lane may wait in a link at most: beyond it the peer asks and does not read, and its
/// link is closed. The bulk lane holds what the engine chose to produce.
pub const LANE_QUEUE_BYTES_MAX: usize = 32 << 20;

/// What a waiting frame costs beside its bytes.
pub const WAITING_FRAME_BYTES: usize = 128;

/// The largest `info` of a message folder.
pub const INFO_BYTES_MAX: u32 = 64 << 10;
/// Files of a message folder that are read as its `info`: as many as conflicted copies can reasonably be.
pub const INFOS_MAX: usize = 64;
/// What the file of a sealed message has beside the message.
pub const SEALING_BYTES: usize = 24 + 16;
/// The largest file of a message folder that is read as a message.
pub const FOLDER_FILE_BYTES_MAX: u32 = (MESSAGE_BYTES_MAX + SEALING_BYTES) as u32;
/// Files of one read of a message folder.
pub const FOLDER_READ_ITEMS_MAX: usize = 32;
/// Reads of one message folder at once.
pub const FOLDER_READS_MAX: usize = 2;
/// Own messages of one write into a message folder.
pub const FOLDER_WRITE_ITEMS_MAX: usize = 64;
/// Bytes of own messages of one write into a message folder; one message may pass it.
pub const FOLDER_WRITE_BYTES_MAX: u32 = 2 << 20;
/// Messages of one author that were found and are still to be read; of more a listing tells again.
pub const FOLDER_FOUND_MAX: usize = 4096;
/// Files of one author that could not be read or verified and are remembered; of more a listing tells again.
pub const FOLDER_TROUBLED_MAX: usize = 1024;
/// Authors of one message folder.
pub const FOLDER_FEEDS_MAX: usize = 65_536;
/// Authors whose directories are asked for one blob at once.
pub const FOLDER_AUTHORS_ASKED_MAX: usize = 16;
/// Contents that are remembered to stand in a message folder; of more their chunks are asked for again.
pub const UPLOADS_KNOWN_MAX: usize = 65_536;
/// How often a content that a message names is tried to be read, with growing waits between, before the message goes
/// without it: not quite a minute, for which other messages wait, too.
pub const UPLOAD_TRIES_MAX: u32 = 10;
/// How often a content is tried to be read again whose message went without it, in milliseconds.
pub const OWED_AGAIN_MS: u64 = 300_000;
/// How long a content of this device must be dead before its blobs are removed from a message folder, and the time between
/// two looks for such, in milliseconds: members that are behind by less find what they know of.
pub const COLLECT_AGE_MS: u64 = 3_600_000;
/// Contents whose manifests are read at once when blobs are collected.
pub const COLLECT_ITEMS_MAX: usize = 256;
/// Bytes of these contents; one may pass it. Their manifests are a thousandth of that.
pub const COLLECT_BYTES_MAX: u64 = 1 << 30;
/// Blobs that are removed at once; those of one name under several ids of this device may pass it.
pub const COLLECT_REMOVALS_MAX: usize = 256;
/// An earlier id under which this device wrote nothing for so long, in milliseconds, is given up: no copy of an earlier
/// store goes on under it. Before, its blobs stay, for such a copy may have named them in messages that are still to come.
pub const EARLIER_SILENT_MS: u64 = 30 * 24 * 3_600_000;
/// How many names behind those that are known are probed.
pub const PROBE_AHEAD: usize = 64;
/// Missing numbers of one author that are probed at once.
pub const PROBE_GAPS_MAX: usize = 256;
/// How often a probed folder is listed all the same, in milliseconds.
pub const RELIST_MS: u64 = 3_600_000;
/// The longest wait before a file that could not be verified is read again, in milliseconds.
pub const FOLDER_RETRY_MS_MAX: u64 = 300_000;
/// How long after a message came over a folder its receipt is acknowledged, in milliseconds, so that one acknowledgement
/// serves for many.
pub const ACKNOWLEDGE_MS: u64 = 1_000;
/// After how long a member that nothing is heard of counts as stale where nothing else is asked for, in milliseconds: 30
/// days.
pub const STALE_AFTER_MS: u64 = 30 * 24 * 3_600_000;
/// By how much what a store remembers of when a member was heard, or was up to date, may lag behind, in milliseconds.
pub const HEARD_STEP_MS: u64 = 3_600_000;
/// So long an engine listens before it declares anyone stale, in milliseconds: who can be heard is heard by then.
pub const LISTEN_MS: u64 = 3_600_000;
/// How many messages a checkpoint voids at least that are not void yet, where nothing else is asked for.
pub const CHECKPOINT_ITEMS_MIN: u32 = 64;
/// How many small messages of operations are written again as one at most, whatever is asked for.
pub const GATHERED_MAX: u32 = 1024;
/// How many pieces a checkpoint names at most for each message that it voids and those before it did not.
pub const CHECKPOINT_PIECES_PER_ITEM: u64 = 16;
/// Application messages of one delivery.
pub const DELIVER_ITEMS_MAX: usize = 256;
/// Bytes of the store that are read to name them: about 30 for each.
pub const DELIVER_INDEX_BYTES_MAX: u32 = 40 * DELIVER_ITEMS_MAX as u32;
/// Bytes of one delivery; one message may pass it.
pub const DELIVER_BYTES_MAX: usize = 2 << 20;
/// The longest name of a table or a property, in bytes.
pub const TABLE_NAME_BYTES_MAX: usize = 255;
/// The longest key of a row, in bytes.
pub const ROW_KEY_BYTES_MAX: usize = 1024;
/// What the keys of one message's operations come to at most, in bytes, where each is written out: in the message keys that
/// begin alike share that.
pub const OPERATION_KEYS_BYTES_MAX: usize = 8 << 20;
/// Values that the operations of one message on one table write at most: more than fit into the largest change.
pub const OPERATION_VALUES_MAX: usize = 1 << 18;
/// An own message of operations is closed before it reaches this size.
pub const OPERATIONS_BYTES_MAX: usize = 512 << 10;
/// Rows that are read, merged and saved at once.
pub const ROWS_AT_ONCE_MAX: usize = 4096;
/// Rows that are given to the application's database, or read by it, at once.
pub const ROWS_APPLIED_MAX: usize = 1024;
/// Bytes of rows that are read for these; one row may pass it.
pub const ROWS_APPLIED_BYTES_MAX: u32 = 1 << 20;
/// How much one command may write, in bytes of keys and values.
pub const WRITE_ROWS_BYTES_MAX: usize = 8 << 20;
/// How long at most before operations that are held are looked at again, in milliseconds: the device's clock may be set.
pub const HELD_LOOK_MS: u64 = 60_000;
/// By how much more than the drift the own clock's latest stamp must be ahead of the device's time before its stamps are
/// taken back, in milliseconds.
pub const HEAL_AHEAD_MS: u64 = 1_000;
/// A message that was written longer ago than this says nothing of what time it is now, in milliseconds: one that comes from a
/// member that was away for long, or whose clock went back further than the own one.
pub const WITNESS_AGE_MS: u64 = 24 * 3_600_000;
/// Gaps that a status names.
pub const GAPS_SHOWN_MAX: usize = 1024;

// What one definition promises about another.
const _: () = {
    assert!(HELLO_BYTES_MAX > PIPE_MESSAGE_BYTES_MIN);
    assert!(MESSAGE_BYTES_MAX + MESSAGE_OVERHEAD_BYTES <= MESSAGES_CREDIT_MAX);
    assert!(CREDIT_BYTES_MIN as usize >= 2 * MESSAGES_CREDIT_MAX);
    assert!(CREDIT_BYTES >= CREDIT_BYTES_MIN);
    assert!(CHUNK_BYTES_MAX < FRAME_BYTES_MAX);
    assert!(LINK_SILENT_MS >= 3 * HEARTBEAT_MS && HELLO_SILENT_MS >= LINK_SILENT_MS);
};
