/* Spawning, waiting, releasing; and what the master says about the jobs that were started. */
#include "slave/children.h"

#include "core/clock.h"
#include "slave/pool.h"

#include <stdlib.h>
#include <string.h>

/* ---- Records ---- */

/* False: more than one job may hold. Without a limit nothing is counted. */
static bool hold(ms_worker *w, uint64_t size)
{
    uint64_t limit = w->executor->options.memory_max;
    if (limit == 0)
        return true;
    if (size > limit || atomic_load_explicit(&w->held_size, memory_order_relaxed) > limit - size)
        return false;
    atomic_fetch_add_explicit(&w->held_size, size, memory_order_relaxed);
    return true;
}

static void let_go(ms_worker *w, uint64_t size)
{
    if (w->executor->options.memory_max > 0)
        atomic_fetch_sub_explicit(&w->held_size, size, memory_order_relaxed);
}

ms_job *ms_child_create(uint32_t ordinal, uint32_t size)
{
    ms_worker *w = ms_this_worker;
    if (!hold(w, sizeof(ms_job) + size))
        return NULL;
    ms_job *job = malloc(sizeof *job + size);
    if (job == NULL) {
        let_go(w, sizeof(ms_job) + size);
        return NULL;
    }
    *job = (ms_job){.references = 1, .ordinal = ordinal, .owner = w, .size = size, .next = w->children};
    if (w->children != NULL)
        w->children->previous = job;
    w->children = job;
    return job;
}

static void free_record(ms_job *job)
{
    ms_bytes_free(&job->payload);
    free(job->holes);
    free(job->dependencies);
    free(job);
}

bool ms_child_add_hole(ms_job *job, uint32_t offset, ms_job *dependency)
{
    if (job->hole_count == job->hole_capacity) {
        uint32_t capacity = job->hole_capacity * 2 + 2;
        uint8_t *holes = realloc(job->holes, (size_t)capacity * MS_SPAWN_HOLE_SIZE);
        if (holes != NULL)
            job->holes = holes;
        ms_job **dependencies = realloc(job->dependencies, capacity * sizeof *dependencies);
        if (dependencies != NULL)
            job->dependencies = dependencies;
        if (holes == NULL || dependencies == NULL)
            return false;
        job->hole_capacity = capacity;
    }
    uint8_t *hole = job->holes + (size_t)job->hole_count * MS_SPAWN_HOLE_SIZE;
    ms_put_u32(hole, offset);
    ms_put_u32(hole + 4, dependency->number);
    dependency->references++;
    job->dependencies[job->hole_count++] = dependency;
    return true;
}

/* ---- Numbers; the lock is held ---- */

static bool reserve_numbers(ms_executor *executor)
{
    if (executor->child_numbers.count > 0)
        return true;
    ms_job **children = ms_free_numbers_grow(&executor->child_numbers, executor->children, sizeof *children);
    if (children != NULL)
        executor->children = children;
    return children != NULL;
}

static void forget(ms_executor *executor, ms_job *job)
{
    executor->children[job->number] = NULL;
    ms_free_numbers_give(&executor->child_numbers, job->number);
    free_record(job);
}

/* ---- Starting ---- */

static void drop_dependencies(ms_job *job)
{
    for (uint32_t i = 0; i < job->hole_count; i++)
        ms_child_release(job->dependencies[i]);
    job->hole_count = 0;
}

static bool encode(ms_bytes *frame, const ms_job *job, uint32_t flags)
{
    uint8_t head[MS_HEADER_SIZE + MS_SPAWN_HEAD_SIZE];
    uint32_t holes_size = job->hole_count * MS_SPAWN_HOLE_SIZE;
    ms_header_encode(head, (ms_header){0, MS_SPAWN, MS_SPAWN_HEAD_SIZE + holes_size + job->size});
    ms_put_u32(head + MS_HEADER_SIZE, ms_this_worker->jid);
    ms_put_u32(head + MS_HEADER_SIZE + 4, job->number);
    ms_put_u32(head + MS_HEADER_SIZE + 8, job->ordinal);
    ms_put_u32(head + MS_HEADER_SIZE + 12, flags);
    ms_put_u32(head + MS_HEADER_SIZE + 16, job->hole_count);
    return ms_bytes_reserve(frame, sizeof head + (size_t)holes_size + job->size) && ms_bytes_append(frame, head, sizeof head) &&
           ms_bytes_append(frame, job->holes, holes_size) && ms_bytes_append(frame, job->arguments, job->size);
}

