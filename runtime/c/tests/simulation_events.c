/* What happens, told to the model and to the scheduler. */
#include "simulation.h"

#include "master/measure.h"

#include <stdlib.h>
#include <string.h>

static ms_job *make_record(sim *s, int number, uint32_t ordinal, const int *needs, int need_count)
{
    ms_job *record = ms_job_create(&s->pool, ordinal, sizeof number);
    HOLDS(s, record != NULL);
    memcpy(ms_job_arguments(record), &number, sizeof number);
    for (int i = 0; i < need_count; i++)
        HOLDS(s, ms_job_add_hole(record, sizeof number, s->jobs[needs[i]].record));
    return record;
}

int sim_submit(sim *s, uint32_t ordinal, const int *needs, int need_count, int parent_attempt)
{
    int number = s->job_count;
    const sim_attempt *from = parent_attempt == SIM_NONE ? NULL : &s->attempts[parent_attempt];
    ms_job *record = make_record(s, number, ordinal, needs, need_count);
    if (from != NULL && from->given_up) {
        HOLDS(s, ms_scheduler_spawn(s->scheduler, from->slave, from->jid, record, s->now) == MS_ANSWER_STALE);
        ms_job_drop(&s->pool, record, true);
        return SIM_NONE;
    }
    sim_job *job = &s->jobs[s->job_count++];
    *job = (sim_job){.record = record, .held = true, .ordinal = ordinal, .parent = SIM_NONE, .attempt = SIM_NONE};
    sim_model_set_needs(job, needs, need_count);
    ms_job_hold(record);
    if (from != NULL) {
        job->spawned = true;
        job->parent = from->job;
        job->depth = s->jobs[from->job].depth + 1;
        s->spawns[from->ordinal] = true;
    }
    sim_tell(s, "job %d of function %u, needs %d, parent %d", number, ordinal, need_count, job->parent);
    sim_model_admit(s, number);
    sim_model_settle(s);
    if (from == NULL && s->together)
        ms_scheduler_admit(s->scheduler, record);
    else if (from == NULL)
        ms_scheduler_submit(s->scheduler, record, s->now);
    else
        HOLDS(s, ms_scheduler_spawn(s->scheduler, from->slave, from->jid, record, s->now) == MS_ANSWER_FINE);
    return number;
}

void sim_answer(sim *s, int at, bool fails)
{
    const sim_attempt attempt = s->attempts[at];
    sim_tell(s, "answer of jid %u (job %d)%s%s", attempt.jid, attempt.job, fails ? ", failed" : "", attempt.given_up ? ", late" : "");
    sim_model_end_attempt(s, at);
    if (!attempt.given_up)
        sim_model_end(s, attempt.job, fails ? MS_END_FAILED : MS_END_FINISHED, SIM_NONE);
    sim_model_settle(s);
    int32_t ordinal = fails ? -(int32_t)attempt.ordinal : (int32_t)attempt.ordinal;
    ms_answer said = ms_scheduler_answer(s->scheduler, attempt.slave, ordinal, attempt.jid, s->now);
    HOLDS(s, said == (attempt.given_up ? MS_ANSWER_STALE : MS_ANSWER_FINE));
}

void sim_answer_wrong(sim *s, uint32_t slave, int32_t ordinal, uint32_t jid)
{
    uint32_t function = ordinal < 0 ? 0u - (uint32_t)ordinal : (uint32_t)ordinal;
    for (int i = 0; i < s->attempt_count; i++) {
        const sim_attempt *one = &s->attempts[i];
        if (one->job != SIM_NONE && one->slave == slave && one->jid == jid && one->ordinal == function)
            return; /* that would be right */
    }
    HOLDS(s, ms_scheduler_answer(s->scheduler, slave, ordinal, jid, s->now) == MS_ANSWER_WRONG);
    HOLDS(s, s->scheduler->action_count == 0);
}

void sim_give_back(sim *s, int at)
{
    const sim_attempt attempt = s->attempts[at];
    uint32_t inflight = s->scheduler->slaves[attempt.slave].inflight;
    bool wrong = attempt.lent || (!attempt.asked && !s->slaves[attempt.slave].leaving && inflight == 1);
    bool full = s->slaves[attempt.slave].full || !attempt.asked;
    bool begun = false;
    for (int i = 0; i < s->job_count; i++)
        begun = begun || (s->jobs[i].parent == attempt.job && !attempt.given_up && s->jobs[i].place != MS_PLACE_ENDED);
    if (begun && !wrong)
        return;
    sim_tell(s, "jid %u is given back", attempt.jid);
    if (!wrong) {
        sim_model_end_attempt(s, at);
        s->slaves[attempt.slave].full = full;
        if (!attempt.given_up)
            sim_model_pend(s, attempt.job, true);
        sim_model_settle(s);
    }
    ms_answer said = ms_scheduler_give_back(s->scheduler, attempt.slave, attempt.jid, s->now);
    HOLDS(s, said == (wrong ? MS_ANSWER_WRONG : attempt.given_up ? MS_ANSWER_STALE : MS_ANSWER_FINE));
}

