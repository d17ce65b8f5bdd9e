"""The scheduler of the master, driven through cffi with histories that hypothesis makes up.

`World` plays everybody else: it carries out the actions, keeps for each slave the attempts that were sent to it, and
answers them in any order, late, or never. After each event it looks at what must always hold (scheduler.h); when the
faults have stopped, every job must end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scheduler_library import build

RUN, CANCEL, PING, DROP, ENDED = range(5)
FINISHED, FAILED, CANCELLED, LOST, LIKE, UNSENT = range(6)
FINE, STALE, WRONG = range(3)
NEW, WAITING, PENDING, RUNNING, AT_ITS_END = range(5)

ORDINAL_COUNT = 3
# No history here is deeper.
DEPTH_MAX = 40
LOST_MAX = 3
HEARTBEAT_NS = 2_000_000_000
# What jobs of each function take, roughly: none, some, long.
DURATION_NS = (0, 1_000, 500_000, 60_000_000)

@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """(ffi, lib)."""
    return build(tmp_path_factory.mktemp("scheduler") / "scheduler.so")


@dataclass(slots=True)
class Job:
    """What the world knows of a job; `record` is the scheduler's."""

    record: Any
    number: int
    ends: list[int] = field(default_factory=list)
    cancelled: bool = False
    lost_count: int = 0
    depth: int = 0
    parent: Job | None = None
    detached: bool = False  # spawned, and its parent has finished
    needs: list[Job] = field(default_factory=list)  # while they have not ended

