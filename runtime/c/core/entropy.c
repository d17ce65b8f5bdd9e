/* The kernel's, which never runs dry; on one that has no such call, the clock and the process must do. */
#include "core/entropy.h"

#include "core/clock.h"

#include <stdint.h>
#include <sys/random.h>
#include <unistd.h>

void ms_random_bytes(void *bytes, size_t size)
{
    uint8_t *at = bytes;
    size_t done = 0;
    while (done < size) {
        ssize_t got = getrandom(at + done, size - done, 0);
        if (got <= 0)
            break;
        done += (size_t)got;
    }
    uint64_t state = ms_clock_ns() ^ ((uint64_t)getpid() << 32);
    for (; done < size; done++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        at[done] = (uint8_t)(state >> 56);
    }
}
