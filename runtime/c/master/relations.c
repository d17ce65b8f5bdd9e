/* Lists of holes and of children, and the filling of holes. */
#include "master/parts.h"

#include "core/payload.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

ms_relations *ms_relations_of(ms_job *job)
{
    if (job->relations == NULL)
        job->relations = calloc(1, sizeof *job->relations);
    return job->relations;
}

void ms_relations_free(ms_job_pool *pool, ms_job *job, bool owner)
{
    ms_job_drop_holes(pool, job, owner);
    free(job->relations->parts);
    free(job->relations->crashes);
    free(job->relations->watched);
    free(job->relations);
    job->relations = NULL;
}

/* ---- Holes ---- */

bool ms_job_add_hole(ms_job *job, uint32_t offset, ms_job *dependency)
{
    ms_relations *r = ms_relations_of(job);
    if (r == NULL)
        return false;
    if (r->hole_count == r->hole_capacity) {
        uint32_t capacity = r->hole_capacity * 2 + 2;
        ms_hole *holes = realloc(r->holes, capacity * sizeof *holes);
        if (holes == NULL)
            return false;
        r->holes = holes;
        r->hole_capacity = capacity;
    }
    ms_job_hold(dependency);
    atomic_fetch_or_explicit(&job->state, MS_UNFILLED, memory_order_relaxed);
    r->holes[r->hole_count++] = (ms_hole){.dependency = dependency, .owner = job, .offset = offset};
    return true;
}

void ms_hole_enlist(ms_hole *hole, ms_relations *of_dependency)
{
    hole->next = of_dependency->waiting;
    hole->link = &of_dependency->waiting;
    if (hole->next != NULL)
        hole->next->link = &hole->next;
    of_dependency->waiting = hole;
}

void ms_hole_delist(ms_hole *hole)
{
    *hole->link = hole->next;
    if (hole->next != NULL)
        hole->next->link = hole->link;
    hole->next = NULL;
    hole->link = NULL;
}

void ms_job_drop_holes(ms_job_pool *pool, ms_job *job, bool owner)
{
    ms_relations *r = job->relations;
    if (r == NULL || r->holes == NULL)
        return;
    for (uint32_t i = 0; i < r->hole_count; i++)
        ms_job_drop(pool, r->holes[i].dependency, owner);
    free(r->holes);
    r->holes = NULL;
    r->hole_count = r->hole_capacity = 0;
}

/* Its end is known, or will be at once: whoever has claimed it publishes. */
static uint32_t state_at_end(ms_job *job)
{
    while (ms_job_state_now(job) == (uint32_t)MS_RUNNING)
        sched_yield();
    return ms_job_state_now(job);
}

/* The holes before a part are filled. */
static void move_parts(ms_relations *r)
{
    uint32_t filled = 0, hole = 0;
    for (uint32_t i = 0; i < r->part_count; i++) {
        for (; hole < r->parts[i].holes_before; hole++)
            filled += r->holes[hole].dependency->result_size;
        r->parts[i].offset += filled;
        r->parts[i].holes_before = 0;
    }
}

static void copy_filled(const ms_job *job, const uint8_t *given, uint8_t *to)
{
    const ms_relations *r = job->relations;
    uint32_t at = 0;
    for (uint32_t i = 0; i < r->hole_count; i++) {
        const ms_hole *hole = &r->holes[i];
        if (hole->offset > at)
            memcpy(to, given + at, hole->offset - at);
        to += hole->offset - at;
        at = hole->offset;
        if (hole->dependency->result_size > 0)
            memcpy(to, hole->dependency->end.result, hole->dependency->result_size);
        to += hole->dependency->result_size;
    }
    if (job->arguments_size > at)
        memcpy(to, given + at, job->arguments_size - at);
}

