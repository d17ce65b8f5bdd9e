/* The decoders and encoders that the compiler makes (fuzz/values.ms): the first byte chooses the job, the rest is its payload.
 *
 * Each job gives back its argument, so what is accepted must come back byte for byte: nothing is taken that the other end could not have
 * written. Compiled code has no sanitizer in it; the payload ends at a page that cannot be read. */
#include "fuzz/fuzz.h"

#include "core/task.h"

#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, ROOM = 4 * PAGE };

static uint8_t *room; /* its last page is not there */
static ms_task *task;

static void set_up(void)
{
    ms_task_setup();
    ms_task_thread_begin();
    room = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(room != MAP_FAILED && mprotect(room + ROOM - PAGE, PAGE, PROT_NONE) == 0);
    task = ms_task_create(16 << 20);
    MUST(task != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (room == NULL)
        set_up();
    if (size == 0 || size - 1 > ROOM - PAGE)
        return 0;
    const ms_job_type *job = &ms_program.jobs[data[0] % ms_program.job_count];
    uint8_t *end = room + ROOM - PAGE, *payload = end - (size - 1);
    memcpy(payload, data + 1, size - 1);
    ms_reader arguments = {payload, end};
    ms_bytes result = {0}, failure = {0};
    switch (ms_task_run(task, job->run, &arguments, &result, &failure)) {
    case MS_TASK_FINISHED: MUST(result.size == size - 1 && memcmp(result.data, payload, size - 1) == 0); break;
    case MS_TASK_REJECTED: break;
    case MS_TASK_FAILED: MUST(failure.size > 4); break; /* no memory */
    default: MUST(false);
    }
    ms_bytes_free(&result);
    ms_bytes_free(&failure);
    return 0;
}
