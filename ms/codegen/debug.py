"""Debug information: which place of the source each instruction belongs to.

The line table and the inlined calls are what failures are told with (`places.py`) and what a debugger steps by. Types
and variables are not described.
Invariant: every location's scope is the subprogram of the function that it stands in.
"""

from __future__ import annotations

import os

from ms.codegen.emitter import Module, quoted
from ms.source import SourceFile, Span

COLUMN_MAX = 65535  # LLVM and DWARF keep columns in 16 bits


def _string(text: str) -> str:
    return f'"{quoted(os.fsencode(text))}"'


class DebugInfo:
    """The metadata of one module."""

    def __init__(self, module: Module, file: SourceFile, *, full: bool, optimized: bool) -> None:
        """`file` is the main file: the names of the others, in stories too, start from where it lies."""
        self.module = module
        self._directory = os.path.dirname(file.name)
        self._lines: dict[tuple[SourceFile, int], tuple[int, int]] = {}
        self._locations: dict[tuple[str, int, int], str] = {}
        self._types = module.metadata("!DISubroutineType(types: !{})")
        kind = "FullDebug" if full else "LineTablesOnly"
        self._unit = module.distinct_metadata(
            f'distinct !DICompileUnit(language: DW_LANG_C11, file: {self._file(file)}, producer: "msc", '
            f"isOptimized: {str(optimized).lower()}, runtimeVersion: 0, emissionKind: {kind}, "
            "debugInfoForProfiling: true)"  # else functions into which nothing is inlined have no names there
        )
        version = module.metadata('!{i32 7, !"Dwarf Version", i32 4}')
        schema = module.metadata('!{i32 2, !"Debug Info Version", i32 3}')
        pic = module.metadata('!{i32 8, !"PIC Level", i32 2}')
        frames = module.metadata('!{i32 7, !"frame-pointer", i32 2}')
        module.named_metadata(f"!llvm.dbg.cu = !{{{self._unit}}}")
        module.named_metadata(f"!llvm.module.flags = !{{{version}, {schema}, {pic}, {frames}}}")

    def _file(self, file: SourceFile) -> str:
        name = file.name
        if os.path.isabs(name) == os.path.isabs(self._directory):
            name = os.path.relpath(name, self._directory or ".")
        return self.module.metadata(f"!DIFile(filename: {_string(name)}, directory: {_string(self._directory)})")

    def subprogram(self, name: str, span: Span) -> str:
        """A function of the program, or one that stands for it; its own scope."""
        line = self.place(span)[0]
        file = self._file(span.file)
        return self.module.distinct_metadata(
            f"distinct !DISubprogram(name: {_string(name)}, scope: {file}, file: {file}, line: {line}, "
            f"type: {self._types}, scopeLine: {line}, spFlags: DISPFlagLocalToUnit | DISPFlagDefinition, "
            f"unit: {self._unit})"
        )

    def place(self, span: Span) -> tuple[int, int]:
        """The line and the column at which a span starts; columns beyond what LLVM takes become the last one."""
        key = (span.file, span.start)
        known = self._lines.get(key)
        if known is None:
            line, column = span.file.place(span.start)
            known = self._lines[key] = line, min(column, COLUMN_MAX)
        return known

    def location(self, scope: str, span: Span) -> str:
        """What is put behind an instruction."""
        line, column = self.place(span)
        key = (scope, line, column)
        known = self._locations.get(key)
        if known is None:
            node = self.module.distinct_metadata(f"!DILocation(line: {line}, column: {column}, scope: {scope})")
            known = self._locations[key] = f", !dbg {node}"
        return known
