import Foundation
import Syncline
import Testing

@Test("a new engine starts, saves its beginnings and follows an empty folder")
func starts() throws {
    let engine = try Engine(config: MemoryHost.config, seed: MemoryHost.seed(5))
    let host = MemoryHost(engine)
    try host.send(.start)

    let status = engine.status()
    #expect(status.roots.map(\.root) == [MemoryHost.root])
    #expect(status.roots.map(\.state) == [.following])
    #expect(!status.failed)
    #expect(status.replica.flatMap(UUID.init(uuidString:)) != nil)
    #expect(host.saves > 0)
    #expect(!host.store.isEmpty)
}

@Test("a second engine on the same store is the same replica")
func startsAgain() throws {
    let first = try Engine(config: MemoryHost.config, seed: MemoryHost.seed(5))
    let host = MemoryHost(first)
    try host.send(.start)

    let second = try Engine(config: MemoryHost.config, seed: MemoryHost.seed(6))
    let later = MemoryHost(second)
    later.store = host.store
    try later.send(.start)
    #expect(first.status().replica != nil)
    #expect(second.status().replica == first.status().replica)
    #expect(second.status().digest == first.status().digest)
}

@Test("an engine that is told to stop answers that it stopped")
func stops() throws {
    let host = MemoryHost(try Engine(config: MemoryHost.config, seed: MemoryHost.seed(5)))
    try host.send(.start)
    try host.send(.stop)
    #expect(host.stopped)
}

@Test("64-bit integers cross whole")
func crosses64Bits() throws {
    let host = MemoryHost(try Engine(config: MemoryHost.config, seed: MemoryHost.seed(5)))
    try host.send(.start)
    #expect(!host.tasks.isEmpty)
    // A task that no engine asked for is ignored and noticed.
    try host.send(.completed(task: .max - 1, outcome: .saved))
    #expect(host.notices.last?.code == .hostError)
}

@Test("a configuration that cannot work is a typed error")
func refusesConfiguration() {
    #expect(throws: ConfigError.SeedLength(found: 31)) {
        try Engine(config: MemoryHost.config, seed: Seed(bytes: Data(count: 31)))
    }
}
