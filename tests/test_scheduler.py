"""The scheduler of the master, driven through cffi with histories that hypothesis makes up (see scheduler_world)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scheduler_library import build
from scheduler_world import (
    CANCELLED,
    EVENTS,
    FINISHED,
    HEARTBEAT_NS,
    LIKE,
    LOST,
    LOST_MAX,
    NESTED_EVENTS,
    WRONG,
    World,
    play,
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """(ffi, lib)."""
    return build(tmp_path_factory.mktemp("scheduler") / "scheduler.so")


@pytest.fixture
def world(library: tuple[Any, Any]) -> Iterator[World]:
    with World(library) as world:
        yield world


@settings(max_examples=400, deadline=None)
@given(data=st.data(), lost_max=st.integers(1, 4), events=st.sampled_from([EVENTS, NESTED_EVENTS]))
def test_histories(library: tuple[Any, Any], data: st.DataObject, lost_max: int, events: tuple[str, ...]) -> None:
    with World(library, lost_max) as world:

        def draw(count: int) -> int:
            return data.draw(st.integers(0, count - 1))

        for event in data.draw(st.lists(st.sampled_from(events), max_size=60)):
            play(world, draw, event)
        world.recover()


@settings(max_examples=15, deadline=None)
@given(random=st.randoms(use_true_random=False), lost_max=st.integers(1, 4))
def test_long_histories_give_the_same_actions_again(library: tuple[Any, Any], random: Any, lost_max: int) -> None:
    events = [random.choice(NESTED_EVENTS) for _ in range(200)]
    state = random.getstate()
    histories = []
    for _ in range(2):
        random.setstate(state)
        with World(library, lost_max) as world:
            for event in events:
                play(world, random.randrange, event)
            world.recover()
            histories.append(world.history)
    assert histories[0] == histories[1]


def settled(world: World, slave: int, ordinal: int, count: int, duration_ns: int) -> int:
    """What a slave is given ahead, when it has answered so many jobs of that kind, one after the other."""
    for _ in range(count):
        if not world.slaves[slave]:
            return 0
        world.now += duration_ns
        world.answer(slave, min(world.slaves[slave]), fails=False)
    return len(world.slaves[slave])


def test_queues_follow_what_jobs_take(world: World) -> None:
    world.checking = False
    slave = world.join(1)
    for _ in range(6000):
        world.submit(1)
    assert len(world.slaves[slave]) == 1, "nobody knows yet how long they take"
    assert 300 <= settled(world, slave, 1, 2000, 2_000) <= 4096


@pytest.mark.parametrize(("duration_ns", "expected"), [(5_000_000, 2), (500_000_000, 1)])
def test_queues_of_jobs_that_take_long_are_short(duration_ns: int, expected: int, world: World) -> None:
    slave = world.join(1)
    for _ in range(100):
        world.submit(1)
    assert settled(world, slave, 1, 50, duration_ns) == expected


def test_queues_follow_what_slaves_tell(world: World) -> None:
    """Answers come late when the slave is far away, and would be taken for those of slow jobs."""
    world.checking = False
    slave = world.join(1)
    for _ in range(100):
        world.submit(1)
    world.lib.ms_measure_told(world.scheduler, 1, 8, 8 * 100_000)
    assert settled(world, slave, 1, 1, 900_000) == 20
    world.lib.ms_measure_told(world.scheduler, 1, 8, 8 * 10_000_000)
    assert settled(world, slave, 1, 20, 900_000) <= 3, "jobs take longer now"


@pytest.mark.parametrize(("told_ns", "slaves"), [(1_000, range(2, 33)), (1_000_000, [64]), (30_000_000, [64])])
def test_short_jobs_share_messages(told_ns: int, slaves: range | list[int], world: World) -> None:
    """640 of them: a message is worth some of a microsecond, and one of a millisecond is worth a message."""
    world.checking = False
    for _ in range(64):
        world.join(1)
    world.lib.ms_measure_told(world.scheduler, 1, 8, 8 * told_ns)
    world.submit_together(1, 640)
    assert len([slave for slave in world.slaves.values() if slave]) in slaves
    assert world.scheduler.pending_count == 0 or told_ns > 100_000


def test_a_silent_slave_is_dropped_after_three_heartbeats(world: World) -> None:
    slave = world.join(1)
    world.submit(1)
    for quarter in range(1, 12):
        world.tick(HEARTBEAT_NS // 4)
        assert (slave in world.pinged) == (quarter >= 4)
    assert slave in world.slaves
    world.tick(HEARTBEAT_NS // 4)
    assert slave not in world.slaves


def test_the_masters_own_sleep_is_nobodys_silence(world: World) -> None:
    slave = world.join(1)
    world.tick(HEARTBEAT_NS // 4)
    world.tick(100 * HEARTBEAT_NS)
    assert slave in world.slaves


def test_oldest_first_also_after_a_loss(world: World) -> None:
    first = world.join(2)
    for _ in range(5):
        world.submit(3)
    world.lose(first)
    second = world.join(5)
    assert [job.number for _, job in sorted(world.slaves[second].items())] == [0, 1, 2, 3, 4]


def test_the_deepest_goes_first(world: World) -> None:
    slave = world.join(1)
    for _ in range(3):
        world.submit(3)
    (jid,) = world.slaves[slave]
    world.spawn(slave, jid, 2, [])
    world.lend(slave, jid)
    child = max(world.slaves[slave])
    assert world.slaves[slave][child].depth == 1
    world.spawn(slave, child, 2, [])
    world.lend(slave, child)
    assert world.slaves[slave][max(world.slaves[slave])].depth == 2


def test_nothing_is_queued_behind_jobs_that_start_jobs(world: World) -> None:
    slave = world.join(1)
    for _ in range(100):
        world.submit(1)
    assert settled(world, slave, 1, 20, 1_000) > 1
    while len(world.slaves[slave]) > 1:
        world.answer(slave, min(world.slaves[slave]), fails=False)
    world.spawn(slave, min(world.slaves[slave]), 2, [])
    for _ in range(100):
        world.submit(1)
    assert len(world.slaves[slave]) == 1


def test_long_chains_end_without_recursion(world: World) -> None:
    """A row of 100,000 dependents: the first one's end is the end of all."""
    world.checking = False
    job = first = world.submit(1)
    for _ in range(100_000):
        job = world.submit(1, [job])
    world.cancel(first)
    assert (first.ends, job.ends) == ([CANCELLED], [LIKE])


