"""What is done to vectors: making, joining, slicing and appending, with operands in hand.

Element types that own are handled by copying bytes first and making the copies independent afterwards
(`Glue.own_range`). The work on bytes is the runtime's, except the paths that a loop takes many times.
Invariant: a `Vector` operand is used up by the function that it is given to; a `View` is left as it was.
"""

from __future__ import annotations

from ms.codegen import memory
from ms.codegen.frame import Frame
from ms.codegen.memory import Operand, Vector, View, view
from ms.types import VectorType


def element_size(f: Frame, type: VectorType) -> str:
    return str(f.unit.shapes.size(type.element))


def allocate(f: Frame, type: VectorType, count: int) -> Vector:
    """A vector of `count` > 0 elements that are not written yet."""
    size = count * f.unit.shapes.size(type.element)
    return Vector(memory.call_register(f.w, "ms_alloc", [str(size)]), str(count), str(count))


def copy_bytes(f: Frame, type: VectorType, source: View) -> Vector:
    """A copy of static elements that own nothing."""
    if source.length == "0":
        return memory.EMPTY
    made = allocate(f, type, int(source.length))
    size = int(source.length) * f.unit.shapes.size(type.element)
    memory.copy_bytes(f.w, made.data, source.data, str(size))
    return made


def concat(f: Frame, type: VectorType, left: Operand, right: Operand) -> Vector:
    """left followed by right. What is a `Vector` is used up."""
    w, glue = f.w, f.unit.glue
    left_count = memory.wide(w, view(left).length)
    size = element_size(f, type)
    if isinstance(left, Vector):
        result = memory.call_vector(w, "ms_vector_append", [left, right, size])
    else:
        result = memory.call_vector(w, "ms_vector_concat", [left, right, size])
    if f.owns(type.element):
        end = memory.wide(w, result.length)
        first = left_count if isinstance(left, Vector) else "0"
        own_end = left_count if isinstance(right, Vector) else end
        glue.own_range(w, type.element, result.data, first, own_end)
    if isinstance(right, Vector):
        glue.free(w, type.element, right.data, right.capacity)
    return result


def slice(f: Frame, type: VectorType, base: View, low: str, high: str) -> Vector:
    """A new vector of elements low to high - 1 (both i64)."""
    result = memory.call_vector(f.w, "ms_vector_slice", [base, low, high, element_size(f, type)])
    f.unit.glue.own_range(f.w, type.element, result.data, "0", memory.wide(f.w, result.length))
    return result


def append(f: Frame, type: VectorType, address: str, value: Operand) -> None:
    """Appends one element to the vector at `address`."""
    w = f.w
    count = memory.load_count(w, address)
    capacity = memory.load_capacity(w, address)
    grow, room = w.new_label(), w.new_label()
    w.branch_if(w.value(f"icmp ult i32 {count}, {capacity}"), room, grow, f", !prof {w.module.likely}")
    w.label(grow)
    old = Vector(memory.load_data(w, address), count, capacity)
    grown = f.unit.glue.grown(w, type, old)
    memory.store_word(w, address, 0, grown.data)
    memory.store_word(w, address, 2, grown.capacity)
    w.label(room)
    data = memory.load_data(w, address)
    f.store(type.element, value, memory.element(w, type.element, data, memory.wide(w, count)))
    memory.store_word(w, address, 1, w.value(f"add nuw i32 {count}, 1"))


def append_all(f: Frame, type: VectorType, address: str, right: Operand) -> None:
    """Appends every element of another vector to the one at `address`."""
    f.store(type, concat(f, type, memory.load_vector(f.w, address), right), address)
