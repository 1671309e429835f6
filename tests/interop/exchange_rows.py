"""Exchanges rows between the `syncline` command and this folder's Python program through one open message folder.

    python exchange_rows.py COMMAND

COMMAND is the path of the `syncline` binary. Two databases write, change and delete rows of tables of each rule and come
together through the folder; this program reads the same rows and operations in it as the command shows. Then it writes
operations of its own, and the databases must take them. Exit 1, with what differs, if not.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from contextlib import closing
from pathlib import Path

from exchange import COMMAND_TIMEOUT_S, Difference
from syncline_cells import CELL, Integer, Null, Text, operation_lines, row_lines, shown_key
from syncline_reader import operations_in, read_folder, rows_in
from syncline_rows import OWNED_BATCH_CREATE, SHARED_CREATE, SHARED_DELETE, SHARED_UPDATE, Operation, Stamp, entry_of
from syncline_writer import init, say

SCHEMA = """
    CREATE TABLE albums (id TEXT PRIMARY KEY, name TEXT, year INTEGER, rating REAL, cover BLOB);
    CREATE TABLE tags_on_files (file TEXT, tag INTEGER, note TEXT, PRIMARY KEY (file, tag));
    CREATE TABLE notes (id TEXT PRIMARY KEY, text TEXT, mark TEXT);
    CREATE TABLE genres (name TEXT PRIMARY KEY);
    CREATE TABLE file_paths (path TEXT PRIMARY KEY, size INTEGER);
"""
CONFIG = """
    [tables.albums]
    [tables.tags_on_files]
    delete = "deletion-wins"
    [tables.notes]
    merge = "lww-row"
    [tables.genres]
    merge = "g-set"
    [tables.file_paths]
    kind = "owned"
"""
RULES = {
    "albums": "update revives",
    "tags_on_files": "deletion wins",
    "notes": "update revives",
    "genres": "set",
    "file_paths": "update revives",
}
# What people do in each round, in one database and in the other, before these come together.
ROUNDS = (
    (
        """
        INSERT INTO albums VALUES ('1', 'jeff', 1999, 2.5, x'00ff'), ('2', 'it''s', NULL, -1e300, NULL), ('3', '', 0, 0, x'');
        INSERT INTO tags_on_files VALUES ('f', 1, 'x'), ('f', 2, 'y');
        INSERT INTO notes VALUES ('7', 'text', NULL);
        INSERT INTO genres VALUES ('jazz');
        """,
        """
        INSERT INTO albums VALUES ('1', 'geoff', 2000, NULL, NULL), ('4', 'é, \u4f60\u597d', -9223372036854775808, 1e-9, NULL);
        INSERT INTO genres VALUES ('jazz'), ('rock');
        INSERT INTO file_paths VALUES ('/m/a.flac', 9223372036854775807);
        """,
    ),
    (
        """
        UPDATE albums SET name = 'of a' WHERE id IN ('1', '4');
        UPDATE notes SET text = 'other', mark = 'red';
        UPDATE tags_on_files SET note = 'z';
        INSERT INTO file_paths VALUES ('/m/b.flac', 3);
        """,
        """
        UPDATE albums SET year = 2024 WHERE id = '1';
        DELETE FROM albums WHERE id = '2';
        DELETE FROM tags_on_files WHERE tag = 1;
        DELETE FROM file_paths;
        """,
    ),
    ("INSERT INTO albums (id, year) VALUES ('2', 5); DELETE FROM albums WHERE id = '3'", "DELETE FROM notes"),
)


class Exchange:
    """Two databases and a folder between them."""

    def __init__(self, command: list[str], home: Path):
        self.command, self.home, self.folder = command, home, home / "folder"
        self.folder.mkdir()
        init(self.folder)
        (home / "tables.toml").write_text(CONFIG)
        for name in ("a.db", "b.db"):
            self.sql(name, SCHEMA)
            self.run("init", name, "--config", "tables.toml")

    def run(self, *arguments: str) -> list[dict]:
        command = [*self.command, "records", *arguments, "--json"]
        done = subprocess.run(command, cwd=self.home, capture_output=True, timeout=COMMAND_TIMEOUT_S, check=False)
        if done.returncode != 0:
            said = (done.stdout[-2000:] + done.stderr[-2000:]).decode(errors="replace")
            raise Difference(f"{' '.join(arguments)} ended with exit code {done.returncode}:\n{said}")
        return [json.loads(line) for line in done.stdout.decode().splitlines()]

    def sql(self, name: str, statements: str) -> None:
        with closing(sqlite3.connect(self.home / name)) as database:
            database.executescript(statements)

    def cells(self, name: str, query: str) -> list[tuple]:
        with closing(sqlite3.connect(self.home / name)) as database:
            return database.execute(query).fetchall()

    def sync(self, *names: str) -> None:
        for name in names:
            self.run("sync", name, "--via", "folder", "--once")

    def check(self, name: str) -> tuple[int, int]:
        """What is read in the folder is what the command shows of a database."""
        _, reading = read_folder(self.folder)
        if reading.wrong or reading.gaps:
            raise Difference(f"the folder has what was never written, or lacks something: {reading.wrong or reading.gaps}")
        found = {}
        for row_name, row in rows_in(reading, time.time_ns()).items():
            if row.exists(RULES[row_name.table]):
                found[row_name.table, shown_key(row_name.key)] = row_lines(row)
        compare(f"the rows of {name}", found, self.shown(name))
        lines = Counter()
        for operation in operations_in(reading):
            author = str(uuid.UUID(bytes=operation.at.replica))
            lines.update(json.dumps([author, *line]) for line in operation_lines(operation))
        compare(f"the operations of {name}", lines, self.logged(name))
        return len(found), len(operations_in(reading))

    def shown(self, name: str) -> dict:
        lines = [line for table in RULES for line in self.run("show", name, table)]
        rows = {(line["table"], line["key"]): line["values"] for line in lines if line["type"] == "row"}
        return {
            row: {column: (value["value"], value["uhlc_timestamp"]) for column, value in values.items()}
            for row, values in rows.items()
        }

    def logged(self, name: str) -> Counter:
        lines = [line for line in self.run("log", name) if line["type"] == "operation"]
        parts = ("client_uuid", "uhlc_timestamp", "method", "resource_type", "resource_uuid", "resource_property", "value")
        return Counter(json.dumps([line[part] for part in parts]) for line in lines)

    def write(self, *changes: tuple) -> None:
        """This program's own operations, stamped behind all that it read."""
        _, reading = read_folder(self.folder)
        latest_ns = max(operation.at.unix_ns for operation in operations_in(reading))
        first_ns = max(latest_ns + 1, time.time_ns())
        operations = []
        for unix_ns, (method, table, key, values) in enumerate(changes, first_ns):
            encoded = [(column, CELL.encode(cell)) for column, cell in values.items()]
            key = b"".join(CELL.encode(cell) for cell in key)
            operations.append(Operation(table, key, method, Stamp(unix_ns, 0), encoded))
        list(say(self.folder, self.home / "python", "python", [entry_of(operations)]))


