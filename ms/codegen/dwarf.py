"""DWARF 4, as far as `places.py` needs it: the line table, and which code belongs to which function, inlined ones
included.

Reads what LLVM writes for our own modules. The sections come in relocated, from `elf.py`; what is made of rows and
scopes is left to `places.py`.
Invariants: rows are in the order of the table; a scope comes after the scope that it is inlined into.
"""

from __future__ import annotations

import posixpath
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from ms.codegen.elf import ElfObject
from ms.diagnostics import InternalError

Row: TypeAlias = tuple[int, int, int, int]
"""Address, file, line, column. The file is an index into `DebugInfo.files`; line 0 means that the code belongs to no
line."""

Value: TypeAlias = int | bytes

END_OF_SEQUENCE = -1
"""Stands in a row's file where a sequence ends: the address is the first one behind it."""


@dataclass(slots=True)
class Scope:
    """The code of one function, or of one call that was inlined into `parent`, at `call_file:call_line:call_column`."""

    name: str
    ranges: list[tuple[int, int]]
    parent: Scope | None
    depth: int
    call_file: int = 0
    call_line: int = 0
    call_column: int = 0


@dataclass(slots=True)
class DebugInfo:
    files: list[str]
    rows: list[Row]
    scopes: list[Scope] = field(default_factory=list)


def read_debug_info(elf: ElfObject) -> DebugInfo:
    """All that is known about the places of an object's code. Empty when it has no debug information."""
    line = elf.relocated_bytes(".debug_line")
    if not line:
        return DebugInfo([], [])
    try:
        result = _read_lines(line)
        result.scopes = _Units(elf).read()
    except (struct.error, IndexError, KeyError, ValueError) as error:
        raise InternalError(f"unreadable debug information: {error!r}") from error
    return result


