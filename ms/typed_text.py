"""Typed trees as text: what `msc --emit typed` shows, and what a program's fingerprint is taken from.

Every field of every node is written, under the names of `typed.py`: a statement on a line of its own, an expression as
`Class(parts): type`. Local variables are numbered in the order in which their function names them, so that their names
and numbers do not count; with spans, their names and the places are written too. What always holds: without spans,
equal text means the same program, and comments, layout and the names of local variables do not show.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import fields
from enum import Enum

from ms.builtins import Builtin
from ms.diagnostics import InternalError
from ms.source import Span
from ms.typed import (
    Block,
    Constant,
    Expression,
    Function,
    FunctionRef,
    Move,
    Passing,
    Program,
    Statement,
    SwitchCase,
    Variable,
    VariableKind,
    VariableRef,
)
from ms.types import JobType, MapType, Scalar, StructType, VectorType

_VERSION = "M/s program, text 1"
"""The first line of what is hashed: other rules for the text make other fingerprints."""


def typed_text(program: Program, spans: bool) -> str:
    """The program as text, before or after ownership. With `spans`, for people: names and places are written too."""
    return _Text(spans).program(program)


def fingerprint(program: Program, linked: Sequence[bytes] = ()) -> bytes:
    """32 bytes that tell programs apart whose results can differ. Of the tree before ownership, and the sources that
    are linked in."""
    text = f"{_VERSION}\n{typed_text(program, spans=False)}".encode()
    return hashlib.sha256(text + b"".join(b"\0" + hashlib.sha256(source).digest() for source in linked)).digest()


def _names(cls: type) -> tuple[str, ...]:
    """The fields of a node that are written as its parts."""
    names = _NAMES.get(cls)
    if names is None:
        names = _NAMES[cls] = tuple(f.name for f in fields(cls) if f.name not in ("type", "span"))
    return names


_NAMES: dict[type, tuple[str, ...]] = {}


class _Text:
    def __init__(self, spans: bool) -> None:
        self._spans = spans
        self._lines: list[str] = []
        self._numbers: dict[Variable, int] = {}

    def program(self, program: Program) -> str:
        if self._spans:
            self._lines.append(f"program {program.name}")
        for struct in program.structs.values():
            members = ", ".join(f"{field.name}: {field.type}" for field in struct.fields)
            self._lines.append(f"struct {struct.name}{self._at(struct.span)} {{{members}}}")
        for constant in program.constants:
            self._constant(constant)
        for extern in program.externs:
            self._lines.append(f"extern {self._head(extern)}")
        for function in (*program.functions, program.master):
            self._function(function)
        return "\n".join(self._lines) + "\n"

    def _constant(self, constant: Constant) -> None:
        head = f"const {constant.name}: {constant.type}{self._at(constant.span)}"
        self._lines.append(f"{head} = {self._part(constant.value)}")

    def _head(self, ref: FunctionRef) -> str:
        kind = f"job {ref.ordinal} " if ref.is_job else ""
        types = ", ".join(
            f"{type}{'&' if kind is VariableKind.REFERENCE else ''}"
            for type, kind in zip(ref.parameter_types, ref.parameter_kinds, strict=True)
        )
        return f"{kind}{ref.name}({types}) -> {ref.result}{self._at(ref.span)}"

    def _function(self, function: Function) -> None:
        self._numbers = {}
        self._lines.append(self._head(function.ref))
        passings = function.passings or (Passing.UNDECIDED,) * len(function.parameters)
        for parameter, passing in zip(function.parameters, passings, strict=True):
            way = "" if passing is Passing.UNDECIDED else f" {passing.value}"
            self._lines.append(f"    parameter {self._variable(parameter)}: {parameter.type}{way}")
        self._statement(function.body, 1)

    def _at(self, span: Span) -> str:
        return f" @{span.line}:{span.column}" if self._spans else ""

    def _variable(self, variable: Variable) -> str:
        number = self._numbers.setdefault(variable, len(self._numbers))
        return f"{variable.name}#{number}" if self._spans else f"#{number}"

    def _statement(self, s: Statement | SwitchCase, depth: int) -> None:
        """The parts that are no statements follow the class; those that are stand below it, one step further in."""
        parts: list[str] = []
        inner: list[tuple[str, tuple[Statement | SwitchCase, ...]]] = []
        for name in _names(type(s)):
            value = getattr(s, name)
            if isinstance(value, Block):
                inner.append((name, (value,)))
            elif name in ("statements", "init", "step", "cases"):
                inner.append((name, value))
            elif isinstance(value, Variable):
                parts.append(f"{name}={self._variable(value)}: {value.type}")
            elif not (name == "drops" and value == ()) and value is not Passing.UNDECIDED:
                parts.append(f"{name}={self._part(value)}")
        indent = "    " * depth
        self._lines.append(f"{indent}{type(s).__name__}{self._at(s.span)} {', '.join(parts)}".rstrip())
        for name, statements in inner:
            if name not in ("statements", "cases"):
                self._lines.append(f"{indent}  {name}:")
            for statement in statements:
                self._statement(statement, depth + 1)

    def _part(self, value: object) -> str:
        match value:
            case None | bool() | int() | float() | bytes() | str():
                return repr(value)
            case VariableRef():
                return f"{self._variable(value.variable)}{self._at(value.span)}"
            case tuple():
                return f"[{', '.join([self._part(part) for part in value])}]"
            case Variable():
                return self._variable(value)
            case Scalar() | VectorType() | MapType() | StructType() | JobType():
                return str(value)
            case Enum():
                return str(value.value)
            case FunctionRef() | Constant():
                return value.name
            case Builtin():
                return f"{value.name}/{value.symbol}"
            case _:
                return self._expression(value)

    def _expression(self, e: object) -> str:
        if not isinstance(e, Expression):
            raise InternalError(f"no text for {type(e).__name__}")
        names = ("place",) if isinstance(e, Move) and not e.late else _names(type(e))
        parts = ", ".join([self._part(getattr(e, name)) for name in names])
        return f"{type(e).__name__}({parts}): {e.type}{self._at(e.span)}"
