/* The I/O thread: what comes from the program's thread, the loop, beginning and end. */
#include "master/peer.h"

#include "core/blocks.h"
#include "core/clock.h"
#include "core/entropy.h"
#include "core/futex.h"
#include "master/http.h"
#include "master/output.h"
#include "master/status.h"
#include "net/poll.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EVENT_MAX = 64, LINE_MAX_SIZE = 512, TICKS_FOR_A_HEARTBEAT = 16, DESCRIPTOR_MAX = 65536, SPARE_DESCRIPTOR_MAX = 64 };
#define LONELY_NS 5000000000u   /* after so long without a slave it says what to start */
#define SLEPT_NS 100000u /* when waiting took longer, nothing had been there */
#define LAG_MAX_NS 200000000u
#define LAG_FORGET_NS 100000000u
#define RESERVE_SIZE ((size_t)1 << 20)
#define FAREWELL_NS 1000000000u /* how long the last words may take */

void ms_server_log(ms_server *server, const char *format, ...)
{
    char line[LINE_MAX_SIZE];
    va_list arguments;
    if (server->options.quiet)
        return;
    int size = snprintf(line, sizeof line, "%s%s-master: ", server->progress_shown ? "\r\033[K" : "", ms_program.name);
    va_start(arguments, format);
    int more = vsnprintf(line + size, sizeof line - (size_t)size, format, arguments);
    va_end(arguments);
    size += more < 0 ? 0 : more;
    if (size > LINE_MAX_SIZE - 2)
        size = LINE_MAX_SIZE - 2;
    if (server->watch != NULL)
        ms_watch_said(server, line, (size_t)size);
    line[size++] = '\n';
    ms_output_forward(2, line, (uint64_t)size);
}

/* ---- The program's side ---- */

static void ring(ms_server *server)
{
    uint64_t one = 1;
    ssize_t ignored = write(server->wake_descriptor, &one, sizeof one);
    (void)ignored; /* a full counter wakes as well */
}

/* Wakes the I/O thread if it sleeps. One who is awake looks at everything before it sleeps. */
static void wake(ms_server *server)
{
    if (atomic_exchange(&server->rest, MS_AWAKE) != MS_AWAKE)
        ring(server);
}

void ms_server_submit(ms_server *server, ms_job *job)
{
    ms_job_hold(job);
    ms_job *head = atomic_load_explicit(&server->submitted, memory_order_relaxed);
    do
        job->next = head;
    while (!atomic_compare_exchange_weak(&server->submitted, &head, job));
    if (atomic_load(&server->rest) == MS_ASLEEP_HUNGRY)
        wake(server);
}

void ms_server_cancel(ms_server *server, ms_job *job)
{
    pthread_mutex_lock(&server->cancel_lock);
    if (server->cancelled_count == server->cancelled_capacity) {
        uint32_t capacity = server->cancelled_capacity * 2 + 16;
        ms_job **grown = realloc(server->cancelled, capacity * sizeof *grown);
        if (grown == NULL) { /* it runs to its end for nothing */
            pthread_mutex_unlock(&server->cancel_lock);
            return;
        }
        server->cancelled = grown;
        server->cancelled_capacity = capacity;
    }
    ms_job_hold(job);
    server->cancelled[server->cancelled_count++] = job;
    pthread_mutex_unlock(&server->cancel_lock);
    wake(server);
}

ms_blobs *ms_server_blobs(ms_server *server)
{
    return &server->blobs;
}

uint64_t ms_server_end_number(ms_server *server)
{
    return atomic_fetch_add_explicit(&server->end_number, 1, memory_order_relaxed) + 1;
}

uint32_t ms_server_signal(ms_server *server)
{
    return atomic_load(&server->signal);
}

void ms_server_wait(ms_server *server, uint32_t signal, uint64_t timeout_ns)
{
    ms_futex_wait(&server->signal, signal, timeout_ns);
}

uint32_t ms_server_slaves(ms_server *server)
{
    return atomic_load(&server->slave_count);
}

uint32_t ms_server_slots(ms_server *server)
{
    return atomic_load(&server->slot_count);
}