static bool give(ms_executor *executor, ms_bytes *frame)
{
    if (frame->size >= MS_LARGE_SIZE)
        return ms_sender_give(&executor->filling, frame);
    ms_executor_put(executor, ms_header_decode(frame->data), frame->data + MS_HEADER_SIZE);
    return true;
}

bool ms_child_start(ms_job *job)
{
    ms_executor *executor = ms_this_worker->executor;
    ms_bytes frame = {0};
    pthread_mutex_lock(&executor->lock);
    ms_this_worker->has_spawned = true;
    if (executor->adrift || executor->broken || ms_this_worker->mute) {
        if (!ms_this_worker->mute)
            ms_keep_silence(ms_this_worker); /* the master would not know whose it is */
        pthread_mutex_unlock(&executor->lock);
        return true;
    }
    bool fine = reserve_numbers(executor);
    if (fine) {
        job->number = ms_free_numbers_take(&executor->child_numbers);
        fine = encode(&frame, job, 0) && give(executor, &frame);
        if (fine) {
            executor->children[job->number] = job;
            ms_executor_linger(executor);
            ms_executor_wait_for_room(executor);
        } else {
            ms_free_numbers_give(&executor->child_numbers, job->number);
            job->number = 0;
        }
    }
    pthread_mutex_unlock(&executor->lock);
    ms_bytes_free(&frame);
    if (fine && job->hole_count > 0)
        drop_dependencies(job);
    return fine;
}

bool ms_child_make_tail(ms_job *job)
{
    return encode(&ms_this_worker->tail_frame, job, MS_SPAWN_TAIL);
}

/* ---- Letting go ---- */

static void unlink_child(ms_job *job)
{
    if (job->previous != NULL)
        job->previous->next = job->next;
    else
        job->owner->children = job->next;
    if (job->next != NULL)
        job->next->previous = job->previous;
}

/* Nobody holds it any more. The lock is held. */
static void dispose(ms_job *job)
{
    ms_executor *executor = job->owner->executor;
    uint8_t number[4];
    unlink_child(job);
    let_go(job->owner, sizeof *job + job->size + job->held_size);
    if (job->number == 0 || job->forgotten) {
        free_record(job);
        return;
    }
    job->owner = NULL;
    ms_put_u32(number, job->number);
    ms_executor_put(executor, (ms_header){0, MS_RELEASE, sizeof number}, number);
    ms_executor_linger(executor);
    if (job->answered)
        forget(executor, job);
    else
        ms_bytes_free(&job->payload);
}

void ms_child_release(ms_job *job)
{
    if (--job->references > 0)
        return;
    ms_executor *executor = job->owner->executor;
    drop_dependencies(job);
    pthread_mutex_lock(&executor->lock);
    dispose(job);
    pthread_mutex_unlock(&executor->lock);
}

void ms_children_end(ms_worker *w)
{
    while (w->children != NULL)
        dispose(w->children); /* what it waits for is in the list too */
}

void ms_children_forget(ms_executor *executor)
{
    ms_free_numbers_clear(&executor->child_numbers);
    for (uint32_t number = 1; number < executor->child_numbers.capacity; number++) {
        ms_job *job = executor->children[number];
        executor->children[number] = NULL;
        if (job != NULL && job->owner == NULL)
            free_record(job);
        else if (job != NULL)
            job->forgotten = true; /* the job that holds it has been silenced */
    }
}

void ms_children_destroy(ms_executor *executor)
{
    for (uint32_t i = 0; i < executor->child_numbers.capacity; i++)
        if (executor->children[i] != NULL)
            free_record(executor->children[i]);
    free(executor->children);
    ms_free_numbers_close(&executor->child_numbers);
}

/* ---- Ends ---- */

/* The lock is held. */
static void end(ms_executor *executor, ms_job *job, uint32_t outcome)
{
    job->outcome = outcome;
    job->end_number = ++executor->end_number;
    atomic_store_explicit(&job->state, outcome == MS_RESULT_FINISHED ? MS_FINISHED : MS_FAILED, memory_order_release);
    if (!job->awaited)
        return;
    job->owner->woken = true;
    pthread_cond_signal(&job->owner->wake);
}

