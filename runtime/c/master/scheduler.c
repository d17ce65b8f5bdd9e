/* The state machine. The theory of operation stands in scheduler.h. */
#include "master/measure.h"
#include "master/scheduler_inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SILENT_HEARTBEATS = 3, ACTIONS_FOR_A_PUMP = 256 };

/* ---- Memory ---- */

_Noreturn void ms_scheduler_starve(ms_scheduler *s)
{
    if (s->no_memory != NULL)
        s->no_memory(s->owner);
    abort();
}

void *ms_scheduler_grow(ms_scheduler *s, void *block, size_t size)
{
    void *bigger = realloc(block, size);
    if (bigger == NULL)
        ms_scheduler_starve(s);
    return bigger;
}

void ms_scheduler_act(ms_scheduler *s, ms_action action)
{
    if (s->action_count == s->action_capacity) {
        s->action_capacity = s->action_capacity == 0 ? 64 : s->action_capacity * 2;
        s->actions = ms_scheduler_grow(s, s->actions, s->action_capacity * sizeof *s->actions);
    }
    s->actions[s->action_count++] = action;
}

ms_job *ms_scheduler_pending(const ms_scheduler *s)
{
    return s->pending.first != NULL ? s->pending.first : s->alone.first;
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
    s->look_at = UINT64_MAX;
    s->attempt_capacity = MS_FIRST_ATTEMPT_CAPACITY;
    s->attempts = calloc(s->attempt_capacity, sizeof *s->attempts);
    s->cost_ns = malloc(((size_t)job_count + 1) * sizeof *s->cost_ns);
    s->told = calloc((size_t)job_count + 1, sizeof *s->told);
    s->spawns = calloc((size_t)job_count + 1, sizeof *s->spawns);
    if (s->attempts == NULL || s->cost_ns == NULL || s->told == NULL || s->spawns == NULL || job_count >= MS_ORDINAL_MAX) {
        ms_scheduler_destroy(s);
        return NULL;
    }
    for (uint32_t i = 0; i <= job_count; i++)
        s->cost_ns[i] = MS_UNKNOWN_NS;
    return s;
}

void ms_scheduler_destroy(ms_scheduler *s)
{
    for (uint32_t i = 0; i < s->slave_capacity; i++)
        free(s->slaves[i].given_up_jids);
    for (int i = 0; i < MS_SET_COUNT; i++)
        ms_bitset_free(&s->sets[i]);
    free(s->actions);
    free(s->slaves);
    free(s->attempts);
    free(s->cost_ns);
    free(s->told);
    free(s->spawns);
    free(s->absent);
    free(s);
}

/* ---- Events ---- */

void ms_scheduler_admit(ms_scheduler *s, ms_job *job)
{
    assert(job->place == MS_PLACE_NEW && job->ordinal > 0 && job->ordinal <= s->job_count);
    ms_end_admit(s, job);
    ms_end_settle(s);
}

static bool pump(ms_scheduler *s, uint64_t now, uint32_t action_max)
{
    bool needless = s->reserved != MS_NO_SLAVE && s->alone.first == NULL; /* its job has ended at once, and others with it */
    return (!s->saturated || needless) && ms_place_pump_some(s, now, action_max);
}

bool ms_scheduler_pump(ms_scheduler *s, uint64_t now)
{
    return pump(s, now, ACTIONS_FOR_A_PUMP);
}

void ms_scheduler_submit(ms_scheduler *s, ms_job *job, uint64_t now)
{
    ms_scheduler_admit(s, job);
    pump(s, now, UINT32_MAX);
}

void ms_scheduler_cancel(ms_scheduler *s, ms_job *job, uint64_t now)
{
    if (job->place == MS_PLACE_ENDED)
        return;
    ms_end_stop(s, job, MS_END_CANCELLED, NULL);
    ms_end_settle(s);
    ms_place_pump(s, now);
}

void ms_scheduler_unsent(ms_scheduler *s, ms_job *job, uint64_t now)
{
    if (job->place != MS_PLACE_RUNNING)
        return;
    ms_attempt_end(s, ms_attempt_of(s, job->jid));
    ms_end_job(s, job, MS_END_UNSENT, NULL);
    ms_end_settle(s);
    ms_place_pump(s, now);
}

static uint32_t free_slave(ms_scheduler *s)
{
    uint32_t number = ms_bitset_next(&s->sets[MS_SET_UNUSED], 0);
    if (number != MS_NO_SLAVE)
        return number;
    uint32_t count = s->slave_capacity == 0 ? 8 : s->slave_capacity * 2, first = s->slave_capacity;
    s->slaves = ms_scheduler_grow(s, s->slaves, count * sizeof *s->slaves);
    memset(s->slaves + first, 0, (count - first) * sizeof *s->slaves);
    s->slave_capacity = count;
    for (int i = 0; i < MS_SET_COUNT; i++)
        if (!ms_bitset_reserve(&s->sets[i], count))
            ms_scheduler_starve(s);
    for (uint32_t i = first; i < count; i++)
        ms_place_note(s, &s->slaves[i]);
    return first;
}

