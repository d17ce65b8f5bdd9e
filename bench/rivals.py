"""The systems that people use today, doing the same jobs as M/s, in one go.

A rival is a program that runs COUNT jobs of one kind and prints the seconds; `bench/rivals/` has them, and in
`install/` a script for each that needs something. What cannot run here is skipped by name. Each checks its own results.

Kinds: `noop` jobs give back their number, two workers; `trip` is one such job after the other; `in` and `out` have
eight million bytes of arguments or results.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from common import HERE, ROOT, Bench, record, spread, with_slaves
from targets import Target

SLEEPING = "bare sockets, sleeping"
KINDS = ("noop", "trip", "in", "out")
UNITS = {"noop": "jobs/s", "trip": "us", "in": "MB/s", "out": "MB/s"}
PAYLOAD_BYTES = 8_000_000
TIME_S = 300
NOOP, TRIP, IN, OUT = (("rivals", kind, "M/s") for kind in KINDS)
TARGETS = (
    Target("no-op jobs a second", 1_000_000, NOOP, unit="/s"),
    Target("no-op jobs beside bare sockets, window 64", 0.4, NOOP, ("rivals", "noop", "bare sockets, window 64")),
    Target("no-op jobs beside MPI over TCP", 5, NOOP, ("rivals", "noop", "MPI over TCP")),
    Target("no-op jobs beside Erlang", 8, NOOP, ("rivals", "noop", "Erlang")),
    Target("no-op jobs beside Ray", 100, NOOP, ("rivals", "noop", "Ray")),
    Target("no-op jobs beside Dask", 100, NOOP, ("rivals", "noop", "Dask")),
    Target("round trip beside bare sockets that sleep", 1.25, TRIP, ("rivals", "trip", SLEEPING), at_most=True),
    *(
        Target(f"8 MB {what} beside {other}", bound, path, ("rivals", kind, other))
        for what, kind, path in (("arguments", "in", IN), ("results", "out", OUT))
        for other, bound in (("bare sockets", 0.7), ("MPI over TCP", 1), ("Ray", 1))
    ),
)
OURS = {"noop": "noop", "trip": "round_trip", "in": "payload_in", "out": "payload_out"}


class RivalError(Exception):
    """A rival ended badly, or said nothing."""


@dataclass(frozen=True, slots=True)
class Rival:
    """`command` comes before the kind and the count; `counts` says how many jobs of each kind it does."""

    name: str
    command: tuple[str, ...]
    counts: dict[str, int]
    words: dict[str, tuple[str, ...]]
    directory: Path


def counts(noop: int, trip: int, payload: int) -> dict[str, int]:
    """Of each kind as many as take about a second; 0: it does not do that."""
    return {"noop": noop, "trip": trip, "in": payload, "out": payload}


def built(bench: Bench, words: list[str]) -> bool:
    if shutil.which(words[0]) is None:
        return False
    return subprocess.run(words, cwd=bench.work, capture_output=True).returncode == 0


def mpi(bench: Bench) -> list[Rival]:
    program, source = str(bench.work / "mpi"), str(HERE / "rivals" / "mpi.c")
    if not shutil.which("mpirun") or not built(bench, ["mpicc", "-O3", "-o", program, source]):
        return []
    start = ("mpirun", "--allow-run-as-root", "--oversubscribe", "--mca", "btl")
    tcp, shared = (*start, "tcp,self", "-n"), (*start, "vader,self", "-n")
    # mpirun wants the number of ranks before the program: the manager and two workers, or one.
    return [
        Rival("MPI over TCP", (*tcp, "3", program), counts(200_000, 0, 60), {}, bench.work),
        Rival("MPI over TCP", (*tcp, "2", program), {"trip": 20_000}, {}, bench.work),
        Rival("MPI, shared memory", (*shared, "3", program), counts(1_000_000, 0, 60), {}, bench.work),
        Rival("MPI, shared memory", (*shared, "2", program), {"trip": 20_000}, {}, bench.work),
    ]


def erlang(bench: Bench) -> list[Rival]:
    source = str(HERE / "rivals" / "jobs.erl")
    if not shutil.which("erl") or not built(bench, ["erlc", "-o", str(bench.work), source]):
        return []
    command = ("erl", "-noshell", "-sname", "bench", "-s", "jobs", "main")
    return [Rival("Erlang", command, counts(100_000, 10_000, 30), {}, bench.work)]


def work_queue(bench: Bench) -> list[Rival]:
    worker = shutil.which("work_queue_worker")
    program, source = str(bench.work / "work_queue"), str(HERE / "rivals" / "work_queue.c")
    libraries = ["-lwork_queue", "-ldttools", "-lm", "-lz", "-lcrypto", "-lssl"]
    command = ["gcc", "-O2", "-I/usr/include/cctools", "-o", program, source, *libraries]
    if worker is None or not built(bench, command):
        return []
    words = dict.fromkeys(KINDS, (worker,))
    return [Rival("Work Queue", (program,), counts(300, 100, 0), words, bench.work)]


def raw(bench: Bench) -> list[Rival]:
    program = str(bench.work / "raw")
    if not built(bench, ["gcc", "-O3", "-o", program, str(HERE / "rivals" / "raw.c")]):
        return []
    windows = {window: {"noop": (window,)} for window in ("1", "64")}
    return [
        Rival("bare sockets, window 64", (program,), counts(2_000_000, 0, 0), windows["64"], bench.work),
        Rival("bare sockets", (program,), counts(0, 0, 100), {}, bench.work),
        Rival("bare sockets, window 1", (program,), counts(50_000, 0, 0), windows["1"], bench.work),
        Rival(SLEEPING, (program,), {"trip": 20_000}, {"trip": ("sleep",)}, bench.work),
        Rival("bare sockets, spinning", (program,), {"trip": 20_000}, {"trip": ("spin",)}, bench.work),
    ]


def python_system(bench: Bench, name: str, system: str, amounts: dict[str, int]) -> list[Rival]:
    own = ROOT / "build" / "rivals" / system / "bin" / "python"
    python = str(own) if own.exists() else sys.executable
    module = {"futures": "concurrent.futures", "dask": "distributed"}.get(system, system)
    needs = f"import {module}" + ("" if system == "hyperqueue" else ", numpy")
    if system == "futures" and not built(bench, [python, "-c", needs]):
        amounts = {kind: count for kind, count in amounts.items() if kind in ("noop", "trip")}
        needs = f"import {module}"
    if not built(bench, [python, "-c", needs]):
        return []
    return [Rival(name, (python, str(HERE / "rivals" / "python_jobs.py"), system), amounts, {}, bench.work)]


SYSTEMS: dict[str, Callable[[Bench], list[Rival]]] = {
    "bare sockets": raw,
    "MPI": mpi,
    "Erlang": erlang,
    "concurrent.futures": lambda b: python_system(b, "concurrent.futures", "futures", counts(10_000, 5_000, 20)),
    "Ray": lambda b: python_system(b, "Ray", "ray", counts(5_000, 1_000, 20)),
    "Dask": lambda b: python_system(b, "Dask", "dask", counts(500, 50, 20)),
    "HyperQueue": lambda b: python_system(b, "HyperQueue", "hyperqueue", counts(400, 0, 0)),
    "Work Queue": work_queue,
}


def run(rival: Rival, kind: str, *words: str) -> list[str]:
    """The words of the last line that it prints. What it has started and forgotten is gone afterwards."""
    command = [*rival.command, kind, *words]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        program = subprocess.Popen(
            command, cwd=rival.directory, start_new_session=True, stdin=subprocess.DEVNULL, stdout=output, stderr=errors
        )
        try:
            status = program.wait(timeout=TIME_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
            program.wait()
        output.seek(0)
        errors.seek(0)
        lines = output.read().splitlines()
        if status != 0 or not lines:
            raise RivalError(f"{rival.name}, {kind}: status {status}\n{errors.read()[-2000:]}")
    return lines[-1].split()


def figure(kind: str, count: int, seconds: float) -> float:
    """In the unit of the kind: more is better, but for `trip`."""
    if kind == "noop":
        return count / seconds
    return 1e6 * seconds / count if kind == "trip" else count * PAYLOAD_BYTES / 1e6 / seconds


def measure_rival(rival: Rival, kind: str, count: int) -> float:
    return figure(kind, count, float(run(rival, kind, str(count), *rival.words.get(kind, ()))[0]))


def measure_ours(bench: Bench, program: Path, kind: str, count: int) -> float:
    slaves = 1 if kind == "trip" else 2
    return figure(kind, count, float(with_slaves(bench, program, slaves, str(count))))


def alternate_named(rounds: int, measures: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """As `alternate`; a rival that fails is named and left out, and the others go on."""
    found: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name in list(found):
            try:
                found[name].append(measures[name]())
            except (RivalError, subprocess.TimeoutExpired) as error:
                print(f"{name} is left out, it failed: {error}")
                del found[name]
    return found


def bench_rivals(bench: Bench) -> None:
    """Each kind of job through each system, alternating."""
    ours = counts(1_000_000, 20_000, 60)
    rivals: list[Rival] = []
    for name, system in SYSTEMS.items():
        found = system(bench)
        rivals += found
        if not found:
            print(f"rivals: {name} is skipped: it is not here; bench/rivals/install has a script")
    results: dict[str, dict[str, dict[str, float]]] = {}
    for kind in KINDS:
        program = bench.msc(HERE / "jobs" / f"{OURS[kind]}.ms")
        shrink = 20 if bench.short else 1
        names, measures = ["M/s"], [partial(measure_ours, bench, program, kind, max(10, ours[kind] // shrink))]
        for rival in rivals:
            if count := rival.counts.get(kind, 0):
                names.append(rival.name)
                measures.append(partial(measure_rival, rival, kind, max(10, count // shrink)))
        results[kind] = show(kind, alternate_named(1 if bench.short else 5, dict(zip(names, measures, strict=True))))
    bench.results["rivals"] = results


def show(kind: str, values: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    middles = {name: statistics.median(found) for name, found in values.items()}
    ours = middles["M/s"]
    print(f"\nrivals, {kind}: {UNITS[kind]}; how many times better M/s is\n")
    for name, middle in sorted(middles.items(), key=lambda item: item[1], reverse=kind != "trip"):
        ratio = middle / ours if kind == "trip" else ours / middle
        print(f"{name:26}{middle:14,.1f} {UNITS[kind]:7}{spread(values[name]):>8}{ratio:12.2f} x")
    return {name: record(found) for name, found in values.items()}
