"""Compiles one program for `run_programs.py`, in this process; its diagnostics are (file, line, code, message).

What they should be is left to the caller; the command line is tested elsewhere. Always holds: the programs exist
exactly when `status` is 0 and they were asked for.
"""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ms import driver
from ms.diagnostics import Diagnostics, InternalError, ProgramError, Severity, render_all
from ms.source import SourceFile
from ms.toolchain import SANITIZERS, ToolchainError

# The user's own cache is left alone; under pytest `conftest.py` has chosen already.
os.environ.setdefault("MS_CACHE_DIR", str(Path(__file__).resolve().parent.parent / "build" / "cache"))


@dataclass(frozen=True, slots=True)
class Compiled:
    """The two programs, the exit status that msc would have, what was said, also as msc shows it, and for a crash its
    story."""

    master: Path
    slave: Path
    status: int
    diagnostics: tuple[tuple[str, int, str, str], ...]
    shown: str
    text: str


def compile_program(
    path: Path, out: Path, *, sanitize: bool | str = False, for_valgrind: bool = False, check_only: bool = False,
    links: tuple[str, ...] = ()
) -> Compiled:
    """Valgrind has to see the C library's own allocator, and names to show. The program is called as it is where it
    lies. `sanitize` may name others than those of --sanitize."""
    sanitizers = sanitize if isinstance(sanitize, str) else SANITIZERS if sanitize else ""
    with chdir(path.parent):
        options = driver.Options(sanitize=sanitizers, dynamic=for_valgrind, debug=for_valgrind, links=links)
        return _compile(path, out, options, check_only)


def _compile(path: Path, out: Path, options: driver.Options, check_only: bool) -> Compiled:
    source = SourceFile(path.name, path.read_bytes())
    diagnostics = Diagnostics()
    status, text = 0, ""
    try:
        if check_only:
            driver.check_only(source, options, diagnostics)
        else:
            driver.install(driver.build(source, options, diagnostics), out)
    except ProgramError:
        status = 1
    except ToolchainError as error:
        status, text = 2, str(error)
    except InternalError as error:
        status, text = 70, f"{error} at {error.span}\n{traceback.format_exc()}"
    except Exception:
        status, text = 70, "".join(traceback.format_exc().splitlines(keepends=True)[-6:])
    found = tuple(
        (item.span.file.name, item.span.line, item.code, item.message)
        for item in diagnostics.items
        if item.severity is not Severity.NOTE
    )
    master, slave = out.with_name(out.name + "-master"), out.with_name(out.name + "-slave")
    return Compiled(master, slave, status, found, render_all(diagnostics), text)


def fingerprint_of(path: Path) -> bytes:
    """What a slave has to say to serve this program."""
    source = SourceFile(path.name, path.read_bytes())
    text = driver.emit(source, "fingerprint", "slave", driver.Options(), Diagnostics())
    assert isinstance(text, str)
    return bytes.fromhex(text)