def compare(what: str, found: dict, expected: dict) -> None:
    for key in {**found, **expected}:
        if found.get(key) != expected.get(key):
            raise Difference(f"{what}: in the folder is read {key}: {found.get(key)}, the command shows {expected.get(key)}")


def exchange(command: list[str], home: Path) -> str:
    between = Exchange(command, home)
    for of_a, of_b in ROUNDS:
        between.sql("a.db", of_a)
        between.sql("b.db", of_b)
        between.sync("a.db", "b.db", "a.db")
    for name in ("a.db", "b.db"):
        between.check(name)
    between.write(
        (SHARED_CREATE, "albums", [Text("5")], {"name": Text("of python"), "year": Integer(-5), "cover": Null()}),
        (SHARED_UPDATE, "albums", [Text("1")], {"name": Text("by python")}),
        (SHARED_DELETE, "tags_on_files", [Text("f"), Integer(2)], {}),
        (OWNED_BATCH_CREATE, "file_paths", [Text("/m/python.flac")], {"size": Integer(1 << 40)}),
    )
    between.sync("a.db", "b.db", "a.db")
    for name in ("a.db", "b.db"):
        rows, operations = between.check(name)
        for query, expected in (
            ("SELECT name, year, cover FROM albums WHERE id = '5'", [("of python", -5, None)]),
            ("SELECT name, year FROM albums WHERE id = '1'", [("by python", 2024)]),
            ("SELECT count(*) FROM tags_on_files", [(0,)]),
            ("SELECT size FROM file_paths WHERE path = '/m/python.flac'", [(1 << 40,)]),
        ):
            if (found := between.cells(name, query)) != expected:
                raise Difference(f"{name}: {query} gives {found}, expected {expected}")
    return f"{rows} rows of {operations} operations are the same in both programs"


def main() -> int:
    parser = argparse.ArgumentParser(description="exchanges rows with the syncline command through an open folder")
    parser.add_argument("command", nargs="+", help="the syncline binary (further words stand before its arguments)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="syncline-rows-") as home:
        os.environ["XDG_STATE_HOME"] = str(Path(home) / "state-home")
        try:
            print(exchange(arguments.command, Path(home)))
        except Difference as difference:
            print(f"error: {difference}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
