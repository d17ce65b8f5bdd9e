"""Compiles a generated program in this process, at -O0 and -O3, runs it serially and on slaves, and compares all four
with what its twin says.

Always holds: every process that was started has ended, and every file is below the directory that was given.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, Iterator
from contextlib import chdir
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from program_compiler import Compiled
from program_spec import Spec
from run_programs import Options as RunOptions
from run_programs import Outcome, run_local, run_on_slaves

from generate.show import show_files
from generate.tree import Program
from generate.twin import Expected, expectation
from ms import codegen, driver, toolchain
from ms.diagnostics import Diagnostics, InternalError, ProgramError, Severity, render
from ms.files import Files
from ms.source import SourceFile
from ms.typed import Program as TypedProgram

HOWS = ("-O0", "-O3")
OTHERS = ("-O1", "-O2", "--unchecked", "in parts", "--debug")
WAYS = {"local": run_local, "slaves": run_on_slaves}
TIME_S = 30.0


class Refused(Exception):
    """The compiler says that the program is wrong."""


@dataclass(frozen=True)
class Analysed:
    program: TypedProgram
    fingerprint: bytes
    warnings: int


def analyse(texts: dict[str, str], directory: Path) -> Analysed:
    """The passes up to the code generator, of files that are put into the directory. Raises Refused; whatever else is
    raised is a fault of the compiler."""
    diagnostics = Diagnostics()
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (directory / name).write_bytes(text.encode())
    try:
        with chdir(directory):
            sources = Files(SourceFile("prog.ms", texts["prog.ms"].encode()))
            program, fingerprint = driver.on_big_stack(lambda: driver.analyse(sources, driver.Options(), diagnostics))
    except ProgramError:
        errors = [item for item in diagnostics.items if item.severity is Severity.ERROR]
        raise Refused("\n".join(render(item) for item in errors[:3])) from None
    return Analysed(program, fingerprint, len(diagnostics.items))


def options_of(how: str) -> driver.Options:
    level = int(how[2:]) if how.startswith("-O") else 3
    return driver.Options(level=level, unchecked=how == "--unchecked", debug=how == "--debug")


@cache
def _tools() -> tuple[toolchain.Compiler, toolchain.Archives]:
    compiler = toolchain.find_compiler("")
    return compiler, toolchain.runtime_archives(compiler, toolchain.runtime_sources(), False)


def compile_as(analysed: Analysed, how: str, directory: Path, roles: Iterable[codegen.Role]) -> Compiled:
    """The programs, as DIRECTORY/master and DIRECTORY/slave."""
    directory.mkdir(parents=True, exist_ok=True)
    compiler, archives = _tools()
    options = options_of(how)
    if how == "in parts":
        driver.on_big_stack(lambda: _compile_parts(analysed, options, directory, roles))
        roles = ()
    for role in roles:
        driver.on_big_stack(
            lambda role=role: driver.make_program(  # type: ignore[misc]
                analysed.program, analysed.fingerprint, role, options, compiler, archives, directory
            )
        )
    return Compiled(directory / "master", directory / "slave", status=0, diagnostics=(), shown="", text="")


def _compile_parts(analysed: Analysed, options: driver.Options, directory: Path, roles: Iterable[codegen.Role]) -> None:
    """As programs are compiled that are too large for one module."""
    compiler, archives = _tools()
    parts = codegen.generate_parts(analysed.program, analysed.fingerprint, options.for_codegen())
    driver.make_parts(parts, options, directory, {})
    for role in roles:
        driver.link_parts(parts, role, options, compiler, archives, directory)


def _normal(text: bytes) -> bytes:
    """Without what the twin does not say: columns, which slave it was, and how a job's arguments are cut short."""
    text = re.sub(rb"job (\w+)\(.*\) failed", rb"job \1 failed", text)
    text = re.sub(rb"\b(\w+\.ms:\d+):\d+", rb"\1", text)
    return re.sub(rb" failed( on slave \S+)?$", b" failed", text, flags=re.MULTILINE)


def _compare(expected: Expected, outcome: Outcome, where: str) -> Iterator[str]:
    for trouble in outcome.trouble:
        yield f"{where}: {trouble}"
    if outcome.status != expected.status:
        yield f"{where}: exit status {outcome.status}, expected {expected.status}: {outcome.errors[:300]!r}"
    output = _normal(outcome.output)
    if output != expected.output:
        wanted, given = expected.output.split(b"\n"), output.split(b"\n")
        pairs = list(zip(wanted, given))
        at = next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))
        yield f"{where}: output line {at + 1}: expected {wanted[at : at + 1]!r}, got {given[at : at + 1]!r}"
    yield from _compare_errors(expected, _normal(outcome.errors), where)


def _compare_errors(expected: Expected, errors: bytes, where: str) -> Iterator[str]:
    if not errors.startswith(expected.errors):
        yield f"{where}: errors: expected {expected.errors!r}, got {errors[:300]!r}"
        return
    lines = [line.strip() for line in errors[len(expected.errors) :].decode("latin-1").split("\n") if line.strip()]
    wanted = failure_lines(expected)
    if lines != wanted:
        yield f"{where}: errors: expected {wanted!r}, got {lines!r}"


def failure_lines(expected: Expected) -> list[str]:
    """What stands on standard error: where the program ended, then the job's own lines."""
    if not expected.story:
        return []
    first, *rest = expected.story
    text = "\n".join([f"{first.split()[0]}: error: {expected.message}", *rest])
    return [line.strip() for line in _normal(text.encode("latin-1")).decode("latin-1").split("\n") if line.strip()]


def spec_of(path: Path) -> Spec:
    return Spec(path, "test", time_s=TIME_S, uses_slaves=True)


def faults(
    program: Program, directory: Path, hows: Iterable[str] = HOWS, ways: Iterable[str] = tuple(WAYS)
) -> list[str]:
    """What is wrong with how the compiler treats this program; may raise twin.Spent. `hows` are ways to compile, `ways`
    to run."""
    texts, places = show_files(program)
    expected = expectation(program, places)
    source = directory / "prog.ms"
    try:
        analysed = analyse(texts, directory)
    except Refused as refusal:
        return [f"refused: {refusal}"]
    except Exception:
        return [f"compiler: {traceback.format_exc(limit=-3)}"]
    roles = list(codegen.Role) if "slaves" in ways else [codegen.Role.MASTER]
    found: list[str] = []
    for how in hows:
        if how == "--unchecked" and expected.has_failures:
            continue  # what it would do instead of failing nobody knows
        place = directory / how.strip("-").replace(" ", "-")
        try:
            compiled = compile_as(analysed, how, place, roles)
        except Exception as problem:
            kind = "internal" if isinstance(problem, InternalError) else "compiler"
            found.append(f"{kind} at {how}: {traceback.format_exc(limit=-3)[:1500]}")
            continue
        for way in ways:
            work = place / way
            work.mkdir()
            outcome = WAYS[way](spec_of(source), compiled, work, RunOptions())
            found += _compare(expected, outcome, f"{how} {way}")
    return found
