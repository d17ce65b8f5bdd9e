/* The state machine. The theory of operation stands in scheduler.h. */
#include "master/measure.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { MS_ORDINAL_MAX = 1 << 29 }; /* what fits an attempt */

enum {
    QUEUE_MAX = 4096,           /* jobs queued at one slave, for each slot */
    FIRST_ATTEMPT_CAPACITY = 1024,
    SILENT_HEARTBEATS = 3
};
#define AHEAD_NS 2000000u    /* how much work is queued behind a slot */
#define LONG_NS 20000000u    /* jobs that take longer are not queued at slaves */

/* ---- Memory ---- */

/* The scheduler's own tables are small; a machine that can't give them to us can't go on. */
static void *grow(void *block, size_t size)
{
    void *bigger = realloc(block, size);
    if (bigger == NULL)
        abort();
    return bigger;
}

static void act(ms_scheduler *s, ms_action action)
{
    if (s->action_count == s->action_capacity) {
        s->action_capacity = s->action_capacity == 0 ? 64 : s->action_capacity * 2;
        s->actions = grow(s->actions, s->action_capacity * sizeof *s->actions);
    }
    s->actions[s->action_count++] = action;
}

ms_scheduler *ms_scheduler_create(uint32_t job_count, uint32_t lost_max, uint64_t heartbeat_ns)
{
    ms_scheduler *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->job_count = job_count;
    s->lost_max = lost_max < 1 ? 1 : lost_max > MS_LOST_MAX ? MS_LOST_MAX : lost_max;
    s->heartbeat_ns = heartbeat_ns;
    s->reserved = MS_NO_SLAVE;
    s->attempt_capacity = FIRST_ATTEMPT_CAPACITY;
    s->attempts = calloc(s->attempt_capacity, sizeof *s->attempts);
    s->cost_ns = malloc(((size_t)job_count + 1) * sizeof *s->cost_ns);
    s->spawns = calloc((size_t)job_count + 1, sizeof *s->spawns);
    if (s->attempts == NULL || s->cost_ns == NULL || s->spawns == NULL || job_count >= MS_ORDINAL_MAX) {
        ms_scheduler_destroy(s);
        return NULL;
    }
    for (uint32_t i = 0; i <= job_count; i++)
        s->cost_ns[i] = MS_UNKNOWN_NS;
    return s;
}

void ms_scheduler_destroy(ms_scheduler *s)
{
    free(s->actions);
    free(s->slaves);
    free(s->attempts);
    free(s->cost_ns);
    free(s->spawns);
    free(s);
}

/* ---- Pending jobs ---- */

/* Its next attempt is the last that it has, and it has lost slaves before. */
static bool is_last_attempt(const ms_scheduler *s, const ms_job *job)
{
    return job->lost_count > 0 && job->lost_count + 1u >= s->lost_max;
}

static bool is_suspect(const ms_scheduler *s, const ms_job *job)
{
    return job->lost_count > 0 || s->lost_max == 1;
}

static void pend(ms_scheduler *s, ms_job *job, bool front)
{
    job->place = MS_PLACE_PENDING;
    s->pending_count++;
    if (is_last_attempt(s, job))
        ms_list_append(&s->alone, job);
    else
        ms_pending_add(&s->pending, job, ms_job_depth(job), front);
}

static void unpend(ms_scheduler *s, ms_job *job)
{
    s->pending_count--;
    if (is_last_attempt(s, job))
        ms_list_remove(&s->alone, job);
    else
        ms_pending_remove(&s->pending, job, ms_job_depth(job));
}

ms_job *ms_scheduler_pending(const ms_scheduler *s)
{
    return s->pending.first != NULL ? s->pending.first : s->alone.first;
}

/* ---- Attempts ---- */

static ms_attempt *attempt_of(ms_scheduler *s, uint32_t jid)
{
    ms_attempt *attempt = &s->attempts[jid & (s->attempt_capacity - 1)];
    return attempt->jid == jid && jid != 0 ? attempt : NULL;
}

