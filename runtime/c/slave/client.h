/* The client: the slave's connection to its master, from the first attempt to the last word. Runs on the process's first thread. */
#ifndef MS_CLIENT_H
#define MS_CLIENT_H

#include "net/key.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { MS_SLAVE_ADDRESS_MAX = 16 };

typedef struct ms_client_options {
    ms_address addresses[MS_SLAVE_ADDRESS_MAX]; /* in order of preference */
    int address_count;
    uint32_t slots;
    uint64_t memory_max;
    uint32_t waiting_max;
    uint32_t jobs_max; /* for a worker, or without --isolate for this process; 0: no limit */
    const struct ms_pristine *pristine; /* --isolate; else null */
    double connect_for; /* seconds */
    bool replaces;      /* one that left its master a moment ago: without a master the work is over */
    bool once;          /* each address is tried once */
    bool insecure;
    ms_key key; /* for TCP */
    bool quiet;
    uint32_t payload_max;
    uint64_t blobs_max; /* bytes of large arguments that are kept for further jobs */
} ms_client_options;

/* The number of the signal that came last, for the exit status. */
extern atomic_int ms_client_signal;

enum { MS_CLIENT_REPLACE = -1 }; /* in place of an exit status: the process shall be replaced by a fresh one of its kind */

/* Serves a master; gives the exit status. `signals`: a descriptor that becomes readable when a signal came, and from which
 * each of them is read as 8 bytes added up (an eventfd). */
int ms_client_run(const ms_client_options *options, int signals);
#endif
