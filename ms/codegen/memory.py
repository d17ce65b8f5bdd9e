"""Values in registers and in memory: loading, storing, moving, the headers of vectors, and calls of the runtime.

An *operand* is a value in hand: one register (scalars, handles and maps), the address of a struct, a `View` of a vector
that somebody else owns, or a `Vector` with all three words of its header. Who owns what was decided before; here bits
move.
Invariants: a struct's operand is never written through by whom it is given to, unless it was given to be taken; a
`View` goes to the runtime with capacity 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from ms.codegen import layout
from ms.codegen.abi import RUNTIME, Kind
from ms.codegen.emitter import NOMERGE, Writer
from ms.codegen.layout import Layout
from ms.diagnostics import InternalError
from ms.types import BOOL, Scalar, StructType, Type, VectorType


class View(NamedTuple):
    """A vector that is looked at: where its elements lie (ptr) and how many (i32)."""

    data: str
    length: str


class Vector(NamedTuple):
    """A vector that belongs to whoever holds this."""

    data: str
    length: str
    capacity: str


Operand: TypeAlias = str | View | Vector

EMPTY = Vector("null", "0", "0")
_HEADER = (("ptr", layout.TBAA_DATA, 0), ("i32", layout.TBAA_COUNT, 8), ("i32", layout.TBAA_CAPACITY, 12))


def register(operand: Operand) -> str:
    """The register of a scalar, a handle, a map or a struct's address."""
    if isinstance(operand, str):
        return operand
    raise InternalError("a vector where one register was expected")


def view(operand: Operand) -> View:
    """A look at a vector."""
    match operand:
        case View():
            return operand
        case Vector(data, count, _):
            return View(data, count)
        case _:
            raise InternalError("one register where a vector was expected")


def vector(operand: Operand) -> Vector:
    """An owned vector."""
    if isinstance(operand, Vector):
        return operand
    raise InternalError("a vector is taken that was only borrowed")


# Memory


def offset(w: Writer, address: str, bytes_count: int) -> str:
    if bytes_count == 0:
        return address
    return w.address(address, f"getelementptr inbounds nuw i8, ptr {address}, i64 {bytes_count}")


def element(w: Writer, type: Type, data: str, index: str) -> str:
    """The address of element `index` (i64) of elements of `type`."""
    return w.value(f"getelementptr inbounds {layout.memory_type(type)}, ptr {data}, i64 {index}")


def field(w: Writer, type: StructType, address: str, index: int) -> str:
    shape = layout.struct_name(type.name)
    return w.address(address, f"getelementptr inbounds nuw {shape}, ptr {address}, i32 0, i32 {index}")


def _load_word(w: Writer, address: str, word: int) -> str:
    type, tbaa, at = _HEADER[word]
    place = offset(w, address, at)
    load = f"load {type}, ptr {place}, align {8 if at == 0 else 4}, !tbaa {w.module.tbaa(tbaa)}"
    return w.value(load if word == 0 else f"{load}, !range {w.module.count_range}")


def store_word(w: Writer, address: str, word: int, value: str) -> None:
    """`word` of a vector's header at `address`: 0 its data, 1 its count, 2 its capacity."""
    type, tbaa, at = _HEADER[word]
    place = offset(w, address, at)
    w.emit(f"store {type} {value}, ptr {place}, align {8 if at == 0 else 4}, !tbaa {w.module.tbaa(tbaa)}")


def load_data(w: Writer, address: str) -> str:
    return _load_word(w, address, 0)


def load_count(w: Writer, address: str) -> str:
    return _load_word(w, address, 1)


def load_capacity(w: Writer, address: str) -> str:
    return _load_word(w, address, 2)


def load_view(w: Writer, address: str) -> View:
    return View(load_data(w, address), load_count(w, address))


def load_vector(w: Writer, address: str) -> Vector:
    return Vector(load_data(w, address), load_count(w, address), load_capacity(w, address))


def load(w: Writer, type: Type, address: str) -> Operand:
    """The value at an address, as it lies there: nothing is copied and nothing changes its owner."""
    match type:
        case VectorType():
            return load_vector(w, address)
        case StructType():
            return address
        case _:
            return load_register(w, type, address)


def load_register(w: Writer, type: Type, address: str) -> str:
    """A scalar, a handle or a map."""
    assert layout.in_registers(type)
    size = 8 if not isinstance(type, Scalar) else layout.SIZES[type]
    tag = w.module.tbaa(layout.tbaa_name(type))
    value = w.value(f"load {layout.memory_type(type)}, ptr {address}, align {size}, !tbaa {tag}")
    return w.value(f"trunc i8 {value} to i1") if type is BOOL else value


def store(w: Writer, shapes: Layout, type: Type, value: Operand, address: str) -> None:
    """Puts a value where nothing (that owns) was before."""
    match type:
        case VectorType():
            for word, part in enumerate(vector(value)):
                store_word(w, address, word, part)
        case StructType():
            copy_bytes(w, address, register(value), str(shapes.size(type)), shapes.shape(type).alignment)
        case _:
            assert layout.in_registers(type)
            part = register(value)
            if type is BOOL:
                part = w.value(f"zext i1 {part} to i8")
            size = shapes.size(type)
            tag = w.module.tbaa(layout.tbaa_name(type))
            w.emit(f"store {layout.memory_type(type)} {part}, ptr {address}, align {size}, !tbaa {tag}")


