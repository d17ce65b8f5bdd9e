"""Connections that break: slaves that come back and offer what they have, against masters of several kinds.

The programs are those of runtime/c/tests/jobs_program.c, plain and under the sanitizers, as in test_master_slave.
"""

from __future__ import annotations

import signal
import struct
from collections.abc import Callable

import pytest
from test_master_slave import (
    BYE,
    CANCEL,
    NAP,
    NOOP,
    PING,
    PONG,
    SPIN,
    Ended,
    Peer,
    Process,
    World,
    built,
    finish,
    is_busy,
    world,
)
from test_recall import PlayedMaster

OFFER, SPAWN, RELEASE = 19, 10, 15
FIB_TAIL, MANY = 14, 16
SESSION_AT = 64  # in a hello
IDENTITY = bytes(range(100, 116))

__all__ = ["built", "world"]


def number(value: int) -> bytes:
    return struct.pack("<i", value)


def jid_list(*jids: int) -> bytes:
    return b"".join(struct.pack("<I", jid) for jid in jids)


def offer(ended: list[int], going_on: list[int]) -> bytes:
    return jid_list(len(ended), *ended, *going_on)


# ---- A slave whose master is played from here


def with_a_job(world: World) -> tuple[PlayedMaster, Process, bytes]:
    """A slave of one slot that runs the job 1, which does not end; and its identity."""
    master = PlayedMaster(world)
    slave = world.slave("-j", "1")
    hello = master.accept()
    identity, session = hello[SESSION_AT - 16 : SESSION_AT], hello[SESSION_AT : SESSION_AT + 16]
    assert (identity != bytes(16), session) == (True, bytes(16))
    master.welcome()
    master.send(SPIN, 1, number(1))
    while not is_busy(slave.pid):
        assert slave.poll() is None
    return master, slave, identity


def cut(master: PlayedMaster) -> bytes:
    """The connection breaks, and the slave is there again: its hello."""
    master.socket.close()
    return master.accept()


def leaves(master: PlayedMaster, slave: Process) -> None:
    master.send(0, BYE)
    ended = finish(slave)
    assert ended.status == 0
    assert f"prog-slave: the master at {master.address} is gone: " in ended.err
    master.close()


def test_a_job_goes_on_where_it_is(world: World) -> None:
    master, slave, identity = with_a_job(world)
    master.send(NOOP, 2, number(2))  # it has not begun, so nobody will hear of it
    for _ in range(3):
        hello = cut(master)
        assert hello[SESSION_AT - 16 : SESSION_AT + 16] == identity + master.session
        master.welcome()
        assert master.message() == (0, OFFER, offer([], [1]))
        master.send(0, OFFER, jid_list(1))
    master.send(0, CANCEL, jid_list(1))
    assert master.message()[:2] == (-SPIN, 1)
    master.send(NOOP, 3, number(3))
    assert master.message() == (NOOP, 3, number(3))
    leaves(master, slave)


def test_a_job_that_is_not_wanted_makes_room(world: World) -> None:
    master, slave, _ = with_a_job(world)
    cut(master)
    master.welcome()
    assert master.message()[2] == offer([], [1])
    master.send(0, OFFER)
    master.send(NOOP, 3, number(3))
    assert master.message() == (NOOP, 3, number(3))
    cut(master)
    master.welcome()
    assert master.message() == (0, OFFER, offer([], []))
    master.send(0, OFFER)
    leaves(master, slave)


def test_another_master_is_offered_nothing(world: World) -> None:
    master, slave, _ = with_a_job(world)
    assert cut(master)[SESSION_AT : SESSION_AT + 16] == master.session
    master.session = bytes(range(50, 66))
    master.welcome()
    master.send(NOOP, 1, number(3))
    assert master.message() == (NOOP, 1, number(3))
    leaves(master, slave)


