"""Masters and slaves as real processes, with a program made by hand (runtime/c/tests/jobs_program.c), and faults.

Everything runs plain, under the address sanitizer and under the thread sanitizer. Slaves that have to do something odd
at one certain moment are played from here (`Peer`), so that no test depends on when anything happens.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from c_tools import build_jobs_programs, make

RUNTIME = Path(__file__).resolve().parent.parent / "runtime" / "c"
TIME_S = float(os.environ.get("MS_TEST_TIME", "120"))

NOOP, NAP, FAIL, BIG, TELL, SPIN, TAKE, DIE, HOG, DEEP = range(1, 11)
HELLO, WELCOME, REFUSE, PING, PONG, CANCEL, RECALLED, BYE, OUTPUT, TOOK = 1, 2, 3, 4, 5, 6, 8, 9, 12, 25

Process = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class Built:
    master: Path
    slave: Path


_BUILT: dict[str, Built] = {}  # once for all files of tests


@pytest.fixture(scope="module", params=["", "address,undefined", "thread"], ids=["plain", "address", "thread"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    if request.param in _BUILT:
        return _BUILT[request.param]
    directory = tmp_path_factory.mktemp("built")
    build_jobs_programs(directory, request.param)
    return _BUILT.setdefault(request.param, Built(directory / "prog-master", directory / "prog-slave"))


@pytest.mark.parametrize("sanitize", ["", "address,undefined", "thread"])
def test_c_tests(sanitize: str, tmp_path: Path) -> None:
    done = make("test-net", "test-master", f"BUILD={tmp_path}", f"SANITIZE={sanitize}")
    assert done.returncode == 0, done.stdout + done.stderr
    names = {line.split()[1].rstrip(":") for line in done.stdout.splitlines() if line.startswith(("ok ", "skipped "))}
    assert names == {path.name for room in ("net", "master") for path in RUNTIME.glob(f"tests/test_{room}_*.c")}


@dataclass(slots=True)
class Ended:
    status: int
    out: str
    err: str


@dataclass(slots=True)
class World:
    """Processes and sockets of one test; whatever is left at its end is killed."""

    built: Built
    directory: Path
    processes: list[Process] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.directory / "s"

    @property
    def address(self) -> str:
        return f"unix:{self.path}"

    def start(self, words: list[str], environment: dict[str, str] | None = None, **options: object) -> Process:
        given = {key: value for key, value in os.environ.items() if not key.startswith("MS_")}
        given |= {"TSAN_OPTIONS": "halt_on_error=1", **(environment or {})}
        pipes: dict[str, object] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        process: Process = subprocess.Popen(
            words, cwd=self.directory, env=given, stdin=subprocess.DEVNULL, **pipes  # type: ignore[call-overload]
        )
        self.processes.append(process)
        return process

    def master(self, *words: object, options: list[str] | None = None, **rest: object) -> Process:
        given = ["--listen", self.address] if options is None else options
        return self.start([str(self.built.master), *given, "--", *map(str, words)], **rest)  # type: ignore[arg-type]

    def slave(self, *options: str, **rest: object) -> Process:
        return self.start([str(self.built.slave), *(options or ("-j", "1")), self.address], **rest)  # type: ignore[arg-type]

    def run(self, *words: object, slaves: int = 1, options: list[str] | None = None) -> Ended:
        """A master with slaves; all of the slaves must end with status 0."""
        master = self.master(*words, options=["--listen", self.address, *(options or [])])
        started = [self.slave() for _ in range(slaves)]
        ended = finish(master)
        for slave in started:
            assert finish(slave) == Ended(0, "", "")
        assert not self.path.exists()
        return ended

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def world(built: Built, tmp_path: Path) -> Iterator[World]:
    world = World(built, tmp_path)
    yield world
    world.close()


def finish(process: Process) -> Ended:
    out, err = process.communicate(timeout=TIME_S)
    return Ended(process.returncode, (out or b"").decode(), (err or b"").decode())


class Peer:
    """One end of a connection to a master, played from here."""

    def __init__(self, world: World, master: Process) -> None:
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(TIME_S)
            try:
                self.socket.connect(str(world.path))
                return
            except (FileNotFoundError, ConnectionRefusedError):
                self.socket.close()
                assert master.poll() is None, "the master ended"

    def send(self, ordinal: int, jid: int, payload: bytes = b"") -> None:
        self.socket.sendall(struct.pack("<iII", ordinal, jid, len(payload)) + payload)

    def hello(self, slots: int = 1, identity: bytes = bytes(16), session: bytes = bytes(16), end: bytes = b"") -> bytes:
        """Gives the master's session."""
        names = b"".join(struct.pack("<I", len(name)) + name for name in (b"test", b"any"))
        head = b"M/s!" + struct.pack("<I", 2) + b"f" * 32 + struct.pack("<II", slots, 99)
        self.send(0, HELLO, head + identity + session + names + end)
        ordinal, kind, welcome = self.receive()
        assert (ordinal, kind) == (0, WELCOME)
        return welcome[8:]

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def receive(self) -> tuple[int, int, bytes]:
        ordinal, jid, length = struct.unpack("<iII", self.read(12))
        return ordinal, jid, self.read(length)

    def job(self) -> tuple[int, int, bytes]:
        """The next message that is no ping; pings are answered."""
        while True:
            ordinal, jid, payload = self.receive()
            if (ordinal, jid) != (0, PING):
                return ordinal, jid, payload
            self.send(0, PONG, payload)

    def is_cut_off(self) -> bool:
        """Reads to the end."""
        with contextlib.suppress(EOFError, ConnectionResetError):
            while True:
                self.receive()
        return True

    def close(self) -> None:
        self.socket.close()


