/* What the program calls about jobs. All of it runs on the program's thread, inside the task of the master block.
 *
 * Functions that take memory of malloc's or a lock look first whether the stack is nearly used up, since an overflow leaves the
 * task wherever it is. */
#include "master/api.h"

#include "core/clock.h"
#include "core/fail.h"
#include "core/heap.h"
#include "core/handles.h"
#include "core/task.h"
#include "core/text.h"
#include "core/wire.h"
#include "master/output.h"
#include "master/parts.h"
#include "master/watch.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

enum { MS_PLACE_FACTOR = 64 }; /* places of one function rarely meet those of another */
#define PATIENCE_NS 2000000u /* how long it waits before it writes out what the program has printed */

static ms_server *server;
static ms_job_pool *pool;
static ms_watch *watch; /* null when nobody looks */
static uint32_t lost_max;
static ms_task *local_task; /* --local: what jobs run as; null while one runs */
static ms_job *local_tail;  /* --local: what the job that has just been left goes on as */
static uint64_t local_end_number;

void ms_api_setup(ms_server *the_server, ms_job_pool *the_pool, uint32_t the_lost_max, ms_watch *the_watch)
{
    server = the_server;
    pool = the_pool;
    lost_max = the_lost_max;
    watch = the_watch;
    if (watch != NULL)
        atomic_store(&watch->doing, MS_DOING_COMPUTES);
}

void ms_api_end(void)
{
    ms_handles_thread_end();
    ms_task_destroy(local_task);
    local_task = NULL;
}

static void check(const ms_job *job)
{
    if (job == NULL)
        ms_fail_message("no job");
    ms_task_check_stack();
}

static bool has_ended(ms_job *job)
{
    return ms_job_state_now(job) != (uint32_t)MS_RUNNING;
}

/* ---- Starting ---- */

static void limit_message(char message[96], uint64_t size)
{
    snprintf(message, 96, "arguments of %llu bytes, the limit is %llu", (unsigned long long)size, (unsigned long long)ms_payload_max);
}

ms_job *ms_remote_new(uint32_t ordinal, uint64_t size, uint8_t **arguments)
{
    ms_task_check_stack();
    if (size > ms_payload_max) {
        char message[96];
        limit_message(message, size);
        ms_fail_message(message);
    }
    if (server != NULL)
        ms_job_await_room(size);
    ms_job *job = ms_job_create(pool, ordinal, (uint32_t)size);
    if (job == NULL)
        ms_fail_out_of_memory();
    *arguments = ms_job_arguments(job);
    return job;
}

void ms_remote_hole(ms_job *job, uint64_t offset, ms_job *dependency)
{
    check(dependency);
    if (!ms_job_add_hole(job, (uint32_t)offset, dependency))
        ms_fail_out_of_memory();
}

/* Makes what was given a part. False: it is to be encoded where it stands. */
static bool share(ms_job *job, const uint8_t *at, uint32_t place, uint32_t count, const void *bytes, uint64_t size, uint64_t *known)
{
    ms_blobs *blobs = server == NULL ? NULL : ms_server_blobs(server);
    if (blobs == NULL || size < MS_PART_MIN - sizeof count)
        return false;
    ms_task_check_stack();
    ms_blob *blob = ms_blobs_share(blobs, job->ordinal * MS_PLACE_FACTOR + place, count, bytes, size, known);
    if (blob == NULL)
        return false;
    if (ms_job_add_part(job, (uint32_t)(at - job->room.block), blob))
        return true;
    ms_blob_drop(blob);
    return false;
}

uint8_t *ms_remote_block(ms_job *job, uint8_t *at, const void *data, uint32_t count, uint64_t element_size, uint32_t place, uint64_t *known)
{
    uint64_t size = count * element_size;
    if (share(job, at, place, count, data, size, known))
        return at;
    ms_put_u32(at, count);
    memcpy(at + sizeof count, data, size);
    return at + sizeof count + size;
}

uint8_t *ms_remote_part(ms_job *job, uint8_t *from, uint8_t *to, uint32_t place, uint64_t *known)
{
    uint32_t count = ms_get_u32(from);
    return share(job, from, place, count, from + sizeof count, (uint64_t)(to - from) - sizeof count, known) ? from : to;
}

static void end_failed(ms_job *job, const ms_bytes *payload)
{
    ms_failure_view view;
    if (ms_failure_decode(&view, payload->data, payload->size) != MS_WIRE_FINE)
        view = (ms_failure_view){"out of memory", 13, NULL, 0};
    ms_job_fail(job, MS_CAUSE_ITSELF, ms_failure_create("", view.message, view.message_size, view.story, view.story_size));
}

