"""All faults at once, at random moments, from a seed, as long as one likes.

    python tests/faults/campaign.py --minutes 60 --seed 7

A round is a cluster on a unix socket or, with a key, over TCP, some of whose slaves connect through a proxy. Slaves
are killed, stopped and woken, told to leave, started; connections are cut, silenced, slowed down and, with a key,
changed. In the end the program must have printed what it prints without slaves. A round that fails prints its seed
and its events; `--round SEED` does that one again.
"""

from __future__ import annotations

import argparse
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from program_compiler import Compiled

from faults.cluster import Cluster, Member
from faults.programs import compiled
from faults.proxy import SAFE, Fault, Kind, Proxy, draw
from ms.toolchain import SANITIZERS, find_compiler

ROOT = Path(__file__).resolve().parent.parent.parent
EVENTS_MAX = 14
LOST_MAX = 255  # chance may hit one job more often than three times


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Round:
    """One cluster and what happens to it."""

    cluster: Cluster
    moments: random.Random
    key: Path | None
    events: list[str] = field(default_factory=list)
    running: list[Member] = field(default_factory=list)
    stopped: list[Member] = field(default_factory=list)
    faults: list[list[Fault]] = field(default_factory=list)
    proxy: Proxy | None = None

    def faults_of(self, number: int) -> list[Fault]:
        """Of a connection: the first ones have some, so that in the end there are good ones."""
        return self.faults[number] if number < len(self.faults) else []

    # ---- Events

    def start(self) -> None:
        assert self.proxy is not None
        address = self.proxy.address if self.moments.random() < 0.7 else ""
        options = ["--key-file", str(self.key)] if self.key is not None and address else []
        slots = str(self.moments.randint(1, 3))
        self.running.append(self.cluster.start_slave("-j", slots, *options, address=address))

    def kill(self) -> None:
        if self.running:
            self.running.pop(self.moments.randrange(len(self.running))).kill()
        self.start()

    def leave(self) -> None:
        if self.running:
            self.running.pop(self.moments.randrange(len(self.running))).process.terminate()
        self.start()

    def stop(self) -> None:
        if self.running:
            victim = self.running.pop(self.moments.randrange(len(self.running)))
            victim.stop()
            self.stopped.append(victim)
        self.start()

    def go_on(self) -> None:
        if self.stopped:
            victim = self.stopped.pop()
            victim.go_on()
            self.running.append(victim)

    def cut(self) -> None:
        assert self.proxy is not None
        self.proxy.cut()

    def silence(self) -> None:
        assert self.proxy is not None
        self.proxy.silence()
        self.start()

    def scan(self) -> None:
        """A stranger with something to say, or nothing."""
        words = self.moments.choice([b"", b"GET / HTTP/1.1\r\n\r\n", self.moments.randbytes(50), b"M/s!" * 9])
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.settimeout(5)
            try:
                stranger.connect(self.cluster.address.removeprefix("unix:"))
                stranger.sendall(words)
            except OSError:
                return

    def spoil(self) -> None:
        """The next connections through the proxy have faults."""
        kinds: tuple[Kind, ...] = SAFE if self.key is None else tuple(Kind)
        assert self.proxy is not None
        while len(self.faults) < len(self.proxy.links):
            self.faults.append([])
        self.faults.append([draw(self.moments, kinds, 40)])
        self.start()

    # ---- The round

    def play(self) -> None:
        doings = [
            self.start, self.kill, self.kill, self.leave, self.stop, self.go_on, self.cut, self.silence, self.scan,
            self.spoil, self.spoil, self.spoil,
        ]  # fmt: skip
        for _ in range(self.moments.randint(3, EVENTS_MAX)):
            doing = self.moments.choice(doings)
            self.events.append(doing.__name__)
            doing()
            time.sleep(self.moments.uniform(0.0, 0.2))
        for victim in self.stopped:
            victim.go_on()
        self.running.append(self.cluster.start_slave())


def play_round(programs: Compiled, seed: int) -> tuple[str, int]:
    """What went wrong, "" for nothing; and the number of events."""
    moments = random.Random(seed)
    directory = Path(tempfile.mkdtemp(prefix="ms-faults-"))
    key = directory / "key" if moments.random() < 0.5 and find_compiler().sodium is not None else None
    cluster = Cluster(programs, directory)
    played = Round(cluster, moments, key)
    try:
        with cluster:
            options = ["--lost-max", str(LOST_MAX)]
            behind, in_front = cluster.address, f"unix:{directory}/p"
            if key is not None:
                subprocess.run([sys.executable, "-m", "ms", "key", key], cwd=ROOT, check=True)
                behind, in_front = f"127.0.0.1:{free_port()}", "127.0.0.1:0"
                options += ["--listen", behind, "--key-file", str(key)]
            cluster.start_master(*options, words=[str(moments.randint(4, 20)), str(moments.randint(0, 4))])
            with Proxy(behind, in_front, played.faults_of, sealed=key is not None) as proxy:
                played.proxy = proxy
                played.play()
                cluster.let_work(1)
                ended = cluster.finish()
            if (ended.status, ended.out) != (0, cluster.local()):
                return f"{ended}\n{cluster.story()}\n{played.events}\n{proxy.done}", len(played.events)
    except AssertionError as error:
        return f"{error}\n{played.events}", len(played.events)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return "", len(played.events)


def run(minutes: float, seed: int, *, sanitize: str = "") -> int:
    """The exit status."""
    with tempfile.TemporaryDirectory(prefix="ms-faults-") as directory:
        programs = compiled(Path(directory), sanitize=sanitize)
        end = time.monotonic() + 60 * minutes
        rounds = events = 0
        while rounds == 0 or time.monotonic() < end:
            wrong, count = play_round(programs, seed * 1_000_000 + rounds)
            if wrong:
                print(f"round {seed * 1_000_000 + rounds}: {wrong}")
                return 1
            rounds += 1
            events += count
    print(f"{rounds} rounds, {events} events, nothing lost")
    return 0


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--round", type=int, help="this round alone, by the seed that it printed")
    parser.add_argument(
        "--sanitize", nargs="?", const=SANITIZERS, default="", metavar="WHICH",
        help="masters and slaves under sanitizers of the C compiler: thread, or %(const)s when none is named",
    )  # fmt: skip
    given = parser.parse_args(words)
    if given.round is None:
        return run(given.minutes, given.seed, sanitize=given.sanitize)
    with tempfile.TemporaryDirectory(prefix="ms-faults-") as directory:
        wrong, _ = play_round(compiled(Path(directory), sanitize=given.sanitize), given.round)
    print(wrong or "nothing lost")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
