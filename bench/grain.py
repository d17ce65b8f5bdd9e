"""How small jobs may be. Each job computes a known number of steps, and what its system takes beyond them is loss.

METG(50 %), as Task Bench defines it: the shortest job with which the workers spend half of the wall-clock time on what
was asked for. What a step takes is measured in the same system's language, without jobs. Two workers of one slot each
do the work; the master has no processor of its own on a machine of two, so what it takes is in the figures.
"""

from __future__ import annotations

import math
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import rivals
from common import HERE, Bench, alternate, record, spread, with_slaves
from targets import Target

WORKERS = 2
HALF = 0.5
SLOW_US = 500  # systems whose search begins there or later take too long for the short form
LENGTH_MIN_US, LENGTH_MAX_US = 0.01, 20_000  # where the search gives up; what it says then is a bound
RUN_S = 0.4  # how long a run would take without loss
JOBS_MAX = 2_000_000
LENGTHS_US = (0.5, 1, 2, 5, 10, 100, 1000)
# Where the search begins, near where it is expected to end.
GUESS_US = {
    "bare sockets, window 64": 0.5, "MPI over TCP": 1000, "Erlang": 16, "concurrent.futures": 125, "Ray": 1000,
    "Dask": 4000,
}  # fmt: skip
TARGETS = (
    Target("METG(50 %)", 5, ("grain", "metg_us", "M/s"), unit="µs", at_most=True),
    Target("two slaves beside one, jobs of 1 ms", 1.95, ("grain", "two_of_one", "1000")),
)

# Runs so many jobs of so many steps: the seconds, and the sum of the results.
Run = Callable[[int, int], tuple[float, int]]


@dataclass(slots=True)
class System:
    """`begin_us`: the length of job that the search tries first."""

    name: str
    run: Run
    step_s: float
    begin_us: float


def rival_run(rival: rivals.Rival, kind: str) -> Run:
    def run(count: int, steps: int) -> tuple[float, int]:
        seconds, total = rivals.run(rival, kind, str(count), str(steps))
        return float(seconds), int(total)

    return run


def step_seconds(loop: Run, steps: int) -> float:
    """Of one step, the best of three: nothing makes it faster than it is."""
    return min(loop(1, steps)[0] for _ in range(3)) / steps


def ours(bench: Bench, program: Path, slaves: int) -> Run:
    def run(count: int, steps: int) -> tuple[float, int]:
        seconds, total = with_slaves(bench, program, slaves, str(count), str(steps)).split()
        return float(seconds), int(total)

    return run


def serial(program: Path) -> Run:
    def run(count: int, steps: int) -> tuple[float, int]:
        command = [f"{program}-master", "--local", "--", str(count), str(steps)]
        seconds, total = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        return float(seconds), int(total)

    return run


