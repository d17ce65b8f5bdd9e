"""The same jobs through Python's systems: python python_jobs.py futures|ray|dask noop|trip|in|out COUNT,
futures|ray|dask grain|loop COUNT STEPS, and hyperqueue noop COUNT.

Two workers, one for `trip`. Prints the seconds; the results are checked. Each system is used as its own documentation
uses it: all jobs are submitted, then collected. `grain` computes so many steps in each job, `loop` the same without
jobs; both print the sum of the results too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

LONGS = 1_000_000

# Starts a function with an argument, and waits for what it gave.
Submit = Callable[[Callable[[Any], Any], Any], Any]
Collect = Callable[[Any], Any]


def same(i: int) -> int:
    return i


def add_up(values: Any) -> int:
    return int(values.sum())


def spin(x_and_steps: tuple[int, int]) -> int:
    x, steps = x_and_steps
    for _ in range(steps):
        x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
    return x


def make(x: int) -> Any:
    import numpy

    return numpy.full(LONGS, x, dtype=numpy.int64)


@contextmanager
def futures(workers: int) -> Iterator[tuple[Submit, Collect]]:
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(workers) as pool:
        yield pool.submit, lambda future: future.result()


@contextmanager
def ray(workers: int) -> Iterator[tuple[Submit, Collect]]:
    import ray as system

    system.init(num_cpus=workers, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    remote = {function: system.remote(function) for function in (same, add_up, make, spin)}
    try:
        yield lambda function, argument: remote[function].remote(argument), system.get
    finally:
        system.shutdown()


@contextmanager
def dask(workers: int) -> Iterator[tuple[Submit, Collect]]:
    from dask.distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield (lambda f, x: client.submit(f, x, pure=False)), lambda future: future.result()


def argument_of(mode: str, i: int) -> Any:
    if mode != "in":
        return i
    values = make(1)
    values[0] = i
    return values


def check(mode: str, i: int, result: Any) -> None:
    wanted = i + LONGS - 1 if mode == "in" else i
    found = int(result[-1]) if mode == "out" else result
    if result is not None and found != wanted:
        raise SystemExit(f"{mode}: {i} gave {found}")


def run(mode: str, count: int, submit: Submit, collect: Collect) -> float:
    function: Callable[[Any], Any] = {"in": add_up, "out": make}.get(mode, same)
    for warm in [submit(same, i) for i in range(4)]:
        collect(warm)
    start = time.perf_counter()
    if mode == "trip":
        for i in range(count):
            check(mode, i, collect(submit(function, i)))
    else:
        for i, job in enumerate([submit(function, argument_of(mode, i)) for i in range(count)]):
            check(mode, i, collect(job))
    return time.perf_counter() - start


def run_grain(count: int, steps: int, submit: Submit, collect: Collect) -> tuple[float, int]:
    for warm in [submit(same, i) for i in range(4)]:
        collect(warm)
    start = time.perf_counter()
    total = sum(collect(job) for job in [submit(spin, (i, steps)) for i in range(count)])
    return time.perf_counter() - start, total


def run_loop(count: int, steps: int) -> tuple[float, int]:
    start = time.perf_counter()
    total = sum(spin((i, steps)) for i in range(count))
    return time.perf_counter() - start, total


def hyperqueue(count: int) -> float:
    """Each task is a process of its own; what it printed would be a file, which nobody reads here."""
    from hyperqueue import Job, LocalCluster
    from hyperqueue.cluster import WorkerConfig

    with LocalCluster() as cluster:
        cluster.start_worker(WorkerConfig(cores=2))
        client = cluster.client()

        def run_tasks(first: int, last: int) -> None:
            job = Job()
            for i in range(first, last):
                job.program(["echo", str(i)], stdout=None, stderr=None)
            client.wait_for_jobs([client.submit(job)])

        run_tasks(0, 4)
        start = time.perf_counter()
        run_tasks(0, count)
        return time.perf_counter() - start


def main() -> None:
    system, mode, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if system == "hyperqueue":
        print(f"{hyperqueue(count):.9f}")
        return
    if mode == "loop":
        print(*run_loop(count, int(sys.argv[4])))
        return
    with globals()[system](1 if mode == "trip" else 2) as (submit, collect):
        if mode == "grain":
            print(*run_grain(count, int(sys.argv[4]), submit, collect))
        else:
            print(f"{run(mode, count, submit, collect):.9f}")


if __name__ == "__main__":
    main()