ms_fill_result ms_job_fill(ms_job_pool *pool, ms_job *job, uint64_t size_max, bool owner, uint64_t *size, ms_job **failed)
{
    ms_relations *r = job->relations;
    uint8_t small[MS_INLINE_SIZE], *whole = small;
    *size = ms_job_whole_size(job);
    for (uint32_t i = 0; i < r->hole_count; i++) {
        *failed = r->holes[i].dependency;
        if (state_at_end(*failed) == (uint32_t)MS_FAILED)
            return MS_FILL_FAILED;
        *size += (*failed)->result_size;
    }
    if (*size > size_max)
        return MS_FILL_TOO_LARGE;
    uint32_t filled_size = (uint32_t)(*size - r->parts_size);
    if (filled_size > MS_INLINE_SIZE && (whole = ms_payload_new(filled_size)) == NULL)
        return MS_FILL_NO_MEMORY;
    copy_filled(job, ms_job_arguments(job), whole);
    move_parts(r);
    ms_job_replace_arguments(job, whole == small ? NULL : whole, filled_size);
    if (whole == small)
        memcpy(job->room.bytes, small, filled_size);
    atomic_fetch_and_explicit(&job->state, ~(uint32_t)MS_UNFILLED, memory_order_relaxed);
    ms_job_drop_holes(pool, job, owner);
    return MS_FILLED;
}

void ms_job_fail_like(ms_job *job, const ms_job *other)
{
    const ms_failure *failure = other->end.failure;
    ms_failure *copy = NULL;
    if (failure != NULL) {
        size_t size = sizeof *failure + failure->slave_size + failure->message_size + failure->story_size;
        copy = malloc(size);
        if (copy != NULL)
            memcpy(copy, failure, size);
    }
    ms_job_fail(job, failure != NULL && copy == NULL ? MS_CAUSE_MASTER : (ms_job_cause)other->cause, copy);
}

static void take_parts(ms_job *job, ms_job *next)
{
    ms_relations *to = job->relations, *from = next->relations;
    to->parts = from->parts;
    to->part_count = from->part_count;
    to->part_capacity = from->part_capacity;
    to->parts_size = from->parts_size;
    from->parts = NULL;
    from->part_count = from->part_capacity = 0;
    from->parts_size = 0;
    atomic_fetch_or_explicit(&job->state, MS_PARTED, memory_order_relaxed);
}

static void take_holes(ms_relations *to, ms_job *job, ms_job *next)
{
    ms_relations *from = next->relations;
    to->holes = from->holes;
    to->hole_count = from->hole_count;
    to->hole_capacity = from->hole_capacity;
    for (uint32_t i = 0; i < to->hole_count; i++)
        to->holes[i].owner = job;
    from->holes = NULL;
    from->hole_count = from->hole_capacity = 0;
    atomic_fetch_or_explicit(&job->state, MS_UNFILLED, memory_order_relaxed);
}

bool ms_job_become(ms_job *job, ms_job *next)
{
    if (!ms_job_claim(job))
        return false;
    if (ms_job_has_holes(next))
        take_holes(job->relations, job, next);
    ms_job_free_arguments(job);
    if (ms_job_part_count(next) > 0)
        take_parts(job, next);
    job->lost_count = 0;
    if (job->relations != NULL)
        job->relations->crash_count = 0;
    job->ordinal = next->ordinal;
    job->arguments_size = next->arguments_size;
    job->room = next->room;
    next->arguments_size = 0;
    ms_job_unclaim(job);
    return true;
}

/* ---- Children ---- */

void ms_job_adopt(ms_job *parent, ms_job *child)
{
    ms_relations *p = parent->relations, *c = child->relations;
    c->parent = parent;
    c->older_sibling = p->first_child;
    c->younger_sibling = NULL;
    if (p->first_child != NULL)
        p->first_child->relations->younger_sibling = child;
    p->first_child = child;
}

void ms_job_leave_parent(ms_job *child)
{
    ms_relations *c = child->relations;
    if (c->parent == NULL)
        return;
    if (c->younger_sibling != NULL)
        c->younger_sibling->relations->older_sibling = c->older_sibling;
    else
        c->parent->relations->first_child = c->older_sibling;
    if (c->older_sibling != NULL)
        c->older_sibling->relations->younger_sibling = c->younger_sibling;
    c->parent = c->older_sibling = c->younger_sibling = NULL;
}
