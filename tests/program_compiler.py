"""Compiles one program for `run_programs.py` and gives its diagnostics as (line, code, message).

What they should be is left to the caller. Always holds: diagnostics that are not understood are never lost silently, because the
compiler's exit status is given too.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parent.parent
_HEAD = re.compile(r"^(?:error|warning)\[([EW][0-9]{4})\]: (.*)$", re.MULTILINE)
_PLACE = re.compile(r"^ *--> .*?:([0-9]+):([0-9]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Compiled:
    """The two programs (which exist only when it went well), the exit status and what was said."""

    master: Path
    slave: Path
    status: int
    diagnostics: tuple[tuple[int, str, str], ...]
    text: str


def _parse(text: str) -> tuple[tuple[int, str, str], ...]:
    found = []
    heads = list(_HEAD.finditer(text))
    for index, head in enumerate(heads):
        end = heads[index + 1].start() if index + 1 < len(heads) else len(text)
        place = _PLACE.search(text, head.end(), end)
        found.append((int(place.group(1)) if place else 0, head.group(1), head.group(2)))
    return tuple(found)


def compile_program(path: Path, out: Path, sanitize: bool = False) -> Compiled:
    command = [sys.executable, "-m", "ms", path.name, "-o", str(out), *(["--sanitize"] if sanitize else [])]
    environment_path = str(_REPOSITORY)
    result = subprocess.run(
        command, cwd=path.parent, capture_output=True, text=True, errors="replace",
        env={**_environment(), "PYTHONPATH": environment_path}, check=False,
    )  # fmt: skip
    text = result.stdout + result.stderr
    master, slave = out.with_name(out.name + "-master"), out.with_name(out.name + "-slave")
    return Compiled(master, slave, result.returncode, _parse(text), text)


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "NO_COLOR": "1"}