void ms_server_wait_for_slaves(ms_server *server, uint32_t count)
{
    atomic_store(&server->wanted_slaves, count);
    for (;;) {
        uint32_t signal = ms_server_signal(server);
        if (ms_server_slaves(server) >= count)
            break;
        ms_server_wait(server, signal, UINT64_MAX);
    }
    atomic_store(&server->wanted_slaves, 0);
}

/* ---- What the program's thread left for us ---- */

static void take_submitted(ms_server *server, ms_job *youngest)
{
    ms_job *oldest = NULL;
    while (youngest != NULL) {
        ms_job *next = youngest->next;
        youngest->next = oldest;
        oldest = youngest;
        youngest = next;
    }
    while (oldest != NULL) {
        ms_job *job = oldest;
        oldest = job->next;
        server->submitted_count++;
        if (server->watch != NULL)
            ms_watch_submitted(server, job);
        ms_scheduler_admit(server->scheduler, job);
        if (server->scheduler->action_count > 0) /* a dependency has failed, and it with it */
            ms_peers_act(server);
    }
    for (bool more = true; more;) {
        more = ms_scheduler_pump(server->scheduler, server->now);
        ms_peers_act(server);
    }
}

static void take_cancelled(ms_server *server, ms_job **jobs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        ms_scheduler_cancel(server->scheduler, jobs[i], server->now);
        ms_peers_act(server);
        ms_job_drop(server->pool, jobs[i], false);
    }
    free(jobs);
}

/* A cancelled job was submitted before, so the cancelled ones are taken off first and looked at last. */
static void take_requests(ms_server *server)
{
    pthread_mutex_lock(&server->cancel_lock);
    ms_job **cancelled = server->cancelled;
    uint32_t cancelled_count = server->cancelled_count;
    server->cancelled = NULL;
    server->cancelled_count = server->cancelled_capacity = 0;
    pthread_mutex_unlock(&server->cancel_lock);
    if (atomic_load(&server->submitted) != NULL)
        take_submitted(server, atomic_exchange(&server->submitted, NULL));
    take_cancelled(server, cancelled, cancelled_count);
}

static bool has_requests(ms_server *server)
{
    pthread_mutex_lock(&server->cancel_lock);
    bool cancelled = server->cancelled_count > 0;
    pthread_mutex_unlock(&server->cancel_lock);
    bool submitted = atomic_load(&server->submitted) != NULL && atomic_load(&server->rest) == MS_ASLEEP_HUNGRY;
    return cancelled || submitted || atomic_load(&server->stopping) || atomic_load(&server->quit_status) >= 0;
}

/* ---- The loop ---- */

static uint64_t tick_ns(const ms_server *server)
{
    return (uint64_t)(server->options.heartbeat * 1e9) / TICKS_FOR_A_HEARTBEAT;
}

static void say_what_to_start(ms_server *server)
{
    char address[MS_ADDRESS_TEXT_MAX];
    bool waiting = server->scheduler->pending_count > 0 || atomic_load(&server->wanted_slaves) > 0;
    if (server->lonely_said || !waiting || server->scheduler->slave_count > 0 || server->now - server->lonely_since < LONELY_NS)
        return;
    ms_address_format(&server->doors[0].listener.address, address);
    bool is_tcp = server->doors[0].listener.address.kind == MS_ADDRESS_TCP;
    ms_server_log(server, "no slave for 5 s; start one with: %s-slave %s%s", ms_program.name, address,
                  !is_tcp ? "" : server->options.insecure ? " --insecure" : " --key-file FILE");
    server->lonely_said = true;
}

static void tick(ms_server *server)
{
    server->ticked_at = server->now;
    ms_blocks_trim(server->now);
    ms_scheduler_tick(server->scheduler, server->now);
    ms_peers_act(server);
    ms_peers_tick(server);
    ms_peers_reap(server);
    server->http_deadline = server->http == NULL ? UINT64_MAX : 0;
    say_what_to_start(server);
}

static void wake_program(ms_server *server)
{
    server->wake_needed = false;
    atomic_fetch_add(&server->signal, 1);
    ms_futex_wake(&server->signal, 1 << 30);
}

