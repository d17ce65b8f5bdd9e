/* The scheduler: which job runs where, as a pure state machine.
 *
 * Theory of operation. Calls say what happened (a job was submitted, a slave joined, an answer came, time passed); each appends to
 * `actions` what is to be done (send this job there, drop that slave, this job has ended). The caller does it and clears the
 * list before the next call. There is no socket, thread or clock here: time comes in as `now`, nanoseconds that never go back.
 * So any history can be played from a test, and the same history gives the same actions.
 *
 * A job goes NEW → PENDING → RUNNING → ENDED; a lost slave takes it from RUNNING back to PENDING. In RUNNING it has one attempt:
 * a jid that no other attempt has had (until 2^31 of them have passed). A slave answers each attempt once, also a cancelled
 * one, so an attempt that was given up stays known until its answer comes and is dropped, or its slave is lost.
 *
 *     submit, spawn  NEW      → PENDING, or WAITING while a dependency has not finished
 *     (finished)     WAITING  → PENDING      (failed)    WAITING → ENDED, as the dependency did
 *     (room)         PENDING  → RUNNING      answer      RUNNING → ENDED
 *     give_back      RUNNING  → PENDING      lost        RUNNING → PENDING, or ENDED after `lost_max` slaves
 *                                            crashed     the same for one attempt
 *     tail           RUNNING  → PENDING, WAITING: as another function with other arguments
 *     offer          PENDING  → RUNNING, or RUNNING (elsewhere) → RUNNING: the orphan is its attempt again
 *     cancel         WAITING, PENDING, RUNNING → ENDED (the attempt is given up)
 *
 * The deepest jobs go first (those of the program have depth 0, those that a job starts one more than it), then the oldest; those
 * that come back go to the front. A slave has room for as many jobs as it has slots, and for a queue
 * behind them of jobs that together take AHEAD_NS by what jobs of their kind took before: hundreds when they take
 * microseconds, one when they take milliseconds, none when they take long or nobody knows, because a job that is queued
 * at one slave can't go to another that is idle. Jobs of a function that starts jobs are never queued there: what such a job starts
 * would stand behind its likes. A job that waits for another one lends its slot (`lent`): the slave has room for one more.
 *
 * How long jobs take is told by slaves that answer many (measure.c); of others it is measured when their answers come, as bounds: a slave that has
 * nothing idles, and answers lie unread while the master is busy.
 *
 * A message costs more than a short job. So jobs that are handed out together go along with one another to the same slave, up to a load that
 * grows with the square root of all their work (placement.c), although other slaves are idle; nothing of that is seen with jobs that take
 * longer than a message. With thousands of slaves a round through all of them takes the master longer than a queue lasts; then the queue is for
 * two of these rounds (`lag_ns`).
 *
 * Recall. A queue that was sized by what jobs took before may lie behind one that takes long, or behind a job that goes on after it had
 * lent its slot. So when nothing pends, a slot is free and another slave has jobs behind its slots, the youngest of them are asked back,
 * as many as make the two even; they pend, in front, and go where there is room. The slave gives back those that it has not begun, in one
 * answer; the others go on. What is expected to be done within half a millisecond for each slot is only asked back when
 * nothing has come for a millisecond. There is one recall at a time for each slave, and it takes a free slot to begin one, so nothing goes
 * to and fro. A slave that has not answered for half a heartbeat, while a slot is still free elsewhere, is stalled: its queue is
 * given up and goes to others, and it gets nothing until it answers.
 *
 * Coming back. A slave whose connection is lost may live, go on with what it runs, and come back. Its jobs pend at once and run elsewhere
 * when there is room, but their attempts stay known as orphans of that slave, as long as the job has neither ended nor become another. When
 * it is there again it offers what it has before it gets anything else. An attempt that has ended there is taken, and one that runs
 * elsewhere given up for it; one that goes on is taken when its job still pends; what else it has it is to forget. So a result counts once,
 * whatever crosses, and the loss does not count against the job. Jobs that the attempt had started were cancelled with the
 * loss, so a slave does not offer an attempt that had started any. A slave that broke the rules leaves no orphans.
 *
 * A job that has not ended belongs to the attempt that started it. When that is lost, given up or fails, the job is cancelled,
 * unless a dependent waits for it; when that finishes or becomes its tail job, the job goes on, and is cancelled when its last
 * dependent is. What follows from the end of a job (dependents, children) waits in the list `ending`, so that no chain is too long
 * for the stack.
 *
 * A job that was running on a lost slave may have killed it. Until it has ended, nothing is queued behind it; and its last attempt
 * runs alone on a slave, so that a job which kills slaves never takes others with it. For that one slave is reserved at a
 * time: it gets no more jobs until all that are left there wait for others. While a last attempt waits itself,
 * others may join it; when it goes on, no more of them do. All of this is of no use on a slave that isolates its jobs, and there it
 * is not done: a last attempt takes one of its slots.
 *
 * What always holds: nothing pends while a slot is free (on a slave that is not leaving, full, reserved or running a last attempt);
 * each job is in one place; `load_ns`, `inflight`, `lent` and `suspects` of a slave are the sums over its attempts; `sets` has the
 * slaves by what they have room for, so that nothing but a tick and the choice of a slave to reserve looks at all of them. */
