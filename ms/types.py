"""The types of M/s.

A type is a value: two types are the same when they compare equal. A struct type is known by its name alone, so types
may be recursive; its fields stand in `typed.Struct`. How a type lies in memory is left to `codegen/layout.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Scalar(Enum):
    """The types without parts. The value of each is its name in a program."""

    INT = "int"
    LONG = "long"
    DOUBLE = "double"
    FLOAT = "float"
    BOOL = "bool"
    CHAR = "char"
    JOB_STATE = "job_state"
    VOID = "void"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class VectorType:
    """`vector<element>`; `string` is `vector<char>`."""

    element: Type

    def __str__(self) -> str:
        return "string" if self.element is Scalar.CHAR else f"vector<{self.element}>"


@dataclass(frozen=True, slots=True)
class MapType:
    """`map<key, value>`, in order of insertion."""

    key: Type
    value: Type

    def __str__(self) -> str:
        return f"map<{self.key}, {self.value}>"


@dataclass(frozen=True, slots=True)
class StructType:
    """`struct name`; the fields are found under the name in `typed.Program.structs`."""

    name: str

    def __str__(self) -> str:
        return f"struct {self.name}"


@dataclass(frozen=True, slots=True)
class JobType:
    """`job<result>`: the handle of a job."""

    result: Type

    def __str__(self) -> str:
        return f"job<{self.result}>"


Type: TypeAlias = Scalar | VectorType | MapType | StructType | JobType

INT = Scalar.INT
LONG = Scalar.LONG
DOUBLE = Scalar.DOUBLE
FLOAT = Scalar.FLOAT
BOOL = Scalar.BOOL
CHAR = Scalar.CHAR
JOB_STATE = Scalar.JOB_STATE
VOID = Scalar.VOID
STRING = VectorType(CHAR)

INTEGERS = frozenset({INT, LONG, CHAR})
FLOATS = frozenset({DOUBLE, FLOAT})
NUMBERS = frozenset({INT, LONG, DOUBLE, FLOAT})

_WIDENINGS = {
    CHAR: (INT, LONG, DOUBLE),
    INT: (LONG, DOUBLE),
    FLOAT: (DOUBLE,),
}


def converts_implicitly(source: Type, target: Type) -> bool:
    """Whether a value of `source` may stand where `target` is wanted without a call (language page, §3)."""
    return source == target or (isinstance(source, Scalar) and target in _WIDENINGS.get(source, ()))


def common_type(left: Type, right: Type) -> Type | None:
    """The narrowest type to which both convert implicitly, None where there is none."""
    if left == right:
        return left
    if converts_implicitly(left, right):
        return right
    if converts_implicitly(right, left):
        return left
    for candidate in (INT, LONG, DOUBLE):
        if converts_implicitly(left, candidate) and converts_implicitly(right, candidate):
            return candidate
    return None
