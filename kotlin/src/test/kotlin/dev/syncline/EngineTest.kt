package dev.syncline

import dev.syncline.api.ConfigException
import dev.syncline.api.Event
import dev.syncline.api.NoticeCode
import dev.syncline.api.Outcome
import dev.syncline.api.RootState
import dev.syncline.api.Seed
import java.util.UUID
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class EngineTest {
    @Test
    fun `a new engine starts, saves its beginnings and follows an empty folder`() = Engine(config, Seed(bytes(5))).use { engine ->
        val host = MemoryHost(engine)
        host.send(Event.Start)

        val status = engine.status()
        assertEquals(listOf(ROOT to RootState.FOLLOWING), status.roots.map { it.root to it.state })
        assertFalse(status.failed)
        assertNotNull(status.replica?.let(UUID::fromString))
        assertTrue(host.saves > 0)
        assertTrue(host.store.isNotEmpty())
    }

    @Test
    fun `a second engine on the same store is the same replica`() {
        val first = Engine(config, Seed(bytes(5)))
        val host = MemoryHost(first)
        host.send(Event.Start)

        val second = Engine(config, Seed(bytes(6)))
        MemoryHost(second, host.store).send(Event.Start)
        assertNotNull(first.status().replica)
        assertEquals(first.status().replica, second.status().replica)
        assertArrayEquals(first.status().digest, second.status().digest)
    }

    @Test
    fun `an engine that is told to stop answers that it stopped`() = Engine(config, Seed(bytes(5))).use { engine ->
        val host = MemoryHost(engine)
        host.send(Event.Start)
        host.send(Event.Stop)
        assertTrue(host.stopped)
    }

    @Test
    fun `64-bit integers cross whole`() = Engine(config, Seed(bytes(5))).use { engine ->
        val host = MemoryHost(engine)
        host.send(Event.Start)
        assertTrue(host.tasks.isNotEmpty())
        // A task that no engine asked for is ignored and noticed.
        host.send(Event.Completed(task = ULong.MAX_VALUE - 1u, outcome = Outcome.Saved))
        assertEquals(NoticeCode.HOST_ERROR, host.notices.lastOrNull()?.code)
    }

    @Test
    fun `a configuration that cannot work is a typed error`() {
        val error = assertThrows(ConfigException.SeedLength::class.java) { Engine(config, Seed(bytes(5, count = 31))) }
        assertEquals(31u, error.found)
    }
}
