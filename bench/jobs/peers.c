/* Many simulated slaves in one process: each says hello over a unix socket of its own and answers every job at once with the job's
 * own arguments. As a slave does, it tells how long jobs took, which it makes up.
 *
 *   peers PATH COUNT FINGERPRINT [SLOTS [CHURN SEED [LIMIT]]]
 *
 * FINGERPRINT is the program's, in hexadecimal. With CHURN a peer ends its connection after about so many answers, and
 * another one comes in its place: some go without a word, some in the middle of a frame, some with a bye, some stop reading
 * for good and are closed by the master. The end is when the master tells all of them to go or is gone, when LIMIT connections have been made, or
 * SIGTERM: the numbers of connections made and of jobs answered are printed. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { HEADER_SIZE = 12, READ_SIZE = 256 << 10, EVENT_MAX = 256, HELLO = 1, PING = 4, PONG = 5, RECALL = 7, RECALLED = 8, BYE = 9, TOOK = 25, STALLED_PERCENT = 2,
       TOOK_FIRST = 8, TOOK_MOST = 256, TOOK_NS = 150 /* a job, in a real slave */ };

typedef struct bytes {
    uint8_t *data;
    size_t size, capacity;
} bytes;

typedef struct peer {
    int descriptor; /* -1: not there */
    bool stalled;   /* reads nothing any more */
    bool leaving;   /* has said bye */
    uint32_t answers_left;
    uint32_t untold, tell_at; /* answers, for `took` */
    bytes in;  /* the beginning of a frame */
    bytes out; /* what the socket has not taken */
} peer;

static struct sockaddr_un master = {.sun_family = AF_UNIX};
static uint8_t hello[256];
static size_t hello_size;
static int poll_set;
static peer *peers;
static uint32_t peer_count, churn;
static uint64_t random_state = 88172645463325252u;
static uint64_t connection_count, answer_count;
static uint32_t told_count; /* peers that the master has told to go */
static bool master_gone;
static uint64_t connection_limit = UINT64_MAX;
static volatile sig_atomic_t stopped;
static uint8_t buffer[READ_SIZE];

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "peers: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint32_t random_below(uint32_t count)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 33) % count;
}

static void put_u32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get_u32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static void append(bytes *to, const void *data, size_t size)
{
    if (to->capacity - to->size < size) {
        to->capacity = (to->size + size) * 2;
        to->data = realloc(to->data, to->capacity);
        if (to->data == NULL)
            die("no memory");
    }
    memcpy(to->data + to->size, data, size);
    to->size += size;
}

static void clear(bytes *these)
{
    free(these->data);
    *these = (bytes){0};
}

static void put_frame(bytes *to, uint32_t ordinal, uint32_t jid, const void *payload, uint32_t size)
{
    uint8_t header[HEADER_SIZE];
    put_u32(header, ordinal);
    put_u32(header + 4, jid);
    put_u32(header + 8, size);
    append(to, header, sizeof header);
    if (size > 0)
        append(to, payload, size);
}

static void make_hello(const char *fingerprint, uint32_t slots)
{
    static const char host[] = "simulated", target[] = "x86_64";
    uint8_t *at = hello + HEADER_SIZE;
    memcpy(at, "M/s!", 4);
    put_u32(at + 4, 2);
    for (int i = 0; i < 32; i++) {
        unsigned digits;
        if (sscanf(fingerprint + 2 * i, "%2x", &digits) != 1)
            die("this is no fingerprint");
        at[8 + i] = (uint8_t)digits;
    }
    put_u32(at + 40, slots);
    put_u32(at + 44, (uint32_t)getpid());
    at += 48 + 32; /* it never comes back */
    put_u32(at, sizeof host - 1);
    memcpy(at + 4, host, sizeof host - 1);
    at += 4 + sizeof host - 1;
    put_u32(at, sizeof target - 1);
    memcpy(at + 4, target, sizeof target - 1);
    hello_size = (size_t)(at + 4 + sizeof target - 1 - hello);
    put_u32(hello, 0);
    put_u32(hello + 4, HELLO);
    put_u32(hello + 8, (uint32_t)hello_size - HEADER_SIZE);
}

/* False: nobody listens any more. */
static bool join(peer *one)
{
    one->descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (one->descriptor < 0)
        die("socket");
    int done; /* waits while the master's queue is full */
    do
        done = connect(one->descriptor, (struct sockaddr *)&master, sizeof master);
    while (done < 0 && errno == EINTR);
    if (done < 0) {
        close(one->descriptor);
        one->descriptor = -1;
        return false;
    }
    one->stalled = one->leaving = false;
    one->untold = 0;
    one->tell_at = TOOK_FIRST;
    one->answers_left = churn == 0 ? UINT32_MAX : 1 + random_below(2 * churn);
    connection_count++;
    if (send(one->descriptor, hello, hello_size, MSG_NOSIGNAL) != (ssize_t)hello_size)
        return true; /* it has closed already: reading will say so */
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = one};
    if (epoll_ctl(poll_set, EPOLL_CTL_ADD, one->descriptor, &event) != 0)
        die("epoll_ctl");
    return true;
}

static void leave(peer *one)
{
    close(one->descriptor);
    one->descriptor = -1;
    clear(&one->in);
    clear(&one->out);
}

static void watch(peer *one, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = one};
    epoll_ctl(poll_set, EPOLL_CTL_MOD, one->descriptor, &event);
}