/* Twice the places. Jids that differ in their low bits still do with one bit more, so nothing collides. */
static void grow_attempts(ms_scheduler *s)
{
    uint32_t capacity = s->attempt_capacity * 2;
    ms_attempt *attempts = grow(NULL, capacity * sizeof *attempts);
    memset(attempts, 0, capacity * sizeof *attempts);
    for (uint32_t i = 0; i < s->attempt_capacity; i++)
        if (s->attempts[i].jid != 0)
            attempts[s->attempts[i].jid & (capacity - 1)] = s->attempts[i];
    free(s->attempts);
    s->attempts = attempts;
    s->attempt_capacity = capacity;
}

static ms_attempt *new_attempt(ms_scheduler *s)
{
    if (s->attempt_count >= s->attempt_capacity / 2)
        grow_attempts(s);
    ms_attempt *attempt;
    do {
        s->last_jid = s->last_jid == MS_COUNT_MAX ? 1 : s->last_jid + 1;
        attempt = &s->attempts[s->last_jid & (s->attempt_capacity - 1)];
    } while (attempt->jid != 0);
    attempt->jid = s->last_jid;
    s->attempt_count++;
    return attempt;
}

static uint32_t charge_of(const ms_scheduler *s, uint32_t ordinal)
{
    return s->cost_ns[ordinal] == MS_UNKNOWN_NS ? LONG_NS : s->cost_ns[ordinal];
}

static void start(ms_scheduler *s, ms_slave *slave, ms_job *job, uint64_t now)
{
    unpend(s, job);
    ms_attempt *attempt = new_attempt(s);
    attempt->slave = (uint32_t)(slave - s->slaves);
    attempt->job = job;
    attempt->ordinal = job->ordinal & (MS_ORDINAL_MAX - 1);
    attempt->charge_ns = charge_of(s, job->ordinal);
    attempt->suspect = is_suspect(s, job);
    attempt->alone = is_last_attempt(s, job);
    if (slave->inflight == 0) {
        ms_measure_close(s, slave);
        slave->batch_since = slave->batch_at = now;
    }
    slave->inflight++;
    slave->suspects += attempt->suspect;
    slave->load_ns += attempt->charge_ns;
    slave->alone += attempt->alone;
    job->place = MS_PLACE_RUNNING;
    job->slave = attempt->slave;
    job->jid = attempt->jid;
    s->running_count++;
    ms_list_append(&slave->jobs, job);
    act(s, (ms_action){.kind = MS_SEND_RUN, .slave = job->slave, .jid = job->jid, .job = job});
}

/* The attempt is over; its job, if it still has one, is in no list any more. */
static void end_attempt(ms_scheduler *s, ms_attempt *attempt)
{
    ms_slave *slave = &s->slaves[attempt->slave];
    assert(slave->inflight > 0);
    slave->inflight--;
    slave->load_ns -= attempt->charge_ns;
    slave->suspects -= attempt->suspect;
    slave->lent -= attempt->lent;
    slave->full = false;
    slave->alone -= attempt->alone && !attempt->lent;
    if (attempt->job != NULL) {
        ms_list_remove(&slave->jobs, attempt->job);
        attempt->job->jid = 0;
        s->running_count--;
    } else {
        slave->given_up--;
    }
    *attempt = (ms_attempt){0};
    s->attempt_count--;
}

/* ---- Handing out ---- */

static bool takes_jobs(const ms_slave *slave)
{
    return slave->slots > 0 && !slave->leaving && !slave->dropped && !slave->full;
}

static bool has_room(const ms_scheduler *s, const ms_slave *slave, const ms_job *job)
{
    uint32_t busy = ms_busy_count(slave);
    if (!takes_jobs(slave) || slave->reserved || slave->alone > 0)
        return false;
    if (busy < slave->slots)
        return true;
    uint32_t cost = s->cost_ns[job->ordinal];
    if (is_suspect(s, job) || slave->suspects > 0 || cost > LONG_NS || s->spawns[job->ordinal])
        return false;
    if (busy == slave->slots)
        return true;
    return busy / slave->slots < QUEUE_MAX && slave->load_ns + cost <= (uint64_t)AHEAD_NS * slave->slots;
}

static void unreserve(ms_scheduler *s)
{
    if (s->reserved != MS_NO_SLAVE)
        s->slaves[s->reserved].reserved = false;
    s->reserved = MS_NO_SLAVE;
}

