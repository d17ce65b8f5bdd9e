"""From a main file to all modules of a program: parses each file, follows its imports.

Finding and reading files is left to `files.py`, what the imports make known to the checker.
Invariants: each file is parsed once, in a circle of imports too; modules come in the order in which declarations
count, which is that a file stands behind those that it imports, but for circles.
"""

from __future__ import annotations

from ms import errors, parser, syntax
from ms.diagnostics import Diagnostics
from ms.files import Files, Unreadable
from ms.source import SourceFile


def read_program(files: Files, diagnostics: Diagnostics) -> syntax.Program:
    reading = _Reading(files, diagnostics)
    reading.module(files.main)
    return syntax.Program(tuple(reading.modules), reading.imports, frozenset(reading.incomplete))


class _Reading:
    """One program's reading under way. A file has its entry in `imports` from when it is begun."""

    def __init__(self, files: Files, diagnostics: Diagnostics) -> None:
        self.files = files
        self.diagnostics = diagnostics
        self.modules: list[syntax.Module] = []
        self.imports: dict[SourceFile, frozenset[SourceFile]] = {}
        self.lost: set[SourceFile] = set()  # nothing of it could be parsed
        self.incomplete: set[SourceFile] = set()

    def module(self, file: SourceFile) -> None:
        self.imports[file] = frozenset()
        module = parser.parse(file, self.diagnostics)
        if module.skipped and not module.declarations:
            self.lost.add(file)
        imported = [
            self._imported(file, declaration)
            for declaration in module.declarations
            if isinstance(declaration, syntax.Import)
        ]
        self.imports[file] = frozenset(each for each in imported if each is not None)
        for each in imported:
            if each is not None and each not in self.imports:
                self.module(each)
        if None in imported or self.lost & self.imports[file]:
            self.incomplete.add(file)
        self.modules.append(module)

    def _imported(self, file: SourceFile, declaration: syntax.Import) -> SourceFile | None:
        span = declaration.path.span
        path = file.data[span.start + 1 : span.end - 1]
        try:
            imported = self.files.imported(file, path)
        except Unreadable as reason:
            shown = path.decode("utf-8", "replace")
            self.diagnostics.add(errors.cannot_import(span, shown, str(reason)))
            return None
        if imported is file:
            self.diagnostics.add(errors.imports_itself(span))
            return None
        return imported
