/* The job table: the records behind job handles, 128 bytes each with all that a small job needs.
 *
 * A record is used by two threads: the main thread, which runs the program, and the I/O thread, which runs the scheduler and the
 * sockets. Who may touch what:
 *  - `references` and `state` are atomic. A record goes back to the pool when the last reference goes.
 *  - Arguments, ordinal, `relations`: the main thread's before the job is submitted, the I/O thread's until it has ended, then only
 *    read.
 *  - `next`, `previous`, `jid`, `slave`, `lost_count`, `place` (and `lent`): the I/O thread's, from the submission to the end.
 *  - Result and failure: written by whoever ends the job, between claiming it (ms_job_claim) and publishing the end
 *    (ms_job_publish); read by anybody after that, and never changed again.
 * A job ends exactly once: only one ms_job_claim succeeds.
 *
 * Arguments and result share the room in the record: a job that finishes gives up its arguments, one that fails keeps them,
 * because its story names them. */
#ifndef MS_JOBS_H
#define MS_JOBS_H

#include "core/bytes.h"
#include "ms.h"

#include <stdatomic.h>

enum { MS_INLINE_SIZE = 56, MS_LOST_MAX = 255 };

/* Besides ms_job_state_value, in the low bits of `state`. */
enum {
    MS_ENDING = 3,
    MS_STATE_MASK = 3,
    MS_AWAITED = 4,
    MS_UNFILLED = 8, /* its arguments have holes */
    MS_PARTED = 16   /* they have, or had, parts: it has relations */
};

typedef enum ms_job_place {
    MS_PLACE_NEW,
    MS_PLACE_WAITING, /* for its dependencies */
    MS_PLACE_PENDING,
    MS_PLACE_RUNNING,
    MS_PLACE_ENDED
} ms_job_place;

typedef enum ms_job_cause { MS_CAUSE_NONE, MS_CAUSE_ITSELF, MS_CAUSE_CANCELLED, MS_CAUSE_LOST, MS_CAUSE_MASTER } ms_job_cause;

/* Why a job failed. One block of malloc's; the texts follow. */
typedef struct ms_failure {
    uint32_t slave_size; /* the slave's name; 0 when it was none */
    uint32_t message_size;
    uint32_t story_size;
    char text[]; /* the three, one behind the other */
} ms_failure;

struct ms_relations;

struct ms_job {
    _Atomic uint32_t references;
    _Atomic uint32_t state;
    uint32_t ordinal;
    uint32_t arguments_size;
    uint32_t result_size;
    uint32_t jid; /* of its attempt, 0 for none */
    ms_job *next, *previous;
    uint64_t end_number; /* jobs are numbered as they end */
    uint32_t slave;
    uint8_t lost_count;
    bool lent; /* its arguments are being sent from where they lie (the server's) */
    uint8_t place; /* ms_job_place */
    uint8_t cause; /* ms_job_cause */
    union {
        ms_failure *failure; /* of a failed job, null when `cause` says it all */
        uint8_t *result;     /* of a finished job; a payload, when it is not in the room below */
    } end;
    union {
        uint8_t bytes[MS_INLINE_SIZE];
        uint8_t *block; /* a payload (payload.h), when there are more bytes than fit */
    } room;
    struct ms_relations *relations; /* relations.h; null for a job that has none */
};
_Static_assert(sizeof(struct ms_job) == 128, "a job is two cache lines");

/* Records are made by one thread, which owns the pool; any thread gives them back. */
typedef struct ms_job_pool {
    ms_job *free;              /* the owner's */
    _Atomic(ms_job *) returned; /* given back by others */
    void *slabs;
    struct ms_job_pool *home;   /* the pool whose `returned` this one takes, null for its own: for a second thread that makes records */
} ms_job_pool;

/* A job with one reference and room for its arguments; null when there is no memory. */
ms_job *ms_job_create(ms_job_pool *pool, uint32_t ordinal, uint32_t arguments_size);
/* Memory that comes back is at hand, and fresh memory is dear: while others' large arguments are being given back, the owner waits for
 * some of them, before it makes a job with `size` bytes of its own. As soon as that takes milliseconds it waits no more, until the next are given back. */
void ms_job_await_room(uint64_t size);
/* A job's own arguments, which are freed, give way to others: `size` bytes in this payload, or, for null, such as the caller then puts into the record. */
void ms_job_replace_arguments(ms_job *job, uint8_t *block, uint32_t size);
/* Frees the arguments. */
void ms_job_free_arguments(ms_job *job);
/* All records must have come back. */
void ms_job_pool_destroy(ms_job_pool *pool);

static inline uint8_t *ms_job_arguments(ms_job *job)
{
    return job->arguments_size <= MS_INLINE_SIZE ? job->room.bytes : job->room.block;
}

static inline void ms_job_hold(ms_job *job)
{
    atomic_fetch_add_explicit(&job->references, 1, memory_order_relaxed);
}

/* One reference less. `owner`: this is the pool's thread. */
void ms_job_drop(ms_job_pool *pool, ms_job *job, bool owner);

static inline uint32_t ms_job_state_now(ms_job *job)
{
    uint32_t state = atomic_load_explicit(&job->state, memory_order_acquire) & MS_STATE_MASK;
    return state == MS_ENDING ? (uint32_t)MS_RUNNING : state;
}

/* True for exactly one caller: it ends the job, and must publish soon. */
bool ms_job_claim(ms_job *job);
/* It does not end, after all. Whoever changes arguments does so between the two, because the program may read those of a job that it
 * has cancelled. */
void ms_job_unclaim(ms_job *job);
/* Between claim and publish: the job's end. The result's bytes are copied when they fit the record or there is no `payload` (payload.h), which is taken over
 * otherwise. False: no memory. */
bool ms_job_finish(ms_job *job, const uint8_t *bytes, uint32_t size, uint8_t **payload);
void ms_job_fail(ms_job *job, ms_job_cause cause, ms_failure *failure);
/* Makes the end known; true when somebody waits for it. */
bool ms_job_publish(ms_job *job, uint64_t end_number);

/* A failure with copies of the texts; null when there is no memory. */
ms_failure *ms_failure_create(const char *slave, const void *message, uint32_t message_size, const void *story, uint32_t story_size);
#endif
