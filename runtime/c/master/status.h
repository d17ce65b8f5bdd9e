/* What the status shows: one look at the server, taken on the I/O thread, and the three ways of writing it down.
 *
 * A look is short: its tables are limited, and say how much they leave out, so that a million jobs and a thousand slaves cost no more than
 * a few hundred lines. It changes nothing. */
#ifndef MS_STATUS_H
#define MS_STATUS_H

#include "master/peer.h"

enum { MS_STATUS_ROWS_MAX = 100, MS_STATUS_REASONS_MAX = 10 };

typedef enum ms_standing { MS_STANDS_RUNNING, MS_STANDS_QUEUED /* at its slave */, MS_STANDS_SUSPENDED, MS_STANDS_PENDING, MS_STANDS_WAITING } ms_standing;

/* A job that has not ended. `since`: how long it is so. */
typedef struct ms_status_job {
    ms_standing standing;
    uint64_t serial;
    uint32_t ordinal, attempt;
    uint64_t since_ns;
    const ms_peer *peer; /* null for none */
    uint64_t reasons[MS_STATUS_REASONS_MAX]; /* serials of jobs that it waits for */
    uint32_t reason_ordinals[MS_STATUS_REASONS_MAX];
    uint32_t reason_count, reasons_left_out;
    const char *reason; /* in words, when it waits for something else */
} ms_status_job;

typedef struct ms_status_jobs {
    ms_status_job rows[MS_STATUS_ROWS_MAX];
    uint32_t count;
    uint64_t left_out;
} ms_status_jobs;

typedef struct ms_status_slave {
    const ms_peer *peer;
    uint32_t slots, running, queued, lent;
    bool leaving;
    uint64_t silent_ns;
} ms_status_slave;

typedef struct ms_status {
    const ms_server *server;
    uint64_t now;
    ms_status_slave slaves[MS_STATUS_ROWS_MAX];
    uint32_t slave_count, slaves_left_out;
    uint32_t functions[MS_STATUS_ROWS_MAX]; /* ordinals of those that have been started */
    uint32_t function_count, functions_left_out;
    ms_status_jobs sent;    /* to slaves, the longest first */
    ms_status_jobs pending; /* those that go next */
    ms_status_jobs waiting; /* for dependencies */
} ms_status;

/* False: no memory. */
ms_status *ms_status_take(ms_server *server);
/* What the program does, in words: "waits in get for job 17 (area), at prog.ms:12". */
void ms_status_doing(const ms_status *status, char text[512]);
const char *ms_status_function(uint32_t ordinal);
const char *ms_standing_text(ms_standing standing);

void ms_status_json(const ms_status *status, ms_bytes *out);
/* status_text.c: the text format of Prometheus (0.0.4), and a page for people. */
void ms_status_metrics(const ms_status *status, ms_bytes *out);
void ms_status_page(const ms_status *status, ms_bytes *out);

/* The pages of --status: an ms_http_page. */
bool ms_status_answer(ms_server *server, const char *path, const char **type, ms_bytes *body);
#endif