# ---- When all is well


def test_one_job(world: World) -> None:
    assert world.run("one", NOOP, 42) == Ended(0, "result 42\n", "")


def test_many_jobs_on_several_slaves(world: World) -> None:
    ended = world.run("many", NOOP, 20000, 0, 1, slaves=2, options=["--min-slaves", "2"])
    assert ended == Ended(0, "sum 199990000\n", "")


@pytest.mark.parametrize("words", [("many", NOOP, 2000, 0, 1), ("any",), ("cancel_outer",)], ids=lambda w: str(w[0]))
def test_while_somebody_looks(world: World, words: tuple[object, ...]) -> None:
    options = ["--trace", "t.json", "--status", f"unix:{world.directory}/status", "--quiet"]
    master = world.master(*words, options=["--listen", world.address, *options])
    slaves = [world.slave("-j", "2") for _ in range(2)]
    while master.poll() is None:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.connect(f"{world.directory}/status")
            connection.sendall(b"GET /status.json HTTP/1.0\r\n\r\n")
            connection.recv(65536)
    ended = finish(master)
    assert (ended.status, ended.err) == (0, "")
    for slave in slaves:
        assert finish(slave) == Ended(0, "", "")
    events = json.loads((world.directory / "t.json").read_text())
    assert len([e for e in events if e.get("cat") == "run"]) >= 1


def test_one_after_the_other(world: World) -> None:
    ended = world.run("trips", 300)
    assert (ended.status, ended.out) == (0, "")


def test_large_payloads(world: World) -> None:
    assert world.run("bytes", 3_000_001, 4, slaves=2) == Ended(0, "bytes 3000001\n", "")


def test_cancel(world: World) -> None:
    assert world.run("cancel") == Ended(0, "third 3\ncancelled\nstate 1\n", "")


def test_any(world: World) -> None:
    master = world.master("any")
    slave = world.slave("-j", "3")
    assert finish(master) == Ended(0, "in no time -1\nany 1\n", "")
    assert finish(slave) == Ended(0, "", "")


def test_output_is_out_before_the_result(world: World) -> None:
    assert world.run("one", TELL, 3) == Ended(0, "line 0\nline 1\nline 2\nresult 3\n", "error 3\n")


