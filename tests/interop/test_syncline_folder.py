"""Tests of the independent reader and writer. Run `python -m unittest` here, or pytest."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import unittest
import uuid
from pathlib import Path
from unittest import mock

from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import syncline_writer as writer
from syncline_message import (
    FIELD_PRIME,
    GROUP_ORDER,
    MESSAGE_MAX_BYTES,
    SIGNED_ZERO,
    SMALL_ORDER,
    Group,
    parse_message,
    seal,
    verify_strictly,
)
from syncline_reader import COUNTER_NAME, SESSION_DIR, FolderError, json_lines, open_group, read_folder
from syncline_wire import (
    DOT_SET,
    ENTRY,
    ENTRY_NAME,
    HASH,
    HEADS,
    I64,
    LINK_TARGET,
    MESSAGE,
    MODE_BITS,
    TEXT,
    U16,
    U32,
    U64,
    Acknowledgement,
    Act,
    Application,
    AuthorSet,
    Birth,
    Checkpoint,
    ContentBody,
    DeletedBody,
    Directory,
    Dot,
    File,
    Interval,
    Introduction,
    List,
    Message,
    Mode,
    Place,
    Previous,
    Refused,
    SetMode,
    Stale,
    StaleMember,
    Struct,
    Symlink,
    Tree,
    Version,
)

VECTORS = HERE.parent / "vectors" / "content.json"
A, B = bytes(15) + b"\x01", bytes(15) + b"\x02"
LAST_COUNTER = (1 << 64) - 1


def one(author: bytes, *intervals: tuple) -> AuthorSet:
    return AuthorSet(author, [Interval(first, last) for first, last in intervals])


class Encoding(unittest.TestCase):
    """docs/protocol.md §1, spelled out by hand."""

    def test_numbers_have_the_bytes_of_the_page(self):
        for codec, value, shown in (
            (U64, 0, "00"),
            (U64, 127, "7f"),
            (U64, 128, "8001"),
            (U64, 300, "ac02"),
            (U64, LAST_COUNTER, "ffffffffffffffffff01"),
            (U32, 0xFFFFFFFF, "ffffffff0f"),
            (U16, 0xFFFF, "ffff03"),
            (I64, 0, "00"),
            (I64, -1, "01"),
            (I64, 1, "02"),
            (I64, (1 << 63) - 1, "feffffffffffffffff01"),
            (I64, -(1 << 63), "ffffffffffffffffff01"),
            (TEXT, "é", "02c3a9"),
        ):
            with self.subTest(value=value, shown=shown):
                self.assertEqual(codec.encode(value).hex(), shown)
                self.assertEqual(codec.parse(bytes.fromhex(shown)), value)

    def test_padded_overlong_and_too_large_numbers_are_refused(self):
        for codec, shown in (
            (U64, "8000"),
            (U64, "ff00"),
            (U64, "ac8200"),
            (U64, "ffffffffffffffffff02"),
            (U64, "ffffffffffffffffff7f"),
            (U64, "80808080808080808080"),
            (U64, "8080808080808080808000"),
            (U32, "ffffffff1f"),
            (U32, "808080808000"),
            (U16, "ffff07"),
            (U16, "80808000"),
            (U64, ""),
            (U64, "80"),
            (U64, "0000"),
            (TEXT, "02c328"),
            (TEXT, "03eda080"),
            (TEXT, "ffffffffffffffffff01"),
        ):
            with self.subTest(shown=shown), self.assertRaises(Refused):
                codec.parse(bytes.fromhex(shown))

    def test_a_claimed_count_is_not_allocated_for(self):
        with self.assertRaises(Refused):
            List(U64).parse(bytes.fromhex("ffffffffffffffffff01"))

    def test_heads_are_canonical_or_refused(self):
        for good in ([], [one(A, (1, 1))], [one(A, (1, 3), (5, LAST_COUNTER))], [one(A, (2, 2)), one(B, (1, 9))]):
            with self.subTest(good=good):
                self.assertEqual(HEADS.parse(HEADS.encode(good)), good)
        for bad in (
            [one(A)],
            [one(A, (0, 1))],
            [one(A, (2, 1))],
            [one(A, (1, 3), (4, 5))],
            [one(A, (1, 3), (3, 5))],
            [one(A, (5, 6), (1, 2))],
            [one(A, (1, LAST_COUNTER), (1, 1))],
            [one(B, (1, 1)), one(A, (1, 1))],
            [one(A, (1, 1)), one(A, (3, 3))],
        ):
            with self.subTest(bad=bad), self.assertRaises(Refused):
                HEADS.parse(HEADS.encode(bad))

    def test_sets_of_dots_are_canonical_or_refused(self):
        def places(*pairs):
            return [one(A, *[(Place(*first), Place(*last)) for first, last in pairs])]

        for good in (
            places(((1, 0), (1, 4))),
            places(((1, 0), (1, 4)), ((1, 6), (1, 6))),
            places(((1, 0), (1, 4)), ((2, 0), (2, 0))),
            places(((1, 0xFFFFFFFF), (1, 0xFFFFFFFF)), ((2, 0), (2, 0))),
        ):
            with self.subTest(good=good):
                self.assertEqual(DOT_SET.parse(DOT_SET.encode(good)), good)
        for bad in (
            places(((1, 0), (2, 0))),
            places(((1, 4), (1, 0))),
            places(((1, 0), (1, 4)), ((1, 5), (1, 5))),
            places(((1, 0), (1, 4)), ((1, 4), (1, 6))),
            places(((2, 0), (2, 0)), ((1, 0), (1, 0))),
        ):
            with self.subTest(bad=bad), self.assertRaises(Refused):
                DOT_SET.parse(DOT_SET.encode(bad))

    def test_names_targets_and_modes_have_their_limits(self):
        for codec, good, bad in (
            (ENTRY_NAME, ["a", "é" * 512, "...", "a\\b", "\x01"], ["", ".", "..", "a/b", "a\0", "é" * 512 + "a"]),
            (LINK_TARGET, [b"", b"x" * 4095, b"\xff"], [b"x" * 4096, b"a\0b"]),
            (MODE_BITS, [0, 0o777], [0o1000, 0xFFFF]),
        ):
            for value in good:
                with self.subTest(good=value):
                    self.assertEqual(codec.parse(codec.encode(value)), value)
            for value in bad:
                with self.subTest(bad=value), self.assertRaises(Refused):
                    codec.parse(codec.encode(value))

    def test_every_entry_has_the_bytes_of_the_page(self):
        dot, dot_bytes = Dot(A, Place(300, 2)), A.hex() + "ac0202"
        past, past_bytes = [one(A, (Place(1, 0), Place(1, 1)))], "01" + A.hex() + "01" + "0100" + "0101"
        file, file_bytes = File(b"\x11" * 32, 5), "00" + "11" * 32 + "05"
        for entry, shown in (
            (Application(b"hi"), "02" + "02" + "6869"),
            (Application(b""), "0200"),
            (
                Acknowledgement([one(A, (1, 2))], []),
                "03" + "01" + A.hex() + "01" + "0102" + "00",
            ),
            (
                Introduction(b"\x01" * 32, "me", b"\x02" * 64, b"\x03" * 32),
                "00" + "01" * 32 + "02" + "6d65" + "40" + "02" * 64 + "03" * 32,
            ),
            (Tree(B, []), "01" + B.hex() + "00"),
            (
                Checkpoint([Interval(2, 4), Interval(6, 6)], [Interval(3, 3)], 300),
                "04" + "02" + "0204" + "0606" + "01" + "0303" + "ac02",
            ),
            (
                Act(SetMode(b"\x01" * 32, 2, [StaleMember(A, 5)])),
                "08" + "03" + "01" * 32 + "02" + "01" + A.hex() + "05",
            ),
            (Stale([StaleMember(A, 300), StaleMember(B, 0)]), "05" + "02" + A.hex() + "ac02" + B.hex() + "00"),
            (
                Tree(B, [Birth(None, "a", [], file, 0o644, -1), Birth(dot, "b", past, Symlink(b"x"), 0o777, 1)]),
                f"01{B.hex()}02" + f"0000016100{file_bytes}a40301" + f"0001{dot_bytes}0162{past_bytes}010178ff0302",
            ),
            (
                Tree(B, [Birth(None, "d", [], Directory(), 0o755, 0), Mode(dot, 0o600)]),
                f"01{B.hex()}02" + "000001640002ed0300" + f"02{dot_bytes}8003",
            ),
            (
                Tree(B, [Version(dot, past, ContentBody(file), 64), Version(dot, [], DeletedBody(), 0)]),
                f"01{B.hex()}02" + f"01{dot_bytes}{past_bytes}00{file_bytes}8001" + f"01{dot_bytes}000100",
            ),
        ):
            with self.subTest(entry=entry):
                self.assertEqual(ENTRY.encode(entry).hex(), shown)
                parsed = ENTRY.parse(bytes.fromhex(shown))
                self.assertEqual((type(parsed), parsed), (type(entry), entry))

    def test_a_message_has_the_bytes_of_the_page(self):
        message = Message(1, A, 300, 2, 1000, Previous(7, b"\x22" * 32), [Application(b"hi")], b"\x33" * 64)
        shown = "01" + A.hex() + "ac02" + "02" + "e807" + "01" + "07" + "22" * 32 + "01" + "02026869" + "33" * 64
        self.assertEqual(MESSAGE.encode(message).hex(), shown)
        self.assertEqual(parse_message(bytes.fromhex(shown)), message)

    def test_unknown_variants_and_tags_are_refused(self):
        for shown in ("04", "8400", "01" + B.hex() + "0103", "01" + B.hex() + "010002"):
            with self.subTest(shown=shown), self.assertRaises(Refused):
                ENTRY.parse(bytes.fromhex(shown))


ONE_BEFORE = Previous(1, bytes(32))


class MessageRules(unittest.TestCase):
    """docs/protocol.md §3, on messages that are in canonical form."""

    introduction = Introduction(b"\x01" * 32, "me", b"\x02" * 64, b"\x03" * 32)

    def parse(self, counter=2, previous=ONE_BEFORE, entries=(), version=1):
        return parse_message(MESSAGE.encode(Message(version, A, counter, 1, 1, previous, list(entries), bytes(64))))

    def test_what_the_rules_allow_is_taken(self):
        self.parse()
        self.parse(counter=1, previous=None, entries=[self.introduction, Application(b""), Tree(B, []), Tree(B, [])])
        self.parse(counter=LAST_COUNTER, entries=[Acknowledgement([], []), Application(b"x")])

    def test_what_the_rules_forbid_is_refused(self):
        heads, text, nobody = Acknowledgement([], []), Application(b""), Previous(0, bytes(32))
        for what, arguments in (
            ("version 0", {"version": 0}),
            ("version 2", {"version": 2}),
            ("counter 0", {"counter": 0, "previous": None}),
            ("first with a previous", {"counter": 1, "entries": [self.introduction]}),
            ("second without a previous", {"previous": None}),
            ("previous 0", {"previous": nobody}),
            ("previous itself", {"previous": Previous(2, bytes(32))}),
            ("previous later", {"previous": Previous(3, bytes(32))}),
            ("first without introduction", {"counter": 1, "previous": None, "entries": [text]}),
            ("introduction not first", {"counter": 1, "previous": None, "entries": [text, self.introduction]}),
            ("two introductions", {"counter": 1, "previous": None, "entries": [self.introduction] * 2}),
            ("introduction later", {"entries": [self.introduction]}),
            ("two applications", {"entries": [text, heads, text]}),
            ("two acknowledgements", {"entries": [heads, heads]}),
            ("two declarations", {"entries": [Stale([]), Stale([])]}),
            ("two checkpoints", {"counter": 9, "entries": [Checkpoint([Interval(2, 3)], [])] * 2}),
            ("a checkpoint of nothing", {"counter": 9, "entries": [Checkpoint([], [])]}),
            ("a checkpoint of the first message", {"counter": 9, "entries": [Checkpoint([Interval(1, 3)], [])]}),
            ("a checkpoint of itself", {"counter": 9, "entries": [Checkpoint([Interval(2, 9)], [])]}),
            ("cleared and not void", {"counter": 9, "entries": [Checkpoint([Interval(2, 3)], [Interval(3, 4)])]}),
        ):
            with self.subTest(what=what), self.assertRaises(Refused):
                self.parse(**arguments)

    def test_the_longest_message_is_a_mebibyte(self):
        room = MESSAGE_MAX_BYTES - len(
            MESSAGE.encode(Message(1, A, 2, 1, 1, Previous(1, bytes(32)), [Application(b"x" * (1 << 19))], bytes(64)))
        )
        self.parse(entries=[Application(b"x" * ((1 << 19) + room))])
        with self.assertRaises(Refused):
            self.parse(entries=[Application(b"x" * ((1 << 19) + room + 1))])


class Vectors(unittest.TestCase):
    """The repository's vectors: the hashes and the list encoding are the engine's, too."""

    def test_content_ids_are_those_of_the_vectors(self):
        chunk_list = List(Struct(Interval, HASH, U32))
        vectors = json.loads(VECTORS.read_text())
        self.assertGreater(len(vectors), 10)
        for vector in vectors:
            with self.subTest(vector["name"]):
                data = self.make(vector["make"], vector["size"])
                chunks, at = [], 0
                for length in vector["chunks"]:
                    chunks.append(Interval(blake3(data[at : at + length]).digest(), length))
                    at += length
                if not chunks:
                    self.assertEqual(blake3(data).hexdigest(), vector["content"])
                    continue
                manifest = chunk_list.encode(chunks)
                self.assertEqual(chunk_list.parse(manifest), chunks)
                self.assertEqual(blake3(manifest).hexdigest(), vector["manifest"])
                context = "syncline 2026-11 content manifest v1"
                self.assertEqual(blake3(manifest, derive_key_context=context).hexdigest(), vector["content"])

    def make(self, how: dict, size: int) -> bytes:
        if "byte" in how:
            return bytes([how["byte"]]) * size
        if "blake3" in how:
            return blake3(how["blake3"].encode()).digest(length=size)
        period = self.make({"blake3": how["repeat"]["of"]}, how["repeat"]["period"])
        return (period * (size // len(period) + 1))[:size]


class Signatures(unittest.TestCase):
    """docs/protocol.md §2.5."""

    def test_the_first_vector_of_rfc_8032_verifies(self):
        key = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
        signature = bytes.fromhex(
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        )
        self.assertTrue(verify_strictly(key, signature, b""))
        self.assertFalse(verify_strictly(key, signature, b"x"))

    def test_a_signature_with_s_beyond_the_order_is_refused(self):
        key = Ed25519PrivateKey.generate()
        public, signature = key.public_key().public_bytes_raw(), key.sign(b"text")
        s = int.from_bytes(signature[32:], "little") + GROUP_ORDER
        self.assertTrue(verify_strictly(public, signature, b"text"))
        self.assertFalse(verify_strictly(public, signature[:32] + s.to_bytes(32, "little"), b"text"))

    def test_keys_of_small_order_and_not_in_canonical_form_are_refused(self):
        padded = [(FIELD_PRIME + y).to_bytes(32, "little") for y in (0, 1)]
        for key in [*SMALL_ORDER, *SIGNED_ZERO, *padded, b"\xff" * 32]:
            for nonce in SMALL_ORDER:
                for text in range(4):
                    with self.subTest(key=key.hex(), nonce=nonce.hex(), text=text):
                        self.assertFalse(verify_strictly(key, nonce + bytes(32), bytes([text])))

    def test_a_key_of_small_order_is_refused_though_anything_fits_it(self):
        key = Ed25519PrivateKey.generate()
        identity = b"\x01" + bytes(31)
        signature = key.public_key().public_bytes_raw() + (scalar_of(key) % GROUP_ORDER).to_bytes(32, "little")
        Ed25519PublicKey.from_public_bytes(identity).verify(signature, b"anything")
        self.assertFalse(verify_strictly(identity, signature, b"anything"))
        signed_zero = b"\x01" + bytes(30) + b"\x80"
        self.assertIn(signed_zero, SIGNED_ZERO)
        self.assertFalse(verify_strictly(signed_zero, signature, b"anything"))

    def test_a_signature_whose_nonce_is_of_small_order_is_refused_though_it_fits(self):
        key = Ed25519PrivateKey.generate()
        public, text, nonce = key.public_key().public_bytes_raw(), b"text", b"\x01" + bytes(31)
        k = int.from_bytes(hashlib.sha512(nonce + public + text).digest(), "little")
        signature = nonce + (k * scalar_of(key) % GROUP_ORDER).to_bytes(32, "little")
        key.public_key().verify(signature, text)
        self.assertFalse(verify_strictly(public, signature, text))

    def test_the_points_of_small_order_are_the_eight_that_there_are(self):
        self.assertEqual(len(SMALL_ORDER), 8)
        for encoded in SMALL_ORDER:
            with self.subTest(encoded.hex()):
                point = decompress(encoded)
                for _ in range(3):
                    point = add(point, point)
                self.assertEqual(point, (0, 1))


def scalar_of(key: Ed25519PrivateKey) -> int:
    """The secret scalar, by RFC 8032, 5.1.5."""
    scalar = int.from_bytes(hashlib.sha512(key.private_bytes_raw()).digest()[:32], "little")
    return scalar & ~7 & (1 << 255) - 1 | 1 << 254


def decompress(encoded: bytes) -> tuple[int, int]:
    """A point of edwards25519, by RFC 8032, 5.1.3."""
    p, d = FIELD_PRIME, -121665 * pow(121666, -1, FIELD_PRIME)
    number = int.from_bytes(encoded, "little")
    y, sign = number & ~(1 << 255), number >> 255
    square = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
    x = pow(square, (p + 3) // 8, p)
    if x * x % p != square:
        x = x * pow(2, (p - 1) // 4, p) % p
    assert x * x % p == square
    return (p - x if x and x & 1 != sign else x), y


def add(left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
    p, d = FIELD_PRIME, -121665 * pow(121666, -1, FIELD_PRIME)
    (x1, y1), (x2, y2) = left, right
    both = d * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + both, -1, p) % p
    return x, (y1 * y2 + x1 * x2) * pow(1 - both, -1, p) % p


class InFolder(unittest.TestCase):
    """A fresh folder with an open session, and states beside it."""

    def setUp(self):
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.home = Path(home.name)
        self.folder = self.home / "folder"
        self.folder.mkdir()
        self.session = self.folder / SESSION_DIR
        self.group = writer.init(self.folder)

    def post(self, who: str, *texts: str) -> list[dict]:
        payloads = [text.encode() for text in texts]
        return list(writer.post(self.folder, self.home / who, who, payloads))

    def lines(self) -> list[dict]:
        return list(json_lines(read_folder(self.folder)[1]))

    def of(self, kind: str) -> list[dict]:
        return [line for line in self.lines() if line["type"] == kind]

    def texts(self) -> list[str]:
        return [line["text"] for line in self.of("message")]

    def feed(self, posted: list[dict]) -> Path:
        return self.session / posted[0]["author"]


class Author:
    """Writes messages by hand, also such as no honest program writes."""

    def __init__(self, group: Group, session: Path, replica: bytes = b"\x42" * 16):
        self.group, self.replica = group, replica
        self.key = Ed25519PrivateKey.generate()
        self.directory = session / str(uuid.UUID(bytes=replica))
        self.directory.mkdir()

    def message(
        self, counter: int, lamport: int, previous: Previous | None, text: str = "", unix_ms: int = 1, entry=None
    ) -> bytes:
        entries = [] if previous else [self.group.introduce(self.key, self.replica, "by hand")]
        entries.append(entry or Application(text.encode()))
        message = Message(1, self.replica, counter, lamport, unix_ms, previous, entries, b"")
        return seal(self.group, self.key, message)

    def write(self, counter: int, *arguments, **named) -> Previous:
        data = self.message(counter, *arguments, **named)
        (self.directory / f"{counter:x}").write_bytes(data)
        return Previous(counter, blake3(data).digest())


class Reading(InFolder):
    def test_messages_of_two_come_in_message_order(self):
        first = self.post("a", "one", "two")
        second = self.post("b", "three")
        self.post("a", "four")
        self.assertEqual(self.texts(), ["one", "two", "three", "four"])
        self.assertEqual([line["lamport"] for line in self.of("message")], [1, 2, 3, 4])
        self.assertEqual(
            [(line["author"], line["counter"]) for line in self.of("message")],
            [(first[0]["author"], 1), (first[0]["author"], 2), (second[0]["author"], 1), (first[0]["author"], 3)],
        )
        self.assertEqual(len(self.lines()), 4)

    def test_equal_lamports_are_ordered_by_time_then_author(self):
        for author, unix_ms in ((3, 5), (2, 9), (1, 9)):
            Author(self.group, self.session, bytes([author]) * 16).write(1, 7, None, f"{author}", unix_ms)
        self.assertEqual(self.texts(), ["3", "1", "2"])

    def test_what_is_no_text_is_shown_as_base64(self):
        list(writer.post(self.folder, self.home / "a", "a", [b"\xff\xfe", b""]))
        self.assertEqual([line.get("base64", line.get("text")) for line in self.of("message")], ["//4=", ""])

    def test_only_names_of_the_page_are_counters(self):
        for good in ("1", "f", "10", "deadbeef", "ffffffffffffffff"):
            self.assertTrue(COUNTER_NAME.fullmatch(good), good)
        feed = self.feed(self.post("a", "one"))
        message = (feed / "1").read_bytes()
        names = [
            "0",
            "01",
            "05",
            "0A",
            "A",
            "0x1",
            "1" * 17,
            "5 (1)",
            "5 ",
            " 5",
            "5\n",
            "５",
            "٥",
            "-1",
            "+1",
            "1.0",
            "1_0",
        ]
        names += [
            "5.sync-conflict-20260101-000000-ABC",
            "5 (conflicted copy)",
            ".5.icloud",
            ".DS_Store",
            "desktop.ini",
            "g",
        ]
        for name in names:
            (feed / name).write_bytes(message)
        (feed / "6").symlink_to(feed / "1")
        (feed / "7").mkdir()
        os.mkfifo(feed / "8")
        self.assertEqual([line["type"] for line in self.lines()], ["message"])

    def test_only_canonical_replica_ids_are_feeds(self):
        feed = self.feed(self.post("a", "one"))
        name = feed.name
        others = [
            name.upper(),
            name.replace("-", ""),
            "{" + name + "}",
            f"urn:uuid:{name}",
            name + " (1)",
            name + " ",
            "x",
        ]
        for other in others:
            (self.session / other).mkdir()
            (self.session / other / "1").write_bytes((feed / "1").read_bytes())
        (self.session / str(uuid.uuid4())).symlink_to(feed)
        (self.session / str(uuid.uuid4())).write_bytes(b"a file")
        self.assertEqual([line["type"] for line in self.lines()], ["message"])

    def test_every_truncation_and_extension_is_unverifiable_and_no_error(self):
        feed = self.feed(self.post("a", "one", "two"))
        for name in "1", "2":
            whole = (feed / name).read_bytes()
            for data in [*(whole[:length] for length in range(len(whole))), whole + b"\0", whole + whole]:
                (feed / name).write_bytes(data)
                self.assertEqual([line["path"][-1] for line in self.of("unverifiable")][:1], [name], len(data))
            (feed / name).write_bytes(whole)
        self.assertEqual([line["type"] for line in self.lines()], ["message", "message"])

    def test_every_flipped_bit_is_unverifiable_and_no_error(self):
        feed = self.feed(self.post("a", "one", "two"))
        for name in "1", "2":
            whole = (feed / name).read_bytes()
            for bit in range(len(whole) * 8):
                flipped = bytearray(whole)
                flipped[bit // 8] ^= 1 << bit % 8
                (feed / name).write_bytes(flipped)
                self.assertEqual([line["path"][-1] for line in self.of("unverifiable")][:1], [name], bit)
            (feed / name).write_bytes(whole)
        self.assertEqual(self.texts(), ["one", "two"])

    def test_drawn_bytes_are_unverifiable_and_no_error(self):
        draw = random.Random(5)
        feed = self.feed(self.post("a", "one"))
        head = (feed / "1").read_bytes()[:18]
        for round in range(500):
            (feed / "2").write_bytes(head * (round % 2) + draw.randbytes(draw.randrange(300)))
            self.assertEqual(len(self.of("unverifiable")), 1)

    def test_padded_numbers_are_refused_though_signed(self):
        author = Author(self.group, self.session)
        first = author.write(1, 1, None, "one")
        body = author.message(2, 2, first, "two")[:-64]
        # The lamport stands behind version, author and a counter of one byte.
        padded = body[:18] + b"\x82\x00" + body[19:]
        self.assertEqual(body[18], 2)
        (author.directory / "2").write_bytes(padded + author.key.sign(self.group.signed(padded)))
        self.assertIn("canonical", self.of("unverifiable")[0]["reason"])

    def test_a_message_counts_only_at_its_own_place(self):
        feed = self.feed(self.post("a", "one", "two"))
        other = self.feed(self.post("b", "three"))
        (feed / "3").write_bytes((feed / "2").read_bytes())
        (other / "2").write_bytes((feed / "2").read_bytes())
        self.assertEqual(len(self.of("unverifiable")), 2)
        self.assertEqual(self.texts(), ["one", "two", "three"])

    def test_a_message_by_another_key_is_unverifiable(self):
        author = Author(self.group, self.session)
        first = author.write(1, 1, None, "one")
        author.key = Ed25519PrivateKey.generate()
        author.write(2, 2, first, "two")
        self.assertIn("signature", self.of("unverifiable")[0]["reason"])

    def test_an_introduction_for_another_group_or_replica_is_refused(self):
        stranger = Group(bytes(16))
        for place, (group, replica, reason) in enumerate(
            ((stranger, None, "proof"), (self.group, B, "proof"), (self.group, None, "certificate"))
        ):
            author = Author(self.group, self.session, bytes([place + 1]) * 16)
            good = self.group.introduce(author.key, author.replica, "x")
            bad = group.introduce(author.key, replica or author.replica, "x")
            entry = good._replace(certificate=bytes(64)) if reason == "certificate" else bad
            message = Message(1, author.replica, 1, 1, 1, None, [entry], b"")
            (author.directory / "1").write_bytes(seal(self.group, author.key, message))
            found = [line for line in self.of("unverifiable") if author.directory.name in line["path"]]
            with self.subTest(place):
                self.assertIn(reason, found[0]["reason"])

    def test_a_file_longer_than_a_message_is_refused_without_reading_it(self):
        feed = self.feed(self.post("a", "one"))
        with open(feed / "7", "wb") as file:
            file.truncate(2 << 30)
        self.assertIn("longer", self.of("unverifiable")[0]["reason"])

    def test_others_wait_for_the_introduction_and_are_there_when_it_comes(self):
        feed = self.feed(self.post("a", "one", "two", "three"))
        (feed / "1").rename(self.home / "evicted")
        self.assertEqual([line["waits"] for line in self.lines()], [True, True])
        (self.home / "evicted").rename(feed / "1")
        self.assertEqual(self.texts(), ["one", "two", "three"])

    def test_a_gap_is_told_and_hides_nothing_else(self):
        feed = self.feed(self.post("a", "1", "2", "3", "4", "5", "6"))
        for name in "2", "3", "5":
            (feed / name).unlink()
        self.assertEqual(self.texts(), ["1", "4", "6"])
        gap = {"type": "gap", "author": feed.name}
        self.assertEqual(self.of("gap"), [{**gap, "from": 2, "to": 3}, {**gap, "from": 5, "to": 5}])

    def test_the_largest_counter_makes_one_gap(self):
        author = Author(self.group, self.session)
        author.write(1, 1, None, "one")
        author.write(LAST_COUNTER, 2, Previous(LAST_COUNTER - 1, bytes(32)), "last")
        self.assertEqual([(gap["from"], gap["to"]) for gap in self.of("gap")], [(2, LAST_COUNTER - 1)])

    def test_counters_proven_empty_are_no_gap(self):
        author = Author(self.group, self.session)
        author.write(LAST_COUNTER, 2, author.write(1, 1, None, "one"), "last")
        self.assertEqual([line["type"] for line in self.lines()], ["message", "message"])

    def test_what_a_checkpoint_voids_is_neither_read_nor_missed(self):
        author = Author(self.group, self.session)
        last = author.write(1, 1, None, "one")
        for counter in range(2, 6):
            last = author.write(counter, counter, last, f"text {counter}")
        last = author.write(6, 6, last, entry=Checkpoint([Interval(2, 3), Interval(5, 5)], [Interval(2, 2)]))
        author.write(7, 7, last, "seven")
        self.assertEqual(self.texts(), ["one", "text 4", "seven"])
        for name in "2", "5":
            (author.directory / name).unlink()
        self.assertEqual(self.texts(), ["one", "text 4", "seven"])
        self.assertEqual(self.of("gap"), [])

    def test_a_previous_hash_that_is_not_that_of_the_held_message_is_a_fork(self):
        author = Author(self.group, self.session)
        first = author.write(1, 1, None, "one")
        author.write(2, 2, first._replace(hash=bytes(32)), "two")
        fork = self.of("fork")
        self.assertEqual([(line["author"], line["counter"]) for line in fork], [(author.directory.name, 2)])
        self.assertEqual(self.texts(), ["one"])

    def test_a_message_that_proves_a_held_one_not_to_exist_is_a_fork(self):
        author = Author(self.group, self.session)
        first = author.write(1, 1, None, "one")
        author.write(2, 2, first, "two")
        author.write(3, 3, first, "three")
        self.assertEqual([line["counter"] for line in self.of("fork")], [3])
        self.assertEqual(self.texts(), ["one", "two"])

    def test_what_is_not_taken_moves_nothing_into_reach(self):
        author = Author(self.group, self.session)
        first = author.write(1, 1, None, "one")
        author.write(2, 1 << 32, first._replace(hash=bytes(32)), "fork")
        other = Author(self.group, self.session, b"\x43" * 16)
        other.write(2, 2 + (1 << 32), other.write(1, 1, None, "two"), "far")
        self.assertEqual([line["counter"] for line in self.of("fork")], [2])
        self.assertEqual([line["waits"] for line in self.of("unverifiable")], [True])
        self.assertEqual(self.texts(), ["one", "two"])

    def test_a_branch_that_begins_behind_a_gap_is_held_and_what_leads_to_it_is_not(self):
        author = Author(self.group, self.session)
        first = author.write(1, 1, None, "one")
        second = author.message(2, 2, first, "another two")
        author.write(4, 4, author.write(3, 3, Previous(2, blake3(second).digest()), "another three"), "another four")
        (author.directory / "3").unlink()
        author.write(2, 2, first, "two")
        self.assertEqual(self.texts(), ["one", "two", "another four"])
        author.write(3, 3, Previous(2, blake3(second).digest()), "another three")
        self.assertEqual([line["counter"] for line in self.of("fork")], [3])
        self.assertEqual([(gap["from"], gap["to"]) for gap in self.of("gap")], [(3, 3)])

    def test_a_lamport_below_its_own_before_is_taken_where_its_number_puts_it(self):
        author = Author(self.group, self.session)
        first = author.write(1, 9, None, "one")
        author.write(3, 2, author.write(2, 1, first, "two"), "three")
        self.assertEqual(self.texts(), ["two", "three", "one"])

    def test_a_lamport_out_of_reach_waits_until_others_have_come_that_far(self):
        author = Author(self.group, self.session)
        first = author.write(1, 1, None, "one")
        far = author.write(2, 2 + (1 << 32), first, "far")
        self.assertEqual([line["waits"] for line in self.of("unverifiable")], [True])
        author.write(3, 1 + (1 << 32), far, "near")
        self.assertEqual(self.texts(), ["one", "near", "far"])
        self.assertEqual(self.of("unverifiable"), [])


class Info(InFolder):
    def write(self, name: str, **members) -> str:
        session = members.setdefault("session", str(uuid.uuid4()))
        info = {"format": "syncline", "version": 1, "sealed": False, **members}
        (self.session / name).write_text(json.dumps(info))
        return session

    def counts(self) -> str:
        return str(uuid.UUID(bytes=open_group(self.folder).id))

    def test_of_several_the_smallest_session_counts_whatever_the_file_is_called(self):
        (self.session / "info").unlink()
        large = self.write("info", session="f0000000-0000-4000-8000-000000000000")
        self.assertEqual(self.counts(), large)
        small = self.write("info (1)", session="0fffffff-ffff-4fff-bfff-ffffffffffff")
        self.write("info.sync-conflict-20260101", session="10000000-0000-4000-8000-000000000000")
        self.write("xinfo", session="00000000-0000-4000-8000-000000000000")
        self.assertEqual(self.counts(), small)

    def test_what_is_no_valid_info_does_not_count(self):
        real = self.counts()
        low = "00000000-0000-4000-8000-000000000000"
        self.write("info1", session=low, format="other", version=2)
        self.write("info2", session=low.replace("-", ""))
        self.write("info3", session=low, sealed=0)
        self.write("info4", session=low, version=True)
        self.write("info5", session=low, version=0)
        self.write("info6", session=low, padding="x" * (64 << 10))
        self.write("info7", session=low.replace("0", "A"))
        self.write("info8", session=7)
        (self.session / "info9").write_bytes(b"\xff\xfe{}")
        (self.session / "infoA").write_text("[" * 60000)
        (self.session / "infoB").write_text("7" * 6000)
        (self.session / "infoC").write_bytes(b"")
        (self.session / "infoD").mkdir()
        (self.session / "infoE").write_text(
            '{"format":"syncline","version":1,"sealed":false,"session":"' + low + '","x":NaN}'
        )
        self.assertEqual(self.counts(), real)
        members = '"format":"syncline","version":1,"sealed":false,"session":"' + low + '"'
        for place, text in enumerate(
            (
                "{" + members + ',"session":"' + low + '"}',
                "{" + members + ',"version":1}',
                "{" + members.replace(":1,", ":1.0,") + "}",
                "{" + members.replace(":1,", ":1e0,") + "}",
                "{" + members.replace(":1,", ":" + str(1 << 64) + ",") + "}",
                "{" + members.replace("false", "true") + "}",
                "{" + members.replace("false", "true") + ',"key_check":"' + "A" * 64 + '"}',
                "[{" + members + "}]",
                "{" + members + "} {}",
                "\ufeff{" + members + "}",
            )
        ):
            (self.session / f"info-{place}").write_bytes(text.encode())
        self.assertEqual(self.counts(), real)
        text = "{" + members + ',"key_check":7,"key_check":8,"x":{"version":9},"x":{"session":1,"session":2}}'
        (self.session / "info-more").write_text(text)
        self.assertEqual(self.counts(), low)

    def test_a_later_version_and_a_sealed_session_are_refused(self):
        self.write("info (1)", version=2, session=None)
        with self.assertRaisesRegex(FolderError, "version 2"):
            open_group(self.folder)
        (self.session / "info (1)").unlink()
        self.write("info (1)", sealed=True, session="00000000-0000-4000-8000-000000000000", key_check="0" * 64)
        with self.assertRaisesRegex(FolderError, "sealed"):
            open_group(self.folder)

    def test_init_changes_nothing_that_is_there(self):
        before = (self.session / "info").read_bytes()
        self.assertEqual(writer.init(self.folder), self.group)
        self.assertEqual((self.session / "info").read_bytes(), before)
        for torn in (b"", before[:20]):
            (self.session / "info").write_bytes(torn)
            with self.assertRaises(FolderError):
                writer.init(self.folder)
            self.assertEqual((self.session / "info").read_bytes(), torn)

    def test_init_waits_for_the_info_of_feeds_that_came_before_it(self):
        self.post("a", "one")
        (self.session / "info").unlink()
        with self.assertRaises(FolderError):
            writer.init(self.folder)
        self.assertFalse((self.session / "info").exists())

    def test_an_info_whose_bytes_are_elsewhere_is_not_absent(self):
        (self.session / "info").rename(self.session / ".info.icloud")
        with self.assertRaisesRegex(FolderError, "elsewhere"):
            writer.init(self.folder)
        self.assertFalse((self.session / "info").exists())

    def test_a_session_behind_a_link_is_not_followed(self):
        self.session.rename(self.home / "moved")
        self.session.symlink_to(self.home / "moved")
        with self.assertRaisesRegex(FolderError, "link"):
            writer.init(self.folder)

    def test_a_missing_folder_is_not_created(self):
        with self.assertRaises(FolderError) as caught:
            writer.init(self.home / "absent")
        self.assertEqual(caught.exception.code, 2)
        self.assertFalse((self.home / "absent").exists())


class Writing(InFolder):
    def test_nothing_is_left_beside_the_messages(self):
        feed = self.feed(self.post("a", "one", "two"))
        self.assertEqual(sorted(os.listdir(feed)), ["1", "2"])
        self.assertEqual(sorted(os.listdir(self.session)), sorted([feed.name, "info"]))

    def test_a_file_is_never_replaced(self):
        target = self.home / "file"
        self.assertTrue(writer.create_new(target, b"first"))
        self.assertFalse(writer.create_new(target, b"second"))
        with mock.patch("os.link", side_effect=PermissionError("no hard links")):
            self.assertFalse(writer.create_new(target, b"third"))
            self.assertTrue(writer.create_new(self.home / "other", b"fourth"))
        self.assertEqual((target.read_bytes(), (self.home / "other").read_bytes()), (b"first", b"fourth"))
        self.assertEqual([name for name in os.listdir(self.home) if name.startswith(".new")], [])

    def test_nothing_is_created_where_a_placeholder_stands(self):
        feed = self.feed(self.post("a", "one"))
        (feed / ".2.icloud").write_bytes(b"elsewhere")
        again = self.post("a", "two")
        self.assertNotEqual(self.feed(again), feed)
        self.assertFalse((feed / "2").exists())
        self.assertFalse(writer.create_new(feed / "2", b"text"))

    def test_a_crash_before_landing_leaves_the_same_message_later(self):
        self.post("a", "one")
        with (
            mock.patch.object(writer.Member, "land", side_effect=KeyboardInterrupt),
            self.assertRaises(KeyboardInterrupt),
            # Which would land the message before, and that is there.
            mock.patch.object(writer.Member, "catch_up"),
        ):
            self.post("a", "two")
        self.assertEqual(self.texts(), ["one"])
        self.post("a", "three")
        self.assertEqual(self.texts(), ["one", "two", "three"])
        self.assertEqual(len(self.lines()), 3)

    def test_a_crash_before_saving_uses_no_number(self):
        self.post("a", "one")
        with (
            mock.patch.object(writer.Member, "save", side_effect=KeyboardInterrupt),
            self.assertRaises(KeyboardInterrupt),
        ):
            self.post("a", "two")
        self.post("a", "three")
        self.assertEqual([(line["text"], line["counter"]) for line in self.of("message")], [("one", 1), ("three", 2)])

    def test_a_state_put_back_from_a_backup_goes_on_as_a_new_replica(self):
        first = self.post("a", "one")
        backup = (self.home / "a" / "state.json").read_bytes()
        self.post("a", "two")
        (self.home / "a" / "state.json").write_bytes(backup)
        third = self.post("a", "three")
        self.assertNotEqual(first[0]["author"], third[0]["author"])
        self.assertEqual((third[0]["counter"], third[0]["lamport"]), (1, 3))
        self.assertEqual(self.texts(), ["one", "two", "three"])
        self.assertEqual(len(self.lines()), 3)
        with open(self.session / first[0]["author"] / "2", "rb") as kept:
            self.assertIn(b"two", kept.read())

    def test_a_state_belongs_to_one_session_and_one_process(self):
        self.post("a", "one")
        with open(self.home / "a" / "lock", "wb") as lock:
            writer.fcntl.flock(lock, writer.fcntl.LOCK_EX)
            with self.assertRaisesRegex(FolderError, "in use"):
                self.post("a", "two")
        (self.session / "info").unlink()
        (self.session / "info").write_text(
            json.dumps({"format": "syncline", "version": 1, "session": str(uuid.uuid4()), "sealed": False})
        )
        with self.assertRaisesRegex(FolderError, "belongs to session"):
            self.post("a", "two")

    def test_a_state_within_the_shared_folder_is_refused(self):
        with self.assertRaises(FolderError) as caught:
            list(writer.post(self.folder, self.folder / "state", "a", [b""]))
        self.assertEqual(caught.exception.code, 2)
        self.assertEqual(os.listdir(self.folder), [SESSION_DIR])

    def test_a_message_that_is_too_long_uses_no_number(self):
        with self.assertRaisesRegex(FolderError, "longer"):
            list(writer.post(self.folder, self.home / "a", "a", [b"x" * MESSAGE_MAX_BYTES]))
        self.assertEqual(self.post("a", "one")[0]["counter"], 1)

    def test_a_lamport_out_of_reach_is_not_gone_beyond(self):
        author = Author(self.group, self.session)
        author.write(2, LAST_COUNTER, author.write(1, 1, None, "one"), "far")
        self.assertEqual(self.post("a", "two")[0]["lamport"], 2)


class Command(InFolder):
    def run_command(self, *arguments: str) -> subprocess.CompletedProcess:
        program = [sys.executable, "-B", str(HERE / "syncline_folder.py")]
        return subprocess.run([*program, *arguments], check=False, capture_output=True, timeout=60)

    def test_posts_reads_and_checks(self):
        folder, state = str(self.folder), str(self.home / "a")
        self.assertEqual(self.run_command("init", folder).returncode, 0)
        self.assertEqual(self.run_command("post", folder, "--state", state, "one\ntwo", "\x1b[31m").returncode, 0)
        read = self.run_command("read", folder, "--json")
        self.assertEqual([json.loads(line)["text"] for line in read.stdout.splitlines()], ["one\ntwo", "\x1b[31m"])
        self.assertNotIn(b"\x1b", self.run_command("read", folder).stdout)
        self.assertEqual(self.run_command("check", folder).returncode, 0)

    def test_check_fails_on_what_is_unverifiable_or_forked_and_read_does_not(self):
        author = Author(self.group, self.session)
        first = author.write(1, 1, None, "one")
        for data in (b"", author.message(2, 2, first._replace(hash=bytes(32)), "two")):
            (author.directory / "2").write_bytes(data)
            self.assertEqual(self.run_command("check", str(self.folder)).returncode, 1)
            self.assertEqual(self.run_command("read", str(self.folder)).returncode, 0)

    def test_a_folder_that_is_not_there_is_a_usage_error(self):
        for command in "init", "read", "check":
            self.assertEqual(self.run_command(command, str(self.home / "absent")).returncode, 2)


# Stands for the command: the same program, but for the fault that is asked for.
STAND_IN = """
import json, os, sys
sys.path.insert(0, {here!r})
import syncline_folder, syncline_reader, syncline_writer
fault, arguments = {fault!r}, sys.argv[2:]
if arguments[0] == "read":
    at = arguments.index("--state")
    del arguments[at : at + 2]
    if fault == "order":
        syncline_reader.Message.order = property(lambda message: (message.unix_ms, message.lamport))
        real = syncline_folder.json_lines
        syncline_folder.json_lines = lambda reading: reversed(list(real(reading)))
    if fault == "drops":
        real = syncline_folder.json_lines
        syncline_folder.json_lines = lambda reading: list(real(reading))[:-1]
