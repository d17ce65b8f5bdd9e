"""Large arguments that jobs have in common go to each slave once: masters before slaves that are played here, and
slaves before a master that is.

The programs are those of tests/test_master_slave.py. What a compiled program makes of it is shown by `test-blobs.ms`.
"""

from __future__ import annotations

import json
import struct
from contextlib import closing

import pytest
from test_master_slave import (
    BYE,
    CANCEL,
    NOOP,
    RECALLED,
    SPIN,
    TAKE,
    Ended,
    Peer,
    Process,
    World,
    built,
    finish,
    is_busy,
    world,
)
from test_recall import RECALL, PlayedMaster, number

BLOB, RUN, FORGET = 16, 17, 18
FEW = ["--blobs-max", "150000"]
SIZE = 100000  # of what the program gives its jobs: a part is 4 bytes larger

__all__ = ["built", "world"]


class Keeper(Peer):
    """A slave that puts arguments together from blobs, and writes down what came."""

    blobs: dict[int, bytes]
    sizes: list[int]  # of all blobs that came
    forgotten: list[int]
    plain: int  # jobs that came whole

    def begin(self, blobs_max: int | None) -> None:
        self.blobs, self.sizes, self.forgotten, self.plain = {}, [], [], 0
        self.hello(end=b"" if blobs_max is None else struct.pack("<Q", blobs_max))

    def task(self) -> tuple[int, bytes] | None:
        """The next job's jid and arguments; None when the master says bye."""
        while True:
            ordinal, kind, payload = self.job()
            if ordinal == TAKE:
                self.plain += 1
                return kind, payload
            if kind == BYE:
                return None
            if kind == BLOB:
                self.sizes.append(len(payload))
                self.blobs[len(self.sizes)] = payload
            elif kind == FORGET:
                for (one,) in struct.iter_unpack("<I", payload):
                    del self.blobs[one]
                    self.forgotten.append(one)
            else:
                assert kind == RUN
                jid, function, count, offset, which = struct.unpack_from("<5I", payload)
                assert (function, count, offset, len(payload)) == (TAKE, 1, 0, 20)
                return jid, self.blobs[which]

    def answer(self, task: tuple[int, bytes]) -> None:
        jid, arguments = task
        assert len(arguments) == SIZE + 4
        self.send(TAKE, jid, struct.pack("<q", sum(arguments[4:])))

    def serve(self) -> None:
        """Answers all that comes, until the end."""
        while (task := self.task()) is not None:
            self.answer(task)


@pytest.fixture
def master(world: World) -> Process:
    return world.master("alike", SIZE, 6, 4)


def keeper(world: World, master: Process, blobs_max: int | None) -> Keeper:
    peer = Keeper(world, master)
    peer.begin(blobs_max)
    return peer


def test_each_content_comes_once(world: World, master: Process) -> None:
    """Four rounds of five equal arguments and one that differs in one byte: eight contents."""
    with closing(keeper(world, master, 1 << 30)) as peer:
        peer.serve()
        assert finish(master) == Ended(0, "wrong 0\n", "")
        assert (peer.plain, peer.sizes, peer.forgotten) == (0, [SIZE + 4] * 8, [])


def test_a_slave_that_is_lost_takes_its_blobs_along(world: World, master: Process) -> None:
    first = keeper(world, master, 1 << 30)
    for _ in range(3):
        task = first.task()
        assert task is not None
        first.answer(task)
    assert len(first.sizes) == 1
    assert first.task() is not None
    first.close()
    with closing(keeper(world, master, 1 << 30)) as second:
        second.serve()
        ended = finish(master)
        assert (ended.status, ended.out) == (0, "wrong 0\n")
        assert (second.plain, second.sizes) == (0, [SIZE + 4] * 8)


def test_a_slave_without_blobs(world: World, master: Process) -> None:
    with closing(keeper(world, master, None)) as peer:
        peer.serve()
        assert finish(master) == Ended(0, "wrong 0\n", "")
        assert (peer.plain, peer.sizes) == (24, [])


def test_a_slave_that_keeps_too_little(world: World, master: Process) -> None:
    with closing(keeper(world, master, SIZE)) as peer:
        peer.serve()
        assert finish(master) == Ended(0, "wrong 0\n", "")
        assert (peer.plain, peer.sizes) == (24, [])


