"""The values of docs/protocol.md in Python: the types that a job may be declared with, and their bytes.

An `int` or `long` is an int, a `float` or `double` a float, a `bool` a bool, a `char` and a `string` bytes, a vector a
list,
a struct and a map a dict, the result of a `void` job None. Whatever does not fit raises BadValue, in either direction.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TypeAlias, assert_never


class BadValue(Exception):
    """A value that its type does not have, or bytes that are none of its values."""


@dataclass(frozen=True, slots=True)
class Scalar:
    name: str
    layout: str
    python: type


@dataclass(frozen=True, slots=True)
class String:
    pass


@dataclass(frozen=True, slots=True)
class Void:
    pass


@dataclass(frozen=True, slots=True)
class Vector:
    item: Type


@dataclass(frozen=True, slots=True)
class Map:
    key: Type
    value: Type


@dataclass(frozen=True, slots=True)
class Struct:
    fields: tuple[tuple[str, Type], ...]


Type: TypeAlias = Scalar | String | Void | Vector | Map | Struct

INT = Scalar("int", "<i", int)
LONG = Scalar("long", "<q", int)
FLOAT = Scalar("float", "<f", float)
DOUBLE = Scalar("double", "<d", float)
BOOL = Scalar("bool", "<?", bool)
CHAR = Scalar("char", "<c", bytes)
STRING = String()
VOID = Void()


def size_bytes(count: int) -> bytes:
    return struct.pack("<I", count)


def encode_items(items: list[tuple[Type, object]]) -> bytes:
    return b"".join(encode(kind, item) for kind, item in items)


def encode(kind: Type, value: object) -> bytes:
    """The bytes of a value."""
    match kind, value:
        case Scalar(), int() | float() | bytes() if type(value) is kind.python:
            try:
                return struct.pack(kind.layout, value)
            except (struct.error, OverflowError) as error:
                raise BadValue(f"{value!r} is no {kind.name}: {error}") from error
        case String(), bytes():
            return size_bytes(len(value)) + value
        case Void(), None:
            return b""
        case Vector(), list():
            return size_bytes(len(value)) + encode_items([(kind.item, item) for item in value])
        case Map(), dict():
            pairs = [pair for key, item in value.items() for pair in ((kind.key, key), (kind.value, item))]
            return size_bytes(len(value)) + encode_items(pairs)
        case Struct(), dict() if list(value) == [name for name, _ in kind.fields]:
            return encode_items([(field, value[name]) for name, field in kind.fields])
    raise BadValue(f"{value!r} is no {kind}")


class Reader:
    """Takes values from the front of a payload."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise BadValue(f"{size} bytes are wanted at {self.at} of {len(self.data)}")
        self.at += size
        return self.data[self.at - size : self.at]

    def integer(self, layout: str = "<I") -> int:
        (number,) = struct.unpack(layout, self.take(struct.calcsize(layout)))
        return int(number)

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.at)

    def integers(self) -> list[int]:
        """All that is left, as integers of 4 bytes."""
        rest = Reader(self.rest())
        return [rest.integer() for _ in range((len(rest.data) + 3) // 4)]

    def end(self) -> None:
        if self.at != len(self.data):
            raise BadValue(f"{len(self.data) - self.at} bytes are left over")

    def value(self, kind: Type) -> object:
        match kind:
            case Scalar():
                data = self.take(struct.calcsize(kind.layout))
                if kind is BOOL and data not in (b"\0", b"\1"):
                    raise BadValue(f"{data!r} is no bool")
                return struct.unpack(kind.layout, data)[0]
            case String():
                return self.take(self.integer())
            case Void():
                return None
            case Vector():
                return [self.value(kind.item) for _ in range(self.integer())]
            case Map():
                return dict(self.pair(kind) for _ in range(self.integer()))
            case Struct():
                return {name: self.value(field) for name, field in kind.fields}
            case _:
                assert_never(kind)

    def pair(self, kind: Map) -> tuple[object, object]:
        key = self.value(kind.key)
        return key, self.value(kind.value)


def decode(kind: Type, data: bytes) -> object:
    """The value that these bytes are, all of them."""
    reader = Reader(data)
    value = reader.value(kind)
    reader.end()
    return value
