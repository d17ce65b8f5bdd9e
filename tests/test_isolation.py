"""Jobs in processes of their own (--isolate): crashes cost one attempt of one job, and nothing is left behind.

The programs are those of runtime/c/tests/jobs_program.c; everything runs plain and under the sanitizers, as in
test_master_slave. Slaves that have to crash at one certain moment are played from here.
"""

from __future__ import annotations

import struct

from test_master_slave import (
    BYE,
    NOOP,
    Ended,
    Peer,
    World,
    built,
    finish,
    world,
)

CRASHED = 24

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
    assert ended.err.splitlines() == [
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
    assert finish(master) == Ended(0, "sum 15\n", "")


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