def test_the_master_says_what_is_to_be_forgotten(world: World, master: Process) -> None:
    """There is room for one."""
    with closing(keeper(world, master, SIZE + 5)) as peer:
        peer.serve()
        assert finish(master) == Ended(0, "wrong 0\n", "")
        assert len(peer.blobs) == 1
        assert peer.forgotten == list(range(1, len(peer.sizes)))
        assert len(peer.sizes) >= 4


def test_the_master_has_a_limit_too(world: World) -> None:
    master = world.master("alike", SIZE, 6, 4, options=["--listen", world.address, "--blobs-max", str(SIZE + 5)])
    with closing(keeper(world, master, 1 << 30)) as peer:
        peer.serve()
        assert finish(master) == Ended(0, "wrong 0\n", "")
        assert len(peer.blobs) == 1
        assert len(peer.forgotten) >= 3
    master = world.master("alike", SIZE, 6, 4, options=["--listen", world.address, "--blobs-max", "0"])
    with closing(keeper(world, master, 1 << 30)) as peer:
        peer.serve()
        assert finish(master) == Ended(0, "wrong 0\n", "")
        assert (peer.plain, peer.sizes) == (24, [])


@pytest.mark.parametrize("options", [[], FEW, ["--isolate"]], ids=["kept", "forgotten", "isolated"])
def test_real_slaves(world: World, options: list[str]) -> None:
    master = world.master("alike", SIZE, 20, 6)
    slaves = [world.slave("-j", "2", *options) for _ in range(2)]
    assert finish(master) == Ended(0, "wrong 0\n", "")
    assert [finish(slave) for slave in slaves] == [Ended(0, "", "")] * 2


def test_a_trace_tells_what_was_sent(world: World) -> None:
    master = world.master("alike", SIZE, 6, 4, options=["--listen", world.address, "--trace", "trace"])
    slave = world.slave()
    assert finish(master) == Ended(0, "wrong 0\n", "")
    assert finish(slave) == Ended(0, "", "")
    events = json.loads((world.directory / "trace").read_text())
    runs = [event["args"]["arguments"] for event in events if "result" in event.get("args", {})]
    assert sorted(runs) == [0] * 16 + [SIZE + 4] * 8
    sent = [event["args"]["to slaves"] for event in events if "to slaves" in event.get("args", {})]
    assert 8 * SIZE < sent[-1] < 9 * SIZE


# ---- A slave whose master is played from here


def run(jid: int, ordinal: int, parts: list[tuple[int, int]], own: bytes) -> bytes:
    return struct.pack("<III", jid, ordinal, len(parts)) + b"".join(struct.pack("<II", *part) for part in parts) + own


def played(world: World, *options: str) -> tuple[PlayedMaster, Process]:
    master = PlayedMaster(world)
    slave = world.slave("-j", "1", *(options or ("--blobs-max", "1M")))
    master.accept()
    master.welcome()
    return master, slave


def total(master: PlayedMaster) -> int:
    """The sum that the next answer says."""
    ordinal, _, payload = master.message()
    assert ordinal == TAKE, payload
    return int(struct.unpack("<q", payload)[0])


@pytest.mark.parametrize("options", [[], ["--isolate"]], ids=["threads", "isolated"])
def test_a_slave_puts_arguments_together(world: World, options: list[str]) -> None:
    """Parts in front, in the middle, behind, several at one place, none, and an empty one."""
    with closing(PlayedMaster(world)) as master:
        slave = world.slave("-j", "1", "--blobs-max", "1M", *options)
        master.accept()
        master.welcome()
        text = struct.pack("<I", 300000) + b"\1" * 300000
        for blob in (text, text[:100], text[100:], b"", b"\2" * 200):
            master.send(0, BLOB, blob)
        pieces = [([(0, 1)], b""), ([(0, 2)], text[100:]), ([(100, 3)], text[:100]), ([], text)]
        pieces.append(([(0, 2), (0, 4), (0, 3)], b""))
        for jid, (parts, own) in enumerate(pieces, 1):
            master.send(0, RUN, run(jid, TAKE, parts, own))
            assert total(master) == 300000
        master.send(0, RUN, run(8, TAKE, [(4, 5)], number(200)))
        assert total(master) == 400
        master.send(0, RUN, run(9, NOOP, [], number(7)))
        assert master.message() == (NOOP, 9, number(7))
        master.send(0, RUN, run(10, TAKE, [(0, 2)], b""))
        ordinal, _, payload = master.message()
        assert ordinal == -TAKE
        assert b"do not fit the job" in payload
        master.send(0, BYE)
        assert finish(slave) == Ended(0, "", "")


