"""Connections of real slaves that break, and what that costs: nothing that is printed, and as a rule no job twice.

`faults.proxy` stands between the slaves and their master; the moments are drawn from a seed (MS_BLIP_SEED).
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from faults.cluster import Cluster
from faults.programs import compiled
from faults.proxy import Fault, Kind, Proxy
from program_compiler import Compiled

CUTS = (Kind.CUT_BEFORE, Kind.CUT_INSIDE, Kind.CUT_BEHIND)
CUT_COUNT = 25


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return compiled(tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("number", range(3))
def test_connections_that_break_again_and_again(number: int, programs: Compiled, tmp_path: Path) -> None:
    """In front of, inside and behind any frame, in both directions, also of the greeting and of the offer."""
    draw = random.Random(int(os.environ.get("MS_BLIP_SEED", "1")) * 1000 + number)
    plan = [
        Fault(draw.choice(CUTS), draw.random() < 0.5, draw.randrange(draw.choice((4, 60))), draw.random())
        for _ in range(CUT_COUNT)
    ]

    def of(connection: int) -> list[Fault]:
        return plan[connection : connection + 1]

    with Cluster(programs, tmp_path) as cluster, Proxy(cluster.address, f"unix:{tmp_path}/p", of) as proxy:
        cluster.start_master("--lost-max", "255", words=["12", "12"])
        for _ in range(2):
            cluster.start_slave(address=proxy.address)
        cluster.wait_until(lambda: len(proxy.done) >= CUT_COUNT - 1, "the cuts")
        cluster.let_work()
        ended = cluster.finish()
        assert (ended.status, ended.out) == (0, cluster.local())
        assert "is back, " in ended.err
        for member in cluster.members[1:]:  # who was away at the end has not been told of it
            assert member.process.poll() in (None, 0, 3)


BLIP = """
job int slow(int n) {
    append_file("ran", "x");
    while (!file_exists("cut")) sleep(0.005);
    print("it goes on");
    return n;
}
master { print(get(remote slow(7))); }
"""


def test_a_job_goes_on_over_a_blip(tmp_path: Path) -> None:
    """It has begun once, though the connection breaks three times; and what it prints meanwhile is printed once."""
    programs = compiled(tmp_path, BLIP, "blip")
    with Cluster(programs, tmp_path) as cluster, Proxy(cluster.address, f"unix:{tmp_path}/p") as proxy:
        master = cluster.start_master()
        cluster.start_slave(address=proxy.address)
        cluster.wait_until((tmp_path / "ran").exists, "the job")
        for count in range(1, 4):
            proxy.links[-1].close()
            cluster.wait_until(
                lambda count=count: master.log().count("is back, 1 of its jobs goes on") >= count,  # type: ignore[misc]
                "the slave is back",
            )
        proxy.links[-1].close()
        (tmp_path / "cut").write_bytes(b"")
        ended = master.wait()
        assert (ended.status, ended.out) == (0, "it goes on\n7\n"), cluster.story()
        assert (tmp_path / "ran").read_text() == "x"
