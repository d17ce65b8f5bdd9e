"""What the tests of ownership share: from M/s text to owned trees, and what can be seen of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from ms.checker import check
from ms.diagnostics import Diagnostic, Diagnostics, Severity
from ms.ownership import own
from ms.parser import parse
from ms.source import SourceFile, Span
from ms.typed import Borrow, Copy, Function, Move, Passing, Program


def checked(text: str, name: str = "prog.ms") -> Program | None:
    """The checker's tree, None when the program is wrong."""
    diagnostics = Diagnostics()
    program = check(parse(SourceFile(name, text.encode()), diagnostics), diagnostics)
    return None if any(item.severity is Severity.ERROR for item in diagnostics.items) else program


def owned(text: str) -> Program:
    program = checked(text)
    assert program is not None, "the program under test is wrong"
    return own(program)


def owned_master(statements: str, declarations: str = "") -> Program:
    return owned(f"{declarations}\nmaster {{\n{statements}\n}}\n")


def copy_notes(text: str) -> list[Diagnostic]:
    program = checked(text)
    assert program is not None, "the program under test is wrong"
    notes = Diagnostics()
    own(program, notes, warn_copies=True)
    return notes.items


def nodes(tree: object) -> Iterator[object]:
    """Every node of a tree, in the order of its fields."""
    if isinstance(tree, tuple):
        for part in tree:
            yield from nodes(part)
    elif is_dataclass(tree) and not isinstance(tree, Span | SourceFile):
        yield tree
        for field in fields(tree):
            yield from nodes(getattr(tree, field.name))


def source(span: Span) -> str:
    return span.file.data[span.start : span.end].decode()


def function(program: Program, name: str) -> Function:
    if name == "master":
        return program.master
    return next(f for f in program.functions if f.ref.name == name)


def wrapped(tree: object, kind: type[Borrow] | type[Move] | type[Copy]) -> list[str]:
    """The places, as written, that are borrowed, moved or copied."""
    return [source(node.span) for node in nodes(tree) if isinstance(node, kind)]


def passings(program: Program, name: str) -> list[str]:
    return [passing.value for passing in function(program, name).passings if passing is not Passing.UNDECIDED]
