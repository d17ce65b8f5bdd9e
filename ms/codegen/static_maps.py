"""How the runtime would lay out a map that is known at compile time: `core/map.c` in Python.

Invariant: the hashes are those of the runtime without a seed, for the same bytes on every target; the tests hold the
two together.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ms.codegen.entries import HASH_FACTOR
from ms.codegen.layout import EntryShape
from ms.diagnostics import InternalError
from ms.typed import BoolLiteral, Expression, IntLiteral, StringLiteral, ZeroValue
from ms.types import INT, LONG

_WORD = (1 << 64) - 1
_FIRST, _SECOND = 0xA0761D6478BD642F, 0xE7037ED1A0B428DB
_SLOTS_MIN = 8


def _fold(left: int, right: int) -> int:
    product = left * right
    return (product ^ product >> 64) & _WORD


def _finished(hash: int) -> int:
    return (hash ^ hash >> 32) & 0xFFFFFFFF | 1


def hash_number(number: int) -> int:
    """`number` is not negative and below 2 ** 64."""
    return _finished(_fold(number, HASH_FACTOR))


def hash_bytes(data: bytes) -> int:
    size = len(data)
    seed, left, right = _FIRST, 0, 0

    def word(at: int, bytes_count: int) -> int:
        return int.from_bytes(data[at : at + bytes_count], "little")

    if size > 16:
        at = 0
        while size - at > 16:
            seed = _fold(word(at, 8) ^ _SECOND, word(at + 8, 8) ^ seed)
            at += 16
        left, right = word(size - 16, 8), word(size - 8, 8)
    elif size >= 4:
        step = size >> 3 << 2
        left = word(0, 4) << 32 | word(step, 4)
        right = word(size - 4, 4) << 32 | word(size - 4 - step, 4)
    elif size > 0:
        left = data[0] << 16 | data[size >> 1] << 8 | data[-1]
    return _finished(_fold(_SECOND ^ size, _fold(left ^ _SECOND, right ^ seed)))


def _identity(key: Expression) -> int | bytes:
    """What tells literals of one type apart as keys."""
    match key:
        case IntLiteral() | BoolLiteral() | StringLiteral():
            return key.value
        case ZeroValue():
            return b""
        case _:
            raise InternalError("not a static key", key.span)


def _hash(key: Expression) -> int:
    value = _identity(key)
    if isinstance(value, bytes):
        return hash_bytes(value)
    return hash_number(value & (_WORD if key.type is LONG else 0xFFFFFFFF if key.type is INT else 0xFF))


def without_repetition(pairs: Iterable[tuple[Expression, Expression]]) -> list[tuple[Expression, Expression]]:
    """A key that comes again has its first place and its last value."""
    found: dict[int | bytes, tuple[Expression, Expression]] = {}
    for key, value in pairs:
        identity = _identity(key)
        found[identity] = (found[identity][0] if identity in found else key, value)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Block:
    """Header and slots, and the hashes that go into the entries."""

    head: bytes
    hashes: list[int]


def lay_out(keys: Sequence[Expression], shape: EntryShape) -> Block:
    """The block for these keys, which differ."""
    bits = _SLOTS_MIN.bit_length() - 1
    while (1 << bits) // 8 * 5 < len(keys):
        bits += 1
    slots = [0] * (1 << bits)
    hashes = [_hash(key) for key in keys]
    for number, hash in enumerate(hashes, 1):
        at = hash >> (32 - bits)
        while slots[at]:
            at = (at + 1) % len(slots)
        slots[at] = hash << 32 | number
    header = struct.pack("<IIIBBH", len(keys), len(keys), len(slots) - 1, 32 - bits, shape.hash_offset, 0)
    return Block(header + struct.pack(f"<{len(slots)}Q", *slots), hashes)
