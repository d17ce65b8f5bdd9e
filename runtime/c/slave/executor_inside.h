/* The executor from inside: its state, for executor.c (queue, answers, sending), workers.c (threads and slots) and children.c (the
 * jobs that jobs here have started). One lock guards all of it. */
#ifndef MS_EXECUTOR_INSIDE_H
#define MS_EXECUTOR_INSIDE_H

#include "core/payload.h"
#include "core/task.h"
#include "slave/blobs.h"
#include "slave/executor.h"
#include "slave/free_numbers.h"

#include <pthread.h>
#include <stdatomic.h>

/* A job that waits for a thread. */
typedef struct ms_work {
    uint32_t ordinal, jid, size;
    bool cancelled;
    bool in_pieces; /* its arguments lie in blobs, until it begins */
    union {
        uint8_t bytes[MS_WORK_INLINE_SIZE];
        uint8_t *block; /* a payload (payload.h), when there are more */
        ms_pieces *pieces;
    } arguments;
} ms_work;

/* Jobs of one function that have ended, and that the master has not been told of. */
typedef struct ms_taken {
    uint64_t ns; /* what they took together */
    uint32_t count;
    uint32_t told_at; /* so many are told of */
} ms_taken;

typedef struct ms_worker {
    ms_executor *executor;
    pthread_t thread;
    void *stack;
    ms_task *task;
    uint32_t jid; /* of the job that it runs, 0 for none; changed under the lock, by its own thread */
    bool cancelled;
    ms_bytes frame;
    ms_bytes failure;
    ms_cargo cargo; /* its result is the payload of the answer, when it is large */
    ms_bytes lines[2]; /* the beginnings of lines on standard output and standard error */
    pthread_cond_t wake;
    bool woken;   /* one of the jobs that it waits for has ended */
    bool granted; /* it may go on: a slot is counted for it */
    ms_job *children; /* records of the jobs that its job has started */
    _Atomic uint64_t held_size; /* what these and their results take, which is limited like the job's heap */
    ms_bytes tail_frame; /* the spawn of what its job goes on as, in place of an answer */
    uint32_t lane;  /* and one more, when times are told; else 0 */
    ms_bytes times; /* the payload of the `timed` that goes before its answer (times.c) */
    bool mute;             /* nobody wants to hear of its job any more (keep.c) */
    bool has_spawned;      /* its job has started others */
    uint32_t printed_mark; /* of the ping behind the last that its job printed */
    ms_bytes held;         /* frames of what it printed while the executor was adrift */
    struct ms_worker *next, *previous; /* all of them, or those that are dead */
    struct ms_worker *next_resuming;
} ms_worker;

struct ms_executor {
    ms_executor_options options;
    struct ms_pool *pool; /* null: jobs run on threads */
    pthread_mutex_t lock;
    pthread_cond_t more_work, changed;
    ms_worker *workers;
    ms_worker *dead; /* they end, and touch nothing any more */
    uint32_t worker_count;
    uint32_t idle_count, starting_count;
    uint32_t begun_count;  /* jobs, for jobs_max */
    uint32_t parked_count; /* threads whose jobs wait for others */
    uint32_t busy_count; /* slots that are used: by a thread that works, not by one that waits for a job */
    ms_worker *first_resuming, *last_resuming; /* they want to go on, and come before what is queued */
    bool starved; /* no thread could be made for a free slot */
    bool starved_said;
    ms_work *queue; /* a ring; its capacity is a power of two */
    uint32_t queue_capacity, queue_first, queue_count;
    bool ending;

    ms_job **children; /* by number */
    ms_free_numbers child_numbers;
    uint64_t end_number;

    int descriptor; /* -1 until there is one */
    uint32_t payload_max;
    ms_sender filling; /* what is to be sent after `sending` */
    ms_sender sending; /* belongs to the thread that set `writing` */
    size_t sending_size; /* what is in `sending`, as of the last time the lock was held */
    bool writing;
    bool blocked; /* the socket takes no more for now */
    bool broken;  /* nothing can be sent any more */
    bool lingering; /* there are answers that no worker is about to write */
    bool tended;    /* the client looks in soon anyhow */
    uint32_t cancelling_count;

    bool adrift; /* nobody knows whether there still is a master that wants what jobs give (keep.c) */
    struct ms_kept *first_kept, **last_kept; /* answers that the master may not have */
    uint32_t kept_count;
    size_t kept_size;
    bool unmarked; /* a ping is due behind what has been put into the sender */
    uint32_t mark, passed_mark; /* numbers of pings: of the last one, and of the last that came back */

