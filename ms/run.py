"""`msc run`: a master and its slaves on this machine, on one terminal.

Starts the processes, passes signals on, replaces slaves that die, gives the master's exit status. What the programs
say to each other is left to them.
Invariants: when `run_programs` returns, every process it started has ended and been waited for, and its directory is
gone. The same holds shortly after msc itself has been killed: the warden, a process of its own session, sees the pipe
from msc close and clears up.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ms.toolchain import ToolchainError

_FAREWELL_S = 2.0  # for slaves to go after their master, and for all to go after msc
_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_SENT_BY_KERNEL = 0x80  # si_code SI_KERNEL: a key on the terminal, which the master has been sent as well
_REPLACEMENTS_FOR_EACH = 8
_VERDICT_S = 0.1  # how long a slave's death may be the master's, of which nothing is known yet
_SOCKET_PATH_MAX = 107  # bytes


def run_programs(master: Path, slave: Path, count: int, options: Sequence[str], words: Sequence[str]) -> int:
    """Runs the master with `count` slaves (with none: serially) and gives its exit status, 128 + n for signal n."""
    tail = ["--", *words] if words else []
    if count == 0:
        return _Run(Path(), None).finish([str(master), "--local", *options, *tail])
    directory = _private_directory()
    address = f"unix:{directory / 'master.sock'}"
    run = _Run(directory, [str(slave), address, "-j", "1", "--quiet"])
    return run.finish([str(master), "--listen", address, *options, *tail], count)


def _private_directory() -> Path:
    """A new directory that only we may enter, with a name short enough for a socket."""
    name = f"ms-run-{os.urandom(6).hex()}"
    base = os.environ.get("TMPDIR") or "/tmp"
    if len(os.fsencode(f"{base}/{name}/master.sock")) > _SOCKET_PATH_MAX or not os.access(base, os.W_OK | os.X_OK):
        base = "/tmp"
    directory = Path(base, name).absolute()
    try:
        directory.mkdir(mode=0o700)
    except OSError as error:
        raise ToolchainError(f"cannot make {directory}: {error.strerror}") from error
    return directory


@dataclass(slots=True)
class _Run:
    directory: Path
    slave_command: list[str] | None
    slaves: set[int] = field(default_factory=set)
    replacements_left: int = 0
    warden: int = 0
    warden_pipe: int = -1

    def finish(self, master_command: list[str], count: int = 0) -> int:
        """All of it, from the first process to the last."""
        watched = {*_PASSED_ON, signal.SIGCHLD}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
        self.replacements_left = count * _REPLACEMENTS_FOR_EACH
        master = 0
        status = 1
        try:
            self._start_warden()
            master = self._spawn(master_command, is_slave=False)
            for _ in range(count):
                self._start_slave()
            status = self._wait_for_master(master, watched)
            master = 0
        finally:
            if master:
                os.kill(master, signal.SIGKILL)
                os.waitpid(master, 0)
            self._end_slaves(watched)
            self._end_warden()
            if self.directory != Path():
                _remove(self.directory)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return status

    # Starting

    def _spawn(self, command: list[str], is_slave: bool) -> int:
        """A process with the signals as they are at birth. The master shares our terminal; slaves read nothing and
        stay out of reach of its keys, as the master tells them what to do."""
        files = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)] if is_slave else []
        restored = [signal.SIGPIPE, signal.SIGXFSZ]  # what Python ignores
        sys.stdout.flush()
        if is_slave:
            pid = os.posix_spawn(
                command[0], command, os.environ, file_actions=files, setsigmask=(), setsigdef=restored, setpgroup=0
            )
        else:
            pid = os.posix_spawn(command[0], command, os.environ, setsigmask=(), setsigdef=restored)
        with contextlib.suppress(BrokenPipeError):  # somebody killed the warden; we can do without
            os.write(self.warden_pipe, pid.to_bytes(4, "little"))
        return pid

    def _start_slave(self) -> None:
        if self.slave_command is not None:
            self.slaves.add(self._spawn(self.slave_command, is_slave=True))

    def _start_warden(self) -> None:
        reading, self.warden_pipe = os.pipe()
        self.warden = os.fork()
        if self.warden == 0:
            os.close(self.warden_pipe)
            try:
                _watch(reading, self.directory)
            finally:
                os._exit(0)
        os.close(reading)

    # Waiting

    def _wait_for_master(self, master: int, watched: set[signal.Signals]) -> int:
        while True:
            event = signal.sigwaitinfo(watched)
            if event.si_signo != signal.SIGCHLD:
                if event.si_code != _SENT_BY_KERNEL:
                    os.kill(master, event.si_signo)
                continue
            ended = _ended_with(master)
            self.slaves.difference_update(ended)
            if master in ended:
                return _exit_status(ended[master])
            for status in ended.values():
                self._slave_ended(status, master)

    def _slave_ended(self, status: int, master: int) -> None:
        """A slave that leaves in good order has been told to; in the place of another one comes a new one."""
        if status == 0:
            return
        _say(f"a slave ended with {_how(status)}")
        if self.replacements_left > 0:
            self.replacements_left -= 1
            self._start_slave()
        elif not self.slaves:
            _say("no slave stays alive; giving up")
            os.kill(master, signal.SIGTERM)

    def _end_slaves(self, watched: set[signal.Signals]) -> None:
        """The master has told those that it knew; some may still be looking for it. Who does not go is made to."""
        for pid in self.slaves:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _FAREWELL_S
        while self.slaves:
            self.slaves.difference_update(_ended())
            left_s = deadline - time.monotonic()
            if self.slaves and (left_s <= 0 or _is_interrupt(signal.sigtimedwait(watched, left_s))):
                break
        for pid in self.slaves:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self.slaves.clear()

    def _end_warden(self) -> None:
        if self.warden:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(self.warden, signal.SIGKILL)
                os.waitpid(self.warden, 0)
            os.close(self.warden_pipe)


def _ended() -> dict[int, int]:
    """The children that have ended since, with their status."""
    found: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        found[pid] = status


def _ended_with(master: int) -> dict[int, int]:
    """The children that have ended. A slave complains when the master goes while it connects: so when one ended
    badly, it is seen first whether the master has ended as well."""
    found = _ended()
    deadline = time.monotonic() + _VERDICT_S
    while any(found.values()) and master not in found and time.monotonic() < deadline:
        signal.sigtimedwait({signal.SIGCHLD}, max(0.0, deadline - time.monotonic()))
        found |= _ended()
    return found


def _is_interrupt(event: signal.struct_siginfo | None) -> bool:
    return event is not None and event.si_signo != signal.SIGCHLD


def _exit_status(status: int) -> int:
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)} ({signal.strsignal(os.WTERMSIG(status))})"
    return f"exit status {os.WEXITSTATUS(status)}"


def _say(text: str) -> None:
    print(f"msc run: {text}", file=sys.stderr, flush=True)


def _remove(directory: Path) -> None:
    """A directory that holds at most sockets and files."""
    for name in os.listdir(directory):
        os.unlink(directory / name)
    os.rmdir(directory)


def _watch(pipe: int, directory: Path) -> None:
    """The warden: learns of each process from the pipe, and clears up when the pipe closes, as only msc's death makes
    it do. Holds descriptors of the processes rather than numbers, which may be given to others by then."""
    os.setsid()
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
    processes: list[int] = []
    while True:
        message = os.read(pipe, 4)
        if len(message) < 4:
            break
        try:
            processes.append(os.pidfd_open(int.from_bytes(message, "little")))
        except OSError:
            continue
    for name in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            try:
                signal.pidfd_send_signal(process, name)
            except OSError:
                continue
        processes = _still_alive(processes, _FAREWELL_S)
    if directory != Path():
        _remove(directory)


def _still_alive(processes: list[int], seconds: float) -> list[int]:
    deadline = time.monotonic() + seconds
    while processes:
        poll = select.poll()
        for process in processes:
            poll.register(process, select.POLLIN)
        ended = {descriptor for descriptor, _ in poll.poll(max(0.0, deadline - time.monotonic()) * 1000)}
        if not ended:
            break
        processes = [process for process in processes if process not in ended]
    return processes
