"""What a machine can run out of, and a network of its own: needs root, and says so where it can't be had.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


def _run(*words: str | Path) -> None:
    subprocess.run([*map(str, words)], check=True, capture_output=True)


def limited(kind: int, limit: int) -> None:
    """In a process that is about to become another program. Hard: nobody raises it again."""
    resource.setrlimit(kind, (limit, limit))


# ---- Disks


@contextmanager
def small_disk(directory: Path, size: int) -> Iterator[Path]:
    """A file system of so many bytes."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a file system of one's own needs root")
    place = directory / "disk"
    place.mkdir()
    try:
        _run("mount", "-t", "tmpfs", "-o", f"size={size}", "none", place)
    except subprocess.CalledProcessError:
        pytest.skip("this machine mounts no file systems, as in a container")
    try:
        yield place
    finally:
        _run("umount", "-l", place)


# ---- Networks


@dataclass(frozen=True, slots=True)
class Host:
    """A machine with a network of its own: a namespace, joined to ours by a cable."""

    name: str
    cable: str
    ours: str  # the addresses of the two ends
    theirs: str

    @property
    def inside(self) -> list[str]:
        """What stands in front of a command that is to run there."""
        return ["ip", "netns", "exec", self.name]

    def unplug(self) -> None:
        """No bytes go any more and nobody is told: our end of the cable stays up, theirs goes down."""
        _run("ip", "-n", self.name, "link", "set", "far", "down")

    def plug_in(self) -> None:
        _run("ip", "-n", self.name, "link", "set", "far", "up")


@contextmanager
def host(number: int) -> Iterator[Host]:
    """One of up to 64 for each process of the tests."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    key = (os.getpid() * 64 + number) % 16384
    net = f"10.213.{key // 64}"
    made = Host(f"ms-{key}", f"ms{key}", f"{net}.{key % 64 * 4 + 1}", f"{net}.{key % 64 * 4 + 2}")
    try:
        _run("ip", "netns", "add", made.name)
    except subprocess.CalledProcessError:
        pytest.skip("this machine makes no network namespaces, as in a container")
    try:
        _run("ip", "link", "add", made.cable, "type", "veth", "peer", "name", "far", "netns", made.name)
        _run("ip", "addr", "add", f"{made.ours}/30", "dev", made.cable)
        _run("ip", "link", "set", made.cable, "up")
        _run("ip", "-n", made.name, "addr", "add", f"{made.theirs}/30", "dev", "far")
        _run("ip", "-n", made.name, "link", "set", "far", "up")
        yield made
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            _run("ip", "link", "del", made.cable)
        _run("ip", "netns", "del", made.name)
