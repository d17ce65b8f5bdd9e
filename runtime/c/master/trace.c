/* The records that wait, and the thread that writes them. Their text is made in trace_text.c. */
#include "master/trace.h"

#include "core/clock.h"
#include "master/output.h"
#include "master/trace_text.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WAKE_SIZE = 1 << 20,    /* so much is written at once */
    WAITING_MAX = 16 << 20, /* with more than that, those who put records wait */
    TEXT_MAX = 4096,        /* bytes of a message or a story */
    PIECE_SIZE = 256 << 10
};
#define PERIOD_NS 100000000u /* how old a record gets before it is written */
#define STUCK_NS 1000000000u /* after so long without any progress nobody waits for the writer */

struct ms_trace {
    int descriptor;
    char *path;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more, taken;
    ms_bytes waiting; /* records, each followed by its text */
    uint64_t moved_at; /* when the writer last took or wrote something */
    uint64_t left_out; /* records */
    bool closing, closed, broken;
    ms_trace_text text; /* the writer's */
    ms_bytes out;
};

static void wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t ns)
{
    struct timespec limit = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    pthread_cond_timedwait(condition, lock, &limit);
}

/* ---- Writing ---- */

static void complain(ms_trace *trace, int error)
{
    char line[512];
    int size = snprintf(line, sizeof line, "%s-master: cannot write the trace %.300s: %s; the run goes on without it\n", ms_program.name,
                        trace->path, strerror(error));
    ms_output_forward(2, line, (uint64_t)size);
}

/* What has been made so far goes to the file. The lock is not held. */
static void write_out(ms_trace *trace)
{
    size_t done = 0;
    while (done < trace->out.size && !trace->broken) {
        ssize_t size = write(trace->descriptor, trace->out.data + done, trace->out.size - done);
        if (size > 0) {
            done += (size_t)size;
        } else if (size < 0 && errno != EINTR) {
            trace->broken = true;
            complain(trace, errno);
        }
    }
    ms_bytes_clear(&trace->out);
    pthread_mutex_lock(&trace->lock);
    trace->moved_at = ms_clock_ns();
    pthread_mutex_unlock(&trace->lock);
}

static void write_records(ms_trace *trace, const ms_bytes *records)
{
    ms_seen seen;
    for (size_t at = 0; at + sizeof seen <= records->size && !trace->broken; at += sizeof seen + seen.text_size) {
        memcpy(&seen, records->data + at, sizeof seen);
        ms_trace_text_add(&trace->text, &trace->out, &seen, (const char *)records->data + at + sizeof seen);
        if (trace->out.size >= PIECE_SIZE)
            write_out(trace);
    }
    write_out(trace);
}

static void *write_all(void *argument)
{
    ms_trace *trace = argument;
    bool last = false;
    while (!last) {
        pthread_mutex_lock(&trace->lock);
        uint64_t until = ms_clock_ns() + PERIOD_NS;
        while (!trace->closing && trace->waiting.size < WAKE_SIZE && ms_clock_ns() < until)
            wait_until(&trace->more, &trace->lock, until);
        ms_bytes taken = trace->waiting;
        ms_bytes_init(&trace->waiting);
        last = trace->closing;
        trace->closed = last;
        trace->moved_at = ms_clock_ns();
        pthread_cond_broadcast(&trace->taken);
        pthread_mutex_unlock(&trace->lock);
        write_records(trace, &taken);
        ms_bytes_free(&taken);
    }
    ms_trace_text_end(&trace->text, &trace->out, trace->left_out);
    write_out(trace);
    return NULL;
}

/* ---- Putting ---- */

static bool append(ms_bytes *waiting, const ms_seen *seen, const void *text)
{
    return ms_bytes_reserve(waiting, sizeof *seen + seen->text_size) && ms_bytes_append(waiting, seen, sizeof *seen) &&
           ms_bytes_append(waiting, text, seen->text_size);
}

void ms_trace_put(ms_trace *trace, const ms_seen *seen, const void *text, size_t text_size)
{
    ms_seen record = *seen;
    record.text_size = text_size < TEXT_MAX ? (uint32_t)text_size : TEXT_MAX;
    pthread_mutex_lock(&trace->lock);
    while (trace->waiting.size > WAITING_MAX && !trace->closed && ms_clock_ns() - trace->moved_at < STUCK_NS)
        wait_until(&trace->taken, &trace->lock, ms_clock_ns() + PERIOD_NS);
    bool fine = trace->waiting.size <= WAITING_MAX && !trace->closed && append(&trace->waiting, &record, text);
    trace->left_out += !fine;
    if (trace->waiting.size >= WAKE_SIZE)
        pthread_cond_signal(&trace->more);
    pthread_mutex_unlock(&trace->lock);
}

/* ---- Beginning and end ---- */

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

ms_trace *ms_trace_open(const char *path, char *message, size_t message_size)
{
    ms_trace *trace = calloc(1, sizeof *trace);
    snprintf(message, message_size, "no memory to start");
    if (trace == NULL || (trace->path = strdup(path)) == NULL) {
        free(trace);
        return NULL;
    }
    trace->descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    pthread_mutex_init(&trace->lock, NULL);
    init_condition(&trace->more);
    init_condition(&trace->taken);
    trace->moved_at = ms_clock_ns();
    if (trace->descriptor >= 0) {
        ms_trace_text_begin(&trace->text, &trace->out, trace->moved_at);
        int error = pthread_create(&trace->thread, NULL, write_all, trace);
        if (error == 0)
            return trace;
        close(trace->descriptor);
        errno = error;
    }
    snprintf(message, message_size, "cannot write the trace %.300s: %s", path, strerror(errno));
    ms_bytes_free(&trace->out);
    free(trace->path);
    free(trace);
    return NULL;
}

void ms_trace_close(ms_trace *trace)
{
    pthread_mutex_lock(&trace->lock);
    bool first = !trace->closing;
    trace->closing = true;
    pthread_cond_signal(&trace->more);
    pthread_mutex_unlock(&trace->lock);
    if (!first)
        return;
    pthread_join(trace->thread, NULL);
    if (close(trace->descriptor) != 0 && !trace->broken)
        complain(trace, errno);
}
