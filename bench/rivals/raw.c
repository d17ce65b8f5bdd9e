/* What the sockets of this machine carry: a master and its workers over unix sockets that speak the frames of M/s and nothing else.
 *
 *     raw noop COUNT WINDOW   two workers send each frame back; so many are on their way to each at once
 *     raw trip COUNT POLICY   one worker, one frame after the other; POLICY: both ends `sleep` in read, `poll`
 *                            (sleep in epoll_wait, as the ends of M/s do), or `spin`
 *     raw in COUNT            two workers add up the eight million bytes of each frame
 *     raw out COUNT           two workers fill eight million bytes and send them
 *     raw grain COUNT STEPS   two workers compute so many steps for each frame, 64 are on their way to each
 *     raw loop COUNT STEPS    the same in this process, without sockets
 *
 * Prints the seconds, with `grain` and `loop` the sum of the results too. Results are checked. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HEADER = 12, FRAME = 16, WORKERS = 2, BUFFER = 1 << 16, LONGS = 1000000 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void stop(const char *what) {
    fprintf(stderr, "raw: %s\n", what);
    exit(1);
}

static void write_all(int fd, const void *bytes, size_t size) {
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno == EAGAIN) continue;
        if (n <= 0) stop("cannot write");
        bytes = (const char *)bytes + n;
        size -= (size_t)n;
    }
}

/* False at the end of the stream. */
static int read_all(int fd, void *bytes, size_t size) {
    while (size > 0) {
        ssize_t n = read(fd, bytes, size);
        if (n < 0 && errno == EAGAIN) continue;
        if (n <= 0) return 0;
        bytes = (char *)bytes + n;
        size -= (size_t)n;
    }
    return 1;
}

/* Sends every whole frame back, many in one write when many have come. */
static void echo(int fd) {
    static uint8_t buffer[BUFFER];
    size_t held = 0;
    for (;;) {
        ssize_t n = read(fd, buffer + held, sizeof buffer - held);
        if (n < 0 && errno == EAGAIN) continue;
        if (n <= 0) return;
        held += (size_t)n;
        size_t whole = held / FRAME * FRAME;
        write_all(fd, buffer, whole);
        memmove(buffer, buffer + whole, held - whole);
        held -= whole;
    }
}

static uint64_t spin(uint64_t x, long steps) {
    for (long i = 0; i < steps; i++) x = (x * 1664525 + 1013904223) & 0xffffffff;
    return x;
}

static long spin_steps;

/* Computes for each whole frame, and sends the answers to what one read has brought in one write. */
static void compute(int fd) {
    static uint8_t buffer[BUFFER];
    size_t held = 0;
    for (;;) {
        ssize_t n = read(fd, buffer + held, sizeof buffer - held);
        if (n <= 0) return;
        held += (size_t)n;
        size_t whole = held / FRAME * FRAME;
        for (size_t at = HEADER; at < whole; at += FRAME) {
            uint32_t x;
            memcpy(&x, buffer + at, sizeof x);
            x = (uint32_t)spin(x, spin_steps);
            memcpy(buffer + at, &x, sizeof x);
        }
        write_all(fd, buffer, whole);
        memmove(buffer, buffer + whole, held - whole);
        held -= whole;
    }
}

static void add_up(int fd) {
    uint32_t header[3];
    int64_t *values = malloc(LONGS * sizeof *values);
    while (read_all(fd, header, HEADER) && read_all(fd, values, LONGS * sizeof *values)) {
        int64_t sum = 0;
        for (int i = 0; i < LONGS; i++) sum += values[i];
        header[2] = sizeof sum;
        write_all(fd, header, HEADER);
        write_all(fd, &sum, sizeof sum);
    }
    free(values);
}

static void fill(int fd) {
    uint32_t header[3];
    int64_t x, *values = malloc(LONGS * sizeof *values);
    while (read_all(fd, header, HEADER) && read_all(fd, &x, sizeof x)) {
        for (int i = 0; i < LONGS; i++) values[i] = x;
        header[2] = LONGS * sizeof x;
        write_all(fd, header, HEADER);
        write_all(fd, values, LONGS * sizeof *values);
    }
    free(values);
}

/* Starts workers; the sockets to them. */
static void start(int *sockets, int count, void (*work)(int), int flags) {
    for (int i = 0; i < count; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) stop("no socket");
        if (fork() == 0) {
            for (int k = 0; k < i; k++) close(sockets[k]);
            close(pair[0]);
            fcntl(pair[1], F_SETFL, flags);
            work(pair[1]);
            exit(0);
        }
        close(pair[1]);
        fcntl(pair[0], F_SETFL, flags);
        sockets[i] = pair[0];
    }
}

