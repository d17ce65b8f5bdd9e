"""What the parts of the benchmarks share: building, taking turns, slaves, and where the results go."""

from __future__ import annotations

import contextlib
import resource
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


class Bench:
    """Where things are built, how often they are measured, what has been found."""

    def __init__(self, work: Path, short: bool) -> None:
        self.work = work
        self.short = short
        self.rounds = 3 if short else 5
        self.results: dict[str, object] = {}

    def msc(self, source: Path, *options: str) -> Path:
        """Compiles `source`; the path without -master or -slave."""
        out = self.work / (source.stem + "".join(options).replace("-", "_"))
        subprocess.run([sys.executable, "-m", "ms", source, "-o", out, *options], cwd=ROOT, check=True)
        return out

    def cxx(self, source: Path, *options: str) -> Path:
        """Compiles C++ with g++ -O3."""
        out = self.work / (source.stem + "-c++" + "".join(options))
        subprocess.run(["g++", "-O3", *options, "-o", out, source], check=True)
        return out

    def cc(self, source: Path, compiler: str = "gcc") -> Path | None:
        """Compiles C with -O3, for every machine of its kind, as msc does; None where there is no such compiler."""
        if shutil.which(compiler) is None:
            return None
        out = self.work / f"{source.stem}-{compiler}"
        subprocess.run([compiler, "-O3", "-o", out, source, "-lm"], check=True)
        return out


def spread(values: list[float]) -> str:
    """How far the rounds lie from their median, in per cent."""
    middle = statistics.median(values)
    return f"±{100 * max(abs(v - middle) for v in values) / middle:.0f} %"


def record(values: list[float]) -> dict[str, float]:
    """What the results keep of the rounds of one measure."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "rounds": len(values)}


def timed(command: list[str | Path]) -> float:
    """The processor's seconds, which other work on the machine disturbs least."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def alternate(rounds: int, *measures: Callable[[], float]) -> list[list[float]]:
    """Each measure once, then each again: what disturbs the machine disturbs all alike."""
    values: list[list[float]] = [[] for _ in measures]
    for _ in range(rounds):
        for measure, found in zip(measures, values, strict=True):
            found.append(measure())
    return values


def status_of(pid: int, key: str) -> int:
    """A number of /proc/PID/status; kB become bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * (1024 if line.endswith("kB") else 1)
    raise SystemExit(f"this system does not tell {key}")


def output_of(command: list[str | Path]) -> list[float]:
    words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return [float(word) for word in words]


@contextlib.contextmanager
def slaves_of(program: Path, address: str, count: int, *options: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    running = [subprocess.Popen([f"{program}-slave", address, "-j", "1", *options]) for _ in range(count)]
    try:
        yield running
        for slave in running:
            slave.wait(timeout=30)
    finally:
        for slave in running:
            if slave.poll() is None:
                slave.kill()
                slave.wait()


def with_slaves(
    bench: Bench, program: Path, count: int, *words: str, slave: tuple[str, ...] = (), master: tuple[str, ...] = ()
) -> str:
    """What the master prints when `count` slaves of one slot each work for it; `slave` and `master` are options."""
    address = f"unix:{bench.work}/{program.name}.sock"
    with slaves_of(program, address, count, *slave):
        command = [f"{program}-master", "--listen", address, "--min-slaves", str(count), *master, "--", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
