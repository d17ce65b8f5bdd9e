"""What the compiler does with programs that `damage.py` has made: whatever stands in a file, it gives an answer, in a
time that goes with the file's size.

An answer is errors, each with a place inside of the file, or a program. A sample of the programs is run, with limits
on time and memory: none may be ended by a signal. What they do is not looked at. Always holds: a program that could
touch files or start others is not run.
"""

from __future__ import annotations

import re
import resource
import subprocess
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from functools import partial
from pathlib import Path

from run_programs import environment_of

from generate import judge
from generate.damage import TOKEN, Files
from ms import codegen, driver
from ms.diagnostics import Diagnostics, ProgramError, Severity, render, to_json
from ms.files import Files as Sources
from ms.source import SourceFile

TIME_S = 5.0
MEMORY_SIZE = 1 << 30
SLOW_S = 20.0
SLOW_FOR_BYTE_S = 1e-4
DANGEROUS = re.compile(rb"\b(exec|write_file|append_file|extern|sleep|read_line|at_end)\b")


def _analysed(files: Files, warn_copies: bool) -> tuple[judge.Analysed | None, list[str]]:
    diagnostics = Diagnostics()
    found: list[str] = []
    try:
        with _written(files):
            sources = Sources(SourceFile("prog.ms", files["prog.ms"]))
            options = driver.Options(warn_copies=warn_copies)
            program, fingerprint = driver.on_big_stack(lambda: driver.analyse(sources, options, diagnostics))
    except ProgramError:
        program = None
        if not any(item.severity is Severity.ERROR for item in diagnostics.items):
            found.append("refused without an error")
    for item in diagnostics.items:
        spans = (item.span, *(label.span for label in item.secondary))
        known = {*files, "built-in"}
        if item.span.file.name not in files or not all(
            0 <= span.start <= span.end <= len(span.file.data) and span.file.name in known for span in spans
        ):
            found.append(f"{item.code} has no place in the file")
        render(item)
    to_json(diagnostics)
    return (None if program is None else judge.Analysed(program, fingerprint, 0)), found


@contextmanager
def _written(files: Files) -> Iterator[None]:
    """The files, in a directory of their own, when there are several."""
    if len(files) == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="ms-mutant-") as directory:
        for name, data in files.items():
            path = Path(directory) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        with chdir(directory):
            yield


def faults(files: Files | bytes, run: bool, how: str = "-O0") -> tuple[str, list[str]]:
    """What became of it ("wrong", "right" or "ran"), and what is bad about that. `how` is a way to compile it."""
    files = {"prog.ms": files} if isinstance(files, bytes) else files
    started = time.process_time()
    try:
        analysed, found = _analysed(files, warn_copies=how == "-O3")
        if analysed is not None and not found:
            if run:
                with tempfile.TemporaryDirectory(prefix="ms-mutant-") as directory:
                    return "ran", _run(files, analysed, Path(directory), how)
            options = judge.options_of(how).for_codegen()
            for role in codegen.Role:
                text = driver.on_big_stack(
                    partial(codegen.generate, analysed.program, role, analysed.fingerprint, options)
                )
                codegen.emit_object(text, codegen.Options(opt_level=0))
    except Exception:
        return "crash", [traceback.format_exc(limit=-6)]
    took_s = time.process_time() - started
    if took_s > SLOW_S + SLOW_FOR_BYTE_S * sum(map(len, files.values())):
        found = [*found, f"took {took_s:.0f} s of the processor"]
    return ("wrong" if analysed is None else "right"), found


def _run(files: Files, analysed: judge.Analysed, directory: Path, how: str) -> list[str]:
    if any(DANGEROUS.search(data) for data in files.values()):
        return []
    compiled = judge.compile_as(analysed, how, directory, [codegen.Role.MASTER])
    work = directory / "work"
    work.mkdir()
    try:
        ended = subprocess.run(
            [compiled.master, "--local", "--quiet"], cwd=work, env=environment_of({}), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=TIME_S, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY_SIZE, MEMORY_SIZE)),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return []
    if ended.returncode < 0:
        return [f"ended by signal {-ended.returncode}: {ended.stderr[-300:]!r}"]
    return []


def smaller(files: Files, wanted: str, how: str, tries: int = 600, seconds: float = 120) -> Files:
    """Without files, then lines, then tokens, as long as the first fault's last line stays the same."""
    end = time.monotonic() + seconds

    def is_bad(candidate: Files) -> bool:
        found = faults(candidate, wanted.startswith("ended"), how)[1]
        return any(fault_key(fault) == wanted for fault in found)

    for name in [name for name in files if name != "prog.ms"]:
        fewer = {other: data for other, data in files.items() if other != name}
        files = fewer if is_bad(fewer) else files
    for split, glue in ((lambda d: d.split(b"\n"), b"\n"), (TOKEN.findall, b"")):
        for name in files:
            size = max(1, len(split(files[name])) // 2)
            while size > 0 and tries > 0 and time.monotonic() < end:
                parts = split(files[name])
                start = 0
                while start < len(parts) and tries > 0 and time.monotonic() < end:
                    candidate = {**files, name: glue.join(parts[:start] + parts[start + size :])}
                    tries -= 1
                    if is_bad(candidate):
                        files, parts = candidate, split(candidate[name])
                    else:
                        start += size
                size //= 2
    return files


def fault_key(fault: str) -> str:
    """What is the same in two reports of one fault."""
    last = fault.strip().split("\n")[-1]
    return re.sub(r"[0-9]+|'[^']*'", "#", last)[:60]