static void fail_saying(ms_job *job, const char *message)
{
    ms_job_fail(job, MS_CAUSE_ITSELF, ms_failure_create("", message, (uint32_t)strlen(message), NULL, 0));
}

/* Puts the results of its dependencies, which have ended, into the arguments. False: the job has failed. */
static bool fill_here(ms_job *job)
{
    char message[96];
    uint64_t size;
    ms_job *failed;
    if (!ms_job_has_holes(job))
        return true;
    switch (ms_job_fill(pool, job, ms_payload_max, true, &size, &failed)) {
    case MS_FILLED: return true;
    case MS_FILL_FAILED: ms_job_fail_like(job, failed); break;
    case MS_FILL_NO_MEMORY: ms_job_fail(job, MS_CAUSE_MASTER, NULL); break;
    case MS_FILL_TOO_LARGE:
        limit_message(message, size);
        fail_saying(job, message);
        break;
    }
    ms_job_drop_holes(pool, job, true);
    return false;
}

/* Runs it, and whatever it ends as, until one of them gives a result or fails; then `job` has ended that way. */
static void run_chain(ms_task *task, ms_job *job)
{
    ms_bytes result = {0}, failure = {0};
    ms_cargo cargo = {0};
    ms_outcome outcome = MS_TASK_HANDED_OVER;
    ms_task_set_cargo(task, &cargo);
    while (outcome == MS_TASK_HANDED_OVER && fill_here(job)) {
        ms_reader arguments = {ms_job_arguments(job), ms_job_arguments(job) + job->arguments_size};
        outcome = ms_task_run(task, ms_program.jobs[job->ordinal - 1].run, &arguments, &result, &failure);
        if (outcome == MS_TASK_HANDED_OVER) {
            ms_job *next = local_tail;
            if (ms_relations_of(job) == NULL)
                outcome = MS_TASK_FAILED;
            else
                ms_job_become(job, next);
            ms_job_drop(pool, next, true);
        }
    }
    ms_job_claim(job);
    uint64_t size = cargo.result == NULL ? result.size : cargo.result_size;
    if (outcome == MS_TASK_FINISHED && !ms_job_finish(job, result.data, (uint32_t)size, &cargo.result))
        ms_job_fail(job, MS_CAUSE_MASTER, NULL);
    else if (outcome == MS_TASK_CANCELLED)
        ms_job_fail(job, MS_CAUSE_CANCELLED, NULL);
    else if (outcome != MS_TASK_FINISHED && outcome != MS_TASK_HANDED_OVER)
        end_failed(job, &failure);
    ms_job_publish(job, ++local_end_number);
    ms_task_set_cargo(task, NULL);
    ms_bytes_free(&result);
    ms_bytes_free(&failure);
}

/* Serial elision: the job runs here and now, as a task inside this one. */
static void run_here(ms_job *job)
{
    ms_task *task = local_task != NULL ? local_task : ms_task_create(0);
    if (task == NULL)
        ms_fail_out_of_memory();
    local_task = NULL; /* a job that starts a job needs another one */
    run_chain(task, job);
    if (local_task == NULL)
        local_task = task;
    else
        ms_task_destroy(task);
}

void ms_remote_start(ms_job *job)
{
    ms_seen seen;
    ms_task_check_stack();
    if (ms_job_part_count(job) > 0 && !ms_job_settle_parts(job))
        ms_fail_out_of_memory();
    if (watch != NULL)
        ms_watch_remote(watch, job, &seen);
    if (server == NULL)
        run_here(job);
    else
        ms_server_submit(server, job);
    if (watch != NULL && server == NULL)
        ms_watch_local(watch, &seen, job);
    else if (watch != NULL)
        ms_watch_remote_done(watch, &seen);
}

void ms_remote_tail(ms_job *job)
{
    local_tail = job;
    ms_task_hand_over();
}

ms_job *ms_handle_failed(uint32_t ordinal, const char *message)
{
    uint8_t *arguments;
    ms_job *job = ms_remote_new(ordinal, 0, &arguments);
    ms_job_claim(job);
    fail_saying(job, message);
    job->place = MS_PLACE_ENDED;
    ms_job_publish(job, server == NULL ? ++local_end_number : ms_server_end_number(server));
    return job;
}

/* ---- Waiting ---- */

/* One sleep, until something has ended or the deadline has come. What the program has printed is not kept for long. */
static void sleep_once(uint32_t signal, uint64_t deadline)
{
    uint64_t now = deadline == UINT64_MAX ? 0 : ms_clock_ns();
    uint64_t left = deadline == UINT64_MAX ? UINT64_MAX : deadline > now ? deadline - now : 0;
    if (left > PATIENCE_NS && ms_output_pending()) {
        ms_server_wait(server, signal, PATIENCE_NS);
        if (ms_server_signal(server) != signal)
            return;
        ms_output_flush();
        return;
    }
    ms_server_wait(server, signal, left);
}

