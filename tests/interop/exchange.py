"""Exchanges messages between the `syncline` command and this folder's Python program through one open message folder.

    python exchange.py COMMAND [--count N]

COMMAND is the path of the `syncline` binary. N messages (200 unless told) go each way in turns, so that each side must
have read the other's lamports to be later than they are; in some turns both write at once. At the end both must show
the same messages in the same total order, a member that joins only then too. Exit 1, with what differs, if not.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

PROGRAM = Path(__file__).with_name("syncline_folder.py")
COMMAND_TIMEOUT_S = 120
CHECK_EVERY_TURNS = 40
AT_ONCE_EVERY_TURNS = 10


class Difference(Exception):
    """What the two programs do not agree on."""


class Shown(NamedTuple):
    """A message as a program prints it; as a tuple it is in message order."""

    lamport: int
    unix_ms: int
    author: str
    counter: int
    payload: bytes


def contents(count: int, writer: str) -> list[bytes]:
    """What one side says: every kind of text, each different from all others but the shortest."""
    draw = random.Random(writer)
    special = [
        b" ",
        b"\n",
        b"\t",
        b"0",
        "\u00e9".encode(),
        "e\u0301 is not \u00e9".encode(),
        "family \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466, flag \U0001f1fa\U0001f1f3".encode(),
        "\u202eright to left\u202c \u05e9\u05dc\u05d5\u05dd \u4f60\u597d".encode(),
        b"first line\nsecond line\r\nthird line\n",
        b"\x1b[31mred\x1b[0m \x07\x7f",
        b'{"type":"message","text":"\\"quoted\\" \\u0000"}',
        "\ufeffbehind a mark \ufffd \U0010ffff".encode(),
        b"x" * (100 << 10),
        "\U0001f600".encode() * (25 << 10),
        "\n".join(f"{writer} line {line}" for line in range(5000)).encode()[: 100 << 10],
    ]
    plain = [f"{writer} says {number}: {draw.getrandbits(64):x}".encode() for number in range(count)]
    return [
        special[place // 4] if place % 4 == 3 and place // 4 < len(special) else plain[place] for place in range(count)
    ]


class Side:
    """One member: a program with a state of its own."""

    def __init__(self, name: str, program: list[str], folder: Path, state: Path, read_state: bool):
        self.name = name
        self.program = program
        self.folder = folder
        self.state = ["--state", str(state)]
        self.read_state = self.state if read_state else []
        self.said: list[bytes] = []

    def start(self, *arguments: str | bytes) -> subprocess.Popen:
        return subprocess.Popen([*self.program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def finish(self, process: subprocess.Popen, doing: str) -> bytes:
        try:
            out, err = process.communicate(timeout=COMMAND_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Difference(f"{self.name}: {doing} did not end within {COMMAND_TIMEOUT_S} s") from None
        if process.returncode != 0:
            said = (out[-2000:] + err[-2000:]).decode(errors="replace")
            raise Difference(f"{self.name}: {doing} ended with exit code {process.returncode}:\n{said}")
        return out

    def begin_post(self, payload: bytes) -> subprocess.Popen:
        self.said.append(payload)
        return self.start("post", str(self.folder), *self.state, payload)

    def post(self, payload: bytes) -> None:
        self.finish(self.begin_post(payload), f"post of {payload[:40]!r}")

    def read(self) -> list[Shown]:
        out = self.finish(self.start("read", str(self.folder), *self.read_state, "--json"), "read")
        shown = []
        for line in out.decode("utf-8").split("\n"):
            value = json.loads(line) if line else {"type": "nothing"}
            if value["type"] in ("gap", "unverifiable", "fork", "error"):
                raise Difference(f"{self.name} sees what was never written: {line}")
            if value["type"] == "message":
                text = value.get("text")
                payload = base64.b64decode(value["base64"], validate=True) if text is None else text.encode("utf-8")
                shown.append(Shown(value["lamport"], value["unix_ms"], value["author"], value["counter"], payload))
        return shown


def compare(reader: Side, found: list[Shown], other: Side, expected: list[Shown]) -> None:
    for place, (left, right) in enumerate(zip(found, expected, strict=False)):
        if left != right:
            raise Difference(
                f"message {place} of the total order differs: {reader.name} shows {describe(left)}, "
                f"{other.name} shows {describe(right)}"
            )
    if len(found) != len(expected):
        raise Difference(f"{reader.name} shows {len(found)} messages, {other.name} {len(expected)}")


def describe(shown: Shown) -> str:
    what = f"{shown.payload[:40]!r} of {len(shown.payload)} bytes"
    return f"{shown.author} {shown.counter} (lamport {shown.lamport}, {shown.unix_ms} ms): {what}"


def check(sides: list[Side]) -> list[Shown]:
    """Both must show the same, in message order, and of each writer exactly what it said, in its order."""
    views = [side.read() for side in sides]
    compare(sides[0], views[0], sides[1], views[1])
    view = views[0]
    if view != sorted(view):
        raise Difference("both show the messages in an order that is not (lamport, unix_ms, author, counter)")
    feeds: dict[str, list[bytes]] = {}
    for shown in view:
        feeds.setdefault(shown.author, []).append(shown.payload)
    if sorted(feeds.values()) != sorted(side.said for side in sides if side.said):
        counts = {author: len(feed) for author, feed in feeds.items()}
        raise Difference(f"the feeds are not what was said in its order; by author: {counts}")
    return view


def check_later(side: Side, before: list[Shown], after: list[Shown]) -> None:
    """Whoever wrote last had read all before, so its lamport must be the highest, and no other's."""
    if before and after[-1].lamport <= before[-1].lamport:
        raise Difference(
            f"{side.name} wrote {describe(after[-1])} without having read {describe(before[-1])}, which stood there"
        )
    if after[-1].payload != side.said[-1]:
        raise Difference(f"{side.name} wrote last, but the last in the total order is {describe(after[-1])}")


