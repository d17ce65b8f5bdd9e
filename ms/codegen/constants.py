"""Static data: the values of constants and of literals, as LLVM constants.

A static vector is a header with capacity 0; its elements, and what they hold in turn, are static too. Nothing here is
ever written. What may be a constant's value is the checker's business.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ms.codegen import layout, static_maps
from ms.codegen.emitter import Module, double_constant, float_constant, quoted
from ms.codegen.layout import Layout
from ms.codegen.memory import View, zero_register
from ms.diagnostics import InternalError
from ms.typed import (
    BoolLiteral,
    Expression,
    FloatLiteral,
    IntLiteral,
    MapLiteral,
    StateLiteral,
    StringLiteral,
    StructLiteral,
    VectorLiteral,
    ZeroValue,
)
from ms.types import DOUBLE, MapType, Scalar, Type, VectorType

_PACKING = {"i32": "i", "i64": "q", "double": "d", "float": "f", "i8": "B"}


def scalar(e: Expression) -> str | None:
    """The register text of a literal; None for every other expression."""
    match e:
        case IntLiteral() | StateLiteral():
            return str(e.value)
        case FloatLiteral():
            return double_constant(e.value) if e.type is DOUBLE else float_constant(e.value)
        case BoolLiteral():
            return "true" if e.value else "false"
        case ZeroValue() if isinstance(e.type, Scalar):
            return zero_register(e.type)
        case _:
            return None


def is_static(e: Expression) -> bool:
    """Whether an expression is made of literals only."""
    match e:
        case IntLiteral() | StateLiteral() | FloatLiteral() | BoolLiteral() | StringLiteral() | ZeroValue():
            return True
        case VectorLiteral():
            return all(is_static(element) for element in e.elements)
        case StructLiteral():
            return all(is_static(value) for value in e.values)
        case MapLiteral():
            return all(is_static(key) and is_static(value) for key, value in e.pairs)
        case _:
            return False


class Constants:
    """The static data of one module."""

    def __init__(self, module: Module, shapes: Layout) -> None:
        self.module = module
        self.shapes = shapes
        self._known: dict[int, tuple[Expression, str]] = {}

    def view(self, e: Expression) -> View:
        """A static vector, as it is borrowed."""
        match e:
            case StringLiteral():
                return View(self.module.bytes_constant(e.value), str(len(e.value))) if e.value else View("null", "0")
            case VectorLiteral(elements, VectorType(element)) if elements:
                return View(self._array(elements, element), str(len(elements)))
            case ZeroValue() | VectorLiteral():
                return View("null", "0")
            case _:
                raise InternalError("not a static vector", e.span)

    def map(self, e: Expression) -> str:
        """A static map, as it is borrowed."""
        known = self._known.get(id(e))
        if known is None:
            if not isinstance(e, MapLiteral | ZeroValue) or not isinstance(e.type, MapType):
                raise InternalError("not a static map", e.span)
            known = e, self._block(e, e.type) if isinstance(e, MapLiteral) and e.pairs else "null"
            self._known[id(e)] = known
        return known[1]

    def _block(self, e: MapLiteral, type: MapType) -> str:
        """The block of a map, as the runtime would have laid it out."""
        pairs = static_maps.without_repetition(e.pairs)
        block = static_maps.lay_out([key for key, _ in pairs], self.shapes.entry(type))
        entries = [
            f"{{ {self._value(key)}, i32 {hash}, {self._value(value)} }}"
            for (key, value), hash in zip(pairs, block.hashes, strict=True)
        ]
        entry = f"{{ {layout.memory_type(type.key)}, i32, {layout.memory_type(type.value)} }}"
        head = f"[{len(block.head)} x i8]"
        array = f"[{len(entries)} x {entry}]"
        text = f'{head} c"{quoted(block.head)}", {array} [{", ".join(f"{entry} {value}" for value in entries)}]'
        return self.module.constant(f"{{ {head}, {array} }} {{ {text} }}, align 16")

    def address(self, e: Expression) -> str:
        """Where a static value lies."""
        known = self._known.get(id(e))
        if known is None:
            known = e, self.module.constant(f"{self._value(e)}, align {self.shapes.shape(e.type).alignment}")
            self._known[id(e)] = known
        return known[1]

    def _array(self, elements: Sequence[Expression], type: Type) -> str:
        alignment = max(self.shapes.shape(type).alignment, 16 if len(elements) > 1 else 1)
        packed = self._packed(elements, type)
        if packed is not None:
            return self.module.bytes_constant(packed, alignment)
        values = ", ".join([self._value(element) for element in elements])
        return self.module.constant(f"[{len(elements)} x {layout.memory_type(type)}] [{values}], align {alignment}")

    @staticmethod
    def _packed(elements: Sequence[Expression], type: Type) -> bytes | None:
        """The bytes of scalar elements; LLVM reads them many times faster than a list."""
        if not isinstance(type, Scalar):
            return None
        numbers: list[float | int] = []
        for element in elements:
            match element:
                case IntLiteral() | FloatLiteral() | BoolLiteral() | StateLiteral():
                    numbers.append(element.value)
                case ZeroValue():
                    numbers.append(0)
                case _:
                    raise InternalError("not a static value", element.span)
        return struct.pack(f"<{len(numbers)}{_PACKING[layout.memory_type(type)]}", *numbers)

    def _value(self, e: Expression) -> str:
        """An LLVM constant with its type, as it lies in memory."""
        type = layout.memory_type(e.type)
        match e:
            case ZeroValue():
                return f"{type} zeroinitializer"
            case BoolLiteral():
                return f"{type} {int(e.value)}"
            case StructLiteral():
                values = [self._value(value) for value in e.values] or ["i8 0"]
                return f"{type} {{ {', '.join(values)} }}"
            case MapLiteral():
                return f"{type} {self.map(e)}"
            case StringLiteral() | VectorLiteral():
                data, count = self.view(e)
                return f"{type} {{ ptr {data}, i32 {count}, i32 0 }}"
            case _:
                value = scalar(e)
                if value is None:
                    raise InternalError("not a static value", e.span)
                return f"{type} {value}"