/* Announces that this thread sleeps, unless something has been left for it meanwhile; gives how long it may. */
static int lie_down(ms_server *server)
{
    uint64_t now = server->turned_at = ms_clock_ns();
    if (server->unread != NULL)
        return 0;
    atomic_store(&server->rest, ms_scheduler_hungry(server->scheduler) ? MS_ASLEEP_HUNGRY : MS_ASLEEP_SATED);
    if (has_requests(server))
        return 0;
    uint64_t next = server->ticked_at + tick_ns(server);
    if (server->options.progress != MS_PROGRESS_NEVER && server->progress_at + 200000000u < next)
        next = server->progress_at + 200000000u;
    if (server->scheduler->look_at < next)
        next = server->scheduler->look_at;
    if (server->http_deadline < next)
        next = server->http_deadline;
    return next <= now ? 0 : (int)((next - now) / 1000000) + 1;
}

static void handle_event(ms_server *server, const ms_event *event)
{
    uint64_t count;
    ms_peer *peer;
    switch (*(ms_source *)event->owner) {
    case MS_SOURCE_WAKE:
        while (read(server->wake_descriptor, &count, sizeof count) > 0) {
        }
        break;
    case MS_SOURCE_DOOR: ms_peers_accept(server, event->owner); break;
    case MS_SOURCE_PEER:
        peer = event->owner;
        peer->hung_up = peer->hung_up || event->hung_up;
        if (event->writable && ms_sender_size(&peer->sender) > 0)
            ms_peer_flush(server, peer);
        if (event->readable && peer->state != MS_PEER_DOOMED)
            ms_peer_read(server, peer);
        break;
    case MS_SOURCE_STATUS_DOOR:
        ms_http_accept(server, event->owner);
        server->http_deadline = 0;
        break;
    case MS_SOURCE_STATUS_CLIENT:
        ms_http_serve(server, event->owner);
        server->http_deadline = 0;
        break;
    }
}

/* How long what has come lies here before it is looked at. As long as the poll set is full of events nobody can tell, and it may be ever
 * longer; what was once needed is forgotten slowly. */
static void measure_lag(ms_server *server, int event_count)
{
    bool slept = event_count < EVENT_MAX && server->now - server->turned_at > SLEPT_NS;
    server->scheduler->turn_ns = server->turned_at - server->began_at;
    server->scheduler->lain_ns = slept ? 0 : server->now - server->drained_at;
    server->began_at = server->now;
    uint64_t *lag = &server->scheduler->lag_ns, passed_ns = server->now - server->drained_at;
    if (event_count < EVENT_MAX) {
        server->drained_at = server->now;
        *lag = passed_ns < LAG_FORGET_NS ? *lag - (uint64_t)((double)*lag * (double)passed_ns / LAG_FORGET_NS) : 0;
    } else if (passed_ns > *lag) {
        *lag = passed_ns < LAG_MAX_NS ? passed_ns : LAG_MAX_NS;
    }
}

static void turn(ms_server *server)
{
    ms_event events[EVENT_MAX];
    int timeout_ms = lie_down(server);
    int count = ms_poll_wait(server->poll, events, EVENT_MAX, timeout_ms);
    atomic_store(&server->rest, MS_AWAKE);
    server->now = ms_clock_ns();
    measure_lag(server, count);
    for (ms_peer *peer = server->unread, *next; peer != NULL; peer = next) { /* reading may take it from the list, and no other */
        next = peer->next_unread;
        ms_peer_read(server, peer);
    }
    for (int i = 0; i < count; i++)
        handle_event(server, &events[i]);
    if (server->http != NULL && server->now >= server->http_deadline)
        server->http_deadline = ms_http_tick(server, server->http);
    take_requests(server);
    if (server->now - server->ticked_at >= tick_ns(server))
        tick(server);
    if (server->now >= server->scheduler->look_at) {
        ms_scheduler_look(server->scheduler, server->now);
        ms_peers_act(server);
    }
    while (server->doomed != NULL || server->dirty != NULL) { /* closing one gives jobs to others, sending may doom one */
        ms_peers_reap(server);
        ms_peers_flush(server);
    }
    ms_peers_accept_more(server);
    if (server->wake_needed)
        wake_program(server);
    if (server->options.progress != MS_PROGRESS_NEVER)
        ms_progress_show(server, false);
    if (server->watch != NULL)
        ms_watch_count(server);
}

