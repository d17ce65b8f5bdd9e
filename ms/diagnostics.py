"""What the compiler has to say about a program: errors, warnings and notes, and how they look.

`errors.py` makes `Diagnostic`s, one function for each message; here they are collected, and rendered to text (as in
§10 of the language page) and to JSON. Places count bytes, as in `source.py`; the underlining counts what a terminal
shows.
Invariant: whatever the bytes of the source are, what is rendered is printable, and a source line is cut to a stated
size.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from typing import Any

from ms.source import SourceFile, Span

ERRORS_SHOWN_MAX = 20
TAB_SIZE = 4
LINE_SIZE_MAX = 160  # bytes of a source line that are shown; longer ones are cut around the span
_LINE_CONTEXT_SIZE = 60  # of these, how many stand before the span


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
    """One message. `label` stands under the primary span ("this is a string"), the `secondary` ones under theirs
    ("declared here")."""

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


# Text


@dataclass(frozen=True, slots=True)
class _Mark:
    """What stands under one line: `start` to `end` - 1 are columns of the shown line, from 0."""

    start: int
    end: int
    text: str
    is_primary: bool

    @property
    def line(self) -> str:
        return ("^" if self.is_primary else "-") * (self.end - self.start)


def render_all(diagnostics: Diagnostics) -> str:
    """All messages as text, of the errors the first `ERRORS_SHOWN_MAX`."""
    shown = _shown(diagnostics)
    texts = [render(item) for item in shown]
    left_out = len(diagnostics.items) - len(shown)
    if left_out:
        texts.append(f"{left_out} more error{'' if left_out == 1 else 's'} not shown\n")
    return "\n".join(texts)


def render(item: Diagnostic) -> str:
    """One message with the lines it is about, as in §10 of the language page; ends with a newline."""
    labels = [(Label(item.span, item.label), True), *((label, False) for label in item.secondary)]
    by_file: dict[SourceFile, list[tuple[Label, bool]]] = {}
    for label, is_primary in labels:
        by_file.setdefault(label.span.file, []).append((label, is_primary))
    width = max(len(str(label.span.line)) for label, _ in labels)
    gutter = " " * (width + 2)
    lines = [f"{item.severity.value}[{item.code}]: {_printable(item.message)}"]
    for file, its_labels in by_file.items():
        arrow = "-->" if file is item.span.file else ":::"
        lines.append(f"{gutter[:-1]}{arrow} {_printable(str(its_labels[0][0].span))}")
        if file.data:
            lines.append(gutter + "|")
            lines += _snippet(file, its_labels, width)
    lines += [f"{gutter}= help: {_printable(text)}" for text in item.help]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _shown(diagnostics: Diagnostics) -> list[Diagnostic]:
    shown: list[Diagnostic] = []
    errors = 0
    for item in diagnostics.items:
        errors += item.severity is Severity.ERROR
        if item.severity is not Severity.ERROR or errors <= ERRORS_SHOWN_MAX:
            shown.append(item)
    return shown


def _snippet(file: SourceFile, labels: list[tuple[Label, bool]], width: int) -> list[str]:
    """The lines of a file that have labels, each with its marks. A gap of one line is filled, a wider one is `...`."""
    by_line: dict[int, list[tuple[Label, bool]]] = {}
    for label, is_primary in labels:
        by_line.setdefault(label.span.line, []).append((label, is_primary))
    out: list[str] = []
    previous = 0
    for line in sorted(by_line):
        if previous and line == previous + 2:
            out.append(f" {line - 1:>{width}} | {_shown_line(file, line - 1, 0).text}")
        elif previous and line > previous + 2:
            out.append("...")
        its_labels = sorted(by_line[line], key=lambda pair: not pair[1])
        shown = _shown_line(file, line, its_labels[0][0].span.start - file.line_starts[line - 1])
        out.append(f" {line:>{width}} | {shown.text}")
        marks = [shown.mark(label, is_primary) for label, is_primary in its_labels]
        out += [f"{' ' * (width + 2)}| {row}" for row in _mark_rows(marks)]
        previous = line
    return out


def _mark_rows(marks: list[_Mark]) -> list[str]:
    """One row with all marks and the text of the last one; the other texts below it, each under its mark. Marks that
    overlap have a row each."""
    marks.sort(key=lambda mark: mark.start)
    if any(left.end >= right.start for left, right in pairwise(marks)):
        marks.sort(key=lambda mark: not mark.is_primary)
        return [f"{' ' * mark.start}{mark.line} {mark.text}" for mark in marks]
    row = ""
    for mark in marks:
        row = row.ljust(mark.start) + mark.line
    rows = [f"{row} {marks[-1].text}"]
    waiting = [mark for mark in marks[:-1] if mark.text]
    while waiting:
        bars = ""
        for mark in waiting:
            bars = bars.ljust(mark.start) + "|"
        rows.append(bars)
        last = waiting.pop()
        rows.append(bars[: last.start].ljust(last.start) + last.text)
    return rows


@dataclass(frozen=True, slots=True)
class _ShownLine:
    """A source line as it is shown: `data` are its bytes from `low` on, `text` the same with tabs as spaces."""

    file: SourceFile
    number: int
    data: bytes
    low: int
    text: str

    def mark(self, label: Label, is_primary: bool) -> _Mark:
        """The mark of a label that begins in this line; at least one column wide, and none of it beyond the line."""
        line_start = self.file.line_starts[self.number - 1] + self.low
        start = self._column(label.span.start - line_start)
        end = self._column(label.span.end - line_start)
        return _Mark(start, max(end, start + 1), _printable(label.text), is_primary)

    def _column(self, offset: int) -> int:
        before = self.data[: max(0, min(offset, len(self.data)))].decode("utf-8", "replace")
        return _columns(_expanded(before)) + (1 if self.low else 0)


def _shown_line(file: SourceFile, number: int, offset: int) -> _ShownLine:
    """Line `number`, cut around its byte `offset` when it is long."""
    start = file.line_starts[number - 1]
    end = file.line_starts[number] if number < len(file.line_starts) else len(file.data)
    data = file.data[start:end].rstrip(b"\r\n")
    low, high = 0, len(data)
    if high > LINE_SIZE_MAX:
        low = _character_start(data, max(0, min(offset - _LINE_CONTEXT_SIZE, high - LINE_SIZE_MAX)))
        high = _character_start(data, min(low + LINE_SIZE_MAX, high))
    text = _expanded(data[low:high].decode("utf-8", "replace"))
    shown = f"{'…' if low else ''}{text}{'…' if high < len(data) else ''}"
    return _ShownLine(file, number, data[low:high], low, shown)


def _character_start(data: bytes, offset: int) -> int:
    """The nearest offset from `offset` on that is not inside a character."""
    for _ in range(3):
        if offset < len(data) and data[offset] & 0xC0 == 0x80:
            offset += 1
    return offset


def _expanded(text: str) -> str:
    """Tabs as spaces, and for what a terminal would not print the replacement character."""
    if text.isascii() and text.isprintable():
        return text
    out: list[str] = []
    column = 0
    for character in text:
        if character == "\t":
            shown = " " * (TAB_SIZE - column % TAB_SIZE)
        else:
            shown = character if character.isprintable() or _columns(character) == 0 else "\N{REPLACEMENT CHARACTER}"
        out.append(shown)
        column += _columns(shown)
    return "".join(out)


def _columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    columns = 0
    for character in text:
        if unicodedata.category(character) not in ("Mn", "Me"):
            columns += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return columns


def _printable(text: str) -> str:
    return _expanded(text)


# JSON


def to_json(diagnostics: Diagnostics) -> str:
    """The messages as a JSON array, of the errors the first `ERRORS_SHOWN_MAX`. Lines and columns count from 1,
    columns in bytes; the end is the place behind the last byte."""
    import json

    return json.dumps([_as_object(item) for item in _shown(diagnostics)], indent=2)


def _as_object(item: Diagnostic) -> dict[str, Any]:
    return {
        "code": item.code,
        "severity": item.severity.value,
        "message": item.message,
        **_place(item.span),
        "label": item.label,
        "secondary": [{**_place(label.span), "label": label.text} for label in item.secondary],
        "help": list(item.help),
    }


def _place(span: Span) -> dict[str, Any]:
    line, column = span.file.place(span.start)
    end_line, end_column = span.file.place(span.end)
    return {
        "file": span.file.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    }