static bool is_past(uint64_t deadline)
{
    return deadline != UINT64_MAX && ms_clock_ns() >= deadline;
}

/* Waits until the job has ended; false when the deadline came first. What it printed is out then. */
static bool await_unseen(ms_job *job, uint64_t deadline)
{
    while (!has_ended(job)) {
        uint32_t signal = ms_server_signal(server);
        atomic_fetch_or(&job->state, MS_AWAITED);
        if (has_ended(job))
            break;
        if (is_past(deadline))
            return false;
        sleep_once(signal, deadline);
    }
    ms_output_flush_forwarded();
    return true;
}

/* The same, seen by those who look; `from` is where the program has called. */
static bool await(ms_job *job, uint64_t deadline, const char *how, const void *from)
{
    if (watch == NULL || server == NULL)
        return await_unseen(job, deadline);
    uint64_t began = ms_watch_waits(watch, how, job, from);
    bool ended = await_unseen(job, deadline);
    ms_watch_goes_on(watch, began, how, job);
    return ended;
}

/* The index of the job that ended first, -1 when none has. */
static int32_t first_ended(ms_job **jobs, uint32_t count)
{
    int32_t first = -1;
    for (uint32_t i = 0; i < count; i++)
        if (has_ended(jobs[i]) && (first < 0 || jobs[i]->end_number < jobs[first]->end_number))
            first = (int32_t)i;
    return first;
}

uint64_t ms_handle_end_number(ms_job *job)
{
    return has_ended(job) ? job->end_number : 0;
}

static bool one_has_ended(ms_job **jobs, const uint8_t *seen, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (seen[i] == 0 && has_ended(jobs[i]))
            return true;
    return false;
}

void ms_handles_await(ms_job **jobs, const uint8_t *seen, uint32_t count)
{
    uint64_t began = watch == NULL ? 0 : ms_watch_waits(watch, "completed", NULL, NULL);
    for (;;) {
        uint32_t signal = ms_server_signal(server);
        for (uint32_t i = 0; i < count; i++)
            if (seen[i] == 0)
                atomic_fetch_or(&jobs[i]->state, MS_AWAITED);
        if (one_has_ended(jobs, seen, count))
            break;
        sleep_once(signal, UINT64_MAX);
    }
    if (watch != NULL)
        ms_watch_goes_on(watch, began, "completed", NULL);
    ms_output_flush_forwarded();
}

static int32_t any_unseen(ms_vector handles, uint64_t deadline)
{
    ms_job **jobs = handles.data;
    if (handles.count == 0)
        ms_fail_message("any of no jobs");
    for (uint32_t i = 0; i < handles.count; i++)
        check(jobs[i]);
    for (;;) {
        int32_t first = first_ended(jobs, handles.count);
        if (first >= 0) {
            ms_output_flush_forwarded();
            return first;
        }
        uint32_t signal = ms_server_signal(server);
        for (uint32_t i = 0; i < handles.count; i++)
            atomic_fetch_or(&jobs[i]->state, MS_AWAITED);
        if (first_ended(jobs, handles.count) >= 0)
            continue;
        if (is_past(deadline))
            return -1;
        sleep_once(signal, deadline);
    }
}

static int32_t any_until(ms_vector handles, uint64_t deadline, const void *from)
{
    if (watch == NULL || server == NULL)
        return any_unseen(handles, deadline);
    uint64_t began = ms_watch_waits(watch, "any", NULL, from);
    int32_t index = any_unseen(handles, deadline);
    ms_watch_goes_on(watch, began, "any", NULL);
    return index;
}

int32_t ms_jobs_any(ms_vector jobs)
{
    return any_until(jobs, UINT64_MAX, __builtin_return_address(0));
}

int32_t ms_jobs_any_for(ms_vector jobs, double seconds)
{
    return any_until(jobs, ms_clock_after(seconds), __builtin_return_address(0));
}

int32_t ms_job_wait(ms_job *job)
{
    check(job);
    await(job, UINT64_MAX, "wait", __builtin_return_address(0));
    return ms_job_state(job);
}

int32_t ms_job_wait_for(ms_job *job, double seconds)
{
    check(job);
    await(job, ms_clock_after(seconds), "wait", __builtin_return_address(0));
    return ms_job_state(job);
}

/* ---- How it ended ---- */

typedef struct words {
    const char *text;
    uint32_t size;
} words;

