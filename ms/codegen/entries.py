"""Entries of maps: how many there are, where their parts lie, going over them, and reaching one by its key.

A map is a pointer to the block that `ms_map` in ms.h describes, or null. What is done to whole maps stands in
`glue.py`, `wire.py` and `maps.py`.
Invariants: the address of an entry is good until a key is put in; going over the entries leaves out those that were
removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ms.codegen import memory
from ms.codegen.emitter import Writer
from ms.codegen.layout import EntryShape, Layout
from ms.codegen.memory import Operand, register
from ms.diagnostics import InternalError
from ms.types import BOOL, CHAR, INT, LONG, STRING, MapType, Type

HEADER_SIZE = 16
SLOT_SIZE = 8
COUNT, USED, MASK = 0, 4, 8  # offsets of the header's words
_KINDS: dict[Type, str] = {INT: "int", LONG: "long", CHAR: "char", BOOL: "char", STRING: "string"}


def _function(type: MapType, name: str) -> str:
    """The runtime function for the type's keys."""
    kind = _KINDS.get(type.key)
    if kind is None:
        raise InternalError(f"{type.key} is the key of a map")
    return f"ms_map_{name}_{kind}"


def _key(w: Writer, type: MapType, key: Operand) -> Operand:
    return w.value(f"zext i1 {register(key)} to i8") if type.key is BOOL else key


def _present(w: Writer, map: str) -> str:
    """The map, or one without entries for null."""
    empty = w.module.constant(f"[{HEADER_SIZE + SLOT_SIZE} x i8] zeroinitializer, align 16")
    return w.value(f"select i1 {w.value(f'icmp eq ptr {map}, null')}, ptr {empty}, ptr {map}")


def _word(w: Writer, present: str, at: int) -> str:
    return w.value(f"load i32, ptr {memory.offset(w, present, at)}, align 4")


def count(w: Writer, map: str) -> str:
    """The number of pairs (i32)."""
    return _word(w, _present(w, map), COUNT)


def extent(w: Writer, map: str) -> tuple[str, str]:
    """Where the entries begin, and how many there are (i64), removed ones included."""
    present = _present(w, map)
    used = memory.wide(w, _word(w, present, USED))
    slots = w.value(f"add nuw nsw i64 {memory.wide(w, _word(w, present, MASK))}, 1")
    size = memory.add(w, memory.times(w, slots, SLOT_SIZE), str(HEADER_SIZE))
    return w.value(f"getelementptr inbounds nuw i8, ptr {present}, i64 {size}"), used


def at_index(w: Writer, shape: EntryShape, first: str, index: str) -> str:
    """The address of entry `index` (i64)."""
    return w.value(f"getelementptr inbounds nuw i8, ptr {first}, i64 {memory.times(w, index, shape.size)}")


def is_there(w: Writer, shape: EntryShape, entry: str) -> str:
    """An i1: whether the entry was not removed."""
    return w.value(f"icmp ne i32 {_word(w, entry, shape.hash_offset)}, 0")


def value(w: Writer, shapes: Layout, type: MapType, entry: str) -> str:
    """The address of an entry's value; that of its key is the entry's own."""
    return memory.offset(w, entry, shapes.entry(type).value_offset)


@contextmanager
def each(w: Writer, shapes: Layout, type: MapType, map: str) -> Iterator[str]:
    """What is emitted inside happens for every entry, whose address it is given."""
    shape = shapes.entry(type)
    first, used = extent(w, map)
    with w.counted(used) as index:
        entry = at_index(w, shape, first, index)
        with w.when(is_there(w, shape, entry)):
            yield entry


def find(w: Writer, shapes: Layout, type: MapType, map: str, key: Operand) -> str:
    """The address of the entry of a key, or null."""
    size = str(shapes.entry(type).size)
    return memory.call_register(w, _function(type, "find"), [map, _key(w, type, key), size])


def at(w: Writer, shapes: Layout, type: MapType, map: str, key: Operand) -> tuple[str, str]:
    """The map, with the key put in if it was missing, and the key's entry. A `Vector` is used up, a `View` copied."""
    size = str(shapes.entry(type).size)
    slot = memory.call_register(w, _function(type, "at"), [map, _key(w, type, key), size])
    return w.value(f"extractvalue {{ ptr, ptr }} {slot}, 0"), w.value(f"extractvalue {{ ptr, ptr }} {slot}, 1")


def take(w: Writer, shapes: Layout, type: MapType, map: str, key: Operand) -> str:
    """Takes a key out; the entry that it was in, whose key and value are to be dropped, or null."""
    size = str(shapes.entry(type).size)
    return memory.call_register(w, _function(type, "take"), [map, _key(w, type, key), size])


def fail_missing(w: Writer, type: MapType, key: Operand) -> None:
    """Fails because a key is not there."""
    if type.key is INT:
        memory.call(w, "ms_fail_key_long", [w.value(f"sext i32 {register(key)} to i64")])
    else:
        memory.call(w, f"ms_fail_key_{type.key}", [key])
