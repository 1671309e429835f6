"""Writes open message folders (docs/protocol.md §10) as one member whose state lies elsewhere."""

from __future__ import annotations

import base64
import ctypes
import fcntl
import json
import os
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from syncline_message import Group, seal
from syncline_reader import (
    COUNTER_NAME,
    SESSION_DIR,
    FolderError,
    U64_MAX,
    elsewhere,
    feed_directories,
    find_group,
    open_group,
    read_folder,
    regular_files,
)
from syncline_wire import Application, Message, Previous, Refused


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename_noreplace(old: Path, new: Path) -> None:
    """For file systems without hard links; Linux only, as Python has no portable form of it."""
    at_cwd, noreplace = -100, 1
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        raise OSError("the file system has no hard links, and this platform no renameat2; use the syncline command")
    if libc.renameat2(at_cwd, os.fsencode(old), at_cwd, os.fsencode(new), noreplace) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(new))


def create_new(path: Path, data: bytes) -> bool:
    """Puts a whole file there, unless one is there already or elsewhere (False). Its bytes are on disk when this returns."""
    if path.name in elsewhere(path.parent):
        return False
    staged = path.parent / f".new-{uuid.uuid4()}"
    try:
        with open(staged, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(staged, path)
        except FileExistsError:
            return False
        except OSError:
            try:
                rename_noreplace(staged, path)
            except FileExistsError:
                return False
    finally:
        staged.unlink(missing_ok=True)
    sync_directory(path.parent)
    return True


def init(folder: Path) -> Group:
    """The folder's session; begins one where there is none."""
    group = find_group(folder)
    if group is not None:
        return group
    directory = folder / SESSION_DIR
    directory.mkdir(exist_ok=True)
    if feed_directories(folder):
        raise FolderError("the folder has feeds but no readable info yet; wait until it has arrived")
    if any(name.startswith("info") for name in elsewhere(directory)):
        raise FolderError("the bytes of the folder's info are elsewhere; wait until they have arrived")
    info = {"format": "syncline", "version": 1, "session": str(uuid.uuid4()), "sealed": False}
    if not create_new(directory / "info", json.dumps(info, indent=2).encode() + b"\n"):
        group = find_group(folder)
        if group is None:
            raise FolderError("the folder has an info that is not readable; wait until it has arrived, or mend it")
    sync_directory(folder)
    return open_group(folder)


@dataclass
class Member:
    """A replica of this program: its state is one file, replaced whole, and saved before anything leaves it.

    `last` are the bytes of the last message. They are saved before they are written into the folder and written again
    at the next start, so a crash in between leaves the same message or, if the state was never saved, none.
    """

    directory: Path
    group: Group
    key: Ed25519PrivateKey
    name: str
    replica: bytes = b""
    counter: int = 0
    lamport: int = 0
    last: bytes = b""

    @classmethod
    def load(cls, directory: Path, group: Group, name: str) -> Member:
        try:
            kept = json.loads((directory / "state.json").read_bytes())
        except FileNotFoundError:
            return cls(directory, group, Ed25519PrivateKey.generate(), name, uuid.uuid4().bytes)
        if kept["format"] != 1:
            raise FolderError(f"the state in {directory} has format {kept['format']}, this program knows 1")
        if kept["session"] != str(uuid.UUID(bytes=group.id)):
            raise FolderError(f"the state in {directory} belongs to session {kept['session']}, not to this folder's")
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(kept["secret_key"]))
        replica, last = uuid.UUID(kept["replica"]).bytes, base64.b64decode(kept["last"])
        return cls(directory, group, key, kept["name"], replica, kept["counter"], kept["lamport"], last)

    def save(self) -> None:
        kept = {
            "format": 1,
            "session": str(uuid.UUID(bytes=self.group.id)),
            "replica": str(uuid.UUID(bytes=self.replica)),
            "secret_key": self.key.private_bytes_raw().hex(),
            "name": self.name,
            "counter": self.counter,
            "lamport": self.lamport,
            "last": base64.b64encode(self.last).decode(),
        }
        staged = self.directory / "state.json.new"
        with open(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(kept, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, self.directory / "state.json")
        sync_directory(self.directory)

    def feed_directory(self, folder: Path) -> Path:
        return folder / SESSION_DIR / str(uuid.UUID(bytes=self.replica))

    def catch_up(self, folder: Path) -> None:
        """Finishes what a crash broke off. A state that is behind its own feed begins a new incarnation (§2.1)."""
        feed = self.feed_directory(folder)
        there = [*regular_files(feed), *elsewhere(feed)] if feed.is_dir() else []
        names = [name for name in there if COUNTER_NAME.fullmatch(name)]
        if any(int(name, 16) > self.counter for name in names):
            print("the state is older than its own feed: going on as a new replica", file=sys.stderr)
            self.replica, self.counter, self.last = uuid.uuid4().bytes, 0, b""
        elif self.counter:
            self.land(folder)

    def land(self, folder: Path) -> bool:
        feed = self.feed_directory(folder)
        if not feed.is_dir():
            feed.mkdir()
            sync_directory(feed.parent)
        return create_new(feed / f"{self.counter:x}", self.last)

    def say(self, folder: Path, entry: Any, seen: int) -> None:
        """Writes one message that comes after all of lamport `seen`."""
        counter, lamport = self.counter + 1, max(self.lamport, seen) + 1
        if max(counter, lamport) > U64_MAX:
            raise FolderError("no counter or lamport is left for another message")
        previous = Previous(self.counter, blake3(self.last).digest()) if self.counter else None
        entries: list[Any] = [] if self.counter else [self.group.introduce(self.key, self.replica, self.name)]
        unix_ms = time.time_ns() // 1_000_000
        entries.append(entry)
        try:
            last = seal(
                self.group, self.key, Message(1, self.replica, counter, lamport, unix_ms, previous, entries, b"")
            )
        except Refused as refusal:
            raise FolderError(f"the message cannot be sent: {refusal}") from refusal
        self.counter, self.lamport, self.last = counter, lamport, last
        self.save()
        if not self.land(folder):
            raise FolderError(f"someone else wrote message {counter:x} of this replica; nothing was overwritten")


def post(folder: Path, state: Path, name: str, payloads: list[bytes]) -> Iterator[dict]:
    """Writes one message for each payload, after all that the folder holds."""
    yield from say(folder, state, name, [Application(payload) for payload in payloads])


def say(folder: Path, state: Path, name: str, entries: list[Any]) -> Iterator[dict]:
    """Writes one message for each entry, after all that the folder holds."""
    if state.resolve().is_relative_to(folder.resolve()):
        raise FolderError("the state is private: it must not lie in the shared folder", 2)
    open_group(folder)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(state / "lock", "wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderError(f"the state in {state} is in use by another process") from error
        group, reading = read_folder(folder)
        member = Member.load(state, group, name)
        member.catch_up(folder)
        for entry in entries:
            member.say(folder, entry, reading.lamport)
            author = str(uuid.UUID(bytes=member.replica))
            yield {"type": "posted", "author": author, "counter": member.counter, "lamport": member.lamport}