static uint32_t add_slave(ms_scheduler *s, uint32_t slots, uint64_t now)
{
    uint32_t number = free_slave(s);
    ms_slave *slave = &s->slaves[number];
    *slave = (ms_slave){.slots = slots, .heard_at = now, .pinged_at = now, .batch_since = now, .batch_at = now, .sets = slave->sets};
    ms_place_note(s, slave);
    s->slave_count++;
    s->slot_count += slots;
    ms_place_limit(s);
    return number;
}

uint32_t ms_scheduler_join(ms_scheduler *s, uint32_t slots, uint64_t now)
{
    uint32_t number = add_slave(s, slots, now);
    ms_place_pump(s, now);
    return number;
}

uint32_t ms_scheduler_return(ms_scheduler *s, uint32_t slots, const uint8_t *identity, uint64_t now)
{
    uint32_t number = add_slave(s, slots, now);
    ms_slave *slave = &s->slaves[number];
    memcpy(slave->identity, identity, sizeof slave->identity);
    slave->returning = true;
    ms_place_note(s, slave);
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
        ms_place_unreserve(s);
    if (slave->leaving)
        return;
    slave->leaving = true;
    ms_place_note(s, slave);
    s->slave_count--;
    s->slot_count -= slave->slots;
    ms_place_limit(s);
}

void ms_scheduler_leaving(ms_scheduler *s, uint32_t slave, uint64_t now)
{
    retire(s, &s->slaves[slave]);
    ms_place_pump(s, now);
}

void ms_scheduler_dropping(ms_scheduler *s, uint32_t slave)
{
    s->slaves[slave].dropped = true;
    ms_place_note(s, &s->slaves[slave]);
}

/* Its attempt has ended, and might have because of it. False: that was its last. */
static bool lose(ms_scheduler *s, ms_job *job)
{
    job->lost_count++;
    if (job->lost_count >= s->lost_max) {
        ms_end_job(s, job, MS_END_LOST, NULL);
        return false;
    }
    ms_place_pend(s, job, true);
    if (job->relations != NULL)
        ms_end_leave_children(s, job, false);
    return true;
}

uint32_t ms_scheduler_lost(ms_scheduler *s, uint32_t number, uint64_t now)
{
    ms_slave *slave = &s->slaves[number];
    uint32_t back_count = 0;
    retire(s, slave);
    while (slave->jobs.last != NULL) { /* the youngest first, each to the front: the oldest ends up first */
        ms_job *job = slave->jobs.last;
        uint32_t jid = job->jid;
        ms_attempt_end(s, ms_attempt_of(s, jid));
        if (!lose(s, job))
            continue;
        ms_orphan_add(s, slave->identity, jid, job);
        back_count++;
    }
    ms_end_settle(s);
    ms_attempts_forget(s, slave);
    assert(slave->inflight == 0 && slave->load_ns == 0);
    *slave = (ms_slave){.sets = slave->sets};
    ms_place_note(s, slave);
    ms_place_pump(s, now);
    return back_count;
}

static void after_attempt(ms_scheduler *s, ms_slave *slave, uint64_t now)
{
    bool special = s->reserved != MS_NO_SLAVE || s->alone.first != NULL;
    if (s->saturated && !special)
        ms_place_feed(s, slave, now); /* no other has room */
    else
        ms_place_pump(s, now);
}

ms_answer ms_scheduler_answer(ms_scheduler *s, uint32_t number, int32_t ordinal, uint32_t jid, uint64_t now)
{
    ms_attempt *attempt = ms_attempt_at(s, number, jid);
    uint32_t function = ordinal < 0 ? 0u - (uint32_t)ordinal : (uint32_t)ordinal;
    if (attempt == NULL || attempt->ordinal != function)
        return MS_ANSWER_WRONG;
    ms_slave *slave = &s->slaves[number];
    ms_job *job = attempt->job;
    if (!attempt->readopted)
        ms_measure_answer(s, slave, function, now);
    ms_attempt_end(s, attempt);
    if (job != NULL)
        ms_end_job(s, job, ordinal > 0 ? MS_END_FINISHED : MS_END_FAILED, NULL);
    ms_end_settle(s);
    after_attempt(s, slave, now);
    return job != NULL ? MS_ANSWER_FINE : MS_ANSWER_STALE;
}

ms_answer ms_scheduler_crashed(ms_scheduler *s, uint32_t number, uint32_t jid, uint64_t now)
{
    ms_attempt *attempt = ms_attempt_at(s, number, jid);
    if (attempt == NULL)
        return MS_ANSWER_WRONG;
    ms_job *job = attempt->job;
    ms_attempt_end(s, attempt);
    s->slaves[number].isolates = true;
    ms_place_note(s, &s->slaves[number]);
    if (job != NULL)
        lose(s, job);
    ms_end_settle(s);
    ms_place_pump(s, now);
    return job != NULL ? MS_ANSWER_FINE : MS_ANSWER_STALE;
}

