"""Tests of what the independent program makes of rows (docs/protocol.md §11)."""

from __future__ import annotations

import json
import random
import unittest
from pathlib import Path

from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from syncline_rows import (
    KEYS_MAX_BYTES,
    LAST_NS,
    METHODS,
    OWNED_DELETE,
    SHARED_CREATE,
    SHARED_DELETE,
    SHARED_UPDATE,
    Operation,
    Row,
    RowName,
    Stamp,
    entry_of,
    merged,
    operations_of,
)
from syncline_wire import (
    BYTES,
    ENTRY,
    ID,
    TEXT,
    U64,
    Byte,
    EachLength,
    Keys,
    Length,
    LengthRuns,
    List,
    Option,
    Pace,
    Records,
    Refused,
    Struct,
)

VECTOR = Path(__file__).resolve().parent.parent / "vectors" / "records.json"
A, B = bytes(15) + b"\x01", b"\x02" + bytes(15)

STAMP = Struct(lambda unix_ns, replica: Stamp.of(unix_ns, replica), U64, ID)
VALUE = Struct(tuple, TEXT, BYTES, STAMP)
ROWS = List(Struct(tuple, Struct(tuple, TEXT, BYTES, BYTES), Byte(), List(VALUE), Option(STAMP)))


def operation(method: int, at: int, *values: tuple[str, bytes], key: bytes = b"k", author: bytes = A) -> Operation:
    return Operation("t", key, method, Stamp.of(at, author), list(values))


