"""Keys and encryption over TCP: who gets in, who does not, and what each is told.

The programs are those of runtime/c/tests/jobs_program.c, plain and under the sanitizers, as in test_master_slave.
"""

from __future__ import annotations

import socket

from test_master_slave import NOOP, Ended, World, built, finish, world

__all__ = ["built", "world"]


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


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
