"""Rows of applications' tables: operations, and what they come to (docs/protocol.md §11)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import NamedTuple

from syncline_wire import EachLength, Keys, LengthRuns, Pace, Records, Refused, Run, Shape, TableOperations

NAME_MAX_BYTES = 255
KEY_MAX_BYTES = 1024
KEYS_MAX_BYTES = 8 << 20
VALUES_MAX = 1 << 18
LAST_NS = ((1 << 32) - 1) * 1_000_000_000 + 999_999_999

METHODS = ("OwnedBatchCreate", "OwnedDelete", "SharedCreate", "SharedUpdate", "SharedDelete")
OWNED_BATCH_CREATE, OWNED_DELETE, SHARED_CREATE, SHARED_UPDATE, SHARED_DELETE = range(5)
DELETIONS = (OWNED_DELETE, SHARED_DELETE)
SHARED_ONLY = (SHARED_CREATE, SHARED_UPDATE, SHARED_DELETE)


class Stamp(NamedTuple):
    """When, and by which replica: as a tuple it is in the order of §11.1."""

    unix_ns: int
    number: int

    @classmethod
    def of(cls, unix_ns: int, replica: bytes) -> Stamp:
        return cls(unix_ns, int.from_bytes(replica, "little"))

    @property
    def replica(self) -> bytes:
        return self.number.to_bytes(16, "little")

    def text(self) -> str:
        seconds, nanoseconds = divmod(self.unix_ns, 1_000_000_000)
        time = datetime.fromtimestamp(seconds, timezone.utc)
        return f"{time:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09}Z/{self.replica.hex().upper()}"


class Operation(NamedTuple):
    table: str
    key: bytes
    method: int
    at: Stamp
    values: list[tuple[str, bytes]]


def operations_of(entry: Records, author: bytes) -> list[Operation]:
    """All operations of an entry; refused if its columns do not fit together (§11.2)."""
    operations, keys_left = [], KEYS_MAX_BYTES
    for table in entry.tables:
        keys, keys_left = keys_of(table.keys, keys_left)
        operations += zip_columns(table, keys, author)
    return operations


def keys_of(keys: Keys, bytes_left: int) -> tuple[list[bytes], int]:
    if len(keys.shared) != len(keys.lengths):
        raise Refused("the columns of keys are of two lengths")
    found, before, at = [], b"", 0
    for shared, length in zip(keys.shared, keys.lengths, strict=True):
        bytes_left -= shared + length
        if shared + length > KEY_MAX_BYTES or bytes_left < 0:
            raise Refused("a key is too long, or all keys are")
        if shared > len(before) or at + length > len(keys.rests):
            raise Refused("a key has more in common with the one before than that has, or ends behind its column")
        before = before[:shared] + keys.rests[at : at + length]
        at += length
        found.append(before)
    if at != len(keys.rests):
        raise Refused("bytes follow the last key")
    return found, bytes_left


def zip_columns(table: TableOperations, keys: list[bytes], author: bytes) -> Iterator[Operation]:
    check_names(table)
    count = len(table.rows)
    if any(run.shape >= len(table.shapes) for run in table.shaped) or any(row >= len(keys) for row in table.rows):
        raise Refused("an operation's shape or row is none of its table's")
    shapes = expanded([(run.shape, run.count) for run in table.shaped], count)
    steps = expanded([(pace.step, pace.count) for pace in table.paced], count)
    at_ns, lengths, at = 0, iter(lengths_of(table.lengths)), 0
    for row, number, step in zip(table.rows, shapes, steps, strict=True):
        at_ns += step
        shape, values = table.shapes[number], []
        for name in shape.properties:
            length = next(lengths, None)
            if length is None or at + length > len(table.values):
                raise Refused("there are fewer values than the operations need")
            values.append((table.properties[name], table.values[at : at + length]))
            at += length
        yield Operation(table.table, keys[row], shape.method, Stamp.of(at_ns, author), values)
    if at_ns > LAST_NS:
        raise Refused("a stamp is later than the last one")
    if next(lengths, None) is not None or at != len(table.values):
        raise Refused("there are more values than the operations need")


def lengths_of(lengths: EachLength | LengthRuns) -> list[int]:
    runs = [(each, 1) for each in lengths.lengths] if isinstance(lengths, EachLength) else lengths.runs
    count = sum(times for _, times in runs)
    if count > VALUES_MAX:
        raise Refused("there are more values than a message has")
    return expanded(runs, count)


def check_names(table: TableOperations) -> None:
    if any(len(name.encode()) > NAME_MAX_BYTES for name in [table.table, *table.properties]):
        raise Refused("a table's or a property's name is too long")
    for shape in table.shapes:
        if shape.properties != sorted(set(shape.properties)):
            raise Refused("the properties of a shape are not in order")
        if shape.properties and shape.method in DELETIONS:
            raise Refused("a deletion has values")
        if shape.properties and shape.properties[-1] >= len(table.properties):
            raise Refused("a property of a shape is none of its table's")


def expanded(runs: list[tuple[int, int]], count: int) -> list[int]:
    """Runs written out, which must be so many: what they claim is counted before any of it is made."""
    if sum(times for _, times in runs) != count:
        raise Refused("a column is longer or shorter than the operations need")
    return [value for value, times in runs for _ in range(times)]


def entry_of(operations: list[Operation]) -> Records:
    """An entry with these operations. Nothing is packed: each has its own key, shape and pace."""
    tables: dict[str, list[Operation]] = {}
    for operation in sorted(operations, key=lambda operation: operation.at):
        tables.setdefault(operation.table, []).append(operation)
    return Records([columns_of(table, written) for table, written in tables.items()])


def columns_of(table: str, operations: list[Operation]) -> TableOperations:
    properties = sorted({name for operation in operations for name, _ in operation.values})
    values = [sorted((properties.index(name), value) for name, value in operation.values) for operation in operations]
    shapes = [
        Shape(operation.method, [name for name, _ in own]) for operation, own in zip(operations, values, strict=True)
    ]
    keys = [operation.key for operation in operations]
    times = [0, *(operation.at.unix_ns for operation in operations)]
    every = [value for own in values for _, value in own]
    return TableOperations(
        table,
        properties,
        shapes,
        Keys([0] * len(keys), [len(key) for key in keys], b"".join(keys)),
        [Run(number, 1) for number in range(len(shapes))],
        list(range(len(keys))),
        [Pace(after - before, 1) for before, after in zip(times, times[1:], strict=False)],
        EachLength([len(value) for value in every]),
        b"".join(every),
    )


class RowName(NamedTuple):
    """Shared rows come first, then those of each owner, both in the order of their keys."""

    table: str
    owner: bytes
    key: bytes


@dataclass
class Row:
    """What all operations on a row come to, in any order and however often they come (§11.3)."""

    created: Stamp | None = None
    touched: Stamp | None = None
    deleted: Stamp | None = None
    values: dict[str, tuple[Stamp, bytes]] = field(default_factory=dict)

    def apply(self, operation: Operation) -> None:
        at, method = operation.at, operation.method
        if method in (OWNED_BATCH_CREATE, SHARED_CREATE):
            self.created = latest(self.created, at)
        if method in (OWNED_BATCH_CREATE, SHARED_UPDATE):
            self.touched = latest(self.touched, at)
        if method in DELETIONS:
            self.deleted = latest(self.deleted, at)
        for name, value in operation.values:
            self.values[name] = max(self.values.get(name, (at, value)), (at, value))

    def exists(self, rule: str) -> bool:
        """By the rule of its table: `set`, `deletion wins` or `update revives`."""
        if self.created is None:
            return False
        if rule == "set" or self.deleted is None:
            return True
        return rule == "update revives" and self.touched is not None and self.touched > self.deleted

    def standing(self, rule: str) -> Stamp | None:
        """The stamp that its being there or not rests on."""
        return latest(self.created, self.touched) if self.exists(rule) else self.deleted


def latest(one: Stamp | None, other: Stamp | None) -> Stamp | None:
    return max((stamp for stamp in (one, other) if stamp is not None), default=None)


def merged(operations: list[tuple[Operation, bytes]], retracted: dict[bytes, int]) -> dict[RowName, Row]:
    """The rows of these operations, each with the public key of its author's device. What an author took back does not
    count (§10.8), and leaves no row behind."""
    rows: dict[RowName, Row] = {}
    for operation, public_key in operations:
        after_ns = retracted.get(operation.at.replica)
        if after_ns is None or operation.at.unix_ns <= after_ns:
            owner = b"" if operation.method in SHARED_ONLY else public_key
            rows.setdefault(RowName(operation.table, owner, operation.key), Row()).apply(operation)
    return dict(sorted(rows.items()))
