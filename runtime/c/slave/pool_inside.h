/* The pool from inside, for pool.c (which worker gets what, and its end) and pool_frames.c (what workers say). */
#ifndef MS_POOL_INSIDE_H
#define MS_POOL_INSIDE_H

#include "slave/executor_inside.h"
#include "slave/pool.h"
#include "slave/relay.h"

enum { MS_AHEAD_MAX = 64 /* jobs that a worker has, with the one that it runs; a power of two */ };

typedef struct ms_process {
    ms_pool *pool;
    uint32_t id; /* for the pristine process */
    int descriptor;
    ms_receiver receiver;
    ms_sender sender;
    ms_work jobs[MS_AHEAD_MAX]; /* a ring; the first one runs. Large arguments are not kept: such a job is never given ahead */
    uint32_t first, count;
    uint32_t given_count; /* in its life */
    ms_numbers numbers;
    uint32_t lane;   /* of the job that runs, and one more, when times are told; else 0 */
    bool tells_times;
    bool ready;      /* it has said something */
    bool lent;       /* its job waits, and its slot is free */
    bool resuming;   /* and would like to go on */
    bool recalling;  /* it was asked for what it has not begun */
    bool finished;   /* it gets no more, and goes by itself */
    bool killed;     /* and how is of no interest */
    bool distrusted; /* killed for what it said */
    bool unread;     /* the system may have more of its bytes */
    bool hung_up;
    bool dirty;      /* it is in the list of those with something to be sent */
    struct ms_process *next, *previous, *next_dirty, *next_resuming;
} ms_process;

struct ms_pool {
    ms_executor *executor;
    const ms_pristine *pristine;
    int poll;
    ms_process *processes, *dirty;
    ms_process *first_resuming, *last_resuming;
    ms_process *rotor; /* where the search for one with room ahead goes on */
    uint32_t process_count, idle_count, busy_count;
    uint32_t last_id;
    uint64_t again_at; /* no worker is started before; 0 when nothing is wrong */
    uint64_t complained_at;
    ms_relay relay;
};

/* pool.c */
void ms_process_send(ms_process *p, ms_header header, const void *payload);
/* It has said its first word: it gets the job that waits for it. */
void ms_process_ready(ms_process *p);
/* Its first job has been answered. */
void ms_process_answered(ms_process *p);
/* It has no jobs any more. */
void ms_process_rest(ms_process *p);
/* It broke the rules: it is killed, and its job counts as crashed. */
void ms_process_distrust(ms_process *p);
void ms_process_lend(ms_process *p);
/* It may go on as soon as there is a slot. */
void ms_process_resume(ms_process *p);
/* Puts a job back to the front of the queue. */
void ms_pool_requeue(ms_pool *pool, const ms_work *job);

/* pool_frames.c */
/* Reads what there is, at most `reads` times, and acts on it. */
void ms_process_read(ms_process *p, int reads);
/* A small frame to the master. */
void ms_pool_say(ms_pool *pool, ms_control kind, uint32_t value);
/* What the worker held is released. */
void ms_process_release_all(ms_process *p);
#endif