def test_much_output(world: World) -> None:
    ended = world.run("one", TELL, 50000)
    assert ended.out == "".join(f"line {i}\n" for i in range(50000)) + "result 50000\n"


def test_a_failed_job(world: World) -> None:
    ended = world.run("one", FAIL, 0)
    lines = ended.err.splitlines()
    assert lines[0].startswith(f"prog.ms:21:12: error: job area(0) failed on slave {socket.gethostname()}:")
    assert lines[1:] == ["  prog.ms:30:3 in master", "  prog.ms:8:16 in area: division by zero"]
    assert (ended.status, ended.out) == (1, "")


def test_error_and_story(world: World) -> None:
    ended = world.run("story", FAIL, 1)
    assert ended.out == "wrong|prog.ms:8:16 in area: wrong\n"


def test_limits_of_a_job(world: World) -> None:
    master = world.master("story", HOG, 100)
    slave = world.slave("-j", "1", "--memory-max", "50M")
    ended = finish(master)
    assert ended.out.startswith("out of memory|prog.ms:10:1 in hog: out of memory")
    assert finish(slave).status == 0


def test_local(world: World) -> None:
    assert finish(world.master("one", NOOP, 42, options=["--local"])) == Ended(0, "result 42\n", "")
    assert finish(world.master("many", NOOP, 1000, 0, 1, options=["--local"])) == Ended(0, "sum 499500\n", "")
    assert finish(world.master("nothing", options=["--local"])) == Ended(0, "slaves 0\nslots 1\n", "")
    failed = finish(world.master("one", FAIL, 0, options=["--local"]))
    assert failed.err.splitlines() == [
        "prog.ms:21:12: error: job area(0) failed",
        "  prog.ms:30:3 in master",
        "  prog.ms:8:16 in area: division by zero",
    ]


def test_slaves_and_slots(world: World) -> None:
    ended = world.run("nothing", slaves=3, options=["--min-slaves", "3"])
    assert ended == Ended(0, "slaves 3\nslots 3\n", "")


@pytest.mark.parametrize(
    ("number", "status", "message"),
    [(1, 1, "no job"), (2, 1, "any of no jobs"), (3, 7, "")],
    ids=["null", "any", "exit"],
)
def test_ends_of_the_master(world: World, number: int, status: int, message: str) -> None:
    ended = world.run("nothing", number, options=["--min-slaves", "1"])
    assert (ended.status, ended.out) == (status, "")
    assert ended.err == (f"prog.ms:22:1: error: {message}\n  prog.ms:30:3 in master\n" if message else "")


def test_progress(world: World) -> None:
    ended = world.run("many", NOOP, 10, 0, 1, options=["--progress=always"])
    assert "10/10 done, 0 running, 0 failed, 1 slave, " in ended.err.splitlines()[-1]
    assert world.run("many", NOOP, 10, 0, 1, options=["--progress"]).err == ""


# ---- Slaves that go


def test_a_job_that_kills_slaves(world: World) -> None:
    master = world.master("one", DIE, 0)
    slaves = [world.slave("-j", "2") for _ in range(3)]
    ended = finish(master)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.splitlines()[-2] == "prog.ms:21:12: error: job die(0) failed: lost 3 slaves"
    assert {finish(slave).status for slave in slaves} == {-signal.SIGKILL}


def test_the_others_never_notice(world: World) -> None:
    master = world.master("poison", 300, options=["--listen", world.address, "--min-slaves", "4", "--quiet"])
    for _ in range(4):
        world.slave("-j", "4")
    ended = finish(master)
    assert ended.out == "innocent 300\n"
    assert ended.err.splitlines()[0].endswith("error: job die(0) failed: lost 3 slaves")


