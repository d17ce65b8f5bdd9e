/* Which slave has room for which pending job. The rules stand in scheduler.h. */
#include "master/measure.h"
#include "master/scheduler_inside.h"

enum { QUEUE_MAX = 4096 /* jobs queued at one slave, for each slot */ };
#define AHEAD_NS 2000000u /* how much work is queued behind a slot */
#define LONG_NS 20000000u /* jobs that take longer are not queued at slaves */

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

void ms_place_pend(ms_scheduler *s, ms_job *job, bool front)
{
    job->place = MS_PLACE_PENDING;
    s->pending_count++;
    if (is_last_attempt(s, job))
        ms_list_append(&s->alone, job);
    else
        ms_pending_add(&s->pending, job, ms_job_depth(job), front);
}

void ms_place_unpend(ms_scheduler *s, ms_job *job)
{
    s->pending_count--;
    if (is_last_attempt(s, job))
        ms_list_remove(&s->alone, job);
    else
        ms_pending_remove(&s->pending, job, ms_job_depth(job));
}

static uint32_t charge_of(const ms_scheduler *s, uint32_t ordinal)
{
    return s->cost_ns[ordinal] == MS_UNKNOWN_NS ? LONG_NS : s->cost_ns[ordinal];
}

static void start(ms_scheduler *s, ms_slave *slave, ms_job *job, uint64_t now)
{
    ms_place_unpend(s, job);
    ms_attempt *attempt = ms_attempt_new(s);
    attempt->slave = (uint32_t)(slave - s->slaves);
    attempt->job = job;
    attempt->ordinal = job->ordinal & (MS_ORDINAL_MAX - 1);
    attempt->charge_ns = charge_of(s, job->ordinal);
    attempt->suspect = is_suspect(s, job);
    attempt->alone = is_last_attempt(s, job) && !slave->isolates;
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
    ms_scheduler_act(s, (ms_action){.kind = MS_SEND_RUN, .slave = job->slave, .jid = job->jid, .job = job});
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

void ms_place_unreserve(ms_scheduler *s)
{
    if (s->reserved != MS_NO_SLAVE)
        s->slaves[s->reserved].reserved = false;
    s->reserved = MS_NO_SLAVE;
}

/* Whether a job can begin its last attempt there now. */
static bool suits_last_attempt(const ms_slave *slave)
{
    return takes_jobs(slave) && ms_busy_count(slave) < (slave->isolates ? slave->slots : 1) && slave->alone == 0;
}

void ms_place_feed(ms_scheduler *s, ms_slave *slave, uint64_t now)
{
    while (s->alone.first != NULL && suits_last_attempt(slave)) {
        if (slave->reserved)
            ms_place_unreserve(s);
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
        if (suits_last_attempt(slave))
            ms_place_feed(s, slave, now);
        else if (takes_jobs(slave) && slave->alone == 0 && (best == NULL || slave->load_ns < best->load_ns))
            best = slave;
    }
    if (s->alone.first == NULL) {
        ms_place_unreserve(s);
    } else if (s->reserved == MS_NO_SLAVE && best != NULL) {
        best->reserved = true;
        s->reserved = (uint32_t)(best - s->slaves);
    }
}

void ms_place_pump(ms_scheduler *s, uint64_t now)
{
    if (s->alone.first != NULL || s->reserved != MS_NO_SLAVE)
        pump_alone(s, now);
    ms_slave *slave;
    while (s->pending.first != NULL && (slave = find_room(s)) != NULL)
        start(s, slave, s->pending.first, now);
    s->saturated = s->pending.first != NULL;
}
