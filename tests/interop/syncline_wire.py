"""The encoding of Syncline's messages: values, codecs and canonical form (docs/protocol.md §1, §3, §4).

A codec reads a value from bytes and writes it. `parse` reads a whole value, writes it again and refuses it unless the
bytes are the same: so no rule of the canonical form needs a check of its own, but the order within sets.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

PUBLIC_NAME_MAX_BYTES = 256
ENTRY_NAME_MAX_BYTES = 1024
LINK_TARGET_MAX_BYTES = 4095


class Refused(ValueError):
    """Why bytes have no effect."""


class Source:
    """Bytes that are read from the front."""

    def __init__(self, data: bytes):
        self.data = data
        self.at = 0

    def take(self, length: int) -> bytes:
        if length > len(self.data) - self.at:
            raise Refused("it ends in the middle of a value")
        self.at += length
        return self.data[self.at - length : self.at]


class Codec:
    """How values of one type are read and written."""

    def read(self, source: Source) -> Any:
        raise NotImplementedError

    def write(self, value: Any, out: bytearray) -> None:
        raise NotImplementedError

    def encode(self, value: Any) -> bytes:
        out = bytearray()
        self.write(value, out)
        return bytes(out)

    def parse(self, data: bytes) -> Any:
        source = Source(data)
        value = self.read(source)
        if source.at != len(data):
            raise Refused("bytes follow its end")
        if self.encode(value) != data:
            raise Refused("it is not in canonical form")
        return value


class Byte(Codec):
    def read(self, source: Source) -> int:
        return source.take(1)[0]

    def write(self, value: int, out: bytearray) -> None:
        out.append(value)


class Varint(Codec):
    def __init__(self, bits: int):
        self.bits = bits

    def read(self, source: Source) -> int:
        value = 0
        for shift in range(0, self.bits, 7):
            byte = source.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
        else:
            raise Refused("a number has too many bytes")
        if value >> self.bits:
            raise Refused(f"a number does not fit in {self.bits} bits")
        return value

    def write(self, value: int, out: bytearray) -> None:
        while value >= 0x80:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)


class Zigzag(Codec):
    """An `i64`."""

    def read(self, source: Source) -> int:
        value = U64.read(source)
        return value >> 1 ^ -(value & 1)

    def write(self, value: int, out: bytearray) -> None:
        U64.write((value << 1 ^ value >> 63) & (1 << 64) - 1, out)


class Array(Codec):
    """`[u8; length]`."""

    def __init__(self, length: int):
        self.length = length

    def read(self, source: Source) -> bytes:
        return source.take(self.length)

    def write(self, value: bytes, out: bytearray) -> None:
        if len(value) != self.length:
            raise ValueError(f"expected {self.length} bytes, found {len(value)}")
        out += value


class Bytes(Codec):
    def read(self, source: Source) -> bytes:
        return source.take(U64.read(source))

    def write(self, value: bytes, out: bytearray) -> None:
        U64.write(len(value), out)
        out += value


class Text(Codec):
    def read(self, source: Source) -> str:
        try:
            return BYTES.read(source).decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refused("a text is not UTF-8") from error

    def write(self, value: str, out: bytearray) -> None:
        BYTES.write(value.encode("utf-8"), out)


class List(Codec):
    """Reads element by element: a claimed count costs nothing, as an element has at least one byte."""

    def __init__(self, element: Codec):
        self.element = element

    def read(self, source: Source) -> list:
        values = []
        for _ in range(U64.read(source)):
            values.append(self.element.read(source))
        return values

    def write(self, value: list, out: bytearray) -> None:
        U64.write(len(value), out)
        for element in value:
            self.element.write(element, out)


class Option(Codec):
    def __init__(self, some: Codec):
        self.some = some

    def read(self, source: Source) -> Any:
        tag = source.take(1)[0]
        if tag > 1:
            raise Refused(f"an option begins with {tag}, not with 0 or 1")
        return self.some.read(source) if tag else None

    def write(self, value: Any, out: bytearray) -> None:
        out.append(value is not None)
        if value is not None:
            self.some.write(value, out)


class Struct(Codec):
    """A named tuple, its fields' codecs in the tuple's order."""

    def __init__(self, kind: Callable, *fields: Codec):
        self.kind = kind
        self.fields = fields

    def read(self, source: Source) -> Any:
        return self.kind(*[field.read(source) for field in self.fields])

    def write(self, value: Any, out: bytearray) -> None:
        for part, field in zip(value, self.fields, strict=True):
            field.write(part, out)


class Enum(Codec):
    """One of several structures; a value's own type says which."""

    def __init__(self, *variants: Struct):
        self.variants = variants
        self.numbers = {variant.kind: number for number, variant in enumerate(variants)}

    def read(self, source: Source) -> Any:
        number = U32.read(source)
        if number >= len(self.variants):
            raise Refused(f"there is no variant {number} of {len(self.variants)}")
        return self.variants[number].read(source)

    def write(self, value: Any, out: bytearray) -> None:
        number = self.numbers[type(value)]
        U32.write(number, out)
        self.variants[number].write(value, out)


