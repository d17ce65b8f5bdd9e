"""Large arguments that jobs have in common: sent once to each slave, beside sent with each job; and what looking for
them costs when there are none."""

from __future__ import annotations

import re
import statistics
from functools import partial
from pathlib import Path

from common import HERE, Bench, alternate, record, spread, with_slaves
from secure import cpu_seconds
from targets import Target

SLAVES = 2
JOB_MB = 8.0
LOOP, EACH, DIFFERENT = "one argument, in a loop", "one argument, with each", "all different"
KINDS = {LOOP: "loop", EACH: "each", DIFFERENT: "different"}
TARGETS = (
    Target("200 jobs with one argument of 8 MB, sent once", 1.5, ("shared", LOOP, "beside_all_sent")),
    Target("processor time of looking for 8 MB in vain", 1.03, ("shared", DIFFERENT, "cpu_ratio"), at_most=True),
)


def once(bench: Bench, program: Path, how: str, count: int, used: list[float], options: tuple[str, ...]) -> float:
    """Seconds; adds the processor's seconds of all processes to `used`."""
    before = cpu_seconds()
    seconds = float(with_slaves(bench, program, SLAVES, str(count), how, master=options))
    used.append(cpu_seconds() - before)
    return seconds


def sent_mb(bench: Bench, program: Path, how: str, count: int, options: tuple[str, ...]) -> float:
    """What went to the slaves: the last number that a trace tells."""
    trace = bench.work / "shared.trace"
    once(bench, program, how, count, [], ("--trace", str(trace), *options))
    return int(re.findall(r'"to slaves":(\d+)', trace.read_text())[-1]) / 1e6


def bench_shared(bench: Bench) -> None:
    program = bench.msc(HERE / "jobs" / "shared.ms")
    count = 12 if bench.short else 200
    print(f"\nshared: {count} jobs with an argument of 8 MB, {SLAVES} slaves; MB/s of arguments, MB on the wire\n")
    print(f"{'':26}{'shared':>10}{'':>8}{'on wire':>9}{'all sent':>12}{'':>8}{'on wire':>9}{'ratio':>8}{'cpu':>7}")
    found: dict[str, dict[str, object]] = {}
    for name, how in KINDS.items():
        options: tuple[tuple[str, ...], ...] = ((), ("--blobs-max", "0"))
        used: tuple[list[float], list[float]] = ([], [])
        wire = [sent_mb(bench, program, how, count, each) for each in options]
        measures = [partial(once, bench, program, how, count, u, o) for u, o in zip(used, options, strict=True)]
        times = alternate(bench.rounds, *measures)
        rates = [[count * JOB_MB / seconds for seconds in values] for values in times]
        ours, all_sent = (statistics.median(values) for values in rates)
        row = "".join(
            f"{statistics.median(values):10,.0f}{spread(values):>8}{on_wire:9,.0f}  "
            for values, on_wire in zip(rates, wire, strict=True)
        )
        cpu = statistics.median(used[0]) / statistics.median(used[1])
        print(f"{name:26}{row}{ours / all_sent:8.2f}{cpu:7.2f}", flush=True)
        found[name] = {
            "shared": record(rates[0]), "all_sent": record(rates[1]), "beside_all_sent": ours / all_sent,
            "wire_mb": wire[0], "all_sent_wire_mb": wire[1], "cpu_ratio": cpu,
        }  # fmt: skip
    bench.results["shared"] = found
