/* The model: where each job is, and what follows from an end. Nothing of the scheduler is looked at here. */
#include "simulation.h"

void sim_model_end_attempt(sim *s, int at)
{
    sim_attempt *attempt = &s->attempts[at];
    s->slaves[attempt->slave].full = false;
    if (!attempt->given_up)
        s->jobs[attempt->job].attempt = SIM_NONE;
    attempt->job = SIM_NONE;
    s->held_count--;
}

bool sim_is_last(const sim *s, const sim_job *job)
{
    return job->lost_count > 0 && job->lost_count + 1 >= s->lost_max;
}

static bool is_needed(const sim *s, int job)
{
    for (int i = 0; i < s->job_count; i++)
        for (int n = 0; n < SIM_NEEDS_MAX && s->jobs[i].place == MS_PLACE_WAITING; n++)
            if (s->jobs[i].needs[n] == job)
                return true;
    return false;
}

void sim_model_pend(sim *s, int job, bool front)
{
    s->jobs[job].place = MS_PLACE_PENDING;
    s->jobs[job].order = front && !sim_is_last(s, &s->jobs[job]) ? s->low_order : s->high_order;
}

void sim_model_end(sim *s, int number, ms_end end, int source)
{
    sim_job *job = &s->jobs[number];
    HOLDS(s, job->place != MS_PLACE_ENDED);
    if (job->attempt != SIM_NONE)
        s->attempts[job->attempt].given_up = true;
    job->attempt = SIM_NONE;
    job->place = MS_PLACE_ENDED;
    job->end = end;
    job->source = source;
    sim_model_forget_job(s, number);
    s->ending[s->ending_count++] = number;
}

/* Those whose parent's attempt is over. */
void sim_model_leave(sim *s, int parent, bool go_on)
{
    for (int i = 0; i < s->job_count; i++) {
        if (s->jobs[i].parent != parent)
            continue;
        s->jobs[i].parent = SIM_NONE;
        if (!go_on && s->jobs[i].place != MS_PLACE_ENDED && !is_needed(s, i))
            sim_model_end(s, i, MS_END_CANCELLED, SIM_NONE);
    }
}

static void model_tell_dependents(sim *s, int number)
{
    for (int i = 0; i < s->job_count; i++) {
        sim_job *job = &s->jobs[i];
        bool needed = false, missing = false;
        if (job->place != MS_PLACE_WAITING)
            continue;
        for (int n = 0; n < SIM_NEEDS_MAX; n++) {
            needed = needed || job->needs[n] == number;
            if (job->needs[n] == number)
                job->needs[n] = SIM_NONE;
            missing = missing || job->needs[n] != SIM_NONE;
        }
        if (needed && s->jobs[number].end != MS_END_FINISHED)
            sim_model_end(s, i, MS_END_LIKE, number);
        else if (needed && !missing)
            sim_model_pend(s, i, false);
    }
}

/* All that follows from the jobs that have ended. */
void sim_model_settle(sim *s)
{
    for (int at = 0; at < s->ending_count; at++) {
        int number = s->ending[at];
        sim_job *job = &s->jobs[number];
        for (int n = 0; n < SIM_NEEDS_MAX; n++) {
            int need = job->needs[n];
            job->needs[n] = SIM_NONE;
            if (need == SIM_NONE)
                continue;
            sim_job *left = &s->jobs[need];
            if (left->place != MS_PLACE_ENDED && left->spawned && left->parent == SIM_NONE && !is_needed(s, need))
                sim_model_end(s, need, MS_END_CANCELLED, SIM_NONE);
        }
        model_tell_dependents(s, number);
        sim_model_leave(s, number, job->end == MS_END_FINISHED);
        job->parent = SIM_NONE;
    }
    s->ending_count = 0;
    s->low_order--;
    s->high_order++;
}

/* Pending, waiting, or ended as a dependency that had. */
void sim_model_admit(sim *s, int number)
{
    sim_job *job = &s->jobs[number];
    bool missing = false;
    int failed = SIM_NONE;
    for (int n = SIM_NEEDS_MAX - 1; n >= 0; n--) {
        int need = job->all_needs[n];
        job->needs[n] = SIM_NONE;
        if (need == SIM_NONE)
            continue;
        if (s->jobs[need].place != MS_PLACE_ENDED) {
            job->needs[n] = need;
            missing = true;
        } else if (s->jobs[need].failed) {
            failed = need;
        }
    }
    if (failed == SIM_NONE && !missing) {
        sim_model_pend(s, number, false);
        return;
    }
    job->place = MS_PLACE_WAITING;
    if (failed != SIM_NONE)
        sim_model_end(s, number, MS_END_LIKE, failed);
}

/* The attempt has ended, and may have because of its job. */
void sim_model_revoke(sim *s, int at)
{
    int job = s->attempts[at].job;
    s->attempts[at].given_up = true;
    s->jobs[job].attempt = SIM_NONE;
    sim_model_pend(s, job, true);
    s->low_order--;
    sim_model_leave(s, job, false);
    sim_model_settle(s);
}

void sim_model_lose(sim *s, int at)
{
    const sim_attempt attempt = s->attempts[at];
    sim_model_end_attempt(s, at);
    if (attempt.given_up)
        return;
    s->jobs[attempt.job].lost_count++;
    if (s->jobs[attempt.job].lost_count >= s->lost_max) {
        sim_model_end(s, attempt.job, MS_END_LOST, SIM_NONE);
        return;
    }
    sim_model_pend(s, attempt.job, true);
    s->low_order--;
    sim_model_leave(s, attempt.job, false);
}

void sim_model_set_needs(sim_job *job, const int *needs, int need_count)
{
    for (int n = 0; n < SIM_NEEDS_MAX; n++) {
        job->all_needs[n] = n < need_count ? needs[n] : SIM_NONE;
        job->needs[n] = SIM_NONE;
    }
}