void sim_recalled(sim *s, uint32_t number)
{
    sim_slave *slave = &s->slaves[number];
    if (!slave->recalling)
        return;
    for (int i = 0; i < s->attempt_count; i++) {
        const sim_attempt *one = &s->attempts[i];
        if (one->job == SIM_NONE || one->slave != number || !one->asked || one->lent || sim_random(s, 3) == 0)
            continue; /* it has begun */
        sim_give_back(s, i);
        sim_act(s, false);
    }
    sim_tell(s, "slave %u has answered a recall", number);
    slave->recalling = slave->stalled = false;
    ms_scheduler_recalled(s->scheduler, number, s->now);
}

void sim_look(sim *s)
{
    s->now += 1 + sim_random(s, 3000000);
    if (sim_random(s, 3) == 0)
        ms_measure_told(s->scheduler, 1 + sim_random(s, SIM_ORDINALS), 1 + sim_random(s, 300), sim_random(s, 4000000));
    s->scheduler->lag_ns = sim_random(s, 3) == 0 ? sim_random(s, 4000000) : 0; /* as with few slaves, or thousands */
    sim_tell(s, "a look at the queues");
    ms_scheduler_look(s->scheduler, s->now);
}

void sim_crash(sim *s, int at)
{
    const sim_attempt attempt = s->attempts[at];
    sim_tell(s, "the process of jid %u crashes", attempt.jid);
    s->slaves[attempt.slave].isolates = true;
    sim_model_lose(s, at);
    sim_model_settle(s);
    ms_answer said = ms_scheduler_crashed(s->scheduler, attempt.slave, attempt.jid, s->now);
    HOLDS(s, said == (attempt.given_up ? MS_ANSWER_STALE : MS_ANSWER_FINE));
}

void sim_tail(sim *s, int at, uint32_t ordinal, const int *needs, int need_count)
{
    const sim_attempt attempt = s->attempts[at];
    ms_job *next = make_record(s, attempt.job, ordinal, needs, need_count);
    sim_tell(s, "jid %u (job %d) goes on as function %u, needs %d", attempt.jid, attempt.job, ordinal, need_count);
    if (!attempt.lent) {
        sim_job *job = &s->jobs[attempt.job];
        sim_model_end_attempt(s, at);
        s->spawns[attempt.ordinal] = true;
        if (!attempt.given_up) {
            sim_model_leave(s, attempt.job, true);
            sim_model_forget_job(s, attempt.job);
            if (job->claimed) {
                sim_model_end(s, attempt.job, MS_END_UNSENT, SIM_NONE);
            } else {
                job->ordinal = ordinal;
                job->lost_count = 0;
                sim_model_set_needs(job, needs, need_count);
                sim_model_admit(s, attempt.job);
            }
        }
        sim_model_settle(s);
    }
    ms_answer said = ms_scheduler_tail(s->scheduler, attempt.slave, attempt.jid, next, s->now);
    HOLDS(s, said == (attempt.lent ? MS_ANSWER_WRONG : attempt.given_up ? MS_ANSWER_STALE : MS_ANSWER_FINE));
    ms_job_drop(&s->pool, next, false);
}

void sim_lend(sim *s, int at)
{
    sim_attempt *attempt = &s->attempts[at];
    ms_scheduler *scheduler = s->scheduler;
    ms_answer said;
    sim_tell(s, "jid %u %s", attempt->jid, attempt->lent ? "goes on" : "waits");
    attempt->lent = !attempt->lent;
    if (attempt->lent) {
        HOLDS(s, ms_scheduler_regained(scheduler, attempt->slave, attempt->jid) == MS_ANSWER_WRONG);
        said = ms_scheduler_lent(scheduler, attempt->slave, attempt->jid, s->now);
    } else {
        HOLDS(s, ms_scheduler_lent(scheduler, attempt->slave, attempt->jid, s->now) == MS_ANSWER_WRONG);
        said = ms_scheduler_regained(scheduler, attempt->slave, attempt->jid);
    }
    HOLDS(s, said == (attempt->given_up ? MS_ANSWER_STALE : MS_ANSWER_FINE));
}

void sim_tell_cancelled(sim *s, int number)
{
    sim_job *job = &s->jobs[number];
    ms_job *record = job->record;
    bool had_ended = job->place == MS_PLACE_ENDED;
    sim_tell(s, "job %d is cancelled", number);
    if (!had_ended)
        sim_model_end(s, number, MS_END_CANCELLED, SIM_NONE);
    sim_model_settle(s);
    ms_scheduler_cancel(s->scheduler, record, s->now);
    HOLDS(s, !had_ended || s->scheduler->action_count == 0);
    if (job->untold)
        ms_job_drop(&s->pool, record, false);
    job->untold = false;
}

