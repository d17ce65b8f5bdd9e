"""What the functions of the checker work on: the program's symbols and messages, and the function that is being
checked.

Decides nothing about the language. Invariants: every message of the checker goes through `Checker.report`, which stops
the check after the twentieth error; within one function an unknown name is reported once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from ms import errors
from ms.diagnostics import Diagnostic, Diagnostics, Severity
from ms.scope import Globals, Local, Scope
from ms.source import SourceFile, Span
from ms.typed import FunctionRef, Struct, Variable, VariableKind
from ms.types import JobType, Type, VectorType

_T = TypeVar("_T")
_ALLOW = re.compile(r"//\s*msc:\s*allow((?:[\s,]+W[0-9]{4})+)")

ERRORS_MAX = 20


def _is_allowed(warning: Diagnostic) -> bool:
    """Whether the line says that it is meant so: `// msc: allow W0103`."""
    found = _ALLOW.search(warning.span.file.line_text(warning.span.line))
    return found is not None and warning.code in found[1]


class TooManyErrors(Exception):
    """Twenty errors are reported: more would not help."""


@dataclass(slots=True, eq=False)
class Checker:
    """The state of one check of a whole program. `incomplete`: the files that may use names from what is not read."""

    diagnostics: Diagnostics
    globals: Globals = field(default_factory=Globals)
    structs: dict[str, Struct] = field(default_factory=dict)
    incomplete: frozenset[SourceFile] = frozenset()
    skipped: tuple[Span, ...] = ()  # what the parser left out or made up: see `syntax.Module`
    skipped_names: frozenset[str] = frozenset()
    error_count: int = 0
    _damaged_lines: frozenset[tuple[SourceFile, int]] = frozenset()

    def __post_init__(self) -> None:
        self._damaged_lines = frozenset((each.file, each.line) for each in self.skipped)
        self.error_count = sum(item.severity is Severity.ERROR for item in self.diagnostics.items)

    def report(self, diagnostic: Diagnostic) -> None:
        line = (diagnostic.span.file, diagnostic.span.line)
        if self.skipped and (diagnostic.severity is not Severity.ERROR or line in self._damaged_lines):
            return  # it may follow from the text that the parser skipped
        if diagnostic.severity is Severity.WARNING and _is_allowed(diagnostic):
            return
        self.diagnostics.add(diagnostic)
        if diagnostic.severity is Severity.ERROR:
            self.error_count += 1
            if self.error_count >= ERRORS_MAX:
                raise TooManyErrors


@dataclass(frozen=True, slots=True)
class CallSite:
    """A call (or the name of a function as an argument) in a function's body."""

    callee: str
    span: Span


class Around(Enum):
    """What a `break` can leave."""

    LOOP = "loop"
    SWITCH = "switch"


@dataclass(slots=True, eq=False)
class Body:
    """A function, the master block or a constant's value while it is checked. `result` is None for a constant, and
    when the result type is wrong. `calls` and `master_calls` are what `jobs.py` needs to find what a job can
    reach."""

    checker: Checker
    name: str
    result: Type | None
    ref: FunctionRef | None = None
    scope: Scope = field(default_factory=Scope)
    around: list[Around] = field(default_factory=list)
    variable_count: int = 0
    has_errors: bool = False
    unknown: set[str] = field(default_factory=set)
    calls: list[CallSite] = field(default_factory=list)
    master_calls: list[CallSite] = field(default_factory=list)

    def report(self, diagnostic: Diagnostic) -> None:
        if diagnostic.severity is Severity.ERROR:
            self.has_errors = True
        self.checker.report(diagnostic)

    def report_unknown(self, name: str, diagnostic: Diagnostic) -> None:
        """An error about a name that is not known: once in each function."""
        self.has_errors = True
        checker = self.checker
        if name in self.unknown or name in checker.skipped_names or diagnostic.span.file in checker.incomplete:
            return
        self.unknown.add(name)
        self.report(diagnostic)

    def attempt(self, check: Callable[[], _T | None]) -> _T | None:
        """What `check` gives; when that is nothing, what it said is taken back."""
        checker, items = self.checker, self.checker.diagnostics.items
        said, error_count, has_errors = len(items), checker.error_count, self.has_errors
        unknown = set(self.unknown)
        lists: tuple[list[CallSite], ...] = (self.calls, self.master_calls)
        sizes = [len(sites) for sites in lists]
        try:
            result = check()
        except TooManyErrors:
            result = None
        if result is None:
            del items[said:]
            checker.error_count, self.has_errors = error_count, has_errors
            self.unknown = unknown
            for sites, size in zip(lists, sizes):
                del sites[size:]
        return result

    def open_scope(self) -> None:
        self.scope = Scope(self.scope)

    def close_scope(self) -> None:
        """Leaves the innermost block. A local that was never read is reported, unless an error may have hidden the
        reading."""
        scope = self.scope
        for local in scope.names.values():
            self._warn_unused(local)
        assert scope.parent is not None
        self.scope = scope.parent

    def _warn_unused(self, local: Local) -> None:
        variable = local.variable
        if local.is_read or self.has_errors or variable is None or variable.kind is not VariableKind.LOCAL:
            return
        if _is_handle(variable.type):
            self.report(errors.unused_handle(local.span, local.name))
        else:
            self.report(errors.unused_variable(local.span, local.name))

    def declare(self, name: str, span: Span, type: Type | None, kind: VariableKind) -> Variable | None:
        """A new variable in the innermost block; None when its type is not known."""
        variable = None
        if type is not None:
            variable = Variable(name, type, kind, self.variable_count, span)
            self.variable_count += 1
        earlier = self.scope.declare(Local(name, span, variable))
        if earlier is not None:
            self.report(errors.declared_twice(span, name, earlier.span))
        return variable


def _is_handle(type: Type) -> bool:
    while isinstance(type, VectorType):
        type = type.element
    return isinstance(type, JobType)
