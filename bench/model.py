"""What one master holds, and what a tree of masters would: constants that are measured here, and a model made of them.

The constants are those of a master with simulated slaves (`jobs/peers.c`): the processor's time of a job when messages
carry many, what a message adds when each carries one, of a heartbeat, of a byte, and the memory of a slave. The model
says from them how long jobs must be so that a number of slots is used to a half and to 95 %; `simulate` plays the same
queues event by event, so that the model's neglect of waiting and of chance is seen.
"""

from __future__ import annotations

import heapq
import os
import random
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from common import HERE, Bench, slaves_of, status_of
from scale import fingerprint_of, rate_with, start_master

# Slaves and the slots of each: cores as processes of their own, and as machines of 64.
SHAPES = ((2, 1), (16, 1), (1000, 1), (10_000, 1), (16, 64), (157, 64), (1563, 64))
SHAPES_SHORT = ((2, 1), (1000, 1), (16, 64))
LATENCY_S = 30e-6  # from one process to another: a system call and a wake-up
HEARTBEAT_S = 2.0
SLOTS = (100, 1_000, 10_000, 100_000, 1_000_000)
MACHINE_SLOTS = 64
FAN_OUT = 100  # slaves of a relay, when there are more
SEED = 7


@dataclass(frozen=True, slots=True)
class Constants:
    """Of a master, in seconds of one processor; a relay is thought to cost the same."""

    job_s: float  # in a message with many others
    message_s: float  # what a message adds, both ways
    shared_s: float  # a job in the messages of slaves of 64 slots
    beat_s: float  # a ping and its answer
    byte_s: float
    slave_bytes: float


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle_costs(bench: Bench, binary: Path, slaves: int, seconds: float) -> tuple[float, float]:
    """Of each idle slave: the processor's share of the master, and the master's memory."""
    program = bench.msc(HERE / "jobs" / "pending.ms")
    held = []
    share = 0.0
    for count in (1, slaves):
        path, go = bench.work / "idle.sock", bench.work / f"go-idle{count}"
        master = start_master(program, f"unix:{path}", "--min-slaves", str(count), "--", "0", str(go))
        words = [binary, path, str(count), fingerprint_of(bench, program)]
        crowd = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        while not Path(f"{go}.ready").exists():
            time.sleep(0.01)
        before = cpu_of(master.pid)
        time.sleep(seconds)
        share = (cpu_of(master.pid) - before) / seconds
        held.append(status_of(master.pid, "VmRSS"))
        go.touch()
        master.communicate()
        crowd.wait()
    return share / slaves, (held[1] - held[0]) / (slaves - 1)


def byte_seconds(bench: Bench, name: str, count: int) -> float:
    """The processor's time of the master for a byte of arguments or results of 8 MB."""
    program = bench.msc(HERE / "jobs" / f"{name}.ms")
    address = f"unix:{bench.work}/bytes.sock"
    with slaves_of(program, address, 1):
        words = [f"{program}-master", "--listen", address, "--min-slaves", "1", "--", str(count)]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL) as master:
            _, status, used = os.wait4(master.pid, 0)
            master.returncode = os.waitstatus_to_exitcode(status)
    if master.returncode != 0:
        raise SystemExit(f"model: {name} ended with {master.returncode}")
    return (used.ru_utime + used.ru_stime) / (count * 8e6)


def cost_of_job(constants: Constants, slots: int) -> float:
    """The master's time for it: slaves with many slots have their jobs and answers in common messages."""
    return constants.shared_s if slots >= MACHINE_SLOTS else constants.job_s + constants.message_s


def usable(constants: Constants, slaves: int) -> float:
    """What heartbeats leave of the master's time."""
    return max(0.0, 1 - slaves * constants.beat_s / HEARTBEAT_S)


def shortest_job(constants: Constants, slaves: int, slots: int, share: float) -> float:
    """The seconds that jobs must take so that one master keeps `share` of all slots busy; inf when nothing does."""
    left = usable(constants, slaves)
    return share * slaves * slots * cost_of_job(constants, slots) / left if left > 0 else float("inf")


