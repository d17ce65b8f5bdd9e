"""What encryption costs: the same jobs over TCP with a key and with --insecure, alternating."""

from __future__ import annotations

import os
import resource
import socket
import statistics
import subprocess
from functools import partial
from pathlib import Path

from common import HERE, Bench, alternate, slaves_of, spread
from targets import Target

TARGETS = (
    Target("no-op jobs encrypted beside plain", 0.5, ("secure", "no-op jobs", "ratio")),
    Target("8 MB arguments, encrypted", 1500, ("secure", "8 MB there", "encrypted"), unit="MB/s"),
    Target("8 MB results, encrypted", 1500, ("secure", "8 MB back", "encrypted"), unit="MB/s"),
    Target("jobs of 1 ms encrypted beside plain", 0.98, ("secure", "jobs of 1 ms", "ratio")),
)

# For each kind: the program, how many slaves, how many jobs, the unit, and how much of it one job is.
KINDS = {
    "no-op jobs": ("noop", 2, 1_000_000, "jobs/s", 1.0),
    "8 MB there": ("payload_in", 1, 100, "MB/s", 8.0),
    "8 MB back": ("payload_out", 1, 100, "MB/s", 8.0),
    "jobs of 1 ms": ("nap", 2, 4_000, "jobs/s", 1.0),
}


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def once(program: Path, slaves: int, count: int, option: str, used: list[float]) -> float:
    """Seconds, as the program says; adds the processor's seconds of all processes to `used`."""
    address = free_address()
    before = cpu_seconds()
    with slaves_of(program, address, slaves, *option.split("=")):
        command = [f"{program}-master", "--listen", address, "--quiet", "--min-slaves", str(slaves), *option.split("=")]
        done = subprocess.run([*command, "--", str(count)], check=True, capture_output=True, text=True)
    used.append(cpu_seconds() - before)
    return float(done.stdout)


def bench_secure(bench: Bench) -> None:
    key = bench.work / "key"
    key.touch(0o600)
    key.write_text(os.urandom(32).hex())
    program = bench.msc(HERE / "jobs" / "noop.ms")
    version = subprocess.run([f"{program}-master", "--version"], check=True, capture_output=True, text=True).stdout
    if "with encryption" not in version:
        print("\nsecure: skipped, there is no libsodium")
        return
    print("\nsecure: over TCP on this machine; the ratio of the rates, and of the processor's time of all processes\n")
    print(f"{'':14}{'plain':>12}{'':>8}{'encrypted':>12}{'':>8}{'':8}{'rate':>7}{'cpu':>7}")
    found: dict[str, dict[str, float]] = {}
    for kind, (name, slaves, many, unit, amount) in KINDS.items():
        program = bench.msc(HERE / "jobs" / f"{name}.ms")
        count = max(20, many // 20) if bench.short else many
        used: tuple[list[float], list[float]] = ([], [])
        options = ("--insecure", f"--key-file={key}")
        measures = [partial(once, program, slaves, count, o, u) for o, u in zip(options, used, strict=True)]
        plain, encrypted = ([count * amount / s for s in times] for times in alternate(bench.rounds, *measures))
        a, b = statistics.median(plain), statistics.median(encrypted)
        cpu = statistics.median(used[1]) / statistics.median(used[0])
        print(f"{kind:14}{a:12,.0f}{spread(plain):>8}{b:12,.0f}{spread(encrypted):>8} {unit:7}{b / a:7.2f}{cpu:7.2f}")
        found[kind] = {"plain": a, "encrypted": b, "ratio": b / a, "cpu_ratio": cpu}
    bench.results["secure"] = found