class Checked(Codec):
    """A codec with a rule about its values."""

    def __init__(self, inner: Codec, rule: Callable[[Any], bool], broken: str):
        self.inner = inner
        self.rule = rule
        self.broken = broken

    def read(self, source: Source) -> Any:
        value = self.inner.read(source)
        if not self.rule(value):
            raise Refused(self.broken)
        return value

    def write(self, value: Any, out: bytearray) -> None:
        self.inner.write(value, out)


U16, U32, U64 = Varint(16), Varint(32), Varint(64)
I64, BYTES, TEXT = Zigzag(), Bytes(), Text()
ID, HASH = Array(16), Array(32)


class Place(NamedTuple):
    counter: int
    index: int


class Dot(NamedTuple):
    author: bytes
    place: Place


class Interval(NamedTuple):
    first: Any
    last: Any


class AuthorSet(NamedTuple):
    author: bytes
    intervals: list[Interval]


class File(NamedTuple):
    hash: bytes
    size: int


class Symlink(NamedTuple):
    target: bytes


class Directory(NamedTuple):
    pass


class ContentBody(NamedTuple):
    content: File | Symlink | Directory


class DeletedBody(NamedTuple):
    pass


class Birth(NamedTuple):
    parent: Dot | None
    name: str
    past: list[AuthorSet]
    content: File | Symlink | Directory
    mode: int
    modified_ns: int


class Version(NamedTuple):
    node: Dot
    past: list[AuthorSet]
    body: ContentBody | DeletedBody
    modified_ns: int


class Mode(NamedTuple):
    node: Dot
    mode: int


class Introduction(NamedTuple):
    public_key: bytes
    name: str
    certificate: bytes
    proof: bytes


class Tree(NamedTuple):
    root: bytes
    changes: list[Birth | Version | Mode]


class Application(NamedTuple):
    payload: bytes


class Acknowledgement(NamedTuple):
    received: list[AuthorSet]
    applied: list[AuthorSet]


class Checkpoint(NamedTuple):
    voided: list[Interval]
    cleared: list[Interval]
    decided: int = 0


class StaleMember(NamedTuple):
    author: bytes
    counter: int


class Stale(NamedTuple):
    members: list[StaleMember]


class Shape(NamedTuple):
    method: int
    properties: list[int]


class Keys(NamedTuple):
    shared: list[int]
    lengths: list[int]
    rests: bytes


class Run(NamedTuple):
    shape: int
    count: int


class Pace(NamedTuple):
    step: int
    count: int


class EachLength(NamedTuple):
    lengths: list[int]


class Length(NamedTuple):
    bytes: int
    count: int


class LengthRuns(NamedTuple):
    runs: list[Length]


class TableOperations(NamedTuple):
    table: str
    properties: list[str]
    shapes: list[Shape]
    keys: Keys
    shaped: list[Run]
    rows: list[int]
    paced: list[Pace]
    lengths: EachLength | LengthRuns
    values: bytes


class Records(NamedTuple):
    tables: list[TableOperations]


class Retraction(NamedTuple):
    after_ns: int
    left: list[bytes] = []


class Appoint(NamedTuple):
    member: bytes


class Remove(NamedTuple):
    member: bytes
    last: list[tuple[bytes, int]]


class Discard(NamedTuple):
    member: bytes
    replica: bytes
    after_ns: int


class SetMode(NamedTuple):
    member: bytes
    mode: int
    last: list[tuple[bytes, int]]


class Act(NamedTuple):
    act: Appoint | Remove | Discard | SetMode


class Previous(NamedTuple):
    counter: int
    hash: bytes


class Message(NamedTuple):
    version: int
    author: bytes
    counter: int
    lamport: int
    unix_ms: int
    previous: Previous | None
    entries: list[Introduction | Tree | Application | Acknowledgement | Checkpoint | Stale | Records | Retraction | Act]
    signature: bytes

    @property
    def order(self) -> tuple:
        return (self.lamport, self.unix_ms, self.author, self.counter)


def counters_ascend(intervals: list[Interval]) -> bool:
    """§1.6 over `u64`; §6.1: counter 0 is never in heads. What follows an interval leaves one counter out at least."""
    follows = 1
    for first, last in intervals:
        if not follows <= first <= last:
            return False
        follows = last + 2
    return True


