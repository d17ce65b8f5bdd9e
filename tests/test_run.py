"""`msc run` with small stand-ins for the two programs: who is started, told, replaced, and that nobody is left."""

from __future__ import annotations

import os
import pty
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

DEADLINE_S = 30.0

RUN = """
import sys
from pathlib import Path
from ms.run import run_programs
count, *rest = sys.argv[1:]
options = [word for word in rest if word.startswith("--")]
words = [word for word in rest if not word.startswith("--")]
sys.exit(run_programs(Path("master"), Path("slave"), int(count), options, words))
"""

PRELUDE = f"""#!{sys.executable}
import os, signal, socket, sys, time
def note(text):
    with open("log", "a") as file: file.write(text + "\\n")
"""

# Waits for so many slaves, does what the test says, and leaves; then the slaves see their connections close.
MASTER = PRELUDE + """
note(f"master {os.getpid()} " + " ".join(sys.argv[1:]))
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[2].removeprefix("unix:"))
listener.listen()
slaves = [listener.accept()[0] for _ in range(SLAVES)]
note("ready")
BODY
"""

SLAVE = PRELUDE + """
note(f"slave {os.getpid()} " + " ".join(sys.argv[1:]))
BODY
connection = socket.socket(socket.AF_UNIX)
while True:
    try:
        connection.connect(sys.argv[1].removeprefix("unix:"))
        break
    except (FileNotFoundError, ConnectionRefusedError):
        time.sleep(0.01)
        if not os.path.isdir(os.path.dirname(sys.argv[1].removeprefix("unix:"))): sys.exit(3)
note(f"connected {os.getpid()}")
connection.recv(1)
AFTER
"""


