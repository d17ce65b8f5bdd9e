"""Long runs: the memory of both ends while millions of jobs go through, and a day's joins and losses in two minutes.

The slaves that come and go are `jobs/peers.c`, one process that holds all their connections; a real one stays. When
they are gone the master must have as many descriptors and threads as before, and no more memory than at half time.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from common import HERE, Bench, record, slaves_of, status_of
from scale import fingerprint_of, start_master

CROWD = 50
JOINS = 43_200  # one every two seconds, a day long
CHURN_S = 150
ANSWERS = "100"  # that a simulated slave gives before it goes, about
HEARTBEAT_S = "0.5"  # since a round waits for the jobs of those that have stopped reading
CHURN_ROUND = 100_000  # jobs in a round of churn.ms
SETTLE_S = 20
MEMORY_SHARE, MEMORY_BYTES = 1.1, 1 << 20  # what the memory may have grown by since half time


class Sampler(threading.Thread):
    """The memory of processes, every so often, until they end."""

    def __init__(self, pids: dict[str, int]) -> None:
        super().__init__(daemon=True)
        self.pids = pids
        self.began = time.monotonic()
        self.samples: dict[str, list[tuple[float, float]]] = {name: [] for name in pids}

    def run(self) -> None:
        try:
            while True:
                for name, pid in self.pids.items():
                    at = time.monotonic() - self.began
                    self.samples[name].append((at, status_of(pid, "VmRSS") / 1e6))
                time.sleep(0.1)
        except (OSError, SystemExit):
            return


def plot(samples: dict[str, list[tuple[float, float]]], title: str) -> str:
    """A picture: memory over time, a line for each process."""
    width, height, left, bottom = 640, 240, 50, 30
    last = max(at for points in samples.values() for at, _ in points) or 1
    most = 1.2 * max(value for points in samples.values() for _, value in points)
    box = f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {box}>']
    parts.append(f'<rect width="{width}" height="{height}" fill="white"/><text x="{left}" y="16">{title}</text>')
    for share in (0, 0.5, 1):
        y = height - bottom - share * (height - bottom - 30)
        parts.append(f'<line x1="{left}" x2="{width - 10}" y1="{y:.0f}" y2="{y:.0f}" stroke="#ccc"/>')
        parts.append(f'<text x="4" y="{y + 4:.0f}">{share * most:.0f} MB</text>')
    for (name, points), colour in zip(samples.items(), ("#06c", "#c60", "#093"), strict=False):
        where = [(left + at / last * (width - left - 10), v / most) for at, v in points]
        line = " ".join(f"{x:.1f},{height - bottom - v * (height - bottom - 30):.1f}" for x, v in where)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}"/>')
        x, v = where[len(where) // 2]
        y = height - bottom - 6 - v * (height - bottom - 30)
        parts.append(f'<text x="{x:.0f}" y="{y:.0f}" fill="{colour}">{name}</text>')
    parts.append(f'<text x="{left}" y="{height - 8}">0 s</text>')
    parts.append(f'<text x="{width - 60}" y="{height - 8}">{last:.0f} s</text></svg>')
    return "\n".join(parts) + "\n"


def expected(rounds: int, jobs: int) -> int:
    """The sum of i + r over the jobs i of each round r."""
    return jobs * rounds * (rounds - 1) // 2 + rounds * jobs * (jobs - 1) // 2


def bench_soak(bench: Bench) -> None:
    program = bench.msc(HERE / "jobs" / "soak.ms")
    rounds = 20 if bench.short else 1000
    address = f"unix:{bench.work}/soak.sock"
    master = start_master(program, address, "--", str(rounds))
    with slaves_of(program, address, 2) as slaves:
        sampler = Sampler({"master": master.pid, "slave": slaves[0].pid})
        sampler.start()
        printed, _ = master.communicate()
    sampler.join()
    if int(printed) != expected(rounds, 10_000):
        raise SystemExit(f"soak: the program printed {printed!r}")
    title = f"{rounds * 10_000:,} jobs through one master and two slaves"
    picture = (bench.work if bench.short else HERE.parent / "docs") / "soak.svg"
    picture.write_text(plot(sampler.samples, title))
    print(f"\nsoak: {title}; {picture}\n")
    for name, points in sampler.samples.items():
        values = [value for _, value in points]
        half = values[len(values) // 2 :]
        print(f"{name:8} {values[len(values) // 2]:7.1f} MB at half time, {max(half):7.1f} MB at most after it")
    bench.results["soak"] = {
        "jobs": rounds * 10_000,
        "bytes": {name: record([1e6 * value for _, value in points]) for name, points in sampler.samples.items()},
    }


@dataclass(frozen=True, slots=True)
class Held:
    """What a process has of the system."""

    descriptors: int
    threads: int
    memory: int


def held_by(pid: int) -> Held:
    descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Held(descriptors, status_of(pid, "Threads"), status_of(pid, "VmRSS"))


def wait_until(condition: Callable[[], bool], master: subprocess.Popen[str], seconds: float) -> bool:
    """Whether it came true in that time."""
    until = time.monotonic() + seconds
    while not condition():
        if master.poll() is not None:
            raise SystemExit(f"churn: the master ended with {master.returncode}")
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def leaks(before: Held, half: Held, after: Held) -> list[str]:
    """What the master has kept of slaves that are gone."""
    found = []
    if after.descriptors > before.descriptors:
        found.append(f"{after.descriptors - before.descriptors} descriptors")
    if after.threads > before.threads:
        found.append(f"{after.threads - before.threads} threads")
    if after.memory > half.memory * MEMORY_SHARE + MEMORY_BYTES:
        found.append(f"{(after.memory - half.memory) / 1e6:.1f} MB")
    return found


def bench_churn(bench: Bench) -> None:
    """Simulated slaves that stay for some hundred jobs each, and a real one that stays."""
    binary = bench.cc(HERE / "jobs" / "peers.c")
    if binary is None:
        print("\nchurn: skipped, there is no gcc")
        return
    program = bench.msc(HERE / "jobs" / "churn.ms")
    joins = 500 if bench.short else JOINS
    path, word = bench.work / "churn.sock", bench.work / "word"
    fingerprint = fingerprint_of(bench, program)
    master = start_master(program, f"unix:{path}", "--lost-max", "255", "--heartbeat", HEARTBEAT_S, "--", str(word))
    began = time.monotonic()
    try:
        with slaves_of(program, f"unix:{path}", 1):
            wait_until(Path(f"{word}.begun").exists, master, SETTLE_S)
            before = held_by(master.pid)
            half, connections, answers = crowd_comes_and_goes(master, [binary, path, str(CROWD), fingerprint], joins)
            wait_until(lambda: held_by(master.pid).descriptors <= before.descriptors, master, SETTLE_S)
            after = held_by(master.pid)
            word.touch()
            printed, _ = master.communicate()
    finally:
        if master.poll() is None:
            master.kill()
            master.wait()
    rounds, total = (int(number) for number in printed.split())
    if total != expected(rounds, CHURN_ROUND):
        raise SystemExit(f"churn: the program printed {printed!r}")
    seconds = time.monotonic() - began
    jobs = rounds * CHURN_ROUND
    print(f"\nchurn: {connections:,} joins and losses in {seconds:.0f} s, {answers:,} of {jobs:,} jobs done there\n")
    for name, held in (("before", before), ("at half time", half), ("after", after)):
        print(f"{name:14}{held.descriptors:5} descriptors {held.threads:3} threads {held.memory / 1e6:8.1f} MB")
    if found := leaks(before, half, after):
        raise SystemExit(f"churn: the master has kept {', '.join(found)}")
    bench.results["churn"] = {"joins": connections, "seconds": seconds, "jobs": jobs}


def crowd_comes_and_goes(master: subprocess.Popen[str], words: list[str | Path], joins: int) -> tuple[Held, int, int]:
    """What the master held at most in the first half of the time; the connections made, the jobs answered there. The
    crowd ends by itself after so many joins, or is ended when the time is up."""
    crowd = subprocess.Popen([*words, "1", ANSWERS, "7", str(joins)], stdout=subprocess.PIPE, text=True)
    began = time.monotonic()
    samples: list[Held] = []
    try:
        while crowd.poll() is None and time.monotonic() - began < CHURN_S:
            if master.poll() is not None:
                raise SystemExit(f"churn: the master ended with {master.returncode}")
            samples.append(held_by(master.pid))
            time.sleep(0.05)
        crowd.terminate()
        printed, _ = crowd.communicate()
    finally:
        if crowd.poll() is None:
            crowd.kill()
            crowd.wait()
    connections, answers = printed.split()
    early = samples[: len(samples) // 2 + 1]
    return max(early, key=lambda held: held.memory), int(connections), int(answers)
