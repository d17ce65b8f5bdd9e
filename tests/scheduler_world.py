"""The world around the scheduler of the master, for test_scheduler: somebody who plays everybody else.

`World` carries out the actions, keeps for each slave the attempts that were sent to it, and answers them in any order,
late, or never. After each event it looks at what must always hold (scheduler.h); when the faults have stopped, every
job must end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

RUN, CANCEL, PING, DROP, ENDED, RECALL = range(6)
FINISHED, FAILED, CANCELLED, LOST, LIKE, UNSENT = range(6)
FINE, STALE, WRONG = range(3)
NEW, WAITING, PENDING, RUNNING, AT_ITS_END = range(5)

ORDINAL_COUNT = 3
# No history here is deeper.
DEPTH_MAX = 40
LOST_MAX = 3
HEARTBEAT_NS = 2_000_000_000
NEVER = 2**64 - 1
# What jobs of each function take, roughly: none, some, long.
DURATION_NS = (0, 1_000, 500_000, 60_000_000)


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
    version: int = 0  # how often it has become another
    needs: list[Job] = field(default_factory=list)  # while they have not ended


@dataclass(slots=True)
class Absent:
    """A slave that was lost and lives: what it has, with what the jobs were then."""

    slots: int
    attempts: dict[int, tuple[Job, int]]


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
        self.asked: dict[int, list[int]] = {}  # by slave: the jids of a recall that has not been answered
        self.begun: set[int] = set()  # jids that were asked for, and not given back
        self.identities: dict[int, bytes] = {}  # by slave
        self.last_identity = 0
        self.absent: dict[bytes, Absent] = {}
        self.returning = -1  # the slave that is about to say what it has
        self.began_others: set[int] = set()  # jids of attempts that have started jobs, or waited
        self.stalled: set[int] = set()  # slaves that have not answered for too long
        self.isolating: set[int] = set()  # slaves of which the scheduler knows it
        self.accompanied: set[int] = set()  # jids of attempts there
        self.history: list[tuple[int, ...]] = []

    def __enter__(self) -> World:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

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

    def submit_together(self, ordinal: int, count: int) -> None:
        for _ in range(count):
            self.lib.ms_scheduler_admit(self.scheduler, self.make(ordinal, []).record)
        more = True
        while more:
            more = self.lib.ms_scheduler_pump(self.scheduler, self.now)
            self.act()

    def spawn(self, slave: int, jid: int, ordinal: int, needs: list[Job]) -> None:
        parent = self.slaves[slave][jid]
        if jid in self.given_up:
            record = self.lib.ms_job_create(self.pool, ordinal, 4)
            assert self.lib.ms_scheduler_spawn(self.scheduler, slave, jid, record, self.now) == STALE
            self.lib.ms_job_drop(self.pool, record, True)
            return
        self.began_others.add(jid)
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
            job.version += 1
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
            self.began_others.add(jid)
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
        self.last_identity += 1
        self.welcome(slave, slots, self.last_identity.to_bytes(16, "little"))
        self.lib.ms_scheduler_identify(self.scheduler, slave, self.identities[slave])
        self.act()
        return slave

    def welcome(self, slave: int, slots: int, identity: bytes) -> None:
        assert slave not in self.slaves
        self.identities[slave] = identity
        self.slaves[slave] = {}
        self.slots[slave] = slots
        self.left.discard(slave)
        self.isolating.discard(slave)

    def come_back(self, identity: bytes, draw: Callable[[int], int]) -> int:
        """It offers some of what it had; of the rest it has given up."""
        absent = self.absent.pop(identity)
        slave = int(self.lib.ms_scheduler_return(self.scheduler, absent.slots, identity, self.now))
        self.welcome(slave, absent.slots, identity)
        self.returning = slave
        self.act()
        assert self.lib.ms_scheduler_offer(self.scheduler, slave, 0, True, self.now) == STALE
        for jid, (job, version) in sorted(absent.attempts.items()):
            if jid not in self.began_others and draw(4):
                self.offer(slave, jid, job, version, ended=bool(draw(2)))
        self.lib.ms_scheduler_offered(self.scheduler, slave, self.now)
        self.returning = -1
        self.act()
        return slave

    def offer(self, slave: int, jid: int, job: Job, version: int, ended: bool) -> None:
        place = job.record.place
        wanted = not job.ends and job.version == version and (place == PENDING or (place == RUNNING and ended))
        said = self.lib.ms_scheduler_offer(self.scheduler, slave, jid, ended, self.now)
        assert said == (FINE if wanted else STALE)
        if wanted:
            job.lost_count -= 1
            self.begun.add(jid)
            self.slaves[slave][jid] = job
        self.act()

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
        only = slave not in self.left and len(self.slaves[slave]) == 1 and jid not in self.asked.get(slave, [])
        if jid in self.lent or only:
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

    def answer_recall(self, slave: int, begun_count: int) -> None:
        """Gives back what it was asked for, but for the oldest of them, which have begun."""
        asked = self.asked[slave]
        self.begun.update(sorted(asked)[:begun_count])
        for jid in sorted(asked)[begun_count:]:
            if jid in self.slaves[slave]:
                self.give_back(slave, jid)
        del self.asked[slave]
        self.stalled.discard(slave)
        self.lib.ms_scheduler_recalled(self.scheduler, slave, self.now)
        self.act()

    def lose(self, slave: int, cut_off: bool = False) -> None:
        attempts = self.slaves.pop(slave)
        if cut_off:
            self.lib.ms_scheduler_identify(self.scheduler, slave, self.ffi.NULL)
        else:
            held = {jid: (job, job.version) for jid, job in attempts.items() if jid not in self.given_up}
            self.absent[self.identities[slave]] = Absent(self.slots[slave], held)
        hit = [job for jid, job in attempts.items() if jid not in self.given_up]
        for job in hit:
            job.lost_count += 1
        before = len(self.history)
        back = self.lib.ms_scheduler_lost(self.scheduler, slave, self.now)
        self.left.discard(slave)
        self.pinged.discard(slave)
        self.asked.pop(slave, None)
        self.stalled.discard(slave)
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
        self.stalled = {slave for slave in self.slaves if self.scheduler.slaves[slave].stalled}
        assert self.stalled <= self.asked.keys()
        self.act()

    def hear(self, slave: int) -> None:
        self.pinged.discard(slave)
        self.lib.ms_scheduler_heard(self.scheduler, slave, self.now)

    # What the scheduler wants

    def act(self) -> None:
        dropped = []
        recalled: dict[int, list[int]] = {}
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
            elif action.kind == RECALL:
                recalled.setdefault(action.slave, []).append(action.jid)
            else:
                job = self.by_record[int(self.ffi.cast("uintptr_t", action.job))]
                assert job.ends == [], "a job ends once"
                job.ends.append(action.end)
                job.record.state = 1 if action.end == FINISHED else 2
                if action.end == LIKE:
                    source = self.by_record[int(self.ffi.cast("uintptr_t", action.source))]
                    assert source.ends not in ([], [FINISHED])
        self.scheduler.action_count = 0
        for slave, jids in recalled.items():
            self.recall(slave, jids)
        if self.checking:
            self.settle()
            self.check()
        for slave in dropped:
            self.lose(slave)
        if self.scheduler.look_at <= self.now:
            self.lib.ms_scheduler_look(self.scheduler, self.now)
            self.act()

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
        assert action.slave != self.returning
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

    def recall(self, slave: int, jids: list[int]) -> None:
        assert slave not in self.asked, "one recall at a time"
        assert slave not in self.left
        assert any(self.starves(other) for other in self.slaves), "nobody needs them"
        assert not self.scheduler.pending.first
        assert len(jids) <= self.busy(slave) - self.slots[slave]
        assert not set(jids) & (self.lent | self.given_up)
        held = sorted(self.slaves[slave].keys() - self.lent - self.given_up - self.begun)
        assert sorted(jids) == held[-len(jids) :], "the youngest are asked for"
        self.asked[slave] = jids

    def starves(self, slave: int) -> bool:
        record = self.scheduler.slaves[slave]
        kept = record.leaving or record.dropped or record.full or record.stalled or record.reserved
        kept = kept or record.alone or record.returning
        return not kept and self.busy(slave) < self.slots[slave]

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
            assert record.recalling == (slave in self.asked)
            kept = record.leaving or record.dropped or record.full or record.stalled or record.returning
            if scheduler.pending.first and not (kept or record.reserved or record.alone):
                assert self.busy(slave) >= record.slots, "nothing waits while a slot is free"
            if scheduler.alone.first and not kept and not record.alone:
                assert self.busy(slave) > 0
        self.check_recalls()

    def check_recalls(self) -> None:
        """When there is nothing to think about and no recall to be answered, no slave starves beside a queue."""
        scheduler = self.scheduler
        if scheduler.look_at != NEVER or scheduler.pending.first or self.asked:
            return
        if not any(map(self.starves, self.slaves)):
            return
        for slave, attempts in self.slaves.items():
            queued = len(attempts.keys() - self.lent - self.given_up) - self.slots[slave]
            queued = min(queued, len(attempts.keys() - self.lent - self.given_up - self.begun))
            assert queued <= 0 or slave in self.left or scheduler.slaves[slave].dropped

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
        for slave in list(self.asked):
            self.answer_recall(slave, 0)
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
                if slave in self.asked:
                    self.answer_recall(slave, 0)
                for jid in list(self.slaves[slave]):
                    self.now += DURATION_NS[self.slaves[slave][jid].record.ordinal]
                    self.answer(slave, jid, fails=False)
        assert all(len(job.ends) == 1 for job in self.jobs)
        assert self.scheduler.orphan_count == 0
        assert self.scheduler.pending_count == self.scheduler.running_count == self.scheduler.waiting_count == 0


NESTED = ("spawn", "spawn", "tail", "lend", "lend", "need")
FAULTS = ("cancel", "leave", "give_back", "lose", "lie", "crash")
RECALLS = ("look", "recalled", "recalled")
RETURNS = ("lose", "come_back", "come_back", "cut_off")
EVENTS = (*["submit"] * 3, *["answer"] * 3, "join", "tick", *FAULTS, *RECALLS, *RETURNS)
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
    elif event == "come_back":
        if world.absent and len(world.slaves) < 6:
            world.come_back(sorted(world.absent)[draw(len(world.absent))], draw)
    elif event == "look":
        world.now += draw(3_000_000)
        world.act()
    elif event == "recalled":
        if world.asked:
            recalling = sorted(world.asked)[draw(len(world.asked))]
            world.answer_recall(recalling, draw(1 + len(world.asked[recalling])))
    elif slave is None:
        return
    elif event == "lose":
        world.lose(slave)
    elif event == "cut_off":
        world.lose(slave, cut_off=True)
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
