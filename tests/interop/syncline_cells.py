"""What SQLite databases keep in rows (docs/protocol.md §11.5), and how the command shows it."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from syncline_rows import METHODS, SHARED_UPDATE, Operation, Row
from syncline_wire import BYTES, I64, TEXT, Codec, Enum, List, Source, Struct


class Null(NamedTuple):
    pass


class Integer(NamedTuple):
    number: int


class Real(NamedTuple):
    number: float


class Text(NamedTuple):
    text: str


class Blob(NamedTuple):
    data: bytes


class OddText(NamedTuple):
    data: bytes


class Column(NamedTuple):
    name: str
    cell: Null | Integer | Real | Text | Blob | OddText


class F64(Codec):
    def read(self, source: Source) -> float:
        return struct.unpack("<d", source.take(8))[0]

    def write(self, value: float, out: bytearray) -> None:
        out += struct.pack("<d", value)


CELL = Enum(
    Struct(Null), Struct(Integer, I64), Struct(Real, F64()), Struct(Text, TEXT), Struct(Blob, BYTES), Struct(OddText, BYTES)
)
WHOLE_ROW = List(Struct(Column, TEXT, CELL))


def shown_key(key: bytes) -> str:
    """The cells of a key with commas between."""
    source, cells = Source(key), []
    while source.at < len(key):
        cells.append(CELL.read(source))
    return ",".join(cell.text if isinstance(cell, Text) else show(cell) for cell in cells)


def show(cell: Any) -> str:
    """Like a literal of SQL."""
    if isinstance(cell, Null):
        return "NULL"
    if isinstance(cell, Text):
        return "'" + cell.text.replace("'", "''") + "'"
    return f"x'{cell.data.hex()}'" if isinstance(cell, Blob | OddText) else repr(cell.number)


def shown(cell: Any) -> Any:
    """As the command's JSON has it."""
    if isinstance(cell, Blob | OddText):
        return {"blob": show(cell)}
    return None if isinstance(cell, Null) else cell[0]


def columns(name: str, value: bytes) -> list[Column]:
    """The columns that a property stands for: itself or, without a name, all of the row."""
    return WHOLE_ROW.parse(value) if name == "" else [Column(name, CELL.parse(value))]


def row_lines(row: Row) -> dict[str, tuple[Any, str]]:
    """Of each column the value and the stamp that counts, as `syncline records show` has them."""
    lines = {}
    for name, (at, value) in row.values.items():
        lines.update({column: (shown(cell), at.text()) for column, cell in columns(name, value)})
    return lines


def operation_lines(operation: Operation) -> list[tuple]:
    """Stamp, method, table, key, property and value, as `syncline records log` has them: a line for each value, and one for
    what is said of the row."""
    front = (operation.at.text(), METHODS[operation.method], operation.table, shown_key(operation.key))
    values = [each for name, value in operation.values for each in columns(name, value)]
    of_row = [] if operation.method == SHARED_UPDATE and values else [(*front, None, None)]
    return of_row + [(*front, column, shown(cell)) for column, cell in values]
