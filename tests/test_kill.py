"""kill -9 of slaves while distributed programs run: it never changes an output, and costs a job three attempts at most.

The moments are drawn from a seed, so a failure can be run again (MS_KILL_SEED). Always holds: a killed slave is
replaced, so that a program can end; no test says how long anything takes.
"""

from __future__ import annotations

import os
import random
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from program_compiler import Compiled, compile_program
from program_spec import read_spec
from run_programs import CONNECT_FOR_S, GRACE_S, Slaves, environment_of

HERE = Path(__file__).resolve().parent
PROGRAMS = ("test-kill-many-jobs", "test-kill-compute", "test-kill-large", "test-kill-waves", "test-kill-failures")
ROUNDS = 50
TIME_S = 120.0
# A job that is lost three times has failed for good. Random kills may hit one job more often, so the limit goes up.
LOST_MAX = 255


@dataclass(frozen=True, slots=True)
class Built:
    compiled: Compiled
    output: bytes


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Built]:
    """Each program compiled once, with the output that it must have."""
    directory = tmp_path_factory.mktemp("kill")
    programs = {}
    for name in PROGRAMS:
        spec = read_spec(HERE / "ms_programs" / f"{name}.ms")
        compiled = compile_program(spec.path, directory / name)
        assert compiled.status == 0, compiled.text
        assert spec.output is not None
        programs[name] = Built(compiled, spec.output)
    return programs


