"""Runs the programs of `ms_programs/`: compiles each, runs it, compares with what it says about itself.

    python tests/run_programs.py [-k PATTERN] [-j 2] [--sanitize] [--valgrind] [--isolate] [--renew] [names…]

A test-program runs twice, serially (`--local`) and on real slaves, and must do the same both times. What programs say
is read by `program_spec.py`; `test_programs.py` is the face for pytest. Always holds: every process started here has
ended when `run_program` returns, and every run has a directory and a socket of its own.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from program_compiler import Compiled, compile_program
from program_spec import PROGRAMS, Mark, Spec, SpecError, all_programs, read_spec

GRACE_S = 20.0  # for slaves to go after their master
CONNECT_FOR_S = 10  # how long a slave looks for its master
NO_MASTER = 3  # its status when it found none
VALGRIND = [
    "valgrind", "-q", "--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
    "--error-exitcode=99",
]  # fmt: skip
VALGRIND_SLOWNESS = 20


@dataclass(frozen=True, slots=True)
class Options:
    sanitize: bool = False
    valgrind: bool = False
    renew: bool = False
    isolate: bool = False
    tcp: bool = False  # over TCP with a key, in place of a unix socket


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. `trouble`: what went wrong around the master, a slave that crashed or did not go, a time-out."""

    output: bytes
    errors: bytes
    status: int
    trouble: tuple[str, ...]


class Slaves:
    """The slaves of one run, and what becomes of them."""

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]], count: int) -> None:
        self._start = start
        self._lock = threading.Lock()
        self._closed = False
        self._killed: list[subprocess.Popen[bytes]] = []
        self._late: list[subprocess.Popen[bytes]] = []
        self.running = [start() for _ in range(count)]

    @property
    def killed_count(self) -> int:
        return len(self._killed)

    def replace(self, index: int) -> None:
        """Kills one as a power cut would, and starts another."""
        with self._lock:
            if self._closed:
                return
            victim = self.running[index]
            victim.kill()
            self._killed.append(victim)
            self.running[index] = self._start()
            self._late.append(self.running[index])

    def finish(self, grace_s: float) -> list[str]:
        """Waits for all to go; the complaints about those that did not, or not well. One that was started late may
        have found no master any more."""
        with self._lock:
            self._closed = True
        complaints = []
        deadline = time.monotonic() + grace_s
        for slave in self.running:
            try:
                status = slave.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                slave.kill()
                slave.wait()
                complaints.append("a slave did not go when its master had ended")
            else:
                if status != 0 and not (status == NO_MASTER and slave in self._late):
                    complaints.append(f"a slave ended with status {status}")
        for victim in self._killed:
            victim.wait()
        return complaints


def _clean(text: bytes, stem: str) -> bytes:
    """What may differ from run to run is taken out: which slave it was, the master's own log lines."""
    text = re.sub(rb"\b(failed on slave) [^\s]+", rb"\1 SLAVE", text)
    return re.sub(rb"(?m)^" + re.escape(stem.encode()) + rb"-(?:master|slave): .*\n", b"", text)