/* Gives a slave what it has room for. */
static void feed(ms_scheduler *s, ms_slave *slave, uint64_t now)
{
    if (s->alone.first != NULL && takes_jobs(slave) && ms_busy_count(slave) == 0 && slave->alone == 0) {
        if (slave->reserved)
            unreserve(s);
        start(s, slave, s->alone.first, now);
    }
    while (s->pending.first != NULL && has_room(s, slave, s->pending.first))
        start(s, slave, s->pending.first, now);
    if (s->pending.first == NULL)
        s->saturated = false;
}

/* A slave for the first pending job: one with a free slot, else one with room in its queue; in turn. */
static ms_slave *find_room(ms_scheduler *s)
{
    ms_slave *second_best = NULL;
    for (uint32_t i = 0; i < s->slave_capacity; i++) {
        s->rotor = s->rotor + 1 < s->slave_capacity ? s->rotor + 1 : 0;
        ms_slave *slave = &s->slaves[s->rotor];
        if (!has_room(s, slave, s->pending.first))
            continue;
        if (ms_busy_count(slave) < slave->slots)
            return slave;
        if (second_best == NULL || slave->load_ns < second_best->load_ns)
            second_best = slave;
    }
    return second_best;
}

/* Jobs for their last attempt take the slaves that are empty; if there are more of them, a slave is reserved. */
static void pump_alone(ms_scheduler *s, uint64_t now)
{
    ms_slave *best = NULL;
    for (uint32_t i = 0; i < s->slave_capacity && s->alone.first != NULL; i++) {
        ms_slave *slave = &s->slaves[i];
        if (takes_jobs(slave) && ms_busy_count(slave) == 0 && slave->alone == 0)
            feed(s, slave, now);
        else if (takes_jobs(slave) && slave->alone == 0 && (best == NULL || slave->load_ns < best->load_ns))
            best = slave;
    }
    if (s->alone.first == NULL) {
        unreserve(s);
    } else if (s->reserved == MS_NO_SLAVE && best != NULL) {
        best->reserved = true;
        s->reserved = (uint32_t)(best - s->slaves);
    }
}

/* Hands out what can be handed out, to any slave. */
static void pump(ms_scheduler *s, uint64_t now)
{
    if (s->alone.first != NULL || s->reserved != MS_NO_SLAVE)
        pump_alone(s, now);
    ms_slave *slave;
    while (s->pending.first != NULL && (slave = find_room(s)) != NULL)
        start(s, slave, s->pending.first, now);
    s->saturated = s->pending.first != NULL;
}

/* ---- Events ---- */

static ms_relations *relations_of(ms_job *job)
{
    ms_relations *relations = ms_relations_of(job);
    if (relations == NULL)
        abort();
    return relations;
}

static void end_job(ms_scheduler *s, ms_job *job, ms_end end, ms_job *source)
{
    job->place = MS_PLACE_ENDED;
    act(s, (ms_action){.kind = MS_JOB_ENDED, .end = end, .slave = job->slave, .job = job, .source = source});
    if (job->relations == NULL)
        return;
    job->relations->finished = end == MS_END_FINISHED;
    ms_list_append(&s->ending, job);
}

/* The attempt goes on for nothing, until it is answered. */
static void give_up(ms_scheduler *s, ms_job *job)
{
    ms_attempt *attempt = attempt_of(s, job->jid);
    ms_slave *slave = &s->slaves[attempt->slave];
    act(s, (ms_action){.kind = MS_SEND_CANCEL, .slave = attempt->slave, .jid = attempt->jid});
    ms_list_remove(&slave->jobs, job);
    attempt->job = NULL;
    slave->given_up++;
    s->running_count--;
    job->jid = 0;
}

/* Ends a job wherever it is; what follows from it is left to `settle`. */
static void stop(ms_scheduler *s, ms_job *job, ms_end end, ms_job *source)
{
    switch ((ms_job_place)job->place) {
    case MS_PLACE_NEW:
    case MS_PLACE_ENDED: return;
    case MS_PLACE_WAITING: s->waiting_count--; break;
    case MS_PLACE_PENDING: unpend(s, job); break;
    case MS_PLACE_RUNNING: give_up(s, job); break;
    }
    end_job(s, job, end, source);
}

