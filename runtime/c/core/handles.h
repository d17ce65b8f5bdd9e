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

/* Frees what a loop over `completed` has left, at the end of a thread. */
void ms_handles_thread_end(void);
#endif
