"""Jobs in processes of their own (--isolate): crashes cost one attempt of one job, and nothing is left behind.

The programs are those of runtime/c/tests/jobs_program.c; everything runs plain and under the sanitizers, as in
test_master_slave. Slaves that have to crash at one certain moment are played from here.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from test_master_slave import (
    BYE,
    DIE,
    NAP,
    NOOP,
    SPIN,
    TELL,
    Ended,
    Peer,
    Process,
    World,
    built,
    finish,
    is_busy,
    world,
)

CRASHED = 24
FIB, COUNT, FIB_TAIL, OUTER, MANY, ROW, SCRIBBLE = 12, 13, 14, 15, 16, 17, 18

__all__ = ["built", "world"]


# ---- What the master makes of it


def crash(peer: Peer, cause: bytes = b"SIGSEGV") -> int:
    """Takes a job, and says that its process died; gives its argument."""
    ordinal, jid, payload = peer.job()
    assert ordinal == NOOP
    peer.send(0, CRASHED, struct.pack("<I", jid) + cause)
    return int(struct.unpack("<i", payload)[0])


def test_three_crashes_end_a_job(world: World) -> None:
    master = world.master("one", NOOP, 42)
    peer = Peer(world, master)
    peer.hello()
    assert [crash(peer, cause) for cause in (b"SIGABRT", b"SIGSEGV", b"exit(3)")] == [42] * 3
    assert peer.job() == (0, BYE, b"")
    peer.close()
    ended = finish(master)
    assert (ended.status, ended.out) == (1, "")
    back = "1 job goes back to the queue"
    assert ended.err.splitlines() == [
        f"prog-master: slave test:99: a worker died of SIGABRT, {back}",
        f"prog-master: slave test:99: a worker died of SIGSEGV, {back}",
        "prog-master: slave test:99: a worker died of exit(3), 1 job has failed",
        "prog.ms:21:12: error: job noop(42) failed: lost 3 workers: exit(3)",
        "  prog.ms:30:3 in master",
        "  a worker of slave test:99 died of SIGABRT",
        "  a worker of slave test:99 died of SIGSEGV",
        "  a worker of slave test:99 died of exit(3)",
    ]


def test_a_crash_and_lost_slaves_count_together(world: World) -> None:
    master = world.master("story", NOOP, 42, options=["--listen", world.address, "--quiet"])
    for _ in range(2):
        peer = Peer(world, master)
        peer.hello()
        assert peer.job()[0] == NOOP
        peer.close()
    peer = Peer(world, master)
    peer.hello()
    crash(peer)
    assert peer.job() == (0, BYE, b"")
    message = "lost 2 slaves and 1 worker: SIGSEGV"
    assert finish(master).out == f"{message}|{message}\na worker of slave test:99 died of SIGSEGV\n"


def test_after_a_crash_the_job_runs_again(world: World) -> None:
    master = world.master("many", NOOP, 2, 7, 1)
    peer = Peer(world, master)
    peer.hello(slots=2)
    jids = [peer.job()[1], peer.job()[1]]
    peer.send(0, CRASHED, struct.pack("<I", jids[0]) + b"SIGKILL")
    ordinal, again, payload = peer.job()
    assert (ordinal, payload) == (NOOP, struct.pack("<i", 7))
    assert again not in jids
    peer.send(NOOP, jids[1], struct.pack("<i", 8))
    peer.send(NOOP, again, struct.pack("<i", 7))
    assert peer.job() == (0, BYE, b"")
    said = "prog-master: slave test:99: a worker died of SIGKILL, 1 job goes back to the queue\n"
    assert finish(master) == Ended(0, "sum 15\n", said)


def test_many_crashes_fill_no_log(world: World) -> None:
    """What they die of is a stranger's word: it is printed as such, and not a thousand times."""
    master = world.master("one", NOOP, 42, options=["--listen", world.address, "--lost-max", "200"])
    peer = Peer(world, master)
    peer.hello()
    for _ in range(200):
        crash(peer, b"a\nb\x1b[2J")
    assert peer.job() == (0, BYE, b"")
    peer.close()
    log = [line for line in finish(master).err.splitlines() if line.startswith("prog-master: ")]
    assert log[0] == "prog-master: slave test:99: a worker died of a?b?[2J, 1 job goes back to the queue"
    assert 20 <= len(log) < 100


def test_crashes_that_cannot_be(world: World) -> None:
    master = world.master("one", NOOP, 1)
    for payload, words in (
        (struct.pack("<I", 4711) + b"SIGSEGV", "a job crashed that it does not have"),
        (b"abc", "a message is longer than allowed"),
        (struct.pack("<I", 1) + b"x" * 65, "a message is longer than allowed"),
    ):
        peer = Peer(world, master)
        peer.hello()
        peer.send(0, CRASHED, payload)
        assert peer.is_cut_off(), words
    master.terminate()
    assert finish(master).err.count("cut off: ") == 3


