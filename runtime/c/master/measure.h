/* How long jobs take, by function: what the scheduler sizes its queues by. */
#ifndef MS_MEASURE_H
#define MS_MEASURE_H

#include "master/scheduler.h"

#define MS_UNKNOWN_NS UINT32_MAX
#define MS_LAG_NS 1000000u /* a shorter lag is none */

/* How many jobs it runs or has queued; the others wait. */
static inline uint32_t ms_busy_count(const ms_slave *slave)
{
    return slave->inflight - slave->lent;
}

/* What came at one time is in: it tells how long such jobs take. */
void ms_measure_close(ms_scheduler *scheduler, ms_slave *slave);
/* An answer of a job of this function came; the attempt is still counted. */
void ms_measure_answer(ms_scheduler *scheduler, ms_slave *slave, uint32_t ordinal, uint64_t now);
/* A slave has measured it: so many such jobs took so long together. */
void ms_measure_told(ms_scheduler *scheduler, uint32_t ordinal, uint32_t count, uint64_t ns);
#endif