#ifndef MS_SCHEDULER_H
#define MS_SCHEDULER_H

#include "master/bitset.h"
#include "master/pending.h"
#include "master/relations.h"

typedef enum ms_action_kind {
    MS_SEND_RUN,    /* job, jid to slave */
    MS_SEND_CANCEL, /* jid to slave */
    MS_SEND_PING,   /* to slave */
    MS_DROP_SLAVE,  /* it has been silent for too long; the caller says ms_scheduler_lost when it has dropped it */
    MS_JOB_ENDED,   /* as `end` says; the scheduler knows the job no more */
    MS_SEND_RECALL  /* jid to slave; those for one slave follow one another and go in one message */
} ms_action_kind;

typedef enum ms_end {
    MS_END_FINISHED,
    MS_END_FAILED,
    MS_END_CANCELLED,
    MS_END_LOST,
    MS_END_LIKE,  /* as `source` did, a dependency */
    MS_END_UNSENT /* the caller has ended it */
} ms_end;

typedef struct ms_action {
    ms_action_kind kind;
    ms_end end;
    uint32_t slave;
    uint32_t jid;
    ms_job *job;
    ms_job *source;
} ms_action;

typedef enum ms_answer {
    MS_ANSWER_FINE,  /* an MS_JOB_ENDED follows among the actions */
    MS_ANSWER_STALE, /* of an attempt that was given up: drop it */
    MS_ANSWER_WRONG  /* this slave has no such attempt, or of another function: it breaks the rules */
} ms_answer;

#define MS_NO_SLAVE MS_NO_MEMBER

/* Which slaves are in which set of numbers. */
typedef enum ms_slave_set {
    MS_SET_UNUSED, /* no slave has this number */
    MS_SET_OPEN,   /* it takes jobs, and runs no last attempt */
    MS_SET_LAST,   /* of those: a job can begin its last attempt there */
    MS_SET_FREE,   /* of those, not reserved: it has a free slot */
    MS_SET_ROOMY,  /* of those, not reserved: it has none, and perhaps room in its queue */
    MS_SET_CROWDED, /* it has more jobs than slots, not counting those that wait, and is neither leaving nor dropped */
    MS_SET_COUNT
} ms_slave_set;

typedef struct ms_slave {
    uint32_t slots; /* 0: no slave has this number */
    uint32_t inflight;
    uint32_t given_up; /* of those in flight */
    uint32_t suspects; /* of those in flight: jobs that have lost a slave before */
    uint32_t lent;     /* of those in flight: jobs that wait */
    uint32_t alone;    /* of those in flight: last attempts that don't wait */
    bool leaving, reserved, dropped;
    bool isolates; /* its jobs run in processes of their own: one of them has crashed alone */
    bool full; /* it gave a job back that it can't begin: it gets no more until something has ended there */
    bool recalling; /* a recall has not been answered */
    bool stalled;   /* and for so long that its queue went to others */
    bool returning; /* it has come back, and what it has is not yet known */
    ms_job_list jobs;     /* oldest attempt first */
    uint64_t load_ns;     /* what those in flight are expected to take */
    uint64_t heard_at, pinged_at;
    /* Measuring: `batch_count` answers of jobs `batch_ordinal` came at `batch_at`, `batch_busy` slots having worked since
     * `batch_since`; they may have lain at the master since `batch_came`. It had `batch_inflight` when the first of them came. */
    uint64_t batch_since, batch_at, batch_came;
    uint32_t batch_count, batch_busy, batch_ordinal, batch_inflight;
    uint8_t sets;  /* those that it is in, a bit for each */
    bool idled;    /* the batch before was all that it had */
    bool stuffed;  /* its queue had no room for a job; until something ends there it is not asked again */
    uint32_t given_up_jid_count, given_up_jid_capacity;
    uint32_t *given_up_jids; /* those that were given up, and some that have ended since */
    uint64_t recalled_at;
    uint8_t identity[16]; /* all zero: it won't come back when it is lost */
} ms_slave;