def test_an_answer_is_kept_until_it_has_arrived(world: World) -> None:
    master, slave, _ = with_a_job(world)
    master.send(0, CANCEL, jid_list(1))
    assert master.message()[:2] == (-SPIN, 1)
    master.send(NAP, 7, number(50))
    assert master.receive() == (NAP, 7, number(50))  # and is not told that it has been read
    for _ in range(2):
        cut(master)
        master.welcome()
        assert master.receive() == (0, OFFER, offer([7], []))
        master.send(0, OFFER, jid_list(7))
        assert master.receive() == (NAP, 7, number(50))
    ordinal, kind, mark = master.receive()
    assert (ordinal, kind) == (0, PING)
    master.send(0, PONG, mark)
    cut(master)
    master.welcome()
    assert master.message() == (0, OFFER, offer([], []))
    master.send(0, OFFER)
    leaves(master, slave)


def numbers_of(master: PlayedMaster, ordinal: int, jid: int, count: int) -> set[int]:
    """Those under which a job that is sent now starts others."""
    master.send(ordinal, jid, number(5))
    found: set[int] = set()
    while len(found) < count:
        origin, kind, payload = master.message()
        if (origin, kind) == (0, RELEASE):
            assert struct.unpack("<I", payload)[0] in found, "those of this connection"
            continue
        assert (origin, kind, payload[:4]) == (0, SPAWN, jid_list(jid))
        found.add(struct.unpack_from("<I", payload, 4)[0])
    return found


@pytest.mark.parametrize("options", [(), ("--isolate",)], ids=["threads", "isolate"])
@pytest.mark.parametrize(("ordinal", "count"), [(MANY, 5 + 4), (FIB_TAIL, 2)], ids=["it runs", "it went on as another"])
def test_numbers_end_with_their_connection(world: World, options: tuple[str, ...], ordinal: int, count: int) -> None:
    """Those of jobs whose results will not come are given again, and nobody speaks of them any more."""
    master = PlayedMaster(world)
    slave = world.slave("-j", "1", *options)
    master.accept()
    master.welcome()
    first = numbers_of(master, ordinal, 1, count)
    for jid in (2, 3):
        if ordinal == FIB_TAIL:
            assert master.message()[:2] == (0, SPAWN), "the tail"
        cut(master)
        master.welcome()
        if not options:  # one that isolates its jobs begins afresh
            assert master.message() == (0, OFFER, offer([], []))
            master.send(0, OFFER)
        assert numbers_of(master, ordinal, jid, count) == first
    leaves(master, slave)


def test_a_job_may_end_while_nobody_listens(world: World) -> None:
    master, slave, _ = with_a_job(world)
    master.send(0, CANCEL, jid_list(1))
    assert master.message()[:2] == (-SPIN, 1)
    master.send(NAP, 7, number(200))
    offered = b""
    while offered != offer([7], []):
        cut(master)
        master.welcome()
        ordinal, kind, offered = master.message()
        assert (ordinal, kind) == (0, OFFER)
        assert offered in (offer([], [7]), offer([7], []), offer([], []))
        if offered == offer([], []):  # it had not begun
            master.send(0, OFFER)
            master.send(NAP, 7, number(200))
            continue
        master.send(0, OFFER, jid_list(7))
    assert master.message() == (NAP, 7, number(200))
    leaves(master, slave)


@pytest.mark.parametrize(
    "frame",
    [
        struct.pack("<iIII", 0, OFFER, 4, 1),
        struct.pack("<iII", 0, OFFER, 3) + b"abc",
    ],
    ids=["nobody asked", "odd"],
)
def test_answers_to_no_offer(world: World, frame: bytes) -> None:
    master, slave, _ = with_a_job(world)
    master.socket.sendall(frame)
    ended = finish(slave)
    assert ended.status == 3
    assert "an answer to an offer that was not made" in ended.err
    master.close()


def test_no_master_comes_back(world: World) -> None:
    master = PlayedMaster(world)
    slave = world.slave("--connect-for", "0.2")
    master.accept()
    master.welcome()
    master.close()
    ended = finish(slave)
    assert ended.status == 3
    lines = ended.err.splitlines()
    assert lines[0].endswith("is gone: it closed the connection without a word; trying to find one for 0.2 s")
    assert lines[-1] == f"prog-slave: cannot connect to {world.address}: Connection refused"


