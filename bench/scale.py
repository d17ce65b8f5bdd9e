"""Many slaves and many jobs.

`scale`: the rate and the master's memory with up to 10,000 simulated slaves. `soak`: the memory of both ends while
millions of jobs go through, and tens of thousands of joins and losses beside a real slave.

The simulated slaves are `jobs/peers.c`, one process that holds all their connections.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import threading
import time
from pathlib import Path

from common import HERE, Bench, slaves_of, status_of
from targets import Target

SLAVES = (2, 16, 64, 1000, 10_000)
TARGETS = (
    Target("no-op jobs, 16 slaves beside two", 0.8, ("scale", "16", "rate"), ("scale", "2", "rate")),
    Target("no-op jobs, 64 slaves beside two", 0.8, ("scale", "64", "rate"), ("scale", "2", "rate")),
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


def bench_scale(bench: Bench) -> None:
    binary = bench.cc(HERE / "jobs" / "peers.c")
    if binary is None:
        print("\nscale: skipped, there is no gcc")
        return
    program = bench.msc(HERE / "jobs" / "noop.ms")
    waiting = bench.msc(HERE / "jobs" / "pending.ms")
    jobs = 100_000 if bench.short else 2_000_000
    print("\nscale: no-op jobs with simulated slaves in one process; the master's memory while they are idle\n")
    print(f"{'slaves':>8}{'jobs/s':>12}{'of two':>8}{'master cpu, us/job':>20}{'memory':>10}")
    found: dict[str, dict[str, float]] = {}
    for slaves in SLAVES:
        peers: list[str | Path] = [binary, fingerprint_of(bench, program)]
        runs = [rate_with(bench, program, peers, slaves, jobs) for _ in range(bench.rounds)]
        rate = statistics.median(run[0] for run in runs)
        cpu = statistics.median(run[1] for run in runs)
        memory = idle_memory(bench, waiting, binary, slaves)
        found[str(slaves)] = {"rate": rate, "master_cpu_us": cpu, "idle_bytes": memory}
        ratio = rate / found["2"]["rate"]
        print(f"{slaves:8}{rate:12,.0f}{ratio:8.2f}{cpu:20.3f}{memory / 1e6:7.1f} MB")
    bench.results["scale"] = found


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


# ---- Soak


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


def expected(rounds: int) -> int:
    return sum(10_000 * r + 9_999 * 5_000 for r in range(rounds))


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
    if int(printed) != expected(rounds):
        raise SystemExit(f"soak: the program printed {printed!r}")
    title = f"{rounds * 10_000:,} jobs through one master and two slaves"
    picture = (bench.work if bench.short else HERE.parent / "docs") / "soak.svg"
    picture.write_text(plot(sampler.samples, title))
    print(f"\nsoak: {title}; {picture}\n")
    for name, points in sampler.samples.items():
        values = [value for _, value in points]
        half = values[len(values) // 2 :]
        print(f"{name:8} {values[len(values) // 2]:7.1f} MB at half time, {max(half):7.1f} MB at most after it")
    churn(bench, program, rounds)


def churn(bench: Bench, program: Path, rounds: int) -> None:
    """Simulated slaves that stay for some hundred jobs each, and a real one that stays."""
    binary = bench.cc(HERE / "jobs" / "peers.c")
    if binary is None:
        print("churn: skipped, there is no gcc")
        return
    path = bench.work / "churn.sock"
    master = start_master(program, f"unix:{path}", "--lost-max", "200", "--", str(rounds))
    words = [binary, path, "50", fingerprint_of(bench, program), "1", "300", "7"]
    crowd = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    sampler = Sampler({"master": master.pid})
    sampler.start()
    with slaves_of(program, f"unix:{path}", 1):
        printed, _ = master.communicate()
    connections, answers = crowd.communicate()[0].split()
    if int(printed) != expected(rounds):
        raise SystemExit(f"churn: the program printed {printed!r}")
    values = [value for _, value in sampler.samples["master"]]
    print(f"churn: {int(connections):,} joins and losses, {int(answers):,} answers by those that went")
    print(f"master {values[len(values) // 2]:8.1f} MB at half time, {values[-1]:7.1f} MB at the end")