static words slave_of(const ms_job *job)
{
    const ms_failure *failure = job->end.failure;
    return failure == NULL ? (words){NULL, 0} : (words){failure->text, failure->slave_size};
}

/* Why a failed job failed. `buffer` has room for the sentences that are made here. */
static words message_of(const ms_job *job, char buffer[64])
{
    const ms_failure *failure = job->end.failure;
    if (failure != NULL)
        return (words){failure->text + failure->slave_size, failure->message_size};
    if (job->cause == MS_CAUSE_CANCELLED)
        return (words){"cancelled", 9};
    if (job->cause == MS_CAUSE_LOST)
        return (words){buffer, (uint32_t)snprintf(buffer, 64, "lost %u slave%s", lost_max, lost_max == 1 ? "" : "s")};
    return (words){"out of memory", 13};
}

static words story_of(const ms_job *job, char buffer[64])
{
    const ms_failure *failure = job->end.failure;
    if (failure != NULL && failure->story_size > 0)
        return (words){failure->text + failure->slave_size + failure->message_size, failure->story_size};
    return message_of(job, buffer);
}

/* Parts included, in memory of this task's own; nothing when there is not enough of it. */
static ms_reader whole_arguments(ms_job *job)
{
    const uint8_t *bytes = ms_job_arguments(job);
    uint64_t size = job->arguments_size;
    if ((atomic_load(&job->state) & MS_PARTED) != 0) {
        size = ms_job_whole_size(job);
        if (!ms_heap_allows(size))
            return (ms_reader){NULL, NULL};
        uint8_t *whole = ms_alloc(size);
        ms_job_copy_arguments(job, whole);
        bytes = whole;
    }
    return (ms_reader){bytes, bytes + size};
}

static _Noreturn void fail_with(ms_job *job)
{
    char buffer[64];
    ms_reader arguments = {NULL, NULL};
    bool filled = (atomic_load(&job->state) & MS_UNFILLED) == 0;
    if (filled)
        arguments = whole_arguments(job);
    words slave = slave_of(job), message = message_of(job, buffer);
    const ms_failure *failure = job->end.failure;
    ms_handle_fail(&(ms_handle_end){
        .ordinal = job->ordinal,
        .whole = arguments.at != NULL,
        .arguments = arguments,
        .slave = slave.text,
        .slave_size = slave.size,
        .message = message.text,
        .message_size = message.size,
        .story = failure == NULL ? NULL : failure->text + failure->slave_size + failure->message_size,
        .story_size = failure == NULL ? 0 : failure->story_size,
    });
}

ms_reader ms_job_get(ms_job *job)
{
    check(job);
    await(job, UINT64_MAX, "get", __builtin_return_address(0));
    if (ms_job_state_now(job) == (uint32_t)MS_FAILED)
        fail_with(job);
    return (ms_reader){job->end.result, job->end.result + job->result_size};
}

int32_t ms_job_state(ms_job *job)
{
    check(job);
    return (int32_t)ms_job_state_now(job);
}

static ms_vector copy_words(words source)
{
    ms_vector text = {0};
    ms_text_bytes(&text, source.text, source.size);
    return text;
}

ms_vector ms_job_error(ms_job *job)
{
    char buffer[64];
    check(job);
    return ms_job_state_now(job) == (uint32_t)MS_FAILED ? copy_words(message_of(job, buffer)) : (ms_vector){0};
}

ms_vector ms_job_story(ms_job *job)
{
    char buffer[64];
    check(job);
    return ms_job_state_now(job) == (uint32_t)MS_FAILED ? copy_words(story_of(job, buffer)) : (ms_vector){0};
}

/* ---- The rest ---- */

void ms_job_cancel(ms_job *job)
{
    check(job);
    while (!ms_job_claim(job)) { /* it has ended, or the I/O thread ends it or changes it just now */
        if (has_ended(job))
            return;
        sched_yield();
    }
    ms_job_fail(job, MS_CAUSE_CANCELLED, NULL);
    ms_job_publish(job, server == NULL ? ++local_end_number : ms_server_end_number(server));
    if (server != NULL)
        ms_server_cancel(server, job);
}

void ms_job_retain(ms_job *job)
{
    if (job != NULL)
        ms_job_hold(job);
}

void ms_job_release(ms_job *job)
{
    if (job == NULL)
        return;
    ms_task_check_stack();
    ms_job_drop(pool, job, true);
}

int32_t ms_slaves(void)
{
    return server == NULL ? 0 : (int32_t)ms_server_slaves(server);
}

int32_t ms_slots(void)
{
    return server == NULL ? 1 : (int32_t)ms_server_slots(server);
}
