/* Slaves that come back: who is absent, what is known of the attempts that they had, and what becomes of what they offer. */
#include "simulation.h"

#include <string.h>

/* All zero: one that does not come back. */
static const uint8_t *identity_bytes(uint32_t identity)
{
    static uint8_t bytes[16];
    memcpy(bytes, &identity, sizeof identity);
    return bytes;
}

static void remove_orphan(sim *s, int at)
{
    s->orphans[at] = s->orphans[--s->orphan_count];
}

void sim_model_add_orphan(sim *s, uint32_t identity, uint32_t jid, int job)
{
    if (identity == 0)
        return;
    HOLDS(s, s->orphan_count < SIM_ORPHANS_MAX);
    s->orphans[s->orphan_count++] = (sim_orphan){.jid = jid, .identity = identity, .job = job};
}

void sim_model_forget_job(sim *s, int job)
{
    for (int i = s->orphan_count - 1; i >= 0; i--)
        if (s->orphans[i].job == job)
            remove_orphan(s, i);
}

static void forget_identity(sim *s, uint32_t identity)
{
    for (int i = s->orphan_count - 1; i >= 0; i--)
        if (s->orphans[i].identity == identity)
            remove_orphan(s, i);
}

static int find_orphan(const sim *s, uint32_t identity, uint32_t jid)
{
    for (int i = 0; i < s->orphan_count; i++)
        if (s->orphans[i].jid == jid && s->orphans[i].identity == identity)
            return i;
    return SIM_NONE;
}

static bool is_connected(const sim *s, uint32_t identity)
{
    for (uint32_t i = 0; i < SIM_SLAVES_MAX; i++)
        if (s->slaves[i].slots > 0 && s->slaves[i].identity == identity)
            return true;
    return false;
}

/* Of a slave that is away; mostly one of which something is remembered. 0: nobody is. */
static uint32_t some_absent(sim *s)
{
    uint32_t identity = s->identity_count == 0 ? 0 : 1 + sim_random(s, s->identity_count);
    if (s->orphan_count > 0 && sim_random(s, 4) > 0)
        identity = s->orphans[sim_random(s, (uint32_t)s->orphan_count)].identity;
    return is_connected(s, identity) ? 0 : identity;
}

/* ---- What happens ---- */

void sim_identify(sim *s, uint32_t number)
{
    uint32_t absent = some_absent(s);
    if (sim_random(s, 3) == 0)
        return;
    bool known = absent != 0 && sim_random(s, 16) == 0; /* it comes for the first time, as it says */
    uint32_t identity = known ? absent : ++s->identity_count;
    sim_tell(s, "slave %u is who %u is", number, identity);
    s->slaves[number].identity = identity;
    forget_identity(s, identity);
    ms_scheduler_identify(s->scheduler, number, identity_bytes(identity));
}

void sim_disown(sim *s, uint32_t number)
{
    sim_tell(s, "slave %u has broken a rule", number);
    s->slaves[number].identity = 0;
    ms_scheduler_identify(s->scheduler, number, NULL);
}

void sim_return(sim *s, uint32_t slots)
{
    uint32_t identity = some_absent(s);
    if (identity == 0)
        return;
    uint32_t number = ms_scheduler_return(s->scheduler, slots, identity_bytes(identity), s->now);
    sim_tell(s, "slave %u comes back, who is %u, with %u slots", number, identity, slots);
    HOLDS(s, number < SIM_SLAVES_MAX && s->slaves[number].slots == 0);
    s->slaves[number] = (sim_slave){.slots = slots, .heard_at = s->now, .pinged_at = s->now, .identity = identity, .returning = true};
    s->slave_count++;
}

/* The attempt is the job's again. */
static void model_readopt(sim *s, uint32_t number, uint32_t jid, int job_number)
{
    sim_job *job = &s->jobs[job_number];
    if (job->place == MS_PLACE_RUNNING) {
        s->attempts[job->attempt].given_up = true;
        job->attempt = SIM_NONE;
        sim_model_leave(s, job_number, false);
    }
    job->lost_count--;
    int at = sim_new_attempt(s);
    bool alone = sim_is_last(s, job) && !s->slaves[number].isolates;
    s->attempts[at] = (sim_attempt){.jid = jid, .slave = number, .ordinal = job->ordinal, .job = job_number, .alone = alone,
                                    .suspect = job->lost_count > 0 || s->lost_max == 1, .readopted = true,
                                    .number = s->attempt_number++};
    s->held_count++;
    job->place = MS_PLACE_RUNNING;
    job->attempt = at;
}

