"""A master and slaves as processes, in a directory and on an address of their own.

Always holds: what a cluster has started has ended when its context is left, by its process id; a wait that does not
come true says what everybody wrote until then; no sanitizer has found anything. What else should happen is said by the
tests.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from program_compiler import Compiled

TIME_S = float(os.environ.get("MS_TEST_TIME", "60"))
HEARTBEAT_S = 0.2
REPORTS = ("Sanitizer: ", ": runtime error: ")  # of a sanitizer
Process = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class Ended:
    status: int
    out: str
    err: str


@dataclass(slots=True)
class Member:
    """A process and the files that it writes to."""

    name: str
    process: Process
    out: Path
    err: Path

    def log(self) -> str:
        return self.err.read_text(errors="replace")

    def says(self, words: str) -> bool:
        return words in self.log()

    def wait(self) -> Ended:
        self.process.wait(TIME_S)
        return Ended(self.process.returncode, self.out.read_text(errors="replace"), self.log())

    def kill(self) -> None:
        self.process.kill()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@dataclass(slots=True)
class Cluster:
    programs: Compiled
    directory: Path
    address: str = ""
    members: list[Member] = field(default_factory=list)
    master: Member | None = None

    def __enter__(self) -> Cluster:
        self.address = self.address or f"unix:{self.directory}/s"
        return self

    def __exit__(self, *error: object) -> None:
        for member in self.members:
            if member.process.poll() is None:
                member.process.kill()
            member.process.wait()
        if isinstance(error[1], BaseException):
            error[1].add_note(self.story())
        assert not any(mark in member.log() for member in self.members for mark in REPORTS), self.story()

    def story(self) -> str:
        """What everybody said, for a test that fails."""
        lines = [f"{m.name} (status {m.process.poll()}): {m.log().strip()}" for m in self.members]
        return "\n".join(lines)

    # ---- Starting

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        inside: Sequence[str] = (),
        before: Callable[[], None] | None = None,
        out: Path | None = None,
    ) -> Member:
        """`inside`: words in front of the command; `before` runs in the new process."""
        number = len(self.members)
        member_out = out or self.directory / f"{number}.out"
        member_err = self.directory / f"{number}.err"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MS_")}
        with member_out.open("wb") as to, member_err.open("wb") as errors:
            process = subprocess.Popen(
                [*inside, *map(str, command)], cwd=self.directory, env=environment, stdin=subprocess.DEVNULL,
                stdout=to, stderr=errors, preexec_fn=before,
            )  # fmt: skip
        member = Member(name, process, member_out, member_err)
        self.members.append(member)
        return member

    def start_master(self, *options: str, words: Sequence[str] = (), **rest: object) -> Member:
        listen = ["--listen", self.address, "--heartbeat", str(HEARTBEAT_S), *options]
        command = [self.programs.master, *listen, "--", *words]
        self.master = self.start("master", command, **rest)  # type: ignore[arg-type]
        return self.master

    def start_slave(self, *options: str, address: str = "", **rest: object) -> Member:
        number = sum(member.name.startswith("slave") for member in self.members) + 1
        command = [self.programs.slave, address or self.address, "-j", "1", "--connect-for", "20", *options]
        return self.start(f"slave {number}", command, **rest)  # type: ignore[arg-type]

    # ---- Waiting

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + TIME_S
        while not condition():
            if self.master is not None and self.master.process.poll() is not None:
                assert condition(), f"{what}: the master has ended\n{self.story()}"
                return
            assert time.monotonic() < deadline, f"{what}: it does not happen\n{self.story()}"
            time.sleep(0.003)

    def waves(self) -> int:
        """How many the program has done."""
        try:
            return int((self.directory / "waves").read_text() or "0")
        except (FileNotFoundError, ValueError):
            return 0

    def let_work(self, waves: int = 2) -> None:
        """Until so many more are done."""
        wanted = self.waves() + waves
        self.wait_until(lambda: self.waves() >= wanted, f"{waves} more waves")

    def finish(self) -> Ended:
        """The program may end; how it did."""
        (self.directory / "go").write_bytes(b"")
        assert self.master is not None
        return self.master.wait()

    def local(self) -> str:
        """What the program prints without slaves."""
        (self.directory / "go").write_bytes(b"")
        done = subprocess.run(
            [self.programs.master, "--local"], cwd=self.directory, capture_output=True, text=True, check=True
        )
        (self.directory / "go").unlink()
        return done.stdout