class Place:
    """A directory with the two programs, and what they noted."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.temporary = directory / "temporary"
        self.temporary.mkdir()
        self.environment = {**os.environ, "TMPDIR": str(self.temporary)}

    def programs(self, master: str, slaves: int, slave: str = "", after: str = "") -> None:
        texts = {
            "master": MASTER.replace("SLAVES", str(slaves)).replace("BODY", master),
            "slave": SLAVE.replace("BODY", slave).replace("AFTER", after),
        }
        for name, text in texts.items():
            (self.directory / name).write_text(text)
            (self.directory / name).chmod(0o755)

    def command(self, count: int, *words: str) -> list[str]:
        return [sys.executable, "-c", RUN, str(count), *words]

    def run(self, count: int, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        command = self.command(count, *words)
        return subprocess.run(
            command, cwd=self.directory, env=self.environment, input=stdin, capture_output=True, check=False
        )

    def log(self) -> list[str]:
        path = self.directory / "log"
        return path.read_text().splitlines() if path.exists() else []

    def pids(self, who: str) -> list[int]:
        return [int(line.split()[1]) for line in self.log() if line.startswith(who + " ")]

    def everybody(self) -> list[int]:
        return self.pids("master") + self.pids("slave")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path)
    yield found
    left = [pid for pid in found.everybody() if is_alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left
    assert list(found.temporary.iterdir()) == []


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_status_words_and_slaves(place: Place) -> None:
    place.programs("print('out'); sys.exit(7)", slaves=3)
    done = place.run(3, "--progress", "one", "two words")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"")
    master = next(line for line in place.log() if line.startswith("master")).split(maxsplit=4)
    assert master[2] == "--listen"
    assert master[4] == "--progress -- one two words"
    slaves = [line.split()[2:] for line in place.log() if line.startswith("slave")]
    assert slaves == [[master[3], "-j", "1", "--quiet"]] * 3


def test_socket_is_where_nobody_else_gets_in(place: Place) -> None:
    place.programs("print(os.stat(os.path.dirname(sys.argv[2][5:])).st_mode)", slaves=1)
    assert stat.S_IMODE(int(place.run(1).stdout)) == 0o700


def test_no_slaves_is_serial(place: Place) -> None:
    (place.directory / "master").write_text(PRELUDE + "print(sys.argv[1:])")
    (place.directory / "master").chmod(0o755)
    done = place.run(0, "--quiet", "word")
    assert (done.returncode, done.stdout) == (0, b"['--local', '--quiet', '--', 'word']\n")


def test_death_by_a_signal(place: Place) -> None:
    place.programs("os.kill(os.getpid(), signal.SIGKILL)", slaves=2)
    done = place.run(2)
    assert (done.returncode, done.stderr) == (128 + signal.SIGKILL, b"")


def test_standard_input_is_the_masters(place: Place) -> None:
    place.programs("print(sys.stdin.read())", slaves=2, slave="assert sys.stdin.read() == ''")
    assert place.run(2, stdin=b"some text").stdout == b"some text\n"


def test_signals_of_children_are_as_at_birth(place: Place) -> None:
    (place.directory / "master").write_text("#!/bin/sh\ngrep -E '^Sig(Blk|Ign)' /proc/self/status\n")
    (place.directory / "master").chmod(0o755)
    printed = place.run(0).stdout.decode().split()
    assert int(printed[1], 16) == 0
    assert int(printed[3], 16) & (1 << (signal.SIGPIPE - 1)) == 0


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_are_passed_on(place: Place, name: str) -> None:
    number = int(getattr(signal, name))
    body = f"signal.signal({number}, lambda *_: (note('told'), os._exit({128 + number}))); note('go'); time.sleep(1000)"
    place.programs(body, slaves=1)
    with subprocess.Popen(place.command(1), cwd=place.directory, env=place.environment) as running:
        wait_until(lambda: "go" in place.log())
        running.send_signal(number)
        assert running.wait(DEADLINE_S) == 128 + number
    assert "told" in place.log()


def test_key_on_the_terminal_reaches_the_master_once(place: Place) -> None:
    body = (
        "count = []\n"
        "signal.signal(signal.SIGINT, lambda *_: (count.append(1), note('told')))\n"
        "note('go')\n"
        "sys.stdin.readline()\n"
        "note(f'times {len(count)}')\n"
        "sys.exit(5)"
    )
    place.programs(body, slaves=2, slave="signal.signal(signal.SIGINT, lambda *_: note('slave told'))")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(place.directory)
        os.execve(sys.executable, place.command(2), place.environment)
    wait_until(lambda: "go" in place.log())
    os.write(terminal, b"\x03")
    wait_until(lambda: "told" in place.log())
    os.write(terminal, b"\n")
    shown = b""
    while select.select([terminal], [], [], DEADLINE_S)[0]:
        try:
            shown += os.read(terminal, 1000)
        except OSError:  # nobody has the terminal any more
            break
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 5, shown
    assert "times 1" in place.log()
    assert "slave told" not in place.log()


def test_slave_that_does_not_go_is_made_to(place: Place) -> None:
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    place.programs("sys.exit(0)", slaves=2, slave=deaf, after="time.sleep(1000)")
    assert place.run(2).returncode == 0


def test_slave_that_dies_is_replaced(place: Place) -> None:
    body = "try: os.mkdir('first'); os.kill(os.getpid(), signal.SIGSEGV)\nexcept FileExistsError: pass"
    place.programs("sys.exit(0)", slaves=2, slave=body)
    done = place.run(2)
    assert done.returncode == 0
    assert len(place.pids("slave")) == 3
    assert done.stderr == b"msc run: a slave ended with signal 11 (Segmentation fault)\n"


def test_slave_that_fails_because_the_master_goes_is_not_told_of(place: Place) -> None:
    place.programs("sys.exit(0)", slaves=1, after="sys.exit(2)")
    done = place.run(1)
    assert (done.returncode, done.stderr) == (0, b"")


def test_slaves_that_never_live_end_it(place: Place) -> None:
    place.programs("sys.exit(0)", slaves=1, slave="sys.exit(9)")
    done = place.run(1)
    assert done.returncode == 128 + signal.SIGTERM
    assert b"a slave ended with exit status 9" in done.stderr
    assert done.stderr.endswith(b"no slave stays alive; giving up\n")


def test_slave_that_leaves_in_good_order_is_not_missed(place: Place) -> None:
    place.programs("slaves[0].close(); sys.stdin.read(); sys.exit(0)", slaves=2)
    done = place.run(2)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(place.pids("slave")) == 2


@pytest.mark.parametrize("deaf", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"])
def test_nothing_is_left_when_msc_is_killed(place: Place, deaf: str) -> None:
    place.programs(f"{deaf}\nnote('go'); time.sleep(1000)", slaves=2, slave=deaf, after="time.sleep(1000)")
    with subprocess.Popen(place.command(2), cwd=place.directory, env=place.environment) as running:
        wait_until(lambda: "go" in place.log())
        running.kill()
    wait_until(lambda: not any(map(is_alive, place.everybody())))
    wait_until(lambda: list(place.temporary.iterdir()) == [])


def test_program_that_cannot_be_started_leaves_nothing(place: Place) -> None:
    place.programs("sys.exit(0)", slaves=1)
    (place.directory / "slave").unlink()
    assert place.run(1).returncode != 0
    assert list(place.temporary.iterdir()) == []
