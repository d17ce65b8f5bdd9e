/* Records, their pool, and how a job ends. */
#include "master/jobs.h"

#include "core/futex.h"
#include "core/payload.h"
#include "master/relations.h"

#include <stdlib.h>
#include <string.h>

enum { SLAB_COUNT = 511 }; /* with the link in front: 64 KiB */

typedef struct slab {
    struct slab *next;
    uint8_t unused[120]; /* records stay aligned to cache lines */
    ms_job jobs[SLAB_COUNT];
} slab;
_Static_assert(sizeof(slab) == (SLAB_COUNT + 1) * sizeof(ms_job), "a slab has no gaps");

/* What others gave back becomes the owner's; else a new slab is cut. */
static bool refill(ms_job_pool *pool)
{
    ms_job_pool *home = pool->home != NULL ? pool->home : pool;
    pool->free = atomic_exchange_explicit(&home->returned, NULL, memory_order_acquire);
    if (pool->free != NULL)
        return true;
    slab *fresh = aligned_alloc(64, sizeof *fresh);
    if (fresh == NULL)
        return false;
    fresh->next = pool->slabs;
    pool->slabs = fresh;
    for (int i = SLAB_COUNT - 1; i >= 0; i--) {
        fresh->jobs[i].next = pool->free;
        pool->free = &fresh->jobs[i];
    }
    return true;
}

/* ---- Large arguments ---- */

enum { LARGE_MAX = 32 << 20 /* when so much of them is there, some of it comes back soon */ };
#define PATIENCE_NS 2000000u

static _Atomic uint64_t large_size;   /* of all large arguments that are there */
static _Atomic uint32_t freed_count;  /* of such; it goes round */
static _Atomic bool is_waited_for;
static uint32_t given_up_at = UINT32_MAX; /* the owner's: the count that it has waited for in vain */

static void count_arguments(uint64_t size)
{
    if (ms_payload_is_large(size))
        atomic_fetch_add_explicit(&large_size, size, memory_order_relaxed);
}

static void uncount_arguments(uint64_t size)
{
    if (!ms_payload_is_large(size))
        return;
    atomic_fetch_sub_explicit(&large_size, size, memory_order_relaxed);
    atomic_fetch_add(&freed_count, 1);
    if (atomic_load(&is_waited_for))
        ms_futex_wake(&freed_count, 1);
}

void ms_job_await_room(uint64_t size)
{
    if (!ms_payload_is_large(size))
        return;
    for (;;) {
        uint32_t count = atomic_load(&freed_count);
        if (atomic_load(&large_size) + size <= LARGE_MAX || count == given_up_at)
            return;
        atomic_store(&is_waited_for, true);
        ms_futex_wait(&freed_count, count, PATIENCE_NS);
        atomic_store(&is_waited_for, false);
        if (atomic_load(&freed_count) == count)
            given_up_at = count;
    }
}

/* ---- Records ---- */

ms_job *ms_job_create(ms_job_pool *pool, uint32_t ordinal, uint32_t arguments_size)
{
    uint8_t *block = NULL;
    if (pool->free == NULL && !refill(pool))
        return NULL;
    if (arguments_size > MS_INLINE_SIZE && (block = ms_payload_new(arguments_size)) == NULL)
        return NULL;
    count_arguments(arguments_size);
    ms_job *job = pool->free;
    pool->free = job->next;
    atomic_store_explicit(&job->references, 1, memory_order_relaxed);
    atomic_store_explicit(&job->state, MS_RUNNING, memory_order_relaxed);
    job->ordinal = ordinal;
    job->arguments_size = arguments_size;
    job->result_size = job->jid = job->slave = 0;
    job->next = job->previous = NULL;
    job->end_number = 0;
    job->lost_count = 0;
    job->lent = false;
    job->place = MS_PLACE_NEW;
    job->cause = MS_CAUSE_NONE;
    job->end.result = NULL;
    job->relations = NULL;
    if (block != NULL)
        job->room.block = block;
    return job;
}

static void free_own_arguments(ms_job *job)
{
    if (job->arguments_size > MS_INLINE_SIZE)
        ms_payload_free(job->room.block, job->arguments_size);
    uncount_arguments(job->arguments_size);
    job->arguments_size = 0;
}

void ms_job_replace_arguments(ms_job *job, uint8_t *block, uint32_t size)
{
    free_own_arguments(job);
    count_arguments(size);
    job->arguments_size = size;
    if (block != NULL)
        job->room.block = block;
}