def test_a_queued_job_keeps_what_is_forgotten(world: World) -> None:
    master, slave = played(world)
    with closing(master):
        blob = number(70000) + b"\1" * 70000
        master.send(SPIN, 1, number(1))
        while not is_busy(slave.pid):
            assert slave.poll() is None
        master.send(0, BLOB, blob)
        for jid in range(2, 6):
            master.send(0, RUN, run(jid, TAKE, [(0, 1)], b""))
        master.send(0, FORGET, number(1))
        master.send(0, RECALL, number(2) + number(3))
        assert master.message() == (0, RECALLED, number(2) + number(3))
        master.send(0, CANCEL, number(4))
        master.send(0, CANCEL, number(1))
        assert master.message()[:2] == (-SPIN, 1)
        assert master.message()[:2] == (-TAKE, 4)
        assert total(master) == 70000
        master.send(0, BYE)
        assert finish(slave) == Ended(0, "", "")


def test_the_limit_on_memory_is_one_on_what_is_put_together(world: World) -> None:
    master, slave = played(world, "--memory-max", "200000")
    with closing(master):
        master.send(0, BLOB, number(150000) + b"\1" * 150000)
        for jid, parts in ((1, [(0, 1)]), (2, [(0, 1), (0, 1)])):
            master.send(0, RUN, run(jid, TAKE, parts, b""))
        answers = sorted((master.message() for _ in range(2)), key=lambda answer: answer[1])
        assert answers[0] == (TAKE, 1, struct.pack("<q", 150000))
        assert answers[1][0] == -TAKE
        assert b"out of memory: arguments of 300008 bytes, the limit is 200000" in answers[1][2]
        master.send(0, BYE)
        assert finish(slave) == Ended(0, "", "")


WRONG = {
    "more than it keeps": ([(BLOB, bytes(600000)), (BLOB, bytes(600000))], "more blobs than fit here"),
    "a blob that is not there": ([(RUN, run(1, TAKE, [(0, 1)], b""))], "a job refers to a blob that is not there"),
    "a blob that is forgotten": (
        [(BLOB, bytes(9)), (FORGET, number(1)), (RUN, run(1, TAKE, [(0, 1)], b""))],
        "a job refers to a blob that is not there",
    ),
    "forget another one": ([(BLOB, bytes(9)), (FORGET, number(2))], "a blob is to be forgotten that is not there"),
    "forget it twice": ([(BLOB, bytes(9)), (FORGET, number(1) * 2)], "a blob is to be forgotten that is not there"),
    "forget half a number": ([(BLOB, bytes(9)), (FORGET, number(1) + b"\0")], "does not fit its kind"),
    "parts in no order": ([(BLOB, bytes(9)), (RUN, run(1, TAKE, [(4, 1), (3, 1)], bytes(9)))], "does not fit its kind"),
    "a part beyond the end": ([(BLOB, bytes(9)), (RUN, run(1, TAKE, [(5, 1)], bytes(4)))], "does not fit its kind"),
    "more parts than there are": ([(RUN, struct.pack("<III", 1, TAKE, 9))], "a job that can't be"),
    "no such job": ([(RUN, run(1, 1000, [], b""))], "a job that can't be"),
    "no jid": ([(RUN, run(0, TAKE, [], b""))], "a job that can't be"),
    "half a run": ([(RUN, bytes(11))], "longer than allowed"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_master_that_breaks_the_rules(world: World, name: str) -> None:
    frames, words = WRONG[name]
    master, slave = played(world)
    with closing(master):
        for kind, payload in frames:
            master.send(0, kind, payload)
        ended = finish(slave)
        assert (ended.status, ended.out) == (3, "")
        assert words in ended.err


@pytest.mark.parametrize("kind", [BLOB, RUN, FORGET])
def test_a_slave_that_sends_what_only_a_master_may(world: World, kind: int) -> None:
    master = world.master("alike", SIZE, 6, 1)
    with closing(keeper(world, master, 1 << 30)) as peer:
        peer.send(0, kind, run(1, TAKE, [], b""))
        assert peer.is_cut_off()
    with closing(keeper(world, master, 1 << 30)) as peer:
        peer.serve()
        ended = finish(master)
        assert (ended.status, ended.out) == (0, "wrong 0\n")
        assert "cut off: a control message of a kind that may not come now" in ended.err
