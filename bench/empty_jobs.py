"""What a job costs that does nothing: rate, round trip, start and memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from pathlib import Path

from common import HERE, Bench, alternate, output_of, record, slaves_of, spread, status_of, with_slaves
from payloads import payload_rates
from targets import Target

WARM_JOBS = 1000  # that noop.ms runs before it looks at the clock
HANDLE_BYTES = 8  # of a job, in the vector that the program keeps
ARGUMENT_BYTES = 4
TARGETS = (
    Target("from a cold start to the first result", 5, ("start", "first_result_ms"), unit="ms", at_most=True),
    Target("memory for a pending job, its argument aside", 128, ("memory", "bytes_each"), unit="bytes", at_most=True),
)


def futures_rate(count: int) -> float:
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(2) as pool:
        list(pool.map(abs, range(100)))
        start = time.perf_counter()
        for future in [pool.submit(abs, i) for i in range(count)]:
            future.result()
        return count / (time.perf_counter() - start)


def bench_jobs(bench: Bench) -> None:
    """No-op jobs with two slaves, and one job after the other, beside the bare sockets and concurrent.futures."""
    count = 50_000 if bench.short else 1_000_000
    trips = 2_000 if bench.short else 20_000
    noop = bench.msc(HERE / "jobs" / "noop.ms")
    trip = bench.msc(HERE / "jobs" / "round_trip.ms")
    raw = bench.cc(HERE / "rivals" / "raw.c")
    measures = {
        "M/s": lambda: count / float(with_slaves(bench, noop, 2, str(count))),
        "concurrent.futures": lambda: futures_rate(2_000 if bench.short else 20_000),
    }
    trip_measures = {"M/s": lambda: 1e6 * float(with_slaves(bench, trip, 1, str(trips))) / trips}
    if raw is not None:
        measures["raw sockets, window 64"] = lambda: count / output_of([raw, "noop", str(count), "64"])[0]
        for how in ("sleep", "poll"):
            words = [raw, "trip", str(trips), how]
            name = "raw sockets" if how == "sleep" else f"raw sockets, {how}"
            trip_measures[name] = lambda w=words: 1e6 * output_of(w)[0] / trips
    rates = dict(zip(measures, alternate(bench.rounds, *measures.values()), strict=True))
    times = dict(zip(trip_measures, alternate(bench.rounds, *trip_measures.values()), strict=True))
    print("\njobs: no-op jobs a second, two workers; microseconds of one round trip\n")
    ours = statistics.median(rates["M/s"])
    for name, values in rates.items():
        middle = statistics.median(values)
        print(f"{name:24}{middle:12,.0f} jobs/s {spread(values):>7}   M/s is {ours / middle:8.2f} x")
    for name, values in times.items():
        print(f"{name:24}{statistics.median(values):12.1f} us     {spread(values):>7}")
    bench.results["jobs"] = {
        "rates": {name: record(values) for name, values in rates.items()},
        "round_trip_us": {name: record(values) for name, values in times.items()},
        "payloads": payload_rates(bench, raw),
        "isolated": isolated(bench, noop, trip),
        "traced": traced(bench, noop),
    }


def isolated(bench: Bench, noop: Path, trip: Path) -> dict[str, object]:
    """What `prog-slave --isolate` costs, where jobs run in processes of their own."""
    count, trips = (20_000, 500) if bench.short else (500_000, 10_000)
    kinds = ("threads", ()), ("processes", ("--isolate",))
    rates = [lambda o=o: count / float(with_slaves(bench, noop, 2, str(count), slave=o)) for _, o in kinds]
    times = [lambda o=o: 1e6 * float(with_slaves(bench, trip, 1, str(trips), slave=o)) / trips for _, o in kinds]
    found = alternate(bench.rounds, *rates, *times)
    plain, apart, plain_us, apart_us = (statistics.median(values) for values in found)
    print("\njobs: in threads of the slave, and with --isolate in processes\n")
    spreads = [spread(values) for values in found]
    print(f"{plain:12,.0f} {spreads[0]:>7} {apart:12,.0f} {spreads[1]:>7} jobs/s {apart / plain:7.2f} x")
    print(f"{plain_us:12.1f} {spreads[2]:>7} {apart_us:12.1f} {spreads[3]:>7} us     {apart_us / plain_us:7.2f} x")
    return {"rate": record(found[1]), "beside_threads": apart / plain, "round_trip_us": record(found[3])}


def traced(bench: Bench, noop: Path) -> dict[str, object]:
    """How long the trace of a no-op job is, and what writing it costs."""
    count = 10_000 if bench.short else 100_000
    trace = bench.work / "trace"
    options: tuple[tuple[str, ...], ...] = ((), ("--trace", str(trace)))
    measures = [lambda o=o: count / float(with_slaves(bench, noop, 2, str(count), master=o)) for o in options]
    plain, slowed = alternate(bench.rounds, *measures)
    share = statistics.median(slowed) / statistics.median(plain)
    each = trace.stat().st_size / (count + WARM_JOBS)
    print("\njobs: with --trace\n")
    print(f"{each:12.0f} bytes of trace for a no-op job\n{statistics.median(slowed):12,.0f} jobs/s, {share:.2f} x")
    return {"bytes_each": each, "rate": record(slowed), "beside_plain": share}


def bench_start(bench: Bench) -> None:
    """From starting master and slave at once to the master's end, which comes right behind the first result."""
    program = bench.msc(HERE / "jobs" / "first.ms")
    address = f"unix:{bench.work}/first.sock"

    def once() -> float:
        start = time.perf_counter()
        with slaves_of(program, address, 1):
            output = subprocess.run([f"{program}-master", "--listen", address], check=True, capture_output=True)
            seconds = time.perf_counter() - start
            if output.stdout != b"42\n":
                raise SystemExit(f"start: the program printed {output.stdout!r}")
        return seconds

    once()
    values = [once() for _ in range(bench.rounds * 3)]
    sizes = {end: os.path.getsize(f"{program}-{end}") for end in ("master", "slave")}
    print("\nstart: from starting both programs to the first result\n")
    print(f"{1000 * statistics.median(values):8.1f} ms {spread(values)}")
    print(f"{sizes['master'] / 1000:8.0f} kB prog-master\n{sizes['slave'] / 1000:8.0f} kB prog-slave")
    bench.results["start"] = {"first_result_ms": record([1000 * v for v in values]), "bytes": sizes}