def zero(w: Writer, shapes: Layout, type: Type, address: str) -> None:
    """The zero value."""
    match type:
        case VectorType():
            store(w, shapes, type, EMPTY, address)
        case StructType():
            w.module.intrinsic("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
            shape = shapes.shape(type)
            aligned = f"align {shape.alignment} {address}"
            w.emit(f"call void @llvm.memset.p0.i64(ptr {aligned}, i8 0, i64 {shape.size}, i1 false)")
        case _:
            store(w, shapes, type, zero_register(type), address)


def zero_register(type: Type) -> str:
    """The zero value of a scalar, a handle or a map."""
    match layout.register_type(type):
        case "ptr":
            return "null"
        case "double" | "float":
            return "0.0"
        case "i1":
            return "false"
        case _:
            return "0"


def copy_bytes(w: Writer, to: str, source: str, size: str, alignment: int = 1) -> None:
    """memcpy of `size` (i64) bytes; the two do not overlap."""
    w.module.intrinsic("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
    w.emit(
        f"call void @llvm.memcpy.p0.p0.i64(ptr align {alignment} {to}, ptr align {alignment} {source}, "
        f"i64 {size}, i1 false)"
    )


# Arithmetic that the code generator needs for itself


def is_constant(value: str) -> bool:
    return value[0] not in "%@"


def wide(w: Writer, count: str) -> str:
    """A count (i32, never negative) as an i64."""
    return count if is_constant(count) else w.reused(f"zext nneg i32 {count} to i64")


def times(w: Writer, value: str, factor: int) -> str:
    """value (i64) * factor; never more than memory can hold."""
    if is_constant(value):
        return str(int(value) * factor)
    return value if factor == 1 else w.value(f"mul nuw nsw i64 {value}, {factor}")


def add(w: Writer, left: str, right: str) -> str:
    """The sum of two sizes (i64)."""
    if is_constant(left) and is_constant(right):
        return str(int(left) + int(right))
    if left == "0":
        return right
    return left if right == "0" else w.value(f"add nuw nsw i64 {left}, {right}")


def distance(w: Writer, start: str, end: str) -> str:
    """How many bytes (i64) lie between two addresses."""
    return w.value(f"sub i64 {w.value(f'ptrtoint ptr {end} to i64')}, {w.value(f'ptrtoint ptr {start} to i64')}")


# Calls of the runtime


def _pack(w: Writer, value: Operand) -> str:
    """A vector as the two arguments that the ABI makes of it."""
    match value:
        case Vector(data, count, capacity) if (word := w.joined(count, capacity)) is not None:
            return f"ptr {data}, i64 {word}"
        case Vector(data, count, capacity) if capacity != "0":
            high = w.value(f"shl nuw i64 {w.value(f'zext i32 {capacity} to i64')}, 32")
            return f"ptr {data}, i64 {w.value(f'or disjoint i64 {wide(w, count)}, {high}')}"
        case View(data, count) | Vector(data, count, _):
            return f"ptr {data}, i64 {wide(w, count)}"
        case _:
            raise InternalError("one register where a vector was expected")


def _argument(w: Writer, kind: Kind, value: Operand) -> str:
    match kind:
        case Kind.VECTOR:
            return _pack(w, value)
        case Kind.BOOL | Kind.U8:
            return f"{kind.value} zeroext {register(value)}"
        case _:
            return f"{kind.value} {register(value)}"


def call(w: Writer, name: str, arguments: Sequence[Operand] = ()) -> Operand:
    """Calls a function of the runtime; the result is "" for void. `ms_reader` results are left to `call_raw`."""
    function = RUNTIME[name]
    text = call_text(w, name, arguments)
    if function.result is Kind.VOID:
        w.emit(text)
        if not function.returns:
            w.unreachable()
        return ""
    result = w.value(text)
    if function.result is not Kind.VECTOR:
        return result
    return unpacked(w, result)


def packed(w: Writer, value: Vector) -> str:
    """A vector as functions of the runtime give it."""
    parts = _pack(w, value).split(", ")
    first = w.value(f"insertvalue {Kind.VECTOR.value} poison, {parts[0]}, 0")
    return w.value(f"insertvalue {Kind.VECTOR.value} {first}, {parts[1]}, 1")


def unpacked(w: Writer, result: str) -> Vector:
    """The parts of a vector that a function of the runtime gave."""
    data = w.value(f"extractvalue {Kind.VECTOR.value} {result}, 0")
    word = w.value(f"extractvalue {Kind.VECTOR.value} {result}, 1")
    count = w.value(f"trunc i64 {word} to i32")
    capacity = w.value(f"trunc i64 {w.value(f'lshr i64 {word}, 32')} to i32")
    w.join(count, capacity, word)
    return Vector(data, count, capacity)


def call_text(w: Writer, name: str, arguments: Sequence[Operand]) -> str:
    """The call instruction itself."""
    function = RUNTIME[name]
    w.module.runtime(name)
    pairs = zip(function.parameters, arguments, strict=True)
    listed = ", ".join([_argument(w, kind, value) for kind, value in pairs])
    attributes = f" {NOMERGE}" if function.fails else ""
    result = f"{function.result_attributes} {function.result.value}".lstrip()
    return f"call {result} @{name}({listed}){attributes}"


def call_vector(w: Writer, name: str, arguments: Sequence[Operand]) -> Vector:
    return vector(call(w, name, arguments))


def call_register(w: Writer, name: str, arguments: Sequence[Operand] = ()) -> str:
    return register(call(w, name, arguments))


def returned(w: Writer, result: str) -> Vector:
    """The parts of a `%ms.vector` that a function of the program gave back."""
    parts = [w.value(f"extractvalue {layout.VECTOR} {result}, {word}") for word in range(3)]
    return Vector(*parts)


def returning(w: Writer, value: Vector) -> str:
    """A vector as one value for `ret`."""
    result = "poison"
    for word, (part, (type, _, _)) in enumerate(zip(value, _HEADER, strict=True)):
        result = w.value(f"insertvalue {layout.VECTOR} {result}, {type} {part}, {word}")
    return result