# ---- Real slaves


def isolated(world: World, *options: str, slots: int = 1, **rest: object) -> Process:
    return world.slave("--isolate", "-j", str(slots), "--connect-for", "10", *options, **rest)  # type: ignore[arg-type]


def run(world: World, *words: object, slots: int = 1, options: tuple[str, ...] = ()) -> tuple[Ended, Ended]:
    """The ends of a master and of its one slave."""
    master = world.master(*words)
    slave = isolated(world, *options, slots=slots)
    return finish(master), finish(slave)


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize(
    ("words", "result"),
    [
        (("one", FIB, 9), 34),
        (("one", FIB_TAIL, 8), 21),
        (("two", COUNT, 200, 7), 20107),
        (("two", OUTER, NOOP, 3), 3),
        (("one", MANY, 100), 4950),
        (("one", ROW, 12), 12),
    ],
    ids=["fib", "fib-tail", "count", "outer", "many", "row"],
)
def test_jobs_of_jobs(world: World, words: tuple[object, ...], result: int, slots: int) -> None:
    assert run(world, *words, slots=slots) == (Ended(0, f"result {result}\n", ""), Ended(0, "", ""))


def test_many_jobs(world: World) -> None:
    """More than are given ahead, and workers that are replaced in between."""
    assert run(world, "many", NOOP, 5000, 0, 1, slots=2) == (Ended(0, "sum 12497500\n", ""), Ended(0, "", ""))
    ends = run(world, "many", NOOP, 100, 0, 1, slots=2, options=("--jobs-max", "7"))
    assert ends == (Ended(0, "sum 4950\n", ""), Ended(0, "", ""))


def test_large_payloads(world: World) -> None:
    assert run(world, "bytes", 3_000_001, 4, slots=2) == (Ended(0, "bytes 3000001\n", ""), Ended(0, "", ""))


def test_much_output(world: World) -> None:
    ended, _ = run(world, "one", TELL, 3000)
    assert ended.out == "".join(f"line {i}\n" for i in range(3000)) + "result 3000\n"


@pytest.mark.parametrize(
    ("number", "cause"),
    [(0, "SIGKILL"), (15, "SIGTERM"), (signal.SIGRTMIN + 9, f"signal {signal.SIGRTMIN + 9}"), (-3, "exit(3)")],
    ids=["kill", "term", "real-time", "exit"],
)
def test_a_job_that_kills_its_worker(world: World, number: int, cause: str) -> None:
    ended, slave = run(world, "one", DIE, number)
    assert ended.status == 1
    lines = ended.err.splitlines()
    said = [line.split(": a worker died of ")[1] for line in lines[:3]]
    assert said == [f"{cause}, 1 job goes back to the queue"] * 2 + [f"{cause}, 1 job has failed"]
    assert lines[3] == f"prog.ms:21:12: error: job die({number}) failed: lost 3 workers: {cause}"
    assert slave == Ended(0, "", f"prog-slave: a worker died of {cause} in job die\n" * 3)


def test_a_worker_that_breaks_the_rules(world: World) -> None:
    ended, slave = run(world, "one", SCRIBBLE, 100)
    assert ended.err.splitlines()[3].endswith("lost 3 workers: what it said, which breaks the rules")
    assert slave.status == 0


def test_the_others_never_notice(world: World) -> None:
    """One job kills its workers, beside others in the same slave, some of them given ahead to the same worker."""
    master = world.master("poison", 300, options=["--listen", world.address, "--quiet"])
    slave = isolated(world, "--quiet", slots=2)
    ended = finish(master)
    assert ended.out == "innocent 300\n"
    assert ended.err.splitlines()[0].endswith("error: job die(0) failed: lost 3 workers: SIGKILL")
    assert finish(slave) == Ended(0, "", "")


# ---- Processes