def test_a_slave_is_lost_with_its_job(world: World) -> None:
    master = world.master("one", NOOP, 42)
    peer = Peer(world, master)
    peer.hello()
    ordinal, first_jid, arguments = peer.job()
    assert (ordinal, arguments) == (NOOP, struct.pack("<i", 42))
    peer.close()
    second = Peer(world, master)
    second.hello()
    ordinal, jid, arguments = second.job()
    assert (ordinal, arguments) == (NOOP, struct.pack("<i", 42))
    assert jid != first_jid
    second.send(NOOP, jid, arguments)
    assert second.job() == (0, BYE, b"")
    ended = finish(master)
    assert (ended.status, ended.out) == (0, "result 42\n")
    assert "slave test:99 lost (it closed the connection), 1 job goes back to the queue" in ended.err


def test_a_silent_slave_is_lost(world: World) -> None:
    master = world.master("one", NOOP, 42, options=["--listen", world.address, "--heartbeat", "0.05"])
    peer = Peer(world, master)
    peer.hello()
    assert peer.receive()[0] == NOOP
    assert peer.is_cut_off()
    slave = world.slave()
    ended = finish(master)
    assert (ended.status, ended.out) == (0, "result 42\n")
    assert "slave test:99 lost (no word for 0.15 s), 1 job goes back to the queue" in ended.err
    assert finish(slave).status == 0


def test_a_stopped_slave_is_lost(world: World) -> None:
    options = ["--listen", world.address, "--heartbeat", "0.5", "--min-slaves", "2"]
    master = world.master("many", NAP, 40, 20, 0, options=options)
    slaves = [world.slave(), world.slave()]
    slaves[0].send_signal(signal.SIGSTOP)
    slaves.append(world.slave())
    assert finish(master).out == "sum 800\n"
    slaves[0].kill()


def test_a_slave_leaves_in_good_order(world: World) -> None:
    """What it runs it ends, what it has not begun goes back; other slaves do the rest."""
    master = world.master("many", NAP, 60, 10, 0, options=["--listen", world.address, "--min-slaves", "2"])
    slaves = [world.slave(), world.slave()]
    while not catches(slaves[0].pid, signal.SIGTERM):
        assert slaves[0].poll() is None
    slaves[0].terminate()
    assert finish(slaves[0]) == Ended(0, "", "")
    slaves.append(world.slave())
    ended = finish(master)
    assert (ended.status, ended.out) == (0, "sum 600\n")
    assert "no word" not in ended.err
    assert finish(slaves[1]).status == finish(slaves[2]).status == 0


def test_a_slave_gives_jobs_back(world: World) -> None:
    master = world.master("many", NOOP, 2, 7, 1)
    peer = Peer(world, master)
    peer.hello(slots=2)
    jids = [peer.job()[1], peer.job()[1]]
    peer.send(0, BYE)
    peer.send(0, RECALLED, struct.pack("<I", jids[1]))
    assert peer.job() == (0, BYE, b"")
    peer.send(NOOP, jids[0], struct.pack("<i", 7))
    peer.close()
    slave = world.slave()
    assert finish(master) == Ended(0, "sum 15\n", "")
    assert finish(slave).status == 0