def test_a_crash_costs_one_attempt_of_one_job(world: World) -> None:
    """On a slave that isolates its jobs, the last attempt needs no slave of its own."""
    slave = world.join(2)
    poison, good = world.submit(3), world.submit(3)
    waiting = world.submit(3)
    for count in range(1, LOST_MAX + 1):
        (jid,) = (jid for jid, job in world.slaves[slave].items() if job is poison)
        world.crash(slave, jid)
        assert poison.ends == ([LOST] if count == LOST_MAX else [])
        assert good in world.slaves[slave].values()
    assert set(map(id, world.slaves[slave].values())) == {id(good), id(waiting)}
    assert world.lib.ms_scheduler_crashed(world.scheduler, slave, 4711, world.now) == WRONG


def test_dependents_go_to_all_slaves(world: World) -> None:
    slaves = [world.join(1) for _ in range(3)]
    first = world.submit(3)
    for _ in range(3):
        world.submit(3, [first])
    (slave,) = (one for one in slaves if world.slaves[one])
    world.now += 1_000_000  # for less they would share a message
    world.answer(slave, min(world.slaves[slave]), fails=False)
    assert [len(world.slaves[one]) for one in slaves] == [1, 1, 1]


def test_nothing_joins_a_last_attempt_beside_jobs_that_wait(library: tuple[Any, Any]) -> None:
    with World(library, lost_max=2) as world:
        first = world.join(1)
        suspect = world.submit(3)
        world.lose(first)
        slave = world.join(2)
        (jid,) = world.slaves[slave]
        assert world.slaves[slave][jid] is suspect
        world.lend(slave, jid)
        parent = world.submit(3)
        (inner,) = (number for number, job in world.slaves[slave].items() if job is parent)
        world.lend(slave, inner)
        world.lend(slave, jid)  # it goes on, beside one that still waits
        assert world.submit(3) not in world.slaves[slave].values()
        world.lend(slave, jid)
        assert len(world.slaves[slave]) == 3, "while it waits others may join"


