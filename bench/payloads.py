"""What large arguments and results cost: bytes a second, beside the bare sockets that carry the same."""

from __future__ import annotations

import statistics
from functools import partial
from pathlib import Path

from common import HERE, Bench, alternate, output_of, record, spread, with_slaves

BYTES = 8_000_000  # of the arguments or the result of a job
KINDS = ("in", "out")


def ours(bench: Bench, program: Path, count: int) -> float:
    return count * BYTES / 1e6 / float(with_slaves(bench, program, 2, str(count)))


def theirs(raw: Path, kind: str, count: int) -> float:
    return count * BYTES / 1e6 / output_of([raw, kind, str(count)])[0]


def payload_rates(bench: Bench, raw: Path | None) -> dict[str, object]:
    count = 40 if bench.short else 100
    print(f"\njobs: MB/s of arguments (in) and results (out) of {BYTES // 1_000_000} MB, two workers\n")
    found: dict[str, object] = {}
    for kind in KINDS:
        measures = [partial(ours, bench, bench.msc(HERE / "jobs" / f"payload_{kind}.ms"), count)]
        if raw is not None:
            measures.append(partial(theirs, raw, kind, count))
        rates = alternate(bench.rounds, *measures)
        own = statistics.median(rates[0])
        found[kind] = {"rate": record(rates[0])}
        line = f"{kind:8}{own:12,.0f} {spread(rates[0]):>7}"
        if raw is not None:
            bare = statistics.median(rates[1])
            found[kind] = {"rate": record(rates[0]), "raw": record(rates[1]), "beside_raw": own / bare}
            line += f"   raw sockets {bare:12,.0f} {spread(rates[1]):>7}   M/s is {own / bare:6.2f} x"
        print(line)
    return found
