/* How jobs end, and what follows from it for their dependents and children. */
#include "master/scheduler_inside.h"

ms_relations *ms_end_relations(ms_scheduler *s, ms_job *job)
{
    ms_relations *relations = ms_relations_of(job);
    if (relations == NULL)
        ms_scheduler_starve(s);
    return relations;
}

void ms_end_job(ms_scheduler *s, ms_job *job, ms_end end, ms_job *source)
{
    job->place = MS_PLACE_ENDED;
    ms_scheduler_act(s, (ms_action){.kind = MS_JOB_ENDED, .end = end, .slave = job->slave, .job = job, .source = source});
    if (job->relations == NULL)
        return;
    ms_orphans_forget(s, job);
    job->relations->finished = end == MS_END_FINISHED;
    ms_list_append(&s->ending, job);
}

void ms_end_give_up(ms_scheduler *s, ms_job *job)
{
    ms_attempt *attempt = ms_attempt_of(s, job->jid);
    ms_slave *slave = &s->slaves[attempt->slave];
    ms_scheduler_act(s, (ms_action){.kind = MS_SEND_CANCEL, .slave = attempt->slave, .jid = attempt->jid});
    ms_list_remove(&slave->jobs, job);
    attempt->job = NULL;
    slave->given_up++;
    ms_attempt_give_up(s, attempt);
    s->running_count--;
    job->jid = 0;
}

void ms_end_stop(ms_scheduler *s, ms_job *job, ms_end end, ms_job *source)
{
    switch ((ms_job_place)job->place) {
    case MS_PLACE_NEW:
    case MS_PLACE_ENDED: return;
    case MS_PLACE_WAITING: s->waiting_count--; break;
    case MS_PLACE_PENDING: ms_place_unpend(s, job); break;
    case MS_PLACE_RUNNING: ms_end_give_up(s, job); break;
    }
    ms_end_job(s, job, end, source);
}

/* Nobody waits any more for a job whose parent has ended. */
static void abandon(ms_scheduler *s, ms_job *job)
{
    const ms_relations *r = job->relations;
    if (r->spawned && r->parent == NULL && r->waiting == NULL)
        ms_end_stop(s, job, MS_END_CANCELLED, NULL);
}

void ms_end_leave_children(ms_scheduler *s, ms_job *parent, bool go_on)
{
    ms_job *child;
    while ((child = parent->relations->first_child) != NULL) {
        ms_job_leave_parent(child);
        if (!go_on)
            abandon(s, child);
    }
}

/* A dependency has ended. */
static void fill_hole(ms_scheduler *s, ms_hole *hole, bool finished)
{
    ms_job *job = hole->owner;
    ms_hole_delist(hole);
    if (job->place != MS_PLACE_WAITING)
        return;
    if (!finished) {
        ms_end_stop(s, job, MS_END_LIKE, hole->dependency);
    } else if (--job->relations->missing_count == 0) {
        s->waiting_count--;
        ms_place_pend(s, job, false);
    }
}

void ms_end_settle(ms_scheduler *s)
{
    ms_job *job;
    while ((job = s->ending.first) != NULL) {
        ms_relations *r = job->relations;
        ms_list_remove(&s->ending, job);
        for (uint32_t i = 0; i < r->hole_count; i++)
            if (r->holes[i].link != NULL) {
                ms_hole_delist(&r->holes[i]);
                abandon(s, r->holes[i].dependency);
            }
        while (r->waiting != NULL)
            fill_hole(s, r->waiting, r->finished);
        ms_end_leave_children(s, job, r->finished);
        ms_job_leave_parent(job);
    }
}

void ms_end_admit(ms_scheduler *s, ms_job *job)
{
    ms_job *failed = NULL;
    if (!ms_job_has_holes(job)) {
        ms_place_pend(s, job, false);
        return;
    }
    ms_relations *r = job->relations;
    r->missing_count = 0;
    for (uint32_t i = 0; i < r->hole_count; i++) {
        ms_job *dependency = r->holes[i].dependency;
        if (dependency->place != MS_PLACE_ENDED) {
            ms_hole_enlist(&r->holes[i], ms_end_relations(s, dependency));
            r->missing_count++;
        } else if (failed == NULL && ms_job_state_now(dependency) == (uint32_t)MS_FAILED) {
            failed = dependency;
        }
    }
    if (failed == NULL && r->missing_count == 0) {
        ms_place_pend(s, job, false);
        return;
    }
    job->place = MS_PLACE_WAITING;
    s->waiting_count++;
    if (failed != NULL)
        ms_end_stop(s, job, MS_END_LIKE, failed);
}
