"""What generated programs are made of: words and numbers that are hard on compilers, and what is known at a point of a
program. Expressions are made of it in `maker.py`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from generate.tree import Function, Struct
from ms.types import Type

WORDS = (
    b"",
    b"a",
    b"abc",
    b"b,c",
    b"and,so,on",
    b"some words here",
    b"-2147483648",
    b"  x y ",
    b"Hello",
    b"12",
    b"-7",
    b" 99 ",
    b"\xc3\xa9t\xc3\xa9",
    b'q"\\\n\t\x00z',
    b"\xff\xfe",
    b"aaaa",
    b"a,b,,c",
    b"end",
    b"3000000000",
    b"long enough to be on the heap for certain",
)
INTS = (0, 1, 2, 3, -1, 7, 10, 31, 32, 33, 63, 64, 100, 255, 256, 65535, -128, 2147483647, -2147483648, -2147483647)
LONGS = (*INTS, 1 << 31, -(1 << 31) - 1, (1 << 63) - 1, -(1 << 63), 1 << 40, -(1 << 53) - 1, (1 << 53) + 1, 1 << 62)
REALS = (
    0.0,
    -0.0,
    1.0,
    0.1,
    -2.5,
    0.5,
    1.5,
    2.5,
    1e16,
    1e-5,
    123456.789,
    1e300,
    -1e-300,
    5e-324,
    2147483647.5,
    float("inf"),
    float("-inf"),
    float("nan"),
    9007199254740993.0,
    3.0,
    1e22,
    0.30000000000000004,
)


@dataclass
class Variable:
    """`frozen`: the program relies on its value (it counts rounds), so that it is not assigned to."""

    type: Type
    name: str
    frozen: bool = False


@dataclass
class World:
    """What is known at a point of the program."""

    random: random.Random
    structs: dict[str, Struct] = field(default_factory=dict)
    types: list[Type] = field(default_factory=list)
    constants: list[Variable] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    lesses: list[Function] = field(default_factory=list)
    scopes: list[list[Variable]] = field(default_factory=list)
    avoided: set[str] = field(default_factory=set)
    reducers: list[Function] = field(default_factory=list)
    in_master: bool = False
    can_start: bool = False  # jobs
    prints: bool = False  # the function that is being made may print
    calls_left: int = 0
    focus: str = ""  # what the program is mostly about

    def variables(self) -> list[Variable]:
        seen: dict[str, Variable] = {}
        for scope in self.scopes:
            seen.update((variable.name, variable) for variable in scope)
        return [variable for variable in seen.values() if variable.name not in self.avoided]

    @contextmanager
    def avoiding(self, name: str | None) -> Iterator[None]:
        added = name is not None and name not in self.avoided
        if name is not None:
            self.avoided.add(name)
        yield
        if added and name is not None:
            self.avoided.discard(name)
