"""Keys and encryption over TCP: who gets in, who does not, what each is told, and what somebody on the way can do.

The programs are those of runtime/c/tests/jobs_program.c, plain and under the sanitizers, as in test_master_slave. The
other implementation (secure_peer) plays masters and slaves; `Proxy` is whoever owns the cable.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_master_slave import BYE, HELLO, NOOP, TIME_S, WELCOME, Ended, Process, World, built, finish, world

pytest.importorskip("nacl", reason="PyNaCl is not installed")

from secure_peer import AES, CHACHA, MESSAGE_SIZE, SecurePeer, as_master, as_slave, preamble, receive

__all__ = ["built", "world"]

KEY = bytes(range(7, 39))
UNKNOWN = "what came is not authentic"


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def write_key(path: Path, key: bytes = KEY) -> Path:
    path.write_text(key.hex() + "\n")
    path.chmod(0o600)
    return path


@dataclass(slots=True)
class Keyed:
    """A world whose programs meet over TCP and have a key."""

    world: World
    address: str
    key_file: Path

    def master(self, *words: object, options: tuple[str, ...] = ()) -> Process:
        return self.world.master(*words, options=["--listen", self.address, "--key-file", str(self.key_file), *options])

    def slave(self, *options: str, address: str = "") -> Process:
        given = options or ("--key-file", str(self.key_file))
        return self.world.start([str(self.world.built.slave), "-j", "1", *given, address or self.address])

    def connect(self, master: Process) -> socket.socket:
        """Connects as soon as the master listens."""
        host, port = self.address.split(":")
        while True:
            connection = socket.socket()
            connection.settimeout(TIME_S)
            try:
                connection.connect((host, int(port)))
                return connection
            except ConnectionRefusedError:
                connection.close()
                assert master.poll() is None, "the master ended"


@pytest.fixture
def keyed(world: World) -> Keyed:
    shown = finish(world.start([str(world.built.slave), "--version"])).out
    if "with encryption" not in shown:
        pytest.skip("the runtimes were built without libsodium")
    return Keyed(world, free_address(), write_key(world.directory / "key"))


def hello(peer: SecurePeer) -> None:
    names = b"".join(struct.pack("<I", len(name)) + name for name in (b"test", b"any"))
    peer.send(0, HELLO, b"M/s!" + struct.pack("<I", 2) + b"f" * 32 + struct.pack("<II", 1, 99) + bytes(32) + names)


def is_closed(connection: socket.socket) -> bool:
    """Reads to the end."""
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(65536):
            pass
    return True


def next_line(process: Process) -> str:
    """What it says next, and not a byte beyond."""
    assert process.stderr is not None
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(process.stderr.fileno(), 1)
        assert byte, "it has ended"
        line += byte
    return line.decode()


# ---- Without a key


def test_tcp_without_a_key_only_insecurely(world: World) -> None:
    """Also on this machine, which others may use too."""
    for listen in ("0.0.0.0:0", "127.0.0.1:0"):
        ended = finish(world.start([str(world.built.master), "--listen", listen, "--", "nothing"]))
        assert ended.status == 2
        assert "--insecure, on both ends, goes without" in ended.err
    for address in ("192.0.2.1:9", "[::1]:9"):
        ended = finish(world.start([str(world.built.slave), address]))
        assert ended.status == 2
        assert "--insecure, on both ends, goes without" in ended.err
    ended = finish(world.start([str(world.built.master), "--insecure", "--listen", "0.0.0.0:0", "--", "nothing"]))
    assert (ended.status, ended.out) == (0, "slaves 0\nslots 0\n")
    assert "warning: --insecure" in ended.err


def test_insecurely(world: World) -> None:
    address = free_address()
    master = world.master("one", NOOP, 5, options=["--listen", address, "--insecure"])
    slave = world.start([str(world.built.slave), "unix:nobody", address, "--insecure"])
    ended = finish(master)
    assert (ended.status, ended.out, ended.err.count("\n")) == (0, "result 5\n", 1)
    assert ended.err.startswith("prog-master: warning: --insecure: ")
    assert finish(slave) == Ended(0, "", "")


# ---- With one


def test_jobs_with_a_key(keyed: Keyed) -> None:
    for words, out, count in (
        (("one", NOOP, 42), "result 42\n", 1),
        (("many", NOOP, 20000, 0, 1), "sum 199990000\n", 2),
        (("bytes", 3_000_001, 3), "bytes 3000001\n", 2),
    ):
        master = keyed.master(*words, options=("--min-slaves", str(count)))
        slaves = [keyed.slave() for _ in range(count)]
        assert finish(master) == Ended(0, out, "")
        assert [finish(slave) for slave in slaves] == [Ended(0, "", "")] * count


def test_a_key_changes_nothing_over_unix_sockets(world: World) -> None:
    key = str(write_key(world.directory / "key"))
    master = world.master("one", NOOP, 5, options=["--listen", world.address, "--key-file", key])
    slave = world.slave()
    assert finish(master) == Ended(0, "result 5\n", "")
    assert finish(slave) == Ended(0, "", "")


def test_who_has_another_key_or_none(keyed: Keyed) -> None:
    other = write_key(keyed.world.directory / "other", bytes(32))
    master = keyed.master("one", NOOP, 42)
    for options, said, log in (
        (("--key-file", str(other)), "it has another key: give both ends the same --key-file", "it has another key"),
        (("--insecure",), "this master lets in only slaves that have its key: start the slave with --key-file",
         "it has no key: start it with --key-file"),
    ):  # fmt: skip
        ended = finish(keyed.slave(*options))
        assert (ended.status, ended.out) == (2, "")
        assert said in ended.err.splitlines()[-1]
        assert log in next_line(master)
    slave = keyed.slave()
    assert finish(master) == Ended(0, "result 42\n", "")
    assert finish(slave).status == 0


def test_a_key_where_there_is_none(keyed: Keyed) -> None:
    master = keyed.world.master("one", NOOP, 42, options=["--listen", keyed.address, "--insecure"])
    ended = finish(keyed.slave())
    assert ended.status == 2
    words = "it runs with --insecure and has no key: start it with --key-file"
    assert f"the master at {keyed.address}: {words}\n" in ended.err
    slave = keyed.slave("--insecure")
    ended = finish(master)
    assert (ended.status, ended.out) == (0, "result 42\n")
    assert "it has a key, and this master runs with --insecure" in ended.err
    assert finish(slave).status == 0


def test_key_files(world: World) -> None:
    """What is wrong with one is said in one line, by both programs, with the cure."""
    good = write_key(world.directory / "good")
    for name, text, mode, message in (
        ("open", KEY.hex(), 0o640, "others may read or write open: chmod 600 open"),
        ("writable", KEY.hex(), 0o602, "others may read or write writable: chmod 600 writable"),
        ("short", KEY.hex()[2:], 0o600, "short holds no key: a key is 64 hexadecimal digits, as msc key"),
        ("long", KEY.hex() + "00", 0o600, "long holds no key"),
        ("empty", "", 0o600, "empty holds no key"),
        ("words", "x" * 64, 0o600, "words holds no key"),
        ("two", (KEY.hex() + "\n") * 2, 0o600, "two holds no key"),
    ):
        path = world.directory / name
        path.write_text(text)
        path.chmod(mode)
        for program in (world.built.master, world.built.slave):
            ended = finish(world.start([str(program), "--key-file", name]))
            assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
            assert f"--key-file: {message}" in ended.err
    os.mkfifo(world.directory / "fifo", 0o600)
    for name, message in (("missing", "No such file or directory (msc key FILE makes a key)"), (".", ". is not a file"),
                          ("fifo", "fifo is not a file")):  # fmt: skip
        ended = finish(world.start([str(world.built.slave)], {"MS_KEY_FILE": name}))
        assert (ended.status, ended.err.count("\n")) == (2, 1)
        assert "MS_KEY_FILE: " in ended.err
        assert message in ended.err
    for program in (world.built.master, world.built.slave):
        ended = finish(world.start([str(program), "--insecure"], {"MS_KEY_FILE": str(good)}))
        assert (ended.status, ended.err.count("\n")) == (2, 1)
        assert "a key and --insecure contradict each other" in ended.err


def test_a_lonely_master_says_how_to_start_a_slave(keyed: Keyed) -> None:
    master = keyed.master("one", NOOP, 42)
    assert next_line(master).endswith(f"start one with: prog-slave {keyed.address} --key-file FILE\n")
    slave = keyed.slave()
    assert finish(master) == Ended(0, "result 42\n", "")
    assert finish(slave).status == 0


# ---- The other implementation


@pytest.mark.parametrize("ciphers", [CHACHA, CHACHA | AES])
def test_a_slave_of_the_second_implementation(keyed: Keyed, ciphers: int) -> None:
    master = keyed.master("one", NOOP, 42)
    peer = as_slave(keyed.connect(master), KEY, ciphers)
    hello(peer)
    assert peer.receive()[:2] == (0, WELCOME)
    ordinal, jid, payload = peer.receive()
    assert (ordinal, payload) == (NOOP, struct.pack("<i", 42))
    peer.send(NOOP, jid, struct.pack("<i", 43))
    assert peer.receive() == (0, BYE, b"")
    peer.connection.close()
    assert finish(master) == Ended(0, "result 43\n", "")


def listen(keyed: Keyed) -> socket.socket:
    host, port = keyed.address.split(":")
    listener = socket.create_server((host, int(port)))
    listener.settimeout(TIME_S)
    return listener


@pytest.mark.parametrize("cipher", [CHACHA, AES])
def test_a_master_of_the_second_implementation(keyed: Keyed, cipher: int) -> None:
    with listen(keyed) as listener:
        slave = keyed.slave()
        connection, _ = listener.accept()
    connection.settimeout(TIME_S)
    try:
        peer = as_master(connection, KEY, cipher)
    except AssertionError:
        pytest.skip("this processor has no instructions for AES")
    assert peer.receive()[:2] == (0, HELLO)
    peer.send(0, WELCOME, struct.pack("<II", 2000, 1 << 20) + bytes(16))
    peer.send(NOOP, 1, struct.pack("<i", 42))
    assert peer.receive() == (NOOP, 1, struct.pack("<i", 42))
    peer.send(0, BYE)
    assert finish(slave) == Ended(0, "", "")
    connection.close()


# ---- Whoever owns the cable


Attack = Callable[["Proxy", bytes], list[bytes]]
"""Gets what comes next, a message of the handshake or a record; gives what goes on in its place. After b"" the line is
cut."""


class Proxy:
    """Stands between slaves and a master. The first connection is attacked, all others pass."""

    def __init__(self, address: str, to_master: dict[int, Attack], to_slave: dict[int, Attack]) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        host, port = address.split(":")
        self.target = (host, int(port))
        self.attacks = (to_master, to_slave)
        self.passed: tuple[list[bytes], list[bytes]] = ([], [])  # from the slave, and from the master
        self.connections: list[socket.socket] = []
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.target)
            except OSError:
                near.close()
                continue
            is_first = not self.connections
            self.connections += [near, far]
            for index, (source, target) in enumerate(((near, far), (far, near))):
                attacks = self.attacks[index] if is_first else {}
                passed = self.passed[index] if is_first else []
                self.threads.append(threading.Thread(target=self._pass_on, args=(source, target, attacks, passed)))
                self.threads[-1].start()

    def _pass_on(
        self, source: socket.socket, target: socket.socket, attacks: dict[int, Attack], passed: list[bytes]
    ) -> None:
        with contextlib.suppress(OSError, EOFError):
            unit = _receive_or_pass_on(source, target, MESSAGE_SIZE)
            while True:
                attack = attacks.get(len(passed))
                given = [unit] if attack is None else attack(self, unit)
                passed.append(unit)
                target.sendall(b"".join(given))
                if b"" in given:
                    break
                head = _receive_or_pass_on(source, target, 4)
                unit = head + receive(source, struct.unpack("<I", head)[0] + 16)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for one in (self.listener, *self.connections):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self.threads:
            thread.join()


def _receive_or_pass_on(source: socket.socket, target: socket.socket, size: int) -> bytes:
    """So many bytes; fewer, as an alert has, go on when the line ends behind them."""
    data = b""
    while len(data) < size:
        piece = source.recv(size - len(data))
        if not piece:
            target.sendall(data)
            raise EOFError
        data += piece
    return data


@contextlib.contextmanager
def between(
    keyed: Keyed, to_master: dict[int, Attack] | None = None, to_slave: dict[int, Attack] | None = None
) -> Iterator[Proxy]:
    proxy = Proxy(keyed.address, to_master or {}, to_slave or {})
    try:
        yield proxy
    finally:
        proxy.close()


def flip(at: int) -> Attack:
    return lambda _, unit: [unit[:at] + bytes([unit[at] ^ 0x20]) + unit[at:][1:]]


def frame(ordinal: int, jid: int, payload: bytes) -> bytes:
    return struct.pack("<iII", ordinal, jid, len(payload)) + payload


RECORD_ATTACKS: dict[str, Attack] = {
    "a bit of the text": flip(5),
    "a bit of the tag": flip(-1),
    "a length beyond all measure": flip(3),
    "twice": lambda _, unit: [unit, unit],
    "the handshake again": lambda proxy, unit: [proxy.passed[0][0], unit],
    "what the other end said": lambda proxy, unit: [proxy.passed[1][0], unit],
    "not encrypted": lambda _, unit: [frame(0, HELLO, b"M/s!" + bytes(60)), unit],
}


@pytest.mark.parametrize("name", RECORD_ATTACKS)
def test_the_first_record_to_the_master(keyed: Keyed, name: str) -> None:
    """The master cuts the connection off. The slave tries again, and is let in when nobody attacks."""
    master = keyed.master("one", NOOP, 42)
    with between(keyed, to_master={1: RECORD_ATTACKS[name]}) as proxy:
        slave = keyed.slave(address=proxy.address)
        ended = finish(master)
        if name == "twice":  # then it was a slave for a moment, which may have had the job
            finish(slave)
        else:
            assert finish(slave) == Ended(0, "", "")
    assert UNKNOWN in ended.err
    assert (ended.status, ended.out) == (0, "result 42\n")


SLAVE_ATTACKS: dict[str, Attack] = {
    **{name: RECORD_ATTACKS[name] for name in ("a bit of the text", "a bit of the tag", "a length beyond all measure")},
    "the handshake again": lambda proxy, unit: [proxy.passed[1][0], unit],
    "what the other end said": lambda proxy, unit: [proxy.passed[0][1], unit],
    "not encrypted": lambda _, unit: [frame(0, WELCOME, struct.pack("<II", 2000, 1 << 20) + bytes(16)), unit],
    "half of it": lambda _, unit: [unit[:9], b""],
    "nothing": lambda _, unit: [b""],
}


def comes_again(keyed: Keyed, attacks: dict[int, Attack]) -> None:
    """A slave to which this is done has its connection ended, tries again, and works."""
    master = keyed.master("one", NOOP, 42)
    with between(keyed, to_slave=attacks) as proxy:
        slave = keyed.slave(address=proxy.address)
        ended = finish(master)
        assert finish(slave) == Ended(0, "", "")
    assert (ended.status, ended.out) == (0, "result 42\n")


@pytest.mark.parametrize("name", SLAVE_ATTACKS)
def test_the_first_record_to_the_slave(keyed: Keyed, name: str) -> None:
    """The welcome: the slave takes nothing else for one."""
    comes_again(keyed, {1: SLAVE_ATTACKS[name]})


def test_later_records(keyed: Keyed) -> None:
    """Results, and jobs, that were changed: the jobs run again, on a slave that nobody attacks."""
    for direction in ("to_master", "to_slave"):
        master = keyed.master("many", NOOP, 50000, 0, 1)
        with between(keyed, **{direction: {2: flip(-3)}}) as proxy:
            slave = keyed.slave("--key-file", str(keyed.key_file), "--once", address=proxy.address)
            attacked = master if direction == "to_master" else slave
            line = next_line(attacked)
            while "no slave for" in line:  # the slave may have been slow to come
                line = next_line(attacked)
            assert UNKNOWN in line
            honest = keyed.slave()
            ended = finish(master)
            assert (ended.status, ended.out) == (0, "sum 1249975000\n")
            assert finish(honest).status == 0
        finish(slave)


@pytest.mark.parametrize("direction", ["to_master", "to_slave"])
def test_an_attacked_slave_comes_back(keyed: Keyed, direction: str) -> None:
    """As it does when the line is cut."""
    master = keyed.master("many", NOOP, 50000, 0, 1)
    with between(keyed, **{direction: {2: flip(-3)}}) as proxy:
        slave = keyed.slave(address=proxy.address)
        ended = finish(master)
        assert (ended.status, ended.out) == (0, "sum 1249975000\n")
        left = finish(slave)
        assert left.status == 0
    assert UNKNOWN in (ended if direction == "to_master" else left).err


@pytest.mark.parametrize(
    ("at", "said"), [(4, "it speaks another version"), (20, "it has another key"), (50, "it has another key")]
)
def test_the_handshake_to_the_master(keyed: Keyed, at: int, said: str) -> None:
    """What was changed on the way looks like another key or version, and the slave is told so."""
    master = keyed.master("one", NOOP, 42)
    with between(keyed, to_master={0: flip(at)}) as proxy:
        ended = finish(keyed.slave(address=proxy.address))
        assert ended.status == 2
        assert said in ended.err
        honest = keyed.slave(address=proxy.address)
        ended = finish(master)
        assert finish(honest) == Ended(0, "", "")
    assert (ended.status, ended.out) == (0, "result 42\n")
    assert said in ended.err


HANDSHAKE_ATTACKS: dict[str, Attack] = {
    "the public key": flip(20),
    "the cipher": flip(40),
    "the tag": flip(-1),
    "what it said itself": lambda proxy, _: [proxy.passed[0][0]],
    "not encrypted": lambda _, unit: [frame(0, WELCOME, struct.pack("<II", 2000, 1 << 20) + bytes(16)) + unit],
    "half of it": lambda _, unit: [unit[:30], b""],
}


@pytest.mark.parametrize("name", HANDSHAKE_ATTACKS)
def test_the_handshake_to_the_slave(keyed: Keyed, name: str) -> None:
    comes_again(keyed, {0: HANDSHAKE_ATTACKS[name]})


def test_a_downgrade_of_the_slave(keyed: Keyed) -> None:
    """Somebody without the key speaks to the master as if the slave had come without one."""
    master = keyed.master("one", NOOP, 42)
    connection = keyed.connect(master)
    connection.sendall(frame(0, HELLO, b"M/s!" + bytes(80)))
    assert receive(connection, 8) == struct.pack("<iI", 0, 3)
    assert is_closed(connection)
    assert "it has no key" in next_line(master)
    slave = keyed.slave()
    assert finish(master) == Ended(0, "result 42\n", "")
    assert finish(slave).status == 0
    connection.close()


def test_a_recorded_slave(keyed: Keyed) -> None:
    """All that a slave said is said again, to the same master: it does not even become a slave."""
    master = keyed.master("one", NOOP, 42)
    keyed.connect(master).close()  # it listens
    with between(keyed) as proxy:
        host, port = proxy.address.split(":")
        peer = as_slave(socket.create_connection((host, int(port))), KEY)
        hello(peer)
        assert peer.receive()[:2] == (0, WELCOME)
        assert peer.receive()[0] == NOOP
        again = keyed.connect(master)
        again.sendall(b"".join(proxy.passed[0]))
        assert receive(again, 8) == preamble()
        assert UNKNOWN in next_line(master)
        assert is_closed(again)
        again.close()
        peer.connection.close()
    slave = keyed.slave()
    ended = finish(master)
    assert (ended.status, ended.out) == (0, "result 42\n")
    assert finish(slave).status == 0


@pytest.mark.parametrize("name", ["out of order", "one left out"])
def test_records_that_are_moved(keyed: Keyed, name: str) -> None:
    master = keyed.master("one", NOOP, 42)
    peer = as_slave(keyed.connect(master), KEY)
    hello(peer)
    assert peer.receive()[:2] == (0, WELCOME)
    _, jid, _ = peer.receive()
    first, second = (peer.sending.seal(frame(NOOP, jid, struct.pack("<i", value))) for value in (1, 2))
    peer.connection.sendall(second + first if name == "out of order" else second)
    assert UNKNOWN in next_line(master)
    assert is_closed(peer.connection)
    peer.connection.close()
    slave = keyed.slave()
    ended = finish(master)
    assert (ended.status, ended.out) == (0, "result 42\n")
    assert finish(slave).status == 0


# ---- Those who only take up room


def test_whoever_stalls_is_cut_off(keyed: Keyed) -> None:
    """At any place of the greeting."""
    master = keyed.master("one", NOOP, 42)
    connections = [keyed.connect(master) for _ in range(7)]
    connections[1].sendall(preamble()[:3])
    connections[2].sendall(preamble())
    connections[3].sendall(frame(0, HELLO, b"")[:7])
    as_slave(connections[4], KEY)
    as_slave(connections[5], KEY).connection.sendall(b"\x20\0\0\0half")
    half = as_slave(connections[6], KEY)
    half.connection.sendall(half.sending.seal(frame(0, HELLO, bytes(90))[:40]))
    for connection in connections:
        assert is_closed(connection)
        connection.close()
    slave = keyed.slave()
    ended = finish(master)
    assert (ended.status, ended.out) == (0, "result 42\n")
    assert ended.err.count("cut off: it did not say who it is") == len(connections)
    assert finish(slave) == Ended(0, "", "")


def test_those_who_want_something_else(keyed: Keyed) -> None:
    master = keyed.master("one", NOOP, 42)
    for words in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0\x01\xfc", bytes(4) + b"\x02\0\0\0", b"M/s!"):
        connection = keyed.connect(master)
        connection.sendall(words)
        assert is_closed(connection)
        assert "cut off: it does not speak the protocol of M/s" in next_line(master)
        connection.close()
    slave = keyed.slave()
    assert finish(master) == Ended(0, "result 42\n", "")
    assert finish(slave).status == 0
