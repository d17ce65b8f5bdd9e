"""What the compiler has to say about a program: errors, warnings and notes, and how they look.

`errors.py` makes `Diagnostic`s, one function for each message; here they are collected, and rendered to text (as in §10 of the
language page) and to JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from ms.source import Span


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Label:
    """A span with a few words under it."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message. `label` stands under the primary span ("this is a string"), `secondary` under others ("declared here")."""

    severity: Severity
    code: str  # "E0203"
    message: str
    span: Span
    label: str = ""
    secondary: tuple[Label, ...] = ()
    help: tuple[str, ...] = ()


@dataclass(slots=True)
class Diagnostics:
    """The messages of one run, in the order in which they were found."""

    items: list[Diagnostic] = field(default_factory=list)

    def add(self, diagnostic: Diagnostic) -> None:
        self.items.append(diagnostic)

    @property
    def has_errors(self) -> bool:
        return any(item.severity is Severity.ERROR for item in self.items)


class ProgramError(Exception):
    """The program is wrong and no pass can go on: the diagnostics say why."""

    def __init__(self, diagnostics: Diagnostics) -> None:
        super().__init__(f"{len(diagnostics.items)} diagnostics")
        self.diagnostics = diagnostics


class InternalError(Exception):
    """A bug of the compiler, with the span that it was working on (exit status 70)."""

    def __init__(self, message: str, span: Span | None = None) -> None:
        super().__init__(message)
        self.span = span
