"""What faults cost: how soon a lost slave is noticed, what the rest of a run then takes, and what attackers take from
honest slaves.

The attackers are those of tests/faults; they run in one process beside the measured ones, so on a small machine what
their own work takes is in the figure too.
"""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import HERE, ROOT, Bench, record, spread
from targets import Target

TARGETS = (
    # Three, and the tick of a sixteenth after which the master looks again.
    Target("a silent slave is noticed, in heartbeats", 3.07, ("faults", "silent_heartbeats"), unit="", at_most=True),
    Target("one of two slaves is lost: more than ideal", 5, ("faults", "extra_percent"), unit="%", at_most=True),
)

ATTACKS = ("crowd", "silent", "slow")


class Watched:
    """A master whose log is waited for, and its slaves."""

    def __init__(self, program: Path, slaves: int, *options: str, words: tuple[str, ...] = ()) -> None:
        self.directory = tempfile.TemporaryDirectory(prefix="ms-bench-")
        self.address = f"unix:{self.directory.name}/s"
        master = [f"{program}-master", "--listen", self.address, "--min-slaves", str(slaves), *options, "--", *words]
        self.log = Path(self.directory.name, "log")
        with self.log.open("wb") as log:
            self.master = subprocess.Popen(
                master, cwd=self.directory.name, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.slaves = [self.start(program) for _ in range(slaves)]

    def start(self, program: Path) -> subprocess.Popen[bytes]:
        command = [f"{program}-slave", self.address, "-j", "1", "--quiet", "--connect-for", "5"]
        return subprocess.Popen(command)

    def wait_for(self, path: str) -> None:
        while not Path(self.directory.name, path).exists():
            if self.master.poll() is not None:
                raise SystemExit("the master ended early")
            time.sleep(0.0005)

    def wait_until_said(self, words: str) -> None:
        while words not in self.log.read_text():
            time.sleep(0.0005)

    def output(self) -> list[float]:
        out, _ = self.master.communicate()
        return [float(word) for word in out.split()]

    def close(self) -> None:
        for process in (self.master, *self.slaves):
            if process.poll() is None:
                process.kill()
            process.wait()
        self.directory.cleanup()


def seconds_to_notice(program: Path, how: signal.Signals, heartbeat: float) -> float:
    """From the signal until the master says that the slave is lost."""
    watched = Watched(program, 2, "--heartbeat", str(heartbeat), words=("100000", "5"))
    try:
        time.sleep(3 * heartbeat * time.perf_counter() % heartbeat)  # somewhere between two pings
        watched.slaves[0].send_signal(how)
        start = time.perf_counter()
        watched.wait_until_said(" lost (")
        return time.perf_counter() - start
    finally:
        watched.close()


def extra_of_a_loss(program: Path, count: int, milliseconds: int) -> float:
    """How much longer the second half takes than one slave needs for it, as the first half shows."""
    watched = Watched(program, 2, words=(str(count), str(milliseconds)))
    try:
        watched.wait_for("middle")
        watched.slaves[0].kill()
        middle, whole = watched.output()
        return (whole - middle) / (2 * middle) - 1
    finally:
        watched.close()


def bench_faults(bench: Bench) -> None:
    program = bench.msc(HERE / "jobs" / "naps.ms")
    heartbeat, count, rounds = (0.2, 100, 3) if bench.short else (2.0, 400, 5)
    killed = [seconds_to_notice(program, signal.SIGKILL, heartbeat) for _ in range(rounds)]
    silent = [seconds_to_notice(program, signal.SIGSTOP, heartbeat) for _ in range(rounds)]
    extra = [extra_of_a_loss(program, count, 20) for _ in range(rounds)]
    print(f"\nfaults: with a heartbeat of {heartbeat:g} s\n")
    for values, factor, unit, what in (
        (killed, 1000, "ms", "until a killed slave is noticed"),
        (silent, 1, "s", "until a stopped slave is noticed"),
        (extra, 100, "%", "more than ideal, once one of two is lost"),
    ):
        print(f"{factor * statistics.median(values):8.2f} {unit:2} {what}, {factor * max(values):.2f} at most")
    bench.results["faults"] = {
        "heartbeat_s": heartbeat, "killed_ms": record([1000 * s for s in killed]),
        "silent_heartbeats": record([s / heartbeat for s in silent]), "extra_percent": record([100 * e for e in extra]),
    }  # fmt: skip


def rate(bench: Bench, program: Path, count: int, attacks: tuple[str, ...]) -> float:
    """No-op jobs a second with two honest slaves."""
    sys.path.insert(0, str(ROOT / "tests"))
    from faults.enemy import attack, hello_of

    address = f"unix:{bench.work}/hostile.sock"
    master = subprocess.Popen(
        [f"{program}-master", "--quiet", "--listen", address, "--min-slaves", "2", "--", str(count)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    slaves = [subprocess.Popen([f"{program}-slave", address, "-j", "1"]) for _ in range(2)]
    try:
        with tempfile.TemporaryDirectory(dir=bench.work) as directory:
            hello = hello_of(Path(f"{program}-slave"), Path(directory)) if attacks else b""
        with attack(address, hello, *attacks):
            out, _ = master.communicate()
        return count / float(out)
    finally:
        for process in (master, *slaves):
            if process.poll() is None:
                process.kill()
            process.wait()


def bench_hostile(bench: Bench) -> None:
    program = bench.msc(HERE / "jobs" / "noop.ms")
    count = 100_000 if bench.short else 10_000_000
    rounds = 3 if bench.short else 5
    found: dict[str, float] = {}
    alone = [rate(bench, program, count, ()) for _ in range(rounds)]
    print("\nhostile: millions of jobs that do nothing, a second, with two honest slaves\n")
    print(f"{'nobody else':12}{statistics.median(alone) / 1e6:8.2f} {spread(alone)}")
    for name in ATTACKS:
        values = [rate(bench, program, count, (name,)) for _ in range(rounds)]
        found[name] = statistics.median(values)
        share = 100 * found[name] / statistics.median(alone)
        print(f"{name:12}{found[name] / 1e6:8.2f} {spread(values)}  {share:.0f} %")
    bench.results["hostile"] = {"alone": statistics.median(alone), **found}
