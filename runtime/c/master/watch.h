/* The watch: who sees what happens to jobs and slaves, when somebody wants to know (--trace, --status).
 *
 * Without it `server->watch` is null, and each place that would tell it something is one branch that is not taken. With it every job
 * has a serial number, counted from 1 as they are started, and the times that its record has no room for (ms_watched, beside its
 * relations). What is seen goes to the trace, and into the counts that the status shows. It decides nothing.
 *
 * The program's thread tells of `remote` and of waiting, the I/O thread of everything else. */
#ifndef MS_WATCH_H
#define MS_WATCH_H

#include "core/wire.h"
#include "master/jobs.h"
#include "master/trace.h"

#include <stdbool.h>

typedef struct ms_server ms_server;
struct ms_peer;

/* Of one job. Written by the thread that owns the job's relations at that time, `got` by the program's. */
typedef struct ms_watched {
    uint64_t serial;
    uint64_t parent; /* the serial of the job that started it, 0 for the program */
    uint64_t remote_at, queued_at, sent_at;
    uint64_t lent_at; /* 0 while it does not wait for others */
    uint64_t sent_size; /* of its arguments, what the last attempt really took */
    bool got;         /* its result has been asked for */
    bool linked;      /* among those that had dependencies when they were started, and have not been sent */
    ms_job *next, *previous; /* there */
} ms_watched;

/* Of the jobs of one function. */
typedef struct ms_function_counts {
    uint64_t started, finished, failed, cancelled, retried;
    uint64_t run_count, run_ns, longest_ns; /* of attempts that were answered */
} ms_function_counts;

typedef enum ms_doing { MS_DOING_STARTS, MS_DOING_COMPUTES, MS_DOING_WAITS, MS_DOING_ENDED } ms_doing;

typedef struct ms_watch {
    ms_trace *trace; /* null: none is wanted */
    uint64_t started_at; /* seconds since 1970 */
    ms_function_counts *functions; /* by ordinal */
    uint64_t counted_at, counted; /* when the counters were written last, and what */
    ms_job *first_linked, *last_linked;
    uint32_t slave_count; /* that have ever joined */
    uint64_t finished_count, failed_count, cancelled_count; /* jobs, as they ended for the program */
    uint64_t retried_count, lost_count; /* attempts that were lost; slaves */
    _Atomic uint64_t serial; /* of the last job */
    /* What the program does, for the status. */
    _Atomic uint32_t doing;
    _Atomic uint64_t waits_since, waits_for; /* a serial, 0 for none in particular */
    _Atomic(const char *) waits_how;
    _Atomic uintptr_t waits_at; /* a return address into the program */
} ms_watch;

/* What a peer's entry has for the watch. */
typedef struct ms_peer_watch {
    uint32_t number; /* counted from 1 as slaves join */
    uint64_t joined_at;
    uint64_t answered_count;
    /* The slave's clock less ours lies between the two, as of `known_at`; 0 when nothing is known. */
    int64_t offset_low, offset_high;
    uint64_t known_at;
    bool same_clock; /* it is on this machine, and nothing that it said speaks against that */
    uint32_t asked_count; /* how often it was asked what time it is, from its joining on */
    /* The last `timed`, of the answer that follows, by our clock. */
    uint32_t timed_jid, timed_lane;
    uint64_t timed_began, timed_ended;
    uint64_t *lane_ends; /* when the last run in each lane ended: estimates of its clock change, but runs don't overlap */
    uint32_t lane_count;
} ms_peer_watch;

/* `trace_path` null: no trace. Null: `message` says why. */
ms_watch *ms_watch_create(const char *trace_path, char *message, size_t message_size);
/* Writes the end of the trace. Whatever comes after it is not told. Safe to be called twice. */
void ms_watch_end(ms_watch *watch);

/* ---- From the program's thread ---- */

/* Before a job is handed over, and after. */
void ms_watch_remote(ms_watch *watch, ms_job *job, ms_seen *seen);
void ms_watch_remote_done(ms_watch *watch, ms_seen *seen);
/* The program waits, for one job or (null) for any of several; `how` is a constant word. Then it goes on. */
uint64_t ms_watch_waits(ms_watch *watch, const char *how, ms_job *job, const void *address);
void ms_watch_goes_on(ms_watch *watch, uint64_t began, const char *how, ms_job *job);
/* --local: a job ran in place, from then until now. */
void ms_watch_local(ms_watch *watch, const ms_seen *seen, ms_job *job);

/* ---- From the I/O thread ---- */

void ms_watch_submitted(ms_server *server, ms_job *job);
void ms_watch_spawned(ms_server *server, ms_job *parent, ms_job *job);
void ms_watch_sent(ms_server *server, ms_job *job, uint64_t sent_size);
/* An attempt was answered; `job` null: it had been given up. */
void ms_watch_answer(ms_server *server, struct ms_peer *peer, const ms_header *header, ms_job *job);
/* The same, and one that went on as another job. `how` is a constant word. */
void ms_watch_answered(ms_server *server, struct ms_peer *peer, ms_job *job, uint32_t ordinal, uint32_t jid, const char *how, uint64_t result_size);
/* Before the scheduler hears that a worker died which ran it. */
void ms_watch_crashed(ms_server *server, struct ms_peer *peer, ms_job *job, uint32_t jid);
/* It has ended for good, and its end is published. */
void ms_watch_ended(ms_server *server, ms_job *job, uint32_t slave_number);
void ms_watch_lent(ms_server *server, ms_job *job, bool lent);
void ms_watch_joined(ms_server *server, struct ms_peer *peer);
/* Before the scheduler hears that it is lost. */
void ms_watch_lost(ms_server *server, struct ms_peer *peer, const char *why);
/* The payload of a `clock` or a `timed`. */
void ms_watch_handle(ms_server *server, struct ms_peer *peer, uint32_t kind, const uint8_t *payload, uint32_t size);
/* Asks the slave what time it is. */
void ms_watch_ask_clock(ms_server *server, struct ms_peer *peer);
void ms_watch_said(ms_server *server, const char *line, size_t size);
/* The counters, when it is time. */
void ms_watch_count(ms_server *server);
/* The run is over, whatever still runs. */
void ms_watch_shut(ms_server *server);

/* What is known of a job, null for nothing. */
ms_watched *ms_watched_of(const ms_job *job);
#endif
