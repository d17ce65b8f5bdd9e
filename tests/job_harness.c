/* Runs jobs for tests/job_programs.py, with no master and no network: each request on standard input is the job's ordinal and the size of
 * its arguments (4 bytes each), then the arguments; each answer on standard output the outcome and the size of what follows (4 bytes
 * each), then the result, or for a failure its payload. Ends with its input. */
#include "core/task.h"

#include <stdio.h>
#include <stdlib.h>

static bool read_exactly(void *to, size_t size)
{
    return fread(to, 1, size, stdin) == size;
}

static void answer(ms_outcome outcome, const ms_bytes *bytes)
{
    uint32_t head[2] = {(uint32_t)outcome, (uint32_t)bytes->size};
    fwrite(head, sizeof head, 1, stdout);
    fwrite(bytes->data, 1, bytes->size, stdout);
    fflush(stdout);
}

static void serve(void *context)
{
    (void)context;
    uint32_t head[2];
    while (read_exactly(head, sizeof head)) {
        uint8_t *arguments = malloc(head[1] + 1u);
        if (arguments == NULL || head[0] == 0 || head[0] > ms_program.job_count || !read_exactly(arguments, head[1])) exit(1);
        ms_task *task = ms_task_create(0);
        ms_reader reader = {arguments, arguments + head[1]};
        ms_bytes result, failure;
        ms_bytes_init(&result);
        ms_bytes_init(&failure);
        ms_outcome outcome = ms_task_run(task, ms_program.jobs[head[0] - 1].run, &reader, &result, &failure);
        answer(outcome, outcome == MS_TASK_FAILED ? &failure : &result);
        ms_task_destroy(task);
        ms_bytes_free(&result);
        ms_bytes_free(&failure);
        free(arguments);
    }
}

int main(void)
{
    ms_task_setup();
    ms_task_on_stack(serve, NULL);
    return 0;
}
