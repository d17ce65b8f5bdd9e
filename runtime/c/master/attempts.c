/* The table of attempts, by jid. Jids count up, so those of attempts that are alive at one time rarely meet in it. */
#include "master/scheduler_inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Twice the places. Jids that differ in their low bits still do with one bit more, so nothing collides. */
static void grow_attempts(ms_scheduler *s)
{
    uint32_t capacity = s->attempt_capacity * 2;
    ms_attempt *attempts = ms_scheduler_grow(s, NULL, capacity * sizeof *attempts);
    memset(attempts, 0, capacity * sizeof *attempts);
    for (uint32_t i = 0; i < s->attempt_capacity; i++)
        if (s->attempts[i].jid != 0)
            attempts[s->attempts[i].jid & (capacity - 1)] = s->attempts[i];
    free(s->attempts);
    s->attempts = attempts;
    s->attempt_capacity = capacity;
}

ms_attempt *ms_attempt_new(ms_scheduler *s)
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

void ms_attempt_end(ms_scheduler *s, ms_attempt *attempt)
{
    ms_slave *slave = &s->slaves[attempt->slave];
    assert(slave->inflight > 0);
    slave->inflight--;
    slave->load_ns -= attempt->charge_ns;
    slave->suspects -= attempt->suspect;
    slave->lent -= attempt->lent;
    slave->full = slave->stuffed = false;
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
    ms_place_note(s, slave);
}

/* Keeps those that are still given up; jids whose attempts have ended lead to nothing, or to a job. */
static void compact_given_up(ms_scheduler *s, ms_slave *slave)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < slave->given_up_jid_count; i++) {
        const ms_attempt *attempt = ms_attempt_at(s, (uint32_t)(slave - s->slaves), slave->given_up_jids[i]);
        if (attempt != NULL && attempt->job == NULL)
            slave->given_up_jids[kept++] = slave->given_up_jids[i];
    }
    slave->given_up_jid_count = kept;
}

void ms_attempt_give_up(ms_scheduler *s, const ms_attempt *attempt)
{
    ms_slave *slave = &s->slaves[attempt->slave];
    bool full = slave->given_up_jid_count == slave->given_up_jid_capacity;
    if (full)
        compact_given_up(s, slave);
    if (full && slave->given_up_jid_count * 2 >= slave->given_up_jid_capacity) {
        slave->given_up_jid_capacity = slave->given_up_jid_capacity * 2 + 8;
        slave->given_up_jids = ms_scheduler_grow(s, slave->given_up_jids, slave->given_up_jid_capacity * sizeof *slave->given_up_jids);
    }
    slave->given_up_jids[slave->given_up_jid_count++] = attempt->jid;
}

void ms_attempts_forget(ms_scheduler *s, ms_slave *slave)
{
    for (uint32_t i = 0; i < slave->given_up_jid_count; i++) {
        ms_attempt *attempt = ms_attempt_at(s, (uint32_t)(slave - s->slaves), slave->given_up_jids[i]);
        if (attempt != NULL)
            ms_attempt_end(s, attempt);
    }
    free(slave->given_up_jids);
    slave->given_up_jids = NULL;
    slave->given_up_jid_count = slave->given_up_jid_capacity = 0;
}
