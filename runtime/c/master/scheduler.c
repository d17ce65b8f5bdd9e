/* The state machine. The theory of operation stands in scheduler.h. */
#include "master/scheduler.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUEUE_MAX = 4096,           /* jobs queued at one slave, for each slot */
    FIRST_ATTEMPT_CAPACITY = 1024,
    SILENT_HEARTBEATS = 3
};
#define AHEAD_NS 2000000u    /* how much work is queued behind a slot */
#define LONG_NS 20000000u    /* jobs that take longer are not queued at slaves */
#define UNKNOWN_NS UINT32_MAX

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
    if (s->attempts == NULL || s->cost_ns == NULL) {
        ms_scheduler_destroy(s);
        return NULL;
    }
    for (uint32_t i = 0; i <= job_count; i++)
        s->cost_ns[i] = UNKNOWN_NS;
    return s;
}

void ms_scheduler_destroy(ms_scheduler *s)
{
    free(s->actions);
    free(s->slaves);
    free(s->attempts);
    free(s->cost_ns);
    free(s);
}

/* ---- Lists of jobs ---- */

static void list_append(ms_job **first, ms_job **last, ms_job *job)
{
    job->next = NULL;
    job->previous = *last;
    if (*last != NULL)
        (*last)->next = job;
    else
        *first = job;
    *last = job;
}

static void list_prepend(ms_job **first, ms_job **last, ms_job *job)
{
    job->previous = NULL;
    job->next = *first;
    if (*first != NULL)
        (*first)->previous = job;
    else
        *last = job;
    *first = job;
}

static void list_remove(ms_job **first, ms_job **last, ms_job *job)
{
    if (job->previous != NULL)
        job->previous->next = job->next;
    else
        *first = job->next;
    if (job->next != NULL)
        job->next->previous = job->previous;
    else
        *last = job->previous;
    job->next = job->previous = NULL;
}

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
        list_append(&s->first_alone, &s->last_alone, job);
    else if (front)
        list_prepend(&s->first, &s->last, job);
    else
        list_append(&s->first, &s->last, job);
}

static void unpend(ms_scheduler *s, ms_job *job)
{
    s->pending_count--;
    if (is_last_attempt(s, job))
        list_remove(&s->first_alone, &s->last_alone, job);
    else
        list_remove(&s->first, &s->last, job);
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
    return s->cost_ns[ordinal] == UNKNOWN_NS ? LONG_NS : s->cost_ns[ordinal];
}

static void close_batch(ms_scheduler *s, ms_slave *slave);