class Run:
    """A master with slaves, on a socket of its own."""

    def __init__(self, compiled: Compiled, directory: Path, slave_count: int, options: list[str]) -> None:
        address = f"unix:{directory / 's'}"
        environment = environment_of({})
        self.log = directory / "slaves.log"
        self.master = subprocess.Popen(
            [str(compiled.master), "--listen", address, "--min-slaves", str(slave_count), "--quiet", *options],
            cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

        def start() -> subprocess.Popen[bytes]:
            """Once the master has listened, one that does not reach it at once is late, and need not look for long."""
            connect_for_s = 1 if (directory / "s").exists() else CONNECT_FOR_S
            with self.log.open("ab") as log:
                return subprocess.Popen(
                    [str(compiled.slave), address, "-j", "1", "--connect-for", str(connect_for_s)],
                    cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip

        self.slaves = Slaves(start, slave_count)

    def outcome(self, kill: Callable[[threading.Event], None]) -> tuple[bytes, bytes, list[str]]:
        """What the master wrote on both streams while `kill` was at it, until that is told that it has ended; and the
        complaints about slaves."""
        ended = threading.Event()
        killer = threading.Thread(target=kill, args=(ended,))
        killer.start()
        try:
            output, errors = self.master.communicate(timeout=TIME_S)
        finally:
            ended.set()
            killer.join()
            complaints = self.close()
        return output, errors, complaints

    def close(self) -> list[str]:
        """Ends what is left; the complaints about slaves."""
        if self.master.poll() is None:
            self.master.kill()
        self.master.wait()
        complaints = self.slaves.finish(GRACE_S)
        return [*complaints, self.log.read_text()] if complaints else []


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """A socket's path has to be short."""
    import shutil
    import tempfile

    path = Path(tempfile.mkdtemp(prefix="ms-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def _kill(ended: threading.Event, slaves: Slaves, moments: random.Random, count: int, gate: Path) -> None:
    """`count` kills at random moments; then the program, which waits for this file before it prints, may end."""
    for _ in range(count):
        if ended.wait(moments.uniform(0.0, 0.08)):
            return
        slaves.replace(moments.randrange(len(slaves.running)))
    gate.write_bytes(b"")


@pytest.mark.parametrize("number", range(ROUNDS))
def test_killing_slaves_changes_nothing(number: int, built: dict[str, Built], short_directory: Path) -> None:
    seed = int(os.environ.get("MS_KILL_SEED", "1")) * 1000 + number
    moments = random.Random(seed)
    program = built[PROGRAMS[number % len(PROGRAMS)]]
    run = Run(program.compiled, short_directory, moments.randint(1, 3), ["--lost-max", str(LOST_MAX)])
    count = moments.randint(1, 6)
    gate = short_directory / "go"
    output, errors, complaints = run.outcome(lambda ended: _kill(ended, run.slaves, moments, count, gate))
    assert (output, errors, run.master.returncode) == (program.output, b"", 0), f"seed {seed}"
    assert not complaints, f"seed {seed}: {complaints}"
    assert run.slaves.killed_count == count


# The examples, on input that keeps them busy for some kills.

EXAMPLES = {
    "collatz": ("600000",),
    "pi": ("150000000",),
    "mandelbrot": ("out.png", "900", "600"),
    "raytracer": ("out.png", "600", "400", "3"),
    "wordcount": ("a.txt", "b.txt", "c.txt", "d.txt"),
    "kmeans": ("4", "1", "a.csv", "b.csv", "c.csv", "d.csv"),
    "grep": ("master", "a.txt", "b.txt", "c.txt", "d.txt"),
}


def _write_texts(directory: Path) -> None:
    """Some megabytes of words and of numbers, the same every time."""
    page = (HERE.parent / "docs" / "language.md").read_text()
    for number, name in enumerate("abcd"):
        (directory / f"{name}.txt").write_text(page * (30 + number))
        rows = (f"{i * i * (7 + number) % 1009},{i * 31 % 887}\n" for i in range(20000))
        (directory / f"{name}.csv").write_text("".join(rows))


def _result(directory: Path, output: bytes) -> tuple[bytes, bytes]:
    """What the program printed, and the file that it wrote."""
    written = directory / "out.png"
    return output, written.read_bytes() if written.exists() else b""


@pytest.fixture(scope="module")
def kill_counts() -> Iterator[list[int]]:
    """How many slaves each round killed: some rounds end before the first, but if most did, they would show little."""
    counts: list[int] = []
    yield counts
    assert 2 * sum(count > 0 for count in counts) >= len(counts), counts


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Compiled, tuple[bytes, bytes]]]:
    """Each example compiled once, with what it gives without slaves."""
    made = {}
    for name, words in EXAMPLES.items():
        directory = tmp_path_factory.mktemp(name)
        compiled = compile_program(HERE.parent / "examples" / f"{name}.ms", directory / name)
        assert compiled.status == 0, compiled.text
        _write_texts(directory)
        command = [compiled.master, "--local", "--", *words]
        alone = subprocess.run(command, cwd=directory, capture_output=True, check=True)
        made[name] = (compiled, _result(directory, alone.stdout))
    return made


def _kill_until(ended: threading.Event, slaves: Slaves, moments: random.Random) -> None:
    pause_s = moments.uniform(0.001, 0.03)  # the first kill comes soon: the machine may be a fast one
    while not ended.wait(pause_s):
        slaves.replace(moments.randrange(len(slaves.running)))
        pause_s = moments.uniform(0.005, 0.2)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_killing_slaves_of_examples_changes_nothing(
    number: int,
    examples: dict[str, tuple[Compiled, tuple[bytes, bytes]]],
    kill_counts: list[int],
    short_directory: Path,
) -> None:
    seed = int(os.environ.get("MS_KILL_SEED", "1")) * 1000 + number
    moments = random.Random(seed)
    name = list(EXAMPLES)[number % len(EXAMPLES)]
    compiled, expected = examples[name]
    _write_texts(short_directory)
    options = ["--lost-max", str(LOST_MAX), "--", *EXAMPLES[name]]
    run = Run(compiled, short_directory, moments.randint(1, 3), options)
    output, errors, complaints = run.outcome(lambda ended: _kill_until(ended, run.slaves, moments))
    assert (errors, run.master.returncode) == (b"", 0), f"seed {seed}"
    assert _result(short_directory, output) == expected, f"seed {seed}"
    kill_counts.append(run.slaves.killed_count)
    assert not complaints, f"seed {seed}: {complaints}"


LOST = """
job int deadly(int n) {
    print("began");
    long k = n;
    while (true) k++;
}
job int harmless(int n) { return n * n; }
master {
    vector<job<int>> others;
    job<int> j = remote deadly(1);
    print(wait(j), error(j));
    for (int i in 0..5) others :: remote harmless(i);
    print(get(others));
}
"""


def test_a_job_that_loses_three_slaves_has_failed(tmp_path: Path, short_directory: Path) -> None:
    """The slave is killed as soon as it says that the job has begun, three times."""
    path = tmp_path / "lost.ms"
    path.write_text(LOST)
    compiled = compile_program(path, tmp_path / "lost")
    assert compiled.status == 0, (compiled.text, compiled.diagnostics)
    run = Run(compiled, short_directory, 1, [])
    try:
        assert run.master.stdout is not None
        lines = []
        for line in run.master.stdout:
            lines.append(line)
            if line == b"began\n":
                run.slaves.replace(0)
        status = run.master.wait(TIME_S)
    finally:
        complaints = run.close()
    assert lines == [b"began\n"] * 3 + [b"failed lost 3 slaves\n", b"[0, 1, 4, 9, 16]\n"]
    assert status == 0
    assert not complaints