def shortest_job_of_tree(constants: Constants, slots: int, share: float) -> float:
    """The same with relays of FAN_OUT slots each. To the root a relay is a slave with many slots; a relay pays for its
    own sub-tree's jobs and messages, and it is a slave too."""
    left = usable(constants, slots // FAN_OUT)
    root = share * slots * constants.shared_s / left if left > 0 else float("inf")
    relay = share * FAN_OUT * (cost_of_job(constants, 1) + constants.shared_s)
    return max(root, relay)


def simulate(constants: Constants, relays: int, fan_out: int, job_s: float, rounds: int) -> float:
    """The share of the slots' time that is used until the root's last job is there, with `relays` below the root (0:
    slots at the root itself) and jobs of random length. Each relay has twice its slots in jobs and asks for a quarter
    of that at a time."""
    batch, root_s, relay_s = max(1, fan_out // 2), constants.shared_s, cost_of_job(constants, 1) + constants.shared_s
    if relays == 0:
        relays, fan_out, batch, root_s, relay_s = fan_out, 1, 1, cost_of_job(constants, 1), 0.0
    chance = random.Random(SEED)
    slowed = usable(constants, relays)
    left = relays * fan_out * rounds
    queued, idle, missing = [fan_out] * relays, [0] * relays, [0] * relays
    free_at = [0.0] * relays
    root_at = used = now = 0.0
    left -= 2 * fan_out * relays
    events = [(chance.expovariate(1 / job_s), relay, 0) for relay in range(relays) for _ in range(fan_out)]
    used = sum(at for at, _, _ in events)
    heapq.heapify(events)
    while left > 0 or now < root_at:
        now, relay, came = heapq.heappop(events)
        queued[relay] += came
        if came == 0:
            idle[relay] += 1
            missing[relay] += 1
            free_at[relay] = max(free_at[relay], now) + relay_s
            if missing[relay] >= batch and left > 0:
                asked = min(missing[relay], left)
                missing[relay] -= asked
                left -= asked
                root_at = max(root_at, free_at[relay] + LATENCY_S) + asked * root_s / slowed
                heapq.heappush(events, (root_at + LATENCY_S, relay, asked))
        while idle[relay] > 0 and queued[relay] > 0:
            idle[relay] -= 1
            queued[relay] -= 1
            length = chance.expovariate(1 / job_s)
            used += length
            heapq.heappush(events, (max(free_at[relay], now) + length, relay, 0))
    unfinished = sum(max(0.0, at - now) for at, _, came in events if came == 0)
    return (used - unfinished) / (now * relays * fan_out)


def constants_of(bench: Bench, binary: Path) -> tuple[Constants, dict[str, dict[str, float]]]:
    """Measured; and the rates with slaves of several shapes."""
    program = bench.msc(HERE / "jobs" / "noop.ms")
    fingerprint = fingerprint_of(bench, program)
    jobs, rounds = (100_000, 1) if bench.short else (2_000_000, 3)
    shapes: dict[str, dict[str, float]] = {}
    print(f"{'slaves':>8}{'slots each':>12}{'jobs/s':>12}{'master cpu, us/job':>20}")
    for slaves, slots in SHAPES_SHORT if bench.short else SHAPES:
        runs = [rate_with(bench, program, [binary, fingerprint, str(slots)], slaves, jobs) for _ in range(rounds)]
        rate, cpu = (statistics.median(run[i] for run in runs) for i in (0, 1))
        shapes[f"{slaves} x {slots}"] = {"rate": rate, "master_cpu_us": cpu}
        print(f"{slaves:8,}{slots:12}{rate:12,.0f}{cpu:20.3f}")
    crowd = 200 if bench.short else 10_000
    beat_share, slave_bytes = idle_costs(bench, binary, crowd, 1 if bench.short else 10)
    byte_s = max(byte_seconds(bench, name, 10 if bench.short else 60) for name in ("payload_in", "payload_out"))
    job_s, message_s, shared_s = costs_of(shapes)
    return Constants(job_s, message_s, shared_s, beat_share * HEARTBEAT_S, byte_s, slave_bytes), shapes


def costs_of(shapes: dict[str, dict[str, float]]) -> tuple[float, float, float]:
    """Of a job, of a message more, of a job at slaves of many slots: each from the worst shape of its kind."""
    single = [shape["master_cpu_us"] for name, shape in shapes.items() if name.endswith(" x 1")]
    shared = [shape["master_cpu_us"] for name, shape in shapes.items() if name.endswith(f" x {MACHINE_SLOTS}")]
    return 1e-6 * single[0], 1e-6 * (max(single) - single[0]), 1e-6 * max(shared)


def in_time(seconds: float) -> str:
    if seconds == float("inf"):
        return "never"
    for size, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{1e9 * seconds:.3g} ns"


def bench_model(bench: Bench) -> None:
    binary = bench.cc(HERE / "jobs" / "peers.c")
    if binary is None:
        print("\nmodel: skipped, there is no gcc")
        return
    print("\nmodel: what a master with simulated slaves takes\n")
    constants, shapes = constants_of(bench, binary)
    print(f"\n{1e6 * constants.job_s:8.3f} us for a job, {1e6 * constants.message_s:.2f} us for a message more")
    print(f"{1e6 * constants.beat_s:8.2f} us for a heartbeat, {1e9 * constants.byte_s:.2f} ns for a byte")
    print(f"{constants.slave_bytes:8,.0f} bytes for an idle slave")
    print("\nmodel: how long jobs must be for half and for 95 % of the slots' time\n")
    print(f"{'slots':>10}{'one master, single slots':>28}{'slaves of 64 slots':>24}{'relays of 100':>24}")
    table: dict[str, dict[str, list[float | None]]] = {}
    for slots in SLOTS:
        row = {
            "single": [shortest_job(constants, slots, 1, share) for share in (0.5, 0.95)],
            "machines": [
                shortest_job(constants, max(1, slots // MACHINE_SLOTS), MACHINE_SLOTS, share) for share in (0.5, 0.95)
            ],
            "tree": [shortest_job_of_tree(constants, slots, share) for share in (0.5, 0.95)],
        }
        # JSON has no infinity: what never happens is null there.
        table[str(slots)] = {way: [None if s == float("inf") else s for s in pair] for way, pair in row.items()}
        cells = [f"{in_time(pair[0])} / {in_time(pair[1])}" for pair in row.values()]
        print(f"{slots:10,}{cells[0]:>28}{cells[1]:>24}{cells[2]:>24}")
    simulated = bench_simulation(bench, constants)
    bench.results["model"] = {
        "constants": {name: getattr(constants, name) for name in Constants.__slots__},
        "shapes": shapes, "shortest_s": table, "simulated": simulated,
    }  # fmt: skip


def bench_simulation(bench: Bench, constants: Constants) -> dict[str, dict[str, float]]:
    """The model's job lengths for 95 %, played: what comes out, with lengths that vary as much as their mean."""
    found: dict[str, dict[str, float]] = {}
    print("\nmodel: the share of the slots' time in a simulation, jobs as long as the model wants for 95 %\n")
    for slots in (100, 1000) if bench.short else (1000, 10_000, 100_000):
        rounds = 20 if slots <= 10_000 else 10
        direct, tree = shortest_job(constants, slots, 1, 0.95), shortest_job_of_tree(constants, slots, 0.95)
        shares = {
            "single": simulate(constants, 0, slots, direct, rounds),
            "tree": simulate(constants, slots // FAN_OUT, FAN_OUT, tree, rounds),
        }
        found[str(slots)] = shares
        print(f"{slots:10,} slots: one master {100 * shares['single']:5.1f} %   a tree {100 * shares['tree']:5.1f} %")
    return found