/* Adds the results up into `sum`. */
static double noop(long count, long window, void (*work)(int), int64_t *sum) {
    static uint8_t out[BUFFER], in[BUFFER];
    int sockets[WORKERS], poll = epoll_create1(0);
    long sent = 0, answered = 0, under_way[WORKERS] = {0}, held[WORKERS] = {0};
    start(sockets, WORKERS, work, 0);
    for (int i = 0; i < WORKERS; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, sockets[i], &event) != 0) stop("no epoll");
    }
    double began = now();
    while (answered < count) {
        for (int i = 0; i < WORKERS; i++) {
            long n = window - under_way[i];
            if (n > count - sent) n = count - sent;
            if (n > BUFFER / FRAME) n = BUFFER / FRAME;
            if (n <= 0) continue;
            for (long k = 0; k < n; k++) {
                uint32_t frame[4] = {1, (uint32_t)(sent + k), 4, (uint32_t)(sent + k)};
                memcpy(out + k * FRAME, frame, FRAME);
            }
            write_all(sockets[i], out, (size_t)n * FRAME);
            sent += n;
            under_way[i] += n;
        }
        struct epoll_event events[WORKERS];
        int ready = epoll_wait(poll, events, WORKERS, -1);
        for (int e = 0; e < ready; e++) {
            uint32_t i = events[e].data.u32;
            static uint8_t kept[WORKERS][FRAME];
            memcpy(in, kept[i], (size_t)held[i]);
            ssize_t n = read(sockets[i], in + held[i], sizeof in - (size_t)held[i]);
            if (n <= 0) stop("a worker is gone");
            long bytes = held[i] + n, frames = bytes / FRAME;
            for (long k = 0; k < frames; k++) {
                uint32_t value;
                memcpy(&value, in + k * FRAME + HEADER, sizeof value);
                *sum += value;
            }
            held[i] = bytes % FRAME;
            memcpy(kept[i], in + frames * FRAME, (size_t)held[i]);
            under_way[i] -= frames;
            answered += frames;
        }
    }
    double seconds = now() - began;
    for (int i = 0; i < WORKERS; i++) close(sockets[i]);
    return seconds;
}

static double loop(long count, int64_t *sum) {
    double began = now();
    for (long i = 0; i < count; i++) *sum += (int64_t)spin((uint64_t)i, spin_steps);
    return now() - began;
}

/* A poll set with this socket, edge-triggered. */
static int poll_set_of(int socket) {
    int poll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, socket, &event) != 0) stop("no epoll");
    return poll;
}

/* One frame, after a sleep in the poll set; false at the end of the stream. */
static int read_polled(int poll, int socket, void *frame) {
    struct epoll_event event;
    ssize_t n;
    do {
        if (epoll_wait(poll, &event, 1, -1) < 0 && errno != EINTR) stop("no epoll");
        n = read(socket, frame, FRAME);
    } while (n < 0 && errno == EAGAIN);
    return n == FRAME;
}

static void echo_polled(int fd) {
    uint8_t frame[FRAME];
    int poll = poll_set_of(fd);
    while (read_polled(poll, fd, frame)) write_all(fd, frame, FRAME);
}

static double trip(long count, const char *policy) {
    int socket, polls = strcmp(policy, "poll") == 0, poll;
    start(&socket, 1, polls ? echo_polled : echo, strcmp(policy, "sleep") == 0 ? 0 : O_NONBLOCK);
    poll = poll_set_of(socket);
    double began = now();
    for (long i = 0; i < count; i++) {
        uint32_t frame[4] = {1, (uint32_t)i, 4, (uint32_t)i}, back[4];
        write_all(socket, frame, FRAME);
        if (!(polls ? read_polled(poll, socket, back) : read_all(socket, back, FRAME)) || back[3] != (uint32_t)i) stop("wrong answer");
    }
    double seconds = now() - began;
    close(socket);
    return seconds;
}

/* One frame on its way to each worker: the next one follows the answer. */
static double payload(long count, int in) {
    int sockets[WORKERS];
    int64_t *values = malloc(LONGS * sizeof *values), *back = malloc(LONGS * sizeof *back);
    start(sockets, WORKERS, in ? add_up : fill, 0);
    for (int i = 0; i < LONGS; i++) values[i] = 1;
    double began = now();
    for (long i = 0; i < count + WORKERS; i++) {
        int socket = sockets[i % WORKERS];
        uint32_t header[3];
        if (i >= WORKERS) {
            int64_t job = i - WORKERS;
            if (!read_all(socket, header, HEADER) || !read_all(socket, back, header[2])) stop("a worker is gone");
            if (back[0] != (in ? job + LONGS - 1 : job) || (!in && back[LONGS - 1] != job)) stop("wrong answer");
        }
        if (i >= count) continue;
        header[0] = 1, header[1] = (uint32_t)i, header[2] = in ? LONGS * sizeof *values : sizeof *values;
        values[0] = i;
        write_all(socket, header, HEADER);
        write_all(socket, values, header[2]);
    }
    double seconds = now() - began;
    for (int i = 0; i < WORKERS; i++) close(sockets[i]);
    return seconds;
}

int main(int argc, char **argv) {
    if (argc < 3) stop("usage: raw noop|trip|in|out|grain|loop COUNT [WINDOW|POLICY|STEPS]");
    long count = atol(argv[2]);
    double seconds;
    int64_t sum = 0;
    if (strcmp(argv[1], "grain") == 0 || strcmp(argv[1], "loop") == 0) {
        spin_steps = argc > 3 ? atol(argv[3]) : 1000;
        seconds = strcmp(argv[1], "loop") == 0 ? loop(count, &sum) : noop(count, 64, compute, &sum);
        printf("%.9f %lld\n", seconds, (long long)sum);
        while (wait(NULL) > 0) continue;
        return 0;
    }
    if (strcmp(argv[1], "noop") == 0) {
        seconds = noop(count, argc > 3 ? atol(argv[3]) : 64, echo, &sum);
        if (sum != (int64_t)count * (count - 1) / 2) stop("wrong sum");
    } else if (strcmp(argv[1], "trip") == 0) seconds = trip(count, argc > 3 ? argv[3] : "sleep");
    else seconds = payload(count, strcmp(argv[1], "in") == 0);
    printf("%.9f\n", seconds);
    while (wait(NULL) > 0) continue;
    return 0;
}