void ms_job_free_arguments(ms_job *job)
{
    free_own_arguments(job);
    if (job->relations != NULL && job->relations->part_count > 0)
        ms_job_drop_parts(job);
}

static void free_contents(ms_job_pool *pool, ms_job *job, bool owner)
{
    uint32_t state = atomic_load_explicit(&job->state, memory_order_relaxed) & MS_STATE_MASK;
    ms_job_free_arguments(job);
    if (state == MS_FAILED)
        free(job->end.failure);
    else if (state == MS_FINISHED && job->end.result != job->room.bytes)
        ms_payload_free(job->end.result, job->result_size);
    if (job->relations != NULL)
        ms_relations_free(pool, job, owner);
}

void ms_job_drop(ms_job_pool *pool, ms_job *job, bool owner)
{
    if (atomic_fetch_sub_explicit(&job->references, 1, memory_order_acq_rel) != 1)
        return;
    free_contents(pool, job, owner);
    if (owner) {
        job->next = pool->free;
        pool->free = job;
        return;
    }
    ms_job *head = atomic_load_explicit(&pool->returned, memory_order_relaxed);
    do
        job->next = head;
    while (!atomic_compare_exchange_weak_explicit(&pool->returned, &head, job, memory_order_release, memory_order_relaxed));
}

void ms_job_pool_destroy(ms_job_pool *pool)
{
    slab *next;
    for (slab *one = pool->slabs; one != NULL; one = next) {
        next = one->next;
        free(one);
    }
    pool->free = NULL;
    pool->slabs = NULL;
    atomic_store(&pool->returned, NULL);
}

bool ms_job_claim(ms_job *job)
{
    uint32_t state = atomic_load_explicit(&job->state, memory_order_relaxed);
    do
        if ((state & MS_STATE_MASK) != MS_RUNNING)
            return false;
    while (!atomic_compare_exchange_weak_explicit(&job->state, &state, (state & ~(uint32_t)MS_STATE_MASK) | MS_ENDING,
                                                  memory_order_acq_rel, memory_order_relaxed));
    return true;
}

void ms_job_unclaim(ms_job *job)
{
    atomic_fetch_and_explicit(&job->state, ~(uint32_t)MS_STATE_MASK, memory_order_release);
}

bool ms_job_finish(ms_job *job, const uint8_t *bytes, uint32_t size, uint8_t **payload)
{
    ms_job_free_arguments(job);
    job->cause = MS_CAUSE_NONE;
    job->result_size = size;
    if (size <= MS_INLINE_SIZE) {
        if (size > 0)
            memcpy(job->room.bytes, bytes, size);
        job->end.result = job->room.bytes;
        return true;
    }
    if (*payload == NULL) {
        job->end.result = ms_payload_copy(bytes, size);
        return job->end.result != NULL;
    }
    job->end.result = *payload;
    *payload = NULL;
    return true;
}

void ms_job_fail(ms_job *job, ms_job_cause cause, ms_failure *failure)
{
    job->cause = (uint8_t)cause;
    job->end.failure = failure;
}

bool ms_job_publish(ms_job *job, uint64_t end_number)
{
    job->end_number = end_number;
    uint32_t end = job->cause == MS_CAUSE_NONE ? MS_FINISHED : MS_FAILED;
    end |= atomic_load_explicit(&job->state, memory_order_relaxed) & (MS_UNFILLED | MS_PARTED);
    /* Only the flag of those who wait may change beside us, so the state's bits can be exchanged whole. */
    return (atomic_exchange_explicit(&job->state, end, memory_order_acq_rel) & MS_AWAITED) != 0;
}

ms_failure *ms_failure_create(const char *slave, const void *message, uint32_t message_size, const void *story, uint32_t story_size)
{
    uint32_t slave_size = (uint32_t)strlen(slave);
    ms_failure *failure = malloc(sizeof *failure + slave_size + (size_t)message_size + story_size);
    if (failure == NULL)
        return NULL;
    *failure = (ms_failure){.slave_size = slave_size, .message_size = message_size, .story_size = story_size};
    memcpy(failure->text, slave, slave_size);
    if (message_size > 0)
        memcpy(failure->text + slave_size, message, message_size);
    if (story_size > 0)
        memcpy(failure->text + slave_size + message_size, story, story_size);
    return failure;
}
