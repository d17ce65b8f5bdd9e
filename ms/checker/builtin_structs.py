"""The structs that belong to the language: `rng` and `exec_result`.

They are declared in a text of their own, which messages show, and seen by every file. A program that declares a struct
of such a name hides it, and cannot call what gives or takes the hidden one. Invariant: of the built-in structs only
those that a program uses become part of it.
"""

from __future__ import annotations

from ms import builtins, errors, syntax
from ms.builtins import Builtin
from ms.checker.context import Body, Checker
from ms.scope import StructSymbol
from ms.source import SourceFile, Span
from ms.typed import Struct, StructField
from ms.types import StructType, Type


def _declaration(name: str, fields: tuple[tuple[str, Type], ...]) -> str:
    return f"struct {name} {{ {' '.join(f'{type} {field};' for field, type in fields)} }};"


_FILE = SourceFile(
    "built-in", "\n".join(_declaration(name, fields) for name, fields in builtins.STRUCTS.items()).encode()
)


def _span(text: str, start: int = 0) -> Span:
    at = _FILE.data.index(text.encode(), start)
    return Span(_FILE, at, at + len(text))


def _symbol(name: str, fields: tuple[tuple[str, Type], ...]) -> StructSymbol:
    whole = _span(_declaration(name, fields))
    span = _span(name, whole.start)
    parts = []
    for field, type in fields:
        at = _span(f" {field};", whole.start)
        parts.append(StructField(field, type, Span(_FILE, at.start + 1, at.end - 1)))
    declaration = syntax.StructDeclaration(syntax.Name(name, span), (), whole)
    indices = {field: index for index, (field, _) in enumerate(fields)}
    return StructSymbol(declaration, Struct(name, tuple(parts), span), indices, is_builtin=True)


def add(checker: Checker) -> None:
    """Makes them known, but for those that the program declares itself."""
    for name, fields in builtins.STRUCTS.items():
        if name not in checker.globals.structs:
            symbol = checker.globals.structs[name] = _symbol(name, fields)
            assert symbol.struct is not None
            checker.structs[name] = symbol.struct


def used(checker: Checker) -> dict[str, Struct]:
    """The structs of the program, without built-in ones that nobody named."""
    symbols = checker.globals.structs
    return {
        name: struct
        for name, struct in checker.structs.items()
        if not symbols[name].is_builtin or symbols[name].is_used
    }


def may_call(body: Body, row: Builtin, span: Span) -> bool:
    """Whether the struct that the function is about, if any, can be had; reports it otherwise."""
    for type in (row.result, *(pattern for pattern, _ in row.parameters)):
        if isinstance(type, StructType):
            symbol = body.checker.globals.structs[type.name]
            symbol.is_used = True
            if not symbol.is_builtin:
                body.report(errors.built_in_struct_hidden(span, row.name, type.name, symbol.span))
                return False
    return True
