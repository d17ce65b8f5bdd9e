"""What the tests of --trace, --status and `msc report` share: a program, its processes, a trace that is read.

Processes end with the `Stage` that started them.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from c_warnings import can_sanitize
from program_compiler import Compiled, compile_program

Event = dict[str, Any]
Process = subprocess.Popen[str]

TIME_S = float(os.environ.get("MS_TEST_TIME", "120"))


def compiled(directory: Path, text: str) -> Compiled:
    """With sanitizers, where there are any."""
    (directory / "prog.ms").write_text(text)
    done = compile_program(directory / "prog.ms", directory / "prog", sanitize=can_sanitize())
    assert done.status == 0, done.shown + done.text
    return done


def wait_for(condition: Callable[[], Any]) -> Any:
    """What the condition gives once it holds."""
    deadline = time.monotonic() + TIME_S
    while not (found := condition()):
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.005)
    return found


@dataclass(slots=True)
class Stage:
    """A master and slaves in a directory of their own."""

    programs: Compiled
    directory: Path
    processes: list[Process] = field(default_factory=list)

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *error: object) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()

    def start(self, command: list[str], **environment: str) -> Process:
        pipe = subprocess.PIPE
        given = {**os.environ, **environment}
        process = subprocess.Popen(command, cwd=self.directory, stdout=pipe, stderr=pipe, text=True, env=given)
        self.processes.append(process)
        return process

    def master(self, *options: str, words: tuple[str, ...] = ()) -> Process:
        listen = [] if "--local" in options else ["--listen", f"unix:{self.directory}/s"]
        return self.start([str(self.programs.master), *listen, *options, "--", *words])

    def slave(self, *options: str) -> Process:
        return self.start([str(self.programs.slave), f"unix:{self.directory}/s", *options])

    def end(self, process: Process, status: int = 0) -> tuple[str, str]:
        """What it wrote, once it has ended as it should."""
        out, err = process.communicate(timeout=TIME_S)
        assert process.returncode == status, (process.returncode, out, err)
        return out, err


def status_address(master: Process) -> tuple[str, int]:
    """Where the status of a master is that listens at a port of the system's choice. It says so on its first line."""
    assert master.stderr is not None
    line = master.stderr.readline()
    found = re.fullmatch(r"prog-master: status at http://127\.0\.0\.1:(\d+)/\n", line)
    assert found is not None, line
    return "127.0.0.1", int(found[1])


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    fields: dict[str, str]
    body: str


def exchange(address: tuple[str, int] | str, request: bytes) -> bytes:
    """All that is answered until the connection is closed."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as connection:
        connection.settimeout(TIME_S)
        connection.connect(address)
        connection.sendall(request)
        data = b""
        while piece := connection.recv(65536):
            data += piece
        return data


def understand(data: bytes) -> Answer:
    head, _, body = data.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    version, status, _ = first.split(" ", 2)
    assert version == "HTTP/1.1"
    return Answer(int(status), {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, body)


def get(address: tuple[str, int] | str, path: str, method: str = "GET") -> Answer:
    answer = understand(exchange(address, f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()))
    assert method == "HEAD" or len(answer.body.encode()) == int(answer.fields["content-length"])
    return answer


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace that is whole."""

    events: list[Event]

    @classmethod
    def read(cls, path: Path) -> Trace:
        return cls(json.loads(path.read_text()))

    def of(self, phase: str, category: str | None = None) -> list[Event]:
        return [e for e in self.events if e["ph"] == phase and (category is None or e.get("cat") == category)]

    def metadata(self, name: str) -> list[Event]:
        return [e for e in self.events if e["ph"] == "M" and e["name"] == name]


def start_of(event: Event) -> float:
    return float(event["ts"])


def end_of(event: Event) -> float:
    return float(event["ts"]) + float(event["dur"])