/* Nobody waits any more for a job whose parent has ended. */
static void abandon(ms_scheduler *s, ms_job *job)
{
    const ms_relations *r = job->relations;
    if (r->spawned && r->parent == NULL && r->waiting == NULL)
        stop(s, job, MS_END_CANCELLED, NULL);
}

/* The attempt of the parent is over. Its children go on when they may, and when somebody waits for them. */
static void leave_children(ms_scheduler *s, ms_job *parent, bool go_on)
{
    ms_job *child;
    while ((child = parent->relations->first_child) != NULL) {
        ms_job_leave_parent(child);
        if (!go_on)
            abandon(s, child);
    }
}

/* A dependency has ended. */
static void fill_hole(ms_scheduler *s, ms_hole *hole, bool finished)
{
    ms_job *job = hole->owner;
    ms_hole_delist(hole);
    if (job->place != MS_PLACE_WAITING)
        return;
    if (!finished) {
        stop(s, job, MS_END_LIKE, hole->dependency);
    } else if (--job->relations->missing_count == 0) {
        s->waiting_count--;
        pend(s, job, false);
    }
}

/* All that follows from the jobs that have ended. */
static void settle(ms_scheduler *s)
{
    ms_job *job;
    while ((job = s->ending.first) != NULL) {
        ms_relations *r = job->relations;
        ms_list_remove(&s->ending, job);
        for (uint32_t i = 0; i < r->hole_count; i++)
            if (r->holes[i].link != NULL) {
                ms_hole_delist(&r->holes[i]);
                abandon(s, r->holes[i].dependency);
            }
        while (r->waiting != NULL)
            fill_hole(s, r->waiting, r->finished);
        leave_children(s, job, r->finished);
        ms_job_leave_parent(job);
    }
}

/* To the pending jobs, or to those that wait for their dependencies. */
static void admit(ms_scheduler *s, ms_job *job)
{
    ms_job *failed = NULL;
    if (!ms_job_has_holes(job)) {
        pend(s, job, false);
        return;
    }
    ms_relations *r = job->relations;
    r->missing_count = 0;
    for (uint32_t i = 0; i < r->hole_count; i++) {
        ms_job *dependency = r->holes[i].dependency;
        if (dependency->place != MS_PLACE_ENDED) {
            ms_hole_enlist(&r->holes[i], relations_of(dependency));
            r->missing_count++;
        } else if (failed == NULL && ms_job_state_now(dependency) == (uint32_t)MS_FAILED) {
            failed = dependency;
        }
    }
    if (failed == NULL && r->missing_count == 0) {
        pend(s, job, false);
        return;
    }
    job->place = MS_PLACE_WAITING;
    s->waiting_count++;
    if (failed != NULL)
        stop(s, job, MS_END_LIKE, failed);
}

void ms_scheduler_submit(ms_scheduler *s, ms_job *job, uint64_t now)
{
    assert(job->place == MS_PLACE_NEW && job->ordinal > 0 && job->ordinal <= s->job_count);
    admit(s, job);
    settle(s);
    if (!s->saturated)
        pump(s, now);
}

void ms_scheduler_cancel(ms_scheduler *s, ms_job *job, uint64_t now)
{
    if (job->place == MS_PLACE_ENDED)
        return;
    stop(s, job, MS_END_CANCELLED, NULL);
    settle(s);
    pump(s, now);
}

void ms_scheduler_unsent(ms_scheduler *s, ms_job *job, uint64_t now)
{
    if (job->place != MS_PLACE_RUNNING)
        return;
    end_attempt(s, attempt_of(s, job->jid));
    end_job(s, job, MS_END_UNSENT, NULL);
    settle(s);
    pump(s, now);
}

static uint32_t free_slave(ms_scheduler *s)
{
    for (uint32_t i = 0; i < s->slave_capacity; i++)
        if (s->slaves[i].slots == 0)
            return i;
    uint32_t count = s->slave_capacity == 0 ? 8 : s->slave_capacity * 2, first = s->slave_capacity;
    s->slaves = grow(s->slaves, count * sizeof *s->slaves);
    memset(s->slaves + first, 0, (count - first) * sizeof *s->slaves);
    s->slave_capacity = count;
    return first;
}