def test_the_second_signal_stops_a_slave_at_once(world: World) -> None:
    master = world.master("one", SPIN, 1)
    slave = world.slave()
    peer = Peer(world, master)  # sees to it that the job runs: a job that is sent to the slave is not sent here
    peer.close()
    while not is_busy(slave.pid):
        assert slave.poll() is None
    slave.terminate()
    slave.terminate()
    while slave.poll() is None:
        slave.send_signal(signal.SIGTERM)
    assert finish(slave).status == 128 + signal.SIGTERM
    master.terminate()
    assert finish(master).status == 128 + signal.SIGTERM


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether it has a handler for the signal."""
    status = Path(f"/proc/{pid}/status").read_text().split()
    return bool(int(status[status.index("SigCgt:") + 1], 16) >> (number - 1) & 1)


def is_busy(pid: int) -> bool:
    """Whether one of its threads has used some time."""
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(words[11]) >= 20


# ---- Masters that go


def test_signals_end_the_master(world: World) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        master = world.master("hold", 1000)
        slave = world.slave()
        assert master.stdout is not None
        while not is_busy(slave.pid):
            assert slave.poll() is None
        master.send_signal(number)
        assert finish(master) == Ended(128 + number, "holding 1000\n", "")
        assert finish(slave) == Ended(0, "", "")
        assert not world.path.exists()


def test_a_killed_master(world: World) -> None:
    master = world.master("hold", 1000)
    slave = world.slave("-j", "1", "--connect-for", "0.5")
    while not is_busy(slave.pid):
        assert slave.poll() is None
    master.kill()
    ended = finish(slave)
    assert (ended.status, ended.out) == (3, "")
    assert ended.err.startswith(f"prog-slave: the master at {world.address} is gone: ")
    assert world.path.exists()
    assert world.run("one", NOOP, 1) == Ended(0, "result 1\n", "")  # the stale socket is taken over


def test_a_living_master_keeps_its_address(world: World) -> None:
    first = world.master("one", NOOP, 1)
    peer = Peer(world, first)
    second = finish(world.master("one", NOOP, 2))
    assert (second.status, second.out) == (1, "")
    assert second.err == (
        f"prog-master: cannot listen on {world.address}: another master listens there"
        " (name another address with --listen)\n"
    )
    peer.close()
    slave = world.slave()
    assert finish(first) == Ended(0, "result 1\n", "")
    assert finish(slave).status == 0


def test_no_master(world: World) -> None:
    ended = finish(world.slave("--connect-for", "0.1"))
    assert ended == Ended(3, "", f"prog-slave: cannot connect to {world.address}: No such file or directory\n")
    assert finish(world.slave("--once")).status == 3


def test_a_slave_that_waits_for_its_master_can_be_stopped(world: World) -> None:
    slave = world.slave()
    while Path(f"/proc/{slave.pid}/task").is_dir() and len(list(Path(f"/proc/{slave.pid}/task").iterdir())) < 2:
        assert slave.poll() is None
    slave.terminate()
    assert finish(slave) == Ended(0, "", "")


# ---- Those who do not belong


def test_a_master_that_closes_before_it_greets_is_tried_again(world: World) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(world.path))
    listener.listen()
    slave = world.slave()
    for _ in range(3):
        connection, _ = listener.accept()
        connection.close()
    listener.close()
    master = world.master("one", NOOP, 6)  # the socket's file is stale now
    assert finish(master) == Ended(0, "result 6\n", "")
    assert finish(slave) == Ended(0, "", "")


def test_another_program(world: World) -> None:
    master = world.master("one", NOOP, 1)
    stranger = finish(world.slave(environment={"TEST_FINGERPRINT": "1"}))
    sentence = "this slave was built from another program: rebuild both with msc"
    assert stranger == Ended(2, "", f"prog-slave: {sentence}\n")
    slave = world.slave()
    ended = finish(master)
    assert (ended.status, ended.out) == (0, "result 1\n")
    assert "refused: it was built from another program" in ended.err
    assert finish(slave).status == 0


GARBAGE = [
    b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
    b"\xff" * 64,
    struct.pack("<iII", 0, HELLO, 0),
    struct.pack("<iII", 0, HELLO, 0xFFFFFFFF),
    struct.pack("<iII", 0, HELLO, 12) + b"M/s!" + struct.pack("<I", 2) + b"ffff",
    struct.pack("<iII", 0, PING, 0),
    struct.pack("<iII", 1, 1, 0),
]


def test_garbage(world: World) -> None:
    master = world.master("one", NOOP, 1)
    for garbage in GARBAGE:
        peer = Peer(world, master)
        peer.socket.sendall(garbage)
        assert peer.is_cut_off()
        peer.close()
    slave = world.slave()
    ended = finish(master)
    assert (ended.status, ended.out) == (0, "result 1\n")
    assert ended.err.count("cut off: ") == len(GARBAGE)
    assert finish(slave).status == 0


BROKEN_RULES: dict[str, Callable[[int], bytes]] = {
    "another ordinal": lambda jid: struct.pack("<iII", DEEP, jid, 0),
    "an ordinal too many": lambda jid: struct.pack("<iII", DEEP + 1, jid, 0),
    "the least ordinal": lambda jid: struct.pack("<iII", -(2**31), jid, 0),
    "another jid": lambda jid: struct.pack("<iII", NOOP, jid + 1, 0),
    "jid 0": lambda jid: struct.pack("<iII", NOOP, 0, 0),
    "a huge jid": lambda jid: struct.pack("<iII", NOOP, 0xFFFFFFFF, 0),
    "a second hello": lambda jid: struct.pack("<iII", 0, HELLO, 0),
    "a master's message": lambda jid: struct.pack("<iIII", 0, CANCEL, 4, jid),
    "no such kind": lambda jid: struct.pack("<iII", 0, 77, 0),
    "a failure without its message": lambda jid: struct.pack("<iIII", -NOOP, jid, 4, 100),
    "an empty failure": lambda jid: struct.pack("<iII", -NOOP, jid, 0),
    "output of nobody": lambda jid: struct.pack("<iIIIB", 0, OUTPUT, 5, jid + 1, 1),
    "output to nowhere": lambda jid: struct.pack("<iIIIB", 0, OUTPUT, 5, jid, 3),
    "too short an output": lambda jid: struct.pack("<iIII", 0, OUTPUT, 4, jid),
    "a job given back without a bye": lambda jid: struct.pack("<iIII", 0, RECALLED, 4, jid),
    "the time of no function": lambda _: struct.pack("<iIIIIQ", 0, TOOK, 16, DEEP + 1, 8, 8000),
    "the time of no jobs": lambda _: struct.pack("<iIIIIQ", 0, TOOK, 16, NOOP, 0, 8000),
    "a payload beyond the limit": lambda jid: struct.pack("<iII", NOOP, jid, 2000),
}


def test_slaves_that_break_the_rules(world: World) -> None:
    options = ["--listen", world.address, "--payload-max", "1K", "--lost-max", "100"]
    master = world.master("one", NOOP, 42, options=options)
    for name, answer in BROKEN_RULES.items():
        peer = Peer(world, master)
        peer.hello()
        peer.socket.sendall(answer(peer.job()[1]))
        assert peer.is_cut_off(), name
        peer.close()
    slave = world.slave()
    ended = finish(master)
    assert (ended.status, ended.out) == (0, "result 42\n")
    assert ended.err.count(", 1 job goes back to the queue") == len(BROKEN_RULES)
    assert finish(slave).status == 0


def test_an_answer_that_comes_twice_counts_once(world: World) -> None:
    master = world.master("many", NOOP, 2, 1, 1)
    peer = Peer(world, master)
    peer.hello()
    _, jid, arguments = peer.job()
    peer.socket.sendall((struct.pack("<iII", NOOP, jid, 4) + arguments) * 2)
    assert peer.is_cut_off()
    slave = world.slave()
    assert finish(master).out == "sum 3\n"
    assert finish(slave).status == 0


def test_too_many_greetings(world: World) -> None:
    master = world.master("one", NOOP, 42)
    peers = [Peer(world, master) for _ in range(70)]
    assert peers[0].is_cut_off()
    slave = world.slave()
    for peer in peers:
        peer.close()
    ended = finish(master)
    assert (ended.status, ended.out) == (0, "result 42\n")
    assert "cut off: others wait, and it did not say who it is" in ended.err
    assert finish(slave).status == 0


def test_payloads_come_in_pieces(world: World) -> None:
    """Byte by byte, and large ones that the master has promised but not sent."""
    master = world.master("many", NOOP, 2, 5, 1)
    peer = Peer(world, master)
    peer.hello()
    for _ in range(2):
        _, jid, arguments = peer.job()
        for byte in struct.pack("<iII", NOOP, jid, 4) + arguments:
            peer.socket.sendall(bytes([byte]))
    assert peer.job() == (0, BYE, b"")
    assert finish(master) == Ended(0, "sum 11\n", "")


# ---- The command line


def test_addresses_and_options(world: World) -> None:
    long = "unix:" + "x" * 200
    for options, message in {
        ("--listen", long): "the path of a socket has at most 107 bytes, this one has 200",
        ("--listen", "nonsense"): '"nonsense" is not an address: unix:PATH, HOST:PORT or [IPV6]:PORT',
        ("--listen", "h:70000"): '"h:70000": the port is a number from 0 to 65535',
        ("--listen", "::1:80"): '"::1:80": an IPv6 address needs brackets, as in [::1]:4242',
        ("--listen",): "a value is missing",
        ("--lost-max", "0"): '"0" is not a number from 1 to 255',
        ("--nonsense",): "there is no such option (--help shows those there are)",
        ("--local=1",): "this option takes no value",
        ("word",): "there may be no such word here",
    }.items():
        ended = finish(world.start([str(world.built.master), *options]))
        assert (ended.status, ended.out) == (2, ""), options
        assert ended.err.startswith("prog-master: ")
        assert message in ended.err
        assert ended.err.count("\n") == 1


def test_options_from_the_environment(world: World) -> None:
    environment = {"MS_LISTEN": world.address, "MS_MIN_SLAVES": "2"}
    master = world.master("nothing", options=[], environment=environment)
    environment = {"MS_ADDRESS": f"unix:nobody,{world.address}", "MS_SLOTS": "3"}
    slaves = [world.start([str(world.built.slave)], environment) for _ in range(2)]
    assert finish(master) == Ended(0, "slaves 2\nslots 6\n", "")
    assert {finish(slave).status for slave in slaves} == {0}
    ended = finish(world.master("nothing", options=[], environment={"MS_LOST_MAX": "x"}))
    assert ended == Ended(2, "", 'prog-master: MS_LOST_MAX: "x" is not a number from 1 to 255\n')


def test_the_default_address(world: World) -> None:
    private = world.directory / "run"
    private.mkdir(mode=0o700)
    environment = {"XDG_RUNTIME_DIR": str(private)}
    master = world.master("one", NOOP, 3, options=[], environment=environment)
    slave = world.start([str(world.built.slave)], environment)
    assert finish(master) == Ended(0, "result 3\n", "")
    assert finish(slave) == Ended(0, "", "")
    assert (private / "ms").stat().st_mode & 0o777 == 0o700
    assert list((private / "ms").iterdir()) == []
    (private / "ms").chmod(0o755)
    ended = finish(world.master("nothing", options=[], environment=environment))
    assert ended.status == 1
    assert "is not a directory of yours with mode 0700" in ended.err


def test_help_and_version(world: World) -> None:
    for program in (world.built.master, world.built.slave):
        shown = finish(world.start([str(program), "--help"]))
        assert (shown.status, shown.err) == (0, "")
        assert shown.out.startswith("usage: prog-")
        shown = finish(world.start([str(program), "--version"]))
        assert (shown.status, shown.err) == (0, "")
        assert "protocol 2, for test" in shown.out


# ---- Standard output


def test_a_full_disk_is_not_silent(world: World) -> None:
    with open("/dev/full", "wb") as full:
        for options in (["--local"], ["--listen", world.address, "--min-slaves", "1"]):
            slave = world.slave() if "--listen" in options else None
            ended = finish(world.master("one", NOOP, 1, options=options, stdout=full))
            assert ended == Ended(1, "", "prog-master: cannot write standard output: No space left on device\n")
            assert slave is None or finish(slave).status == 0


def test_a_closed_pipe_is_not_silent(world: World) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    master = world.master("many", TELL, 20, 100, 0, stdout=writer)
    os.close(writer)
    slave = world.slave()
    ended = finish(master)
    assert ended.status == 1
    assert "cannot write standard output: Broken pipe" in ended.err
    assert finish(slave).status == 0
    assert not world.path.exists()
