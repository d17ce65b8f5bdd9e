"""From return addresses to lines: makes the table `ms_places` (see `ms_place_table` in ms.h) for an emitted object.

The line table and the inlined calls are read out of the object's DWARF by `dwarf.py`; here they become ranges of code
and chains of places, and those the text of an LLVM module, which becomes a second object. What prints the places is
the runtime.
Invariants: offsets are relative to the symbol `ms_text_start`; ranges that touch have different places; no two places
are equal; no place has line 0.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TypeAlias

from ms.codegen.dwarf import END_OF_SEQUENCE, DebugInfo, Row, Scope, read_debug_info
from ms.codegen.elf import ElfObject, read_object
from ms.diagnostics import InternalError

NO_PLACE = -1
TEXT_START = "ms_text_start"
TABLE = "ms_places"
_ADDED = re.compile(r"(\.(ms|specialized|\d+))+$")

Place: TypeAlias = tuple[int, int, int, int, int]
"""Line, column, function, file, outer: the fields of `ms_place`."""


@dataclass(slots=True)
class PlaceTable:
    """What `ms_place_table` holds. `offsets` has one entry more than `indices`."""

    text_size: int
    offsets: list[int] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def chain(self, offset: int) -> list[tuple[str, int, int, str]]:
        """File, line, column and function of the code at an offset, innermost call first: what the runtime prints."""
        at = bisect_right(self.offsets, offset) - 1
        index = self.indices[at] if 0 <= at < len(self.indices) else NO_PLACE
        result: list[tuple[str, int, int, str]] = []
        while index != NO_PLACE:
            line, column, function, file, index = self.places[index]
            result.append((self.names[file], line, column, self.names[function]))
        return result


def place_table(object_data: bytes, text_start: str = TEXT_START) -> PlaceTable:
    """The places of an object's `.text`."""
    elf = read_object(object_data)
    text = elf.sections.get(".text")
    start = elf.symbol(text_start)
    if text is None or start is None or start.section != text.index:
        raise InternalError(f"the object has no {text_start} in .text")
    info = read_debug_info(elf)
    scopes = info.scopes + _scopes_of_symbols(elf, text.index, info.scopes)
    builder = _Builder(info.files, PlaceTable(text.size - start.value), start.value)
    return builder.build(_live_rows(info), _segments(scopes))


def _scopes_of_symbols(elf: ElfObject, text: int, known: list[Scope]) -> list[Scope]:
    """Functions that the debug information leaves out because nothing was inlined into them, under the names of their
    symbols without what the compiler added to them."""
    starts = {low for scope in known for low, _ in scope.ranges}
    return [
        Scope(_ADDED.sub("", symbol.name), [(symbol.value, symbol.value + symbol.size)], None, 0)
        for symbol in elf.symbols
        if symbol.is_function and symbol.section == text and symbol.size and symbol.value not in starts
    ]


def _live_rows(info: DebugInfo) -> list[Row]:
    """The rows by address; of several at one address only the last covers code."""
    by_address: dict[int, Row] = {}
    for row in sorted(info.rows, key=lambda row: (row[0], row[1] != END_OF_SEQUENCE)):
        by_address[row[0]] = row
    return list(by_address.values())


def _segments(scopes: list[Scope]) -> list[tuple[int, Scope | None]]:
    """The innermost scope from each address on, until the next entry's address."""
    intervals = sorted(
        ((low, scope.depth, high, scope) for scope in scopes for low, high in scope.ranges if low < high),
        key=lambda interval: interval[:3],
    )
    segments: list[tuple[int, Scope | None]] = []
    open_intervals: list[tuple[int, Scope]] = []

    def close_until(address: int) -> None:
        while open_intervals and open_intervals[-1][0] <= address:
            end, _ = open_intervals.pop()
            segments.append((end, open_intervals[-1][1] if open_intervals else None))

    for low, _, high, scope in intervals:
        close_until(low)
        if open_intervals:
            high = min(high, open_intervals[-1][0])
        segments.append((low, scope))
        open_intervals.append((high, scope))
    close_until(1 << 63)
    return segments


