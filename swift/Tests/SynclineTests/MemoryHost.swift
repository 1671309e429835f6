import Foundation
import Syncline

/// A host with a store and an empty folder in memory: what an engine needs to come to rest.
final class MemoryHost {
    static let root: RootId = "6d0f2f3e-58b5-4c52-9f0c-0d4a1e6a7b01"

    static let config = Config(
        group: GroupConfig(id: "0b8c4a52-5f1e-4b0a-8f57-2f6a3c9d1e02", key: Data(repeating: 7, count: 32)),
        identity: Data(repeating: 9, count: 32),
        name: "smoke test",
        roots: [RootConfig(id: root, membership: .founder, allowDeletions: false)],
        folders: [],
        delivery: nil,
        records: nil,
        compaction: CompactionConfig(clearApplied: false, staleAfterMs: 2_592_000_000, checkpointItemsMin: 64),
        debounceMs: 100,
        dryRun: false
    )

    static func seed(_ byte: UInt8) -> Seed {
        Seed(bytes: Data(repeating: byte, count: 32))
    }

    /// Why a run was given up.
    enum Unexpected: Error {
        case action(Action)
        case work(Work)
        case noRest(steps: Int)
    }

    var store: [Data: Data] = [:]
    private(set) var notices: [Notice] = []
    private(set) var tasks: [TaskId] = []
    private(set) var saves = 0
    private(set) var stopped = false
    private let engine: Engine
    private var now = Now(monotonic: 1_000, unix: 1_700_000_000_000)

    init(_ engine: Engine) {
        self.engine = engine
    }

    /// Sends an event and carries out all that comes of it, waking the engine at its deadlines, until it rests.
    func send(_ event: Event) throws {
        // An engine would have to take many times fewer steps.
        let stepsMax = 10_000
        var events = [event]
        for _ in 0..<stepsMax {
            guard let next = events.isEmpty ? wake() : events.removeFirst() else { return }
            for action in engine.handle(now: now, event: next) {
                if let answer = try carryOut(action) { events.append(answer) }
            }
        }
        throw Unexpected.noRest(steps: stepsMax)
    }

    private func wake() -> Event? {
        guard let deadline = engine.deadline(), !stopped, !engine.status().quiet else { return nil }
        let monotonic = max(deadline, now.monotonic)
        now = Now(monotonic: monotonic, unix: now.unix + (monotonic - now.monotonic))
        return .wake
    }

    private func carryOut(_ action: Action) throws -> Event? {
        switch action {
        case .stopped:
            stopped = true
            return nil
        case .notify(let notice):
            notices.append(notice)
            return nil
        case .perform(let task, let work):
            tasks.append(task)
            return .completed(task: task, outcome: try perform(work))
        case .cancel, .send, .close, .published, .rowsWritten, .rowsRead, .rowsChanged:
            throw Unexpected.action(action)
        }
    }

    private func perform(_ work: Work) throws -> Outcome {
        switch work {
        case .load(let query):
            return load(query)
        case .save(let writes):
            saves += 1
            for write in writes { store[write.key] = write.value }
            return .saved
        case .list:
            return .listed(listing: Data(), more: false, marker: true)
        case .probe(_, let paths):
            return .probed(results: paths.map { _ in .failed(failure: .missing) }, marker: true)
        case .discard:
            return .discarded
        case .hash, .read, .stage, .commit, .folderList, .folderProbe, .folderRead, .folderCreate, .folderRemove,
            .folderFetch, .deliver, .applyRows:
            throw Unexpected.work(work)
        }
    }

    private func load(_ query: LoadQuery) -> Outcome {
        switch query {
        case .keys(let keys):
            let pairs = keys.compactMap { key in store[key.bytes].map { Pair(key: key.bytes, value: $0) } }
            return .loaded(pairs: pairs, more: false)
        case .range(let start, let end, let bytesMax):
            let inside = store.filter { !$0.key.lexicographicallyPrecedes(start) && $0.key.lexicographicallyPrecedes(end) }
            let found = inside.sorted { $0.key.lexicographicallyPrecedes($1.key) }
            var bytes = 0
            let page = found.prefix { pair in
                let first = bytes == 0
                bytes += pair.key.count + pair.value.count
                return first || bytes <= Int(bytesMax)
            }
            return .loaded(pairs: page.map { Pair(key: $0.key, value: $0.value) }, more: page.count < found.count)
        }
    }
}
