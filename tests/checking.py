"""Programs for the tests of the checker: text in, checked tree or messages out.

In a wrong program the place that a message must underline, to the byte, stands between « and ».
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from ms import typed
from ms.checker import check
from ms.diagnostics import Diagnostic, Diagnostics, Severity
from ms.parser import parse
from ms.source import SourceFile

MASTER = "\nmaster { }\n"


def checked(text: str) -> tuple[typed.Program | None, list[Diagnostic]]:
    """The program and all messages. A text without a master block gets an empty one."""
    if "master" not in text:
        text += MASTER
    diagnostics = Diagnostics()
    module = parse(SourceFile("prog.ms", text.encode()), diagnostics)
    assert module is not None, diagnostics.items
    assert not diagnostics.items, diagnostics.items
    return check(module, diagnostics), diagnostics.items


def program(text: str) -> typed.Program:
    """The tree of a program that is right (it may have warnings)."""
    tree, messages = checked(text)
    assert [item for item in messages if item.severity is Severity.ERROR] == []
    assert tree is not None
    return tree


def in_master(statements: str, before: str = "") -> tuple[typed.Statement, ...]:
    """The checked statements of a master block."""
    return program(f"{before}\nmaster {{ {statements} }}").master.body.statements


def codes(text: str) -> list[str]:
    return [item.code for item in checked(text)[1]]


def marked(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without its marks, and the byte ranges between them."""
    ranges: list[tuple[int, int]] = []
    plain = b""
    for number, piece in enumerate(text.replace("»", "«").split("«")):
        start = len(plain)
        plain += piece.encode()
        if number % 2:
            ranges.append((start, len(plain)))
    return plain.decode(), ranges


def the_only(text: str, code: str, severity: Severity = Severity.ERROR) -> Diagnostic:
    """The one message of a program: it has the code and underlines what is marked, no more and no less."""
    plain, ranges = marked(text)
    messages = checked(plain)[1]
    if severity is Severity.ERROR:
        messages = [item for item in messages if item.severity is Severity.ERROR]
    assert [item.code for item in messages] == [code], messages
    if ranges:
        assert [(item.span.start, item.span.end) for item in messages] == ranges, messages
    return messages[0]


def expressions(tree: object) -> Iterator[typed.Expression]:
    """Every expression in a tree, the outer ones first."""
    if isinstance(tree, typed.Expression):
        yield tree
    if isinstance(tree, tuple):
        for part in tree:
            yield from expressions(part)
    elif is_dataclass(tree) and not isinstance(tree, typed.Variable | typed.FunctionRef | typed.Constant):
        for field in fields(tree):
            yield from expressions(getattr(tree, field.name))


def value_of(text: str, before: str = "") -> typed.Expression:
    """The checked tree of one expression, as the value of `auto x = …`."""
    declare = in_master(f"auto checked_value = {text}; print(checked_value);", before)[0]
    assert isinstance(declare, typed.Declare)
    return declare.value