uint32_t ms_scheduler_join(ms_scheduler *s, uint32_t slots, uint64_t now)
{
    uint32_t number = free_slave(s);
    s->slaves[number] = (ms_slave){.slots = slots, .heard_at = now, .pinged_at = now, .batch_since = now, .batch_at = now};
    s->slave_count++;
    s->slot_count += slots;
    pump(s, now);
    return number;
}

void ms_scheduler_heard(ms_scheduler *s, uint32_t slave, uint64_t now)
{
    s->slaves[slave].heard_at = now;
}

/* It gets nothing more, be it leaving or lost. */
static void retire(ms_scheduler *s, ms_slave *slave)
{
    if (slave->reserved)
        unreserve(s);
    if (slave->leaving)
        return;
    slave->leaving = true;
    s->slave_count--;
    s->slot_count -= slave->slots;
}

void ms_scheduler_leaving(ms_scheduler *s, uint32_t slave, uint64_t now)
{
    retire(s, &s->slaves[slave]);
    pump(s, now);
}

void ms_scheduler_dropping(ms_scheduler *s, uint32_t slave)
{
    s->slaves[slave].dropped = true;
}

uint32_t ms_scheduler_lost(ms_scheduler *s, uint32_t number, uint64_t now)
{
    ms_slave *slave = &s->slaves[number];
    uint32_t back_count = 0;
    retire(s, slave);
    while (slave->jobs.last != NULL) { /* the youngest first, each to the front: the oldest ends up first */
        ms_job *job = slave->jobs.last;
        end_attempt(s, attempt_of(s, job->jid));
        job->lost_count++;
        if (job->lost_count >= s->lost_max) {
            end_job(s, job, MS_END_LOST, NULL);
        } else {
            pend(s, job, true);
            if (job->relations != NULL)
                leave_children(s, job, false);
            back_count++;
        }
    }
    settle(s);
    for (uint32_t i = 0; i < s->attempt_capacity && slave->given_up > 0; i++)
        if (s->attempts[i].jid != 0 && s->attempts[i].slave == number)
            end_attempt(s, &s->attempts[i]);
    assert(slave->inflight == 0 && slave->load_ns == 0);
    *slave = (ms_slave){0};
    pump(s, now);
    return back_count;
}

/* The attempt that a slave may speak of under this jid. */
static ms_attempt *attempt_at(ms_scheduler *s, uint32_t slave, uint32_t jid)
{
    ms_attempt *attempt = attempt_of(s, jid);
    return attempt != NULL && attempt->slave == slave ? attempt : NULL;
}

static void after_attempt(ms_scheduler *s, ms_slave *slave, uint64_t now)
{
    if (slave->reserved || s->alone.first != NULL)
        pump(s, now);
    else
        feed(s, slave, now);
}

ms_answer ms_scheduler_answer(ms_scheduler *s, uint32_t number, int32_t ordinal, uint32_t jid, uint64_t now)
{
    ms_attempt *attempt = attempt_at(s, number, jid);
    uint32_t function = ordinal < 0 ? 0u - (uint32_t)ordinal : (uint32_t)ordinal;
    if (attempt == NULL || attempt->ordinal != function)
        return MS_ANSWER_WRONG;
    ms_slave *slave = &s->slaves[number];
    ms_job *job = attempt->job;
    ms_measure_answer(s, slave, function, now);
    end_attempt(s, attempt);
    if (job != NULL)
        end_job(s, job, ordinal > 0 ? MS_END_FINISHED : MS_END_FAILED, NULL);
    settle(s);
    after_attempt(s, slave, now);
    return job != NULL ? MS_ANSWER_FINE : MS_ANSWER_STALE;
}

ms_answer ms_scheduler_give_back(ms_scheduler *s, uint32_t number, uint32_t jid, uint64_t now)
{
    ms_attempt *attempt = attempt_at(s, number, jid);
    ms_slave *slave = &s->slaves[number];
    if (attempt == NULL || attempt->lent || (!slave->leaving && slave->inflight == 1))
        return MS_ANSWER_WRONG;
    ms_job *job = attempt->job;
    end_attempt(s, attempt);
    slave->full = true;
    if (job != NULL)
        pend(s, job, true);
    pump(s, now);
    return job != NULL ? MS_ANSWER_FINE : MS_ANSWER_STALE;
}