def _uleb(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    if byte < 0x80:
        return byte, at + 1
    value, shift = byte & 0x7F, 7
    while True:
        at += 1
        byte = data[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at + 1
        shift += 7


def _sleb(data: bytes, at: int) -> tuple[int, int]:
    value, end = _uleb(data, at)
    bits = 7 * (end - at)
    return (value - (1 << bits) if value >> (bits - 1) else value), end


def _c_string(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode("utf-8", "replace"), end + 1


# The line table

_LINE_HEADER = struct.Struct("<IHIBBBbBB")


def _read_lines(data: bytes) -> DebugInfo:
    length, version, header_length, unit, _, _, base, span, first_special = _LINE_HEADER.unpack_from(data)
    if version != 4:
        raise InternalError(f"the line table has version {version}, not 4")
    at = _LINE_HEADER.size
    argument_counts = data[at : at + first_special - 1]
    files = _read_files(data, at + first_special - 1)
    rows = _run_line_program(data, 10 + header_length, 4 + length, unit, base, span, argument_counts)
    return DebugInfo(files, rows)


def _read_files(data: bytes, at: int) -> list[str]:
    """The names of the files, from where the compiled one lies, at the indices (from 1) by which rows and calls know
    them."""
    directories = [""]
    while data[at]:
        name, at = _c_string(data, at)
        directories.append(name)
    at += 1
    files = [""]
    while data[at]:
        name, at = _c_string(data, at)
        directory, at = _uleb(data, at)
        for _ in range(2):
            _, at = _uleb(data, at)
        files.append(posixpath.join(directories[directory], name))
    return files


def _run_line_program(
    data: bytes, at: int, end: int, unit: int, base: int, span: int, argument_counts: bytes
) -> list[Row]:
    first_special = len(argument_counts) + 1
    rows: list[Row] = []
    address, file, line, column = 0, 1, 1, 0
    while at < end:
        opcode = data[at]
        at += 1
        if opcode >= first_special:
            advance, step = divmod(opcode - first_special, span)
            address += advance * unit
            line += base + step
            rows.append((address, file, line, column))
        elif opcode == 0:  # extended
            size, at = _uleb(data, at)
            if data[at] == 1:  # end of sequence
                rows.append((address, END_OF_SEQUENCE, 0, 0))
                address, file, line, column = 0, 1, 1, 0
            elif data[at] == 2:  # set address
                address = int.from_bytes(data[at + 1 : at + size], "little")
            at += size
        elif opcode == 1:  # copy
            rows.append((address, file, line, column))
        elif opcode == 2:
            advance, at = _uleb(data, at)
            address += advance * unit
        elif opcode == 3:
            step, at = _sleb(data, at)
            line += step
        elif opcode == 4:
            file, at = _uleb(data, at)
        elif opcode == 5:
            column, at = _uleb(data, at)
        elif opcode == 8:  # advance the address as the last special opcode would
            address += (255 - first_special) // span * unit
        elif opcode == 9:
            address += int.from_bytes(data[at : at + 2], "little")
            at += 2
        else:  # statement and block marks, and what a later version may add
            for _ in range(argument_counts[opcode - 1]):
                _, at = _uleb(data, at)
    return rows


# The tree of entries

_COMPILE_UNIT = 0x11
_INLINED = 0x1D
_SUBPROGRAM = 0x2E
_LEXICAL_BLOCK = 0x0B

_NAME = 0x03
_LOW_PC = 0x11
_HIGH_PC = 0x12
_ABSTRACT_ORIGIN = 0x31
_SPECIFICATION = 0x47
_RANGES = 0x55
_CALL_COLUMN = 0x57
_CALL_FILE = 0x58
_CALL_LINE = 0x59

_STRING_FORM = 0x08
_STRP_FORM = 0x0E
_FLAG_PRESENT_FORM = 0x19

# Forms of a fixed size, as struct codes.
_FIXED = {
    0x01: "Q", 0x05: "H", 0x06: "I", 0x07: "Q", 0x0B: "B", 0x0C: "B", 0x0E: "I",
    0x10: "I", 0x11: "B", 0x12: "H", 0x13: "I", 0x14: "Q", 0x17: "I", 0x19: "",
}  # fmt: skip


def _block(size: Callable[[bytes, int], tuple[int, int]]) -> Callable[[bytes, int], tuple[Value, int]]:
    def read(data: bytes, at: int) -> tuple[Value, int]:
        length, at = size(data, at)
        return data[at : at + length], at + length

    return read


def _fixed_size(width: int) -> Callable[[bytes, int], tuple[int, int]]:
    return lambda data, at: (int.from_bytes(data[at : at + width], "little"), at + width)


def _inline_string(data: bytes, at: int) -> tuple[Value, int]:
    end = data.index(b"\0", at)
    return data[at:end], end + 1


_VARIABLE: dict[int, Callable[[bytes, int], tuple[Value, int]]] = {
    0x03: _block(_fixed_size(2)), 0x04: _block(_fixed_size(4)), _STRING_FORM: _inline_string, 0x09: _block(_uleb),
    0x0A: _block(_fixed_size(1)), 0x0D: _sleb, 0x0F: _uleb, 0x15: _uleb, 0x18: _block(_uleb),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Abbreviation:
    """The shape of an entry. `fixed` reads all attributes at once when every one has a fixed size."""

    tag: int
    has_children: bool
    attributes: tuple[int, ...]
    forms: tuple[int, ...]
    fixed: struct.Struct | None

    def read(self, data: bytes, at: int) -> tuple[dict[int, Value], int]:
        if self.fixed is not None:
            return dict(zip(self.attributes, self.fixed.unpack_from(data, at), strict=True)), at + self.fixed.size
        values: dict[int, Value] = {}
        value: Value
        for attribute, form in zip(self.attributes, self.forms, strict=True):
            code = _FIXED.get(form)
            if code is None:
                value, at = _VARIABLE[form](data, at)
            elif code:
                (value,) = struct.unpack_from("<" + code, data, at)
                at += struct.calcsize("<" + code)
            else:
                value = 1
            values[attribute] = value
        return values, at


def _read_abbreviations(data: bytes, at: int) -> dict[int, _Abbreviation]:
    table: dict[int, _Abbreviation] = {}
    while data[at]:
        code, at = _uleb(data, at)
        tag, at = _uleb(data, at)
        has_children = data[at] == 1
        at += 1
        attributes: list[int] = []
        forms: list[int] = []
        while True:
            attribute, at = _uleb(data, at)
            form, at = _uleb(data, at)
            if attribute == 0 and form == 0:
                break
            attributes.append(attribute)
            forms.append(form)
        fixed = None
        if all(form in _FIXED and form != _FLAG_PRESENT_FORM for form in forms):
            fixed = struct.Struct("<" + "".join(_FIXED[form] for form in forms))
        table[code] = _Abbreviation(tag, has_children, tuple(attributes), tuple(forms), fixed)
    return table


class _Units:
    """Walks the entries of `.debug_info` and collects the scopes."""

    def __init__(self, elf: ElfObject) -> None:
        self.info = elf.relocated_bytes(".debug_info")
        self.ranges = elf.relocated_bytes(".debug_ranges")
        self.strings = elf.section_bytes(".debug_str")
        self.abbreviations = elf.section_bytes(".debug_abbrev")
        self.base = 0  # the unit's own low address, to which its ranges are relative
        self.names: dict[int, str] = {}  # of subprograms, by offset in .debug_info
        self.origins: dict[int, int] = {}  # subprograms that take their name from another one
        self.scopes: list[tuple[Scope, int]] = []  # with the offset of the entry that has the name

    def read(self) -> list[Scope]:
        at = 0
        while at < len(self.info):
            length, version, abbreviations_offset, _ = struct.unpack_from("<IHIB", self.info, at)
            if version != 4:
                raise InternalError(f"the debug information has version {version}, not 4")
            self._read_unit(at, at + 4 + length, _read_abbreviations(self.abbreviations, abbreviations_offset))
            at += 4 + length
        for scope, origin in self.scopes:
            scope.name = self._name(origin)
        return [scope for scope, _ in self.scopes]

    def _read_unit(self, start: int, end: int, abbreviations: dict[int, _Abbreviation]) -> None:
        at = start + 11
        open_scopes: list[Scope | None] = []
        while at < end:
            entry = at
            code, at = _uleb(self.info, at)
            if code == 0:
                if open_scopes:
                    open_scopes.pop()
                continue
            shape = abbreviations[code]
            values, at = shape.read(self.info, at)
            inside = open_scopes[-1] if open_scopes else None
            scope = self._enter(shape, entry, start, values, inside)
            if shape.has_children:
                open_scopes.append(scope)

    def _enter(
        self, shape: _Abbreviation, entry: int, unit: int, values: dict[int, Value], inside: Scope | None
    ) -> Scope | None:
        """What the children of an entry are inside of."""
        if shape.tag == _SUBPROGRAM:
            self._note_name(shape, entry, unit, values)
            ranges = self._code(values)
            return self._add(Scope("", ranges, None, 0), entry) if ranges else None
        if shape.tag == _INLINED and inside is not None:
            scope = Scope("", self._code(values), inside, inside.depth + 1)
            scope.call_file = _number(values, _CALL_FILE)
            scope.call_line = _number(values, _CALL_LINE)
            scope.call_column = _number(values, _CALL_COLUMN)
            return self._add(scope, unit + _number(values, _ABSTRACT_ORIGIN))
        if shape.tag == _COMPILE_UNIT:
            self.base = _number(values, _LOW_PC)
            return None
        return inside if shape.tag == _LEXICAL_BLOCK else None

    def _add(self, scope: Scope, origin: int) -> Scope:
        self.scopes.append((scope, origin))
        return scope

    def _note_name(self, shape: _Abbreviation, entry: int, unit: int, values: dict[int, Value]) -> None:
        name = values.get(_NAME)
        if isinstance(name, bytes):
            self.names[entry] = name.decode("utf-8", "replace")
        elif name is not None:
            self.names[entry], _ = _c_string(self.strings, name)
        for attribute in (_ABSTRACT_ORIGIN, _SPECIFICATION):
            if attribute in values:
                self.origins[entry] = unit + _number(values, attribute)

    def _name(self, entry: int) -> str:
        while entry not in self.names and entry in self.origins:
            entry = self.origins[entry]
        return self.names.get(entry, "")

    def _code(self, values: dict[int, Value]) -> list[tuple[int, int]]:
        """The addresses that an entry covers. Its high address is a size."""
        if _LOW_PC in values and _HIGH_PC in values:
            low = _number(values, _LOW_PC)
            return [(low, low + _number(values, _HIGH_PC))]
        if _RANGES not in values:
            return []
        result: list[tuple[int, int]] = []
        base = self.base
        for low, high in struct.iter_unpack("<QQ", self.ranges[_number(values, _RANGES) :]):
            if low == 0 and high == 0:
                break
            if low == 0xFFFFFFFFFFFFFFFF:
                base = high
            elif low < high:
                result.append((base + low, base + high))
        return result


def _number(values: dict[int, Value], attribute: int) -> int:
    value = values.get(attribute, 0)
    if isinstance(value, bytes):
        raise InternalError(f"attribute {attribute:#x} is no number")
    return value
