"""Compiles programs for the tests of the code generator, and runs their jobs one by one, without a master.

`job_harness.c` is the other end. Always holds: what is run is checked for missing drops (MS_HEAP_CHECK), and the
process has ended when the context is left.
"""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from ms import checker, codegen, ownership, parser, toolchain, typed
from ms.codegen import places
from ms.diagnostics import Diagnostics
from ms.source import SourceFile

FINISHED, FAILED, CANCELLED, HANDED_OVER, REJECTED = range(5)
"""The outcomes of a job (`ms_outcome`)."""

Run: TypeAlias = Callable[[int, bytes], tuple[int, bytes]]
"""Takes the ordinal and the arguments; gives the outcome and the bytes that came of it."""


def owned_program(text: str, name: str = "jobs.ms") -> typed.Program:
    """A program that has no mistakes, ready for the code generator."""
    found = Diagnostics()
    module = parser.parse(SourceFile(name, text.encode()), found)
    program = checker.check(module, found)
    assert program is not None, found.items
    assert not found.has_errors, found.items
    return ownership.own(program, found, False)


def compile_jobs(text: str, directory: Path, options: codegen.Options) -> Path:
    """An executable that serves the program's jobs."""
    code = codegen.emit_object(codegen.generate(owned_program(text), codegen.Role.SLAVE, bytes(32), options), options)
    table = codegen.emit_object(places.place_module(places.place_table(code)), options)
    objects = [directory / "jobs.o", directory / "places.o"]
    objects[0].write_bytes(code)
    objects[1].write_bytes(table)
    compiler = toolchain.find_compiler()
    archives = toolchain.runtime_archives(compiler, toolchain.runtime_sources())
    root = toolchain.runtime_directory()
    out = directory / "jobs"
    command = [*compiler.command, "-D_GNU_SOURCE", "-fno-omit-frame-pointer", f"-I{root}", f"-I{root / 'include'}"]
    source, harness = Path(__file__).resolve().parent / "job_harness.c", directory / "harness.o"
    subprocess.run([*command, "-c", source, "-o", harness], check=True)  # zig would put it behind the archive
    subprocess.run([*command, harness, *objects, archives.slave, "-pthread", "-lm", "-o", out], check=True)
    return out


@contextmanager
def running_jobs(text: str, directory: Path, options: codegen.Options | None = None) -> Iterator[Run]:
    """Runs the program's jobs."""
    harness = compile_jobs(text, directory, options or codegen.Options())
    environment = {**os.environ, "MS_HEAP_CHECK": "1"}
    with subprocess.Popen([harness], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def run(ordinal: int, arguments: bytes) -> tuple[int, bytes]:
            requests.write(struct.pack("<II", ordinal, len(arguments)) + arguments)
            requests.flush()
            head = answers.read(8)
            assert len(head) == 8, "the process of the jobs has crashed"
            outcome, size = struct.unpack("<II", head)
            return outcome, answers.read(size)

        yield run
        requests.close()
        assert process.wait() == 0
