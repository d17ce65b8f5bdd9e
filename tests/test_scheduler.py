"""The scheduler of the master, driven through cffi with histories that hypothesis makes up.

`World` plays everybody else: it carries out the actions, keeps for each slave the attempts that were sent to it, and
answers them in any order, late, or never. After each event it looks at what must always hold (scheduler.h); when the
faults have stopped, every job must end.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import cffi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

RUNTIME = Path(__file__).resolve().parent.parent / "runtime" / "c"

DECLARATIONS = """
typedef struct ms_job {
    uint32_t references, state, ordinal, arguments_size, result_size, jid;
    struct ms_job *next, *previous;
    uint64_t end_number;
    uint32_t slave;
    uint8_t lost_count;
    bool lent;
    uint8_t place, cause;
    void *end;
    uint8_t room[56];
    struct ms_relations *relations;
} ms_job;
typedef struct ms_hole { ms_job *dependency, *owner; struct ms_hole *next, **link; uint32_t offset; } ms_hole;
typedef struct ms_relations {
    ms_hole *holes;
    uint32_t hole_count, hole_capacity, missing_count, depth;
    ms_hole *waiting;
    bool spawned, finished;
    ms_job *parent, *first_child, *older_sibling, *younger_sibling;
    ...;
} ms_relations;
bool ms_job_add_hole(ms_job *job, uint32_t offset, ms_job *dependency);
typedef struct ms_job_pool { ms_job *free, *returned; void *slabs, *home; } ms_job_pool;
void ms_job_drop_holes(ms_job_pool *pool, ms_job *job, bool owner);
ms_job *ms_job_create(ms_job_pool *pool, uint32_t ordinal, uint32_t arguments_size);
void ms_job_drop(ms_job_pool *pool, ms_job *job, bool owner);
void ms_job_pool_destroy(ms_job_pool *pool);

typedef struct ms_action { int kind; int end; uint32_t slave; uint32_t jid; ms_job *job, *source; } ms_action;
typedef struct ms_job_list { ms_job *first, *last; } ms_job_list;
typedef struct ms_pending {
    ms_job *first;
    uint32_t deepest;
    uint64_t words, bits[64];
    ms_job_list lists[4096];
} ms_pending;
typedef struct ms_slave {
    uint32_t slots, inflight, given_up, suspects, lent;
    bool leaving, reserved, alone, dropped, full;
    ms_job_list jobs;
    uint64_t load_ns, heard_at, pinged_at, batch_since, batch_at;
    uint32_t batch_count, batch_busy, batch_ordinal;
} ms_slave;
typedef struct ms_scheduler {
    ms_action *actions;
    uint32_t action_count, action_capacity;
    ms_slave *slaves;
    uint32_t slave_capacity, slave_count, slot_count, rotor, reserved;
    bool saturated;
    ms_pending pending;
    ms_job_list alone, ending;
    uint64_t pending_count, running_count, waiting_count;
    ...;
} ms_scheduler;
ms_scheduler *ms_scheduler_create(uint32_t job_count, uint32_t lost_max, uint64_t heartbeat_ns);
void ms_scheduler_destroy(ms_scheduler *scheduler);
void ms_scheduler_submit(ms_scheduler *scheduler, ms_job *job, uint64_t now);
void ms_scheduler_cancel(ms_scheduler *scheduler, ms_job *job, uint64_t now);
uint32_t ms_scheduler_join(ms_scheduler *scheduler, uint32_t slots, uint64_t now);
void ms_scheduler_heard(ms_scheduler *scheduler, uint32_t slave, uint64_t now);
void ms_scheduler_leaving(ms_scheduler *scheduler, uint32_t slave, uint64_t now);
void ms_scheduler_dropping(ms_scheduler *scheduler, uint32_t slave);
uint32_t ms_scheduler_lost(ms_scheduler *scheduler, uint32_t slave, uint64_t now);
int ms_scheduler_answer(ms_scheduler *scheduler, uint32_t slave, int32_t ordinal, uint32_t jid, uint64_t now);
int ms_scheduler_give_back(ms_scheduler *scheduler, uint32_t slave, uint32_t jid, uint64_t now);
int ms_scheduler_spawn(ms_scheduler *scheduler, uint32_t slave, uint32_t jid, ms_job *job, uint64_t now);
int ms_scheduler_tail(ms_scheduler *scheduler, uint32_t slave, uint32_t jid, ms_job *next, uint64_t now);
int ms_scheduler_lent(ms_scheduler *scheduler, uint32_t slave, uint32_t jid, uint64_t now);
int ms_scheduler_regained(ms_scheduler *scheduler, uint32_t slave, uint32_t jid);
void ms_scheduler_unsent(ms_scheduler *scheduler, ms_job *job, uint64_t now);
int ms_scheduler_attempt(ms_scheduler *scheduler, uint32_t slave, uint32_t jid);
void ms_scheduler_tick(ms_scheduler *scheduler, uint64_t now);
"""

RUN, CANCEL, PING, DROP, ENDED = range(5)
FINISHED, FAILED, CANCELLED, LOST = range(4)
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
    path = tmp_path_factory.mktemp("scheduler") / "scheduler.so"
    master = [RUNTIME / "master" / f"{name}.c" for name in ("scheduler", "pending", "measure", "relations", "jobs")]
    sources = [*master, RUNTIME / "core" / "bytes.c"]
    flags = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    places = ["-I", str(RUNTIME), "-I", str(RUNTIME / "include")]
    subprocess.run(["cc", *flags, *places, *map(str, sources), "-o", str(path)], check=True)
    ffi = cffi.FFI()
    ffi.cdef(DECLARATIONS.replace("    ...;\n", ""))
    assert ffi.sizeof("ms_job") == 128
    return ffi, ffi.dlopen(str(path))


@dataclass(slots=True)
class Job:
    """What the world knows of a job; `record` is the scheduler's."""

    record: Any
    number: int
    ends: list[int] = field(default_factory=list)
    cancelled: bool = False
    lost_count: int = 0


