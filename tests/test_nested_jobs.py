"""Jobs that start jobs, on real slaves and on slaves that are played from here.

The programs are those of runtime/c/tests/jobs_program.c; everything runs plain and under the sanitizers, as in
test_master_slave.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

import pytest
from test_master_slave import (
    BYE,
    CANCEL,
    FAIL,
    NOOP,
    PING,
    PONG,
    RECALLED,
    Built,
    Ended,
    Peer,
    World,
    built,
    finish,
    world,
)

ADD, FIB, COUNT, FIB_TAIL, OUTER, MANY, ROW, SCRIBBLE = range(11, 19)
SPAWN, RESULT, LENT, REGAINED, RELEASE = 10, 11, 13, 14, 15
FINISHED, FAILED, CANCELLED = 1, 2, 3

__all__ = ["built", "world"]


def many(built: Built, plain: int, checked: int) -> int:
    """How many of something: fewer under a sanitizer, whose threads are dear."""
    return checked if b"__tsan_init" in (data := built.slave.read_bytes()) or b"__asan_init" in data else plain


@pytest.mark.parametrize(
    ("words", "result"),
    [
        (("one", FIB, 12), 144),
        (("one", FIB_TAIL, 10), 55),
        (("two", COUNT, 300, 7), 45157),
        (("two", OUTER, NOOP, 3), 3),
        (("one", MANY, 100), 4950),
        (("one", ROW, 40), 40),
    ],
    ids=["fib", "fib-tail", "count", "outer", "many", "row"],
)
@pytest.mark.parametrize("slaves", [0, 1, 3])
def test_results(world: World, words: tuple[object, ...], result: int, slaves: int) -> None:
    """Under --local, on one slot, and on three slaves; none of these has as many slots as there are jobs that wait."""
    if slaves == 0:
        ended = finish(world.master(*words, options=["--local"]))
    else:
        ended = world.run(*words, slaves=slaves, options=["--min-slaves", str(slaves)])
    assert ended == Ended(0, f"result {result}\n", "")


def test_thousands_that_wait(world: World) -> None:
    count = many(world.built, 2000, 100)
    assert world.run("one", ROW, count) == Ended(0, f"result {count}\n", "")


def test_a_long_chain_of_tail_jobs(world: World) -> None:
    count = many(world.built, 10000, 1000)
    assert world.run("two", COUNT, count, 0) == Ended(0, f"result {count * (count + 1) // 2}\n", "")


@pytest.mark.parametrize("local", [True, False], ids=["local", "slaves"])
def test_holes(world: World, local: bool) -> None:
    if local:
        ended = finish(world.master("holes", options=["--local"]))
    else:
        ended = world.run("holes", 1, slaves=2, options=["--min-slaves", "2"])
    assert ended.out == "sum 5050\nalike 28\ndivision by zero|nothing to reduce\n"
    lines = ended.err.splitlines()
    assert lines[0].startswith("prog.ms:24:1: error: job add(...) failed")
    assert lines[1:] == ["  prog.ms:30:3 in master", "  prog.ms:8:16 in area: division by zero"]


def test_the_whole_story(world: World) -> None:
    ended = world.run("two", OUTER, FAIL, 0)
    host = socket.gethostname()
    first, *lines = ended.err.splitlines()
    assert first.startswith(f"prog.ms:23:1: error: job outer(3, 0) failed on slave {host}:")
    assert lines[0] == "  prog.ms:30:3 in master"
    assert lines[1].startswith(f"  prog.ms:12:5 in outer: job area(0) failed on slave {host}:")
    assert lines[2:] == ["  prog.ms:8:16 in area: division by zero"]


def test_a_cancelled_job_takes_along_what_it_started(world: World) -> None:
    assert world.run("cancel_outer") == Ended(0, "after it 5\n", "")


@pytest.mark.parametrize("options", [[], ["--quiet"]])
def test_no_more_threads(world: World, options: list[str]) -> None:
    """A slave that cannot begin a job gives it back, and says so, unless it is to be quiet."""
    master = world.master("one", ROW, 12, options=["--listen", world.address, "--min-slaves", "2"])
    small = world.slave("-j", "1", "--waiting-max", "4", *options)
    large = world.slave("-j", "1")
    ended = finish(master)
    assert ended.out == "result 12\n"
    assert finish(large).status == 0
    log = finish(small)
    assert log.status == 0
    assert log.err == "" or (not options and "prog-slave: no more threads for jobs: 5 wait for others here" in log.err)


def spawn(jid: int, number: int, ordinal: int, arguments: bytes, holes: bytes = b"", flags: int = 0) -> bytes:
    head = struct.pack("<IIIII", jid, number, ordinal, flags, len(holes) // 8)
    return head + holes + arguments


def number(value: int) -> bytes:
    return struct.pack("<i", value)


def outer(world: World) -> tuple[Peer, int]:
    """A slave played from here that has been given outer(noop, 42)."""
    peer = Peer(world, world.master("two", OUTER, NOOP, 42))
    peer.hello()
    ordinal, jid, arguments = peer.job()
    assert (ordinal, arguments) == (OUTER, number(NOOP) + number(42))
    return peer, jid


def test_a_conversation(world: World) -> None:
    peer, jid = outer(world)
    peer.send(0, SPAWN, spawn(jid, 7, NOOP, number(42)))
    peer.send(0, SPAWN, spawn(jid, 8, ADD, number(1), struct.pack("<II", 4, 7)))
    peer.send(0, LENT, struct.pack("<I", jid))
    ordinal, child, arguments = peer.job()
    assert (ordinal, arguments) == (NOOP, number(42))
    peer.send(NOOP, child, arguments)
    first, second = peer.job(), peer.job()
    assert first == (0, RESULT, struct.pack("<II", 7, FINISHED) + number(42))
    assert (second[0], second[2]) == (ADD, number(1) + number(42))
    peer.send(-ADD, second[1], struct.pack("<I", 5) + b"wrong" + b"prog.ms:1:1 in add: wrong")
    name = b"test:99"
    failure = struct.pack("<I", len(name)) + name + struct.pack("<I", 5) + b"wrongprog.ms:1:1 in add: wrong"
    assert peer.job() == (0, RESULT, struct.pack("<II", 8, FAILED) + failure)
    peer.send(0, RELEASE, struct.pack("<II", 7, 8))
    peer.send(0, REGAINED, struct.pack("<I", jid))
    peer.send(0, SPAWN, spawn(jid, 7, NOOP, number(1)))
    ordinal, child, _ = peer.job()
    assert ordinal == NOOP
    peer.send(0, CANCEL, struct.pack("<I", 7))
    assert peer.job() == (0, CANCEL, struct.pack("<I", child))
    assert peer.job() == (0, RESULT, struct.pack("<II", 7, CANCELLED))
    peer.send(0, SPAWN, spawn(jid, 0, NOOP, number(9), flags=1))
    ordinal, jid, arguments = peer.job()
    assert (ordinal, arguments) == (NOOP, number(9))
    peer.send(NOOP, jid, arguments)
    assert peer.job() == (0, BYE, b"")
    assert finish(world.processes[0]) == Ended(0, "result 9\n", "")


def test_a_slave_that_starts_too_many(world: World) -> None:
    """Numbers that are free again do not count: a hundred jobs come and go. Of those that stay, 4 are many."""
    master = world.master("two", OUTER, NOOP, 42, options=["--listen", world.address, "--started-max", "3"])
    peer = Peer(world, master)
    peer.hello(slots=1)
    _, jid, _ = peer.job()
    for count in range(100):
        peer.send(0, SPAWN, spawn(jid, count, NOOP, number(1)))
        peer.send(0, CANCEL, struct.pack("<I", count))
        assert peer.job() == (0, RESULT, struct.pack("<II", count, CANCELLED))
        peer.send(0, RELEASE, struct.pack("<I", count))
    for count in range(3):
        peer.send(0, SPAWN, spawn(jid, count, NOOP, number(1)))
    peer.send(0, PING, b"still")
    assert peer.job() == (0, PONG, b"still")
    peer.send(0, SPAWN, spawn(jid, 3, NOOP, number(1)))
    assert peer.is_cut_off()
    slave = world.slave()
    ended = finish(master)
    assert (ended.status, ended.out) == (0, "result 42\n")
    why = "cut off: it has started more jobs than 3 at once, see --started-max"
    assert ended.err == f"prog-master: slave test:99 lost ({why}), 1 job goes back to the queue\n"
    assert finish(slave).status == 0


@pytest.mark.parametrize("where", ["arguments", "results"])
def test_a_slave_that_starts_too_much(world: World, where: str) -> None:
    """What has been released and has ended does not count, however much that is."""
    few = ["--listen", world.address, "--started-size-max", "10000"]
    master = world.master("two", OUTER, NOOP, 42, options=few)
    peer = Peer(world, master)
    peer.hello(slots=1)
    _, jid, _ = peer.job()
    for count in range(20):
        peer.send(0, SPAWN, spawn(jid, count, NOOP, bytes(4000)))
        peer.send(0, CANCEL, struct.pack("<I", count))
        assert peer.job() == (0, RESULT, struct.pack("<II", count, CANCELLED))
        peer.send(0, RELEASE, struct.pack("<I", count))
    for count in range(30):  # more than the table begins with
        peer.send(0, SPAWN, spawn(jid, count, NOOP, bytes(300)))
    for count in range(30):
        peer.send(0, CANCEL, struct.pack("<I", count))
        assert peer.job() == (0, RESULT, struct.pack("<II", count, CANCELLED))
        peer.send(0, RELEASE, struct.pack("<I", count))
    peer.send(0, LENT, struct.pack("<I", jid))
    for count in range(3):
        peer.send(0, SPAWN, spawn(jid, count, NOOP, bytes(4000 if where == "arguments" else 4)))
        if where == "results":
            ordinal, child, _ = peer.job()
            peer.send(ordinal, child, bytes(4000))
        if count < 2 and where == "results":
            assert peer.job() == (0, RESULT, struct.pack("<II", count, FINISHED) + bytes(4000))
    assert peer.is_cut_off()
    slave = world.slave()
    ended = finish(master)
    assert (ended.status, ended.out) == (0, "result 42\n")
    assert "lost (cut off: what it has started takes more than 10000 bytes, see --started-size-max)" in ended.err
    assert finish(slave).status == 0


def test_the_slave_of_a_parent_is_lost(world: World) -> None:
    peer, jid = outer(world)
    peer.send(0, SPAWN, spawn(jid, 1, NOOP, number(1)))
    peer.send(0, LENT, struct.pack("<I", jid))
    assert peer.job()[0] == NOOP
    peer.close()
    slave = world.slave()
    assert finish(world.processes[0]).out == "result 42\n"
    assert finish(slave).status == 0


def test_the_slave_of_a_child_is_lost(world: World) -> None:
    peer, jid = outer(world)
    second = Peer(world, world.processes[0])
    second.hello()
    peer.send(0, SPAWN, spawn(jid, 1, NOOP, number(42)))
    assert second.job()[0] == NOOP
    second.close()
    slave = world.slave()
    assert peer.job() == (0, RESULT, struct.pack("<II", 1, FINISHED) + number(42))
    peer.send(OUTER, jid, number(42))
    assert peer.job() == (0, BYE, b"")
    assert finish(world.processes[0]).out == "result 42\n"
    assert finish(slave).status == 0


def frame(kind: int, payload: bytes) -> bytes:
    return struct.pack("<iII", 0, kind, len(payload)) + payload


BROKEN_RULES: dict[str, Callable[[int], bytes]] = {
    "a parent that is not there": lambda jid: frame(SPAWN, spawn(jid + 1, 1, NOOP, number(1))),
    "ordinal 0": lambda jid: frame(SPAWN, spawn(jid, 1, 0, number(1))),
    "an ordinal too many": lambda jid: frame(SPAWN, spawn(jid, 1, SCRIBBLE + 1, number(1))),
    "an unknown flag": lambda jid: frame(SPAWN, spawn(jid, 1, NOOP, number(1), flags=2)),
    "holes that are not there": lambda jid: frame(SPAWN, struct.pack("<IIIII", jid, 1, NOOP, 0, 2**30)),
    "a hole for nobody": lambda jid: frame(SPAWN, spawn(jid, 1, NOOP, b"", struct.pack("<II", 0, 5))),
    "a hole beyond the arguments": lambda jid: (
        frame(SPAWN, spawn(jid, 1, NOOP, number(1)))
        + frame(SPAWN, spawn(jid, 2, NOOP, b"", struct.pack("<II", 1, 1)))
    ),
    "holes out of order": lambda jid: (
        frame(SPAWN, spawn(jid, 1, NOOP, number(1)))
        + frame(SPAWN, spawn(jid, 2, ADD, bytes(8), struct.pack("<IIII", 8, 1, 4, 1)))
    ),
    "a number twice": lambda jid: frame(SPAWN, spawn(jid, 1, NOOP, number(1))) * 2,
    "too short a spawn": lambda jid: frame(SPAWN, bytes(19)),
    "a release of nobody": lambda jid: frame(RELEASE, struct.pack("<I", 1)),
    "a release twice": lambda jid: (
        frame(SPAWN, spawn(jid, 1, NOOP, number(1))) + frame(RELEASE, struct.pack("<II", 1, 1))
    ),
    "a cancel of nobody": lambda jid: frame(CANCEL, struct.pack("<I", jid)),
    "lent by nobody": lambda jid: frame(LENT, struct.pack("<I", jid + 1)),
    "lent twice": lambda jid: frame(LENT, struct.pack("<I", jid)) * 2,
    "regained and not lent": lambda jid: frame(REGAINED, struct.pack("<I", jid)),
    "a tail job of one that waits": lambda jid: (
        frame(LENT, struct.pack("<I", jid)) + frame(SPAWN, spawn(jid, 1, NOOP, number(1), flags=1))
    ),
    "a result from a slave": lambda jid: frame(RESULT, struct.pack("<II", 1, FINISHED)),
    "all given back": lambda jid: frame(RECALLED, struct.pack("<I", jid)),
}


def test_slaves_that_break_the_rules(world: World) -> None:
    options = ["--listen", world.address, "--payload-max", "1K", "--lost-max", "100"]
    master = world.master("two", OUTER, NOOP, 42, options=options)
    for name, garbage in BROKEN_RULES.items():
        peer = Peer(world, master)
        peer.hello()
        ordinal, jid, _ = peer.job()
        assert ordinal == OUTER
        peer.socket.sendall(garbage(jid))
        assert peer.is_cut_off(), name
        peer.close()
    slave = world.slave()
    ended = finish(master)
    assert (ended.status, ended.out) == (0, "result 42\n")
    assert ended.err.count("lost (cut off: ") == len(BROKEN_RULES)
    assert finish(slave).status == 0
