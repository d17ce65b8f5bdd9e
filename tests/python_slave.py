"""A slave in Python, written from docs/protocol.md alone: it shows that the page is enough to write one.

What a job does is a Python function; its declared types are those of tests/python_values.py. A thread reads the
connection, and each job runs in a thread of its own, at most one for each slot that is not lent. How a master is
started,
and which fingerprint a program has, is left to the caller; the encrypted wire to tests/secure_peer.py.
All that changes is changed under `Slave.lock`, and frames are sent under it, so they leave in the order of what they
tell. Each job that the master has sent is answered, given back, or goes on as a tail job, unless the connection breaks.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Protocol

from python_values import BadValue, Reader, Type, decode, encode, size_bytes


class Kind(IntEnum):
    """Of control messages."""

    HELLO = 1
    WELCOME = 2
    REFUSE = 3
    PING = 4
    PONG = 5
    CANCEL = 6
    RECALL = 7
    RECALLED = 8
    BYE = 9
    SPAWN = 10
    RESULT = 11
    OUTPUT = 12
    LENT = 13
    REGAINED = 14
    RELEASE = 15
    BLOB = 16
    RUN = 17
    FORGET = 18
    OFFER = 19
    CLOCK = 20
    TIMED = 21


VERSION = 2
FINISHED, FAILED, CANCELLED = 1, 2, 3
TAIL = 1
PING_MAX = 64
PAUSES_MAX = 1024
HANDSHAKE_SECONDS = 10.0
CONNECT_SECONDS = 60.0


class Refused(Exception):
    """The master does not want this slave, and says why."""


class BrokenRule(Exception):
    """What the master sent is not in the protocol."""


class Failure(Exception):
    """A job fails with a message. What its line of the story says, when that is something else, and what follows it."""

    def __init__(self, message: str, said: str | None = None, story: str = "") -> None:
        super().__init__(message)
        self.said = message if said is None else said
        self.story = story


class Cancelled(BaseException):
    """Nobody wants the job any more. No Exception, so that the job's own handlers let it pass."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job's declaration. The function gets the task that runs it, then the arguments."""

    name: str
    parameters: tuple[Type, ...]
    result: Type
    function: Callable[..., object]


class Peer(Protocol):
    """A connection that speaks frames."""

    def send(self, ordinal: int, jid: int, payload: bytes = b"") -> None: ...

    def receive(self) -> tuple[int, int, bytes]: ...


class PlainPeer:
    """Frames as they are."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def send(self, ordinal: int, jid: int, payload: bytes = b"") -> None:
        self.connection.sendall(struct.pack("<iII", ordinal, jid, len(payload)) + payload)

    def receive(self) -> tuple[int, int, bytes]:
        ordinal, jid, length = struct.unpack("<iII", self.read(12))
        return ordinal, jid, self.read(length)

    def read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            piece = self.connection.recv(min(size - len(data), 1 << 20))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)


@dataclass(slots=True, eq=False)
class Child:
    """A job that another one has started."""

    number: int
    job: str
    result: Type
    ending: tuple[int, bytes] | None = None
    released: bool = False


@dataclass(frozen=True, slots=True)
class Tail:
    """What a job's function returns when another job is to end in its place."""

    job: str
    arguments: tuple[object, ...]


@dataclass(slots=True, eq=False)
class Task:
    """One attempt at a job: what its function may ask for."""

    slave: Slave
    jid: int
    ordinal: int
    arguments: bytes
    cancelled: threading.Event = field(default_factory=threading.Event)
    # Whether the master expects an answer under this jid: not while the connection is cut.
    in_force: bool = True
    children: list[Child] = field(default_factory=list)
    lane: int = 0
    began: int = 0
    pauses: list[tuple[int, int]] = field(default_factory=list)
    # What it has said since the connection broke; its answer, when that may have to be said again.
    kept: list[tuple[int, int, bytes]] = field(default_factory=list)
    # The ping behind the last that it printed, and the one behind its answer: they say that it has arrived.
    printed: int = 0
    answered: int = 0

    def check(self) -> None:
        """A function that takes long calls this now and then."""
        if self.cancelled.is_set():
            raise Cancelled

    def print(self, text: bytes) -> None:
        with self.slave.lock:
            self.check()
            self.printed = self.slave.mark()
            self.slave.tell(self, (0, Kind.OUTPUT, struct.pack("<IB", self.jid, 1) + text))

    def start(self, job: str, *arguments: object) -> Child:
        """Start a job. An argument may be the Child whose result it is to be."""
        with self.slave.lock:
            self.slave.await_force(self)
            child = self.slave.new_child(job)
            self.children.append(child)
            self.slave.spawn(self, child.number, 0, Tail(job, arguments))
            return child

    def get(self, child: Child) -> object:
        """The result of a child, or its failure."""
        with self.slave.lock:
            if child.ending is None:
                self.slave.wait_for(self, child)
            assert child.ending is not None
            how, payload = child.ending
        if how == FINISHED:
            return decode(child.result, payload)
        if how == CANCELLED:
            raise Failure("cancelled")
        reader = Reader(payload)
        slave, message = (reader.take(reader.integer()).decode(errors="replace") for _ in range(2))
        raise Failure(message, f"job {child.job} failed on slave {slave}", reader.rest().decode(errors="replace"))

    def cancel(self, child: Child) -> None:
        with self.slave.lock:
            self.slave.await_force(self)
            self.slave.control(Kind.CANCEL, size_bytes(child.number))


