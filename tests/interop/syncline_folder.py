"""An independent reader and writer of Syncline's open message folders, written from docs/protocol.md alone.

It shares no code with the engine, so that the page, not the engine, is what a folder's format rests on. Numbers with a
section sign cite that page. Sealed folders are refused; trees are checked as all entries are, but not followed.

This module is the command; `syncline_wire` has the encoding, `syncline_message` the proofs, `syncline_reader` and
`syncline_writer` the folder.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import uuid
from pathlib import Path

from syncline_reader import FolderError, json_lines, read_folder
from syncline_writer import init, post


def print_line(line: dict, as_json: bool) -> None:
    if as_json:
        print(json.dumps(line, ensure_ascii=False))
        return
    # ascii() of texts: control characters of others' messages must not reach a terminal.
    print(" ".join(ascii(value) if key in ("text", "name") else str(value) for key, value in line.items()))


def run(arguments: argparse.Namespace) -> int:
    if arguments.command == "init":
        group = init(arguments.folder)
        print_line({"type": "session", "id": str(uuid.UUID(bytes=group.id))}, arguments.json)
        return 0
    if arguments.command == "post":
        payloads = [os.fsencode(text) for text in arguments.text]
        for line in post(arguments.folder, arguments.state, arguments.name, payloads):
            print_line(line, arguments.json)
        return 0
    _, reading = read_folder(arguments.folder)
    for line in json_lines(reading):
        print_line(line, arguments.json)
    return 1 if arguments.command == "check" and reading.wrong else 0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="reads and writes Syncline's open message folders")
    commands = parser.add_subparsers(dest="command", required=True)
    helps = {
        "init": "begin an open session, unless there is one",
        "post": "write messages",
        "read": "print all verifiable messages in message order, then gaps and what is wrong",
        "check": "read, and exit 1 if anything is unverifiable or forked",
    }
    for command, text in helps.items():
        sub = commands.add_parser(command, help=text)
        sub.add_argument("folder", type=Path)
        sub.add_argument("--json", action="store_true", help="one JSON object a line")
        if command == "post":
            sub.add_argument("--state", type=Path, required=True, help="this member's private folder")
            sub.add_argument("--name", default="python", help="the name to introduce itself with")
            sub.add_argument("text", nargs="+", help="one message each")
    arguments = parser.parse_args(argv)
    try:
        return run(arguments)
    except FolderError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.code
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    sys.exit(main())
