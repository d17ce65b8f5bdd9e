/* Which slave has room for which pending job. The rules stand in scheduler.h. */
#include "master/measure.h"
#include "master/scheduler_inside.h"

#include <math.h>

enum {
    QUEUE_MAX = 4096,  /* jobs queued at one slave, for each slot */
    QUEUE_LEAST = 512, /* the same, when there are many slots */
    QUEUED_MAX = 65536, /* at all slots, as long as each may have more than the least: what is under way should stay in the processor's caches */
    CHOICE_COUNT = 8  /* queues that are compared, for a job */
};
#define AHEAD_NS 2000000u /* how much work is queued behind a slot */
#define LONG_NS 20000000u /* jobs that take longer are not queued at slaves */
#define MESSAGE_NS 5000u  /* what it takes to send and to receive a message, and to wake who waits for it */

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

static inline void begin(ms_scheduler *s, ms_slave *slave, ms_attempt *attempt, ms_job *job, uint64_t now)
{
    attempt->slave = (uint32_t)(slave - s->slaves);
    attempt->job = job;
    attempt->ordinal = job->ordinal & (MS_ORDINAL_MAX - 1);
    attempt->charge_ns = charge_of(s, job->ordinal);
    attempt->suspect = is_suspect(s, job);
    attempt->alone = is_last_attempt(s, job) && !slave->isolates;
    if (slave->inflight == 0) {
        ms_measure_close(s, slave);
        slave->batch_since = slave->batch_at = now;
        slave->idled = true;
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
    ms_place_note(s, slave);
}

static void start(ms_scheduler *s, ms_slave *slave, ms_job *job, uint64_t now)
{
    ms_place_unpend(s, job);
    begin(s, slave, ms_attempt_new(s), job, now);
    ms_scheduler_act(s, (ms_action){.kind = MS_SEND_RUN, .slave = job->slave, .jid = job->jid, .job = job});
}

void ms_place_begin(ms_scheduler *s, ms_slave *slave, ms_attempt *attempt, ms_job *job, uint64_t now)
{
    begin(s, slave, attempt, job, now);
}

/* ---- Handing out ---- */

static bool takes_jobs(const ms_slave *slave)
{
    return slave->slots > 0 && !slave->leaving && !slave->dropped && !slave->full && !slave->stalled && !slave->returning;
}

/* Whether a job can begin its last attempt there now. */
static bool suits_last_attempt(const ms_slave *slave)
{
    return takes_jobs(slave) && ms_busy_count(slave) < (slave->isolates ? slave->slots : 1) && slave->alone == 0;
}

static uint8_t sets_of(const ms_slave *slave)
{
    uint32_t busy = ms_busy_count(slave);
    if (slave->slots == 0)
        return 1 << MS_SET_UNUSED;
    uint8_t sets = busy > slave->slots && !slave->leaving && !slave->dropped ? 1 << MS_SET_CROWDED : 0;
    if (!takes_jobs(slave) || slave->alone > 0)
        return sets;
    sets |= suits_last_attempt(slave) ? 1 << MS_SET_OPEN | 1 << MS_SET_LAST : 1 << MS_SET_OPEN;
    if (slave->reserved)
        return sets;
    if (busy < slave->slots)
        return sets | 1 << MS_SET_FREE;
    return slave->suspects > 0 || slave->stuffed ? sets : sets | 1 << MS_SET_ROOMY;
}

void ms_place_note(ms_scheduler *s, ms_slave *slave)
{
    uint8_t sets = sets_of(slave), changed = sets ^ slave->sets;
    if (changed == 0)
        return;
    uint32_t number = (uint32_t)(slave - s->slaves);
    for (int i = 0; i < MS_SET_COUNT; i++)
        if ((changed >> i & 1) != 0 && (sets >> i & 1) != 0)
            ms_bitset_add(&s->sets[i], number);
        else if ((changed >> i & 1) != 0)
            ms_bitset_remove(&s->sets[i], number);
    slave->sets = sets;
    if ((changed & sets & (1 << MS_SET_FREE | 1 << MS_SET_CROWDED)) != 0 && s->pending.first == NULL)
        ms_recall_soon(s);
}

/* Whether it may stand in a queue at all. */
static bool may_queue(const ms_scheduler *s, const ms_job *job)
{
    uint32_t cost = s->cost_ns[job->ordinal];
    return !is_suspect(s, job) && !s->spawns[job->ordinal] && (cost <= LONG_NS || (s->lag_ns >= MS_LAG_NS && cost <= MS_LAGS_AHEAD * s->lag_ns));
}

static bool has_room(const ms_scheduler *s, const ms_slave *slave, const ms_job *job)
{
    uint32_t busy = ms_busy_count(slave);
    if (!takes_jobs(slave) || slave->reserved || slave->alone > 0)
        return false;
    if (busy < slave->slots)
        return true;
    uint32_t cost = s->cost_ns[job->ordinal];
    if (slave->suspects > 0 || !may_queue(s, job))
        return false;
    if (busy == slave->slots)
        return true;
    uint64_t queue = busy / slave->slots, load_ns = (slave->load_ns + cost) / slave->slots;
    bool is_ahead = s->lag_ns >= MS_LAG_NS && load_ns <= MS_LAGS_AHEAD * s->lag_ns;
    return queue < s->queue_max && (load_ns <= AHEAD_NS || is_ahead);
}

void ms_place_limit(ms_scheduler *s)
{
    uint32_t share = s->slot_count == 0 ? QUEUE_MAX : QUEUED_MAX / s->slot_count;
    s->queue_max = share > QUEUE_MAX ? QUEUE_MAX : share < QUEUE_LEAST ? QUEUE_LEAST : share;
}

void ms_place_unreserve(ms_scheduler *s)
{
    if (s->reserved == MS_NO_SLAVE)
        return;
    ms_slave *slave = &s->slaves[s->reserved];
    s->reserved = MS_NO_SLAVE;
    slave->reserved = false;
    ms_place_note(s, slave);
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

/* The slave with the shortest queue of the next few that have room for the first pending job. */
static ms_slave *find_queue(ms_scheduler *s)
{
    ms_slave *best = NULL;
    uint32_t first = MS_NO_SLAVE, at = s->rotor;
    for (int i = 0; i < CHOICE_COUNT;) {
        at = ms_bitset_next(&s->sets[MS_SET_ROOMY], at + 1);
        if (at == MS_NO_SLAVE || at == first)
            break;
        ms_slave *slave = &s->slaves[at];
        if (!has_room(s, slave, s->pending.first)) {
            slave->stuffed = true;
            ms_place_note(s, slave);
            continue;
        }
        if (best == NULL || slave->load_ns < best->load_ns)
            best = slave;
        if (first == MS_NO_SLAVE)
            first = at;
        i++;
    }
    return best;
}

/* A slave for the first pending job: one with a free slot, else one with room in its queue; in turn. */
static ms_slave *find_room(ms_scheduler *s)
{
    ms_slave *found = NULL;
    uint32_t number = ms_bitset_next(&s->sets[MS_SET_FREE], s->rotor + 1);
    if (number != MS_NO_SLAVE)
        found = &s->slaves[number];
    else if (may_queue(s, s->pending.first))
        found = find_queue(s);
    if (found != NULL)
        s->rotor = (uint32_t)(found - s->slaves);
    return found;
}

static void reserve(ms_scheduler *s)
{
    ms_slave *best = NULL;
    uint32_t first = ms_bitset_next(&s->sets[MS_SET_OPEN], 0);
    if (first == MS_NO_SLAVE)
        return;
    for (uint32_t at = first; best == NULL || at != first; at = ms_bitset_next(&s->sets[MS_SET_OPEN], at + 1))
        if (best == NULL || s->slaves[at].load_ns < best->load_ns)
            best = &s->slaves[at];
    best->reserved = true;
    s->reserved = (uint32_t)(best - s->slaves);
    ms_place_note(s, best);
}

/* Jobs for their last attempt take the slaves that suit them; if there are more of them, a slave is reserved. */
static void pump_alone(ms_scheduler *s, uint64_t now)
{
    uint32_t number;
    while (s->alone.first != NULL && (number = ms_bitset_next(&s->sets[MS_SET_LAST], 0)) != MS_NO_SLAVE)
        ms_place_feed(s, &s->slaves[number], now);
    if (s->alone.first == NULL)
        ms_place_unreserve(s);
    else if (s->reserved == MS_NO_SLAVE)
        reserve(s);
}

/* Up to which load a slave gets jobs in one go. A message costs the master and the slave about MESSAGE_NS, whatever it carries. Work W that goes
 * to k slaves of S slots is done after k messages and W / kS, which is least when each gets sqrt(W * S * MESSAGE_NS). It gets half of
 * that, which costs little, and leaves less to be uneven. */
static uint64_t go_of(const ms_scheduler *s, const ms_slave *slave, const ms_job *job, uint64_t job_count)
{
    uint32_t cost_ns = s->cost_ns[job->ordinal];
    if (cost_ns == MS_UNKNOWN_NS)
        return 0;
    double work_ns = (double)job_count * cost_ns;
    uint64_t go_ns = slave->load_ns + (uint64_t)(sqrt(work_ns * MESSAGE_NS * slave->slots) / 2);
    uint64_t lag_ns = s->lag_ns >= MS_LAG_NS ? MS_LAGS_AHEAD * s->lag_ns * slave->slots : 0;
    return go_ns > lag_ns ? go_ns : lag_ns;
}

/* The first pending job, and those that go along with it although other slaves may be idle. */
static void start_some(ms_scheduler *s, ms_slave *slave, uint64_t job_count, uint64_t now)
{
    uint64_t go_ns = go_of(s, slave, s->pending.first, job_count);
    do
        start(s, slave, s->pending.first, now);
    while (s->pending.first != NULL && slave->load_ns + s->cost_ns[s->pending.first->ordinal] <= go_ns && has_room(s, slave, s->pending.first));
}

bool ms_place_pump_some(ms_scheduler *s, uint64_t now, uint32_t action_max)
{
    if (s->alone.first != NULL || s->reserved != MS_NO_SLAVE)
        pump_alone(s, now);
    bool room = true;
    uint64_t job_count = s->pending_count;
    while (s->pending.first != NULL && room && s->action_count < action_max) {
        ms_slave *slave = find_room(s);
        room = slave != NULL;
        if (room)
            start_some(s, slave, job_count, now);
    }
    s->saturated = s->pending.first != NULL && !room;
    if (s->pending.first == NULL && job_count > 0)
        ms_recall_soon(s); /* some may have got a queue while others have nothing */
    return s->pending.first != NULL && room;
}

void ms_place_pump(ms_scheduler *s, uint64_t now)
{
    ms_place_pump_some(s, now, UINT32_MAX);
}