def children_of(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def is_gone(pid: int) -> bool:
    """Also when nobody has asked yet how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def until(happens: Callable[[], bool], process: Process) -> None:
    while not happens():
        assert process.poll() is None or happens()  # it may end as soon as it has happened


def family(slave: Process, count: int = 1) -> tuple[int, list[int]]:
    """The pristine process of a slave, and its workers, when there are so many and one of them works."""
    found: list[int] = []

    def are_there() -> bool:
        found[:] = [pid for middle in children_of(slave.pid) for pid in children_of(middle)]
        return len(found) >= count and any(not is_gone(pid) and is_busy(pid) for pid in found)

    until(are_there, slave)
    (pristine,) = children_of(slave.pid)
    return pristine, found


def test_a_worker_that_is_killed_from_outside(world: World) -> None:
    master = world.master("one", SPIN, 1)
    slave = isolated(world)
    for _ in range(3):
        _, (worker,) = family(slave)
        os.kill(worker, signal.SIGKILL)
        until(lambda worker=worker: is_gone(worker), slave)  # type: ignore[misc]
    ended = finish(master)
    assert ended.err.splitlines()[3].endswith("job spin(1) failed: lost 3 workers: SIGKILL")
    assert finish(slave).status == 0


@pytest.mark.parametrize("victim", ["slave", "pristine", "master"])
def test_nothing_outlives_its_end(world: World, victim: str) -> None:
    master = world.master("one", SPIN, 1)
    slave = isolated(world)
    pristine, workers = family(slave)
    os.kill({"slave": slave.pid, "pristine": pristine, "master": master.pid}[victim], signal.SIGKILL)
    ended = finish(slave)
    assert ended.status == {"slave": -signal.SIGKILL, "pristine": 1, "master": 3}[victim]
    if victim == "pristine":
        assert ended.err == "prog-slave: the process that starts workers is gone, and they with it\n"
    for pid in (pristine, *workers):
        while not is_gone(pid):
            pass


def test_a_worker_holds_one_socket(world: World) -> None:
    """Not the master's, nor another worker's."""
    master = world.master("many", SPIN, 2, 1, 0)
    slave = isolated(world, slots=2)
    _, workers = family(slave, 2)
    sockets = []
    for pid in workers:
        links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
        sockets += [link for link in links if link.startswith("socket:")]
    assert len(set(sockets)) == len(sockets) == 2
    master.kill()
    assert finish(slave).status == 3


def test_signals(world: World) -> None:
    """The first: no more jobs, but those that run are finished. The second: at once."""
    master = world.master("many", NAP, 2, 300, 0)
    slave = isolated(world)
    pristine, workers = family_of_any(slave)
    slave.terminate()
    assert finish(slave) == Ended(0, "", "")
    assert all(is_gone(pid) for pid in (pristine, *workers))
    second = isolated(world)
    assert finish(master) == Ended(0, "sum 600\n", "")
    assert finish(second).status == 0
    master = world.master("one", SPIN, 1)
    slave = isolated(world)
    pristine, workers = family(slave)
    slave.terminate()
    while slave.poll() is None:
        slave.send_signal(signal.SIGTERM)
    assert slave.returncode == 128 + signal.SIGTERM
    assert all(is_gone(pid) for pid in (pristine, *workers))


def family_of_any(slave: Process) -> tuple[int, list[int]]:
    """The same for workers that do not work."""
    until(lambda: any(children_of(pid) for pid in children_of(slave.pid)), slave)
    (pristine,) = children_of(slave.pid)
    return pristine, children_of(pristine)


def test_no_descriptors_for_more_workers(world: World) -> None:
    """Some can be started and others not: the slave says so, and those do the work."""
    master = world.master("many", NAP, 20, 5, 0)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (13, 13))

    slave = isolated(world, slots=8, preexec_fn=limit)
    assert finish(master) == Ended(0, "sum 100\n", "")
    ended = finish(slave)
    assert ended.status == 0
    words = "Too many open files|No file descriptors available"  # one C library's, and another one's
    assert re.search(f"prog-slave: cannot start a worker: ({words})", ended.err)


def test_no_descriptors_at_all(world: World) -> None:
    slave = isolated(world, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4)))
    ended = finish(slave)
    words = "Too many open files|No file descriptors available"
    said = rf"prog-slave: cannot start the process that starts workers: ({words}) \(see ulimit -n and -u\)\n"
    assert (ended.status, ended.out) == (1, "")
    assert re.fullmatch(said, ended.err)


# ---- Without --isolate


def test_a_slave_is_replaced_after_so_many_jobs(world: World) -> None:
    """By a process of its own kind under the same number; jobs that wait for others do not wait for ever."""
    master = world.master("one", FIB, 9, options=["--listen", world.address, "--progress=always"])
    slave = world.slave("-j", "2", "--jobs-max", "3", "--connect-for", "10")
    ended = finish(master)
    assert (ended.status, ended.out) == (0, "result 34\n")
    assert finish(slave) == Ended(0, "", "")
    master = world.master("many", NOOP, 50, 0, 1)
    slave = world.slave("-j", "1", "--jobs-max", "7", "--connect-for", "10")
    assert finish(master) == Ended(0, "sum 1225\n", "")
    assert finish(slave) == Ended(0, "", "")


def test_options(world: World) -> None:
    for words in (("--jobs-max", "0"), ("--jobs-max", "x"), ("--isolate=2",)):
        ended = finish(isolated(world, *words))
        assert (ended.status, ended.out) == (2, "")
        assert words[0].split("=")[0] in ended.err