def exchange(command: list[str], count: int, home: Path) -> str:
    folder = home / "folder"
    folder.mkdir()
    program = [sys.executable, "-B", str(PROGRAM)]
    python = Side("python", program, folder, home / "python", read_state=False)
    syncline = Side("syncline", [*command, "messages"], folder, home / "syncline", read_state=True)
    sides = [python, syncline]
    python.finish(python.start("init", str(folder)), "init")
    waiting = [contents(count, side.name) for side in sides]
    # Only this program can be given what is no text: the command must show it as base64.
    waiting[0][1:3] = [b"", b"no text: \xff\xfe\x80"][: len(waiting[0][1:3])]

    for turn, payloads in enumerate(zip(*waiting, strict=True)):
        if turn % AT_ONCE_EVERY_TURNS == AT_ONCE_EVERY_TURNS - 1:
            posts = [side.begin_post(payload) for side, payload in zip(sides, payloads, strict=True)]
            for side, post in zip(sides, posts, strict=True):
                side.finish(post, "post at the same time as the other")
            continue
        watched = turn < 3 or turn % CHECK_EVERY_TURNS == 0
        for side, payload in zip(sides, payloads, strict=True):
            before = check(sides) if watched else []
            side.post(payload)
            if watched:
                check_later(side, before, check(sides))
    view = check(sides)
    python.finish(python.start("check", str(folder)), "check")

    late = Side("syncline, joining last", [*command, "messages"], folder, home / "late", read_state=True)
    compare(late, late.read(), python, view)
    python.finish(python.start("check", str(folder)), "check after the last one joined")
    compare(python, python.read(), late, view)
    turns_of_writers = sum(a.author != b.author for a, b in pairwise(view))
    return f"{len(view)} messages, {count} each way, the same order everywhere; the writer changes {turns_of_writers} times"


def main() -> int:
    parser = argparse.ArgumentParser(description="exchanges messages with the syncline command through an open folder")
    parser.add_argument("command", nargs="+", help="the syncline binary (further words stand before its arguments)")
    parser.add_argument("--count", type=int, default=200, help="messages each way")
    arguments = parser.parse_args()
    # Keeps what the command remembers of members it was given no state for out of the user's home.
    with tempfile.TemporaryDirectory(prefix="syncline-exchange-") as home:
        os.environ["XDG_STATE_HOME"] = str(Path(home) / "state-home")
        try:
            print(exchange(arguments.command, arguments.count, Path(home)))
        except Difference as difference:
            print(f"error: {difference}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
