/* A world for the scheduler: slaves, a program and a model of what the scheduler should do, for test_master_simulation.c.
 *
 * `sim` carries out the scheduler's actions, as the server does, and keeps a model beside it that knows nothing of lists, sets and
 * tables: which jobs there are, where each is, who waits for whom, what each slave holds. Each event is told to both. What the
 * scheduler leaves open (which slave gets which job) the model takes from the actions, after it has looked whether that
 * is allowed; everything else it knows itself, and the two are compared after each event. */
#ifndef MS_SIMULATION_H
#define MS_SIMULATION_H

#include "master/scheduler_inside.h"

enum {
    SIM_JOBS_MAX = 320,
    SIM_SLAVES_MAX = 96,
    SIM_ATTEMPTS_MAX = 1024, /* not yet answered */
    SIM_ORPHANS_MAX = 4096,
    SIM_NEEDS_MAX = 3,
    SIM_ORDINALS = 3,
    SIM_RESULT_SIZE = 4,
    SIM_NONE = -1
};
#define SIM_HEARTBEAT_NS 2000000000u

typedef struct sim_job {
    ms_job *record;
    ms_job_place place;
    ms_end end;
    bool held;      /* the program has a handle */
    bool spawned;
    bool claimed;   /* the program has ended it as cancelled */
    bool untold;    /* and the scheduler does not know */
    bool failed;    /* what the program sees when it has ended */
    uint32_t ordinal, depth, lost_count;
    int parent, attempt, source;
    int needs[SIM_NEEDS_MAX]; /* SIM_NONE when it has ended */
    int all_needs[SIM_NEEDS_MAX]; /* until the arguments are filled */
    int64_t order; /* among pending jobs of its depth */
    uint32_t end_count;
} sim_job;

typedef struct sim_attempt {
    uint32_t jid, slave, ordinal;
    int job; /* SIM_NONE: nothing here */
    bool given_up, lent, alone, suspect;
    bool asked; /* back */
    bool readopted; /* its slave has come back with it */
    uint64_t number; /* they count up */
} sim_attempt;

/* An attempt of a slave that was lost and may come back. */
typedef struct sim_orphan {
    uint32_t jid, identity;
    int job;
} sim_orphan;

typedef struct sim_slave {
    uint32_t slots; /* 0: nobody */
    bool leaving, dropped, full, isolates, silent;
    bool recalling; /* it has been asked for jobs */
    bool stalled;   /* for so long that it gets nothing more until it answers */
    bool returning; /* and has not yet said what it has */
    uint32_t identity; /* 0: none */
    uint64_t heard_at, pinged_at, recalled_at;
} sim_slave;

typedef struct sim {
    ms_scheduler *scheduler;
    ms_job_pool pool;
    uint64_t seed, random, now, ticked_at, step, attempt_number, end_number;
    uint32_t lost_max;
    bool together; /* jobs that are submitted are only admitted */
    int job_count, slave_count, attempt_count; /* attempts: places that have been used */
    int held_count;                            /* attempts that are not answered */
    int orphan_count;
    uint32_t identity_count; /* so many have been given */
    sim_job jobs[SIM_JOBS_MAX];
    sim_slave slaves[SIM_SLAVES_MAX];
    sim_attempt attempts[SIM_ATTEMPTS_MAX];
    sim_orphan orphans[SIM_ORPHANS_MAX];
    bool spawns[SIM_ORDINALS + 1];
    int64_t low_order, high_order;
    int ending[SIM_JOBS_MAX], ending_count;
    size_t bytes; /* in use before it began */
    bool shutting; /* the end: slaves get nothing more */
    bool tell;     /* every event goes to standard output */
} sim;

/* A failed check: seed, step and what does not hold; ends the process. */
_Noreturn void sim_fail(const sim *s, const char *what, int line, const char *file);
#define HOLDS(s, condition) ((condition) ? (void)0 : sim_fail(s, #condition, __LINE__, __FILE__))
void sim_tell(const sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

uint32_t sim_random(sim *s, uint32_t below);

/* A history begins and ends; the end looks at the memory. */
void sim_open(sim *s, uint64_t seed);
void sim_close(sim *s);

/* Carries out the actions; then what always holds is looked at: at every call the cheap things, and `thoroughly` all. */
void sim_act(sim *s, bool thoroughly);

/* What happens. Indices are those of `jobs` and `attempts`. */
int sim_submit(sim *s, uint32_t ordinal, const int *needs, int need_count, int parent_attempt);
void sim_answer(sim *s, int attempt, bool fails);
void sim_answer_wrong(sim *s, uint32_t slave, int32_t ordinal, uint32_t jid);
void sim_give_back(sim *s, int attempt);
void sim_crash(sim *s, int attempt);
/* A slave answers a recall, when there is one. */
void sim_recalled(sim *s, uint32_t slave);
void sim_look(sim *s);
void sim_tail(sim *s, int attempt, uint32_t ordinal, const int *needs, int need_count);
void sim_lend(sim *s, int attempt);
/* The program cancels it; the scheduler hears of it now, or (`late`) by sim_tell_cancelled. */
void sim_cancel(sim *s, int job, bool late);
void sim_tell_cancelled(sim *s, int job);
void sim_let_go(sim *s, int job);
void sim_join(sim *s, uint32_t slots);
void sim_leave(sim *s, uint32_t slave);
void sim_drop(sim *s, uint32_t slave);
void sim_lose(sim *s, uint32_t slave);
void sim_tick(sim *s, uint64_t nanoseconds);

/* simulation_return.c. A slave that has just joined says who it is, or not; one breaks a rule; one that was lost is there again; it says what it
 * has, also what it can't have. */
void sim_identify(sim *s, uint32_t slave);
void sim_disown(sim *s, uint32_t slave);
void sim_return(sim *s, uint32_t slots);
void sim_offer(sim *s, uint32_t slave);
void sim_model_add_orphan(sim *s, uint32_t identity, uint32_t jid, int job);
/* The job has ended or become another. */
void sim_model_forget_job(sim *s, int job);
void sim_compare_orphans(const sim *s);

/* simulation_model.c. An end is settled by sim_model_settle. */
bool sim_is_last(const sim *s, const sim_job *job);
void sim_model_set_needs(sim_job *job, const int *needs, int need_count);
void sim_model_admit(sim *s, int number);
void sim_model_pend(sim *s, int job, bool front);
void sim_model_end_attempt(sim *s, int attempt);
void sim_model_end(sim *s, int number, ms_end end, int source);
/* The attempt goes on for nothing, and its job is pending again. */
void sim_model_revoke(sim *s, int attempt);
/* The attempt has ended, and may have because of its job. */
void sim_model_lose(sim *s, int attempt);
/* Those whose parent's attempt is over. */
void sim_model_leave(sim *s, int parent, bool go_on);
/* All that follows from the jobs that have ended. */
void sim_model_settle(sim *s);

/* The job's end as the program sees it. It has been claimed. */
void sim_publish(sim *s, sim_job *job, ms_job_cause cause);
/* The number of the job behind a record. */
int sim_index_of(const ms_job *record);
/* A place for an attempt. */
int sim_new_attempt(sim *s);
/* The record is nobody's any more. */
void sim_drop_record(sim *s, sim_job *job);

static inline uint32_t sim_busy(const sim *s, uint32_t slave)
{
    uint32_t count = 0;
    for (int i = 0; i < s->attempt_count; i++)
        count += s->attempts[i].job != SIM_NONE && s->attempts[i].slave == slave && !s->attempts[i].lent;
    return count;
}
#endif
