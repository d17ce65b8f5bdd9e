"""Symbols and scopes: what a name stands for, where it may be used, and which name was probably meant.

Functions and constants share one space of names, structs have their own, locals stand in nested scopes in front of the
constants. What the symbols are checked against is left to `checker/`. Invariant: a scope knows its names and its
parent, nothing else; a symbol whose declaration is wrong stays known (with `None` for what could not be found out), so
that its uses are not errors too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias, TypeVar

from ms import syntax
from ms.source import SourceFile, Span
from ms.typed import Constant, FunctionRef, Struct, Variable


@dataclass(slots=True, eq=False)
class Local:
    """A name declared in a function. `variable` is None when its type could not be found out."""

    name: str
    span: Span
    variable: Variable | None
    is_read: bool = False


class Scope:
    """The names of one block."""

    __slots__ = ("names", "parent")

    def __init__(self, parent: Scope | None = None) -> None:
        self.names: dict[str, Local] = {}
        self.parent = parent

    def find(self, name: str) -> Local | None:
        """The innermost local of that name."""
        scope: Scope | None = self
        while scope is not None:
            local = scope.names.get(name)
            if local is not None:
                return local
            scope = scope.parent
        return None

    def declare(self, local: Local) -> Local | None:
        """Makes the name known from here on; gives the one that this block had under the name before."""
        earlier = self.names.get(local.name)
        self.names[local.name] = local
        return earlier

    def visible(self) -> Iterator[str]:
        """Every name that can be used here."""
        scope: Scope | None = self
        while scope is not None:
            yield from scope.names
            scope = scope.parent


@dataclass(slots=True, eq=False)
class StructSymbol:
    """A struct. `struct` is None until its fields are resolved; `indices` finds a field by its name; fields whose type
    is wrong stand in `broken` and not in the struct. `is_used`: the program names it."""

    declaration: syntax.StructDeclaration
    struct: Struct | None = None
    indices: dict[str, int] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    is_builtin: bool = False
    is_used: bool = False

    @property
    def span(self) -> Span:
        return self.declaration.name.span


@dataclass(slots=True, eq=False)
class FunctionSymbol:
    """A function, a job or an extern. `ref` is None when its head is wrong."""

    span: Span
    declaration: syntax.FunctionDeclaration | syntax.ExternDeclaration
    ref: FunctionRef | None = None
    parameters: tuple[syntax.Parameter, ...] = ()


class Progress(Enum):
    """How far a constant is: constants are computed when first needed, whatever their order."""

    UNTOUCHED = "untouched"
    UNDER_WAY = "under way"
    DONE = "done"


@dataclass(slots=True, eq=False)
class ConstantSymbol:
    """A constant. `constant` is None until it is computed, and when it is wrong."""

    type: syntax.TypeName
    declarator: syntax.Declarator
    progress: Progress = Progress.UNTOUCHED
    constant: Constant | None = None

    @property
    def span(self) -> Span:
        return self.declarator.name.span


Symbol: TypeAlias = StructSymbol | FunctionSymbol | ConstantSymbol
_S = TypeVar("_S", StructSymbol, FunctionSymbol, ConstantSymbol)


@dataclass(slots=True)
class Globals:
    """What is declared at the top of the program's files. A name stands for one thing in the whole program; a file
    sees its own names and those of the files that it imports."""

    structs: dict[str, StructSymbol] = field(default_factory=dict)
    functions: dict[str, FunctionSymbol] = field(default_factory=dict)
    constants: dict[str, ConstantSymbol] = field(default_factory=dict)
    imports: Mapping[SourceFile, frozenset[SourceFile]] = field(default_factory=dict)

    def sees(self, file: SourceFile, symbol: Symbol) -> bool:
        if isinstance(symbol, StructSymbol) and symbol.is_builtin:
            return True
        declared = symbol.span.file
        return declared is file or declared in self.imports.get(file, ())

    def struct(self, name: str, at: Span) -> StructSymbol | None:
        """What the name means at a place; None for nothing."""
        symbol = self._seen(self.structs, name, at)
        if symbol is not None:
            symbol.is_used = True
        return symbol

    def function(self, name: str, at: Span) -> FunctionSymbol | None:
        return self._seen(self.functions, name, at)

    def constant(self, name: str, at: Span) -> ConstantSymbol | None:
        return self._seen(self.constants, name, at)

    def _seen(self, table: Mapping[str, _S], name: str, at: Span) -> _S | None:
        symbol = table.get(name)
        return symbol if symbol is not None and self.sees(at.file, symbol) else None

    def names(self, table: Mapping[str, _S], at: Span) -> list[str]:
        """The names of a table that can be used at a place."""
        return [name for name, symbol in table.items() if self.sees(at.file, symbol)]

    def elsewhere(self, name: str) -> Span | None:
        """Where any file of the program declares the name."""
        symbol = self.functions.get(name) or self.constants.get(name) or self.structs.get(name)
        return None if symbol is None else symbol.span


def edit_distance(left: str, right: str, limit: int) -> int:
    """How many letters must be inserted, removed, replaced or exchanged with a neighbour; `limit` + 1 for more than
    `limit`."""
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    before: list[int] = []
    previous = list(range(len(right) + 1))
    for row, letter in enumerate(left, 1):
        current = [row]
        for column, other in enumerate(right, 1):
            cost = min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == right[column - 2] and left[row - 2] == other:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        if min(current) > limit:
            return limit + 1
        before, previous = previous, current
    return min(previous[-1], limit + 1)


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that `name` is most probably a slip of the pen for, None when none is near."""
    limit = max(1, len(name) // 3)
    best: str | None = None
    best_distance = limit + 1
    for candidate in candidates:
        if candidate == name or not candidate:
            continue
        distance = edit_distance(name, candidate, limit)
        if distance < best_distance and distance < len(name):
            best, best_distance = candidate, distance
    return best
