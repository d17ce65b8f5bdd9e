/* What few jobs have beside their record: the jobs whose results they wait for, those that they have started, who is to be told of their
 * end, and which parts of their arguments they share with others (parts.h).
 *
 * A hole is a place in a job's arguments that the result of another one, its dependency, fills. The hole holds a reference to the
 * dependency until it is filled or the job has ended. From the job's submission until then it stands in the dependency's list
 * `waiting`. A parent's children that have not ended are in a list, youngest first; a child whose parent has finished has none.
 *
 * Relations are made on demand and live as long as the record. They are used by the thread that jobs.h names. */
#ifndef MS_RELATIONS_H
#define MS_RELATIONS_H

#include "master/jobs.h"

typedef struct ms_hole {
    ms_job *dependency, *owner;
    struct ms_hole *next, **link; /* in the dependency's list; `link` null: in none */
    uint32_t offset;              /* it stands before this byte of the arguments */
} ms_hole;

typedef struct ms_relations {
    ms_hole *holes;
    uint32_t hole_count, hole_capacity;
    struct ms_part *parts;
    uint32_t part_count, part_capacity;
    uint64_t parts_size;
    struct ms_blob *lent_result; /* its own result, as a part of others' arguments (under the lock of the blobs) */
    uint32_t missing_count; /* holes whose dependencies have not finished */
    uint32_t depth;         /* its parent's and one more */
    ms_hole *waiting;
    bool spawned;  /* by a job */
    bool finished; /* how it has ended (the scheduler's) */
    ms_job *parent, *first_child, *older_sibling, *younger_sibling;
    void *spawner;   /* the server's: the slave that is told of its end, null for none */
    uint32_t number; /* its number there */
    uint32_t started_size; /* what it counts for there: its arguments, or its result */
    uint32_t orphan; /* the jid of one of its orphans, 0 for none (the scheduler's) */
    uint32_t crash_count; /* of its lost attempts: those that took only a worker along (losses.h) */
    char *crashes;        /* a line for each */
    struct ms_watched *watched; /* watch.h; null when nobody looks */
} ms_relations;

/* The job's relations, made now if need be; null when there is no memory. */
ms_relations *ms_relations_of(ms_job *job);
void ms_relations_free(ms_job_pool *pool, ms_job *job, bool owner);
/* parts.c: lets go of the blobs. */
void ms_job_drop_parts(ms_job *job);

static inline uint32_t ms_job_depth(const ms_job *job)
{
    return job->relations == NULL ? 0 : job->relations->depth;
}

static inline bool ms_job_has_holes(const ms_job *job)
{
    return job->relations != NULL && job->relations->hole_count > 0;
}

/* Holes are added in the order of their offsets, before the job is submitted. False: no memory. */
bool ms_job_add_hole(ms_job *job, uint32_t offset, ms_job *dependency);
/* Into the dependency's list and out of it. */
void ms_hole_enlist(ms_hole *hole, ms_relations *of_dependency);
void ms_hole_delist(ms_hole *hole);
/* Lets go of the dependencies; none of the holes may be in a list. */
void ms_job_drop_holes(ms_job_pool *pool, ms_job *job, bool owner);

typedef enum ms_fill_result {
    MS_FILLED,
    MS_FILL_TOO_LARGE,
    MS_FILL_NO_MEMORY,
    MS_FILL_FAILED /* a dependency has failed: `failed` */
} ms_fill_result;

/* Puts the results of the dependencies, which have ended, into the arguments; then there are no holes any more. `size` gets the
 * size of the whole, which may not be beyond `size_max`. */
ms_fill_result ms_job_fill(ms_job_pool *pool, ms_job *job, uint64_t size_max, bool owner, uint64_t *size, ms_job **failed);
/* The job ends as another one has: with its message, story and slave. */
void ms_job_fail_like(ms_job *job, const ms_job *other);
/* `job` is what `next` was: its function, arguments and holes. `next` is empty after it. Both have
 * relations, when `next` has holes. False: it has ended meanwhile. */
bool ms_job_become(ms_job *job, ms_job *next);

void ms_job_adopt(ms_job *parent, ms_job *child);
void ms_job_leave_parent(ms_job *child);
#endif
