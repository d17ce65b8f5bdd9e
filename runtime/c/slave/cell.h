/* A worker: a process that runs one job at a time for the slave that had it forked (--isolate).
 *
 * It is a slave of one slot whose master is that slave, over the only descriptor that it has: the executor is the same, and so are
 * the frames. What is different: nothing is said about connecting, a job that waited goes on when the slave says so, and cancelling is
 * not needed, since the slave has the process killed. */
#ifndef MS_CELL_H
#define MS_CELL_H

#include "net/secure.h"

typedef struct ms_cell_options {
    uint32_t slots; /* of the slave */
    uint64_t memory_max;
    ms_key *key; /* of the slave's connection: wiped, since jobs have no business with it */
} ms_cell_options;

/* `context` is its ms_cell_options. Ends the process. */
_Noreturn void ms_cell_run(int descriptor, const void *context);
#endif
