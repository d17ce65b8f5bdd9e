/* Adding parts, and putting arguments together. */
#include "master/parts.h"

#include "core/payload.h"

#include <stdlib.h>
#include <string.h>

bool ms_job_add_part(ms_job *job, uint32_t offset, ms_blob *blob)
{
    ms_relations *r = ms_relations_of(job);
    if (r == NULL)
        return false;
    if (r->part_count == r->part_capacity) {
        uint32_t capacity = r->part_capacity * 2 + 2;
        ms_part *parts = realloc(r->parts, capacity * sizeof *parts);
        if (parts == NULL)
            return false;
        r->parts = parts;
        r->part_capacity = capacity;
    }
    r->parts[r->part_count++] = (ms_part){blob, offset, r->hole_count};
    r->parts_size += blob->size;
    atomic_fetch_or_explicit(&job->state, MS_PARTED, memory_order_relaxed);
    return true;
}

bool ms_job_settle_parts(ms_job *job)
{
    uint32_t size = (uint32_t)(job->arguments_size - job->relations->parts_size);
    uint8_t small[MS_INLINE_SIZE], *own = NULL;
    if (size <= MS_INLINE_SIZE)
        memcpy(small, job->room.block, size);
    else if ((own = ms_payload_copy(job->room.block, size)) == NULL)
        return false;
    ms_job_replace_arguments(job, own, size);
    if (own == NULL)
        memcpy(job->room.bytes, small, size);
    return true;
}

/* ---- Results ---- */

/* A job whose result is lent. */
typedef struct lender {
    ms_job *job;
    ms_job_pool *pool;
} lender;

static void release_result(void *owner)
{
    lender *one = owner;
    ms_job_drop(one->pool, one->job, false);
    free(one);
}

enum { WANTED_REFERENCES = 3 }; /* the program's handle and two holes, say */

static ms_blob *blob_of_result(ms_blobs *blobs, ms_job_pool *pool, ms_job *job)
{
    if (job->result_size < MS_PART_MIN || job->result_size > blobs->size_max || ms_job_state_now(job) != (uint32_t)MS_FINISHED ||
        ms_relations_of(job) == NULL)
        return NULL;
    ms_blob *blob = ms_blobs_lent(blobs, &job->relations->lent_result);
    if (blob != NULL || atomic_load_explicit(&job->references, memory_order_relaxed) < WANTED_REFERENCES)
        return blob;
    lender *owner = malloc(sizeof *owner);
    if (owner == NULL)
        return NULL;
    *owner = (lender){job, pool};
    ms_job_hold(job);
    blob = ms_blobs_lend(blobs, &job->relations->lent_result, job->end.result, job->result_size, release_result, owner);
    if (blob == NULL)
        release_result(owner);
    return blob;
}

static bool has_large_result(const ms_relations *r)
{
    for (uint32_t i = 0; i < r->hole_count; i++)
        if (r->holes[i].dependency->result_size >= MS_PART_MIN)
            return true;
    return false;
}

void ms_job_share_results(ms_blobs *blobs, ms_job_pool *pool, ms_job *job)
{
    ms_relations *r = job->relations;
    uint32_t part = 0, count = 0, kept = 0, capacity = r->part_count + r->hole_count;
    ms_part *merged = has_large_result(r) ? malloc(capacity * sizeof *merged) : NULL;
    if (merged == NULL)
        return;
    for (uint32_t i = 0; i < r->hole_count; i++) {
        ms_hole hole = r->holes[i];
        for (; part < r->part_count && r->parts[part].holes_before <= i; part++)
            merged[count++] = (ms_part){r->parts[part].blob, r->parts[part].offset, kept};
        ms_blob *blob = blob_of_result(blobs, pool, hole.dependency);
        if (blob == NULL) {
            r->holes[kept++] = hole;
            continue;
        }
        merged[count++] = (ms_part){blob, hole.offset, kept};
        r->parts_size += blob->size;
        ms_job_drop(pool, hole.dependency, false);
    }
    for (; part < r->part_count; part++)
        merged[count++] = (ms_part){r->parts[part].blob, r->parts[part].offset, kept};
    free(r->parts);
    r->parts = merged;
    r->part_count = count;
    r->part_capacity = capacity;
    r->hole_count = kept;
    if (count > 0)
        atomic_fetch_or_explicit(&job->state, MS_PARTED, memory_order_relaxed);
}

/* ---- The end ---- */

void ms_job_drop_parts(ms_job *job)
{
    ms_relations *r = job->relations;
    for (uint32_t i = 0; i < r->part_count; i++)
        ms_blob_drop(r->parts[i].blob);
    free(r->parts);
    r->parts = NULL;
    r->part_count = r->part_capacity = 0;
    r->parts_size = 0;
}

void ms_job_copy_arguments(ms_job *job, uint8_t *to)
{
    const uint8_t *own = ms_job_arguments(job);
    uint32_t at = 0, count = ms_job_part_count(job);
    for (uint32_t i = 0; i < count; i++) {
        const ms_part *part = &job->relations->parts[i];
        memcpy(to, own + at, part->offset - at);
        to += part->offset - at;
        memcpy(to, part->blob->bytes, part->blob->size);
        to += part->blob->size;
        at = part->offset;
    }
    memcpy(to, own + at, job->arguments_size - at);
}
