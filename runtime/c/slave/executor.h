/* The executor: jobs on a pool of threads, and the frames that they give rise to.
 *
 * A thread for each job that has begun, each with a task of its own (core/task.h), and as many slots as may work at a time. They take jobs from a queue, oldest first, and put answers
 * into one sender; whoever finds that the queue has run dry, that much has gathered, or that its job took long, writes to
 * the socket himself. What stays behind nevertheless, because a short job was followed by a long one, is written by the client's
 * thread, which looks after it every millisecond as long as there is anything (ms_executor_tend).
 *
 * One lock guards all of it; it is never held while a job runs or a system call writes. Every job that is given to the executor is
 * answered exactly once: with its result, or with its failure, which is "cancelled" for one that was cancelled. */
#ifndef MS_EXECUTOR_H
#define MS_EXECUTOR_H

#include "net/conn.h"

typedef struct ms_executor ms_executor;
struct ms_pieces;
struct ms_run_head;

enum { MS_WORK_INLINE_SIZE = 48 }; /* arguments up to this size are copied */

typedef struct ms_executor_options {
    uint32_t slots;
    uint64_t memory_max; /* for each job; 0: no limit */
    uint32_t waiting_max; /* threads or workers beyond the slots, for jobs that wait for others */
    uint32_t jobs_max;    /* for each worker of `pristine`, or in all (ms_executor_worn_out); 0: no limit */
    const struct ms_pristine *pristine; /* jobs run in workers that it forks (pool.h); null: on threads of this process */
    bool is_worker;  /* this process is such a worker: the slave grants the slot, and wants each answer at once */
    uint32_t shown_slots; /* what slots() gives */
    bool quiet;
    /* Called when ms_executor_tend should be called sooner than it said; on any thread. */
    void (*wake)(void *context);
    void *context;
} ms_executor_options;

/* Null: no memory or no threads. */
ms_executor *ms_executor_create(const ms_executor_options *options);
/* From now on frames go to this socket, encrypted when `secure` is not null, and payloads to be sent have a limit. `same`: this is the
 * master that was connected before, and it is offered what is there; else all that is dropped. */
void ms_executor_connect(ms_executor *executor, int descriptor, ms_secure *secure, uint32_t payload_max, bool same);
/* A job to run. Arguments of more than MS_WORK_INLINE_SIZE bytes are in `payload` (payload.h), which is taken, smaller ones copied from `bytes`. False:
 * no memory. */
bool ms_executor_add(ms_executor *executor, uint32_t ordinal, uint32_t jid, const uint8_t *bytes, uint32_t size, uint8_t *payload);
/* The same with arguments that lie in pieces, which are taken, also when there is no memory. */
bool ms_executor_add_pieces(ms_executor *executor, const struct ms_run_head *head, struct ms_pieces *pieces);
/* The connection has broken, and another one may come: what runs goes on, if it can, and answers are kept; the rest is dropped. Nothing
 * is sent to the old socket any more. */
void ms_executor_disconnect(ms_executor *executor);
/* The master's answer to what was offered: the payload of an `offer`. False: it is none, or was not to come. */
bool ms_executor_taken(ms_executor *executor, const uint8_t *jids, uint32_t size);
/* The payload of a `pong`. */
void ms_executor_pong(ms_executor *executor, const uint8_t *payload, uint32_t size);
/* Answers a job that can't even be added. */
void ms_executor_reject(ms_executor *executor, const ms_frame *frame);
/* More jobs have been added: wakes as many threads as there is work for. */
void ms_executor_begin(ms_executor *executor);
/* Becomes readable when ms_executor_tend should be called; -1: it never needs to be. */
int ms_executor_descriptor(const ms_executor *executor);
/* In a worker: the job that waited may go on. */
void ms_executor_granted(ms_executor *executor, uint32_t jid);
/* Stops a job; nothing happens when it is not there any more. */
void ms_executor_cancel(ms_executor *executor, uint32_t jid);
/* Stops all of them. Nothing is sent any more: that they were stopped is no answer, for a master that still hears us runs them again. */
void ms_executor_cancel_all(ms_executor *executor);
/* Gives the jobs back to the master that have not begun. */
void ms_executor_take_back(ms_executor *executor);
/* The same for those among them whose jids are in the payload of a recall; answers it. */
void ms_executor_recall(ms_executor *executor, const uint8_t *payload, uint32_t size);
/* How a job ended that a job here has started: the payload of a `result`. False: it is none. */
bool ms_executor_child_ended(ms_executor *executor, const uint8_t *payload, uint32_t size);
/* The master asks what time it is here, and when jobs run from now on: the payload of a `clock`. */
void ms_executor_clock(ms_executor *executor, const uint8_t *payload);
/* Sends a frame of the client's own. */
void ms_executor_send(ms_executor *executor, ms_header header, const void *payload);
/* Writes what has gathered, and signals again those that are to be cancelled. Gives the milliseconds until it should be called
 * again, -1 when there is no need. */
int ms_executor_tend(ms_executor *executor);
/* The socket takes bytes again. */
void ms_executor_writable(ms_executor *executor);
/* Nothing is queued, nothing runs, everything is written. */
bool ms_executor_idle(ms_executor *executor);
/* It has begun as many jobs as it may, and all of them have ended. */
bool ms_executor_worn_out(ms_executor *executor);
/* Nothing is queued, nothing runs. */
bool ms_executor_runs_nothing(ms_executor *executor);
/* Ends the threads and frees everything. Only when it is idle, or broken and without jobs. */
void ms_executor_destroy(ms_executor *executor);
/* Waits until nothing runs, at most so long; false when something still does. */
bool ms_executor_settle(ms_executor *executor, int timeout_ms);
#endif