static void offer(sim *s, uint32_t number, uint32_t jid, bool ended)
{
    int at = s->slaves[number].returning ? find_orphan(s, s->slaves[number].identity, jid) : SIM_NONE;
    int job = at == SIM_NONE ? SIM_NONE : s->orphans[at].job;
    bool taken = job != SIM_NONE && (s->jobs[job].place == MS_PLACE_PENDING || (s->jobs[job].place == MS_PLACE_RUNNING && ended));
    sim_tell(s, "slave %u offers jid %u (job %d), which %s%s", number, jid, job, ended ? "has ended" : "goes on", taken ? "" : ": not wanted");
    if (taken) {
        remove_orphan(s, at);
        model_readopt(s, number, jid, job);
        sim_model_settle(s);
    }
    ms_answer said = ms_scheduler_offer(s->scheduler, number, jid, ended, s->now);
    HOLDS(s, said == (taken ? MS_ANSWER_FINE : MS_ANSWER_STALE));
}

/* Some jid: one of its own, another's, one that is in force, one that never was. */
static uint32_t some_jid(sim *s, uint32_t number)
{
    const sim_orphan *orphan = s->orphan_count == 0 ? NULL : &s->orphans[sim_random(s, (uint32_t)s->orphan_count)];
    const sim_attempt *attempt = s->attempt_count == 0 ? NULL : &s->attempts[sim_random(s, (uint32_t)s->attempt_count)];
    for (int i = 0; i < s->orphan_count && sim_random(s, 8) > 0; i++)
        if (s->orphans[i].identity == s->slaves[number].identity && sim_random(s, 2) == 0)
            return s->orphans[i].jid;
    if (orphan != NULL && sim_random(s, 2) == 0)
        return orphan->jid;
    return attempt != NULL && attempt->job != SIM_NONE ? attempt->jid : sim_random(s, 100);
}

void sim_offer(sim *s, uint32_t number)
{
    if (!s->slaves[number].returning && sim_random(s, 4) > 0)
        return;
    if (!s->slaves[number].returning) {
        offer(s, number, some_jid(s, number), true); /* the server knows that it may not, the scheduler takes no harm */
        return;
    }
    for (uint32_t i = sim_random(s, 12); i > 0 && s->slaves[number].returning && !s->slaves[number].dropped; i--) {
        offer(s, number, some_jid(s, number), sim_random(s, 2) == 0);
        sim_act(s, false);
    }
    if (s->slaves[number].slots == 0 || !s->slaves[number].returning)
        return;
    sim_tell(s, "slave %u has offered all", number);
    s->slaves[number].returning = false;
    forget_identity(s, s->slaves[number].identity);
    ms_scheduler_offered(s->scheduler, number, s->now);
}

/* ---- What always holds ---- */

void sim_compare_orphans(const sim *s)
{
    const ms_scheduler *scheduler = s->scheduler;
    uint32_t remembered = 0;
    HOLDS(s, scheduler->orphan_count == (uint32_t)s->orphan_count);
    for (int i = 0; i < s->orphan_count; i++) {
        const sim_orphan *one = &s->orphans[i];
        const ms_attempt *orphan = &scheduler->attempts[one->jid & (scheduler->attempt_capacity - 1)];
        HOLDS(s, orphan->jid == one->jid && orphan->orphan && orphan->job == s->jobs[one->job].record);
        HOLDS(s, orphan->ordinal == s->jobs[one->job].ordinal && s->jobs[one->job].place != MS_PLACE_ENDED);
        HOLDS(s, memcmp(scheduler->absent[orphan->slave].identity, identity_bytes(one->identity), 16) == 0);
        for (uint32_t number = 0; number < scheduler->slave_capacity; number++)
            HOLDS(s, ms_scheduler_attempt(s->scheduler, number, one->jid) == MS_ANSWER_WRONG);
    }
    for (uint32_t i = 0; i < scheduler->absent_capacity; i++)
        remembered += scheduler->absent[i].orphan_count;
    HOLDS(s, remembered == scheduler->orphan_count);
}
