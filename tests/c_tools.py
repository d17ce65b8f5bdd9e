"""The C compiler and make as tests use them. What this machine lacks is named, and the test is skipped.

The compiler is the one that msc finds; where that is zig, programs are linked with musl, and libraries for this
process are built for the C library that Python has.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from ms import toolchain

RUNTIME = Path(__file__).resolve().parent.parent / "runtime" / "c"


def make(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs make in the directory of the runtimes; it needs a compiler named `cc`, and so do its sanitizers."""
    need("make")
    need("cc")
    return subprocess.run(["make", "-s", "-C", RUNTIME, *words], capture_output=True, text=True, check=False)


def need(name: str) -> None:
    """Skips the test when there is no such program."""
    if shutil.which(name) is None:
        pytest.skip(f"there is no {name}")


def need_encryption() -> None:
    if toolchain.find_compiler().sodium is None:
        pytest.skip("there is no libsodium to build with")


def build_library(path: Path, sources: Sequence[str | Path], options: Sequence[str] = ()) -> None:
    """A shared library of C files of the runtimes, for cffi."""
    command = list(toolchain.find_compiler().command)
    if "-target" in command:
        command = [*command[: command.index("-target")], *command[command.index("-target") + 2 :]]
    flags = ["-std=c11", "-D_GNU_SOURCE", "-fno-omit-frame-pointer", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]
    places = ["-I", RUNTIME, "-I", RUNTIME / "include"]
    subprocess.run([*command, *flags, "-O1", *options, *places, *sources, "-o", path, "-pthread", "-lm"], check=True)


def build_jobs_programs(directory: Path, sanitize: str) -> None:
    """`prog-master` and `prog-slave` of runtime/c/tests/jobs_program.c. Without sanitizers msc's own way to the
    archives is enough, so that neither make nor `cc` is needed."""
    flags = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-g", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls"]
    flags += ["-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-pthread"]
    if sanitize:
        done = make("all", f"BUILD={directory}", f"SANITIZE={sanitize}")
        assert done.returncode == 0, done.stdout + done.stderr
        command = ["cc", f"-fsanitize={sanitize}", "-fno-sanitize-recover=all"]
        archives = toolchain.Archives(directory / "libmsmaster.a", directory / "libmsslave.a")
    else:
        compiler = toolchain.find_compiler()
        command = list(compiler.command)
        archives = toolchain.runtime_archives(compiler, toolchain.runtime_sources())
    sources = [RUNTIME / "tests" / "jobs_program.c", RUNTIME / "tests" / "program.c"]
    places = ["-I", RUNTIME, "-I", RUNTIME / "include"]
    for end, archive, define in (("master", archives.master, ["-DMS_TEST_MASTER"]), ("slave", archives.slave, [])):
        program = directory / f"prog-{end}"
        subprocess.run([*command, *flags, *define, *places, *sources, archive, "-lm", "-o", program], check=True)
