/* What a job on a slave calls about jobs: refused for now, with a message. */
#include "core/fail.h"
#include "core/handles.h"

static _Noreturn void refuse(void)
{
    ms_fail_message("a job on a slave cannot start jobs yet");
}

ms_job *ms_remote_new(uint32_t ordinal, uint64_t size, uint8_t **arguments)
{
    (void)ordinal;
    (void)size;
    (void)arguments;
    refuse();
}
void ms_remote_hole(ms_job *job, uint64_t offset, ms_job *dependency)
{
    (void)job;
    (void)offset;
    (void)dependency;
    refuse();
}
void ms_remote_start(ms_job *job)
{
    (void)job;
    refuse();
}
void ms_remote_tail(ms_job *job)
{
    (void)job;
    refuse();
}
ms_reader ms_job_get(ms_job *job)
{
    (void)job;
    ms_fail_message("no job");
}
int32_t ms_job_state(ms_job *job)
{
    (void)job;
    ms_fail_message("no job");
}
int32_t ms_job_wait(ms_job *job)
{
    (void)job;
    ms_fail_message("no job");
}
int32_t ms_job_wait_for(ms_job *job, double seconds)
{
    (void)job;
    (void)seconds;
    ms_fail_message("no job");
}
void ms_job_cancel(ms_job *job)
{
    (void)job;
    ms_fail_message("no job");
}
ms_vector ms_job_error(ms_job *job)
{
    (void)job;
    ms_fail_message("no job");
}
ms_vector ms_job_story(ms_job *job)
{
    (void)job;
    ms_fail_message("no job");
}
int32_t ms_jobs_any(ms_vector jobs)
{
    ms_fail_message(jobs.count == 0 ? "any of no jobs" : "no job");
}
int32_t ms_jobs_any_for(ms_vector jobs, double seconds)
{
    (void)seconds;
    return ms_jobs_any(jobs);
}
void ms_job_retain(ms_job *job)
{
    (void)job;
}
void ms_job_release(ms_job *job)
{
    (void)job;
}
int32_t ms_slaves(void)
{
    return 0;
}
int32_t ms_slots(void)
{
    return 1;
}
uint64_t ms_handle_end_number(ms_job *job)
{
    (void)job;
    return 0;
}
void ms_handles_await(ms_job **jobs, const uint8_t *seen, uint32_t count)
{
    (void)jobs;
    (void)seen;
    (void)count;
}
ms_job *ms_handle_failed(uint32_t ordinal, const char *message)
{
    (void)ordinal;
    (void)message;
    refuse();
}
