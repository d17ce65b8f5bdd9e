"""Recall: a master with slaves that are played from here, and a slave whose master is played from here.

The programs are those of runtime/c/tests/jobs_program.c, plain and under the sanitizers, as in test_master_slave.
"""

from __future__ import annotations

import contextlib
import socket
import struct

import pytest
from test_master_slave import (
    BYE,
    CANCEL,
    HELLO,
    NOOP,
    PING,
    PONG,
    RECALLED,
    SPIN,
    TIME_S,
    WELCOME,
    Ended,
    Peer,
    Process,
    World,
    built,
    finish,
    is_busy,
    world,
)

RECALL = 7

__all__ = ["built", "world"]


class PlayedMaster:
    """A master's end of one connection."""

    def __init__(self, world: World, listener: socket.socket | None = None) -> None:
        self.listener = listener or listen(world)
        self.listener.settimeout(TIME_S)
        self.address = world.address
        self.socket = socket.socket()

    def accept(self) -> bytes:
        """Takes the next slave, and gives its hello."""
        self.socket, _ = self.listener.accept()
        self.socket.settimeout(TIME_S)
        ordinal, kind, hello = self.receive()
        assert (ordinal, kind) == (0, HELLO)
        return hello

    session = bytes(range(16))

    def welcome(self) -> None:
        self.send(0, WELCOME, struct.pack("<II", 2000, 1 << 20) + self.session)

    def send(self, ordinal: int, jid: int, payload: bytes = b"") -> None:
        self.socket.sendall(struct.pack("<iII", ordinal, jid, len(payload)) + payload)

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            assert piece, "the slave closed the connection"
            data += piece
        return data

    def receive(self) -> tuple[int, int, bytes]:
        ordinal, jid, length = struct.unpack("<iII", self.read(12))
        return ordinal, jid, self.read(length)

    def message(self) -> tuple[int, int, bytes]:
        """The next one that is no ping; pings are answered."""
        while True:
            ordinal, jid, payload = self.receive()
            if (ordinal, jid) != (0, PING):
                return ordinal, jid, payload
            self.send(0, PONG, payload)

    def close(self) -> None:
        self.socket.close()
        self.listener.close()


def listen(world: World) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(world.path))
    listener.listen()
    return listener


def jids(payload: bytes) -> list[int]:
    return [jid for (jid,) in struct.iter_unpack("<I", payload)]


def number(value: int) -> bytes:
    return struct.pack("<i", value)


def test_a_slave_gives_back_what_it_has_not_begun(world: World) -> None:
    master = PlayedMaster(world)
    slave = world.slave()
    master.accept()
    master.welcome()
    master.send(SPIN, 1, number(1))
    while not is_busy(slave.pid):
        assert slave.poll() is None
    for jid in range(2, 100):
        master.send(NOOP, jid, number(jid))
    master.send(0, RECALL, struct.pack("<98I", *range(101, 52, -1), *range(1, 50)))
    ordinal, kind, payload = master.message()
    assert (ordinal, kind) == (0, RECALLED)
    assert jids(payload) == [*range(2, 50), *range(53, 100)], "in their order"
    master.send(0, RECALL, struct.pack("<II", 60, 1000))
    assert master.message() == (0, RECALLED, b"")
    master.send(0, CANCEL, struct.pack("<I", 1))
    assert master.message()[:2] == (-SPIN, 1)
    assert [master.message() for _ in range(50, 53)] == [(NOOP, jid, number(jid)) for jid in range(50, 53)]
    master.send(0, BYE)
    assert finish(slave) == Ended(0, "", "")
    master.close()


def test_a_recall_that_is_none(world: World) -> None:
    master = PlayedMaster(world)
    slave = world.slave("-j", "1", "--once")
    master.accept()
    master.welcome()
    master.send(0, RECALL, b"12345")
    assert finish(slave).status == 3
    master.close()


def with_a_queue(world: World, master: Process) -> tuple[Peer, list[int], int]:
    """A slave that was quick so far; the jids of those that it has not answered, and how many it has."""
    peer = Peer(world, master)
    peer.hello()
    held: list[int] = []
    for answered in range(1000):
        ordinal, jid, payload = peer.job()
        held.append(jid)
        if answered < 500:
            peer.send(ordinal, held.pop(0), payload)
        elif len(held) > 20:
            return peer, held, answered + 1 - len(held)
    raise AssertionError("it was given no queue")


def test_an_idle_slave_gets_what_another_has_not_begun(world: World) -> None:
    """The played one answers nothing any more, but gives back what it is asked for."""
    master = world.master("many", NOOP, 2000, 3, 0)
    peer, held, _ = with_a_queue(world, master)
    slave = world.slave()
    begun = held.pop(0)
    while held or not recalled_last(peer, begun, held):
        ordinal, jid, payload = peer.job()
        if ordinal == NOOP:
            held.append(jid)
            continue
        assert (ordinal, jid) == (0, RECALL)
        asked = jids(payload)
        assert begun not in asked
        held = [one for one in held if one not in asked]
        peer.send(0, RECALLED, payload)
    assert finish(master) == Ended(0, "sum 6000\n", "")
    assert finish(slave).status == 0


def recalled_last(peer: Peer, begun: int, held: list[int]) -> bool:
    """All but the first one have gone: that one is answered, and the master says bye."""
    assert not held
    peer.send(NOOP, begun, number(3))
    return peer.job() == (0, BYE, b"")


def test_what_is_answered_although_it_was_asked_for_counts_once(world: World) -> None:
    master = world.master("many", NOOP, 2000, 3, 0)
    peer, held, _ = with_a_queue(world, master)
    slave = world.slave()
    while True:
        ordinal, jid, _ = peer.job()
        if ordinal == NOOP:
            held.append(jid)
        elif (ordinal, jid) == (0, RECALL):
            with contextlib.suppress(BrokenPipeError):  # the last result may have come meanwhile, and the master gone
                peer.send(0, RECALLED)
            for one in held:
                peer.send(NOOP, one, number(3))
            held = []
        else:
            assert (ordinal, jid) == (0, BYE)
            break
    assert finish(master) == Ended(0, "sum 6000\n", "")
    assert finish(slave).status == 0


@pytest.mark.parametrize("answer", ["twice", "nobody", "odd"])
def test_answers_to_a_recall_that_break_the_rules(world: World, answer: str) -> None:
    master = world.master("many", NOOP, 2000, 3, 0)
    peer, _, _ = with_a_queue(world, master)
    slave = world.slave()
    ordinal, kind, payload = peer.job()
    while ordinal == NOOP:
        ordinal, kind, payload = peer.job()
    assert (ordinal, kind) == (0, RECALL)
    peer.send(0, RECALLED, {"twice": payload * 2, "nobody": struct.pack("<I", 2**31 - 1), "odd": payload[:-1]}[answer])
    assert peer.is_cut_off()
    ended = finish(master)
    assert (ended.status, ended.out) == (0, "sum 6000\n")
    assert "slave test:99 lost (cut off: " in ended.err
    assert finish(slave).status == 0


def test_jobs_that_take_long_all_of_a_sudden(world: World) -> None:
    """Thousands that take no time, then some that do: nobody waits behind one of those for good."""
    assert world.run("sudden", 2000, 8, 100, slaves=2, options=["--min-slaves", "2"]) == Ended(0, "sum 800\n", "")