/* Everything that has not ended is cancelled, everybody is told, nothing of ours stays in the file system. */
static void shut(ms_server *server)
{
    ms_scheduler *scheduler = server->scheduler;
    for (int i = 0; i < server->door_count; i++)
        ms_socket_unlisten(&server->doors[i].listener);
    take_requests(server);
    if (server->options.progress != MS_PROGRESS_NEVER)
        ms_progress_show(server, true);
    if (server->watch != NULL)
        ms_watch_shut(server);
    for (uint32_t i = 0; i < scheduler->slave_capacity; i++)
        if (scheduler->slaves[i].slots > 0)
            ms_scheduler_dropping(scheduler, i);
    ms_job *job; /* those that wait for others end with them */
    while ((job = ms_scheduler_pending(scheduler)) != NULL) {
        ms_scheduler_cancel(scheduler, job, server->now);
        ms_peers_act(server);
    }
    for (uint32_t i = 0; i < scheduler->slave_capacity; i++)
        while (scheduler->slaves[i].jobs.first != NULL) {
            ms_scheduler_cancel(scheduler, scheduler->slaves[i].jobs.first, server->now);
            ms_peers_act(server);
        }
    if (server->http != NULL)
        ms_http_destroy(server->http);
    server->http = NULL;
    ms_peers_farewell(server, server->now + FAREWELL_NS);
    if (server->watch != NULL)
        ms_watch_end(server->watch);
}

/* In the middle of what the scheduler does, so nothing of it can be cancelled or looked at any more. */
static void end_without_memory(void *owner)
{
    ms_server *server = owner;
    char line[LINE_MAX_SIZE];
    free(server->reserve);
    server->reserve = NULL;
    for (int i = 0; i < server->door_count; i++)
        ms_socket_unlisten(&server->doors[i].listener);
    if (server->http != NULL)
        ms_http_destroy(server->http);
    ms_peers_farewell(server, server->now + FAREWELL_NS);
    if (server->watch != NULL)
        ms_watch_end(server->watch);
    if (atomic_load(&server->stopping)) /* the program has said what there was to say */
        _exit(ms_output_flush() ? server->stop_status : 1);
    snprintf(line, sizeof line, "%s%s-master: out of memory: no room for what is to be known of %llu jobs\n",
             server->progress_shown ? "\r\033[K" : "", ms_program.name,
             (unsigned long long)(server->submitted_count - server->finished_count - server->failed_count));
    ms_output_end_unless_stuck(line);
    _exit(1);
}

static void say_where_the_status_is(ms_server *server)
{
    char text[MS_ADDRESS_TEXT_MAX + 16];
    if (server->http == NULL)
        return;
    ms_http_format(server->http, text);
    ms_server_log(server, "status at %s", text);
}

static void *run(void *argument)
{
    ms_server *server = argument;
    server->now = server->started_at = server->lonely_since = server->progress_at = ms_clock_ns();
    server->ticked_at = server->drained_at = server->began_at = server->now;
    say_where_the_status_is(server);
    while (!atomic_load(&server->stopping) && atomic_load(&server->quit_status) < 0)
        turn(server);
    bool stops = atomic_load(&server->stopping); /* else a program that sees its jobs cancelled may come to its own end meanwhile */
    shut(server);
    if (stops)
        return NULL;
    ms_output_flush_unless_stuck();
    _exit(atomic_load(&server->quit_status));
}

/* ---- Beginning and end ---- */

/* Gives the highest descriptor that a connection may have: slaves leave some to the program's files. */
static int raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    if (limit.rlim_cur < limit.rlim_max && limit.rlim_cur < DESCRIPTOR_MAX) {
        limit.rlim_cur = limit.rlim_max < DESCRIPTOR_MAX ? limit.rlim_max : DESCRIPTOR_MAX;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    int count = limit.rlim_cur < INT_MAX ? (int)limit.rlim_cur : INT_MAX;
    return count - 1 - (count / 4 < SPARE_DESCRIPTOR_MAX ? count / 4 : SPARE_DESCRIPTOR_MAX);
}