@pytest.mark.parametrize("options", [("--once",), ("--connect-for", "0")], ids=["once", "no time"])
def test_who_does_not_come_back_says_so(world: World, options: tuple[str, ...]) -> None:
    master = PlayedMaster(world)
    slave = world.slave(*options)
    hello = master.accept()
    master.welcome()
    master.close()
    ended = finish(slave)
    assert (ended.status, hello[SESSION_AT - 16 : SESSION_AT]) == (3, bytes(16))
    assert ended.err.endswith("is gone: it closed the connection without a word\n")


def test_a_slave_that_looks_for_its_master_can_be_stopped(world: World) -> None:
    master, slave, _ = with_a_job(world)
    master.close()
    while slave.poll() is None:
        slave.send_signal(signal.SIGTERM)
    assert finish(slave).status in (0, 128 + signal.SIGTERM)


# ---- Slaves that are played from here


def lost_with_a_job(world: World) -> tuple[Process, bytes, int]:
    """A master, its session, and the jid that a slave had when it was lost."""
    master = world.master("one", NOOP, 42)
    peer = Peer(world, master)
    session = peer.hello(identity=IDENTITY)
    ordinal, jid, _ = peer.job()
    assert ordinal == NOOP
    peer.close()
    return master, session, jid


def test_an_answer_that_was_kept_counts(world: World) -> None:
    master, session, jid = lost_with_a_job(world)
    peer = Peer(world, master)
    peer.hello(identity=IDENTITY, session=session)
    peer.send(0, OFFER, offer([jid], []))
    assert peer.job() == (0, OFFER, jid_list(jid))
    peer.send(NOOP, jid, number(42))
    assert peer.job() == (0, BYE, b"")
    ended = finish(master)
    assert (ended.status, ended.out) == (0, "result 42\n")
    assert "prog-master: slave test:99 is back, 1 of its jobs goes on\n" in ended.err


def test_an_answer_that_was_kept_counts_although_the_job_runs_elsewhere(world: World) -> None:
    master, session, jid = lost_with_a_job(world)
    other = Peer(world, master)
    other.hello()
    ordinal, again, _ = other.job()
    assert (ordinal, again != jid) == (NOOP, True)
    peer = Peer(world, master)
    peer.hello(identity=IDENTITY, session=session)
    peer.send(0, OFFER, offer([jid], []))
    assert other.job() == (0, CANCEL, jid_list(again))
    other.send(NOOP, again, number(7))
    assert peer.job() == (0, OFFER, jid_list(jid))
    peer.send(NOOP, jid, number(42))
    assert other.job() == (0, BYE, b"")
    assert finish(master).out == "result 42\n"


def test_what_goes_on_is_not_wanted_when_it_runs_elsewhere(world: World) -> None:
    master, session, jid = lost_with_a_job(world)
    other = Peer(world, master)
    other.hello()
    _, again, _ = other.job()
    peer = Peer(world, master)
    peer.hello(identity=IDENTITY, session=session)
    peer.send(0, OFFER, offer([], [jid]))
    assert peer.job() == (0, OFFER, b"")
    other.send(NOOP, again, number(42))
    assert peer.job() == (0, BYE, b"")
    assert finish(master).out == "result 42\n"


def test_nothing_is_sent_before_the_offer(world: World) -> None:
    master, session, jid = lost_with_a_job(world)
    peer = Peer(world, master)
    peer.hello(identity=IDENTITY, session=session)
    peer.send(0, PING, b"anything?")
    assert peer.job() == (0, PONG, b"anything?")
    peer.send(0, OFFER, offer([], []))
    assert peer.job() == (0, OFFER, b"")
    ordinal, again, _ = peer.job()
    assert (ordinal, again != jid) == (NOOP, True)
    peer.send(NOOP, again, number(42))
    assert finish(master).out == "result 42\n"


def test_nobody_is_on_two_connections(world: World) -> None:
    """The slave is there again before its old connection is known to have broken."""
    master = world.master("one", NOOP, 42)
    old = Peer(world, master)
    session = old.hello(identity=IDENTITY)
    _, jid, _ = old.job()
    new = Peer(world, master)
    new.hello(identity=IDENTITY, session=session)
    assert old.is_cut_off()
    new.send(0, OFFER, offer([], [jid]))
    assert new.job() == (0, OFFER, jid_list(jid))
    new.send(NOOP, jid, number(42))
    ended = finish(master)
    assert (ended.status, ended.out) == (0, "result 42\n")
    assert "slave test:99 lost (it came back on another connection), 1 job goes back to the queue" in ended.err