def environment_of(more: dict[str, str]) -> dict[str, str]:
    """What programs see: nothing of ours that would change them, and a check that they give back all memory."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MS_")}
    environment["MS_HEAP_CHECK"] = "1"
    environment.setdefault("ASAN_OPTIONS", "detect_leaks=0:detect_stack_use_after_return=0")
    environment.update(more)
    return environment


def _limit(spec: Spec) -> Callable[[], None] | None:
    if not spec.memory_size:
        return None
    size = spec.memory_size
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size))


def _command(program: Path, options: Options, directory: Path) -> list[str]:
    prefix = [*VALGRIND, f"--log-file={directory}/valgrind.%p"] if options.valgrind else []
    return [*prefix, str(program)]


def _wait(
    master: subprocess.Popen[bytes], stdin: bytes, time_s: float, kill: tuple[float, Slaves] | None
) -> tuple[bytes, bytes, list[str]]:
    """Feeds the master, waits for its end; kills a slave on the way when told to."""
    ended = threading.Event()
    killer = None
    if kill is not None:
        after_s, slaves = kill
        killer = threading.Thread(target=lambda: None if ended.wait(after_s) else slaves.replace(0))
        killer.start()
    trouble = []
    try:
        output, errors = master.communicate(stdin, timeout=time_s)
    except subprocess.TimeoutExpired:
        master.kill()
        output, errors = master.communicate()
        trouble.append(f"still running after {time_s:g} s")
    ended.set()
    if killer is not None:
        killer.join()
    return output, errors, trouble


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def run_local(spec: Spec, compiled: Compiled, directory: Path, options: Options) -> Outcome:
    return _run(spec, compiled, directory, options, slave_count=0, arguments=["--local"])


def run_on_slaves(spec: Spec, compiled: Compiled, directory: Path, options: Options) -> Outcome:
    """A program without jobs needs no slaves and gets none."""
    address = free_address() if options.tcp else f"unix:{directory / 'socket'}"
    count = spec.slaves if spec.uses_slaves else 0
    arguments = ["--listen", address]
    if count:
        arguments += ["--min-slaves", str(count)]
    return _run(spec, compiled, directory, options, slave_count=count, arguments=arguments)


def _run(
    spec: Spec, compiled: Compiled, directory: Path, options: Options, slave_count: int, arguments: list[str]
) -> Outcome:
    work = directory / "work"
    work.mkdir()
    for name, content in spec.files.items():
        (work / name).write_bytes(content)
    environment = environment_of(spec.environment)
    if options.tcp:
        (directory / "key").touch(0o600)
        (directory / "key").write_text(os.urandom(32).hex())
        environment["MS_KEY_FILE"] = str(directory / "key")
    limit = _limit(spec)
    slave_log = directory / "slaves.log"

    def start_slave() -> subprocess.Popen[bytes]:
        command = [*_command(compiled.slave, options, directory), arguments[1]]
        command += ["-j", str(spec.slots), "--connect-for", str(CONNECT_FOR_S)]
        command += ["--isolate"] if options.isolate else []
        with slave_log.open("ab") as log:
            return subprocess.Popen(
                command, cwd=work, env=environment, preexec_fn=limit,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    words = ["--", *spec.words] if spec.words else []
    time_s = spec.time_s * (VALGRIND_SLOWNESS if options.valgrind else 1)
    slaves: Slaves | None = None
    master = subprocess.Popen(
        [*_command(compiled.master, options, directory), *arguments, *words],
        cwd=work, env=environment, preexec_fn=limit,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        slaves = Slaves(start_slave, slave_count)
        kill = (spec.kill_after_s, slaves) if spec.kill_after_s is not None and slave_count else None
        output, errors, trouble = _wait(master, spec.stdin, time_s, kill)
    finally:
        if master.poll() is None:
            master.kill()
            master.wait()
        complaints = slaves.finish(0.0 if master.returncode == -signal.SIGKILL else GRACE_S) if slaves else []
    log = slave_log.read_bytes().decode("utf-8", "replace") if complaints and slave_log.exists() else ""
    if log:
        complaints.append("the slaves said:\n" + log.rstrip("\n"))
    complaints += [found.read_text() for found in directory.glob("valgrind.*") if found.stat().st_size > 0]
    stem = spec.path.stem
    return Outcome(_clean(output, stem), _clean(errors, stem), master.returncode, (*trouble, *complaints))


def _show(text: bytes, limit: int = 4000) -> str:
    shown = text.decode("utf-8", "backslashreplace")
    return shown if len(shown) <= limit else shown[:limit] + f"… ({len(text)} bytes)\n"


def _difference(what: str, expected: bytes, actual: bytes) -> str:
    wanted, given = expected.splitlines(), actual.splitlines()
    index = next((i for i, (a, b) in enumerate(zip(wanted, given)) if a != b), min(len(wanted), len(given)))
    first = f"{what} differs from line {index + 1} on"
    if wanted == given:
        first = f"{what} differs in the newline at the end"
    return f"{first}\n--- expected\n{_show(expected)}--- got\n{_show(actual)}---"


def check_outcome(spec: Spec, outcome: Outcome, local: bool) -> list[str]:
    """The complaints about one run."""
    complaints = list(outcome.trouble)
    if outcome.status != spec.status:
        complaints.append(f"exit status {outcome.status}, expected {spec.status}")
    if spec.output is not None and outcome.output != spec.output:
        complaints.append(_difference("the output", spec.output, outcome.output))
    if spec.kind == "trap":
        complaints += _check_trap(spec, outcome, local)
    elif outcome.errors != (spec.errors or b""):
        complaints.append(_difference("standard error", spec.errors or b"", outcome.errors))
    return complaints


def _check_trap(spec: Spec, outcome: Outcome, local: bool) -> Iterator[str]:
    assert spec.trap is not None
    trap = spec.trap
    message = trap.message.replace(" on slave SLAVE", "") if local else trap.message
    place = rf"{re.escape(trap.file)}:{trap.line}:{trap.column or '[0-9]+'}"
    text = outcome.errors.decode("utf-8", "replace")
    first = rf"^{place}: error: {re.escape(message)}$"
    inner = rf"^  {place} in [A-Za-z_0-9]+: {re.escape(message)}$"
    if not re.search(f"{first}|{inner}", text, re.MULTILINE):
        where = f"{trap.file}:{trap.line}:{trap.column or '*'}"
        yield f"expected a failure at {where}: {message}\n--- got\n{_show(outcome.errors)}---"
    if spec.story:
        story = "".join(f"{line}\n" for line in spec.story).replace("prog.ms:", f"{spec.path.name}:")
        if local:
            story = story.replace(" on slave SLAVE", "")
        if story != text:
            yield _difference("the story", story.encode(), outcome.errors)


def check_diagnostics(spec: Spec, compiled: Compiled) -> list[str]:
    """The complaints about what the compiler said: each diagnostic has its mark, each mark its diagnostic."""
    complaints = []
    left = list(spec.marks)

    def match(file: str, line: int, code: str) -> Mark | None:
        there = (mark for mark in left if mark.file == file and mark.line in (line, 0))
        return next((mark for mark in there if code in mark.codes), None)

    for file, line, code, message in compiled.diagnostics:
        mark = match(file, line, code)
        if mark is None:
            complaints.append(f"{file}:{line}: unexpected {code}: {message}")
        else:
            left.remove(mark)
    complaints += [f"missing, {mark}" for mark in left]
    status = 1 if spec.kind == "fail" else 0
    if compiled.status != status:
        complaints.append(f"the compiler ended with status {compiled.status}, expected {status}\n{compiled.text}")
    return complaints


def check_text(spec: Spec, compiled: Compiled, renew: bool) -> list[str]:
    """The complaints about how the messages read, to the letter; `renew` writes down how they read now."""
    path = spec.path.with_suffix(".expected")
    shown = compiled.shown.encode()
    if renew:
        path.write_bytes(shown)
        return []
    if not path.exists():
        return [f"there is no {path.name}: make it with --renew, and read it"]
    return [] if path.read_bytes() == shown else [_difference("what the compiler says", path.read_bytes(), shown)]


@contextmanager
def _private_directory() -> Iterator[Path]:
    """Short, because a socket's path may be; below /tmp or where TMPDIR says."""
    path = Path(tempfile.mkdtemp(prefix="ms-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _runs(spec: Spec, options: Options) -> bool:
    """The sanitizers and valgrind need address space of their own: a program with a memory limit is only compiled."""
    if options.valgrind and not spec.valgrind:
        return False
    return spec.memory_size == 0 or not (options.sanitize or options.valgrind)


def run_program(path: Path, options: Options = Options()) -> list[str]:
    """All complaints about one program; none when it is as it says."""
    try:
        spec = read_spec(path)
    except SpecError as error:
        return [f"the program's directives: {error}"]
    with _private_directory() as directory:
        compiled = compile_program(
            path, directory / path.stem,
            sanitize=options.sanitize, for_valgrind=options.valgrind, check_only=spec.kind == "fail", links=spec.links,
        )  # fmt: skip
        complaints = check_diagnostics(spec, compiled)
        if spec.kind == "fail" and compiled.status == 1:
            complaints += check_text(spec, compiled, options.renew)
        if spec.kind == "fail" or compiled.status != 0 or not _runs(spec, options):
            return complaints
        modes = {"local": run_local, "slaves": run_on_slaves}
        for mode, run in modes.items():
            if spec.only in ("", mode) and (not options.isolate or (mode == "slaves" and spec.uses_slaves)):
                place = directory / mode
                place.mkdir()
                outcome = run(spec, compiled, place, options)
                complaints += [f"{mode}: {text}" for text in check_outcome(spec, outcome, mode == "local")]
        return complaints


def _selected(arguments: argparse.Namespace) -> list[Path]:
    paths = all_programs()
    if arguments.names:
        wanted = {Path(name).stem for name in arguments.names}
        unknown = wanted - {path.stem for path in paths}
        if unknown:
            raise SystemExit(f"no such program in {PROGRAMS}: {', '.join(sorted(unknown))}")
        paths = [path for path in paths if path.stem in wanted]
    if arguments.k:
        paths = [path for path in paths if re.search(arguments.k, path.stem)]
    return paths


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the programs of tests/ms_programs.")
    parser.add_argument("names", nargs="*", help="programs to run, all when none is named")
    parser.add_argument("-k", metavar="PATTERN", help="only those whose name matches")
    parser.add_argument("-j", type=int, default=2, metavar="N", help="how many at once")
    parser.add_argument("--sanitize", action="store_true", help="with the address and undefined-behaviour sanitizers")
    parser.add_argument("--valgrind", action="store_true", help="run masters and slaves under valgrind")
    parser.add_argument("--isolate", action="store_true", help="only on slaves, with jobs in processes of their own")
    parser.add_argument("--tcp", action="store_true", help="run slaves over TCP with a key")
    parser.add_argument("--renew", action="store_true", help="write down what fail-programs make the compiler say")
    arguments = parser.parse_args()
    if arguments.valgrind and shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed")
    options = Options(
        arguments.sanitize, arguments.valgrind, arguments.renew, arguments.isolate, arguments.tcp
    )
    paths = _selected(arguments)
    if arguments.isolate:
        paths = [path for path in paths if (spec := read_spec(path)).uses_slaves and spec.kind != "fail"]
    failed = 0
    with ProcessPoolExecutor(max_workers=arguments.j) as pool:
        runs = [(path, pool.submit(run_program, path, options)) for path in paths]
        for path, run in runs:
            complaints = run.result()
            failed += bool(complaints)
            print(f"{path.stem}... {'FAILED' if complaints else 'OK'}", flush=True)
            for complaint in complaints:
                print("    " + complaint.replace("\n", "\n    "), flush=True)
    print(f"{len(paths) - failed} passed, {failed} failed")
    return 1 if failed or not paths else 0


if __name__ == "__main__":
    raise SystemExit(main())
