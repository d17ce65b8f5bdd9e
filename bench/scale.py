"""Many slaves: the rate and the master's memory with up to 10,000 simulated ones.

They are `jobs/peers.c`, one process that holds all their connections.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import time
from pathlib import Path

from common import HERE, Bench, status_of, with_slaves
from targets import Target

SLAVES = (2, 16, 64, 1000, 10_000)
REAL_SLAVES = (2, 16, 64)
TARGETS = (
    Target("no-op jobs, 16 slaves beside two", 0.8, ("scale", "16", "rate"), ("scale", "2", "rate")),
    Target("no-op jobs, 64 slaves beside two", 0.8, ("scale", "64", "rate"), ("scale", "2", "rate")),
    Target("no-op jobs, 64 real slaves beside two", 0.8, ("scale", "real", "64"), ("scale", "real", "2")),
    Target("no-op jobs, 10,000 slaves beside two", 0.7, ("scale", "10000", "rate"), ("scale", "2", "rate")),
    Target("memory with 10,000 slaves", 200e6, ("scale", "10000", "idle_bytes"), unit="bytes", at_most=True),
)
FINGERPRINT = slice(20, 52)  # of a hello, header included


def fingerprint_of(bench: Bench, program: Path) -> str:
    """As its slave says it."""
    path = bench.work / "hello"
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen()
        slave = subprocess.Popen([f"{program}-slave", f"unix:{path}", "--once", "--quiet"])
        connection, _ = door.accept()
        with connection:
            said = connection.recv(4096)
        slave.kill()
        slave.wait()
    path.unlink()
    return said[FINGERPRINT].hex()


def start_master(program: Path, address: str, *words: str) -> subprocess.Popen[str]:
    command = [f"{program}-master", "--listen", address, "--quiet", *words]
    master = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while not Path(address.removeprefix("unix:")).exists():
        if master.poll() is not None:
            raise SystemExit("the master ended")
        time.sleep(0.01)
    return master


def rate_with(bench: Bench, program: Path, peers: list[str | Path], slaves: int, jobs: int) -> tuple[float, float]:
    """No-op jobs a second, and the processor's seconds of the master for a million of them."""
    path = bench.work / "scale.sock"
    master = start_master(program, f"unix:{path}", "--min-slaves", str(slaves), "--", str(jobs))
    crowd = subprocess.Popen([peers[0], path, str(slaves), *peers[1:]], stdout=subprocess.DEVNULL)
    assert master.stdout is not None
    seconds = float(master.stdout.read())
    _, status, used = os.wait4(master.pid, 0)
    if status != 0 or crowd.wait() != 0:
        raise SystemExit("scale: a program failed")
    return jobs / seconds, (used.ru_utime + used.ru_stime) * 1e6 / jobs


def real_rate(bench: Bench, program: Path, slaves: int, jobs: int) -> float:
    return jobs / float(with_slaves(bench, program, slaves, str(jobs)))


def bench_scale(bench: Bench) -> None:
    """All sizes in each round, so that what disturbs the machine disturbs them alike; at most three rounds, since each
    of 10,000 slaves has to be connected."""
    binary = bench.cc(HERE / "jobs" / "peers.c")
    if binary is None:
        print("\nscale: skipped, there is no gcc")
        return
    program = bench.msc(HERE / "jobs" / "noop.ms")
    waiting = bench.msc(HERE / "jobs" / "pending.ms")
    jobs = 100_000 if bench.short else 2_000_000
    peers: list[str | Path] = [binary, fingerprint_of(bench, program)]
    runs: dict[int, list[tuple[float, float]]] = {slaves: [] for slaves in SLAVES}
    real: dict[int, list[float]] = {slaves: [] for slaves in REAL_SLAVES}
    for _ in range(1 if bench.short else 3):
        for slaves, found_runs in runs.items():
            found_runs.append(rate_with(bench, program, peers, slaves, jobs))
        for slaves, rates in real.items():
            rates.append(real_rate(bench, program, slaves, jobs // 2))
    print("\nscale: no-op jobs with simulated slaves in one process; the master's memory while they are idle\n")
    print(f"{'slaves':>8}{'jobs/s':>12}{'of two':>8}{'master cpu, us/job':>20}{'memory':>10}")
    found: dict[str, dict[str, float]] = {}
    for slaves in SLAVES:
        rate = statistics.median(run[0] for run in runs[slaves])
        cpu = statistics.median(run[1] for run in runs[slaves])
        memory = idle_memory(bench, waiting, binary, slaves)
        found[str(slaves)] = {"rate": rate, "master_cpu_us": cpu, "idle_bytes": memory}
        ratio = rate / found["2"]["rate"]
        print(f"{slaves:8}{rate:12,.0f}{ratio:8.2f}{cpu:20.3f}{memory / 1e6:7.1f} MB")
    print("\nscale: no-op jobs with real slaves of one slot each, all of them on this machine\n")
    medians = {slaves: statistics.median(rates) for slaves, rates in real.items()}
    for slaves, rate in medians.items():
        print(f"{slaves:8}{rate:12,.0f}{rate / medians[2]:8.2f}")
    bench.results["scale"] = found | {"real": {str(slaves): rate for slaves, rate in medians.items()}}


def idle_memory(bench: Bench, program: Path, binary: Path, slaves: int) -> int:
    """With all slaves there and no job."""
    path, go = bench.work / "idle.sock", bench.work / f"go{slaves}"
    words = ["--min-slaves", str(slaves), "--", "0", str(go)]
    master = start_master(program, f"unix:{path}", *words)
    crowd = subprocess.Popen([binary, path, str(slaves), fingerprint_of(bench, program)], stdout=subprocess.DEVNULL)
    while not Path(f"{go}.ready").exists():
        time.sleep(0.01)
    memory = status_of(master.pid, "VmRSS")
    go.touch()
    master.communicate()
    crowd.wait()
    return memory