    bool tells_times; /* the master has asked when jobs run (times.c) */
    struct ms_taken *taken; /* by ordinal; null until one has ended */
    uint64_t *lanes;  /* a bit for each lane that is taken */
    uint32_t lane_word_count;
};

extern _Thread_local ms_worker *ms_this_worker;

/* executor.c. The lock is held; ms_executor_flush releases it around the writing. */
void ms_executor_put(ms_executor *executor, ms_header header, const void *payload); /* unless it is adrift */
void ms_executor_put_anyhow(ms_executor *executor, ms_header header, const void *payload);
void ms_executor_cancel_worker(ms_executor *executor, ms_worker *worker);
void ms_executor_flush(ms_executor *executor);
void ms_executor_linger(ms_executor *executor);
void ms_executor_wait_for_room(ms_executor *executor);
ms_work ms_executor_take_work(ms_executor *executor);
/* Its arguments in one block, when they lie in pieces. False: no memory; then they are gone. */
bool ms_work_join(ms_work *work);
/* Frees its arguments. */
void ms_work_free(ms_work *work);
/* To the front of the queue. False: no memory. */
bool ms_executor_put_back(ms_executor *executor, const ms_work *job);
/* Answers the job of this frame, for which, or for whose result, there is no memory. */
void ms_executor_put_failure(ms_executor *executor, const ms_frame *frame);
/* Runs what is queued as long as the slot is its own; on the worker's thread. */
void ms_executor_work(ms_worker *worker);

/* workers.c. A condition that is waited for until some time of the monotonic clock, whatever becomes of the clock on the wall. */
bool ms_condition_init(pthread_cond_t *condition);
struct timespec ms_timespec_of(uint64_t ns);
/* The lock is held. */
bool ms_workers_start(ms_executor *executor);
/* Wakes or makes threads for what is queued, as far as slots are free. */
void ms_workers_dispatch(ms_executor *executor);
/* It has begun as many jobs as it may. One more begins only while another waits, which may wait for that one. */
bool ms_workers_worn(const ms_executor *executor);
/* Lends the slot of this worker until it is woken, cancelled or the time has come (UINT64_MAX: never). */
void ms_worker_park(ms_worker *worker, uint64_t deadline);
void ms_workers_reap(ms_executor *executor);
/* Ends and frees all of them; the lock is not held. */
void ms_workers_end(ms_executor *executor);

/* keep.c. The lock is held. */
/* The answer of a job, whose frame is in w->frame, or whose payload is in w->cargo, is kept, and sent when there is a connection. False: it is only to be sent. */
bool ms_keep_answer(ms_worker *worker, ms_header header);
/* What a job prints while there is no connection. */
void ms_keep_output(ms_worker *worker, ms_header header, const uint8_t *payload);
/* Its job is stopped, and nothing more is heard of it. */
void ms_keep_silence(ms_worker *worker);
/* A ping will follow what has just been put into the sender; gives its number. */
uint32_t ms_keep_mark(ms_executor *executor);
/* Puts it there, if it is due and none is on its way. */
void ms_keep_ping(ms_executor *executor);
/* Offers what there is to the master that is connected again; or it is another one, and nothing is worth anything. */
void ms_keep_offer(ms_executor *executor);
void ms_keep_forget(ms_executor *executor);
void ms_keep_drop_all(ms_executor *executor);

/* recall.c: the jids of a payload, sorted; null when there is no memory. */
uint32_t *ms_jids_read(const uint8_t *payload, uint32_t count);
bool ms_jids_have(const uint32_t *jids, uint32_t count, uint32_t jid);

/* times.c: when jobs run, for a master that asked. The lock is held; each does nothing when it did not ask. */
void ms_times_begin(ms_worker *worker);
void ms_times_waited(ms_worker *worker, uint64_t from, uint64_t to);
/* Says so, before the answer. */
void ms_times_end(ms_worker *worker, uint64_t now);
/* A job of this function has ended after so long, and has not waited. */
void ms_times_took(ms_executor *executor, uint32_t ordinal, uint64_t ns);
void ms_times_destroy(ms_executor *executor);
/* The lowest lane that is free, and one more; 0: no memory, or too many. */
uint32_t ms_lane_take(ms_executor *executor);
void ms_lane_free(ms_executor *executor, uint32_t lane);

/* children.c */
/* The job that ran here is over: its handles go with it. The lock is held. */
void ms_children_end(ms_worker *worker);
/* The master that knew them is gone. Nobody waits for them any more. The lock is held. */
void ms_children_forget(ms_executor *executor);
void ms_children_destroy(ms_executor *executor);
#endif
