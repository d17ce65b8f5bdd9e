/* The trace: what happened, written to a file as Chrome trace events (--trace), for Perfetto and for `msc report`.
 *
 * Any thread puts records; a thread of its own makes text of them and writes it, so that nobody waits for the disk. What has not been
 * written is bounded: when the writer falls behind, those who put records wait for it, but not when it is stuck: then records are left
 * out, and counted. When the file can't be written any more it says so once, and the run goes on.
 *
 * The file is an array with one event in each line. Killed hard, it lacks its end, which viewers forgive; otherwise it is whole. Processes of
 * the trace: 1 is the master, with the threads 1 (the program) and 2 (the I/O thread); n + 1 is the n-th slave, a thread for each lane. */
#ifndef MS_TRACE_H
#define MS_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ms_seen_kind {
    MS_SEEN_REMOTE,    /* at: from, to. sizes: of the arguments */
    MS_SEEN_SPAWNED,   /* the same by a job: `parent` */
    MS_SEEN_RUN,       /* an attempt was answered. at: queued, sent, began, ended, answered. sizes: of the arguments, as far as they were sent, of the result */
    MS_SEEN_SUSPENDED, /* it lent its slot. at: from, to */
    MS_SEEN_WAITED,    /* the program, `how` in words; the last step of the flow for a `get`. at: from, to */
    MS_SEEN_CUT,       /* an attempt has no end that we know of. at: queued, sent, now. text: why */
    MS_SEEN_FAILED,    /* a job, for good. at: when. sizes: of the message, with which the text begins; the rest is its story */
    MS_SEEN_CANCELLED, /* a job. at: when */
    MS_SEEN_JOINED,    /* a slave, with `lane` slots. at: when. text: its name */
    MS_SEEN_LEFT,      /* at: when. text: why; "" in good order */
    MS_SEEN_SAID,      /* a log line. at: when. text: it */
    MS_SEEN_COUNTS,    /* at: when, and the jobs: pending, waiting, running, ended. sizes: bytes to and from slaves; `slave`, `lane`: slaves, slots */
    MS_SEEN_LOCAL      /* --local: a job ran. at: from, to */
} ms_seen_kind;

typedef struct ms_seen {
    uint8_t kind; /* ms_seen_kind */
    bool flows;   /* the flow of the job ends here */
    uint16_t attempt;
    uint32_t ordinal; /* 0: of no job */
    uint32_t slave;   /* counted from 1 as they join; 0 for none */
    uint32_t lane;
    uint64_t serial; /* the job's */
    uint64_t parent;
    uint64_t at[5]; /* nanoseconds of ms_clock_ns */
    uint64_t sizes[2];
    const char *how; /* a word that stays */
    uint32_t text_size; /* the caller's to leave 0 */
} ms_seen;

typedef struct ms_trace ms_trace;

/* Null: `message` says why. */
ms_trace *ms_trace_open(const char *path, char *message, size_t message_size);
void ms_trace_put(ms_trace *trace, const ms_seen *seen, const void *text, size_t text_size);
/* Writes what is left, and the end. What is put after it is left out. */
void ms_trace_close(ms_trace *trace);
#endif