class World:
    def __init__(self, library: tuple[Any, Any], lost_max: int = LOST_MAX) -> None:
        self.ffi, self.lib = library
        self.pool = self.ffi.new("ms_job_pool *")
        self.scheduler = cast(Any, self.lib.ms_scheduler_create(ORDINAL_COUNT, lost_max, HEARTBEAT_NS))
        self.lost_max = lost_max
        self.checking = True  # what always holds takes long to check when there are thousands of jobs
        self.now = 1_000_000_000
        self.jobs: list[Job] = []
        self.by_record: dict[int, Job] = {}
        self.slaves: dict[int, dict[int, Job]] = {}  # by number: the attempts it has not answered
        self.slots: dict[int, int] = {}
        self.left: set[int] = set()
        self.given_up: set[int] = set()  # jids
        self.jids: set[int] = set()
        self.pinged: set[int] = set()
        self.lent: set[int] = set()  # jids
        self.isolating: set[int] = set()  # slaves of which the scheduler knows it
        self.accompanied: set[int] = set()  # jids of attempts there
        self.history: list[tuple[int, ...]] = []

    def close(self) -> None:
        self.lib.ms_scheduler_destroy(self.scheduler)
        for job in self.jobs:
            if job.record.relations:
                self.lib.ms_job_drop_holes(self.pool, job.record, True)
        for job in self.jobs:
            self.lib.ms_job_drop(self.pool, job.record, True)
        self.lib.ms_job_pool_destroy(self.pool)

    # What happens

    def make(self, ordinal: int, needs: list[Job]) -> Job:
        job = Job(self.lib.ms_job_create(self.pool, ordinal, 4), len(self.jobs))
        self.jobs.append(job)
        self.by_record[int(self.ffi.cast("uintptr_t", job.record))] = job
        for other in needs:
            assert self.lib.ms_job_add_hole(job.record, 4, other.record)
        job.needs = list(needs)
        return job

    def submit(self, ordinal: int, needs: list[Job] | None = None) -> Job:
        job = self.make(ordinal, needs or [])
        self.lib.ms_scheduler_submit(self.scheduler, job.record, self.now)
        self.act()
        return job

    def spawn(self, slave: int, jid: int, ordinal: int, needs: list[Job]) -> None:
        parent = self.slaves[slave][jid]
        if jid in self.given_up:
            record = self.lib.ms_job_create(self.pool, ordinal, 4)
            assert self.lib.ms_scheduler_spawn(self.scheduler, slave, jid, record, self.now) == STALE
            self.lib.ms_job_drop(self.pool, record, True)
            return
        job = self.make(ordinal, needs)
        job.parent, job.depth = parent, parent.depth + 1
        assert self.lib.ms_scheduler_spawn(self.scheduler, slave, jid, job.record, self.now) == FINE
        self.act()

    def tail(self, slave: int, jid: int, ordinal: int, needs: list[Job]) -> None:
        if jid in self.lent:
            return
        job = self.slaves[slave].pop(jid)
        stale = jid in self.given_up
        following = self.lib.ms_job_create(self.pool, ordinal, 4)
        for other in needs:
            assert self.lib.ms_job_add_hole(following, 4, other.record)
        if not stale:
            job.needs, job.lost_count = list(needs), 0
            self.detach(job)
        said = self.lib.ms_scheduler_tail(self.scheduler, slave, jid, following, self.now)
        assert said == (STALE if stale else FINE)
        self.act()
        self.lib.ms_job_drop(self.pool, following, True)

    def lend(self, slave: int, jid: int) -> None:
        if jid in self.lent:
            assert self.lib.ms_scheduler_lent(self.scheduler, slave, jid, self.now) == WRONG
            self.lent.remove(jid)
            said = self.lib.ms_scheduler_regained(self.scheduler, slave, jid)
        else:
            assert self.lib.ms_scheduler_regained(self.scheduler, slave, jid) == WRONG
            self.lent.add(jid)
            said = self.lib.ms_scheduler_lent(self.scheduler, slave, jid, self.now)
        assert said == (STALE if jid in self.given_up else FINE)
        self.act()

    def detach(self, parent: Job) -> None:
        for job in self.jobs:
            if job.parent is parent:
                job.parent, job.detached = None, True

    def cancel(self, job: Job) -> None:
        had_ended = bool(job.ends)
        job.cancelled = True
        self.lib.ms_scheduler_cancel(self.scheduler, job.record, self.now)
        self.act()
        assert job.ends[-1:] == ([CANCELLED] if not had_ended else job.ends[-1:])
        assert job.ends

    def join(self, slots: int) -> int:
        slave = int(self.lib.ms_scheduler_join(self.scheduler, slots, self.now))
        assert slave not in self.slaves
        self.slaves[slave] = {}
        self.slots[slave] = slots
        self.left.discard(slave)
        self.isolating.discard(slave)
        self.act()
        return slave

    def leave(self, slave: int) -> None:
        self.left.add(slave)
        self.lib.ms_scheduler_leaving(self.scheduler, slave, self.now)
        self.act()

    def answer(self, slave: int, jid: int, fails: bool) -> None:
        job = self.slaves[slave].pop(jid)
        ordinal = job.record.ordinal
        stale = jid in self.given_up
        said = self.lib.ms_scheduler_answer(self.scheduler, slave, -ordinal if fails else ordinal, jid, self.now)
        assert said == (STALE if stale else FINE)
        if not stale and not fails:
            self.detach(job)
        self.act()
        if not stale:
            assert job.ends == [FAILED if fails else FINISHED]

    def give_back(self, slave: int, jid: int) -> None:
        if jid in self.lent or (slave not in self.left and len(self.slaves[slave]) == 1):
            assert self.lib.ms_scheduler_give_back(self.scheduler, slave, jid, self.now) == WRONG
            return
        if any(other.parent is self.slaves[slave][jid] for other in self.jobs):
            return  # it has begun
        job = self.slaves[slave].pop(jid)
        stale = jid in self.given_up
        said = self.lib.ms_scheduler_give_back(self.scheduler, slave, jid, self.now)
        assert said == (STALE if stale else FINE)
        self.act()
        assert stale or not job.ends

    def lose(self, slave: int) -> None:
        attempts = self.slaves.pop(slave)
        hit = [job for jid, job in attempts.items() if jid not in self.given_up]
        for job in hit:
            job.lost_count += 1
        before = len(self.history)
        back = self.lib.ms_scheduler_lost(self.scheduler, slave, self.now)
        self.left.discard(slave)
        self.pinged.discard(slave)
        self.act()
        assert len(self.history) >= before
        assert back <= sum(job.lost_count < self.lost_max for job in hit)
        for job in hit:  # those that were started by others that were hit are cancelled
            if job.depth == 0 and not job.cancelled:
                assert (job.ends == [LOST]) == (job.lost_count >= self.lost_max)

    def crash(self, slave: int, jid: int) -> None:
        """The process that runs one job dies, alone."""
        job = self.slaves[slave].pop(jid)
        stale = jid in self.given_up
        job.lost_count += not stale
        self.isolating.add(slave)
        self.lent.discard(jid)
        before = {other.number: list(other.ends) for other in self.slaves[slave].values()}
        said = self.lib.ms_scheduler_crashed(self.scheduler, slave, jid, self.now)
        assert said == (STALE if stale else FINE)
        self.act()
        if not stale:
            assert (job.ends == [LOST]) == (job.lost_count >= self.lost_max)
        for other in self.slaves[slave].values():
            if other.depth == 0:
                assert other.ends == before.get(other.number, []), "the others do not suffer"

    def lie(self, slave: int, jid: int, ordinal: int) -> None:
        """An answer that nobody asked for."""
        attempt = self.slaves[slave].get(jid)
        if attempt is not None and attempt.record.ordinal == abs(ordinal):
            return
        assert self.lib.ms_scheduler_answer(self.scheduler, slave, ordinal, jid, self.now) == WRONG
        assert self.scheduler.action_count == 0

    def tick(self, nanoseconds: int) -> None:
        self.now += nanoseconds
        self.lib.ms_scheduler_tick(self.scheduler, self.now)
        self.act()

    def hear(self, slave: int) -> None:
        self.pinged.discard(slave)
        self.lib.ms_scheduler_heard(self.scheduler, slave, self.now)

    # What the scheduler wants

    def act(self) -> None:
        dropped = []
        for i in range(self.scheduler.action_count):
            action = self.scheduler.actions[i]
            self.history.append((action.kind, action.end, action.slave, action.jid))
            if action.kind == RUN:
                self.run(action)
            elif action.kind == CANCEL:
                self.given_up.add(action.jid)
                assert action.slave not in self.slaves or action.jid in self.slaves[action.slave]
            elif action.kind == PING:
                self.pinged.add(action.slave)
            elif action.kind == DROP:
                dropped.append(action.slave)
            else:
                job = self.by_record[int(self.ffi.cast("uintptr_t", action.job))]
                assert job.ends == [], "a job ends once"
                job.ends.append(action.end)
                job.record.state = 1 if action.end == FINISHED else 2
                if action.end == LIKE:
                    source = self.by_record[int(self.ffi.cast("uintptr_t", action.source))]
                    assert source.ends not in ([], [FINISHED])
        self.scheduler.action_count = 0
        if self.checking:
            self.settle()
            self.check()
        for slave in dropped:
            self.lose(slave)

    def settle(self) -> None:
        """What must have followed from the ends, as far as this world can tell."""
        for job in self.jobs:
            if job.ends:
                if job.record.relations:
                    self.lib.ms_job_drop_holes(self.pool, job.record, True)
                continue
            assert not any(other.ends not in ([], [FINISHED]) for other in job.needs), "it would wait for ever"
            job.needs = [other for other in job.needs if not other.ends]
        for job in self.jobs:
            if job.parent is not None and (job.parent.ends or not job.parent.record.jid):
                job.parent, job.detached = None, True
                wanted = any(job in other.needs for other in self.jobs if not other.ends)
                assert job.ends or wanted, "children end with their parent"

    def run(self, action: Any) -> None:
        job = self.by_record[int(self.ffi.cast("uintptr_t", action.job))]
        attempts = self.slaves[action.slave]
        assert action.jid not in self.jids, "no jid names two attempts"
        assert action.slave not in self.left
        assert not job.ends
        assert all(other.ends == [FINISHED] for other in job.needs)
        held = [(jid, other) for one in self.slaves.values() for jid, other in one.items()]
        assert all(job is not other for jid, other in held if jid not in self.given_up)
        for jid, other in attempts.items():
            alone = 0 < other.lost_count == self.lost_max - 1 and jid not in self.accompanied
            assert jid in self.given_up or not alone or jid in self.lent, "nothing joins a last attempt"
        self.jids.add(action.jid)
        attempts[action.jid] = job
        if job.lost_count > 0:
            assert self.busy(action.slave) <= self.slots[action.slave], "nothing is queued with a suspect"
        if action.slave in self.isolating:
            self.accompanied.add(action.jid)
        elif 0 < job.lost_count == self.lost_max - 1:
            assert self.busy(action.slave) == 1, "the last attempt is alone"

    def busy(self, slave: int) -> int:
        return sum(jid not in self.lent for jid in self.slaves[slave])

    # What always holds

    def check(self) -> None:
        scheduler = self.scheduler
        pending = list(self.listed_by_depth())
        pending += self.listed(scheduler.alone.first)
        running = {jid: job for one in self.slaves.values() for jid, job in one.items() if jid not in self.given_up}
        assert len(pending) == scheduler.pending_count
        assert len(running) == scheduler.running_count
        assert scheduler.slave_count == len(self.slaves) - len(self.left)
        assert scheduler.slot_count == sum(self.slots[slave] for slave in self.slaves if slave not in self.left)
        waiting = [job for job in self.jobs if job.record.place == WAITING]
        assert len(waiting) == scheduler.waiting_count
        assert all(job.needs for job in waiting)
        if scheduler.pending.first:
            first = self.by_record[int(self.ffi.cast("uintptr_t", scheduler.pending.first))]
            assert first.depth == max(job.depth for job in self.listed_by_depth()), "the deepest goes first"
        places = [job.number for job in [*pending, *waiting, *running.values()]]
        places += [job.number for job in self.jobs if job.ends]
        assert sorted(places) == list(range(len(self.jobs))), "each job is in one place"
        for jid, job in running.items():
            assert (job.record.place, job.record.jid) == (RUNNING, jid)
        for slave, attempts in self.slaves.items():
            record = scheduler.slaves[slave]
            assert record.inflight == len(attempts)
            assert record.given_up == sum(jid in self.given_up for jid in attempts)
            assert record.lent == sum(jid in self.lent for jid in attempts)
            kept = record.leaving or record.dropped or record.full
            if scheduler.pending.first and not (kept or record.reserved or record.alone):
                assert self.busy(slave) >= record.slots, "nothing waits while a slot is free"
            if scheduler.alone.first and not kept and not record.alone:
                assert self.busy(slave) > 0

    def listed_by_depth(self) -> Iterator[Job]:
        for depth in range(DEPTH_MAX):
            yield from self.listed(self.scheduler.pending.lists[depth].first)

    def listed(self, record: Any) -> Iterator[Job]:
        while record:
            job = self.by_record[int(self.ffi.cast("uintptr_t", record))]
            assert record.place == PENDING
            yield job
            record = record.next

    # The end

    def recover(self) -> None:
        """No more faults: everything is answered, by slaves that stay."""
        for slave in list(self.left):
            for jid in list(self.slaves[slave]):
                self.answer(slave, jid, fails=False)
        self.join(2)
        for slave, attempts in list(self.slaves.items()):
            for jid in sorted(self.lent & attempts.keys()):
                self.lend(slave, jid)
        for _ in range(10 * len(self.jobs) + 10):
            for slave in list(self.slaves):
                self.hear(slave)
                for jid in list(self.slaves[slave]):
                    self.now += DURATION_NS[self.slaves[slave][jid].record.ordinal]
                    self.answer(slave, jid, fails=False)
        assert all(len(job.ends) == 1 for job in self.jobs)
        assert self.scheduler.pending_count == self.scheduler.running_count == self.scheduler.waiting_count == 0

