/* So many lines of a kind in so long: what a hostile peer can do as often as it likes must not fill the log. */
#ifndef MS_QUOTA_H
#define MS_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

typedef struct ms_quota {
    uint64_t since;        /* ns: the beginning of the period */
    uint32_t told, untold; /* lines in it that were written, and that were not */
} ms_quota;

/* Begins a period when the last one, of `period` ns, is over. Gives how many were not written in that one. */
static inline uint32_t ms_quota_turn(ms_quota *quota, uint64_t now, uint64_t period)
{
    uint32_t untold = quota->untold;
    if (quota->since != 0 && now - quota->since < period)
        return 0;
    *quota = (ms_quota){.since = now};
    return untold;
}

/* Whether there may be one more line, of `most` in a period. */
static inline bool ms_quota_take(ms_quota *quota, uint32_t most)
{
    bool may = quota->told < most;
    if (may)
        quota->told++;
    else
        quota->untold++;
    return may;
}
#endif