elif fault == "deaf":
    real_say = syncline_writer.Member.say
    syncline_writer.Member.say = lambda self, folder, entry, seen: real_say(self, folder, entry, 0)
elif fault == "changes text":
    real_say = syncline_writer.Member.say
    stripped = lambda entry: entry._replace(payload=entry.payload.strip())
    syncline_writer.Member.say = lambda self, folder, entry, seen: real_say(self, folder, stripped(entry), seen)
elif fault == "fails":
    sys.exit(3)
sys.stdout.reconfigure(encoding="utf-8")
sys.exit(syncline_folder.main(arguments))
"""


class Exchange(unittest.TestCase):
    """That the exchange with the command passes with a good one, and finds a bad one."""

    def exchange(self, fault: str) -> subprocess.CompletedProcess:
        with tempfile.TemporaryDirectory() as home:
            stand_in = Path(home) / "stand_in.py"
            stand_in.write_text(STAND_IN.format(here=str(HERE), fault=fault))
            command = [sys.executable, "-B", str(HERE / "exchange.py"), "--count", "12", "--"]
            return subprocess.run(
                [*command, sys.executable, str(stand_in)], check=False, capture_output=True, timeout=300, text=True
            )

    def test_a_good_command_passes(self):
        done = self.exchange("none")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("24 messages", done.stdout)

    def test_bad_commands_are_found(self):
        for fault, sentence in (
            ("order", "total order differs"),
            ("drops", "shows"),
            ("deaf", "without having read"),
            ("changes text", "not what was said"),
            ("fails", "exit code 3"),
        ):
            with self.subTest(fault):
                done = self.exchange(fault)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn(sentence, done.stderr)


if __name__ == "__main__":
    unittest.main()
