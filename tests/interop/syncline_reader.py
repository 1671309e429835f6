"""Reads open message folders (docs/protocol.md §10): all files, and what they say together."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blake3 import blake3

from syncline_message import MESSAGE_MAX_BYTES, Group, parse_message
from syncline_rows import Operation, Row, RowName, merged, operations_of
from syncline_wire import Application, Checkpoint, Interval, Introduction, Message, Records, Refused, Retraction

SESSION_DIR = "tempo-fs-session"
INFO_MAX_BYTES = 64 << 10
LAMPORT_LEAP_MAX = 1 << 32
COUNTER_NAME = re.compile("[1-9a-f][0-9a-f]{0,15}")
HASH_NAME = re.compile("[0-9a-f]{64}")
PLACEHOLDER_NAME = re.compile(r"\.(.+)\.icloud", re.DOTALL)
U64_MAX = (1 << 64) - 1


class FolderError(Exception):
    """Why a command cannot go on; `code` is the process's exit code."""

    def __init__(self, message: str, code: int = 1):
        super().__init__(message)
        self.code = code


def read_limited(path: Path, limit: int) -> bytes:
    """A regular file's bytes, never more than one byte above `limit`; links are not followed, pipes not waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a regular file")
        return file.read(limit + 1)


def canonical_uuid(text: Any) -> bytes | None:
    try:
        value = uuid.UUID(text)
    except (AttributeError, TypeError, ValueError):
        return None
    return value.bytes if str(value) == text else None


def refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def members_of(value: Any, *names: str) -> dict[str, Any] | None:
    """An object's members of these names; None if it is no object, or one of them stands there twice (§10.2)."""
    if not isinstance(value, tuple):
        return None
    found = [(name, member) for name, member in value if name in names]
    return dict(found) if len(dict(found)) == len(found) else None


def parse_info(data: bytes) -> tuple[bytes, bool] | None:
    """The session's id and whether it is sealed; None for what is no valid info; an error for a later version."""
    try:
        text = data.decode("utf-8") if len(data) <= INFO_MAX_BYTES else "null"
        # Objects become tuples of pairs, which nothing else does: so it is seen what stands there twice.
        value = json.loads(text, parse_constant=refuse_constant, object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        return None
    first = members_of(value, "format", "version") or {}
    version = first.get("version")
    if first.get("format") != "syncline" or type(version) is not int or not 1 <= version <= U64_MAX:
        return None
    if version > 1:
        raise FolderError(f"the folder's format is version {version}, this program reads 1; use a newer one")
    rest = members_of(value, "session", "sealed") or {}
    session, sealed = canonical_uuid(rest.get("session")), rest.get("sealed")
    if session is None or type(sealed) is not bool:
        return None
    check = (members_of(value, "key_check") or {}).get("key_check") if sealed else "0" * 64
    return (session, sealed) if isinstance(check, str) and HASH_NAME.fullmatch(check) else None


def regular_files(directory: Path) -> Iterator[str]:
    with os.scandir(directory) as entries:
        yield from sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))


def elsewhere(directory: Path) -> Iterator[str]:
    """Names of files that are known here and whose bytes are not (§10.1.4)."""
    names = set(regular_files(directory))
    found = (match[1] for name in sorted(names) if (match := PLACEHOLDER_NAME.fullmatch(name)))
    yield from (name for name in found if name not in names)


def feed_directories(folder: Path) -> list[tuple[bytes, Path]]:
    with os.scandir(folder / SESSION_DIR) as entries:
        names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    return sorted((id, folder / SESSION_DIR / name) for name in names if (id := canonical_uuid(name)))


def find_group(folder: Path) -> Group | None:
    """The group that counts in this folder, None where there is no valid info."""
    directory = folder / SESSION_DIR
    if not folder.is_dir():
        raise FolderError(f"expected a folder at {folder}, found none; create it first", 2)
    if directory.is_symlink():
        raise FolderError(f"{directory} is a link, which is not followed")
    if not directory.is_dir():
        return None
    infos = []
    for name in regular_files(directory):
        if name.startswith("info"):
            try:
                infos.append(parse_info(read_limited(directory / name, INFO_MAX_BYTES)))
            except OSError:
                continue
    found = min((info for info in infos if info), default=None)
    if found and found[1]:
        raise FolderError("the session is sealed, this program reads open ones only; use the syncline command")
    return Group(found[0]) if found else None