class _Builder:
    """Numbers names and places, each once, and joins ranges that have the same place."""

    def __init__(self, files: list[str], table: PlaceTable, start: int) -> None:
        self.files = files
        self.table = table
        self.start = start
        self.name_numbers: dict[str, int] = {}
        self.place_numbers: dict[Place, int] = {}
        self.outer_numbers: dict[int, int] = {}  # by identity of the scope

    def build(self, rows: list[Row], segments: list[tuple[int, Scope | None]]) -> PlaceTable:
        ranges = _overlay(rows, segments)
        fallback = _first_lines(ranges)
        last: dict[int, tuple[int, int, int]] = {}  # what a scope's line-0 code is taken for
        for address, row, scope in ranges:
            if scope is None or row is None:
                self._range(address, NO_PLACE)
                continue
            _, file, line, column = row
            if line:
                last[id(scope)] = file, line, column
            known = last.get(id(scope)) or fallback.get(id(scope))
            if known is None:
                self._range(address, self._outer(scope))
            else:
                file, line, column = known
                self._range(address, self._place(file, line, column, scope))
        table = self.table
        table.offsets.append(table.text_size)
        return table

    def _range(self, address: int, index: int) -> None:
        table = self.table
        offset = max(address - self.start, 0)
        if table.offsets and table.offsets[-1] == offset:
            table.offsets.pop()
            table.indices.pop()
        if offset >= table.text_size or (table.indices and table.indices[-1] == index):
            return
        table.offsets.append(offset)
        table.indices.append(index)

    def _place(self, file: int, line: int, column: int, scope: Scope) -> int:
        place = (line, column, self._name(scope.name), self._name(self.files[file]), self._outer(scope))
        number = self.place_numbers.get(place)
        if number is None:
            number = self.place_numbers[place] = len(self.table.places)
            self.table.places.append(place)
        return number

    def _outer(self, scope: Scope) -> int:
        """The place of the call that was inlined."""
        if scope.parent is None:
            return NO_PLACE
        number = self.outer_numbers.get(id(scope))
        if number is None:
            number = self._place(scope.call_file, scope.call_line, scope.call_column, scope.parent)
            self.outer_numbers[id(scope)] = number
        return number

    def _name(self, name: str) -> int:
        number = self.name_numbers.get(name)
        if number is None:
            number = self.name_numbers[name] = len(self.table.names)
            self.table.names.append(name)
        return number


_Range: TypeAlias = tuple[int, Row | None, Scope | None]


def _overlay(rows: list[Row], segments: list[tuple[int, Scope | None]]) -> list[_Range]:
    """Both tables as one: from each address on, the row and the scope that hold there."""
    result: list[_Range] = []
    row: Row | None = None
    scope: Scope | None = None
    row_at = segment_at = 0
    while row_at < len(rows) or segment_at < len(segments):
        row_address = rows[row_at][0] if row_at < len(rows) else 1 << 64
        segment_address = segments[segment_at][0] if segment_at < len(segments) else 1 << 64
        address = min(row_address, segment_address)
        if row_address == address:
            row = rows[row_at] if rows[row_at][1] != END_OF_SEQUENCE else None
            row_at += 1
        while segment_at < len(segments) and segments[segment_at][0] == address:
            scope = segments[segment_at][1]
            segment_at += 1
        result.append((address, row, scope))
    return result


def _first_lines(ranges: list[_Range]) -> dict[int, tuple[int, int, int]]:
    """The first line that each scope has: what its code before that is taken for."""
    first: dict[int, tuple[int, int, int]] = {}
    for _, row, scope in ranges:
        if row is not None and scope is not None and row[2] and id(scope) not in first:
            first[id(scope)] = row[1:]
    return first


# The table as an LLVM module


def place_module(table: PlaceTable, part: str = "", next_part: str | None = None) -> str:
    """The text of the module that defines `ms_places`, or the table of a part of a program, which has its text start
    and its table under names of its own. `next_part`: the part whose table comes behind."""
    following = "null" if next_part is None else f"@{TABLE}{next_part}"
    declared = [] if next_part is None else [f"{following} = external hidden global i8"]
    count = len(table.indices)
    flat = [number & 0xFFFFFFFF for place in table.places for number in place]
    pointers = ", ".join(f"ptr @n{index}" for index in range(len(table.names)))
    lines = [
        *(f"@n{index} = private constant {_bytes(name.encode() + bytes(1))}" for index, name in enumerate(table.names)),
        f"@offsets = private constant {_words(table.offsets)}, align 4",
        f"@indices = private constant {_words([index & 0xFFFFFFFF for index in table.indices])}, align 4",
        f"@places = private constant {_words(flat)}, align 4",
        f"@names = private constant [{len(table.names)} x ptr] [{pointers}], align 8",
        f"@{TEXT_START}{part} = external hidden global i8",
        *declared,
        f"@{TABLE}{part} = {'hidden ' if part else ''}constant {{ ptr, i32, i32, ptr, ptr, ptr, ptr, i32, ptr }}",
        f"{{ ptr @{TEXT_START}{part}, i32 {table.text_size}, i32 {count},",
        f"ptr @offsets, ptr @indices, ptr @places, ptr @names, i32 {len(table.places)}, ptr {following} }}, align 8",
    ]
    return "\n".join(lines) + "\n"


def _words(numbers: list[int]) -> str:
    """Numbers as one string of bytes, which LLVM reads many times faster than a list."""
    return _bytes(struct.pack(f"<{len(numbers)}I", *numbers))


_ESCAPES = [f"\\{byte:02X}" if byte in b'"\\' or not 32 <= byte < 127 else chr(byte) for byte in range(256)]


def _bytes(data: bytes) -> str:
    return f'[{len(data)} x i8] c"{"".join([_ESCAPES[byte] for byte in data])}"'