/* A slave that was lost and may come back. */
typedef struct ms_absent {
    uint8_t identity[16];
    uint32_t orphan_count; /* 0: not in use */
} ms_absent;

typedef struct ms_attempt {
    uint32_t jid; /* 0: none */
    uint32_t slave; /* of an orphan: the absent one */
    ms_job *job;    /* null when it was given up */
    union {
        uint32_t charge_ns;
        uint32_t next_orphan; /* of its job, by jid */
    };
    uint32_t ordinal : 26;
    uint32_t asked : 1; /* back */
    uint32_t orphan : 1;
    uint32_t readopted : 1;
    uint32_t suspect : 1;
    uint32_t alone : 1;
    uint32_t lent : 1;
} ms_attempt;

typedef struct ms_scheduler {
    ms_action *actions;
    uint32_t action_count, action_capacity;
    ms_slave *slaves;
    uint32_t slave_capacity;
    uint32_t slave_count, slot_count; /* of those that take jobs */
    uint32_t queue_max; /* jobs in the queue of a slave, for each of its slots */
    uint32_t rotor;
    uint32_t reserved; /* MS_NO_SLAVE for none */
    bool saturated;    /* no slave has room for the first pending job */
    ms_pending pending;
    ms_job_list alone;  /* pending, for their last attempt */
    ms_job_list ending; /* their dependents and children are not yet looked after */
    uint64_t pending_count, running_count, waiting_count;
    uint64_t look_at; /* when ms_scheduler_look is due, UINT64_MAX for never */
    uint64_t looked_at;
    uint32_t recall_rotor;
    uint32_t absent_capacity, orphan_count;
    ms_absent *absent;
    ms_attempt *attempts; /* by jid, modulo the capacity, which is a power of two */
    uint32_t attempt_capacity, attempt_count;
    uint32_t last_jid;
    uint32_t job_count, lost_max;
    uint32_t *cost_ns; /* by ordinal: what such jobs take */
    bool *told;        /* by ordinal: slaves have said so */
    bool *spawns;      /* by ordinal: whether such jobs have started jobs */
    uint64_t heartbeat_ns, ticked_at;
    uint64_t lag_ns; /* how long an answer may lie at the master before it is looked at: the caller's to tell */
    uint64_t lain_ns; /* how long the answer that is told of may have lain: likewise */
    uint64_t turn_ns; /* how long the caller took for what came before */
    ms_bitset sets[MS_SET_COUNT];
    void (*no_memory)(void *owner); /* ends the process; null: abort */
    void *owner;
} ms_scheduler;

/* `job_count` ordinals. Null when there is no memory. When there is none later, in the middle of an event, `no_memory` is called: it does
 * not return, and calls no function of the scheduler but ms_scheduler_dropping. */
ms_scheduler *ms_scheduler_create(uint32_t job_count, uint32_t lost_max, uint64_t heartbeat_ns);
void ms_scheduler_destroy(ms_scheduler *scheduler);

/* A job in the place NEW. */
void ms_scheduler_submit(ms_scheduler *scheduler, ms_job *job, uint64_t now);
/* The same for many: each is admitted, then they are handed out together, a part of them with each pump, until one gives false. The actions
 * of each are carried out before the next. */
