"""--trace: the file tells what was run, when and where, and is whole however the master ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from c_warnings import can_sanitize
from program_compiler import Compiled, fingerprint_of
from python_slave import PlainPeer
from trace_rules import complaints
from watching import Event, Process, Stage, Trace, compiled, end_of, start_of, wait_for

ROOT = Path(__file__).resolve().parent.parent

PROGRAM = """
job int nap(int i) { sleep(0.001 * (i % 3)); return i; }
job int add(int a, int b) { return a + b; }
job int bad(int i) { vector<int> v; return v[i]; }
job int fib(int n) {
    if (n < 2) return n;
    job<int> a = remote fib(n - 1);
    return get(a) + get(remote fib(n - 2));
}
job int count(int n) {
    if (n == 0) return 0;
    return remote count(n - 1);
}
job int hang(string path) { write_file(path, "here"); while (true) sleep(0.01); return 0; }

master {
    if (size(args()) > 0) {
        job<int> stuck = remote hang(args()[0]);
        get(stuck);
    }
    vector<job<int>> naps;
    for (int i in 0..30) naps :: remote nap(i);
    job<int> sum = remote add(naps[3], naps[4]);
    job<int> wrong = remote bad(7);
    job<int> idle = remote nap(1);
    job<int> tree = remote fib(6);
    job<int> tail = remote count(4);
    long total = 0L;
    for (job<int> j in naps) total += get(j);
    wait(wrong);
    cancel(idle);
    print(total, get(sum), get(tree), get(tail), error(wrong));
}
"""
PRINTED = "435 7 8 0 index 7 out of range, the size is 0\n"
SPAWNED = 24  # fib(6) and its tree are 25 jobs, one of them the program's
STARTED = 30 + 5


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return compiled(tmp_path_factory.mktemp("trace"), PROGRAM)


@pytest.fixture
def stage(programs: Compiled, tmp_path: Path) -> Iterator[Stage]:
    with Stage(programs, tmp_path) as stage:
        yield stage


@pytest.fixture(scope="module")
def whole(programs: Compiled, tmp_path_factory: pytest.TempPathFactory) -> Trace:
    """The trace of a run on two slaves of two slots."""
    with Stage(programs, tmp_path_factory.mktemp("whole")) as stage:
        master = stage.master("--trace", "t.json", "--min-slaves", "2")
        slaves = [stage.slave("-j", "2") for _ in range(2)]
        assert stage.end(master)[0] == PRINTED
        for slave in slaves:
            stage.end(slave)
    return Trace.read(stage.directory / "t.json")


def test_the_rules_of_the_format_are_kept(whole: Trace) -> None:
    assert complaints(whole.events) == []
    assert {event["ph"] for event in whole.events} >= set("XMCsfbei"), "all that there is to be checked is there"


@pytest.mark.parametrize(
    ("phase", "change"),
    [
        ("X", {"ts": None}), ("X", {"dur": -1}), ("X", {"pid": "1"}), ("X", {"ph": "Y"}), ("X", {"tid": 4711}),
        ("b", {"id": 4711}), ("e", {"ts": 0}), ("e", {"cat": "other"}), ("s", {"id": 4711}), ("f", {"ts": 0}),
        ("s", {"tid": 4711}), ("C", {"args": {"jobs": "1"}}), ("i", {"s": "x"}), ("M", {"name": "colour"}),
    ],
)  # fmt: skip
def test_the_rules_find_what_breaks_them(whole: Trace, phase: str, change: Event) -> None:
    """A test of the test: one event is made wrong."""
    at = next(i for i, event in enumerate(whole.events) if event["ph"] == phase)
    spoiled = [*whole.events[:at], {**whole.events[at], **change}, *whole.events[at + 1 :]]
    assert complaints(spoiled) != []


def test_every_job_has_its_runs(whole: Trace) -> None:
    started = whole.of("X", "remote") + whole.of("X", "spawn")
    mine = [e["args"]["job"] for e in whole.of("X", "remote")]
    assert mine == sorted(mine)
    assert sorted(e["args"]["job"] for e in started) == list(range(1, STARTED + SPAWNED + 1))
    runs = whole.of("X", "run")
    last = Counter(e["args"]["job"] for e in runs if e["args"]["end"] in ("finished", "failed"))
    assert set(last.values()) == {1}
    names = Counter(e["name"] for e in runs if e["args"]["end"] == "finished")
    idle = {e["args"]["job"] for e in started} - set(last)
    assert len(idle) <= 1, "only the cancelled job may have no run"
    assert (names["add"], names["fib"], names["count"]) == (1, SPAWNED + 1, 1)
    assert names["nap"] + len(idle) == 31
    assert [(e["name"], e["args"]["end"]) for e in runs if e["name"] == "bad"] == [("bad", "failed")]
    assert Counter(e["args"]["end"] for e in runs if e["name"] == "count") == {"finished": 1, "tail": 4}


def test_times_are_in_order(whole: Trace) -> None:
    """By the clocks of different processes: remote, sent, began, ended, answered, got."""
    remotes = {e["args"]["job"]: e for e in whole.of("X", "remote") + whole.of("X", "spawn")}
    gets = {e["args"]["job"]: e for e in whole.of("X", "wait") if e["name"].startswith("get ")}
    for run in whole.of("X", "run"):
        args = run["args"]
        if args["job"] == 0:  # it had been cancelled
            continue
        sent = start_of(run) - args["there_us"]
        answered = end_of(run) + args["back_us"]
        assert start_of(remotes[args["job"]]) <= sent - args["queue_us"] + 0.01
        assert min(args["queue_us"], args["there_us"], args["back_us"], run["dur"]) >= 0
        if args["job"] in gets and args["end"] == "finished":
            assert answered <= end_of(gets[args["job"]]) + 0.01
    naps = [e for e in whole.of("X", "run") if e["name"] == "nap" and e["args"]["end"] == "finished"]
    assert sum(e["dur"] for e in naps) >= 28_000, "29 of them or more slept for a millisecond on the average"


def test_flows_lead_from_remote_to_get(whole: Trace) -> None:
    steps: dict[int, list[Event]] = {}
    for event in whole.events:
        if event["ph"] in "stf":
            steps.setdefault(event["id"], []).append(event)
    got = {e["args"]["job"] for e in whole.of("X", "wait") if e["name"].startswith("get ")}
    slices = [e for e in whole.events if e["ph"] == "X"]
    for flow in steps.values():
        flow.sort(key=start_of)
        assert flow[0]["ph"] == "s"
        for step in flow:  # a step binds to a slice around it
            assert any(
                e["pid"] == step["pid"] and e["tid"] == step["tid"] and start_of(e) <= start_of(step) <= end_of(e)
                for e in slices
            )
    assert {job for job, flow in steps.items() if flow[-1]["ph"] == "f"} == got


def test_nothing_in_a_lane_overlaps(whole: Trace) -> None:
    lanes: dict[tuple[int, int], list[Event]] = {}
    for run in whole.of("X", "run"):
        lanes.setdefault((run["pid"], run["tid"]), []).append(run)
    names = {(e["pid"], e["tid"]): e["args"]["name"] for e in whole.metadata("thread_name")}
    for lane, runs in lanes.items():
        runs.sort(key=start_of)
        for before, after in pairwise(runs):
            assert end_of(before) <= start_of(after) + 0.01, names[lane]
    slaves = {e["pid"]: e["args"]["slots"] for e in whole.metadata("process_name") if e["pid"] > 1}
    assert list(slaves.values()) == [2, 2]
    assert all(names[pid, tid] == (f"slot {tid}" if tid <= 2 else f"beyond the slots {tid - 2}") for pid, tid in lanes)
    lent = whole.of("X", "lent")
    assert lent, "jobs that wait lend their slot"
    for wait in lent:
        around = lanes[wait["pid"], wait["tid"]]
        assert any(
            e["args"]["job"] == wait["args"]["job"]
            and start_of(e) <= start_of(wait)
            and end_of(wait) <= end_of(e) + 0.01
            for e in around
        )


def test_spans_are_closed(whole: Trace) -> None:
    opened = Counter((e["pid"], e["cat"], e["name"], e["id"]) for e in whole.of("b"))
    closed = Counter((e["pid"], e["cat"], e["name"], e["id"]) for e in whole.of("e"))
    assert opened == closed
    assert opened


def test_the_rest_of_the_run(whole: Trace) -> None:
    (failed,) = whole.of("i", "failure")
    assert failed["args"]["message"] == "index 7 out of range, the size is 0"
    assert failed["args"]["story"].startswith("prog.ms:4:")
    assert len(whole.of("i", "cancel")) <= 1
    counters = [e["args"] for e in whole.of("C") if e["name"] == "ended"]
    assert [c["jobs"] for c in counters] == sorted(c["jobs"] for c in counters)
    assert whole.metadata("ms_end")[0]["args"] == {"left_out": 0}
    assert [e["name"] for e in whole.of("i", "slave")] == ["joined", "joined"]


def test_a_lost_slave(stage: Stage) -> None:
    master = stage.master("--trace", "t.json", "--lost-max", "2", words=(str(stage.directory / "mark"),))
    mark = stage.directory / "mark"
    for _ in range(2):
        slave = stage.slave("-j", "1")
        wait_for(mark.exists)
        slave.kill()
        slave.wait()
        mark.unlink()
    _, errors = stage.end(master, 1)
    assert "(it closed the connection), 1 job goes back to the queue\n" in errors
    assert "0 jobs go back to the queue, 1 has failed: it has lost 2 slaves\n" in errors
    trace = Trace.read(stage.directory / "t.json")
    assert complaints(trace.events) == []
    cuts = trace.of("i", "cut")
    assert [(e["name"], e["pid"], e["args"]["job"], e["args"]["attempt"]) for e in cuts] == [
        ("cut off hang", 2, 1, 1), ("cut off hang", 3, 1, 2)
    ]  # fmt: skip
    assert [e["name"] for e in trace.of("i", "slave")] == ["joined", "lost", "joined", "lost"]
    (failed,) = trace.of("i", "failure")
    assert failed["args"]["job"] == 1
    assert any("1 job goes back to the queue" in e["args"]["line"] for e in trace.of("i", "log"))


def stuck(stage: Stage, *options: str) -> object:
    """A master that waits for a job without an end."""
    mark = stage.directory / "mark"
    master = stage.master("--trace", "t.json", *options, words=(str(mark),))
    stage.slave("-j", "1")
    wait_for(mark.exists)
    return master


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_master_leaves_a_whole_trace(stage: Stage, number: signal.Signals) -> None:
    master = stuck(stage)
    master.send_signal(number)  # type: ignore[attr-defined]
    stage.end(master, 128 + number)  # type: ignore[arg-type]
    trace = Trace.read(stage.directory / "t.json")
    (cut,) = trace.of("i", "cut")
    assert (cut["name"], cut["args"]["why"]) == ("cut off hang", "the master ended")
    assert trace.metadata("ms_end")


def test_a_killed_master_leaves_whole_lines(stage: Stage) -> None:
    master = stuck(stage)
    path = stage.directory / "t.json"
    wait_for(lambda: "remote hang" in path.read_text())
    master.kill()  # type: ignore[attr-defined]
    master.wait()  # type: ignore[attr-defined]
    events = json.loads(path.read_text() + "]")
    assert [e["name"] for e in events if e.get("cat") == "remote"] == ["remote hang"]


def test_a_full_disk_ends_the_trace_only(stage: Stage) -> None:
    master = stage.master("--trace", "/dev/full")
    stage.slave("-j", "2")
    out, errors = stage.end(master)
    assert out == PRINTED
    said = [line for line in errors.splitlines() if "trace" in line]
    complaint = "cannot write the trace /dev/full: No space left on device; the run goes on without it"
    assert said == [f"prog-master: {complaint}"]


def test_a_file_that_cannot_be_made(stage: Stage) -> None:
    _, errors = stage.end(stage.master("--trace", "no/such/place"), 1)
    assert errors == "prog-master: cannot write the trace no/such/place: No such file or directory\n"
    _, errors = stage.end(stage.master("--trace="), 2)
    assert "--trace" in errors


def test_serially(stage: Stage) -> None:
    out, _ = stage.end(stage.master("--local", "--trace", "t.json"))
    assert out == PRINTED
    trace = Trace.read(stage.directory / "t.json")
    assert len(trace.of("X", "run")) == STARTED + SPAWNED
    assert {e["pid"] for e in trace.of("X", "run")} == {1}


def test_msc_run_hands_it_on(stage: Stage, tmp_path: Path) -> None:
    """Both the trace and the status, with an address of its own."""
    (tmp_path / "prog.ms").write_text(ONE)
    words = ["run", "prog.ms", *(["--sanitize"] if can_sanitize() else []), "-n", "2"]
    words += ["--trace", "t.json", f"--status=unix:{tmp_path}/status"]
    run = stage.start([sys.executable, "-m", "ms", *words], PYTHONPATH=str(ROOT))
    out, errors = stage.end(run)
    assert out == "190\n"
    assert errors == f"prog-master: status at unix:{tmp_path}/status\n"
    assert len(Trace.read(tmp_path / "t.json").of("X", "run")) == 20


HOUR_NS = 3_600_000_000_000


def answer_with_times(connection: socket.socket, ahead_ns: int) -> int:
    """Plays a slave whose clock is ahead, until the master says bye. Gives the number of jobs."""
    count = 0
    peer = PlainPeer(connection)
    while True:
        ordinal, kind, payload = peer.receive()
        if ordinal > 0:
            began = time.monotonic_ns() + ahead_ns
            timed = struct.pack("<IIQQ", kind, 0, began, began + 1000)
            frames = struct.pack("<iII", 0, 21, len(timed)) + timed
            frames += struct.pack("<iII", ordinal, kind, 4) + struct.pack("<i", 7)
            connection.sendall(frames)
            count += 1
        elif kind == 20:
            now = struct.pack("<Q", time.monotonic_ns() + ahead_ns)
            connection.sendall(struct.pack("<iII", 0, 20, 16) + payload + now)
        elif kind == 9:
            return count


def connect(path: str, master: Process) -> socket.socket:
    """Connects as soon as the master listens."""
    while True:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(30)
        try:
            connection.connect(path)
            return connection
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            assert master.poll() is None, "the master ended"


def greet(connection: socket.socket, source: Path) -> None:
    hello = b"M/s!" + struct.pack("<I", 2) + fingerprint_of(source) + struct.pack("<II", 1, 1) + bytes(32)
    hello += struct.pack("<I", 4) + b"here" + struct.pack("<I", 3) + b"any"
    connection.sendall(struct.pack("<iII", 0, 1, len(hello)) + hello)


ONE = """
job int slow(int i) { return i; }
master {
    long total = 0L;
    for (int i in 0..20) total += get(remote slow(i));
    print(total);
}
"""


@contextmanager
def a_slave_by_hand(directory: Path) -> Iterator[socket.socket]:
    """The only one of a master that traces ONE, which must end well after it."""
    with Stage(compiled(directory, ONE), directory) as stage:
        master = stage.master("--trace", "t.json")
        with connect(f"{directory}/s", master) as connection:
            greet(connection, directory / "prog.ms")
            yield connection
        assert stage.end(master)[0] == "140\n"


@pytest.mark.parametrize("ahead_ns", [HOUR_NS, -time.monotonic_ns() // 2], ids=["ahead", "behind"])
def test_a_clock_that_goes_wrong_is_corrected(tmp_path: Path, ahead_ns: int) -> None:
    with a_slave_by_hand(tmp_path) as connection:
        assert answer_with_times(connection, ahead_ns) == 20
    trace = Trace.read(tmp_path / "t.json")
    runs = trace.of("X", "run")
    assert len(runs) == 20
    for run in runs:
        assert run["dur"] <= 1.001, "it said that it took a microsecond"
        assert run["args"]["there_us"] >= 0
        assert run["args"]["back_us"] >= 0
    assert sum(run["dur"] for run in runs) >= 10, "most of them fit where they lie"


def test_times_that_make_no_sense_are_ignored(tmp_path: Path) -> None:
    nonsense = [
        struct.pack("<IIQQ", 999, 0, 1, 2),
        struct.pack("<IIQQ", 1, 2**31, 1, 2),
        struct.pack("<IIQQ", 1, 0, 2, 1),
        struct.pack("<IIQQ", 1, 0, 2**64 - 2, 2**64 - 1),
        struct.pack("<IIQQQQ", 1, 0, 5, 6, 2**64 - 1, 0),
    ]
    with a_slave_by_hand(tmp_path) as connection:
        for payload in nonsense:
            connection.sendall(struct.pack("<iII", 0, 21, len(payload)) + payload)
        connection.sendall(struct.pack("<iII", 0, 20, 16) + os.urandom(16))
        assert answer_with_times(connection, 0) == 20
    runs = Trace.read(tmp_path / "t.json").of("X", "run")
    assert 19 <= len(runs) <= 20
    assert all(run["dur"] < 10_000_000 for run in runs)
