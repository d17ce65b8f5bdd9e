/* A network in memory: net/socket.h and net/poll.h without a system call, and those calls of the C library that must not reach the
 * system either (close, poll, clock_gettime, kill; the linker's --wrap leads them here).
 *
 * One lock guards all of it, since a slave's workers write. Descriptors of ours are numbers that no system gives; all others go to
 * the system. Events come as epoll's edges do: once for each change. */
#include "fuzz/fuzz.h"
#include "net/poll.h"
#include "net/socket.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FIRST = 1 << 20, LISTENER = FIRST + FAKE_END_MAX, POLL, WATCHED_MAX = 8 };

typedef struct end {
    bool used, waiting, closed, hung_up;
    int error;
    void *owner;
    bool readable, writable; /* edges not yet told */
    ms_bytes incoming, outgoing;
    ms_bytes frame; /* the one that was given out last: others go on writing */
    size_t incoming_at, outgoing_at, room;
} end;

typedef struct watched {
    int descriptor;
    void *owner;
} watched;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static end ends[FAKE_END_MAX];
static watched others[WATCHED_MAX]; /* the system's own descriptors in the poll set */
static int other_count;
static void *door;
static bool clock_is_ours, time_flows;
static uint64_t now_ns;
int (*fake_on_connect)(void);
void (*fake_on_idle)(void);

int __real_close(int descriptor);
int __real_poll(struct pollfd *waits, nfds_t count, int timeout_ms);
int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_close(int descriptor);
int __wrap_poll(struct pollfd *waits, nfds_t count, int timeout_ms);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_kill(pid_t pid, int number);
void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

static end *end_of(int descriptor)
{
    int index = descriptor - FIRST;
    return index >= 0 && index < FAKE_END_MAX && ends[index].used ? &ends[index] : NULL;
}

/* ---- The fuzzer's side ---- */

static void forget(end *e)
{
    ms_bytes_free(&e->incoming);
    ms_bytes_free(&e->outgoing);
    ms_bytes_free(&e->frame);
    *e = (end){0};
}

void fake_begin(bool clock)
{
    for (int i = 0; i < FAKE_END_MAX; i++)
        forget(&ends[i]);
    other_count = 0;
    door = NULL;
    clock_is_ours = clock;
    time_flows = false;
    now_ns = 1000000000u;
    fake_on_connect = NULL;
    fake_on_idle = NULL;
}

void fake_end(void)
{
    fake_begin(false);
}

void fake_pass(uint64_t ns)
{
    now_ns += ns;
}

void fake_let_time_flow(bool flows)
{
    time_flows = flows;
}

int fake_poll(void)
{
    return POLL;
}

int fake_connect(void)
{
    for (int i = 0; i < FAKE_END_MAX; i++)
        if (!ends[i].used) {
            ends[i] = (end){.used = true, .waiting = true, .readable = true, .writable = true, .room = SIZE_MAX};
            return FIRST + i;
        }
    return -1;
}

int fake_connection(void)
{
    int descriptor = fake_connect();
    MUST(descriptor >= 0);
    end_of(descriptor)->waiting = false;
    return descriptor;
}

void fake_feed(int descriptor, const void *bytes, size_t size)
{
    pthread_mutex_lock(&lock);
    end *e = end_of(descriptor);
    if (e != NULL && !e->closed && !e->hung_up && size > 0) {
        MUST(ms_bytes_append(&e->incoming, bytes, size));
        e->readable = true;
    }
    pthread_mutex_unlock(&lock);
}

void fake_feed_frame(int descriptor, ms_header header, const void *payload)
{
    uint8_t bytes[MS_HEADER_SIZE];
    ms_header_encode(bytes, header);
    fake_feed(descriptor, bytes, sizeof bytes);
    fake_feed(descriptor, payload, header.length);
}

void fake_hang_up(int descriptor, int error)
{
    pthread_mutex_lock(&lock);
    end *e = end_of(descriptor);
    if (e != NULL) {
        e->hung_up = e->readable = true;
        e->error = error;
    }
    pthread_mutex_unlock(&lock);
}

void fake_set_room(int descriptor, size_t room)
{
    pthread_mutex_lock(&lock);
    end *e = end_of(descriptor);
    if (e != NULL) {
        e->writable = e->writable || room > 0;
        e->room = room;
    }
    pthread_mutex_unlock(&lock);
}

