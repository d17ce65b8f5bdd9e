/* What a job on a slave calls about jobs (ms.h). All of it runs on the thread of that job.
 *
 * Functions that take memory of malloc's or a lock look first whether the stack is nearly used up, since an overflow leaves the
 * task wherever it is. */
#include "core/clock.h"
#include "core/fail.h"
#include "core/handles.h"
#include "core/text.h"
#include "slave/children.h"

#include <stdio.h>
#include <string.h>

static void check(const ms_job *job)
{
    if (job == NULL)
        ms_fail_message("no job");
    ms_task_check_stack();
}

/* ---- Starting ---- */

ms_job *ms_remote_new(uint32_t ordinal, uint64_t size, uint8_t **arguments)
{
    ms_task_check_stack();
    if (size > ms_payload_max || size > UINT32_MAX - MS_SPAWN_HEAD_SIZE) {
        char message[96];
        snprintf(message, sizeof message, "arguments of %llu bytes, the limit is %llu", (unsigned long long)size,
                 (unsigned long long)ms_payload_max);
        ms_fail_message(message);
    }
    ms_job *job = ms_child_create(ordinal, (uint32_t)size);
    if (job == NULL)
        ms_fail_out_of_memory();
    *arguments = job->arguments;
    return job;
}

/* What a job here starts goes up to the master as it is. */
uint8_t *ms_remote_block(ms_job *job, uint8_t *at, const void *data, uint32_t count, uint64_t element_size, uint32_t place, uint64_t *known)
{
    (void)job, (void)place, (void)known;
    ms_put_u32(at, count);
    memcpy(at + sizeof count, data, count * element_size);
    return at + sizeof count + count * element_size;
}

uint8_t *ms_remote_part(ms_job *job, uint8_t *from, uint8_t *to, uint32_t place, uint64_t *known)
{
    (void)job, (void)from, (void)place, (void)known;
    return to;
}

void ms_remote_hole(ms_job *job, uint64_t offset, ms_job *dependency)
{
    check(dependency);
    if (job->hole_count == MS_HOLES_MAX)
        ms_fail_message("a job waits for too many others");
    if (dependency->number == 0) { /* it has failed here, the master knows nothing of it */
        ms_child_fail(job, "nothing to reduce");
        return;
    }
    if (!ms_child_add_hole(job, (uint32_t)offset, dependency))
        ms_fail_out_of_memory();
}

void ms_remote_start(ms_job *job)
{
    ms_task_check_stack();
    if (ms_child_has_ended(job)) /* a dependency has failed here */
        return;
    if (!ms_child_start(job))
        ms_fail_out_of_memory();
    ms_task_check();
}

void ms_remote_tail(ms_job *job)
{
    ms_task_check_stack();
    if (ms_child_has_ended(job))
        ms_job_get(job);
    if (!ms_child_make_tail(job))
        ms_fail_out_of_memory();
    ms_task_hand_over();
}

ms_job *ms_handle_failed(uint32_t ordinal, const char *message)
{
    uint8_t *arguments;
    ms_job *job = ms_remote_new(ordinal, 0, &arguments);
    ms_child_fail(job, message);
    return job;
}

/* ---- Waiting ---- */

uint64_t ms_handle_end_number(ms_job *job)
{
    return ms_child_has_ended(job) ? job->end_number : 0;
}

void ms_handles_await(ms_job **jobs, const uint8_t *seen, uint32_t count)
{
    ms_children_await(jobs, seen, count, UINT64_MAX);
}

static int32_t any_until(ms_vector handles, uint64_t deadline)
{
    ms_job **jobs = handles.data;
    int32_t first = -1;
    if (handles.count == 0)
        ms_fail_message("any of no jobs");
    for (uint32_t i = 0; i < handles.count; i++)
        check(jobs[i]);
    if (!ms_children_await(jobs, NULL, handles.count, deadline))
        return -1;
    for (uint32_t i = 0; i < handles.count; i++)
        if (ms_child_has_ended(jobs[i]) && (first < 0 || jobs[i]->end_number < jobs[first]->end_number))
            first = (int32_t)i;
    return first;
}

int32_t ms_jobs_any(ms_vector jobs)
{
    return any_until(jobs, UINT64_MAX);
}

int32_t ms_jobs_any_for(ms_vector jobs, double seconds)
{
    return any_until(jobs, ms_clock_after(seconds));
}

int32_t ms_job_state(ms_job *job)
{
    check(job);
    return (int32_t)atomic_load_explicit(&job->state, memory_order_acquire);
}

int32_t ms_job_wait(ms_job *job)
{
    check(job);
    ms_children_await(&job, NULL, 1, UINT64_MAX);
    return ms_job_state(job);
}

int32_t ms_job_wait_for(ms_job *job, double seconds)
{
    check(job);
    ms_children_await(&job, NULL, 1, ms_clock_after(seconds));
    return ms_job_state(job);
}

/* ---- How it ended ---- */

/* Slave, message and story of a failed job. */
static ms_handle_end end_of(ms_job *job)
{
    static const char cancelled[] = "cancelled", no_memory[] = "out of memory";
    ms_handle_end end = {.ordinal = job->ordinal, .whole = job->holes == NULL, .arguments = {job->arguments, job->arguments + job->size}};
    if (job->outcome != MS_RESULT_FAILED) {
        end.message = job->outcome == MS_RESULT_CANCELLED ? cancelled : no_memory;
        end.message_size = (uint32_t)strlen(end.message);
        return end;
    }
    ms_failure_view view;
    end.slave = (const char *)job->payload.data + 4;
    end.slave_size = ms_get_u32(job->payload.data);
    ms_failure_decode(&view, job->payload.data + 4 + end.slave_size, job->payload.size - 4 - end.slave_size);
    end.message = view.message;
    end.message_size = view.message_size;
    end.story = view.story;
    end.story_size = view.story_size;
    return end;
}

ms_reader ms_job_get(ms_job *job)
{
    if (ms_job_wait(job) == MS_FAILED) {
        ms_handle_end end = end_of(job);
        ms_handle_fail(&end);
    }
    static const uint8_t nothing[1];
    const uint8_t *bytes = job->payload.size == 0 ? nothing : job->payload.data;
    return (ms_reader){bytes, bytes + job->payload.size};
}

static ms_vector copy_text(const char *bytes, uint32_t size)
{
    ms_vector text = {0};
    ms_text_bytes(&text, bytes, size);
    return text;
}

ms_vector ms_job_error(ms_job *job)
{
    if (ms_job_state(job) != MS_FAILED)
        return (ms_vector){0};
    ms_handle_end end = end_of(job);
    return copy_text(end.message, end.message_size);
}

ms_vector ms_job_story(ms_job *job)
{
    if (ms_job_state(job) != MS_FAILED)
        return (ms_vector){0};
    ms_handle_end end = end_of(job);
    return end.story_size > 0 ? copy_text(end.story, end.story_size) : copy_text(end.message, end.message_size);
}

/* ---- The rest ---- */

void ms_job_cancel(ms_job *job)
{
    check(job);
    ms_child_cancel(job);
}

void ms_job_retain(ms_job *job)
{
    if (job != NULL)
        job->references++;
}

void ms_job_release(ms_job *job)
{
    if (job == NULL)
        return;
    ms_task_check_stack();
    ms_child_release(job);
}

int32_t ms_slaves(void)
{
    return 0;
}

int32_t ms_slots(void)
{
    return (int32_t)ms_this_worker->executor->options.shown_slots;
}
