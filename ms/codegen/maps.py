"""What is done to maps: putting pairs in, and the built-in functions on maps.

Operands come as `builtins.py` says. Reaching `m[k]` stands in `expressions.py`, what every type needs in `glue.py`.
Invariant: a key or a value that leaves its map is dropped or given away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ms.codegen import entries, memory
from ms.codegen.frame import Frame
from ms.codegen.memory import Operand, register
from ms.diagnostics import InternalError
from ms.typed import BuiltinCall
from ms.types import MapType, Type, VectorType


def _map_type(type: Type) -> MapType:
    if isinstance(type, MapType):
        return type
    raise InternalError(f"{type} is not a map")


def put(f: Frame, type: MapType, map: str, key: Operand, value: Operand) -> str:
    """The map with a pair put in; the value of an equal key goes."""
    map, entry = entries.at(f.w, f.unit.shapes, type, map, key)
    address = entries.value(f.w, f.unit.shapes, type, entry)
    f.unit.glue.drop(f.w, type.value, address)
    f.store(type.value, value, address)
    return map


def _find(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> str:
    type = _map_type(e.arguments[0].type)
    return entries.find(f.w, f.unit.shapes, type, register(operands[0]), operands[1])


def _size(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    return entries.count(f.w, register(operands[0]))


def _has(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    return f.w.value(f"icmp ne ptr {_find(f, e, operands)}, null")


def _lookup(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    """A copy of the value that is there, or the default, which is given up otherwise."""
    w, glue = f.w, f.unit.glue
    result = f.temporary(e.type)
    f.store(e.type, operands[2], result)
    entry = _find(f, e, operands)
    with w.when(w.value(f"icmp ne ptr {entry}, null")):
        glue.drop(w, e.type, result)
        found = entries.value(w, f.unit.shapes, _map_type(e.arguments[0].type), entry)
        f.store(e.type, memory.load(w, e.type, found), result)
        glue.own(w, e.type, result)
    return memory.load(w, e.type, result)


def _remove(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    w = f.w
    type = _map_type(e.arguments[0].type)
    map = memory.load_register(w, type, register(operands[0]))
    entry = entries.take(w, f.unit.shapes, type, map, operands[1])
    was_there = w.value(f"icmp ne ptr {entry}, null")
    with w.when(was_there):
        f.unit.glue.drop_entry(w, type, entry)
    return was_there


def _clear(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    type = _map_type(e.arguments[0].type)
    home = register(operands[0])
    map = memory.load_register(f.w, type, home)
    f.unit.glue.drop_entries(f.w, type, map)
    f.store(type, memory.call(f.w, "ms_map_clear", [map, str(f.unit.shapes.entry(type).size)]), home)
    return ""


def _keys(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    return _gather(f, e, register(operands[0]), lambda entry: entry)


def _values(f: Frame, e: BuiltinCall, operands: Sequence[Operand]) -> Operand:
    type = _map_type(e.arguments[0].type)
    return _gather(f, e, register(operands[0]), lambda entry: entries.value(f.w, f.unit.shapes, type, entry))


def _gather(f: Frame, e: BuiltinCall, map: str, part: Callable[[str], str]) -> Operand:
    """A vector of copies of a part of every entry."""
    w = f.w
    assert isinstance(e.type, VectorType)
    element = e.type.element
    count = memory.wide(w, entries.count(w, map))
    made = memory.call_vector(w, "ms_vector_new", [count, str(f.unit.shapes.size(element))])
    next_at = w.alloca("i64")
    w.emit(f"store i64 0, ptr {next_at}")
    with entries.each(w, f.unit.shapes, _map_type(e.arguments[0].type), map) as entry:
        index = w.value(f"load i64, ptr {next_at}")
        address = memory.element(w, element, made.data, index)
        f.store(element, memory.load(w, element, part(entry)), address)
        f.unit.glue.own(w, element, address)
        w.emit(f"store i64 {w.value(f'add nuw nsw i64 {index}, 1')}, ptr {next_at}")
    return made


GENERATORS: dict[str, Callable[[Frame, BuiltinCall, Sequence[Operand]], Operand]] = {
    "map_size": _size,
    "map_has": _has,
    "map_lookup": _lookup,
    "map_remove": _remove,
    "map_clear": _clear,
    "map_keys": _keys,
    "map_values": _values,
}
