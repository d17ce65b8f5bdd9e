/* The scheduler from inside: for scheduler.c (what happens to slaves and jobs), placement.c (which slave a pending job goes to),
 * recall.c (which come back from there), orphans.c (what a slave has that was lost), endings.c (how jobs end, and what follows) and attempts.c (the table of jids). */
#ifndef MS_SCHEDULER_INSIDE_H
#define MS_SCHEDULER_INSIDE_H

#include "master/measure.h"
#include "master/scheduler.h"

enum {
    MS_ORDINAL_MAX = 1 << 26, /* what fits an attempt */
    MS_FIRST_ATTEMPT_CAPACITY = 1024,
    MS_LAGS_AHEAD = 2 /* so many lags of the master a queue is for, when that is more than it would be for else */
};

/* The scheduler's own tables are small; a machine that can't give them to us can't go on. */
void *ms_scheduler_grow(ms_scheduler *scheduler, void *block, size_t size);
/* There is no memory. */
_Noreturn void ms_scheduler_starve(ms_scheduler *scheduler);
void ms_scheduler_act(ms_scheduler *scheduler, ms_action action);

/* ---- Attempts ---- */

/* A jid that no attempt has; the rest is the caller's. */
ms_attempt *ms_attempt_new(ms_scheduler *scheduler);
/* The attempt is over; its job, if it still has one, is in no list any more. */
void ms_attempt_end(ms_scheduler *scheduler, ms_attempt *attempt);
/* The attempt, which has just lost its job, is remembered until it ends. */
void ms_attempt_give_up(ms_scheduler *scheduler, const ms_attempt *attempt);
/* Ends those attempts that a lost slave has not answered although they were given up. */
void ms_attempts_forget(ms_scheduler *scheduler, ms_slave *slave);

static inline ms_attempt *ms_attempt_of(ms_scheduler *s, uint32_t jid)
{
    ms_attempt *attempt = &s->attempts[jid & (s->attempt_capacity - 1)];
    return attempt->jid == jid && jid != 0 ? attempt : NULL;
}

/* The attempt that a slave may speak of under this jid. */
static inline ms_attempt *ms_attempt_at(ms_scheduler *s, uint32_t slave, uint32_t jid)
{
    ms_attempt *attempt = ms_attempt_of(s, jid);
    return attempt != NULL && !attempt->orphan && attempt->slave == slave ? attempt : NULL;
}

/* ---- Placement ---- */

/* A slave's place in the sets, after anything that can change it: its attempts, `full`, `reserved`, `leaving`, `dropped`. */
void ms_place_note(ms_scheduler *scheduler, ms_slave *slave);
/* Into the pending jobs, at the end of its kind or (`front`) before them, and out of them. */
void ms_place_pend(ms_scheduler *scheduler, ms_job *job, bool front);
void ms_place_unpend(ms_scheduler *scheduler, ms_job *job);
void ms_place_unreserve(ms_scheduler *scheduler);
/* The attempt is the job's, at this slave; the job is in no place before. */
void ms_place_begin(ms_scheduler *scheduler, ms_slave *slave, ms_attempt *attempt, ms_job *job, uint64_t now);
/* There are more slots, or fewer. */
void ms_place_limit(ms_scheduler *scheduler);
/* Gives a slave what it has room for. */
void ms_place_feed(ms_scheduler *scheduler, ms_slave *slave, uint64_t now);
/* Hands out what can be handed out, to any slave. */
void ms_place_pump(ms_scheduler *scheduler, uint64_t now);
/* The same, stopping soon after there are so many actions. True: there is more to hand out. */
bool ms_place_pump_some(ms_scheduler *scheduler, uint64_t now, uint32_t action_max);

/* ---- Orphans ---- */

/* The attempt `jid` of a job that pends again has just ended with its slave, which may come back. */
void ms_orphan_add(ms_scheduler *scheduler, const uint8_t *identity, uint32_t jid, ms_job *job);
/* The job ends, or becomes another. */
void ms_orphans_forget(ms_scheduler *scheduler, ms_job *job);

/* ---- Recall ---- */

/* What happened may be a reason for a recall. */
void ms_recall_soon(ms_scheduler *scheduler);
/* Whoever has not answered a recall for half a heartbeat is not waited for. */
void ms_recall_tick(ms_scheduler *scheduler, uint64_t now);

/* ---- Ends ---- */

/* The job's relations; a machine that has no memory for them can't go on. */
ms_relations *ms_end_relations(ms_scheduler *scheduler, ms_job *job);
/* A job that is in no place any more has ended. What follows from it is left to ms_end_settle. */
void ms_end_job(ms_scheduler *scheduler, ms_job *job, ms_end end, ms_job *source);
/* The attempt of a running job goes on for nothing, until it is answered. The job is in no place then. */
void ms_end_give_up(ms_scheduler *scheduler, ms_job *job);
/* Ends a job wherever it is. */
void ms_end_stop(ms_scheduler *scheduler, ms_job *job, ms_end end, ms_job *source);
/* The attempt of the parent is over. Its children go on when they may, and when somebody waits for them. */
void ms_end_leave_children(ms_scheduler *scheduler, ms_job *parent, bool go_on);
/* All that follows from the jobs that have ended. */
void ms_end_settle(ms_scheduler *scheduler);
/* To the pending jobs, or to those that wait for their dependencies. */
void ms_end_admit(ms_scheduler *scheduler, ms_job *job);
#endif