void ms_scheduler_admit(ms_scheduler *scheduler, ms_job *job);
bool ms_scheduler_pump(ms_scheduler *scheduler, uint64_t now);
/* The same for a job that the attempt `jid` at a slave started. Stale: that attempt was given up, and the job is left alone. */
ms_answer ms_scheduler_spawn(ms_scheduler *scheduler, uint32_t slave, uint32_t jid, ms_job *job, uint64_t now);
/* The attempt has ended, and its job becomes what `next` is, which is empty after it. */
ms_answer ms_scheduler_tail(ms_scheduler *scheduler, uint32_t slave, uint32_t jid, ms_job *next, uint64_t now);
/* The attempt waits for others, and its slot is free; it goes on. */
ms_answer ms_scheduler_lent(ms_scheduler *scheduler, uint32_t slave, uint32_t jid, uint64_t now);
ms_answer ms_scheduler_regained(ms_scheduler *scheduler, uint32_t slave, uint32_t jid);
/* A job that was to be sent can't be, and has been ended by the caller. May be called while the actions are being done. */
void ms_scheduler_unsent(ms_scheduler *scheduler, ms_job *job, uint64_t now);
/* The program gave it up. Nothing happens when it has ended. */
void ms_scheduler_cancel(ms_scheduler *scheduler, ms_job *job, uint64_t now);
/* The number of the new slave. */
uint32_t ms_scheduler_join(ms_scheduler *scheduler, uint32_t slots, uint64_t now);
/* Who it is, for the time when it is lost. `identity` null: it broke the rules, and what it has is worth nothing. */
void ms_scheduler_identify(ms_scheduler *scheduler, uint32_t slave, const uint8_t *identity);
/* One that was lost has come back and will say what it has; it gets nothing before that. */
uint32_t ms_scheduler_return(ms_scheduler *scheduler, uint32_t slots, const uint8_t *identity, uint64_t now);
/* It has this attempt, which has `ended` there or goes on. Fine: it is the job's again. Stale: the slave is to forget it. */
ms_answer ms_scheduler_offer(ms_scheduler *scheduler, uint32_t slave, uint32_t jid, bool ended, uint64_t now);
/* It has said all. */
void ms_scheduler_offered(ms_scheduler *scheduler, uint32_t slave, uint64_t now);
bool ms_identity_is_known(const uint8_t *identity);
/* Bytes came from it. */
void ms_scheduler_heard(ms_scheduler *scheduler, uint32_t slave, uint64_t now);
/* It takes no more jobs, and ends those that it has. */
void ms_scheduler_leaving(ms_scheduler *scheduler, uint32_t slave, uint64_t now);
/* Its connection is about to go: it gets nothing more. */
void ms_scheduler_dropping(ms_scheduler *scheduler, uint32_t slave);
/* Its connection is gone, for whatever reason. Gives the number of jobs that go back. */
uint32_t ms_scheduler_lost(ms_scheduler *scheduler, uint32_t slave, uint64_t now);
/* It answered an attempt: ordinal n > 0 finished, -n failed. */
ms_answer ms_scheduler_answer(ms_scheduler *scheduler, uint32_t slave, int32_t ordinal, uint32_t jid, uint64_t now);
/* The process that ran the attempt is lost, and nothing else of the slave. The job goes back, or has ended as lost. */
ms_answer ms_scheduler_crashed(ms_scheduler *scheduler, uint32_t slave, uint32_t jid, uint64_t now);
/* It gives a job back that it had not begun, because it was asked to, because it leaves, or because it can't begin it as long as nothing
 * else ends there. */
ms_answer ms_scheduler_give_back(ms_scheduler *scheduler, uint32_t slave, uint32_t jid, uint64_t now);
/* It has answered a recall; what it gives back has been told before. */
void ms_scheduler_recalled(ms_scheduler *scheduler, uint32_t slave, uint64_t now);
/* Whether jobs are to be recalled. Called when `look_at` has come, and perhaps more often. */
void ms_scheduler_look(ms_scheduler *scheduler, uint64_t now);
/* What the scheduler knows of an attempt that a slave speaks of; changes nothing. */
ms_answer ms_scheduler_attempt(ms_scheduler *scheduler, uint32_t slave, uint32_t jid);
/* A job that is pending, null for none. */
ms_job *ms_scheduler_pending(const ms_scheduler *scheduler);
/* The job of an attempt that has not been given up, else null. */
ms_job *ms_scheduler_job(ms_scheduler *scheduler, uint32_t slave, uint32_t jid);
/* Time has passed. Called at least four times for each heartbeat. */
void ms_scheduler_tick(ms_scheduler *scheduler, uint64_t now);

/* Whether a job that is submitted now would be sent at once. */
static inline bool ms_scheduler_hungry(const ms_scheduler *scheduler)
{
    return !scheduler->saturated && scheduler->slave_count > 0;
}

static inline void ms_scheduler_clear_actions(ms_scheduler *scheduler)
{
    scheduler->action_count = 0;
}
#endif