bool fake_next_frame(int descriptor, ms_header *header, const uint8_t **payload)
{
    bool found = false;
    pthread_mutex_lock(&lock);
    end *e = end_of(descriptor);
    if (e != NULL && e->outgoing.size - e->outgoing_at >= MS_HEADER_SIZE) {
        const uint8_t *bytes = e->outgoing.data + e->outgoing_at;
        *header = ms_header_decode(bytes);
        found = e->outgoing.size - e->outgoing_at - MS_HEADER_SIZE >= header->length;
        if (found) {
            ms_bytes_clear(&e->frame);
            MUST(ms_bytes_append(&e->frame, bytes, MS_HEADER_SIZE + (size_t)header->length));
            *payload = e->frame.data + MS_HEADER_SIZE;
            e->outgoing_at += e->frame.size;
        }
    } else if (e != NULL && e->outgoing.size == e->outgoing_at) {
        ms_bytes_clear(&e->outgoing);
        e->outgoing_at = 0;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

bool fake_is_closed(int descriptor)
{
    end *e = end_of(descriptor);
    return e == NULL || e->closed;
}

/* ---- net/socket.h ---- */

bool ms_socket_listen(ms_listener *listener, const ms_address *address, ms_protection protection, bool *wrong,
                      char message[MS_MESSAGE_MAX])
{
    (void)protection;
    (void)message;
    *wrong = false;
    *listener = (ms_listener){.descriptor = LISTENER, .address = *address};
    return true;
}

void ms_socket_unlisten(ms_listener *listener)
{
    listener->descriptor = -1;
}

int ms_socket_accept(const ms_listener *listener, char name[MS_ADDRESS_TEXT_MAX])
{
    (void)listener;
    name[0] = '\0';
    for (int i = 0; i < FAKE_END_MAX; i++)
        if (ends[i].used && ends[i].waiting) {
            ends[i].waiting = false;
            return FIRST + i;
        }
    errno = EAGAIN;
    return -1;
}

bool ms_socket_has_waiting(const ms_listener *listener)
{
    (void)listener;
    for (int i = 0; i < FAKE_END_MAX; i++)
        if (ends[i].used && ends[i].waiting)
            return true;
    return false;
}

int ms_socket_connect(const ms_address *address, ms_protection protection, int timeout_ms, bool *wrong, char message[MS_MESSAGE_MAX])
{
    (void)address;
    (void)protection;
    (void)timeout_ms;
    *wrong = false;
    int descriptor = fake_on_connect == NULL ? -1 : fake_on_connect();
    if (descriptor < 0)
        snprintf(message, MS_MESSAGE_MAX, "there is no master");
    else
        end_of(descriptor)->waiting = false;
    return descriptor;
}

ssize_t ms_socket_read(int descriptor, void *bytes, size_t size)
{
    ssize_t done = -1;
    pthread_mutex_lock(&lock);
    end *e = end_of(descriptor);
    MUST(e != NULL && !e->closed && !e->waiting);
    size_t there = e->incoming.size - e->incoming_at;
    if (there > 0) {
        done = (ssize_t)(there < size ? there : size);
        memcpy(bytes, e->incoming.data + e->incoming_at, (size_t)done);
        e->incoming_at += (size_t)done;
    } else if (e->hung_up) {
        errno = e->error;
        done = e->error == 0 ? 0 : -1;
    } else {
        errno = EAGAIN;
    }
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t ms_socket_write(int descriptor, const struct iovec *parts, int part_count)
{
    ssize_t done = 0;
    pthread_mutex_lock(&lock);
    end *e = end_of(descriptor);
    MUST(e != NULL && !e->closed && !e->waiting);
    for (int i = 0; i < part_count && !e->hung_up; i++) {
        size_t size = parts[i].iov_len < e->room ? parts[i].iov_len : e->room;
        MUST(size == 0 || ms_bytes_append(&e->outgoing, parts[i].iov_base, size));
        e->room -= e->room == SIZE_MAX ? 0 : size;
        done += (ssize_t)size;
    }
    if (e->hung_up || done == 0) {
        errno = e->hung_up ? EPIPE : EAGAIN;
        done = -1;
    }
    pthread_mutex_unlock(&lock);
    return done;
}

bool ms_socket_has_ended(int descriptor)
{
    pthread_mutex_lock(&lock);
    const end *e = end_of(descriptor);
    bool ended = e->hung_up && e->error == 0 && e->incoming_at == e->incoming.size;
    pthread_mutex_unlock(&lock);
    return ended;
}

void ms_socket_finish(int descriptor)
{
    MUST(!fake_is_closed(descriptor));
}

/* ---- net/poll.h ---- */

int ms_poll_create(void)
{
    return POLL;
}

bool ms_poll_add(int poll, int descriptor, void *owner)
{
    MUST(poll == POLL);
    if (descriptor == LISTENER) {
        door = owner;
    } else if (end_of(descriptor) != NULL) {
        end_of(descriptor)->owner = owner;
    } else {
        MUST(other_count < WATCHED_MAX);
        others[other_count++] = (watched){descriptor, owner};
    }
    return true;
}

/* What has changed since the last time. */
static int changes(ms_event *events, int event_max)
{
    int count = 0;
    for (int i = 0; i < FAKE_END_MAX && count < event_max; i++) {
        end *e = &ends[i];
        if (!e->used || (e->waiting ? door == NULL : e->closed || e->owner == NULL) || (!e->readable && !e->writable))
            continue;
        if (e->waiting)
            events[count++] = (ms_event){.owner = door, .readable = true};
        else
            events[count++] = (ms_event){e->owner, e->readable, e->writable || e->hung_up, e->hung_up};
        if (!e->waiting)
            e->readable = e->writable = false;
    }
    for (int i = 0; i < other_count && count < event_max; i++) {
        struct pollfd wait = {.fd = others[i].descriptor, .events = POLLIN};
        if (__real_poll(&wait, 1, 0) > 0)
            events[count++] = (ms_event){.owner = others[i].owner, .readable = true};
    }
    return count;
}

int ms_poll_wait(int poll, ms_event *events, int event_max, int timeout_ms)
{
    MUST(poll == POLL);
    pthread_mutex_lock(&lock);
    int count = changes(events, event_max);
    pthread_mutex_unlock(&lock);
    if (count > 0 || timeout_ms == 0)
        return count;
    if (fake_on_idle != NULL)
        fake_on_idle();
    else if (time_flows)
        now_ns += timeout_ms < 0 ? 1000000000u : (uint64_t)timeout_ms * 1000000u;
    pthread_mutex_lock(&lock);
    count = changes(events, event_max);
    pthread_mutex_unlock(&lock);
    return count;
}

/* ---- The C library ---- */

int __wrap_close(int descriptor)
{
    if (descriptor < FIRST) {
        for (int i = 0; i < other_count; i++)
            if (others[i].descriptor == descriptor)
                others[i] = others[--other_count];
        return __real_close(descriptor);
    }
    pthread_mutex_lock(&lock);
    end *e = end_of(descriptor);
    MUST(descriptor >= LISTENER || (e != NULL && !e->closed));
    if (e != NULL)
        e->closed = true;
    pthread_mutex_unlock(&lock);
    return 0;
}

int __wrap_poll(struct pollfd *waits, nfds_t count, int timeout_ms)
{
    bool ours = false;
    for (nfds_t i = 0; i < count; i++)
        ours = ours || waits[i].fd >= FIRST;
    if (!ours)
        return __real_poll(waits, count, timeout_ms);
    if (fake_on_idle != NULL)
        fake_on_idle();
    int ready = 0;
    for (nfds_t i = 0; i < count; i++) {
        end *e = end_of(waits[i].fd);
        if (e == NULL)
            __real_poll(&waits[i], 1, 0);
        else
            waits[i].revents = (short)(waits[i].events & (POLLOUT | (e->incoming.size > e->incoming_at || e->hung_up ? POLLIN : 0)));
        ready += waits[i].revents != 0;
    }
    return ready;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    if (!clock_is_ours)
        return __real_clock_gettime(clock, time);
    *time = (struct timespec){(time_t)(now_ns / 1000000000u), (long)(now_ns % 1000000000u)};
    return 0;
}

/* A job that kills its process does not. */
int __wrap_kill(pid_t pid, int number)
{
    (void)pid;
    (void)number;
    return 0;
}

/* Nothing may end the process; but for the fuzzer, when all is done. */
_Noreturn void __wrap__exit(int status)
{
    bool running = false;
    for (int i = 0; i < FAKE_END_MAX; i++)
        running = running || ends[i].used;
    MUST(!running);
    __real__exit(status);
    abort();
}