static ms_answer answer_of(const ms_attempt *attempt)
{
    return attempt == NULL ? MS_ANSWER_WRONG : attempt->job == NULL ? MS_ANSWER_STALE : MS_ANSWER_FINE;
}

ms_answer ms_scheduler_attempt(ms_scheduler *s, uint32_t slave, uint32_t jid)
{
    return answer_of(attempt_at(s, slave, jid));
}

ms_job *ms_scheduler_job(ms_scheduler *s, uint32_t slave, uint32_t jid)
{
    const ms_attempt *attempt = attempt_at(s, slave, jid);
    return attempt == NULL ? NULL : attempt->job;
}

/* ---- Jobs that start jobs ---- */

ms_answer ms_scheduler_spawn(ms_scheduler *s, uint32_t number, uint32_t jid, ms_job *job, uint64_t now)
{
    ms_attempt *attempt = attempt_at(s, number, jid);
    if (answer_of(attempt) != MS_ANSWER_FINE)
        return answer_of(attempt);
    s->spawns[attempt->ordinal] = true;
    relations_of(attempt->job);
    relations_of(job)->spawned = true;
    job->relations->depth = ms_job_depth(attempt->job) + 1;
    ms_job_adopt(attempt->job, job);
    ms_scheduler_submit(s, job, now);
    return MS_ANSWER_FINE;
}

ms_answer ms_scheduler_tail(ms_scheduler *s, uint32_t number, uint32_t jid, ms_job *next, uint64_t now)
{
    ms_attempt *attempt = attempt_at(s, number, jid);
    ms_answer answer = answer_of(attempt);
    if (answer == MS_ANSWER_WRONG || attempt->lent)
        return MS_ANSWER_WRONG;
    ms_slave *slave = &s->slaves[number];
    ms_job *job = attempt->job;
    if (job != NULL)
        relations_of(job);
    s->spawns[attempt->ordinal] = true;
    ms_measure_answer(s, slave, attempt->ordinal, now);
    end_attempt(s, attempt);
    if (job != NULL) {
        leave_children(s, job, true);
        job->lost_count = 0;
        if (ms_job_become(job, next))
            admit(s, job);
        else
            end_job(s, job, MS_END_UNSENT, NULL);
        settle(s);
    }
    pump(s, now);
    return answer;
}

ms_answer ms_scheduler_lent(ms_scheduler *s, uint32_t number, uint32_t jid, uint64_t now)
{
    ms_attempt *attempt = attempt_at(s, number, jid);
    if (attempt == NULL || attempt->lent)
        return MS_ANSWER_WRONG;
    attempt->lent = true;
    s->slaves[number].lent++;
    s->slaves[number].alone -= attempt->alone;
    pump(s, now);
    return answer_of(attempt);
}

ms_answer ms_scheduler_regained(ms_scheduler *s, uint32_t number, uint32_t jid)
{
    ms_attempt *attempt = attempt_at(s, number, jid);
    if (attempt == NULL || !attempt->lent)
        return MS_ANSWER_WRONG;
    attempt->lent = false;
    s->slaves[number].lent--;
    s->slaves[number].alone += attempt->alone;
    return answer_of(attempt);
}

void ms_scheduler_tick(ms_scheduler *s, uint64_t now)
{
    /* When we ourselves were stopped, the silence is ours. */
    uint64_t gap = s->ticked_at == 0 ? 0 : now - s->ticked_at;
    s->ticked_at = now;
    for (uint32_t i = 0; i < s->slave_capacity; i++) {
        ms_slave *slave = &s->slaves[i];
        if (slave->slots == 0 || slave->dropped)
            continue;
        if (gap > s->heartbeat_ns)
            slave->heard_at = slave->heard_at + gap < now ? slave->heard_at + gap : now;
        if (now - slave->heard_at >= SILENT_HEARTBEATS * s->heartbeat_ns) {
            slave->dropped = true;
            act(s, (ms_action){.kind = MS_DROP_SLAVE, .slave = i});
        } else if (now - slave->pinged_at >= s->heartbeat_ns) {
            slave->pinged_at = now;
            act(s, (ms_action){.kind = MS_SEND_PING, .slave = i});
        }
    }
}