NESTED = ("spawn", "spawn", "tail", "lend", "lend", "need")
FAULTS = ("cancel", "leave", "give_back", "lose", "lie", "crash")
EVENTS = (*["submit"] * 3, *["answer"] * 3, "join", "tick", *FAULTS)
NESTED_EVENTS = (*EVENTS, *NESTED)

def siblings(world: World, slave: int, jid: int, draw: Any) -> list[Job]:
    """Some of those that this job has started."""
    parent = world.slaves[slave][jid]
    return [job for job in world.jobs if job.parent is parent and draw(2)]

def play(world: World, draw: Any, event: str) -> None:
    """One event, if it can happen now. `draw(n)` is a number from 0 to n - 1."""
    slave = sorted(world.slaves)[draw(len(world.slaves))] if world.slaves else None
    attempts = sorted(world.slaves[slave]) if slave is not None else []
    jid = attempts[draw(len(attempts))] if attempts else None
    if event == "submit":
        ordinal = 1 + draw(ORDINAL_COUNT)
        for _ in range(1 + draw(8)):
            world.submit(ordinal)
    elif event == "need" and world.jobs:
        roots = [job for job in world.jobs if job.depth == 0]
        world.submit(1 + draw(ORDINAL_COUNT), [roots[draw(len(roots))] for _ in range(1 + draw(3))])
    elif event == "cancel" and world.jobs:
        world.cancel(world.jobs[draw(len(world.jobs))])
    elif event == "join" and len(world.slaves) < 6:
        world.join(1 + draw(4))
    elif event == "tick":
        for heard in world.slaves:
            if draw(4):
                world.hear(heard)
        world.tick(draw(HEARTBEAT_NS))
    elif slave is None:
        return
    elif event == "lose":
        world.lose(slave)
    elif event == "lie":
        world.lie(slave, draw(50), (1 + draw(ORDINAL_COUNT)) * (1 - 2 * draw(2)))
    elif event == "leave" and slave not in world.left:
        world.leave(slave)
    elif jid is None or slave is None:
        return
    elif event == "spawn" and world.slaves[slave][jid].depth + 1 < DEPTH_MAX:
        world.spawn(slave, jid, 1 + draw(ORDINAL_COUNT), siblings(world, slave, jid, draw))
    elif event == "tail":
        world.tail(slave, jid, 1 + draw(ORDINAL_COUNT), siblings(world, slave, jid, draw))
    elif event == "lend":
        world.lend(slave, jid)
    elif event == "give_back":
        world.give_back(slave, jid)
    elif event == "crash":
        world.crash(slave, jid)
    elif event == "answer":
        world.now += DURATION_NS[world.slaves[slave][jid].record.ordinal]
        world.answer(slave, jid, fails=draw(8) == 0)