void ms_child_cancel(ms_job *job)
{
    ms_executor *executor = job->owner->executor;
    uint8_t number[4];
    pthread_mutex_lock(&executor->lock);
    if (!ms_child_has_ended(job) && !ms_this_worker->mute) {
        ms_put_u32(number, job->number);
        ms_executor_put(executor, (ms_header){0, MS_CANCEL, sizeof number}, number);
        ms_executor_linger(executor);
        end(executor, job, MS_RESULT_CANCELLED);
    }
    pthread_mutex_unlock(&executor->lock);
}

static bool append_sized(ms_bytes *bytes, const char *text)
{
    uint8_t size[4];
    ms_put_u32(size, (uint32_t)strlen(text));
    return ms_bytes_append(bytes, size, sizeof size) && ms_bytes_append(bytes, text, strlen(text));
}

void ms_child_fail(ms_job *job, const char *message)
{
    ms_executor *executor = job->owner->executor;
    pthread_mutex_lock(&executor->lock);
    bool fine = append_sized(&job->payload, "") && append_sized(&job->payload, message);
    end(executor, job, fine ? MS_RESULT_FAILED : 0);
    pthread_mutex_unlock(&executor->lock);
}

/* Whether a result holds what its outcome promises. */
static bool is_result(uint32_t outcome, const uint8_t *bytes, uint32_t size)
{
    ms_failure_view view;
    if (outcome == MS_RESULT_FINISHED)
        return true;
    if (outcome == MS_RESULT_CANCELLED)
        return size == 0;
    if (outcome != MS_RESULT_FAILED || size < 4 || ms_get_u32(bytes) > size - 4)
        return false;
    uint32_t name_size = ms_get_u32(bytes);
    return ms_failure_decode(&view, bytes + 4 + name_size, size - 4 - name_size) == MS_WIRE_FINE;
}

static bool take_result(ms_job *job, const uint8_t *payload, uint32_t size)
{
    if (!hold(job->owner, size))
        return false;
    job->held_size = size;
    return ms_bytes_append(&job->payload, payload, size);
}

bool ms_executor_child_ended(ms_executor *executor, const uint8_t *payload, uint32_t size)
{
    uint32_t number = ms_get_u32(payload), outcome = ms_get_u32(payload + 4);
    if (!is_result(outcome, payload + MS_RESULT_HEAD_SIZE, size - MS_RESULT_HEAD_SIZE))
        return false;
    if (executor->pool != NULL)
        return ms_pool_child_ended(executor->pool, payload, size);
    payload += MS_RESULT_HEAD_SIZE;
    size -= MS_RESULT_HEAD_SIZE;
    pthread_mutex_lock(&executor->lock);
    ms_job *job = number < executor->child_numbers.capacity ? executor->children[number] : NULL;
    bool fine = job != NULL && !job->answered;
    if (fine && job->owner == NULL) {
        forget(executor, job);
    } else if (fine) {
        job->answered = true;
        if (!ms_child_has_ended(job)) /* else it was cancelled here */
            end(executor, job, take_result(job, payload, size) ? outcome : 0);
    }
    pthread_mutex_unlock(&executor->lock);
    return fine;
}

/* ---- Waiting ---- */

static bool one_has_ended(ms_job **jobs, const uint8_t *seen, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if ((seen == NULL || seen[i] == 0) && ms_child_has_ended(jobs[i]))
            return true;
    return false;
}

static void mark_awaited(ms_job **jobs, const uint8_t *seen, uint32_t count, bool awaited)
{
    for (uint32_t i = 0; i < count; i++)
        if (seen == NULL || seen[i] == 0)
            jobs[i]->awaited = awaited;
}

bool ms_children_await(ms_job **jobs, const uint8_t *seen, uint32_t count, uint64_t deadline)
{
    ms_worker *w = ms_this_worker;
    ms_executor *executor = w->executor;
    while (!one_has_ended(jobs, seen, count)) {
        if (deadline != UINT64_MAX && ms_clock_ns() >= deadline)
            return false;
        pthread_mutex_lock(&executor->lock);
        mark_awaited(jobs, seen, count, true);
        w->woken = one_has_ended(jobs, seen, count);
        if (!w->woken && !w->cancelled)
            ms_worker_park(w, deadline);
        mark_awaited(jobs, seen, count, false);
        pthread_mutex_unlock(&executor->lock);
        ms_task_check();
    }
    return true;
}
