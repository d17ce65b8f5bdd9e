"""Masters among enemies: whatever they do, the honest slaves work on, and the program prints what it prints without
slaves.

The master runs under the address sanitizer where there is one. What single messages that break the rules lead to
stands in test_master_slave.py; what random bytes do in test_fuzz.py.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from c_warnings import can_sanitize
from faults.cluster import Cluster
from faults.enemy import AS_A_SLAVE, WITHOUT_A_KEY, attack, frame, hello_of
from faults.programs import compiled
from faults.proxy import Ended, listen, plain_unit
from program_compiler import Compiled


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return compiled(tmp_path_factory.mktemp("programs"), sanitize=can_sanitize())


@pytest.fixture
def cluster(programs: Compiled, tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(programs, tmp_path) as cluster:
        yield cluster
        print(cluster.story())  # is shown when the test has failed


@pytest.mark.parametrize("name", [*WITHOUT_A_KEY, *AS_A_SLAVE])
def test_honest_slaves_are_served_meanwhile(name: str, cluster: Cluster) -> None:
    """One of them joins while the attack goes on."""
    master = cluster.start_master("--lost-max", "255", "--started-max", "1000")
    first = cluster.start_slave()
    cluster.let_work(1)
    with attack(cluster.address, hello_of(cluster.programs.slave, cluster.directory), name) as enemies:
        cluster.let_work(1)
        second = cluster.start_slave()
        cluster.let_work(2)
        wanted = 300 if name in ("crowd", "silent") else 1
        cluster.wait_until(lambda: enemies[0].count >= wanted, "the attack")
        if name == "starts_jobs":
            cluster.wait_until(lambda: master.says("cut off: it has started more jobs than 1000 at once"), "the limit")
    ended = cluster.finish()
    assert (ended.status, ended.out) == (0, cluster.local())
    assert {first.wait().status, second.wait().status} <= {0, 3}  # 3: cut off from a busy master, which then ended
    assert len(master.log().splitlines()) < 3000, "the log is no way to fill a disk"


def test_strangers_fill_no_log(cluster: Cluster) -> None:
    master = cluster.start_master()
    cluster.start_slave()
    with attack(cluster.address, b"", "crowd") as enemies:
        cluster.let_work(1)
        cluster.wait_until(lambda: enemies[0].count >= 1000, "a thousand connections")
        cluster.wait_until(lambda: master.says(" more connections were cut off or refused"), "it counts them")
    assert cluster.finish().status == 0
    assert len(master.log().splitlines()) < enemies[0].count / 2


def test_a_slave_says_nothing_of_jobs_that_were_stopped(cluster: Cluster) -> None:
    """Its master goes wrong while a job runs: that it was stopped for that is no answer."""
    door = listen(cluster.address)
    slave = cluster.start_slave("--once")
    connection, _ = door.accept()
    with door, connection:
        plain_unit(connection, 0)
        connection.sendall(frame(0, 2, struct.pack("<II", 2000, 1 << 30) + bytes(range(16))))
        connection.sendall(frame(1, 7, struct.pack("<ii", 3, 60_000)))  # a long nap
        connection.sendall(frame(0, 4, b"there?"))
        assert plain_unit(connection, 1) == frame(0, 5, b"there?")
        connection.sendall(frame(0, 77))
        connection.shutdown(socket.SHUT_WR)
        with pytest.raises(Ended):
            raise AssertionError(plain_unit(connection, 2))
    assert slave.wait().status == 3
