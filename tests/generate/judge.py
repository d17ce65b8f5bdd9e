"""Compiles a generated program in this process, at -O0 and -O3, runs it serially and on slaves, and compares all four
with what its twin says.

Always holds: every process that was started has ended, and every file is below the directory that was given.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from program_compiler import Compiled
from program_spec import Spec
from run_programs import Options as RunOptions
from run_programs import Outcome, run_local, run_on_slaves

from generate.show import show
from generate.tree import Program
from generate.twin import Expected, expectation
from ms import codegen, driver, toolchain
from ms.diagnostics import Diagnostics, InternalError, ProgramError, Severity, render
from ms.files import Files
from ms.source import SourceFile
from ms.typed import Program as TypedProgram

LEVELS = (0, 3)
WAYS = {"local": run_local, "slaves": run_on_slaves}
TIME_S = 30.0


class Refused(Exception):
    """The compiler says that the program is wrong."""


@dataclass(frozen=True)
class Analysed:
    program: TypedProgram
    fingerprint: bytes
    warnings: int


def analyse(data: bytes) -> Analysed:
    """The passes up to the code generator. Raises Refused; whatever else is raised is a fault of the compiler."""
    diagnostics = Diagnostics()
    sources = Files(SourceFile("prog.ms", data))
    try:
        program, fingerprint = driver.on_big_stack(lambda: driver.analyse(sources, driver.Options(), diagnostics))
    except ProgramError:
        errors = [item for item in diagnostics.items if item.severity is Severity.ERROR]
        raise Refused("\n".join(render(item) for item in errors[:3])) from None
    return Analysed(program, fingerprint, len(diagnostics.items))


def compile_at(analysed: Analysed, level: int, directory: Path, roles: Iterable[codegen.Role]) -> Compiled:
    """The programs, as DIRECTORY/master and DIRECTORY/slave."""
    directory.mkdir(parents=True, exist_ok=True)
    compiler = toolchain.find_compiler("")
    archives = toolchain.runtime_archives(compiler, toolchain.runtime_sources(), False)
    options = driver.Options(level=level)
    for role in roles:
        driver.on_big_stack(
            lambda role=role: driver.make_program(  # type: ignore[misc]
                analysed.program, analysed.fingerprint, role, options, compiler, archives, directory
            )
        )
    return Compiled(directory / "master", directory / "slave", status=0, diagnostics=(), shown="", text="")


def _normal(text: bytes) -> bytes:
    """Without what the twin does not say: columns, which slave it was, and how a job's arguments are cut short."""
    text = re.sub(rb"job (\w+)\(.*\) failed", rb"job \1 failed", text)
    text = re.sub(rb"prog\.ms:(\d+):\d+", rb"prog.ms:\1", text)
    return re.sub(rb" failed( on slave \S+)?$", b" failed", text, flags=re.MULTILINE)


def _compare(expected: Expected, outcome: Outcome, where: str) -> Iterator[str]:
    for trouble in outcome.trouble:
        yield f"{where}: {trouble}"
    fails = bool(expected.story)
    if outcome.status != (1 if fails else 0):
        yield f"{where}: exit status {outcome.status}, expected {int(fails)}: {outcome.errors[:300]!r}"
    output = _normal(outcome.output)
    if output != expected.output:
        wanted, given = expected.output.split(b"\n"), output.split(b"\n")
        pairs = list(zip(wanted, given))
        at = next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))
        yield f"{where}: output line {at + 1}: expected {wanted[at : at + 1]!r}, got {given[at : at + 1]!r}"
    yield from _compare_errors(expected, _normal(outcome.errors), where)


def _compare_errors(expected: Expected, errors: bytes, where: str) -> Iterator[str]:
    lines = [line.strip() for line in errors.decode("latin-1").split("\n") if line.strip()]
    wanted = failure_lines(expected)
    if lines != wanted:
        yield f"{where}: errors: expected {wanted!r}, got {lines!r}"


def failure_lines(expected: Expected) -> list[str]:
    """What stands on standard error: where the program ended, then the job's own lines."""
    story = [re.sub(r"^job (\w+)\(.*", r"job \1", line, flags=re.DOTALL) for line in expected.story]
    if not story:
        return []
    jobs = next((i for i, line in enumerate(story) if line.startswith("job ")), len(story))
    own, rest = story[:jobs], story[jobs:]
    head = f"prog.ms:{own[0].split()[0]}: error: "
    lines = [head + (f"{rest[0]} failed" if rest else expected.message)]
    lines += [f"prog.ms:{line}" for line in own[1:]]
    lines += [f"{line} failed" if line.startswith("job ") else f"prog.ms:{line}" for line in rest[1:]]
    return lines


def spec_of(path: Path) -> Spec:
    return Spec(path, "test", time_s=TIME_S, uses_slaves=True)


def faults(
    program: Program, directory: Path, levels: Iterable[int] = LEVELS, ways: Iterable[str] = tuple(WAYS)
) -> list[str]:
    """What is wrong with how the compiler treats this program; may raise twin.Spent."""
    text, lines = show(program)
    expected = expectation(program, lines)
    source = directory / "prog.ms"
    directory.mkdir(parents=True, exist_ok=True)
    source.write_text(text)
    try:
        analysed = analyse(text.encode())
    except Refused as refusal:
        return [f"refused: {refusal}"]
    except Exception:
        return [f"compiler: {traceback.format_exc(limit=-3)}"]
    roles = list(codegen.Role) if "slaves" in ways else [codegen.Role.MASTER]
    found: list[str] = []
    for level in levels:
        try:
            compiled = compile_at(analysed, level, directory / f"O{level}", roles)
        except Exception as problem:
            kind = "internal" if isinstance(problem, InternalError) else "compiler"
            found.append(f"{kind} at -O{level}: {traceback.format_exc(limit=-3)[:1500]}")
            continue
        for how in ways:
            work = directory / f"O{level}-{how}"
            work.mkdir()
            outcome = WAYS[how](spec_of(source), compiled, work, RunOptions())
            found += _compare(expected, outcome, f"-O{level} {how}")
    return found