@settings(max_examples=400, deadline=None)
@given(data=st.data(), lost_max=st.integers(1, 4), events=st.sampled_from([EVENTS, NESTED_EVENTS]))
def test_histories(library: tuple[Any, Any], data: st.DataObject, lost_max: int, events: tuple[str, ...]) -> None:
    world = World(library, lost_max)

    def draw(count: int) -> int:
        return data.draw(st.integers(0, count - 1))

    try:
        for event in data.draw(st.lists(st.sampled_from(events), max_size=60)):
            play(world, draw, event)
        world.recover()
    finally:
        world.close()

@settings(max_examples=15, deadline=None)
@given(random=st.randoms(use_true_random=False), lost_max=st.integers(1, 4))
def test_long_histories_give_the_same_actions_again(library: tuple[Any, Any], random: Any, lost_max: int) -> None:
    events = [random.choice(NESTED_EVENTS) for _ in range(200)]
    state = random.getstate()
    histories = []
    for _ in range(2):
        random.setstate(state)
        world = World(library, lost_max)
        try:
            for event in events:
                play(world, random.randrange, event)
            world.recover()
            histories.append(world.history)
        finally:
            world.close()
    assert histories[0] == histories[1]

def settled(world: World, slave: int, ordinal: int, count: int, duration_ns: int) -> int:
    """What a slave is given ahead, when it has answered so many jobs of that kind, one after the other."""
    for _ in range(count):
        if not world.slaves[slave]:
            return 0
        world.now += duration_ns
        world.answer(slave, min(world.slaves[slave]), fails=False)
    return len(world.slaves[slave])

