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