def open_group(folder: Path) -> Group:
    group = find_group(folder)
    if group is None:
        raise FolderError(f"no readable session in {folder}; wait until its info has arrived, or begin one with init")
    return group


@dataclass
class Held:
    """A verified message and where it stands."""

    message: Message
    hash: bytes
    path: str


@dataclass
class Reading:
    """All that a folder says: messages in message order (§3.4), and what is missing or wrong."""

    messages: list[Held] = field(default_factory=list)
    gaps: list[dict] = field(default_factory=list)
    wrong: list[dict] = field(default_factory=list)

    @property
    def lamport(self) -> int:
        return max((held.message.lamport for held in self.messages), default=0)

    def unverifiable(self, path: str, reason: str, waits: bool = False) -> None:
        self.wrong.append({"type": "unverifiable", "path": path, "reason": reason, "waits": waits})

    def fork(self, held: Held, reason: str) -> None:
        author = str(uuid.UUID(bytes=held.message.author))
        counter = held.message.counter
        self.wrong.append({"type": "fork", "path": held.path, "author": author, "counter": counter, "reason": reason})


def read_message(path: Path, group: Group, author: bytes, counter: int) -> tuple[Message, bytes]:
    """What a file holds, checked as far as it can be without its author's introduction."""
    try:
        data = read_limited(path, MESSAGE_MAX_BYTES)
    except OSError as error:
        raise Refused(f"it cannot be read: {error.strerror or error}") from error
    message = parse_message(data)
    if message.author != author or message.counter != counter:
        raise Refused("its author and counter are not those of its place")
    if counter == 1:
        group.check_introduction(message.entries[0], author)
        group.check_signature(message.entries[0].public_key, data)
    return message, data


def read_feed(folder: Path, directory: Path, group: Group, author: bytes, reading: Reading) -> list[Held]:
    """A feed's verified messages, by counter; says of all others why they are none."""
    counters = sorted(int(name, 16) for name in regular_files(directory) if COUNTER_NAME.fullmatch(name))
    verified: list[Held] = []
    public_key = None
    for counter in counters:
        path = directory / f"{counter:x}"
        shown = path.relative_to(folder).as_posix()
        try:
            message, data = read_message(path, group, author, counter)
            if counter == 1:
                public_key = message.entries[0].public_key
            elif public_key is not None:
                group.check_signature(public_key, data)
        except Refused as refusal:
            reading.unverifiable(shown, str(refusal))
            continue
        if public_key is None:
            reading.unverifiable(shown, "it waits for its author's introduction, the message with counter 1", True)
        else:
            verified.append(Held(message, blake3(data).digest(), shown))
    return verified


def followed(feeds: list[list[Held]], reading: Reading) -> list[list[Held]]:
    """Drops messages whose lamport is out of reach (§3.5) and forks (§3.8). Only what is held moves what is in reach."""
    reach = -1
    while True:
        forks: list[tuple[Held, str]] = []
        held = [without_forks(without_void([one for one in feed if one.message.lamport <= reach]), forks) for feed in feeds]
        highest = max((one.message.lamport for feed in held for one in feed), default=0)
        if reach == highest + LAMPORT_LEAP_MAX:
            break
        reach = max(reach, highest + LAMPORT_LEAP_MAX)
    for one in (one for feed in feeds for one in feed if one.message.lamport > reach):
        reading.unverifiable(one.path, "its lamport is out of reach: it waits until others have come that far", True)
    for one, reason in forks:
        reading.fork(one, reason)
    return held