def test_queues_follow_what_jobs_take(library: tuple[Any, Any]) -> None:
    world = World(library)
    world.checking = False
    try:
        slave = world.join(1)
        for _ in range(6000):
            world.submit(1)
        assert len(world.slaves[slave]) == 1, "nobody knows yet how long they take"
        assert 300 <= settled(world, slave, 1, 2000, 2_000) <= 4096
    finally:
        world.close()
    for duration_ns, expected in ((5_000_000, 2), (500_000_000, 1)):
        world = World(library)
        try:
            slave = world.join(1)
            for _ in range(100):
                world.submit(1)
            assert settled(world, slave, 1, 50, duration_ns) == expected
        finally:
            world.close()

def test_a_silent_slave_is_dropped_after_three_heartbeats(library: tuple[Any, Any]) -> None:
    world = World(library)
    try:
        slave = world.join(1)
        world.submit(1)
        for quarter in range(1, 12):
            world.tick(HEARTBEAT_NS // 4)
            assert (slave in world.pinged) == (quarter >= 4)
        assert slave in world.slaves
        world.tick(HEARTBEAT_NS // 4)
        assert slave not in world.slaves
    finally:
        world.close()

def test_the_masters_own_sleep_is_nobodys_silence(library: tuple[Any, Any]) -> None:
    world = World(library)
    try:
        slave = world.join(1)
        world.tick(HEARTBEAT_NS // 4)
        world.tick(100 * HEARTBEAT_NS)
        assert slave in world.slaves
    finally:
        world.close()

def test_oldest_first_also_after_a_loss(library: tuple[Any, Any]) -> None:
    world = World(library)
    try:
        first = world.join(2)
        for _ in range(5):
            world.submit(3)
        world.lose(first)
        second = world.join(5)
        assert [job.number for _, job in sorted(world.slaves[second].items())] == [0, 1, 2, 3, 4]
    finally:
        world.close()

def test_the_deepest_goes_first(library: tuple[Any, Any]) -> None:
    world = World(library)
    try:
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
    finally:
        world.close()

def test_nothing_is_queued_behind_jobs_that_start_jobs(library: tuple[Any, Any]) -> None:
    world = World(library)
    try:
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
    finally:
        world.close()

def test_long_chains_end_without_recursion(library: tuple[Any, Any]) -> None:
    """A row of 100,000 dependents: the first one's end is the end of all."""
    world = World(library)
    world.checking = False
    try:
        job = first = world.submit(1)
        for _ in range(100_000):
            job = world.submit(1, [job])
        world.cancel(first)
        assert (first.ends, job.ends) == ([CANCELLED], [LIKE])
    finally:
        world.close()

def test_a_crash_costs_one_attempt_of_one_job(library: tuple[Any, Any]) -> None:
    """On a slave that isolates its jobs, the last attempt needs no slave of its own."""
    world = World(library)
    try:
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
    finally:
        world.close()

def test_nothing_joins_a_last_attempt_beside_jobs_that_wait(library: tuple[Any, Any]) -> None:
    world = World(library, lost_max=2)
    try:
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
    finally:
        world.close()
