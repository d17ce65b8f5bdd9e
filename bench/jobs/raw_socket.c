/* What the sockets of this machine carry: a master and two workers over unix sockets that speak the frames of M/s and nothing
 * else. Arguments: how many messages, how many may be on their way to a worker at once. Prints seconds. */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FRAME = 16, WORKERS = 2, BUFFER = 1 << 16 };

static void write_all(int fd, const uint8_t *bytes, size_t size) {
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n <= 0) exit(1);
        bytes += n;
        size -= (size_t)n;
    }
}

/* Sends every whole frame back. */
static void work(int fd) {
    static uint8_t buffer[BUFFER];
    size_t held = 0;
    for (;;) {
        ssize_t n = read(fd, buffer + held, sizeof buffer - held);
        if (n <= 0) exit(0);
        held += (size_t)n;
        size_t whole = held / FRAME * FRAME;
        write_all(fd, buffer, whole);
        memmove(buffer, buffer + whole, held - whole);
        held -= whole;
    }
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv) {
    long count = argc > 1 ? atol(argv[1]) : 1000000;
    long window = argc > 2 ? atol(argv[2]) : 64;
    struct pollfd workers[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 1;
        if (fork() == 0) {
            close(pair[0]);
            for (int k = 0; k < i; k++) close(workers[k].fd);
            work(pair[1]);
        }
        close(pair[1]);
        workers[i] = (struct pollfd){.fd = pair[0], .events = POLLIN};
    }
    double start = now();
    static uint8_t out[BUFFER], in[BUFFER];
    long sent = 0, answered = 0, under_way[WORKERS] = {0}, partial[WORKERS] = {0};
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
            write_all(workers[i].fd, out, (size_t)n * FRAME);
            sent += n;
            under_way[i] += n;
        }
        if (poll(workers, WORKERS, -1) < 0) return 1;
        for (int i = 0; i < WORKERS; i++) {
            if (!(workers[i].revents & POLLIN)) continue;
            ssize_t n = read(workers[i].fd, in, sizeof in);
            if (n <= 0) return 1;
            long bytes = partial[i] + n;
            under_way[i] -= bytes / FRAME;
            answered += bytes / FRAME;
            partial[i] = bytes % FRAME;
        }
    }
    printf("%.9f\n", now() - start);
    for (int i = 0; i < WORKERS; i++) close(workers[i].fd);
    while (wait(NULL) > 0) continue;
    return 0;
}
