"""Peers that mean harm to a master. Each attack goes on until it is told to end; it needs no slave that is honest.

`Enemy` knows what a slave of the program says first, since it has listened to one: so it can also break the rules as
a slave.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from faults.proxy import HEADER_SIZE, Ended, connect, listen, plain_unit, read

HELLO, PING, PONG, RECALLED, BYE, SPAWN, OUTPUT, LENT, RELEASE = 1, 4, 5, 8, 9, 10, 12, 13, 15
ANOTHER = 1_000_003  # so far from a jid that it has, there is none that it has
GARBAGE = (
    b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", b"\xff" * 200, bytes(200), b"M/s!" * 50, b"SSH-2.0-x\r\n",
    struct.pack("<iII", 0, HELLO, 0xFFFFFFFF), struct.pack("<iII", 0, HELLO, 1000) + b"x" * 999, b"\x00",
)  # fmt: skip


def frame(ordinal: int, jid: int, payload: bytes = b"") -> bytes:
    return struct.pack("<iII", ordinal, jid & 0xFFFFFFFF, len(payload)) + payload


def hello_of(slave: Path, directory: Path) -> bytes:
    """The whole frame with which a slave of this program begins."""
    address = f"unix:{directory}/hello"
    with listen(address) as door:
        process = subprocess.Popen([slave, address, "--once", "--quiet"])
        try:
            connection, _ = door.accept()
            with connection:
                return plain_unit(connection, 0)
        finally:
            process.kill()
            process.wait()


@dataclass(slots=True)
class Enemy:
    address: str
    hello: bytes
    over: threading.Event
    count: int = 0  # connections

    def connect(self) -> socket.socket:
        self.count += 1
        end = connect(self.address)
        end.settimeout(0.2)
        return end

    # ---- Without knowing anything

    def crowd(self) -> None:
        """Connections by the thousand: some say nothing, some garbage; all go at once."""
        while not self.over.is_set():
            with contextlib.suppress(OSError), self.connect() as end:
                end.sendall(GARBAGE[self.count % len(GARBAGE)])

    def silent(self) -> None:
        """As many connections as it can have, that say nothing and do not go."""
        ends: list[socket.socket] = []
        while not self.over.is_set():
            with contextlib.suppress(OSError):
                ends.append(self.connect())
            if len(ends) > 200:
                ends.pop(0).close()
        for end in ends:
            end.close()

    def slow(self) -> None:
        """A greeting, one byte at a time."""
        while not self.over.is_set():
            with contextlib.suppress(OSError), self.connect() as end:
                for byte in self.hello:
                    end.sendall(bytes([byte]))
                    if self.over.wait(0.05):
                        return

    # ---- As a slave that is let in

    def join(self) -> socket.socket:
        end = self.connect()
        end.sendall(self.hello)
        plain_unit(end, 0)  # the welcome
        return end

    def promise(self) -> None:
        """4 GiB that never come."""
        self._as_slave(lambda end, ordinal, jid: end.sendall(struct.pack("<iII", ordinal, jid, 0xFFFFFFFF) + bytes(64)))

    def reads_nothing(self) -> None:
        while not self.over.is_set():
            with contextlib.suppress(OSError, Ended), self.join():
                self.over.wait(1.0)

    def half_frames(self) -> None:
        self._as_slave(lambda end, ordinal, jid: end.sendall(struct.pack("<iII", ordinal, jid, 8)[: 1 + jid % 11]))

    def wrong_answers(self) -> None:
        """Ordinals, jids and numbers that do not exist, and what is not known."""
        wrong: list[Callable[[int, int], bytes]] = [
            lambda ordinal, jid: frame(ordinal + 1, jid, bytes(8)),
            lambda ordinal, jid: frame(ordinal, jid + ANOTHER, bytes(8)),
            lambda ordinal, jid: frame(-ordinal, jid, b"\xff\xff\xff\xff"),
            lambda ordinal, jid: frame(10_000, jid, b""),
            lambda ordinal, jid: frame(0, 99, b""),
            lambda ordinal, jid: frame(0, RELEASE, struct.pack("<I", jid)),
            lambda ordinal, jid: frame(0, RECALLED, struct.pack("<I", jid + ANOTHER)),
            lambda ordinal, jid: frame(0, LENT, struct.pack("<I", jid)) * 2,
            lambda ordinal, jid: frame(0, OUTPUT, struct.pack("<IB", jid + ANOTHER, 1) + b"no\n"),
            lambda ordinal, jid: frame(0, SPAWN, struct.pack("<IIIII", jid, 1, 1, 0, 0xFFFFFFFF)),
            lambda ordinal, jid: frame(0, SPAWN, struct.pack("<IIIIIII", jid, 1, 1, 0, 1, 0, 1)),
        ]
        self._as_slave(lambda end, ordinal, jid: end.sendall(wrong[self.count % len(wrong)](ordinal, jid)))

    def floods(self) -> None:
        """Pings without end, whose answers it does not read."""

        def flood(end: socket.socket, ordinal: int, jid: int) -> None:
            while not self.over.is_set():
                end.sendall(frame(0, PING, bytes(64)) * 500)

        self._as_slave(flood)

    def starts_jobs(self) -> None:
        """More and more of them, each time it is given one."""

        def start(end: socket.socket, ordinal: int, jid: int) -> None:
            number = 0
            while not self.over.is_set():
                more = range(number, number + 100)
                end.sendall(b"".join(frame(0, SPAWN, struct.pack("<IIIIIii", jid, n, 1, 0, 0, n, 1)) for n in more))
                number += 100

        self._as_slave(start)

    def _as_slave(self, act: Callable[[socket.socket, int, int], None]) -> None:
        """Joins, waits for a job or a ping, does its worst, stays until it is cut off."""
        while not self.over.is_set():
            with contextlib.suppress(OSError, Ended), self.join() as end:
                ordinal, jid, length = struct.unpack("<iII", read(end, HEADER_SIZE))
                read(end, length)
                act(end, ordinal, jid)
                while not self.over.is_set():
                    read(end, 1)
            self.over.wait(0.01)  # a job can be lost 255 times: it is nobody's promise to end it before


WITHOUT_A_KEY = ("crowd", "silent", "slow")
AS_A_SLAVE = ("promise", "reads_nothing", "half_frames", "wrong_answers", "floods", "starts_jobs")


@contextmanager
def attack(address: str, hello: bytes, *names: str) -> Iterator[list[Enemy]]:
    """Each of these attacks on a thread of its own, all at once."""
    over = threading.Event()
    enemies = [Enemy(address, hello, over) for _ in names]
    threads = [
        threading.Thread(target=getattr(enemy, name), daemon=True) for enemy, name in zip(enemies, names, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        yield enemies
    finally:
        over.set()
        for thread in threads:
            thread.join()