static void flush(peer *one)
{
    size_t sent = 0;
    while (sent < one->out.size) {
        ssize_t done = send(one->descriptor, one->out.data + sent, one->out.size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done < 0)
            break;
        sent += (size_t)done;
    }
    memmove(one->out.data, one->out.data + sent, one->out.size - sent);
    one->out.size -= sent;
    if (one->out.size == 0 && sent > 0)
        clear(&one->out);
    else if (one->out.size > 0)
        watch(one, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
}

/* Its time has come. False: it is gone. */
static bool end(peer *one)
{
    uint32_t how = random_below(100);
    one->answers_left = UINT32_MAX;
    if (how < STALLED_PERCENT) {
        one->stalled = true;
        watch(one, EPOLLRDHUP);
        return true;
    }
    if (how < 40) {
        one->leaving = true;
        put_frame(&one->out, 0, BYE, NULL, 0);
        return true;
    }
    if (how < 60 && one->out.size > 1)
        one->out.size -= 1 + random_below((uint32_t)one->out.size - 1);
    if (one->out.size > 0 && how < 80)
        flush(one);
    leave(one);
    return false;
}

static void tell(peer *one, uint32_t ordinal)
{
    uint8_t payload[16] = {0};
    put_u32(payload, ordinal);
    put_u32(payload + 4, one->untold);
    put_u32(payload + 8, one->untold * TOOK_NS);
    put_frame(&one->out, 0, TOOK, payload, sizeof payload);
    one->untold = 0;
    one->tell_at = one->tell_at * 2 > TOOK_MOST ? TOOK_MOST : one->tell_at * 2;
}

/* False: the peer is gone. */
static bool handle(peer *one, uint32_t ordinal, uint32_t jid, const uint8_t *payload, uint32_t size)
{
    if (ordinal != 0) {
        put_frame(&one->out, ordinal, jid, payload, size);
        answer_count++;
        if (++one->untold >= one->tell_at)
            tell(one, ordinal);
        return --one->answers_left > 0 || end(one);
    }
    if (jid == PING)
        put_frame(&one->out, 0, PONG, payload, size);
    if (jid == RECALL) /* all of them have begun */
        put_frame(&one->out, 0, RECALLED, NULL, 0);
    if (jid != BYE)
        return true;
    if (!one->leaving) {
        told_count++;
        master_gone = true;
    }
    if (one->out.size > 0)
        flush(one);
    leave(one);
    return false;
}

/* Reads once and answers; a peer that is gone has no descriptor. */
static void serve(peer *one)
{
    size_t have = one->in.size, at = 0;
    memcpy(buffer, one->in.data, have);
    clear(&one->in);
    ssize_t got = recv(one->descriptor, buffer + have, sizeof buffer - have, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        leave(one);
        return;
    }
    have += got > 0 ? (size_t)got : 0;
    while (have - at >= HEADER_SIZE && have - at - HEADER_SIZE >= get_u32(buffer + at + 8)) {
        const uint8_t *frame = buffer + at;
        at += HEADER_SIZE + get_u32(frame + 8);
        if (!handle(one, get_u32(frame), get_u32(frame + 4), frame + HEADER_SIZE, get_u32(frame + 8)))
            return;
        if (one->stalled)
            break;
    }
    if (have > at)
        append(&one->in, buffer + at, have - at);
    if (one->out.size > 0)
        flush(one);
}

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

static void run(void)
{
    struct epoll_event events[EVENT_MAX];
    uint32_t here_count = peer_count;
    while (here_count > 0 && !stopped && connection_count < connection_limit) {
        int count = epoll_wait(poll_set, events, EVENT_MAX, -1);
        for (int i = 0; i < count; i++) {
            peer *one = events[i].data.ptr;
            if (events[i].events & EPOLLOUT) {
                watch(one, EPOLLIN | EPOLLRDHUP);
                flush(one);
            }
            if (one->stalled)
                leave(one);
            else
                serve(one);
            if (one->descriptor >= 0)
                continue;
            if (churn == 0 || master_gone || !join(one))
                here_count--;
        }
    }
}

int main(int argc, char **argv)
{
    if (argc < 4 || strlen(argv[3]) != 64 || strlen(argv[1]) >= sizeof master.sun_path) {
        fprintf(stderr, "usage: peers PATH COUNT FINGERPRINT [SLOTS [CHURN SEED [LIMIT]]]\n");
        return 2;
    }
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    memcpy(master.sun_path, argv[1], strlen(argv[1]));
    peer_count = (uint32_t)atoi(argv[2]);
    make_hello(argv[3], argc > 4 ? (uint32_t)atoi(argv[4]) : 1);
    churn = argc > 5 ? (uint32_t)atoi(argv[5]) : 0;
    if (argc > 6)
        random_state ^= strtoull(argv[6], NULL, 10) * 0x9e3779b97f4a7c15u;
    if (argc > 7)
        connection_limit = strtoull(argv[7], NULL, 10);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = stop}, NULL);
    peers = calloc(peer_count, sizeof *peers);
    poll_set = epoll_create1(EPOLL_CLOEXEC);
    if (peers == NULL || poll_set < 0)
        die("cannot begin");
    for (uint32_t i = 0; i < peer_count; i++)
        if (!join(&peers[i]))
            die("connect");
    run();
    printf("%llu %llu\n", (unsigned long long)connection_count, (unsigned long long)answer_count);
    return 0;
}
