"""The files of one program: what an import names, and each file's bytes, read once.

What stands in the files is left to `parser.py`; who declares what, to the checker. `Files.all` finds imports without a
parse, so that a program which is in the cache starts at once.
Invariants: one file has one `SourceFile`, whatever names lead to it; the bytes that a program's key in the cache is
made of are the bytes that are compiled.
"""

from __future__ import annotations

import os
import re
import stat

from ms.source import SourceFile

SOURCE_SIZE_MAX = 16 * 1024 * 1024

_IMPORTS = re.compile(
    rb"""//[^\n]*+ | /\*(?s:.*?)\*/ | '(?:[^'\\\n]|\\[^\n])*+'
    | \b(import)\b
    | "((?:[^"\\\n]|\\[^\n])*+)" """,
    re.VERBOSE,
)


class Unreadable(Exception):
    """A file that cannot be read; the text says why."""


def read_source(path: str) -> SourceFile:
    """The file at `path`, which becomes its name."""
    try:
        with open(path, "rb") as stream:
            data = stream.read(SOURCE_SIZE_MAX + 1)
    except (OSError, ValueError) as error:
        raise Unreadable(getattr(error, "strerror", None) or str(error)) from None
    if len(data) > SOURCE_SIZE_MAX:
        raise Unreadable(f"it is larger than {SOURCE_SIZE_MAX >> 20} MiB")
    return SourceFile(path, data)


class Files:
    """The files of the program whose main file is `main`."""

    def __init__(self, main: SourceFile) -> None:
        self.main = main
        self._known = {os.path.realpath(main.name): main}

    def imported(self, importer: SourceFile, path: bytes) -> SourceFile:
        """The file that `import "path";` in `importer` names; `Unreadable` when there is none. It is called by its way
        from the importer, as short as it can be."""
        if not path:
            raise Unreadable("the name is empty")
        if b"\\" in path:
            raise Unreadable("the name of a file has no escapes")
        joined = os.path.join(os.path.dirname(importer.name), os.fsdecode(path))
        try:
            real = os.path.realpath(joined)
            known = self._known.get(real)
            if known is not None:
                return known
            mode = os.stat(joined).st_mode
        except FileNotFoundError:
            raise Unreadable("there is no such file") from None
        except (OSError, ValueError) as error:
            raise Unreadable(getattr(error, "strerror", None) or str(error)) from None
        if not stat.S_ISREG(mode):
            raise Unreadable("it is a directory" if stat.S_ISDIR(mode) else "it is not a regular file")
        short = os.path.normpath(joined)
        file = read_source(short if os.path.realpath(short) == real else joined)
        self._known[real] = file
        return file

    def all(self) -> list[SourceFile]:
        """The main file and everything that it imports, directly or not. Of a program that is wrong, whatever looks
        like that."""
        found = [self.main]
        for file in found:
            for path in _imports_in(file.data):
                try:
                    imported = self.imported(file, path)
                except Unreadable:
                    continue
                if imported not in found:
                    found.append(imported)
        return found


def _imports_in(data: bytes) -> list[bytes]:
    """The strings that stand behind the word `import`."""
    if b"import" not in data:
        return []
    found: list[bytes] = []
    is_next = False
    for match in _IMPORTS.finditer(data):
        if match[1]:
            is_next = True
        elif match[2] is not None:
            if is_next:
                found.append(match[2])
            is_next = False
    return found