static bool open_doors(ms_server *server, int descriptor_max, bool *wrong, char message[MS_MESSAGE_MAX])
{
    for (int i = 0; i < server->options.address_count; i++) {
        ms_door *door = &server->doors[i];
        ms_protection protection = ms_protection_of(&server->options.key, server->options.insecure);
        door->source = MS_SOURCE_DOOR;
        if (!ms_socket_listen(&door->listener, &server->options.addresses[i], protection, wrong, message))
            return false;
        server->door_count++;
        door->listener.descriptor_max = descriptor_max;
        if (!ms_poll_add(server->poll, door->listener.descriptor, door)) {
            snprintf(message, MS_MESSAGE_MAX, "cannot listen: %s", strerror(errno));
            return false;
        }
    }
    return true;
}

static bool open_status(ms_server *server, bool *wrong, char message[MS_MESSAGE_MAX])
{
    const ms_server_options *options = &server->options;
    if (!options->has_status)
        return true;
    server->http = ms_http_create(server->poll, &options->status, options->insecure, ms_status_answer, wrong, message);
    return server->http != NULL;
}

ms_server *ms_server_create(const ms_server_options *options, ms_job_pool *pool, bool *wrong, char message[MS_MESSAGE_MAX])
{
    *wrong = false;
    int descriptor_max = raise_descriptor_limit();
    ms_server *server = aligned_alloc(_Alignof(ms_server), sizeof *server);
    snprintf(message, MS_MESSAGE_MAX, "no memory to start");
    if (server == NULL)
        return NULL;
    memset(server, 0, sizeof *server);
    server->options = *options;
    server->watch = options->watch;
    server->pool = pool;
    server->spawned_pool.home = pool;
    ms_blobs_init(&server->blobs, options->blobs_max);
    atomic_store(&server->quit_status, -1);
    ms_random_bytes(server->session, sizeof server->session);
    pthread_mutex_init(&server->cancel_lock, NULL);
    server->wake_source = MS_SOURCE_WAKE;
    server->poll = ms_poll_create();
    server->wake_descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    server->http_deadline = UINT64_MAX;
    server->scheduler = ms_scheduler_create(ms_program.job_count, options->lost_max, (uint64_t)(options->heartbeat * 1e9));
    server->reserve = malloc(RESERVE_SIZE);
    if (server->scheduler != NULL) {
        server->scheduler->no_memory = end_without_memory;
        server->scheduler->owner = server;
    }
    if (server->poll < 0 || server->wake_descriptor < 0 || server->scheduler == NULL || server->reserve == NULL ||
        !ms_poll_add(server->poll, server->wake_descriptor, &server->wake_source) || !open_doors(server, descriptor_max, wrong, message) ||
        !open_status(server, wrong, message)) {
        ms_server_destroy(server);
        return NULL;
    }
    return server;
}

bool ms_server_start(ms_server *server)
{
    return pthread_create(&server->thread, NULL, run, server) == 0;
}

void ms_server_stop(ms_server *server, int status)
{
    server->stop_status = status;
    atomic_store(&server->stopping, true);
    wake(server);
    pthread_join(server->thread, NULL);
}

void ms_server_destroy(ms_server *server)
{
    for (int i = 0; i < server->door_count; i++)
        ms_socket_unlisten(&server->doors[i].listener);
    if (server->http != NULL)
        ms_http_destroy(server->http);
    if (server->poll >= 0)
        close(server->poll);
    if (server->wake_descriptor >= 0)
        close(server->wake_descriptor);
    if (server->scheduler != NULL)
        ms_scheduler_destroy(server->scheduler);
    ms_blobs_end(&server->blobs);
    ms_job_pool_destroy(&server->spawned_pool);
    pthread_mutex_destroy(&server->cancel_lock);
    free(server->by_slave);
    free(server->holdings);
    free(server->spare_buffer);
    free(server->reserve);
    for (uint32_t i = 0; i < server->spare_tail_count; i++)
        ms_bytes_free(&server->spare_tails[i]);
    free(server->cancelled);
    free(server);
}

void ms_server_quit(ms_server *server, int status)
{
    int none = -1;
    if (atomic_compare_exchange_strong(&server->quit_status, &none, status))
        ring(server);
}