class Slave:
    """A slave that connects with `run`, and comes back as long as `patience_seconds` allow."""

    def __init__(
        self,
        address: str,
        fingerprint: bytes,
        jobs: list[Job],
        slots: int = 1,
        key: bytes | None = None,
        patience_seconds: float = 0.0,
        blobs_max: int = 1 << 26,
    ) -> None:
        self.address = address
        self.fingerprint = fingerprint
        self.jobs = jobs
        self.ordinals = {job.name: number for number, job in enumerate(jobs, 1)}
        self.slots = slots
        self.key = key
        self.patience_seconds = patience_seconds
        self.lock = threading.Condition()
        self.identity = os.urandom(16) if patience_seconds > 0 else bytes(16)
        self.session = bytes(16)
        self.connection: socket.socket | None = None
        self.peer: Peer | None = None
        self.limit = 0
        self.open = False  # whether anything but pings may be sent
        self.clocked = False
        self.leaving = False
        self.released = False  # whether the master has answered that
        self.waiting: deque[Task] = deque()
        self.running: dict[int, Task] = {}
        self.answered: dict[int, Task] = {}
        # Pings are numbered. One at a time is on its way; those up to `passed` have come back.
        self.pinged = self.passed = 0
        self.unmarked = False
        self.children: dict[int, Child] = {}
        self.last_number = 0
        self.given_back = 0
        self.lent = 0
        # What the master has sent once, by number; all of it is at most `blobs_max` bytes.
        self.blobs_max = blobs_max
        self.blobs: dict[int, bytes] = {}
        self.last_blob = 0

    # The connection.

    def run(self) -> None:
        """Serve until the master says bye, or the slave has left. Raises Refused, BrokenRule or OSError."""
        give_up = time.monotonic() + CONNECT_SECONDS
        while True:
            try:
                self.connect()
                if self.serve():
                    return
            except (OSError, EOFError) as error:
                if self.released and not self.running:
                    return
                if self.peer is not None:
                    give_up = time.monotonic() + self.patience_seconds
                self.cut()
                if self.leaving or time.monotonic() >= give_up:
                    self.drop_all()
                    raise ConnectionError(f"the master at {self.address} is lost: {error!r}") from error
                time.sleep(0.05)
                continue
            except BaseException:
                self.drop_all()
                raise
            finally:
                self.close()

    def connect(self) -> None:
        """Shake hands: afterwards frames of any kind may come."""
        host, colon, port = self.address.rpartition(":")
        if colon and "/" not in self.address:
            connection = socket.create_connection((host.strip("[]"), int(port)), HANDSHAKE_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(HANDSHAKE_SECONDS)
            self.connection = connection
            connection.connect(self.address)
        self.connection = connection
        peer: Peer = PlainPeer(connection)
        if self.key is not None:
            import secure_peer  # needs a package that only encryption needs

            peer = secure_peer.as_slave(connection, self.key)
        peer.send(0, Kind.HELLO, self.hello())
        ordinal, kind, payload = peer.receive()
        if (ordinal, kind) == (0, Kind.REFUSE):
            raise Refused(payload.decode(errors="replace"))
        if (ordinal, kind) != (0, Kind.WELCOME) or len(payload) != 24:
            raise BrokenRule(f"a welcome was expected, not {ordinal}, {kind} and {len(payload)} bytes")
        heartbeat, limit = struct.unpack("<II", payload[:8])
        connection.settimeout(3 * heartbeat / 1000 + 1)
        with self.lock:
            self.limit = limit
            self.peer = peer
            self.clocked = False
            self.blobs.clear()
            self.last_blob = 0
            self.greet(payload[8:])

    def hello(self) -> bytes:
        names = [socket.gethostname().encode(), b"python"]
        return (
            b"M/s!"
            + size_bytes(VERSION)
            + self.fingerprint
            + struct.pack("<II", self.slots, os.getpid())
            + self.identity
            + self.session
            + b"".join(size_bytes(len(name)) + name for name in names)
            + (struct.pack("<Q", self.blobs_max) if self.blobs_max > 0 else b"")
        )

    def greet(self, session: bytes) -> None:
        """Offer what there is to the master that it was for; drop it before another one."""
        if session != self.session:
            self.drop_all()
            self.session = session
            self.open = True
            self.lock.notify_all()
            return
        ended = list(self.answered)
        going_on = list(self.running)
        self.control(Kind.OFFER, struct.pack(f"<{1 + len(ended) + len(going_on)}I", len(ended), *ended, *going_on))

    def serve(self) -> bool:
        """Handle what comes until the end; whether all is over."""
        assert self.peer is not None
        while True:
            ordinal, jid, payload = self.peer.receive()
            try:
                with self.lock:
                    if ordinal != 0:
                        self.take_job(ordinal, jid, payload)
                    elif jid == Kind.BYE and not self.leaving:
                        self.drop_all()
                        return True
                    else:
                        self.handle(jid, Reader(payload))
            except BadValue as error:
                raise BrokenRule(f"the payload of {ordinal}, {jid} does not fit it: {error}") from error

    def leave(self) -> None:
        """Take no more jobs; `run` returns when those that have begun have ended."""
        with self.lock:
            self.leaving = True
            self.control(Kind.BYE)
            self.give_back({task.jid for task in self.waiting})

    def go_when_done(self) -> None:
        """Having left, let the master read all, and close the connection."""
        if self.released and not self.running and self.connection is not None:
            self.connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        with self.lock:
            if self.connection is not None:
                self.connection.close()
            self.connection = None

    def cut(self) -> None:
        """The connection is gone: keep what may be offered, drop the rest."""
        with self.lock:
            self.open = False
            self.peer = None
            self.waiting.clear()
            self.children.clear()
            for task in [*self.running.values(), *self.answered.values()]:
                task.in_force = False
                if task.children or task.cancelled.is_set() or task.printed > self.passed:
                    self.drop(task)
            self.passed = self.pinged
            self.lock.notify_all()

    def drop(self, task: Task) -> None:
        task.in_force = False
        task.cancelled.set()
        self.running.pop(task.jid, None)
        self.answered.pop(task.jid, None)
        self.lock.notify_all()

    def drop_all(self) -> None:
        with self.lock:
            self.waiting.clear()
            for task in [*self.running.values(), *self.answered.values()]:
                self.drop(task)

    # What comes.

    def handle(self, kind: int, payload: Reader) -> None:
        match kind:
            case Kind.PING:
                if len(payload.data) > PING_MAX:
                    raise BadValue("a ping is too long")
                self.control(Kind.PONG, payload.rest())
            case Kind.PONG:
                self.arrived(payload)
            case Kind.CANCEL:
                self.cancel(payload.integer())
            case Kind.RECALL:
                self.give_back(set(payload.integers()))
            case Kind.BYE:
                self.released = True  # the answer to this slave's own
                self.go_when_done()
            case Kind.RESULT:
                self.take_result(payload)
            case Kind.BLOB:
                self.take_blob(payload.rest())
            case Kind.RUN:
                self.take_run(payload)
            case Kind.FORGET:
                for number in payload.integers():
                    if self.blobs.pop(number, None) is None:
                        raise BadValue(f"there is no blob {number}")
            case Kind.OFFER:
                self.take_offer(set(payload.integers()))
            case Kind.CLOCK:
                self.clocked = True
                asked = payload.take(8)
                if self.open:
                    self.control(Kind.CLOCK, asked + struct.pack("<Q", time.monotonic_ns()))
            case _:
                raise BrokenRule(f"there is no control message {kind} for a slave")
        payload.end()

    def take_job(self, ordinal: int, jid: int, payload: bytes) -> None:
        if not 1 <= ordinal <= len(self.jobs):
            raise BrokenRule(f"there is no job {ordinal}")
        self.waiting.append(Task(self, jid, ordinal, payload))
        if self.leaving:
            self.give_back({jid})
        self.begin()

    def take_blob(self, data: bytes) -> None:
        self.last_blob += 1
        self.blobs[self.last_blob] = data
        if sum(len(blob) for blob in self.blobs.values()) > self.blobs_max:
            raise BadValue("more blobs than fit here")

    def take_run(self, payload: Reader) -> None:
        """A job like any other, once its arguments are put together."""
        jid, ordinal, count = payload.integer(), payload.integer(), payload.integer()
        parts = [(payload.integer(), payload.integer()) for _ in range(count)]
        own, at, arguments = payload.rest(), 0, b""
        for offset, number in parts:
            if not at <= offset <= len(own) or number not in self.blobs:
                raise BadValue(f"there is no blob {number}, or no offset {offset}")
            arguments += own[at:offset] + self.blobs[number]
            at = offset
        self.take_job(ordinal, jid, arguments + own[at:])

    def begin(self) -> None:
        """Begin as many jobs as there are slots."""
        while self.waiting and len(self.running) < self.slots + self.lent:
            task = self.waiting.popleft()
            lanes = {other.lane for other in self.running.values()}
            task.lane = next(lane for lane in range(len(lanes) + 1) if lane not in lanes)
            self.running[task.jid] = task
            task.began = time.monotonic_ns()
            threading.Thread(target=self.perform, args=(task,), daemon=True).start()

    def cancel(self, jid: int) -> None:
        for task in [task for task in self.waiting if task.jid == jid]:
            self.waiting.remove(task)
            self.send(-task.ordinal, jid, failure_payload("cancelled"))
        if jid in self.running:
            self.running[jid].cancelled.set()
            self.lock.notify_all()

    def give_back(self, jids: set[int]) -> None:
        """Answer a recall: with those that have not begun."""
        back = [task.jid for task in self.waiting if task.jid in jids]
        self.waiting = deque(task for task in self.waiting if task.jid not in jids)
        self.given_back += len(back)
        self.lock.notify_all()
        self.control(Kind.RECALLED, b"".join(size_bytes(jid) for jid in back))

    def take_result(self, payload: Reader) -> None:
        number, how = payload.integer(), payload.integer()
        if number not in self.children or how not in (FINISHED, FAILED, CANCELLED):
            raise BadValue(f"there is no child {number}, or no ending {how}")
        child = self.children[number]
        child.ending = how, payload.rest()
        if child.released:
            del self.children[number]
        self.lock.notify_all()

    def take_offer(self, wanted: set[int]) -> None:
        """What the master wants is in force again: send what was kept for it."""
        for task in [*self.answered.values(), *self.running.values()]:
            if task.jid not in wanted:
                self.drop(task)
        self.open = True
        for task in [*self.answered.values(), *self.running.values()]:
            task.in_force = True
            for frame in task.kept:
                self.send(*frame)
            task.printed = task.answered = self.mark()
            if task.jid in self.running:
                task.kept.clear()
        self.confirm()
        self.lock.notify_all()

    def arrived(self, payload: Reader) -> None:
        """A pong says that the master has read all that was sent before its ping."""
        if payload.integer("<Q") == self.pinged:
            self.passed = self.pinged
            self.answered = {jid: task for jid, task in self.answered.items() if task.answered > self.passed}
            self.confirm()

    # What goes out; all of it under the lock.

    def send(self, ordinal: int, jid: int, payload: bytes = b"") -> None:
        """A connection that does not take all of it is over; the thread that reads notices that."""
        if self.peer is None or self.connection is None:
            return
        try:
            self.peer.send(ordinal, jid, payload)
        except OSError:
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    def control(self, kind: int, payload: bytes = b"") -> None:
        self.send(0, kind, payload)

    def tell(self, task: Task, frame: tuple[int, int, bytes]) -> None:
        """Send what belongs to a job, or keep it until the master wants it again."""
        if self.open and task.in_force:
            self.send(*frame)
            self.confirm()
        else:
            task.kept.append(frame)

    def mark(self) -> int:
        """The ping that will go out behind what is said now."""
        self.unmarked = self.identity != bytes(16)
        return self.pinged + 1

    def confirm(self) -> None:
        """Ask whether what was sent has arrived, with one ping at a time."""
        if self.unmarked and self.open and self.pinged == self.passed:
            self.unmarked = False
            self.pinged += 1
            self.control(Kind.PING, struct.pack("<Q", self.pinged))

    def new_child(self, job: str) -> Child:
        self.last_number += 1
        result = self.jobs[self.ordinals[job] - 1].result
        child = self.children[self.last_number] = Child(self.last_number, job, result)
        return child

    def spawn(self, task: Task, number: int, flags: int, call: Tail) -> None:
        ordinal = self.ordinals[call.job]
        holes: list[tuple[int, int]] = []
        arguments = b""
        for kind, argument in zip(self.jobs[ordinal - 1].parameters, call.arguments, strict=True):
            if isinstance(argument, Child):
                holes.append((len(arguments), argument.number))
            else:
                arguments += encode(kind, argument)
        head = struct.pack("<5I", task.jid, number, ordinal, flags, len(holes))
        self.control(Kind.SPAWN, head + b"".join(struct.pack("<II", *hole) for hole in holes) + arguments)

    def await_force(self, task: Task) -> None:
        """Until the master wants what the job asks for."""
        while not (self.open and task.in_force):
            task.check()
            self.lock.wait()
        task.check()

    def wait_for(self, task: Task, child: Child) -> None:
        """Lend the slot until the child has ended."""
        self.await_force(task)
        self.control(Kind.LENT, size_bytes(task.jid))
        since = time.monotonic_ns()
        self.lent += 1
        self.begin()
        try:
            while child.ending is None:
                task.check()
                self.lock.wait()
        finally:
            self.lent -= 1
        task.check()
        task.pauses.append((since, time.monotonic_ns()))
        self.control(Kind.REGAINED, size_bytes(task.jid))

    # The thread of a job.

    def perform(self, task: Task) -> None:
        job = self.jobs[task.ordinal - 1]
        tail: Tail | None = None
        ordinal, payload = task.ordinal, b""
        try:
            result = job.function(task, *arguments_of(job, task.arguments))
            if isinstance(result, Tail):
                tail = result
            else:
                payload = encode(job.result, result)
            if len(payload) > self.limit:
                raise Failure(f"a result of {len(payload)} bytes, the limit is {self.limit}")
        except Cancelled:
            ordinal, payload = -task.ordinal, failure_payload("cancelled")
        except Exception as error:
            ordinal, payload = -task.ordinal, failure(job.name, error)
            if len(payload) > self.limit:
                payload = failure_payload("a failure whose message is beyond the limit on payloads")
        with self.lock:
            self.finish(task, ordinal, payload, tail)

    def finish(self, task: Task, ordinal: int, payload: bytes, tail: Tail | None) -> None:
        """Answer, unless nobody wants that any more."""
        if self.running.get(task.jid) is task:
            del self.running[task.jid]
            if self.clocked:
                pauses = [moment for pause in task.pauses[:PAUSES_MAX] for moment in pause]
                times = [task.began, time.monotonic_ns(), *pauses]
                timed = struct.pack(f"<II{len(times)}Q", task.jid, task.lane, *times)
                self.tell(task, (0, Kind.TIMED, timed))
            if tail is not None:
                self.spawn(task, 0, TAIL, tail)
            else:
                self.answer(task, (ordinal, task.jid, payload))
        self.release(task)
        self.go_when_done()
        self.begin()

    def answer(self, task: Task, frame: tuple[int, int, bytes]) -> None:
        """Keep the answer until it is known to have arrived, when the slave could come back."""
        if self.identity != bytes(16) and not task.children:
            task.answered = self.mark()
            self.answered[task.jid] = task
        self.tell(task, frame)
        if task.jid in self.answered and frame not in task.kept:
            task.kept.append(frame)

    def release(self, task: Task) -> None:
        numbers = [child.number for child in task.children if self.children.get(child.number) is child]
        for number in numbers:
            self.children[number].released = True
            if self.children[number].ending is not None:
                del self.children[number]
        if numbers:
            self.control(Kind.RELEASE, struct.pack(f"<{len(numbers)}I", *numbers))


def arguments_of(job: Job, payload: bytes) -> list[object]:
    reader = Reader(payload)
    try:
        values = [reader.value(kind) for kind in job.parameters]
        reader.end()
    except BadValue as error:
        raise Failure("the arguments that came do not fit the job") from error
    return values


def failure_payload(message: str, story: str = "") -> bytes:
    text = message.encode()
    return size_bytes(len(text)) + text + story.encode()


def failure(job: str, error: Exception) -> bytes:
    """What a job gave up with, and where."""
    message = str(error) if isinstance(error, Failure) else f"{type(error).__name__}: {error}"
    said, story = (error.said, error.story) if isinstance(error, Failure) else (message, "")
    last = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__][-1:]
    place = f"{Path(last[0].filename).name}:{last[0].lineno}:1 in " if last else ""
    return failure_payload(message, "\n".join([f"{place}{job}: {said}", *([story] if story else [])]))
