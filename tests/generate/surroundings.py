"""Random statements of the master about what is around a program: files, other programs, the command line, clocks,
standard error; and mathematics that is asked for with few digits.

Always holds: what differs from run to run is only asked what is sure, as whether time has passed at all.
"""

from __future__ import annotations

from collections.abc import Callable

from generate.jobs import JobStatements
from generate.tree import (
    EXEC_RESULT,
    Binary,
    Builtin,
    Declare,
    Evaluate,
    Expression,
    Field,
    Literal,
    Statement,
    VectorOf,
)
from ms.types import BOOL, CHAR, DOUBLE, INT, LONG, STRING, VOID, VectorType

STRINGS = VectorType(STRING)
NAMES = (b"f0", b"f1", b"f 2")
ANGLES = (0.0, 0.5, 1.0, 2.0, -1.5, 3.25, 10.0, -0.25)
ONE = ("cbrt", "exp", "log", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan")
TWO = ("pow", "atan2", "hypot")


def text(value: bytes) -> Literal:
    return Literal(STRING, value)


def call(result: object, name: str, *arguments: Expression) -> Builtin:
    return Builtin(result, name, arguments)  # type: ignore[arg-type]


class SurroundingsStatements(JobStatements):
    def world_statement(self) -> list[Statement]:
        ways: tuple[Callable[[], list[Statement]], ...] = (
            self._file, self._file, self._written, self._program, self._words, self._sure, self._mathematics,
        )  # fmt: skip
        return self.random.choice(ways)()

    def _file(self) -> list[Statement]:
        r = self.random
        name = text(r.choice(NAMES))
        change = call(VOID, r.choice(("write_file", "write_file", "append_file")), name, self.value(STRING, 2))
        low, high = (Literal(LONG, r.choice((0, 0, 1, 2, 5, 100, -3))) for _ in range(2))
        if low.value > high.value:  # type: ignore[operator]
            low, high = high, low
        asked = r.choice(
            (
                call(STRING, "read_file", name),
                call(STRING, "read_file", name, low, high),
                call(STRINGS, "read_lines", name),
                call(LONG, "file_size", name),
                call(BOOL, "file_exists", text(r.choice(NAMES))),
                call(STRINGS, "list_dir", text(b".")),
            )
        )
        made: list[Statement] = [Evaluate(change)] if self.chance(80) else []
        return [*made, Declare(asked.type, self._new(asked.type), asked) if self.chance(40) else self._print_of(asked)]

    def _print_of(self, *values: Expression) -> Statement:
        return Evaluate(call(VOID, "print", *values))

    def _written(self) -> list[Statement]:
        """A line in pieces, or one on standard error."""
        if self.chance(30):
            return [
                Evaluate(call(VOID, "eprint", text(b"note"), self.value(self.random.choice((INT, DOUBLE, STRING)), 1)))
            ]
        pieces = [self.value(self.random.choice((INT, CHAR, STRING, DOUBLE)), 1) for _ in range(2)]
        return [Evaluate(call(VOID, "write", *pieces)), Evaluate(call(VOID, "write")), self._print_of()]

    def _program(self) -> list[Statement]:
        words = VectorOf(STRINGS, (text(self.random.choice((b"cat", b"cat", b"false"))),))
        ran = call(EXEC_RESULT, "exec", words, self.value(STRING, 1))
        if self.chance(50):
            return [self._print_of(ran)]
        return [self._print_of(Field(STRING, ran, "out"))]

    def _words(self) -> list[Statement]:
        type = self.random.choice((INT, LONG, DOUBLE, STRING, CHAR, BOOL))
        number = Literal(INT, self.random.randrange(3))
        return [
            self._print_of(
                call(STRINGS, "args"),
                call(type, "arg", number, self.value(type, 1)),
                call(STRING, "env", text(b"NO_SUCH_VARIABLE")),
            )
        ]

    def _sure(self) -> list[Statement]:
        later = Binary(BOOL, ">=", call(DOUBLE, self.random.choice(("time", "clock"))), Literal(DOUBLE, 0.0))
        some = Binary(BOOL, ">=", call(INT, self.random.choice(("slots", "slaves"))), Literal(INT, 0))
        named = Binary(BOOL, ">", call(INT, "size", call(STRING, "host")), Literal(INT, 0))
        return [
            Evaluate(call(VOID, "sleep", Literal(DOUBLE, 0.0))),
            self._print_of(later, some, named, call(BOOL, "at_end"), call(STRING, "read_line")),
        ]

    def _mathematics(self) -> list[Statement]:
        """Six digits are the same with every C library."""
        r = self.random
        one, two = (Literal(DOUBLE, r.choice(ANGLES)) for _ in range(2))
        value = call(DOUBLE, r.choice(TWO), one, two) if self.chance(30) else call(DOUBLE, r.choice(ONE), one)
        return [self._print_of(call(STRING, "format", text(b"{:.6} {:12.3}"), value, value))]
