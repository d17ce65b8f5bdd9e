/* Batches of answers, and the averages they give. */
#include "master/measure.h"

#include <math.h>

enum { TURNS_WAITED = 2, LEAST_NS = 100 };
#define WAIT_NS 1000000u /* how long a message may take to go and come where nobody is in the way */

static void learn(ms_scheduler *s, uint32_t ordinal, uint64_t sample_ns)
{
    uint32_t *cost = &s->cost_ns[ordinal];
    uint32_t sample = sample_ns > MS_UNKNOWN_NS / 2 ? MS_UNKNOWN_NS / 2 : sample_ns < LEAST_NS ? LEAST_NS : (uint32_t)sample_ns;
    if (*cost == MS_UNKNOWN_NS)
        *cost = sample;
    else if (sample < *cost)
        *cost -= (*cost - sample) / 2;
    else
        *cost += (sample - *cost) / 8;
}

/* What came at one time tells, when all of it is in, how long such jobs take: the time since the batch before, divided. A part of that
 * time may have been the master's own, and when the batch before was all that the slave had, it has idled until more came. So jobs take
 * between `least_ns` and `most_ns`, and nothing is learned from a batch between whose bounds lies what is known. */
void ms_measure_close(ms_scheduler *s, ms_slave *slave)
{
    if (slave->batch_count == 0)
        return;
    uint64_t most_ns = (slave->batch_at - slave->batch_since) * slave->batch_busy / slave->batch_count;
    uint64_t began = slave->batch_since + (slave->idled ? WAIT_NS + TURNS_WAITED * s->turn_ns : 0);
    uint64_t least_ns = slave->batch_came > began ? (slave->batch_came - began) * slave->batch_busy / slave->batch_count : 0;
    uint32_t known_ns = s->cost_ns[slave->batch_ordinal];
    if (known_ns > most_ns && !s->told[slave->batch_ordinal])
        learn(s, slave->batch_ordinal, most_ns);
    else if (known_ns < least_ns && (s->lag_ns < MS_LAG_NS || !s->told[slave->batch_ordinal]))
        learn(s, slave->batch_ordinal, least_ns);
    slave->idled = slave->batch_count >= slave->batch_inflight;
    slave->batch_since = slave->batch_at;
    slave->batch_count = 0;
}

/* When answers lie here for long, anything from nothing to that: the middle of the orders of magnitude. */
static uint64_t first_guess(const ms_scheduler *s, uint64_t most_ns)
{
    return s->lag_ns < MS_LAG_NS ? most_ns : (uint64_t)sqrt(LEAST_NS * (double)most_ns);
}

void ms_measure_answer(ms_scheduler *s, ms_slave *slave, uint32_t ordinal, uint64_t now)
{
    uint32_t busy = ms_busy_count(slave) < slave->slots ? ms_busy_count(slave) : slave->slots;
    if (busy == 0) /* it was cancelled while it waited */
        busy = 1;
    if (now != slave->batch_at || slave->batch_count == 0) {
        ms_measure_close(s, slave);
        slave->batch_at = now;
        slave->batch_came = now - s->lain_ns;
        slave->batch_busy = busy;
        slave->batch_inflight = ms_busy_count(slave);
        if (s->cost_ns[ordinal] == MS_UNKNOWN_NS)
            learn(s, ordinal, first_guess(s, (now - slave->batch_since) * busy));
    }
    slave->batch_ordinal = ordinal;
    slave->batch_count++;
}

void ms_measure_told(ms_scheduler *s, uint32_t ordinal, uint32_t count, uint64_t ns)
{
    if (!s->told[ordinal])
        s->cost_ns[ordinal] = MS_UNKNOWN_NS;
    s->told[ordinal] = true;
    learn(s, ordinal, ns / count);
}