class World:
    def __init__(self, library: tuple[Any, Any], lost_max: int = LOST_MAX) -> None:
        self.ffi, self.lib = library
        self.pool = self.ffi.new("ms_job_pool *")
        self.scheduler = cast(Any, self.lib.ms_scheduler_create(ORDINAL_COUNT, lost_max, HEARTBEAT_NS))
        self.lost_max = lost_max
        self.now = 1_000_000_000
        self.jobs: list[Job] = []
        self.by_record: dict[int, Job] = {}
        self.slaves: dict[int, dict[int, Job]] = {}  # by number: the attempts it has not answered
        self.slots: dict[int, int] = {}
        self.left: set[int] = set()
        self.given_up: set[int] = set()  # jids
        self.jids: set[int] = set()
        self.pinged: set[int] = set()
        self.history: list[tuple[int, ...]] = []

    def close(self) -> None:
        self.lib.ms_scheduler_destroy(self.scheduler)
        for job in self.jobs:
            self.lib.ms_job_drop(self.pool, job.record, True)
        self.lib.ms_job_pool_destroy(self.pool)

    # What happens

    def submit(self, ordinal: int) -> None:
        job = Job(self.lib.ms_job_create(self.pool, ordinal, 4), len(self.jobs))
        self.jobs.append(job)
        self.by_record[int(self.ffi.cast("uintptr_t", job.record))] = job
        self.lib.ms_scheduler_submit(self.scheduler, job.record, self.now)
        self.act()

    def cancel(self, job: Job) -> None:
        had_ended = bool(job.ends)
        job.cancelled = True
        jid = job.record.jid
        self.lib.ms_scheduler_cancel(self.scheduler, job.record, self.now)
        if not had_ended and jid:
            self.given_up.add(jid)
        self.act()
        assert job.ends[-1:] == ([CANCELLED] if not had_ended else job.ends[-1:])
        assert job.ends

    def join(self, slots: int) -> int:
        slave = int(self.lib.ms_scheduler_join(self.scheduler, slots, self.now))
        assert slave not in self.slaves
        self.slaves[slave] = {}
        self.slots[slave] = slots
        self.left.discard(slave)
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
        self.act()
        if not stale:
            assert job.ends == [FAILED if fails else FINISHED]

    def give_back(self, slave: int, jid: int) -> None:
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
        back = self.lib.ms_scheduler_lost(self.scheduler, slave, self.now)
        self.left.discard(slave)
        self.pinged.discard(slave)
        self.act()
        assert back == sum(job.lost_count < self.lost_max for job in hit)
        for job in hit:
            assert (job.ends == [LOST]) == (job.lost_count >= self.lost_max)

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
                assert action.jid in self.slaves[action.slave]
                assert action.jid in self.given_up
            elif action.kind == PING:
                self.pinged.add(action.slave)
            elif action.kind == DROP:
                dropped.append(action.slave)
            else:
                job = self.by_record[int(self.ffi.cast("uintptr_t", action.job))]
                assert job.ends == [], "a job ends once"
                job.ends.append(action.end)
        self.scheduler.action_count = 0
        self.check()
        for slave in dropped:
            self.lose(slave)

    def run(self, action: Any) -> None:
        job = self.by_record[int(self.ffi.cast("uintptr_t", action.job))]
        attempts = self.slaves[action.slave]
        assert action.jid not in self.jids, "no jid names two attempts"
        assert action.slave not in self.left
        assert not job.ends
        held = [(jid, other) for one in self.slaves.values() for jid, other in one.items()]
        assert all(job is not other for jid, other in held if jid not in self.given_up)
        for jid, other in attempts.items():
            last = 0 < other.lost_count == self.lost_max - 1
            assert jid in self.given_up or not last, "nothing joins a last attempt"
        self.jids.add(action.jid)
        attempts[action.jid] = job
        if job.lost_count > 0:
            assert len(attempts) <= self.slots[action.slave], "nothing is queued with a suspect"
        if 0 < job.lost_count == self.lost_max - 1:
            assert len(attempts) == 1, "the last attempt is alone"

    # What always holds

    def check(self) -> None:
        scheduler = self.scheduler
        pending = [job for depth in range(DEPTH_MAX) for job in self.listed(scheduler.pending.lists[depth].first)]
        pending += self.listed(scheduler.alone.first)
        running = {jid: job for one in self.slaves.values() for jid, job in one.items() if jid not in self.given_up}
        assert len(pending) == scheduler.pending_count
        assert len(running) == scheduler.running_count
        assert scheduler.slave_count == len(self.slaves) - len(self.left)
        assert scheduler.slot_count == sum(self.slots[slave] for slave in self.slaves if slave not in self.left)
        places = [job.number for job in [*pending, *running.values()]]
        places += [job.number for job in self.jobs if job.ends]
        assert sorted(places) == list(range(len(self.jobs))), "each job is in one place"
        for jid, job in running.items():
            assert (job.record.place, job.record.jid) == (RUNNING, jid)
        for slave, attempts in self.slaves.items():
            record = scheduler.slaves[slave]
            assert record.inflight == len(attempts)
            assert record.given_up == sum(jid in self.given_up for jid in attempts)
            if scheduler.pending.first and not (record.leaving or record.reserved or record.alone or record.dropped):
                assert record.inflight >= record.slots, "nothing waits while a slot is free"
            if scheduler.alone.first and not (record.leaving or record.dropped):
                assert record.inflight > 0

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
        for _ in range(10 * len(self.jobs) + 10):
            for slave in list(self.slaves):
                self.hear(slave)
                for jid in list(self.slaves[slave]):
                    self.now += DURATION_NS[self.slaves[slave][jid].record.ordinal]
                    self.answer(slave, jid, fails=False)
        assert all(len(job.ends) == 1 for job in self.jobs)
        assert self.scheduler.pending_count == self.scheduler.running_count == 0