void sim_cancel(sim *s, int number, bool late)
{
    sim_job *job = &s->jobs[number];
    if (late && ms_job_claim(job->record)) {
        sim_tell(s, "job %d is cancelled by the program", number);
        sim_publish(s, job, MS_CAUSE_CANCELLED);
        job->claimed = job->untold = true;
        ms_job_hold(job->record);
    } else if (!late) {
        sim_tell_cancelled(s, number);
    }
}

void sim_let_go(sim *s, int number)
{
    sim_job *job = &s->jobs[number];
    job->held = false;
    if (job->place == MS_PLACE_ENDED)
        sim_drop_record(s, job);
    else
        ms_job_drop(&s->pool, job->record, true);
}

void sim_join(sim *s, uint32_t slots)
{
    uint32_t number = ms_scheduler_join(s->scheduler, slots, s->now);
    sim_tell(s, "slave %u joins with %u slots", number, slots);
    HOLDS(s, number < SIM_SLAVES_MAX && s->slaves[number].slots == 0);
    s->slaves[number] = (sim_slave){.slots = slots, .heard_at = s->now, .pinged_at = s->now};
    s->slave_count++;
    sim_identify(s, number);
}

void sim_leave(sim *s, uint32_t number)
{
    sim_tell(s, "slave %u leaves", number);
    s->slaves[number].leaving = true;
    ms_scheduler_leaving(s->scheduler, number, s->now);
}

void sim_drop(sim *s, uint32_t number)
{
    sim_tell(s, "slave %u is dropped", number);
    s->slaves[number].dropped = true;
    ms_scheduler_dropping(s->scheduler, number);
}

void sim_lose(sim *s, uint32_t number)
{
    uint32_t back_count = 0;
    sim_tell(s, "slave %u is lost", number);
    for (;;) { /* the youngest first */
        int youngest = SIM_NONE;
        for (int i = 0; i < s->attempt_count; i++) {
            const sim_attempt *one = &s->attempts[i];
            bool here = one->job != SIM_NONE && one->slave == number;
            if (here && (youngest == SIM_NONE || one->number > s->attempts[youngest].number))
                youngest = i;
        }
        if (youngest == SIM_NONE)
            break;
        int job = s->attempts[youngest].given_up ? SIM_NONE : s->attempts[youngest].job;
        sim_model_lose(s, youngest);
        if (job == SIM_NONE || s->jobs[job].place == MS_PLACE_ENDED)
            continue;
        sim_model_add_orphan(s, s->slaves[number].identity, s->attempts[youngest].jid, job);
        back_count++;
    }
    sim_model_settle(s);
    s->slaves[number] = (sim_slave){0};
    s->slave_count--;
    HOLDS(s, ms_scheduler_lost(s->scheduler, number, s->now) == back_count);
    sim_act(s, false);
}

/* Those that are not silent are heard before. */
void sim_tick(sim *s, uint64_t nanoseconds)
{
    uint64_t gap = s->ticked_at == 0 ? 0 : s->now + nanoseconds - s->ticked_at;
    s->now += nanoseconds;
    s->ticked_at = s->now;
    sim_tell(s, "%llu ms later", (unsigned long long)nanoseconds / 1000000);
    bool dropped[SIM_SLAVES_MAX] = {false}, pinged[SIM_SLAVES_MAX] = {false};
    for (uint32_t i = 0; i < SIM_SLAVES_MAX; i++) {
        sim_slave *slave = &s->slaves[i];
        if (slave->slots == 0)
            continue;
        if (!slave->silent) {
            slave->heard_at = s->now;
            ms_scheduler_heard(s->scheduler, i, s->now);
        } else if (gap > SIM_HEARTBEAT_NS) { /* the silence was the master's own */
            slave->heard_at = slave->heard_at + gap < s->now ? slave->heard_at + gap : s->now;
        }
        dropped[i] = !slave->dropped && s->now - slave->heard_at >= 3 * (uint64_t)SIM_HEARTBEAT_NS;
        pinged[i] = !slave->dropped && !dropped[i] && s->now - slave->pinged_at >= SIM_HEARTBEAT_NS;
        slave->dropped = slave->dropped || dropped[i];
    }
    ms_scheduler_tick(s->scheduler, s->now);
    for (uint32_t i = 0; i < s->scheduler->action_count; i++) {
        const ms_action *action = &s->scheduler->actions[i];
        if (action->kind != MS_DROP_SLAVE && action->kind != MS_SEND_PING)
            continue; /* a queue that goes to others */
        bool *expected = action->kind == MS_DROP_SLAVE ? dropped : pinged;
        HOLDS(s, expected[action->slave]);
        expected[action->slave] = false;
    }
    for (uint32_t i = 0; i < SIM_SLAVES_MAX; i++) {
        sim_slave *slave = &s->slaves[i];
        HOLDS(s, !dropped[i] && !pinged[i]);
        if (slave->slots == 0 || slave->stalled || !s->scheduler->slaves[i].stalled)
            continue;
        HOLDS(s, slave->recalling && s->now - slave->recalled_at >= SIM_HEARTBEAT_NS / 2);
        slave->stalled = true;
    }
}
