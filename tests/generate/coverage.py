"""What the right programs reach: the productions of the grammar, the rows of the built-in functions, the functions of
the code generator. Counted while a few programs are compiled at -O0, in parts and with debugging.

Always holds: the lists of what there is come from the compiler itself, so that something new is missing until a
generator makes it.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from generate import judge
from generate.programs import make_program
from generate.show import show_files
from ms import codegen, driver, parser, typed
from ms.builtins import BUILTINS

PACKAGE = Path(codegen.__file__).parent


class Reached:
    def __init__(self) -> None:
        self.productions: set[str] = set()
        self.builtins: set[str] = set()
        self.functions: set[str] = set()

    def profile(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(str(PACKAGE)):
            self.functions.add(_named(frame.f_code))


def _named(code: CodeType) -> str:
    return f"{Path(code.co_filename).name}: {code.co_qualname}"


def _functions() -> set[str]:
    """All functions of the code generator, but for lambdas and the like."""

    def inside(code: CodeType) -> Iterator[str]:
        for part in code.co_consts:
            if isinstance(part, CodeType):
                if "<" not in part.co_name and part.co_flags & 1:  # not the body of a class
                    yield _named(part)
                yield from inside(part)

    found: set[str] = set()
    for path in PACKAGE.glob("*.py"):
        found |= set(inside(compile(path.read_text(), str(path), "exec")))
    return found


def _row(row: Any) -> str:
    return f"{row.name}({' '.join(str(pattern) for pattern, _ in row.parameters)})"


def _rule(rule: Any) -> str:
    return f"{rule.origin.name}: {' '.join(symbol.name for symbol in rule.expansion)}"


def _watched_productions(reached: Reached) -> set[str]:
    """Tells `reached` of every reduction from now on; all that there are."""
    callbacks = parser._lark()[0].parser.parser.parser.callbacks

    def watched(rule: Any, callback: Any) -> Any:
        def called(values: Any) -> Any:
            reached.productions.add(_rule(rule))
            return callback(values)

        return called

    for rule, callback in list(callbacks.items()):
        if rule.origin.name != "$root":
            callbacks[rule] = watched(rule, callback)
    return {_rule(rule) for rule in callbacks if not rule.origin.name.startswith("$")}


def _built_in(node: Any) -> Iterator[str]:
    waiting, seen = [node], set()
    while waiting:
        part = waiting.pop()
        if isinstance(part, tuple):
            waiting += part
        elif is_dataclass(part) and id(part) not in seen:
            seen.add(id(part))
            if isinstance(part, typed.BuiltinCall):
                yield _row(part.builtin)
            waiting += [getattr(part, each.name, None) for each in fields(part)]


def _compiled(seed: int, reached: Reached, directory: Path) -> None:
    analysed = judge.analyse(show_files(make_program(seed))[0], directory)
    reached.builtins |= set(_built_in(analysed.program))
    for how in ("-O0", "--debug", "--unchecked"):
        options = judge.options_of(how).for_codegen()
        for role in codegen.Role:
            codegen.generate(analysed.program, role, analysed.fingerprint, options)
    judge.compile_as(analysed, "-O0", directory / "whole", [codegen.Role.MASTER])
    if seed % 8 == 0:
        judge.compile_as(analysed, "in parts", directory / "parts", list(codegen.Role))


def told(seeds: Iterable[int]) -> str:
    """What is reached by the programs of these seeds, and the names of what is not."""
    reached = Reached()
    productions = _watched_productions(reached)
    rows = {_row(row) for rows in BUILTINS.values() for row in rows}
    threading.setprofile(reached.profile)
    sys.setprofile(reached.profile)
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="ms-coverage-") as directory:
            driver.on_big_stack(lambda seed=seed, place=directory: _compiled(seed, reached, Path(place)))  # type: ignore[misc]
    sys.setprofile(None)
    threading.setprofile(None)  # type: ignore[arg-type]
    lines = []
    everything = (
        ("productions", productions, reached.productions),
        ("built-in functions", rows, reached.builtins),
        ("functions of the code generator", _functions(), reached.functions),
    )
    for what, there, found in everything:
        missing = sorted(there - found)
        lines.append(f"{what}: {len(there) - len(missing)} of {len(there)}" + ("; missing:" if missing else ""))
        lines += [f"    {name}" for name in missing]
    return "\n".join(lines)
