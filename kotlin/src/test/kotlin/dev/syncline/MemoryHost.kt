package dev.syncline

import dev.syncline.api.Action
import dev.syncline.api.CompactionConfig
import dev.syncline.api.Config
import dev.syncline.api.Event
import dev.syncline.api.Failure
import dev.syncline.api.GroupConfig
import dev.syncline.api.LoadQuery
import dev.syncline.api.Membership
import dev.syncline.api.Notice
import dev.syncline.api.Now
import dev.syncline.api.Outcome
import dev.syncline.api.Pair
import dev.syncline.api.ProbeResult
import dev.syncline.api.RootConfig
import dev.syncline.api.RootId
import dev.syncline.api.Seed
import dev.syncline.api.TaskId
import dev.syncline.api.Work

const val ROOT: RootId = "6d0f2f3e-58b5-4c52-9f0c-0d4a1e6a7b01"

fun bytes(byte: Byte, count: Int = 32) = ByteArray(count) { byte }

val config = Config(
    group = GroupConfig(id = "0b8c4a52-5f1e-4b0a-8f57-2f6a3c9d1e02", key = bytes(7)),
    identity = bytes(9),
    name = "smoke test",
    roots = listOf(RootConfig(id = ROOT, membership = Membership.FOUNDER, allowDeletions = false)),
    folders = listOf(),
    delivery = null,
    records = null,
    compaction = CompactionConfig(clearApplied = false, staleAfterMs = 2_592_000_000uL, checkpointItemsMin = 64u),
    debounceMs = 100u,
    dryRun = false,
)

/** Steps an engine would have to take many times over before it counts as one that does not come to rest. */
private const val STEPS_MAX = 10_000

/** A host with a store and an empty folder in memory: what an engine needs to come to rest. */
class MemoryHost(private val engine: Engine, val store: MutableMap<String, ByteArray> = sortedMapOf()) {
    val notices = mutableListOf<Notice>()
    val tasks = mutableListOf<TaskId>()
    var saves = 0
        private set
    var stopped = false
        private set
    private var now = Now(monotonic = 1_000u, unix = 1_700_000_000_000u)

    /** Sends an event and carries out all that comes of it, waking the engine at its deadlines, until it rests. */
    fun send(event: Event) {
        val events = ArrayDeque(listOf(event))
        repeat(STEPS_MAX) {
            val next = events.removeFirstOrNull() ?: wake() ?: return
            engine.handle(now, next).mapNotNullTo(events, ::carryOut)
        }
        error("expected an engine at rest after $STEPS_MAX steps")
    }

    private fun wake(): Event? {
        val deadline = engine.deadline() ?: return null
        if (stopped || engine.status().quiet) return null
        val monotonic = maxOf(deadline, now.monotonic)
        now = Now(monotonic, now.unix + (monotonic - now.monotonic))
        return Event.Wake
    }

    private fun carryOut(action: Action): Event? = when (action) {
        is Action.Stopped -> null.also { stopped = true }
        is Action.Notify -> null.also { notices += action.notice }
        is Action.Perform -> {
            tasks += action.task
            Event.Completed(action.task, perform(action.work))
        }
        is Action.Cancel, is Action.Send, is Action.Close, is Action.Published,
        is Action.RowsWritten, is Action.RowsRead, is Action.RowsChanged ->
            error("expected no links, no messages and nothing to cancel: $action")
    }

    private fun perform(work: Work): Outcome = when (work) {
        is Work.Load -> load(work.query)
        is Work.Save -> {
            saves += 1
            for (write in work.writes) {
                val value = write.value
                if (value == null) store.remove(write.key.toHexString()) else store[write.key.toHexString()] = value
            }
            Outcome.Saved
        }
        is Work.ListDirectory -> Outcome.Listed(listing = ByteArray(0), more = false, marker = true)
        is Work.Probe -> Outcome.Probed(results = work.paths.map { ProbeResult.Failed(Failure.Missing) }, marker = true)
        is Work.Discard -> Outcome.Discarded
        is Work.Hash, is Work.Read, is Work.Stage, is Work.Commit -> error("expected none of this in an empty folder: $work")
        is Work.FolderList, is Work.FolderProbe, is Work.FolderRead, is Work.FolderCreate, is Work.FolderRemove,
        is Work.FolderFetch, is Work.Deliver, is Work.ApplyRows,
        -> error("expected no message folder: $work")
    }

    private fun load(query: LoadQuery): Outcome = when (query) {
        is LoadQuery.Keys -> {
            val pairs = query.keys.mapNotNull { key -> store[key.bytes.toHexString()]?.let { Pair(key.bytes, it) } }
            Outcome.Loaded(pairs, more = false)
        }
        is LoadQuery.Range -> {
            // Hexadecimal text orders like the bytes themselves.
            val inside = query.start.toHexString()..<query.end.toHexString()
            val found = store.filterKeys { it in inside }.map { (key, value) -> Pair(key.hexToByteArray(), value) }
            var size = 0
            val page = found.takeWhile {
                val first = size == 0
                size += it.key.size + it.value.size
                first || size <= query.bytesMax.toInt()
            }
            Outcome.Loaded(page, more = page.size < found.size)
        }
    }
}
