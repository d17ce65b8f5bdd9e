"""Stands between slaves and their master, and spoils what goes by.

It knows what a unit of the stream is (a frame, or with a key a message of the handshake or a record), so that it can
cut, delay, repeat, leave out and change exactly there or inside. What it does to which unit is said by a `Fault`,
drawn from a seed; the same fault is done again for the same numbers. It listens at an address of its own; slaves
connect there.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

HEADER_SIZE = 12
HANDSHAKE_SIZE = 60  # of each side's one message
TAG_SIZE = 16
PIECE_SIZE = 16 << 10


class Kind(Enum):
    """What happens to a unit."""

    CUT_BEFORE = "the connection ends in front of it"
    CUT_INSIDE = "the connection ends in the middle of it"
    CUT_BEHIND = "the connection ends behind it"
    DELAY = "it comes late"
    SPLIT = "it comes in two pieces"
    REPEAT = "it comes twice"
    LOSE = "it does not come"
    CORRUPT = "one of its bits is another"
    PROMISE = "it promises more than there is"
    SILENCE = "nothing comes any more, and nobody hangs up"


SAFE = (Kind.CUT_BEFORE, Kind.CUT_INSIDE, Kind.CUT_BEHIND, Kind.DELAY, Kind.SPLIT, Kind.SILENCE)
"""What a stream can suffer without encryption: bytes stop, but those that come are right."""


@dataclass(frozen=True, slots=True)
class Fault:
    """To the unit `number` (from 0) of a connection `upwards` (from the slave) or down; `place` is between 0 and 1."""

    kind: Kind
    upwards: bool
    number: int
    place: float = 0.5
    delay_s: float = 0.05


@dataclass(slots=True)
class Link:
    """One connection through the proxy."""

    up: socket.socket
    down: socket.socket
    silent: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)  # by one of the two ends
    done: list[Fault] = field(default_factory=list)

    def close(self) -> None:
        for end in (self.up, self.down):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def connect(address: str) -> socket.socket:
    if address.startswith("unix:"):
        end = socket.socket(socket.AF_UNIX)
        end.connect(address.removeprefix("unix:"))
        return end
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)))


def listen(address: str) -> socket.socket:
    if address.startswith("unix:"):
        door = socket.socket(socket.AF_UNIX)
        door.bind(address.removeprefix("unix:"))
    else:
        host, _, port = address.rpartition(":")
        door = socket.create_server((host, int(port)))
    door.listen(64)
    return door


class Ended(Exception):
    """The stream has."""


def read(end: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = end.recv(min(size - len(data), 1 << 20))
        if not piece:
            raise Ended
        data += piece
    return data


def plain_unit(end: socket.socket, number: int) -> bytes:
    head = read(end, HEADER_SIZE)
    return head + read(end, struct.unpack("<iII", head)[2])


def sealed_unit(end: socket.socket, number: int) -> bytes:
    if number == 0:
        return read(end, HANDSHAKE_SIZE)
    head = read(end, 4)
    return head + read(end, struct.unpack("<I", head)[0] + TAG_SIZE)


class Proxy:
    """`faults` gives those of the connection with a number (from 0). `rate` is bytes a second, both ways."""

    def __init__(
        self,
        master: str,
        address: str,
        faults: Callable[[int], list[Fault]] = lambda number: [],
        *,
        sealed: bool = False,
        rate: float = 0,
    ) -> None:
        self.master = master
        self.faults = faults
        self.rate = rate
        self.unit = sealed_unit if sealed else plain_unit
        self.links: list[Link] = []
        self.threads: list[threading.Thread] = []
        self.closed = False
        self.door = listen(address)
        if not address.startswith("unix:"):
            address = f"{address.rpartition(':')[0]}:{self.door.getsockname()[1]}"
        self.address = address
        self._start(self._accept)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *error: object) -> None:
        self.closed = True
        with contextlib.suppress(OSError):
            self.door.shutdown(socket.SHUT_RDWR)
        self.door.close()
        for link in self.links:
            link.close()
        for thread in self.threads:
            thread.join()
        for link in self.links:
            link.up.close()
            link.down.close()
        if self.address.startswith("unix:"):
            os.unlink(self.address.removeprefix("unix:"))

    @property
    def done(self) -> list[Fault]:
        """The faults that have happened."""
        return [fault for link in self.links for fault in link.done]

    def cut(self) -> None:
        """All connections, now."""
        for link in self.links:
            link.close()

    def silence(self) -> None:
        """No more bytes, on the connections that there are; they stay open."""
        for link in self.links:
            link.silent.set()

    # ---- Threads

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.closed:
            try:
                down, _ = self.door.accept()
            except OSError:
                return
            up = self._reach_master()
            if up is None:
                down.close()
                return
            link = Link(up, down)
            faults = self.faults(len(self.links))
            self.links.append(link)
            for upwards in (True, False):
                mine = {fault.number: fault for fault in faults if fault.upwards == upwards}
                self._start(lambda link=link, upwards=upwards, mine=mine: self._pump(link, upwards, mine))  # type: ignore[misc]

    def _reach_master(self) -> socket.socket | None:
        """It may be starting. None: the proxy has been closed meanwhile."""
        while not self.closed:
            try:
                return connect(self.master)
            except OSError:
                time.sleep(0.005)
        return None

    def _pump(self, link: Link, upwards: bool, faults: dict[int, Fault]) -> None:
        source, to = (link.down, link.up) if upwards else (link.up, link.down)
        number = 0
        with contextlib.suppress(OSError, Ended):
            while True:
                unit = self.unit(source, number)
                fault = faults.get(number)
                if fault is None:
                    self._send(link, to, unit)
                else:
                    link.done.append(fault)
                    self._spoil(link, to, unit, fault)
                number += 1
        if not link.silent.is_set():
            link.ended.set()
            link.close()

    def _send(self, link: Link, to: socket.socket, data: bytes) -> None:
        for at in range(0, len(data), PIECE_SIZE):
            if link.silent.is_set():
                return
            piece = data[at : at + PIECE_SIZE]
            to.sendall(piece)
            if self.rate:
                time.sleep(len(piece) / self.rate)

    def _spoil(self, link: Link, to: socket.socket, unit: bytes, fault: Fault) -> None:
        middle = 1 + int(fault.place * (len(unit) - 1))
        match fault.kind:
            case Kind.CUT_BEFORE:
                raise Ended
            case Kind.CUT_INSIDE:
                self._send(link, to, unit[: min(middle, len(unit) - 1)])
                raise Ended
            case Kind.CUT_BEHIND:
                self._send(link, to, unit)
                raise Ended
            case Kind.DELAY:
                time.sleep(fault.delay_s)
                self._send(link, to, unit)
            case Kind.SPLIT:
                self._send(link, to, unit[:middle])
                time.sleep(fault.delay_s)
                self._send(link, to, unit[middle:])
            case Kind.REPEAT:
                self._send(link, to, unit + unit)
            case Kind.LOSE:
                pass
            case Kind.CORRUPT:
                at = min(middle - 1, len(unit) - 1)
                bit = 1 << int(fault.place * 997) % 8
                self._send(link, to, unit[:at] + bytes([unit[at] ^ bit]) + unit[at + 1 :])
            case Kind.PROMISE:
                at = 9 if self.unit is plain_unit else 1
                self._send(link, to, unit[:at] + bytes([unit[at] | 0x80]) + unit[at + 1 :])
            case Kind.SILENCE:
                self._send(link, to, unit[:middle])
                link.silent.set()


def draw(moments: random.Random, kinds: tuple[Kind, ...], number_max: int) -> Fault:
    """Small numbers are the handshake and the first jobs: as likely as all others together."""
    number = moments.randrange(4) if moments.random() < 0.5 else moments.randrange(number_max)
    return Fault(moments.choice(kinds), moments.random() < 0.5, number, moments.random(), moments.uniform(0.0, 0.15))
