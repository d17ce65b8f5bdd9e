/* The records behind job handles on a slave: the jobs that a job here has started.
 *
 * Handles do not travel, so a record belongs to one job and its thread, which alone counts its references and looks at its result. The
 * client's thread, which learns how it ended, writes result and outcome and then `state`, once; the lock of the executor guards the
 * rest, and that a record is not freed before the master has told of its end, for its number is in use as long. */
#ifndef MS_CHILDREN_H
#define MS_CHILDREN_H

#include "slave/executor_inside.h"

struct ms_job {
    uint32_t references;
    _Atomic uint32_t state; /* ms_job_state_value */
    uint32_t ordinal, number; /* number 0: it has not been started */
    ms_worker *owner;         /* null: nobody holds it, and it goes when its result has come */
    ms_job *next, *previous;  /* of its owner's */
    bool awaited;
    bool answered;
    bool forgotten; /* the master that it was told to is gone */
    uint32_t outcome; /* ms_result_outcome */
    uint64_t end_number;
    ms_bytes payload; /* what the result holds behind its head */
    uint32_t held_size; /* of it, in its owner's `held_size` */
    uint8_t *holes;   /* encoded */
    ms_job **dependencies;
    uint32_t hole_count, hole_capacity;
    uint32_t size;
    uint8_t arguments[];
};

/* A record with one reference, in the list of this thread's worker; null when there is no memory. */
ms_job *ms_child_create(uint32_t ordinal, uint32_t size);
bool ms_child_add_hole(ms_job *job, uint32_t offset, ms_job *dependency);
/* Sends it to the master. False: no memory. */
bool ms_child_start(ms_job *job);
/* Leaves it to be sent as what the job that runs here goes on as. */
bool ms_child_make_tail(ms_job *job);
void ms_child_release(ms_job *job);
/* It ends as cancelled, here at once. */
void ms_child_cancel(ms_job *job);
/* It has failed before it could be started. */
void ms_child_fail(ms_job *job, const char *message);
/* Waits until one of those that are not marked has ended (`seen` null: none is marked), or the time has come. */
bool ms_children_await(ms_job **jobs, const uint8_t *seen, uint32_t count, uint64_t deadline);

static inline bool ms_child_has_ended(ms_job *job)
{
    return atomic_load_explicit(&job->state, memory_order_acquire) != (uint32_t)MS_RUNNING;
}
#endif