FAULTS = ("cancel", "leave", "give_back", "lose", "lie")
EVENTS = (*["submit"] * 3, *["answer"] * 3, "join", "tick", *FAULTS)


def play(world: World, draw: Any, event: str) -> None:
    """One event, if it can happen now. `draw(n)` is a number from 0 to n - 1."""
    slave = sorted(world.slaves)[draw(len(world.slaves))] if world.slaves else None
    attempts = sorted(world.slaves[slave]) if slave is not None else []
    jid = attempts[draw(len(attempts))] if attempts else None
    if event == "submit":
        ordinal = 1 + draw(ORDINAL_COUNT)
        for _ in range(1 + draw(8)):
            world.submit(ordinal)
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
    elif jid is None:
        return
    elif event == "give_back" and slave in world.left:
        world.give_back(slave, jid)
    elif event == "answer":
        world.now += DURATION_NS[world.slaves[slave][jid].record.ordinal]
        world.answer(slave, jid, fails=draw(8) == 0)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), lost_max=st.integers(1, 4))
def test_histories(library: tuple[Any, Any], data: st.DataObject, lost_max: int) -> None:
    world = World(library, lost_max)

    def draw(count: int) -> int:
        return data.draw(st.integers(0, count - 1))

    try:
        for event in data.draw(st.lists(st.sampled_from(EVENTS), max_size=60)):
            play(world, draw, event)
        world.recover()
    finally:
        world.close()


@settings(max_examples=20, deadline=None)
@given(random=st.randoms(use_true_random=False), lost_max=st.integers(1, 4))
def test_long_histories_give_the_same_actions_again(library: tuple[Any, Any], random: Any, lost_max: int) -> None:
    events = [random.choice(EVENTS) for _ in range(400)]
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
