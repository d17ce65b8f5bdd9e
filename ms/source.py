"""Source text and places in it.

Holds the bytes of one file and turns offsets into lines and columns. What the text means is left to `parser.py`.
Invariants: offsets are byte offsets into `SourceFile.data`; lines and columns count from 1; a column counts bytes,
which is what editors, gdb and DWARF line tables expect.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, eq=False)
class SourceFile:
    """One file of a program: the name it was given by, its UTF-8 bytes, the offset at which each line starts."""

    name: str
    data: bytes
    line_starts: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        starts = [0]
        position = self.data.find(b"\n")
        while position >= 0:
            starts.append(position + 1)
            position = self.data.find(b"\n", position + 1)
        object.__setattr__(self, "line_starts", tuple(starts))

    def place(self, offset: int) -> tuple[int, int]:
        """The line and the column (both from 1) of a byte offset."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line_text(self, line: int) -> str:
        """Line `line` (from 1) without its end, bytes that are not UTF-8 replaced."""
        start = self.line_starts[line - 1]
        end = self.line_starts[line] if line < len(self.line_starts) else len(self.data)
        return self.data[start:end].rstrip(b"\r\n").decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes `start` to `end` - 1 of a file. An empty span is a point between two bytes."""

    file: SourceFile
    start: int
    end: int

    @property
    def line(self) -> int:
        return self.file.place(self.start)[0]

    @property
    def column(self) -> int:
        return self.file.place(self.start)[1]

    def to(self, other: Span) -> Span:
        """From the start of this span to the end of the other."""
        return Span(self.file, self.start, other.end)

    def __str__(self) -> str:
        line, column = self.file.place(self.start)
        return f"{self.file.name}:{line}:{column}"
