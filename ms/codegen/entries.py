"""Entries of maps: how many there are, where their parts lie, going over them, and reaching one by its key.

A map is a pointer to the block that `ms_map` in ms.h describes, or null. What is done to whole maps stands in
`glue.py`, `wire.py` and `maps.py`.
Invariants: the address of an entry is good until a key is put in; going over the entries leaves out those that were
removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ms.codegen import layout, memory
from ms.codegen.emitter import NOMERGE, Writer
from ms.codegen.layout import EntryShape, Layout
from ms.codegen.memory import Operand, register
from ms.diagnostics import InternalError
from ms.types import BOOL, CHAR, INT, LONG, STRING, MapType, Type

HASH_FACTOR = 0x9E3779B97F4A7C15
HEADER_SIZE = 16
SLOT_SIZE = 8
COUNT, USED, MASK, SHIFT = 0, 4, 8, 12  # offsets of the header's words
_PAIR = "{ ptr, ptr }"
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
    if type.key is STRING:
        size = str(shapes.entry(type).size)
        return memory.call_register(w, _function(type, "find"), [map, key, size])
    name, key_type = f'@"find.{type}"', layout.register_type(type.key)
    body = w.module.helper(name)
    if body:
        _search(body, shapes, type)
        body.finish(f"internal fastcc ptr {name}(ptr %map, {key_type} %key)")
    return w.value(f"call fastcc ptr {name}(ptr {map}, {key_type} {register(key)})")


def at(w: Writer, shapes: Layout, type: MapType, map: str, key: Operand) -> tuple[str, str]:
    """The map, with the key put in if it was missing, and the key's entry. A `Vector` is used up, a `View` copied."""
    if type.key is STRING:
        slot = memory.call_register(w, _function(type, "at"), [map, key, str(shapes.entry(type).size)])
    else:
        name, key_type = f'@"at.{type}"', layout.register_type(type.key)
        body = w.module.helper(name)
        if body:
            _search_or_add(body, shapes, type)
            body.finish(f"internal fastcc {_PAIR} {name}(ptr %map, {key_type} %key)")
        slot = w.value(f"call fastcc {_PAIR} {name}(ptr {map}, {key_type} {register(key)}) {NOMERGE}")
    return w.value(f"extractvalue {_PAIR} {slot}, 0"), w.value(f"extractvalue {_PAIR} {slot}, 1")


def _search_or_add(w: Writer, shapes: Layout, type: MapType) -> None:
    entry = find(w, shapes, type, "%map", "%key")
    with w.when(w.value(f"icmp eq ptr {entry}, null"), unlikely=True):
        arguments = ["%map", _key(w, type, "%key"), str(shapes.entry(type).size)]
        w.ret(f"{_PAIR} {memory.call_register(w, _function(type, 'at'), arguments)}")
    there = w.value(f"insertvalue {_PAIR} poison, ptr %map, 0")
    w.ret(f"{_PAIR} {w.value(f'insertvalue {_PAIR} {there}, ptr {entry}, 1')}")


def _search(w: Writer, shapes: Layout, type: MapType) -> None:
    """The body of a search for a number, as `search` in core/map.c does it: a loop that looks a key up has no call in
    it, and knows the size of an entry."""
    with w.when(w.value("icmp eq ptr %map, null")):
        w.ret("ptr null")
    llvm = layout.register_type(type.key)
    hash = _hash(w, "%key" if type.key is LONG else w.value(f"zext {llvm} %key to i64"))
    mask = memory.wide(w, _word(w, "%map", MASK))
    shift = w.value(f"load i8, ptr {memory.offset(w, '%map', SHIFT)}, align 4")
    first = w.value(f"lshr i64 {hash}, {w.value(f'zext i8 {shift} to i64')}")
    slots = memory.offset(w, "%map", HEADER_SIZE)
    size = shapes.entry(type).size
    before = w.value(f"getelementptr i64, ptr {slots}, i64 {mask}")  # the last slot; entries are counted from 1
    before = w.value(f"getelementptr i8, ptr {before}, i64 {SLOT_SIZE - size}")
    entry_block = w.block
    loop, next_slot, same, missing = (w.new_label() for _ in range(4))
    w.label(loop)
    at, following = "%at", "%following"
    w.emit(f"{at} = phi i64 [ {first}, %{entry_block} ], [ {following}, %{next_slot} ]")
    slot = w.value(f"load i64, ptr {w.value(f'getelementptr inbounds i64, ptr {slots}, i64 {at}')}, align 8")
    w.branch_if(w.value(f"icmp eq i64 {w.value(f'lshr i64 {slot}, 32')}, {hash}"), same, missing)
    w.label(same)
    index = w.value(f"and i64 {slot}, 4294967295")
    entry = w.value(f"getelementptr i8, ptr {before}, i64 {memory.times(w, index, size)}")
    found = w.new_label()
    stored = register(memory.load(w, type.key, entry))
    w.branch_if(w.value(f"icmp eq {llvm} {stored}, %key"), found, next_slot)
    w.label(found)
    w.ret(f"ptr {entry}")
    w.label(missing)
    nothing = w.new_label()
    w.branch_if(w.value(f"icmp eq i64 {slot}, 0"), nothing, next_slot)
    w.label(next_slot)
    w.emit(f"{following} = and i64 {w.value(f'add nuw nsw i64 {at}, 1')}, {mask}")
    w.branch(loop)
    w.label(nothing)
    w.ret("ptr null")


def _hash(w: Writer, number: str) -> str:
    """The hash of a number (both i64), as `hash_number` in core/map.c reckons it."""
    product = w.value(f"mul i128 {w.value(f'zext i64 {number} to i128')}, {HASH_FACTOR}")
    low = w.value(f"trunc i128 {product} to i64")
    high = w.value(f"trunc i128 {w.value(f'lshr i128 {product}, 64')} to i64")
    folded = w.value(f"xor i64 {low}, {high}")
    mixed = w.value(f"xor i64 {folded}, {w.value(f'lshr i64 {folded}, 32')}")
    return w.value(f"or i64 {w.value(f'and i64 {mixed}, 4294967295')}, 1")


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
