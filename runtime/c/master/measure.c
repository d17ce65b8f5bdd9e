/* Batches of answers, and the averages they give. */
#include "master/measure.h"

static void learn(ms_scheduler *s, uint32_t ordinal, uint64_t sample_ns)
{
    uint32_t *cost = &s->cost_ns[ordinal];
    uint32_t sample = sample_ns > MS_UNKNOWN_NS / 2 ? MS_UNKNOWN_NS / 2 : sample_ns < 100 ? 100 : (uint32_t)sample_ns;
    if (*cost == MS_UNKNOWN_NS)
        *cost = sample;
    else if (sample < *cost)
        *cost -= (*cost - sample) / 2;
    else
        *cost += (sample - *cost) / 8;
}

/* The time since the batch before, but for what may have been the master's own. */
static uint64_t elapsed(const ms_scheduler *s, const ms_slave *slave, uint64_t until)
{
    uint64_t elapsed_ns = until - slave->batch_since;
    return elapsed_ns > s->lag_ns ? elapsed_ns - s->lag_ns : 0;
}

/* What came at one time tells, when all of it is in, how long such jobs take: the time since the batch before, divided. */
void ms_measure_close(ms_scheduler *s, ms_slave *slave)
{
    if (slave->batch_count == 0)
        return;
    learn(s, slave->batch_ordinal, elapsed(s, slave, slave->batch_at) * slave->batch_busy / slave->batch_count);
    slave->batch_since = slave->batch_at;
    slave->batch_count = 0;
}

void ms_measure_answer(ms_scheduler *s, ms_slave *slave, uint32_t ordinal, uint64_t now)
{
    uint32_t busy = ms_busy_count(slave) < slave->slots ? ms_busy_count(slave) : slave->slots;
    if (busy == 0) /* it was cancelled while it waited */
        busy = 1;
    if (now != slave->batch_at || slave->batch_count == 0) {
        ms_measure_close(s, slave);
        slave->batch_at = now;
        slave->batch_busy = busy;
        if (s->cost_ns[ordinal] == MS_UNKNOWN_NS)
            learn(s, ordinal, elapsed(s, slave, now) * busy);
    }
    slave->batch_ordinal = ordinal;
    slave->batch_count++;
}