# ---- Recall


def with_a_queue(world: World, duration_ns: int, count: int = 0) -> tuple[int, int]:
    """Two slaves of one slot: one with a queue of jobs that took so long before, and one that has come since. The queue
    has `count` jobs, or as many as it had when the last one was sent."""
    slave = world.join(1)
    for _ in range(3000):
        world.submit(1)
    settled(world, slave, 1, 2000, duration_ns)
    while world.scheduler.pending.first or len(world.slaves[slave]) > count > 0:
        world.now += duration_ns
        world.answer(slave, min(world.slaves[slave]), fails=False)
    return slave, world.join(1)


def test_half_of_a_queue_goes_to_a_slave_that_has_nothing(world: World) -> None:
    world.checking = False
    slave, idle = with_a_queue(world, 10_000)
    count = len(world.slaves[slave])
    assert count > 100
    assert sorted(world.asked[slave]) == sorted(world.slaves[slave])[-(count // 2) :]
    world.answer_recall(slave, 0)
    assert abs(len(world.slaves[slave]) - len(world.slaves[idle])) <= 1
    assert not world.scheduler.slaves[slave].full
    world.recover()


def test_a_short_queue_is_left_where_it_is_unless_nothing_comes(world: World) -> None:
    world.checking = False
    slave, _ = with_a_queue(world, 10_000, count=20)
    assert slave not in world.asked
    world.now += 900_000
    world.act()
    assert slave not in world.asked
    world.now += 1_100_000
    world.act()
    assert slave in world.asked


def test_a_job_that_goes_on_gives_way_to_nobody(world: World) -> None:
    """What was sent into the slot that it had lent goes to another slave."""
    slave = world.join(1)
    parent = world.submit(2)
    (jid,) = world.slaves[slave]
    world.lend(slave, jid)
    sent = world.submit(2)
    idle = world.join(1)
    assert not world.asked
    world.now += 1_000_000
    world.lend(slave, jid)
    assert [world.slaves[slave][asked] for asked in world.asked[slave]] == [sent]
    world.answer_recall(slave, 0)
    assert (list(world.slaves[slave].values()), list(world.slaves[idle].values())) == ([parent], [sent])


def test_a_slave_that_does_not_answer_is_not_waited_for(world: World) -> None:
    world.checking = False
    slave, idle = with_a_queue(world, 10_000)
    kept = min(world.slaves[slave])
    queued = {job.number for jid, job in world.slaves[slave].items() if jid != kept}
    asked = world.asked[slave]
    world.tick(HEARTBEAT_NS // 4)
    assert not world.slaves[idle]
    world.tick(HEARTBEAT_NS // 4)
    assert world.scheduler.slaves[slave].stalled
    assert {job.number for job in world.slaves[idle].values()} == queued
    for jid in sorted(world.slaves[idle]):
        world.answer(idle, jid, fails=False)
    more = world.submit(1)
    assert more in world.slaves[idle].values()
    world.answer_recall(slave, 0)
    assert asked
    assert not world.scheduler.slaves[slave].stalled
    for jid in sorted(world.slaves[slave]):
        world.answer(slave, jid, fails=False)
    world.recover()


# ---- Coming back


def everything(count: int) -> int:
    """In place of a draw: all is offered, and all of it has ended."""
    return 1


def nothing(count: int) -> int:
    return 0


def goes_on(count: int) -> int:
    """All is offered, nothing has ended."""
    return 1 if count == 4 else 0


def lost_with(world: World, slave: int) -> bytes:
    world.lose(slave)
    return world.identities[slave]


def test_a_slave_that_comes_back_goes_on_with_its_jobs(world: World) -> None:
    """Losing it again and again counts for nothing."""
    slave = world.join(2)
    jobs = [world.submit(3) for _ in range(2)]
    jids = sorted(world.slaves[slave])
    for _ in range(3 * LOST_MAX):
        slave = world.come_back(lost_with(world, slave), goes_on)
        assert sorted(world.slaves[slave]) == jids
        assert [job.record.lost_count for job in jobs] == [0, 0]
    for jid in jids:
        world.answer(slave, jid, fails=False)
    assert [job.ends for job in jobs] == [[FINISHED], [FINISHED]]
    world.recover()


def test_what_has_ended_there_is_taken_although_it_runs_elsewhere(world: World) -> None:
    slave = world.join(1)
    job = world.submit(3)
    (jid,) = world.slaves[slave]
    identity = lost_with(world, slave)
    other = world.join(1)
    (again,) = world.slaves[other]
    slave = world.come_back(identity, everything)
    assert again in world.given_up
    world.answer(other, again, fails=False)
    assert not job.ends
    world.answer(slave, jid, fails=False)
    assert job.ends == [FINISHED]


def test_what_goes_on_there_is_left_when_it_runs_elsewhere(world: World) -> None:
    slave = world.join(1)
    job = world.submit(3)
    identity = lost_with(world, slave)
    other = world.join(1)
    (again,) = world.slaves[other]
    slave = world.come_back(identity, goes_on)
    assert not world.slaves[slave]
    assert world.scheduler.orphan_count == 0
    world.answer(other, again, fails=False)
    assert job.ends == [FINISHED]


@pytest.mark.parametrize("end", ["cancel", "answer", "tail"])
def test_orphans_go_with_their_job(world: World, end: str) -> None:
    slave = world.join(1)
    job = world.submit(3)
    identity = lost_with(world, slave)
    other = world.join(1)
    (again,) = world.slaves[other]
    assert world.scheduler.orphan_count == 1
    if end == "cancel":
        world.cancel(job)
    elif end == "answer":
        world.answer(other, again, fails=False)
    else:
        world.tail(other, again, 2, [])
    assert world.scheduler.orphan_count == 0
    slave = world.come_back(identity, everything)
    assert again not in world.slaves[slave]
    world.recover()


def test_no_slave_stays_reserved_for_a_job_that_came_back(library: tuple[Any, Any]) -> None:
    """It was to have its last attempt there; now the slave takes others again."""
    with World(library, lost_max=2) as world:
        slave = world.join(1)
        job = world.submit(3)
        (jid,) = world.slaves[slave]
        other = world.join(1)
        world.submit(3)
        identity = lost_with(world, slave)
        assert world.scheduler.slaves[other].reserved
        slave = int(world.lib.ms_scheduler_return(world.scheduler, 1, identity, world.now))
        world.welcome(slave, 1, identity)
        world.returning = slave
        world.offer(slave, jid, job, job.version, ended=False)
        assert not world.scheduler.slaves[other].reserved


def test_who_broke_the_rules_has_nothing_to_offer(world: World) -> None:
    slave = world.join(1)
    world.submit(3)
    world.lose(slave, cut_off=True)
    assert (world.scheduler.orphan_count, world.scheduler.pending_count) == (0, 1)


def test_nobody_learns_from_an_attempt_that_was_away(world: World) -> None:
    """It has taken who knows how long, and its answer comes at once."""
    slave = world.join(1)
    for _ in range(10):
        world.submit(3)
    slave = world.come_back(lost_with(world, slave), everything)
    world.now += 1_000
    world.answer(slave, min(world.slaves[slave]), fails=False)
    assert len(world.slaves[slave]) == 1, "nobody knows how long they take"


def test_a_slave_that_has_nothing_any_more(world: World) -> None:
    slave = world.join(1)
    world.submit(3)
    slave = world.come_back(lost_with(world, slave), nothing)
    (jid,) = world.slaves[slave]
    assert world.scheduler.orphan_count == 0
    world.answer(slave, jid, fails=False)
