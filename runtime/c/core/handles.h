/* What can be done with handles alike in a master and in a slave: `reduce` and `completed`. Here stands what each end supplies; in a file
 * of its own, since it needs the functions of ms.h that both have. */
#ifndef MS_HANDLES_H
#define MS_HANDLES_H

#include "ms.h"

/* Jobs are numbered from 1 as they end; 0: it has not ended. */
uint64_t ms_handle_end_number(ms_job *job);
/* Waits until one of the jobs that are not marked in `seen` has ended. */
void ms_handles_await(ms_job **jobs, const uint8_t *seen, uint32_t count);
/* A job that has failed, with this message. */
ms_job *ms_handle_failed(uint32_t ordinal, const char *message);

/* A failed job, for those who get its result. */
typedef struct ms_handle_end {
    uint32_t ordinal;
    bool whole; /* `arguments` are all there */
    ms_reader arguments;
    const char *slave; /* where it failed */
    uint32_t slave_size;
    const char *message, *story; /* without a story the message says it all */
    uint32_t message_size, story_size;
} ms_handle_end;

/* Fails with "job area(3, 0) failed on slave 10.0.0.7:4242" and the story. */
_Noreturn void ms_handle_fail(const ms_handle_end *end);

/* Frees what a loop over `completed` has left, at the end of a thread. */
void ms_handles_thread_end(void);
#endif
