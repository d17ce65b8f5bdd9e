"""How the types of M/s lie in memory and in LLVM's registers: shapes, sizes, alignments, TBAA, and which of them own.

The rules are C's for 64-bit machines and the same on every target, so an encoded or a constant value means the same
everywhere. A vector is `{ ptr, i32, i32 }` (`ms_vector`), a map and a handle a pointer, a struct its fields in turn
with padding, an entry of a map its key, hash and value likewise. `bool` is one bit in registers and one byte in memory;
every other scalar has one shape.
Invariant: no type has the size 0, in memory or encoded; a struct without fields is one byte of padding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

from ms.diagnostics import InternalError
from ms.typed import Struct
from ms.types import (
    BOOL,
    CHAR,
    DOUBLE,
    FLOAT,
    INT,
    JOB_STATE,
    LONG,
    VOID,
    JobType,
    MapType,
    Scalar,
    StructType,
    Type,
    VectorType,
)

VECTOR = "%ms.vector"
VECTOR_DEFINITION = f"{VECTOR} = type {{ ptr, i32, i32 }}"

_REGISTER = {
    INT: "i32",
    LONG: "i64",
    DOUBLE: "double",
    FLOAT: "float",
    BOOL: "i1",
    CHAR: "i8",
    JOB_STATE: "i32",
    VOID: "void",
}
SIZES = {INT: 4, LONG: 8, DOUBLE: 8, FLOAT: 4, BOOL: 1, CHAR: 1, JOB_STATE: 4}


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of a type. `offsets` are those of a struct's fields; `encoded_minimum` the fewest bytes on
    the wire."""

    size: int
    alignment: int
    owns: bool
    encoded_minimum: int
    offsets: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class EntryShape:
    """An entry of a map: its key lies at 0."""

    hash_offset: int
    value_offset: int
    size: int


_VECTOR_SHAPE = Shape(16, 8, True, 4)
_MAP_SHAPE = Shape(8, 8, True, 4)
_HANDLE_SHAPE = Shape(8, 8, True, 1)
_HASH_SHAPE = Shape(4, 4, False, 0)


class Layout:
    """The shapes of one program's types."""

    def __init__(self, structs: dict[str, Struct]) -> None:
        self.structs = structs
        self.shapes: dict[Type, Shape] = {scalar: Shape(size, size, False, size) for scalar, size in SIZES.items()}
        self._entries: dict[MapType, EntryShape] = {}

    def shape(self, type: Type) -> Shape:
        known = self.shapes.get(type)
        if known is None:
            known = self.shapes[type] = self._make(type)
        return known

    def _make(self, type: Type) -> Shape:
        match type:
            case VectorType():
                return _VECTOR_SHAPE
            case MapType():
                return _MAP_SHAPE
            case JobType():
                return _HANDLE_SHAPE
            case StructType():
                return self._struct([self.shape(field.type) for field in self.structs[type.name].fields])
            case _:
                raise InternalError(f"no value has the type {type} in this version")

    @staticmethod
    def _struct(fields: list[Shape]) -> Shape:
        offsets = []
        at = 0
        for field in fields:
            at = _aligned(at, field.alignment)
            offsets.append(at)
            at += field.size
        alignment = max((field.alignment for field in fields), default=1)
        minimum = max(sum(field.encoded_minimum for field in fields), 1)
        owns = any(field.owns for field in fields)
        return Shape(max(_aligned(at, alignment), 1), alignment, owns, minimum, tuple(offsets))

    def entry(self, type: MapType) -> EntryShape:
        """The entries of a map, laid out as the runtime expects them."""
        known = self._entries.get(type)
        if known is None:
            whole = self._struct([self.shape(type.key), _HASH_SHAPE, self.shape(type.value)])
            known = self._entries[type] = EntryShape(whole.offsets[1], whole.offsets[2], whole.size)
        return known

    def size(self, type: Type) -> int:
        return self.shape(type).size

    def owns(self, type: Type) -> bool:
        return type is not VOID and self.shape(type).owns

    def fields(self, type: StructType) -> list[Type]:
        return [field.type for field in self.structs[type.name].fields]

    def definitions(self) -> list[str]:
        """The named types of the module."""
        lines = [VECTOR_DEFINITION]
        for struct in self.structs.values():
            fields = [memory_type(field.type) for field in struct.fields] or ["i8"]
            lines.append(f"{struct_name(struct.name)} = type {{ {', '.join(fields)} }}")
        return lines


def _aligned(offset: int, alignment: int) -> int:
    return (offset + alignment - 1) // alignment * alignment


def struct_name(name: str) -> str:
    return f"%struct.{name}"


def register_type(type: Type) -> str:
    """The LLVM type of a value in registers; structs are never there."""
    match type:
        case Scalar():
            return _REGISTER[type]
        case VectorType():
            return VECTOR
        case JobType() | MapType():
            return "ptr"
        case StructType():
            raise InternalError(f"{type} is not held in registers")


def memory_type(type: Type) -> str:
    """The LLVM type of a value in memory."""
    if type is BOOL:
        return "i8"
    if isinstance(type, StructType):
        return struct_name(type.name)
    return register_type(type)


def in_registers(type: Type) -> TypeGuard[Scalar | JobType | MapType]:
    """Whether a value is one LLVM register."""
    return isinstance(type, (Scalar, JobType, MapType))


def is_block(type: Type) -> bool:
    """Whether a vector of this type is encoded as one block of bytes, as it lies in memory."""
    return isinstance(type, Scalar)


def compares_as_bytes(type: Type) -> bool:
    """Whether two values are equal exactly when their bytes are. Not so for floating point (-0.0, nan)."""
    return type in (INT, LONG, CHAR, BOOL, JOB_STATE) or isinstance(type, JobType)


# Type-based alias analysis: the three words of a vector's header and every scalar type are kinds of memory of their
# own. No program can reach one as another; the runtime's and memcpy's accesses carry no tag and alias everything.

TBAA_DATA = "data"
TBAA_COUNT = "count"
TBAA_CAPACITY = "capacity"


def tbaa_name(type: Scalar | JobType | MapType) -> str:
    match type:
        case Scalar():
            return type.value
        case JobType():
            return "handle"
        case MapType():
            return "map"