def test_what_had_arrived_is_read_first(world: World) -> None:
    """The answer is in the old connection, and the new one comes before it has been read."""
    master = world.master("many", NOOP, 2, 21, 0)
    old = Peer(world, master)
    session = old.hello(identity=IDENTITY)
    _, jid, _ = old.job()
    new = Peer(world, master)
    old.send(NOOP, jid, number(21))
    new.hello(identity=IDENTITY, session=session)
    new.send(0, OFFER, offer([jid], []))
    assert new.job() == (0, OFFER, b"")
    _, jid, _ = new.job()
    new.send(NOOP, jid, number(21))
    assert finish(master).out == "sum 42\n"


BROKEN_RULES: dict[str, Callable[[int], bytes]] = {
    "no offer was to come twice": lambda jid: struct.pack("<iIII", 0, OFFER, 4, 0) * 2,
    "more than there are": lambda jid: struct.pack("<iIIII", 0, OFFER, 8, 2, jid),
    "a huge count": lambda jid: struct.pack("<iIIII", 0, OFFER, 8, 0xFFFFFFFF, jid),
    "odd": lambda jid: struct.pack("<iII", 0, OFFER, 5) + bytes(5),
    "nothing": lambda jid: struct.pack("<iII", 0, OFFER, 0),
    "the answer before the offer": lambda jid: struct.pack("<iIIi", NOOP, jid, 4, 42),
    "an offer and another job's answer": lambda jid: (
        struct.pack("<iIIIi", 0, OFFER, 8, 1, jid) + struct.pack("<iIIi", NOOP, jid + 1, 4, 42)
    ),
}


@pytest.mark.parametrize("name", BROKEN_RULES)
def test_offers_that_break_the_rules(world: World, name: str) -> None:
    """What such a slave offers after that is not wanted, and the job runs again."""
    master, session, jid = lost_with_a_job(world)
    peer = Peer(world, master)
    peer.hello(identity=IDENTITY, session=session)
    peer.socket.sendall(BROKEN_RULES[name](jid))
    assert peer.is_cut_off()
    peer = Peer(world, master)
    peer.hello(identity=IDENTITY, session=session)
    peer.send(0, OFFER, offer([jid], []))
    taken = peer.job()
    assert taken in ((0, OFFER, b""), (0, OFFER, jid_list(jid)))
    if taken[2] == b"":
        ordinal, again, _ = peer.job()
        assert (ordinal, again != jid) == (NOOP, True)
        jid = again
    peer.send(NOOP, jid, number(42))
    ended = finish(master)
    assert (ended.status, ended.out) == (0, "result 42\n")
    assert "slave test:99 lost (cut off: " in ended.err


# ---- Real ones


def lines_of(process: Process, words: str) -> str:
    """Reads its standard error up to a line with these words."""
    assert process.stderr is not None
    read = ""
    for line in process.stderr:
        read += line.decode()
        if words in read:
            return read
    raise AssertionError(f"it ended without a word about {words!r}: {read}")


def test_a_slave_that_was_stopped_comes_back(world: World) -> None:
    master = world.master("hold", 1000, options=["--listen", world.address, "--heartbeat", "0.2"])
    slave = world.slave("-j", "1")
    for _ in range(2):
        while not is_busy(slave.pid):
            assert slave.poll() is None
        slave.send_signal(signal.SIGSTOP)
        lines_of(master, "1 job goes back to the queue")
        slave.send_signal(signal.SIGCONT)
        lines_of(master, "is back, 1 of its jobs goes on")
    master.terminate()
    assert finish(master).status == 128 + signal.SIGTERM
    assert finish(slave).status == 0


def test_a_master_is_killed_and_another_one_takes_its_place(world: World) -> None:
    first = world.master("hold", 1000)
    slave = world.slave()
    while not is_busy(slave.pid):
        assert slave.poll() is None
    first.kill()
    finish(first)
    second = world.master("one", NOOP, 8)
    assert finish(second) == Ended(0, "result 8\n", "")
    ended = finish(slave)
    assert ended.status == 0
    assert "is gone: it closed the connection without a word; trying to find one for 60 s" in ended.err
