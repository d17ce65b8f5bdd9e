/* Orphans: attempts whose slave was lost and may come back. The rules stand in scheduler.h.
 *
 * An orphan keeps its place in the table of attempts, so that its jid is nobody else's, with the number of its absent slave in
 * place of a slave's, and stands in a list of its job's. Both are bounded: what finds no room is not kept, and the job just runs again.
 *
 * Always: an orphan's job has not ended, and is what it was when the attempt was begun; an absent slave has as many orphans as it says. */
#include "core/wire.h"
#include "master/scheduler_inside.h"

#include <assert.h>
#include <string.h>

enum {
    ORPHANS_MAX = 65536,
    ABSENT_MAX = 4096
};

bool ms_identity_is_known(const uint8_t *identity)
{
    static const uint8_t none[MS_IDENTITY_SIZE];
    return memcmp(identity, none, sizeof none) != 0;
}

/* ---- Absent slaves ---- */

static uint32_t find_absent(const ms_scheduler *s, const uint8_t *identity)
{
    for (uint32_t i = 0; i < s->absent_capacity; i++)
        if (s->absent[i].orphan_count > 0 && memcmp(s->absent[i].identity, identity, MS_IDENTITY_SIZE) == 0)
            return i;
    return MS_NO_SLAVE;
}

/* A place for one more; MS_NO_SLAVE when there are too many. */
static uint32_t add_absent(ms_scheduler *s, const uint8_t *identity)
{
    uint32_t found = 0;
    while (found < s->absent_capacity && s->absent[found].orphan_count > 0)
        found++;
    if (found == ABSENT_MAX)
        return MS_NO_SLAVE;
    if (found == s->absent_capacity) {
        uint32_t capacity = found == 0 ? 16 : found * 2;
        s->absent = ms_scheduler_grow(s, s->absent, capacity * sizeof *s->absent);
        memset(s->absent + found, 0, (capacity - found) * sizeof *s->absent);
        s->absent_capacity = capacity;
    }
    memcpy(s->absent[found].identity, identity, MS_IDENTITY_SIZE);
    return found;
}

/* ---- Orphans ---- */

/* Out of the table; its job has let go of it. */
static void clear(ms_scheduler *s, ms_attempt *orphan)
{
    assert(orphan->orphan && s->absent[orphan->slave].orphan_count > 0);
    s->absent[orphan->slave].orphan_count--;
    s->orphan_count--;
    *orphan = (ms_attempt){0};
    s->attempt_count--;
}

static void leave_job(ms_scheduler *s, ms_attempt *orphan)
{
    uint32_t *link = &orphan->job->relations->orphan;
    while (*link != orphan->jid)
        link = &ms_attempt_of(s, *link)->next_orphan;
    *link = orphan->next_orphan;
}

void ms_orphan_add(ms_scheduler *s, const uint8_t *identity, uint32_t jid, ms_job *job)
{
    if (!ms_identity_is_known(identity) || s->orphan_count == ORPHANS_MAX || ms_relations_of(job) == NULL)
        return;
    uint32_t absent = find_absent(s, identity);
    if (absent == MS_NO_SLAVE && (absent = add_absent(s, identity)) == MS_NO_SLAVE)
        return;
    ms_attempt *orphan = &s->attempts[jid & (s->attempt_capacity - 1)];
    assert(orphan->jid == 0); /* it has just ended there */
    *orphan = (ms_attempt){.jid = jid, .slave = absent, .job = job, .next_orphan = job->relations->orphan, .orphan = 1};
    orphan->ordinal = job->ordinal & (MS_ORDINAL_MAX - 1);
    job->relations->orphan = jid;
    s->attempt_count++;
    s->absent[absent].orphan_count++;
    s->orphan_count++;
}

void ms_orphans_forget(ms_scheduler *s, ms_job *job)
{
    uint32_t jid;
    while (job->relations != NULL && (jid = job->relations->orphan) != 0) {
        ms_attempt *orphan = ms_attempt_of(s, jid);
        job->relations->orphan = orphan->next_orphan;
        clear(s, orphan);
    }
}

/* All that are left of a slave. */
static void forget_absent(ms_scheduler *s, uint32_t absent)
{
    for (uint32_t i = 0; i < s->attempt_capacity && s->absent[absent].orphan_count > 0; i++) {
        ms_attempt *one = &s->attempts[i];
        if (one->jid == 0 || !one->orphan || one->slave != absent)
            continue;
        leave_job(s, one);
        clear(s, one);
    }
}

/* ---- A slave that comes back ---- */

void ms_scheduler_identify(ms_scheduler *s, uint32_t slave, const uint8_t *identity)
{
    if (identity == NULL) {
        memset(s->slaves[slave].identity, 0, MS_IDENTITY_SIZE);
        return;
    }
    uint32_t absent = find_absent(s, identity);
    if (absent != MS_NO_SLAVE)
        forget_absent(s, absent);
    memcpy(s->slaves[slave].identity, identity, MS_IDENTITY_SIZE);
}

/* Its slave has it again, and its job with it. */
static void readopt(ms_scheduler *s, uint32_t slave, ms_attempt *orphan, uint64_t now)
{
    ms_job *job = orphan->job;
    uint32_t jid = orphan->jid;
    leave_job(s, orphan);
    clear(s, orphan);
    job->lost_count--; /* so it did not kill that slave */
    ms_attempt *attempt = &s->attempts[jid & (s->attempt_capacity - 1)];
    *attempt = (ms_attempt){.jid = jid, .readopted = 1};
    s->attempt_count++;
    ms_place_begin(s, &s->slaves[slave], attempt, job, now);
}

ms_answer ms_scheduler_offer(ms_scheduler *s, uint32_t number, uint32_t jid, bool ended, uint64_t now)
{
    ms_attempt *orphan = ms_attempt_of(s, jid);
    const ms_slave *slave = &s->slaves[number];
    if (!slave->returning || orphan == NULL || !orphan->orphan ||
        memcmp(s->absent[orphan->slave].identity, slave->identity, MS_IDENTITY_SIZE) != 0)
        return MS_ANSWER_STALE;
    ms_job *job = orphan->job;
    if (job->place == MS_PLACE_PENDING) {
        ms_place_unpend(s, job);
    } else if (job->place == MS_PLACE_RUNNING && ended && !job->lent) {
        ms_end_give_up(s, job);
        ms_end_leave_children(s, job, false);
    } else {
        return MS_ANSWER_STALE;
    }
    readopt(s, number, ms_attempt_of(s, jid), now);
    ms_end_settle(s);
    ms_place_pump(s, now); /* a slave may have been reserved for it */
    return MS_ANSWER_FINE;
}

void ms_scheduler_offered(ms_scheduler *s, uint32_t number, uint64_t now)
{
    ms_slave *slave = &s->slaves[number];
    uint32_t absent = find_absent(s, slave->identity);
    if (absent != MS_NO_SLAVE)
        forget_absent(s, absent);
    slave->returning = false;
    ms_place_note(s, slave);
    ms_place_pump(s, now);
}