def systems_of(bench: Bench, program: Path) -> list[System]:
    """M/s and those of the rivals that are here, each with what a step takes in its language."""
    steps = 5_000_000 if bench.short else 100_000_000
    found = [System("M/s", ours(bench, program, WORKERS), step_seconds(serial(program), steps), 1)]
    for name, begin_us in GUESS_US.items():
        if bench.short and begin_us >= SLOW_US:
            continue
        system = next(key for key in rivals.SYSTEMS if name.startswith(key))
        rival = next((r for r in rivals.SYSTEMS[system](bench) if r.name == name), None)
        if rival is None:
            print(f"grain: {name} is skipped: it is not here; bench/rivals/install has a script")
            continue
        slowness = 1 if system in ("bare sockets", "MPI") else 20
        step_s = step_seconds(rival_run(rival, "loop"), steps // slowness)
        found.append(System(name, rival_run(rival, "grain"), step_s, begin_us))
    return found


def efficiency(system: System, length_us: float, run_s: float) -> float:
    """The share of the workers' time that went into steps."""
    steps = max(1, round(length_us * 1e-6 / system.step_s))
    count = max(4 * WORKERS, min(JOBS_MAX, round(run_s * WORKERS / (steps * system.step_s))))
    seconds, _ = system.run(count, steps)
    return count * steps * system.step_s / (seconds * WORKERS)


def metg_us(system: System, run_s: float) -> float:
    """Doubles or halves the length until the efficiency crosses a half, and draws a line between the last two."""
    length = system.begin_us
    share = efficiency(system, length, run_s)
    factor = 0.5 if share >= HALF else 2.0
    while True:
        other = length * factor
        other_share = efficiency(system, other, run_s)
        if (other_share >= HALF) != (share >= HALF):
            break
        length, share = other, other_share
        if not LENGTH_MIN_US < length < LENGTH_MAX_US:
            break
    system.begin_us = length
    if (share >= HALF) == (other_share >= HALF):
        return length
    part = (HALF - share) / (other_share - share)
    return math.exp(math.log(length) + part * (math.log(other) - math.log(length)))


def compare_results(systems: list[System]) -> None:
    sums = {system.name: system.run(100, 1000)[1] for system in systems}
    if len(set(sums.values())) != 1:
        raise SystemExit(f"grain: the results differ: {sums}")


def bench_lengths(bench: Bench, system: System) -> dict[str, object]:
    """How much of the time M/s uses, by the length of the jobs."""
    run_s = 0.05 if bench.short else RUN_S
    lengths = (1, 100) if bench.short else LENGTHS_US
    measures = [lambda length=length: efficiency(system, length, run_s) for length in lengths]
    found = dict(zip(lengths, alternate(bench.rounds, *measures), strict=True))
    print("\ngrain: what part of the two slaves' time is spent in jobs\n")
    for length, values in found.items():
        print(f"{length:8g} us {100 * statistics.median(values):6.1f} % {spread(values):>7}")
    return {f"{length:g}": record(values) for length, values in found.items()}


def bench_two(bench: Bench, program: Path, step_s: float) -> dict[str, object]:
    """Rates with two slaves over rates with one."""
    found: dict[str, object] = {}
    print("\ngrain: two slaves beside one, jobs that compute\n")
    for length_us in (1000, 100):
        steps = round(length_us * 1e-6 / step_s)
        count = round((0.02 if bench.short else RUN_S) * 1e6 * WORKERS / length_us)
        runs = [partial(ours(bench, program, slaves), count, steps) for slaves in (1, 2)]
        one, two = alternate(bench.rounds, *(lambda run=run: 1 / run()[0] for run in runs))
        ratios = [b / a for a, b in zip(one, two, strict=True)]
        found[str(length_us)] = record(ratios)
        print(f"{length_us:8} us {statistics.median(ratios):6.3f} x {spread(ratios):>7}")
    return found


def bench_grain(bench: Bench) -> None:
    program = bench.msc(HERE / "jobs" / "grain.ms")
    systems = systems_of(bench, program)
    compare_results(systems)
    lengths = bench_lengths(bench, systems[0])
    two = bench_two(bench, program, systems[0].step_s)
    run_s = 0.05 if bench.short else RUN_S
    measures = {system.name: partial(metg_us, system, run_s) for system in systems}
    values = rivals.alternate_named(1 if bench.short else 2, measures)
    print("\ngrain: METG(50 %), the shortest job that keeps half of the time useful; a step's time in that language\n")
    ours_us = statistics.median(values["M/s"])
    steps_s = {system.name: system.step_s for system in systems}
    for name, found in values.items():
        middle = statistics.median(found)
        times = f"{middle / ours_us:10.2f} x"
        print(f"{name:26}{middle:10.2f} us {spread(found):>7}{times}{1e9 * steps_s[name]:9.2f} ns")
    metg = {name: record(found) for name, found in values.items()}
    bench.results["grain"] = {"efficiency": lengths, "two_of_one": two, "metg_us": metg}
