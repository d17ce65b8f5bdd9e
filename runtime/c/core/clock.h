/* The monotonic clock, in nanoseconds. */
#ifndef MS_CLOCK_H
#define MS_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t ms_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The time so many seconds from now: 0 for one that has passed, UINT64_MAX for what is as good as never. */
static inline uint64_t ms_clock_after(double seconds)
{
    if (!(seconds > 0))
        return 0;
    return seconds > 1e9 ? UINT64_MAX : ms_clock_ns() + (uint64_t)(seconds * 1e9);
}
#endif