def voided_in(feed: list[Held]) -> list[Interval]:
    """What the checkpoints of a feed void (§10.8): the last one names what those before it do."""
    checkpoints = [entry for held in feed for entry in held.message.entries if isinstance(entry, Checkpoint)]
    return [interval for checkpoint in checkpoints for interval in checkpoint.voided]


def is_in(counter: int, intervals: list[Interval]) -> bool:
    return any(first <= counter <= last for first, last in intervals)


def without_void(feed: list[Held]) -> list[Held]:
    voided = voided_in(feed)
    return [held for held in feed if not is_in(held.message.counter, voided)]


def without_forks(feed: list[Held], forks: list[tuple[Held, str]]) -> list[Held]:
    """Drops messages that contradict those before them (§3.8): they are taken in the order of their counters."""
    chain: list[Held] = []
    for held in feed:
        previous = held.message.previous
        if chain and chain[-1].message.counter > previous.counter:
            last = chain[-1].message.counter
            forks.append((held, f"it proves that there is no message {last:x}, which is held"))
        elif chain and chain[-1].message.counter == previous.counter and chain[-1].hash != previous.hash:
            forks.append((held, f"the hash that it names is not that of the held message {previous.counter:x}"))
        else:
            chain.append(held)
    return chain


def gaps_of(feed: list[Held]) -> Iterator[dict]:
    """Counters below the last one held that are neither held nor void nor proven empty (§10.5)."""
    known = voided_in(feed)
    for held in feed:
        known.append(Interval(held.message.previous.counter + 1 if held.message.previous else 1, held.message.counter))
    following = 1
    for first, last in sorted(known):
        if first > following:
            author = str(uuid.UUID(bytes=feed[0].message.author))
            yield {"type": "gap", "author": author, "from": following, "to": first - 1}
        following = max(following, last + 1)


def read_folder(folder: Path) -> tuple[Group, Reading]:
    group = open_group(folder)
    reading = Reading()
    feeds = [read_feed(folder, directory, group, author, reading) for author, directory in feed_directories(folder)]
    feeds = followed(feeds, reading)
    reading.gaps = [gap for feed in feeds for gap in gaps_of(feed)]
    reading.messages = sorted((held for feed in feeds for held in feed), key=lambda held: held.message.order)
    return group, reading


def operations_in(reading: Reading) -> list[Operation]:
    """All operations that are held, whether they count or not."""
    held = [(entry, held.message.author) for held in reading.messages for entry in held.message.entries]
    records = [(entry, author) for entry, author in held if isinstance(entry, Records)]
    return [operation for entry, author in records for operation in operations_of(entry, author)]


def rows_in(reading: Reading, until_ns: int) -> dict[RowName, Row]:
    """The rows that they come to. What is stamped later than this is held (§11.1)."""
    keys, retractions = {}, {}
    for message in (held.message for held in reading.messages):
        for entry in message.entries:
            if isinstance(entry, Introduction):
                keys[message.author] = entry.public_key
            if isinstance(entry, Retraction):
                this = (entry.after_ns, message.counter, entry.left)
                retractions[message.author] = min(this, retractions.get(message.author, this))
    retracted = {}
    for author, (after_ns, _, left) in retractions.items():
        for feed in [author, *left]:
            if keys.get(author) == keys.get(feed):
                retracted[feed] = min(after_ns, retracted.get(feed, after_ns))
    counted = [operation for operation in operations_in(reading) if operation.at.unix_ns <= until_ns]
    return merged([(operation, keys[operation.at.replica]) for operation in counted], retracted)


def json_lines(reading: Reading) -> Iterator[dict]:
    for held in reading.messages:
        message = held.message
        for entry in message.entries:
            if isinstance(entry, Application):
                try:
                    content = {"text": entry.payload.decode("utf-8")}
                except UnicodeDecodeError:
                    content = {"base64": base64.b64encode(entry.payload).decode()}
                author = str(uuid.UUID(bytes=message.author))
                stamp = {"counter": message.counter, "lamport": message.lamport, "unix_ms": message.unix_ms}
                yield {"type": "message", "author": author, **stamp, **content}
    yield from reading.gaps
    yield from reading.wrong
