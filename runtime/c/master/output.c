/* Two streams, each a buffer under a lock and a lock for writing it out. */
#include "master/output.h"

#include "core/bytes.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLEAR_LINE "\r\033[K"
enum { BUFFER_SIZE = 64 << 10, KEPT_MAX = 256 << 20 };

typedef struct stream {
    int descriptor;
    bool immediate;          /* what the program prints is written at once */
    bool terminal;
    pthread_mutex_t writing; /* taken first, held while writing: it keeps the order */
    pthread_mutex_t filling; /* never held while writing */
    ms_bytes kept;
} stream;

static stream streams[2] = {
    {.descriptor = 1, .writing = PTHREAD_MUTEX_INITIALIZER, .filling = PTHREAD_MUTEX_INITIALIZER},
    {.descriptor = 2, .immediate = true, .writing = PTHREAD_MUTEX_INITIALIZER, .filling = PTHREAD_MUTEX_INITIALIZER},
};
static const char *program_name;
static void (*when_broken)(void);
static atomic_bool broken, forwarded, writing_forwarded, has_writer;
static atomic_bool line_open; /* a line of progress stands on the terminal */
static pthread_mutex_t writer_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t writer_wake = PTHREAD_COND_INITIALIZER;

void ms_output_setup(const char *program, void (*on_broken)(void))
{
    program_name = program;
    when_broken = on_broken;
    streams[0].immediate = streams[0].terminal = isatty(1) == 1;
    streams[1].terminal = isatty(2) == 1;
}

static void report_broken(const stream *to, int error)
{
    if (atomic_exchange(&broken, true))
        return;
    fprintf(stderr, "%s-master: cannot write standard %s: %s\n", program_name, to->descriptor == 1 ? "output" : "error", strerror(error));
    when_broken();
}

/* A descriptor that another process made nonblocking is waited for. */
static bool write_all(stream *to, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t done = write(to->descriptor, bytes, size);
        if (done >= 0) {
            bytes += done;
            size -= (size_t)done;
        } else if (errno == EAGAIN) {
            struct pollfd wait = {.fd = to->descriptor, .events = POLLOUT};
            poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

/* Writes what is kept and then `more`; `to->writing` is held. */
static int write_out(stream *to, const void *more, size_t more_size)
{
    pthread_mutex_lock(&to->filling);
    ms_bytes taken = to->kept;
    ms_bytes_init(&to->kept);
    pthread_mutex_unlock(&to->filling);
    size_t size = taken.size + more_size;
    if (size > 0 && to->terminal && atomic_exchange(&line_open, false))
        write_all(to, (const uint8_t *)CLEAR_LINE, sizeof CLEAR_LINE - 1);
    bool fine = write_all(to, taken.data, taken.size) && write_all(to, more, more_size);
    if (size > 0 && to->descriptor == 2 && to->terminal)
        atomic_store(&line_open, more_size == 0 && taken.data[taken.size - 1] != '\n');
    int error = fine ? 0 : errno;
    ms_bytes_clear(&taken);
    pthread_mutex_lock(&to->filling);
    if (to->kept.data == NULL && taken.capacity <= BUFFER_SIZE * 2) { /* the memory is used again */
        to->kept = taken;
        ms_bytes_init(&taken);
    }
    pthread_mutex_unlock(&to->filling);
    ms_bytes_free(&taken);
    return error;
}

static bool flush_stream(stream *to, const void *more, size_t more_size)
{
    pthread_mutex_lock(&to->writing);
    int error = atomic_load(&broken) ? 0 : write_out(to, more, more_size);
    pthread_mutex_unlock(&to->writing);
    if (error != 0)
        report_broken(to, error);
    return error == 0;
}

static bool keep(stream *to, const void *bytes, uint64_t size, size_t *kept_size)
{
    pthread_mutex_lock(&to->filling);
    bool fine = ms_bytes_append(&to->kept, bytes, size);
    *kept_size = to->kept.size;
    pthread_mutex_unlock(&to->filling);
    return fine;
}

void ms_output_print(int32_t number, const void *bytes, uint64_t size)
{
    stream *to = &streams[number == 1 ? 0 : 1];
    size_t kept_size;
    if (to->immediate || size >= BUFFER_SIZE || !keep(to, bytes, size, &kept_size))
        flush_stream(to, bytes, size);
    else if (kept_size >= BUFFER_SIZE)
        flush_stream(to, NULL, 0);
}

bool ms_output_flush(void)
{
    atomic_store(&forwarded, false);
    bool first = flush_stream(&streams[0], NULL, 0);
    bool second = flush_stream(&streams[1], NULL, 0);
    return first && second && !atomic_load(&broken);
}

void ms_output_flush_forwarded(void)
{
    if (atomic_load(&forwarded) || atomic_load(&writing_forwarded)) /* then this waits until it is done */
        ms_output_flush();
}

bool ms_output_pending(void)
{
    bool pending = false;
    for (int i = 0; i < 2; i++) {
        pthread_mutex_lock(&streams[i].filling);
        pending = pending || streams[i].kept.size > 0;
        pthread_mutex_unlock(&streams[i].filling);
    }
    return pending;
}

/* Not pthread_mutex_timedlock: that one goes by the clock on the wall, which may be set. */
static bool lock_within(pthread_mutex_t *lock, int timeout_ms)
{
    for (; timeout_ms > 0; timeout_ms--) {
        if (pthread_mutex_trylock(lock) == 0)
            return true;
        poll(NULL, 0, 1);
    }
    return false;
}

void ms_output_end_unless_stuck(const char *last_words)
{
    size_t size = strlen(last_words);
    for (int i = 0; i < 2; i++) {
        struct pollfd ready = {.fd = streams[i].descriptor, .events = POLLOUT};
        if (!lock_within(&streams[i].writing, 200))
            continue;
        if (!atomic_load(&broken) && poll(&ready, 1, 200) == 1)
            write_out(&streams[i], i == 1 ? last_words : NULL, i == 1 ? size : 0);
        pthread_mutex_unlock(&streams[i].writing);
    }
}

void ms_output_flush_unless_stuck(void)
{
    ms_output_end_unless_stuck("");
}

static void *write_forwarded(void *unused)
{
    for (;;) {
        pthread_mutex_lock(&writer_lock);
        while (!atomic_load(&forwarded))
            pthread_cond_wait(&writer_wake, &writer_lock);
        pthread_mutex_unlock(&writer_lock);
        atomic_store(&writing_forwarded, true);
        ms_output_flush();
        atomic_store(&writing_forwarded, false);
    }
    return unused;
}

static bool start_writer(void)
{
    pthread_t thread;
    if (atomic_load(&has_writer))
        return true;
    if (pthread_create(&thread, NULL, write_forwarded, NULL) != 0)
        return false;
    pthread_detach(thread);
    atomic_store(&has_writer, true);
    return true;
}

void ms_output_forward(int32_t number, const void *bytes, uint64_t size)
{
    stream *to = &streams[number == 1 ? 0 : 1];
    size_t kept_size;
    bool kept = keep(to, bytes, size, &kept_size);
    if (!kept || kept_size > KEPT_MAX || !start_writer()) { /* then it has to wait after all */
        flush_stream(to, kept ? NULL : bytes, kept ? 0 : size);
        return;
    }
    pthread_mutex_lock(&writer_lock);
    atomic_store(&forwarded, true);
    pthread_cond_signal(&writer_wake);
    pthread_mutex_unlock(&writer_lock);
}
