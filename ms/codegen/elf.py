"""Relocatable ELF objects, as far as `places.py` needs them: sections, symbols, relocated debug sections.

Reads little-endian 64-bit objects for x86-64 and AArch64, which is what our own code generator makes; anything else
is a bug of the compiler. What the sections mean is left to `dwarf.py`.
Invariant: an address is an offset into the section of the symbol it refers to, as the objects are not linked yet.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ms.diagnostics import InternalError

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")

_RELOCATABLE = 1
_SYMBOL_TABLE = 2
_NO_BITS = 8
_FUNCTION = 2

# The absolute relocations of 8 and 4 bytes, by machine: (EM_X86_64, EM_AARCH64).
_ABSOLUTE_64 = {62: 1, 183: 257}
_ABSOLUTE_32 = {62: 10, 183: 258}


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    index: int
    kind: int
    offset: int
    size: int
    link: int


@dataclass(frozen=True, slots=True)
class Symbol:
    """`section` is an index, `value` an offset into that section."""

    name: str
    section: int
    value: int
    size: int
    is_function: bool


@dataclass(frozen=True, slots=True)
class ElfObject:
    data: bytes
    machine: int
    sections: dict[str, Section]
    symbols: tuple[Symbol, ...]

    def section_bytes(self, name: str) -> bytes:
        """The bytes of a section as they stand in the file; none when there is no such section."""
        section = self.sections.get(name)
        if section is None or section.kind == _NO_BITS:
            return b""
        return self.data[section.offset : section.offset + section.size]

    def relocated_bytes(self, name: str) -> bytes:
        """The bytes of a section with its relocations applied."""
        relocations = self.section_bytes(".rela" + name)
        if not relocations:
            return self.section_bytes(name)
        content = bytearray(self.section_bytes(name))
        values = [symbol.value for symbol in self.symbols]
        absolute_64 = _ABSOLUTE_64[self.machine]
        absolute_32 = _ABSOLUTE_32[self.machine]
        put_64, put_32 = struct.Struct("<Q").pack_into, struct.Struct("<I").pack_into
        for offset, info, addend in _RELOCATION.iter_unpack(relocations):
            kind = info & 0xFFFFFFFF
            value = values[info >> 32] + addend
            if kind == absolute_64:
                put_64(content, offset, value)
            elif kind == absolute_32:
                put_32(content, offset, value)
            else:
                raise InternalError(f"unexpected relocation {kind} in {name}")
        return bytes(content)

    def symbol(self, name: str) -> Symbol | None:
        return next((symbol for symbol in self.symbols if symbol.name == name), None)


def read_object(data: bytes) -> ElfObject:
    """The object in `data`."""
    try:
        return _read(data)
    except (struct.error, ValueError, IndexError) as error:
        raise InternalError(f"unreadable object file: {error}") from error


def _read(data: bytes) -> ElfObject:
    identity, kind, machine, *rest = _HEADER.unpack_from(data)
    if identity[:6] != b"\x7fELF\x02\x01" or kind != _RELOCATABLE or machine not in _ABSOLUTE_64:
        raise InternalError("this is no relocatable object for x86-64 or AArch64")
    table_offset, section_count, names_index = rest[3], rest[9], rest[10]
    headers = [_SECTION.unpack_from(data, table_offset + index * _SECTION.size) for index in range(section_count)]
    names_offset = headers[names_index][4]
    sections: dict[str, Section] = {}
    symbols: tuple[Symbol, ...] = ()
    for index, (name_offset, section_kind, _, _, offset, size, link, *_) in enumerate(headers):
        name = _string(data, names_offset + name_offset)
        sections[name] = Section(name, index, section_kind, offset, size, link)
        if section_kind == _SYMBOL_TABLE:
            symbols = _read_symbols(data, offset, size, headers[link][4])
    return ElfObject(data, machine, sections, symbols)


def _read_symbols(data: bytes, offset: int, size: int, strings_offset: int) -> tuple[Symbol, ...]:
    return tuple(
        Symbol(_string(data, strings_offset + name), section, value, length, info & 0xF == _FUNCTION)
        for name, info, _, section, value, length in _SYMBOL.iter_unpack(data[offset : offset + size])
    )


def _string(data: bytes, offset: int) -> str:
    return data[offset : data.index(b"\0", offset)].decode("utf-8", "replace")