static void start(ms_scheduler *s, ms_slave *slave, ms_job *job, uint64_t now)
{
    unpend(s, job);
    ms_attempt *attempt = new_attempt(s);
    attempt->slave = (uint32_t)(slave - s->slaves);
    attempt->job = job;
    attempt->ordinal = job->ordinal & 0x7fffffffu;
    attempt->charge_ns = charge_of(s, job->ordinal);
    attempt->suspect = is_suspect(s, job);
    if (slave->inflight == 0) {
        close_batch(s, slave);
        slave->batch_since = slave->batch_at = now;
    }
    slave->inflight++;
    slave->suspects += attempt->suspect;
    slave->load_ns += attempt->charge_ns;
    slave->alone = is_last_attempt(s, job);
    job->place = MS_PLACE_RUNNING;
    job->slave = attempt->slave;
    job->jid = attempt->jid;
    s->running_count++;
    list_append(&slave->first, &slave->last, job);
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
    if (slave->inflight == 0)
        slave->alone = false;
    if (attempt->job != NULL) {
        list_remove(&slave->first, &slave->last, attempt->job);
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
    return slave->slots > 0 && !slave->leaving && !slave->dropped;
}

static bool has_room(const ms_scheduler *s, const ms_slave *slave, const ms_job *job)
{
    if (!takes_jobs(slave) || slave->reserved || slave->alone)
        return false;
    if (slave->inflight < slave->slots)
        return true;
    uint32_t cost = s->cost_ns[job->ordinal];
    if (is_suspect(s, job) || slave->suspects > 0 || cost > LONG_NS)
        return false;
    if (slave->inflight == slave->slots)
        return true;
    return slave->inflight / slave->slots < QUEUE_MAX && slave->load_ns + cost <= (uint64_t)AHEAD_NS * slave->slots;
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
    if (s->first_alone != NULL && takes_jobs(slave) && slave->inflight == 0) {
        if (slave->reserved)
            unreserve(s);
        start(s, slave, s->first_alone, now);
    }
    while (s->first != NULL && has_room(s, slave, s->first))
        start(s, slave, s->first, now);
    if (s->first == NULL)
        s->saturated = false;
}

/* A slave for the first pending job: one with a free slot, else one with room in its queue; in turn. */
static ms_slave *find_room(ms_scheduler *s)
{
    ms_slave *second_best = NULL;
    for (uint32_t i = 0; i < s->slave_capacity; i++) {
        s->rotor = s->rotor + 1 < s->slave_capacity ? s->rotor + 1 : 0;
        ms_slave *slave = &s->slaves[s->rotor];
        if (!has_room(s, slave, s->first))
            continue;
        if (slave->inflight < slave->slots)
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
    for (uint32_t i = 0; i < s->slave_capacity && s->first_alone != NULL; i++) {
        ms_slave *slave = &s->slaves[i];
        if (takes_jobs(slave) && slave->inflight == 0)
            feed(s, slave, now);
        else if (takes_jobs(slave) && !slave->alone && (best == NULL || slave->load_ns < best->load_ns))
            best = slave;
    }
    if (s->first_alone == NULL) {
        unreserve(s);
    } else if (s->reserved == MS_NO_SLAVE && best != NULL) {
        best->reserved = true;
        s->reserved = (uint32_t)(best - s->slaves);
    }
}

/* Hands out what can be handed out, to any slave. */
static void pump(ms_scheduler *s, uint64_t now)
{
    if (s->first_alone != NULL || s->reserved != MS_NO_SLAVE)
        pump_alone(s, now);
    ms_slave *slave;
    while (s->first != NULL && (slave = find_room(s)) != NULL)
        start(s, slave, s->first, now);
    s->saturated = s->first != NULL;
}

/* ---- Measuring ---- */

static void learn(ms_scheduler *s, uint32_t ordinal, uint64_t sample_ns)
{
    uint32_t *cost = &s->cost_ns[ordinal];
    uint32_t sample = sample_ns > UNKNOWN_NS / 2 ? UNKNOWN_NS / 2 : sample_ns < 100 ? 100 : (uint32_t)sample_ns;
    if (*cost == UNKNOWN_NS)
        *cost = sample;
    else if (sample < *cost)
        *cost -= (*cost - sample) / 2;
    else
        *cost += (sample - *cost) / 8;
}

/* What came at one time tells, when all of it is in, how long such jobs take: the time since the batch before, divided. */
static void close_batch(ms_scheduler *s, ms_slave *slave)
{
    if (slave->batch_count == 0)
        return;
    uint64_t elapsed = slave->batch_at - slave->batch_since;
    learn(s, slave->batch_ordinal, elapsed * slave->batch_busy / slave->batch_count);
    slave->batch_since = slave->batch_at;
    slave->batch_count = 0;
}

static void measure(ms_scheduler *s, ms_slave *slave, uint32_t ordinal, uint64_t now)
{
    uint32_t busy = slave->inflight < slave->slots ? slave->inflight : slave->slots;
    if (now != slave->batch_at || slave->batch_count == 0) {
        close_batch(s, slave);
        slave->batch_at = now;
        slave->batch_busy = busy;
        if (s->cost_ns[ordinal] == UNKNOWN_NS)
            learn(s, ordinal, (now - slave->batch_since) * busy);
    }
    slave->batch_ordinal = ordinal;
    slave->batch_count++;
}

/* ---- Events ---- */

static void end_job(ms_scheduler *s, ms_job *job, ms_end end)
{
    job->place = MS_PLACE_ENDED;
    act(s, (ms_action){.kind = MS_JOB_ENDED, .end = end, .slave = job->slave, .job = job});
}

void ms_scheduler_submit(ms_scheduler *s, ms_job *job, uint64_t now)
{
    assert(job->place == MS_PLACE_NEW && job->ordinal > 0 && job->ordinal <= s->job_count);
    pend(s, job, false);
    if (!s->saturated)
        pump(s, now);
}

void ms_scheduler_cancel(ms_scheduler *s, ms_job *job, uint64_t now)
{
    if (job->place == MS_PLACE_PENDING) {
        unpend(s, job);
        end_job(s, job, MS_END_CANCELLED);
        pump(s, now);
    } else if (job->place == MS_PLACE_RUNNING) {
        ms_attempt *attempt = attempt_of(s, job->jid);
        ms_slave *slave = &s->slaves[attempt->slave];
        act(s, (ms_action){.kind = MS_SEND_CANCEL, .slave = attempt->slave, .jid = attempt->jid});
        list_remove(&slave->first, &slave->last, job);
        attempt->job = NULL;
        slave->given_up++;
        s->running_count--;
        job->jid = 0;
        end_job(s, job, MS_END_CANCELLED);
    }
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
    while (slave->last != NULL) { /* the youngest first, each to the front: the oldest ends up first */
        ms_job *job = slave->last;
        end_attempt(s, attempt_of(s, job->jid));
        job->lost_count++;
        if (job->lost_count >= s->lost_max) {
            end_job(s, job, MS_END_LOST);
        } else {
            pend(s, job, true);
            back_count++;
        }
    }
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
    if (slave->reserved || s->first_alone != NULL)
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
    measure(s, slave, function, now);
    end_attempt(s, attempt);
    if (job != NULL)
        end_job(s, job, ordinal > 0 ? MS_END_FINISHED : MS_END_FAILED);
    after_attempt(s, slave, now);
    return job != NULL ? MS_ANSWER_FINE : MS_ANSWER_STALE;
}

ms_answer ms_scheduler_give_back(ms_scheduler *s, uint32_t number, uint32_t jid, uint64_t now)
{
    ms_attempt *attempt = attempt_at(s, number, jid);
    if (attempt == NULL || !s->slaves[number].leaving)
        return MS_ANSWER_WRONG;
    ms_job *job = attempt->job;
    end_attempt(s, attempt);
    if (job != NULL)
        pend(s, job, true);
    pump(s, now);
    return job != NULL ? MS_ANSWER_FINE : MS_ANSWER_STALE;
}

ms_answer ms_scheduler_attempt(ms_scheduler *s, uint32_t slave, uint32_t jid)
{
    const ms_attempt *attempt = attempt_at(s, slave, jid);
    return attempt == NULL ? MS_ANSWER_WRONG : attempt->job == NULL ? MS_ANSWER_STALE : MS_ANSWER_FINE;
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