def places_ascend(intervals: list[Interval]) -> bool:
    """§1.6 over places. Nothing but the next index of the same counter is directly behind a place."""
    before = None
    for first, last in intervals:
        if first.counter != last.counter or first > last:
            return False
        if before is not None and (first <= before or first == Place(before.counter, before.index + 1)):
            return False
        before = last
    return True


def authors_ascend(sets: list[AuthorSet]) -> bool:
    authors = [entry.author for entry in sets]
    return all(entry.intervals for entry in sets) and all(a < b for a, b in pairwise(authors))


def sets_of(value: Codec, rule: Callable[[list[Interval]], bool]) -> Codec:
    intervals = Checked(List(Struct(Interval, value, value)), rule, "the intervals of a set are not in order")
    return Checked(List(Struct(AuthorSet, ID, intervals)), authors_ascend, "the authors of a set are not in order")


def is_entry_name(name: str) -> bool:
    fits = 1 <= len(name.encode("utf-8")) <= ENTRY_NAME_MAX_BYTES
    return fits and name not in (".", "..") and "/" not in name and "\0" not in name


PLACE = Struct(Place, U64, U32)
DOT = Struct(Dot, ID, PLACE)
HEADS = sets_of(U64, counters_ascend)
COUNTERS = Checked(List(Struct(Interval, U64, U64)), counters_ascend, "the intervals of a set are not in order")
STALE_MEMBERS = Checked(
    List(Struct(StaleMember, ID, U64)),
    lambda members: all(a.author < b.author for a, b in pairwise(members)),
    "the members of a declaration are not in order",
)
DOT_SET = sets_of(PLACE, places_ascend)
ENTRY_NAME = Checked(TEXT, is_entry_name, "a name of a tree is none that a file can have")
LINK_TARGET = Checked(
    BYTES, lambda target: len(target) <= LINK_TARGET_MAX_BYTES and b"\0" not in target, "a link's target is none"
)
MODE_BITS = Checked(U16, lambda mode: mode <= 0o777, "a mode has other than permission bits")
CONTENT = Enum(Struct(File, HASH, U64), Struct(Symlink, LINK_TARGET), Struct(Directory))
BODY = Enum(Struct(ContentBody, CONTENT), Struct(DeletedBody))
CHANGE = Enum(
    Struct(Birth, Option(DOT), ENTRY_NAME, DOT_SET, CONTENT, MODE_BITS, I64),
    Struct(Version, DOT, DOT_SET, BODY, I64),
    Struct(Mode, DOT, MODE_BITS),
)
PUBLIC_NAME = Checked(
    TEXT, lambda name: len(name.encode("utf-8")) <= PUBLIC_NAME_MAX_BYTES, "a device's name is longer than 256 bytes"
)
CERTIFICATE = Checked(BYTES, lambda certificate: len(certificate) == 64, "a certificate is not of 64 bytes")
METHOD = Checked(U32, lambda method: method <= 4, "there is no method of this number")
NUMBERS = List(U32)
TABLE_OPERATIONS = Struct(
    TableOperations,
    TEXT,
    List(TEXT),
    List(Struct(Shape, METHOD, NUMBERS)),
    Struct(Keys, NUMBERS, NUMBERS, BYTES),
    List(Struct(Run, U32, U32)),
    NUMBERS,
    List(Struct(Pace, U64, U32)),
    Enum(Struct(EachLength, NUMBERS), Struct(LengthRuns, List(Struct(Length, U32, U32)))),
    BYTES,
)
MODE = Checked(U32, lambda mode: mode <= 3, "there is no mode of this number")
ACT = Enum(
    Struct(Appoint, HASH),
    Struct(Remove, HASH, STALE_MEMBERS),
    Struct(Discard, HASH, ID, U64),
    Struct(SetMode, HASH, MODE, STALE_MEMBERS),
)
ENTRY = Enum(
    Struct(Introduction, HASH, PUBLIC_NAME, CERTIFICATE, HASH),
    Struct(Tree, ID, List(CHANGE)),
    Struct(Application, BYTES),
    Struct(Acknowledgement, HEADS, HEADS),
    Struct(Checkpoint, COUNTERS, COUNTERS, U64),
    Struct(Stale, STALE_MEMBERS),
    Struct(Records, List(TABLE_OPERATIONS)),
    Struct(Retraction, U64, List(ID)),
    Struct(Act, ACT),
)
PREVIOUS = Option(Struct(Previous, U64, HASH))
MESSAGE = Struct(Message, Byte(), ID, U64, U64, U64, PREVIOUS, List(ENTRY), Array(64))
