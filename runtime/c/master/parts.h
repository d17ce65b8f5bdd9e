/* The parts of a job's arguments that are blobs.
 *
 * A part stands before a byte of the job's own arguments, which do not hold it; parts at one byte stand in their order. They are added
 * between ms_job_create and ms_job_settle_parts, while `room` still is a block for the whole; from then on the record's arguments are those
 * without the parts. Each part holds a reference to its blob. Where arguments are freed, so are parts. */
#ifndef MS_PARTS_H
#define MS_PARTS_H

#include "master/blobs.h"
#include "master/relations.h"

typedef struct ms_part {
    ms_blob *blob;
    uint32_t offset;
    uint32_t holes_before; /* so many of the job's holes stand before it */
} ms_part;

/* Takes the reference to the blob. False: no memory, and the reference is the caller's. */
bool ms_job_add_part(ms_job *job, uint32_t offset, ms_blob *blob);
/* All have been added; the memory that they would have taken is given back. False: there is none even to do that. */
bool ms_job_settle_parts(ms_job *job);
/* Large results of dependencies, which have ended, that other jobs want too become parts in place of holes. On the I/O thread. */
void ms_job_share_results(ms_blobs *blobs, ms_job_pool *pool, ms_job *job);
/* All of the arguments, parts included, one behind the other, at `to`. */
void ms_job_copy_arguments(ms_job *job, uint8_t *to);

static inline uint32_t ms_job_part_count(const ms_job *job)
{
    return job->relations == NULL ? 0 : job->relations->part_count;
}

/* What the arguments take with their parts, before holes are filled. */
static inline uint64_t ms_job_whole_size(const ms_job *job)
{
    return job->arguments_size + (job->relations == NULL ? 0 : job->relations->parts_size);
}
#endif
