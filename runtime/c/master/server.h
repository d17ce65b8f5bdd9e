/* The server: the I/O thread, its sockets, and the two-way street between it and the program's thread.
 *
 * It does what the scheduler says and tells the scheduler what happens; which job goes where is not decided here. Everything but
 * the functions below runs on the I/O thread.
 *
 * The program's thread leaves submitted jobs on a lock-free stack and wakes the I/O thread only when that sleeps and there is a
 * slave with room; the I/O thread wakes the program's thread only when that waits for a job that has ended, once for all the
 * jobs that ended in one turn. */
#ifndef MS_SERVER_H
#define MS_SERVER_H

#include "master/jobs.h"
#include "net/key.h"

enum { MS_LISTEN_MAX = 16, MS_STARTED_MAX = 1 << 22 };

typedef enum ms_progress_mode { MS_PROGRESS_NEVER, MS_PROGRESS_AUTO, MS_PROGRESS_ALWAYS } ms_progress_mode;

typedef struct ms_server_options {
    ms_address addresses[MS_LISTEN_MAX];
    int address_count;
    bool insecure;
    ms_key key; /* for TCP */
    bool quiet;
    ms_progress_mode progress;
    double heartbeat; /* seconds */
    uint32_t lost_max;
    uint32_t payload_max;
    uint64_t blobs_max;   /* bytes of large arguments that are kept beyond the jobs that have them, see blobs.h; 0: none are shared */
    uint32_t started_max; /* jobs that one slave has started and holds, or that have not ended */
    uint64_t started_size_max; /* bytes of the arguments of those that have not ended, and of the results of those that have */
    bool has_status;
    ms_address status;
    struct ms_watch *watch; /* null: nobody wants to see what happens */
} ms_server_options;

typedef struct ms_server ms_server;

/* Listens. Null: `message` says why; `*wrong` when an address may not be used as it was asked for. */
ms_server *ms_server_create(const ms_server_options *options, ms_job_pool *pool, bool *wrong, char message[MS_MESSAGE_MAX]);
/* Starts the I/O thread. False: it could not. */
bool ms_server_start(ms_server *server);
/* Cancels what has not ended, tells the slaves to go, ends the I/O thread, removes the socket files. When there is no memory for that, the
 * slaves are told at once, and the process ends with this status. */
void ms_server_stop(ms_server *server, int status);
void ms_server_destroy(ms_server *server);
/* Does the same soon, and ends the process with this status. Safe in signal handlers; the first call counts. */
void ms_server_quit(ms_server *server, int status);

void ms_server_submit(ms_server *server, ms_job *job);
/* A job that the program has ended as cancelled. */
void ms_server_cancel(ms_server *server, ms_job *job);
/* What the arguments of jobs have in common. */
struct ms_blobs *ms_server_blobs(ms_server *server);
/* A number for an end that the program makes itself. */
uint64_t ms_server_end_number(ms_server *server);

/* Waiting. Take the signal, flag the jobs with MS_AWAITED, look whether one has ended; if none has, wait for the signal to change. */
uint32_t ms_server_signal(ms_server *server);
/* At most `timeout_ns` (UINT64_MAX: for ever); may return early. */
void ms_server_wait(ms_server *server, uint32_t signal, uint64_t timeout_ns);
/* Waits until `count` slaves are there. */
void ms_server_wait_for_slaves(ms_server *server, uint32_t count);
uint32_t ms_server_slaves(ms_server *server);
uint32_t ms_server_slots(ms_server *server);
#endif
