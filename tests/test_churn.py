"""Slaves that come and go leave nothing behind: descriptors, threads and memory of master and slave are what they were.

They are read from /proc/PID. A job that waits for a file holds the program meanwhile, so nothing else changes them.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from faults.cluster import Cluster, Member
from faults.enemy import hello_of
from faults.programs import compiled
from faults.proxy import Proxy, plain_unit
from program_compiler import Compiled

WAITING = """
job int gate(int n) {
    write_file("it runs", "");
    while (!file_exists("go")) sleep(0.005);
    return n;
}
master { print(get(remote gate(7))); }
"""
WARM_UP, MANY = 40, 400
BACK = " is back, 1 of its jobs goes on"
MORE_KB = 512  # what an allocator may keep of so many more


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return compiled(tmp_path_factory.mktemp("programs"), WAITING, "waiting")


@pytest.fixture
def cluster(programs: Compiled, tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(programs, tmp_path) as cluster:
        yield cluster
        print(cluster.story())  # is shown when the test has failed


@dataclass(frozen=True, slots=True)
class Use:
    descriptors: int
    threads: int

    @classmethod
    def of(cls, member: Member) -> Use:
        process = Path("/proc") / str(member.process.pid)
        return cls(len(list((process / "fd").iterdir())), len(list((process / "task").iterdir())))


def memory_kb(member: Member) -> int:
    lines = (Path("/proc") / str(member.process.pid) / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def begin(cluster: Cluster, **of_slave: str) -> tuple[Member, Member]:
    """A master, and a slave that runs the job."""
    master = cluster.start_master()
    slave = cluster.start_slave(**of_slave)
    cluster.wait_until(lambda: (cluster.directory / "it runs").exists(), "the job runs")
    return master, slave


def end(cluster: Cluster, slave: Member) -> None:
    ended = cluster.finish()
    assert (ended.status, ended.out) == (0, "7\n")
    assert slave.wait().status == 0


def come_and_go(cluster: Cluster, hello: bytes, count: int) -> None:
    """So many slaves are let in, and lost."""
    for _ in range(count):
        with socket.socket(socket.AF_UNIX) as end:
            end.connect(cluster.address.removeprefix("unix:"))
            end.sendall(hello)
            plain_unit(end, 0)  # the welcome


def settled(cluster: Cluster, master: Member, hello: bytes) -> Use:
    """What it uses after the first losses: the thread that writes its log stays."""
    idle = Use.of(master).descriptors
    come_and_go(cluster, hello, WARM_UP)
    cluster.wait_until(lambda: master.log().count(" lost (") == WARM_UP, "they are lost")
    cluster.wait_until(lambda: Use.of(master).descriptors == idle, "all are closed")
    return Use.of(master)


def test_a_master_whose_slaves_come_and_go(cluster: Cluster) -> None:
    master, slave = begin(cluster)
    hello = hello_of(cluster.programs.slave, cluster.directory)
    use, before_kb = settled(cluster, master, hello), memory_kb(master)
    come_and_go(cluster, hello, MANY)
    cluster.wait_until(lambda: Use.of(master) == use, "all is as it was")
    assert memory_kb(master) <= before_kb + MORE_KB
    end(cluster, slave)


@pytest.mark.parametrize("options", [(), ("--isolate",)], ids=["threads", "isolate"])
def test_slaves_that_are_killed(cluster: Cluster, options: tuple[str, ...]) -> None:
    master, slave = begin(cluster)
    use = settled(cluster, master, hello_of(cluster.programs.slave, cluster.directory))
    for _ in range(5):
        victim = cluster.start_slave("-j", "3", *options)
        cluster.wait_until(lambda: Use.of(master) != use, "it has come")
        victim.kill()
        victim.wait()
        cluster.wait_until(lambda: Use.of(master) == use, "all is as it was")
    end(cluster, slave)


def test_a_slave_whose_connection_breaks_again_and_again(cluster: Cluster) -> None:
    with Proxy(cluster.address, f"unix:{cluster.directory}/p") as proxy:
        master, slave = begin(cluster, address=proxy.address)

        def cut_until(count: int) -> None:
            for number in range(master.log().count(BACK), count):
                proxy.cut()
                cluster.wait_until(lambda wanted=number: master.log().count(BACK) > wanted, "its job goes on")  # type: ignore[misc]

        cut_until(3)
        before_kb, of_slave, of_master = memory_kb(slave), Use.of(slave), Use.of(master)
        cut_until(14)
        cluster.wait_until(lambda: (Use.of(slave), Use.of(master)) == (of_slave, of_master), "all is as it was")
        assert memory_kb(slave) <= before_kb + MORE_KB
        end(cluster, slave)