ms_answer ms_scheduler_give_back(ms_scheduler *s, uint32_t number, uint32_t jid, uint64_t now)
{
    ms_attempt *attempt = ms_attempt_at(s, number, jid);
    ms_slave *slave = &s->slaves[number];
    if (attempt == NULL || attempt->lent || (!attempt->asked && !slave->leaving && slave->inflight == 1))
        return MS_ANSWER_WRONG;
    ms_job *job = attempt->job;
    bool full = slave->full || !attempt->asked;
    ms_attempt_end(s, attempt);
    slave->full = full;
    ms_place_note(s, slave);
    if (job != NULL)
        ms_place_pend(s, job, true);
    ms_place_pump(s, now);
    return job != NULL ? MS_ANSWER_FINE : MS_ANSWER_STALE;
}

static ms_answer answer_of(const ms_attempt *attempt)
{
    return attempt == NULL ? MS_ANSWER_WRONG : attempt->job == NULL ? MS_ANSWER_STALE : MS_ANSWER_FINE;
}

ms_answer ms_scheduler_attempt(ms_scheduler *s, uint32_t slave, uint32_t jid)
{
    return answer_of(ms_attempt_at(s, slave, jid));
}

ms_job *ms_scheduler_job(ms_scheduler *s, uint32_t slave, uint32_t jid)
{
    const ms_attempt *attempt = ms_attempt_at(s, slave, jid);
    return attempt == NULL ? NULL : attempt->job;
}

/* ---- Jobs that start jobs ---- */

ms_answer ms_scheduler_spawn(ms_scheduler *s, uint32_t number, uint32_t jid, ms_job *job, uint64_t now)
{
    ms_attempt *attempt = ms_attempt_at(s, number, jid);
    if (answer_of(attempt) != MS_ANSWER_FINE)
        return answer_of(attempt);
    s->spawns[attempt->ordinal] = true;
    ms_end_relations(s, attempt->job);
    ms_end_relations(s, job)->spawned = true;
    job->relations->depth = ms_job_depth(attempt->job) + 1;
    ms_job_adopt(attempt->job, job);
    ms_scheduler_submit(s, job, now);
    return MS_ANSWER_FINE;
}

ms_answer ms_scheduler_tail(ms_scheduler *s, uint32_t number, uint32_t jid, ms_job *next, uint64_t now)
{
    ms_attempt *attempt = ms_attempt_at(s, number, jid);
    ms_answer answer = answer_of(attempt);
    if (answer == MS_ANSWER_WRONG || attempt->lent)
        return MS_ANSWER_WRONG;
    ms_slave *slave = &s->slaves[number];
    ms_job *job = attempt->job;
    if (job != NULL)
        ms_end_relations(s, job);
    s->spawns[attempt->ordinal] = true;
    ms_measure_answer(s, slave, attempt->ordinal, now);
    ms_attempt_end(s, attempt);
    if (job != NULL) {
        ms_end_leave_children(s, job, true);
        ms_orphans_forget(s, job);
        if (ms_job_become(job, next))
            ms_end_admit(s, job);
        else
            ms_end_job(s, job, MS_END_UNSENT, NULL);
        ms_end_settle(s);
    }
    ms_place_pump(s, now);
    return answer;
}

ms_answer ms_scheduler_lent(ms_scheduler *s, uint32_t number, uint32_t jid, uint64_t now)
{
    ms_attempt *attempt = ms_attempt_at(s, number, jid);
    if (attempt == NULL || attempt->lent)
        return MS_ANSWER_WRONG;
    attempt->lent = true;
    s->slaves[number].lent++;
    s->slaves[number].alone -= attempt->alone;
    ms_place_note(s, &s->slaves[number]);
    ms_place_pump(s, now);
    return answer_of(ms_attempt_at(s, number, jid));
}

ms_answer ms_scheduler_regained(ms_scheduler *s, uint32_t number, uint32_t jid)
{
    ms_attempt *attempt = ms_attempt_at(s, number, jid);
    if (attempt == NULL || !attempt->lent)
        return MS_ANSWER_WRONG;
    attempt->lent = false;
    s->slaves[number].lent--;
    s->slaves[number].alone += attempt->alone;
    ms_place_note(s, &s->slaves[number]);
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
            ms_place_note(s, slave);
            ms_scheduler_act(s, (ms_action){.kind = MS_DROP_SLAVE, .slave = i});
        } else if (now - slave->pinged_at >= s->heartbeat_ns) {
            slave->pinged_at = now;
            ms_scheduler_act(s, (ms_action){.kind = MS_SEND_PING, .slave = i});
        }
    }
    ms_recall_tick(s, now);
}
