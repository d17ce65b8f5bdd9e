/* The table of attempts, by jid. Jids count up, so those of attempts that are alive at one time rarely meet in it. */
#include "master/scheduler_inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Twice the places. Jids that differ in their low bits still do with one bit more, so nothing collides. */
static void grow_attempts(ms_scheduler *s)
{
    uint32_t capacity = s->attempt_capacity * 2;
    ms_attempt *attempts = ms_scheduler_grow(NULL, capacity * sizeof *attempts);
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