class Entries(unittest.TestCase):
    """§11.2."""

    operations = [
        operation(SHARED_CREATE, 5, ("a", b"one"), ("b", b"")),
        operation(SHARED_UPDATE, 5, ("b", b"two"), key=b"key"),
        operation(SHARED_DELETE, 900),
        operation(OWNED_DELETE, LAST_NS, key=b""),
    ]

    def columns(self):
        return entry_of(self.operations).tables[0]

    def test_operations_are_read_as_they_are_written(self):
        entry = ENTRY.parse(ENTRY.encode(entry_of(self.operations)))
        self.assertEqual(operations_of(entry, A), self.operations)

    def test_keys_share_beginnings_and_columns_have_runs(self):
        keys = Keys([0, 2], [3, 2], b"oneto")
        runs = LengthRuns([Length(2, 2), Length(0, 0), Length(2, 1)])
        packed = self.columns()._replace(keys=keys, rows=[1, 0, 1, 1], paced=[Pace(7, 4)], lengths=runs)
        found = operations_of(Records([packed]), A)
        self.assertEqual([each.key for each in found], [b"onto", b"one", b"onto", b"onto"])
        self.assertEqual([each.at.unix_ns for each in found], [7, 14, 21, 28])
        self.assertEqual([value for each in found for _, value in each.values], [b"on", b"et", b"wo"])

    def test_what_does_not_fit_together_is_refused(self):
        sound = self.columns()
        keys, shapes, shaped = sound.keys, sound.shapes, sound.shaped
        for broken in (
            {"rows": [*sound.rows, 0]},
            {"rows": [0, 1, 2, 4]},
            {"shaped": shaped[1:]},
            {"shaped": [shaped[0]._replace(count=1 << 31), *shaped[1:]]},
            {"shaped": [*shaped, shaped[0]._replace(shape=9, count=0)]},
            {"paced": sound.paced[1:]},
            {"paced": [Pace(LAST_NS + 1, 1), *sound.paced[1:]]},
            {"lengths": EachLength(sound.lengths.lengths[1:])},
            {"lengths": EachLength([*sound.lengths.lengths, 0])},
            {"lengths": LengthRuns([Length(0, 1 << 31), Length(3, 2)])},
            {"lengths": LengthRuns([Length(3, 2)])},
            {"values": sound.values + b"x"},
            {"values": sound.values[1:]},
            {"table": "t" * 256},
            {"properties": ["a", "b" * 256]},
            {"properties": ["a"]},
            {"shapes": [shapes[0]._replace(properties=[1, 0]), *shapes[1:]]},
            {"shapes": [shapes[0]._replace(properties=[1, 1]), *shapes[1:]]},
            {"shapes": [shapes[0]._replace(method=SHARED_DELETE), *shapes[1:]]},
            {"keys": keys._replace(shared=[1, 0, 0, 0])},
            {"keys": keys._replace(shared=[0, 0, 0])},
            {"keys": keys._replace(rests=keys.rests + b"x")},
            {"keys": keys._replace(rests=keys.rests[1:])},
            {"keys": Keys([0] * 4, [1025, 0, 0, 0], bytes(1025))},
            {"keys": Keys([0] + [1024] * (KEYS_MAX_BYTES // 1024), [1024] + [0] * (KEYS_MAX_BYTES // 1024), bytes(1024))},
        ):
            with self.subTest(broken.keys()), self.assertRaises(Refused):
                operations_of(Records([sound._replace(**broken)]), A)

    def test_a_method_without_a_number_is_refused(self):
        encoded = ENTRY.encode(entry_of([operation(SHARED_DELETE, 1)]))
        at = encoded.index(bytes([SHARED_DELETE, 0]), 3)
        with self.assertRaises(Refused):
            ENTRY.parse(encoded[:at] + b"\x05" + encoded[at + 1 :])


class Rows(unittest.TestCase):
    """§11.1 and §11.3."""

    def row(self, *operations: Operation) -> Row:
        row = Row()
        for each in operations:
            row.apply(each)
        return row

    def test_stamps_are_ordered_by_time_and_then_by_the_id_from_its_last_byte(self):
        self.assertLess(Stamp.of(1, A), Stamp.of(2, B))
        self.assertLess(Stamp.of(1, B), Stamp.of(1, A))
        replica = bytes.fromhex("89F9DD8514914648989315B2D30D7BE5")
        shown = "2022-04-09T06:53:36.397295996Z/89F9DD8514914648989315B2D30D7BE5"
        self.assertEqual(Stamp.of(1_649_487_216_397_295_996, replica).text(), shown)
        self.assertEqual(Stamp.of(LAST_NS, A).text()[:31], "2106-02-07T06:28:15.999999999Z/")

    def test_whether_a_row_is_there_is_its_tables_rule(self):
        made, gone, late = operation(SHARED_CREATE, 1), operation(SHARED_DELETE, 2), operation(SHARED_UPDATE, 3)
        early, again = operation(SHARED_UPDATE, 1), operation(SHARED_CREATE, 9)
        for operations, rules in (
            ([made], "set, deletion wins, update revives"),
            ([late], ""),
            ([made, gone], "set"),
            ([made, gone, early], "set"),
            ([made, gone, again], "set"),
            ([made, gone, late], "set, update revives"),
        ):
            row = self.row(*operations)
            shown = [rule for rule in ("set", "deletion wins", "update revives") if row.exists(rule)]
            self.assertEqual(", ".join(shown), rules, operations)

    def test_of_two_values_of_one_stamp_the_larger_bytes_count(self):
        for values in ((b"a", b"b"), (b"b", b"a")):
            row = self.row(*(operation(SHARED_UPDATE, 1, ("p", value)) for value in values))
            self.assertEqual(row.values["p"][1], b"b")


class Vector(unittest.TestCase):
    """The engine comes to the same digest, natively and in WebAssembly."""

    def test_one_set_of_operations_has_the_digest_written_down(self):
        vector = json.loads(VECTOR.read_text())
        keys = {
            author: Ed25519PrivateKey.from_private_bytes(bytes([author]) * 32).public_key().public_bytes_raw()
            for author in range(1, 5)
        }
        operations = []
        for one in vector["operations"]:
            at = Stamp.of(vector["since_ns"] + one["at_ns"], bytes([one["author"]]) * 16)
            values = [(name, value.encode()) for name, value in one.get("values", {}).items()]
            method = METHODS.index(one["method"])
            operations.append((Operation(one["table"], one["key"].encode(), method, at, values), keys[one["author"]]))
        retracted = {bytes([one["author"]]) * 16: vector["since_ns"] + one["after_ns"] for one in vector["retractions"]}
        draw = random.Random(0)
        for _ in range(20):
            draw.shuffle(operations)
            rows = merged(operations + draw.choices(operations, k=9), retracted)
            self.assertEqual(self.digest(vector["tables"], rows), vector["digest"])

    def digest(self, tables: list[dict], rows: dict[RowName, Row]) -> str:
        shown = []
        for table in tables:
            revives = table["kind"] == "Owned" or table["delete"] == "UpdateRevives"
            rule = "set" if table["merge"] == "GSet" else "update revives" if revives else "deletion wins"
            for name, row in rows.items():
                if name.table == table["name"]:
                    values = [(key, value, stamp_of(at)) for key, (at, value) in sorted(row.values.items())]
                    name = (name.table, name.key, name.owner)
                    shown.append((name, row.exists(rule), values, stamp_of(row.standing(rule))))
        return blake3(ROWS.encode(shown)).hexdigest()


def stamp_of(stamp: Stamp | None) -> tuple[int, bytes] | None:
    return stamp and (stamp.unix_ns, stamp.replica)


if __name__ == "__main__":
    unittest.main()