def pending_memory(bench: Bench, program: Path, count: int) -> tuple[int, int]:
    """The resident bytes of a master with so many jobs pending, and of a slave that has nothing to do."""
    go = bench.work / f"go{count}"
    address = f"unix:{bench.work}/pending.sock"
    command = [f"{program}-master", "--listen", address, "--quiet", "--", str(count), str(go)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as master:
        while not Path(f"{go}.ready").exists():
            time.sleep(0.01)
        pending = status_of(master.pid, "VmRSS")
        slave = subprocess.Popen([f"{program}-slave", address, "-j", "1", "--quiet"])
        if count == 0:
            time.sleep(0.5)
        idle = status_of(slave.pid, "VmRSS")
        go.touch()
        printed, _ = master.communicate()
        slave.wait()
    if int(printed) != count * (count - 1) // 2:
        raise SystemExit(f"memory: the program printed {printed!r}")
    return pending, idle


def bench_memory(bench: Bench) -> None:
    """A million jobs that wait for a slave, and a slave that waits for a job."""
    count = 1 << 17 if bench.short else 1 << 20
    program = bench.msc(HERE / "jobs" / "pending.ms")
    pending, _ = pending_memory(bench, program, count)
    empty, idle = pending_memory(bench, program, 0)
    each = (pending - empty) / count - HANDLE_BYTES - ARGUMENT_BYTES
    print("\nmemory\n")
    print(f"{pending / 1e6:8.1f} MB master with {count:,} pending jobs, {empty / 1e6:.1f} MB without any")
    print(f"{each:8.1f} bytes for each of them beyond its argument and its handle in the program's vector")
    print(f"{idle / 1e6:8.1f} MB idle slave")
    bench.results["memory"] = {
        "pending_bytes": pending, "jobs": count, "empty_bytes": empty, "bytes_each": each, "idle_slave_bytes": idle,
    }  # fmt: skip
