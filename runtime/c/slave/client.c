/* Connecting, the handshake, the loop, leaving. */
#include "slave/client.h"

#include "core/clock.h"
#include "core/entropy.h"
#include "core/payload.h"
#include "core/wire.h"
#include "net/conn.h"
#include "net/poll.h"
#include "net/socket.h"
#include "slave/blobs.h"
#include "slave/executor.h"
#include "slave/say.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    STATUS_FAILED = 1,
    STATUS_REFUSED = 2,
    STATUS_NO_MASTER = 3,
    FIRST_PAUSE_MS = 1, /* the master may be starting at this very moment */
    LONGEST_PAUSE_MS = 500,
    KILLED_MS = 5, /* how often it looks whether jobs that were killed are gone */
    EVENT_MAX = 8,
    GREETING_MS = 10000,
    LEAST_GREETING_MS = 1000,
    SETTLE_MS = 1000,
    LEAVE_MS = 2000,
    SILENT_HEARTBEATS = 3
};
#define MS_IN_NS 1000000u
#define STEADY_NS 1000000000u /* a connection that lived so long was one */
#define SAY_SO_NS 5000000000u /* after so long without a master it says what it is waiting for */

atomic_int ms_client_signal;

typedef enum client_end {
    GOES_ON,
    MASTER_SAID_BYE,
    MASTER_LOST,
    DISCONNECTED, /* and it may be there again */
    LEFT,
    STOPPED,
    REFUSED
} client_end;

typedef struct client {
    const ms_client_options *options;
    ms_executor *executor;
    int signals; /* sources in the poll set: addresses of the descriptors */
    int wake;
    int poll;
    char workers; /* ms_executor_tend looks after them, in every turn */
    int descriptor;
    ms_address_kind kind;
    char master[MS_ADDRESS_TEXT_MAX];
    ms_receiver receiver;
    ms_store store;
    ms_secure *secure; /* of this connection, null when it is not encrypted */
    uint64_t signal_count;
    bool leaving, released; /* we said bye; the master did */
    bool worn_out;          /* that is why we leave: another process is to come in place of this one */
    bool unread;  /* the system may have more bytes */
    bool hung_up; /* they are read to the end */
    uint8_t identity[MS_IDENTITY_SIZE];
    uint8_t session[MS_IDENTITY_SIZE]; /* of the master that we served last; all zero: none */
    uint64_t connected_at;
    uint64_t lost_at; /* since then there has been no master, but for moments */
    int pause_ms;     /* the next pause between two attempts */
    bool keeps;       /* what jobs give, for the same master; nothing in processes of their own outlives a connection */
    bool sought;      /* no master was found in time */
    uint64_t heard_at, leave_deadline;
    uint64_t silence_ns; /* so long without a word and the master is lost */
    client_end end;
    char why[MS_MESSAGE_MAX];
} client;

static void finish(client *c, client_end end, const char *why)
{
    if (c->end != GOES_ON)
        return;
    c->end = end;
    snprintf(c->why, sizeof c->why, "%s", why);
}

/* The executor wants its results looked after: the loop is woken. */
static void wake(void *context)
{
    uint64_t one = 1;
    ssize_t ignored = write(((client *)context)->wake, &one, sizeof one);
    (void)ignored;
}

/* ---- Connecting ---- */

static void drain(int descriptor)
{
    uint64_t ignored;
    while (read(descriptor, &ignored, sizeof ignored) > 0) {
    }
}

/* Waits so long, while jobs may go on; true when a signal came. */
static bool pause_for(const client *c, int timeout_ms)
{
    uint64_t now = ms_clock_ns(), deadline = now + (uint64_t)timeout_ms * MS_IN_NS;
    while (now < deadline) {
        struct pollfd wait[2] = {{.fd = c->signals, .events = POLLIN}, {.fd = c->wake, .events = POLLIN}};
        int left_ms = (int)((deadline - now) / MS_IN_NS) + 1, tend_ms = ms_executor_tend(c->executor);
        poll(wait, 2, tend_ms >= 0 && tend_ms < left_ms ? tend_ms : left_ms);
        if (wait[0].revents != 0)
            return true;
        if (wait[1].revents != 0)
            drain(c->wake);
        now = ms_clock_ns();
    }
    return false;
}

/* The next pause: twice as long as the one before, and anything from half to one and a half of that, so that slaves that lost their master
 * at the same moment don't come back at the same moment. */
static int next_pause_ms(client *c)
{
    uint8_t dice;
    int pause_ms = c->pause_ms;
    ms_random_bytes(&dice, sizeof dice);
    c->pause_ms = pause_ms * 2 < LONGEST_PAUSE_MS ? pause_ms * 2 : LONGEST_PAUSE_MS;
    return pause_ms / 2 + (pause_ms * dice + 255) / 256;
}

/* One attempt at each address. False with `why`; `*wrong` when no further attempt can succeed. */
static bool try_all(client *c, bool *wrong)
{
    ms_protection protection = ms_protection_of(&c->options->key, c->options->insecure);
    *wrong = true;
    for (int i = 0; i < c->options->address_count; i++) {
        bool this_wrong;
        const ms_address *address = &c->options->addresses[i];
        c->descriptor = ms_socket_connect(address, protection, 5000, &this_wrong, c->why);
        if (c->descriptor >= 0) {
            *wrong = false;
            c->kind = address->kind;
            ms_address_format(address, c->master);
            return true;
        }
        *wrong = *wrong && this_wrong;
    }
    return false;
}

static bool put_hello(const client *c, ms_sender *sender)
{
    ms_hello hello = {.slots = c->options->slots, .pid = (uint32_t)getpid()};
    memcpy(hello.fingerprint, ms_program.fingerprint, sizeof hello.fingerprint);
    if (gethostname(hello.host, sizeof hello.host - 1) != 0)
        strcpy(hello.host, "?");
    snprintf(hello.target, sizeof hello.target, "%s", ms_program.target);
    hello.blobs_max = c->store.size_max;
    memcpy(hello.identity, c->identity, sizeof hello.identity);
    memcpy(hello.session, c->session, sizeof hello.session);
    ms_bytes payload = {0};
    bool fine = ms_hello_encode(&payload, &hello) &&
                ms_sender_put(sender, (ms_header){0, MS_HELLO, (uint32_t)payload.size}, payload.data, payload.size);
    ms_bytes_free(&payload);
    return fine;
}

/* A master that stands still takes connections and says nothing: a slave that is to leave earlier does. */
static uint64_t greeting_deadline(const client *c, uint64_t now)
{
    uint64_t deadline = now + (uint64_t)GREETING_MS * MS_IN_NS, least = now + (uint64_t)LEAST_GREETING_MS * MS_IN_NS;
    if (c->options->once || c->options->connect_for <= 0)
        return deadline;
    uint64_t patience = c->lost_at + (uint64_t)(c->options->connect_for * 1e9);
    return patience >= deadline ? deadline : patience > least ? patience : least;
}

/* Sends the hello, behind the handshake about the key when there is one, and reads until it is answered by a frame. GOES_ON: it is. */
static client_end converse(client *c, ms_sender *sender, ms_frame *frame)
{
    uint64_t now = ms_clock_ns(), deadline = greeting_deadline(c, now);
    const char *trouble = put_hello(c, sender) ? NULL : "no memory";
    bool closed = false;
    while (trouble == NULL) {
        struct pollfd wait[2] = {{.fd = c->descriptor, .events = POLLIN}, {.fd = c->signals, .events = POLLIN}};
        if (ms_receiver_next(&c->receiver, frame))
            return GOES_ON;
        if (c->receiver.wrong != MS_WIRE_FINE)
            trouble = ms_wire_text(c->receiver.wrong);
        else if (closed || ms_sender_flush(sender, c->descriptor) == MS_CONN_BROKEN)
            trouble = "the connection was closed before the greeting";
        else if ((now = ms_clock_ns()) >= deadline)
            trouble = "no greeting came";
        if (trouble != NULL)
            break;
        poll(wait, 2, (int)((deadline - now) / MS_IN_NS) + 1);
        if (wait[1].revents != 0)
            return LEFT;
        ms_conn_status status = ms_receiver_read(&c->receiver, c->descriptor);
        closed = status == MS_CONN_CLOSED || status == MS_CONN_BROKEN;
    }
    bool refused = ms_secure_is_refusal(c->receiver.wrong);
    snprintf(c->why, sizeof c->why, "%s%s: %s", refused ? "the master at " : "", c->master, trouble);
    return refused ? REFUSED : MASTER_LOST;
}

/* GOES_ON: welcome. */
static client_end greet(client *c, ms_welcome *words)
{
    ms_frame frame;
    ms_sender sender = {.secure = c->receiver.secure};
    client_end end = converse(c, &sender, &frame);
    ms_sender_close(&sender);
    if (end != GOES_ON)
        return end;
    if (frame.header.jid == MS_REFUSE) {
        ms_printable(c->why, sizeof c->why, frame.payload, frame.header.length);
        return REFUSED;
    }
    if (ms_welcome_decode(words, frame.payload, frame.header.length) == MS_WIRE_FINE)
        return GOES_ON;
    snprintf(c->why, sizeof c->why, "%s: %s", c->master, ms_wire_text(MS_WIRE_BAD_PAYLOAD));
    return MASTER_LOST;
}

/* A receiver for a new connection, with keys of its own over TCP. */
static bool open_receiver(client *c)
{
    ms_wire_rules rules = {MS_FROM_MASTER, true, ms_program.job_count, c->options->payload_max};
    bool keyed = c->kind == MS_ADDRESS_TCP && c->options->key.known;
    ms_receiver_close(&c->receiver);
    ms_secure_destroy(c->secure);
    c->secure = keyed ? ms_secure_create(MS_SECURE_SLAVE, &c->options->key, NULL) : NULL;
    bool fine = ms_receiver_open(&c->receiver, &rules, NULL) && (!keyed || c->secure != NULL);
    c->receiver.secure = c->secure;
    return fine;
}

static client_end connect_once(client *c, ms_welcome *words, bool *wrong)
{
    if (!try_all(c, wrong))
        return MASTER_LOST;
    if (!open_receiver(c)) {
        close(c->descriptor);
        snprintf(c->why, sizeof c->why, "no memory");
        return MASTER_LOST;
    }
    client_end end = greet(c, words);
    if (end != GOES_ON) {
        close(c->descriptor);
        c->descriptor = -1;
    }
    return end;
}

/* Tries again and again, with growing pauses, as long as it may. */
static client_end connect_to_master(client *c, ms_welcome *words)
{
    uint64_t patience_ns = (uint64_t)(c->options->connect_for * 1e9);
    bool said = false, wrong = false;
    for (;;) {
        client_end end = connect_once(c, words, &wrong);
        uint64_t waited = ms_clock_ns() - c->lost_at;
        if (end == MASTER_LOST && wrong)
            return REFUSED;
        if (end != MASTER_LOST || waited >= patience_ns || c->options->once)
            return end;
        if (!said && waited >= SAY_SO_NS) {
            ms_say(c->options->quiet, "waiting for a master: %s", c->why);
            said = true;
        }
        uint64_t left_ms = (patience_ns - waited) / MS_IN_NS + 1;
        int pause_ms = next_pause_ms(c);
        if (pause_for(c, left_ms < (uint64_t)pause_ms ? (int)left_ms : pause_ms))
            return LEFT;
    }
}

/* ---- Frames ---- */

static void send_control(client *c, ms_control kind, const void *payload, size_t size)
{
    ms_executor_send(c->executor, (ms_header){0, (uint32_t)kind, (uint32_t)size}, payload);
}

/* A job that crossed our bye. */
static void give_back(client *c, uint32_t jid)
{
    uint8_t bytes[4];
    ms_put_u32(bytes, jid);
    send_control(c, MS_RECALLED, bytes, sizeof bytes);
}

static void take_job(client *c, const ms_frame *frame)
{
    uint8_t *payload = NULL;
    if (c->leaving) {
        give_back(c, frame->header.jid);
        return;
    }
    if ((frame->payload == NULL && frame->header.length > 0) ||
        (c->options->memory_max > 0 && frame->header.length > c->options->memory_max)) {
        ms_executor_reject(c->executor, frame);
        return;
    }
    bool fine = frame->header.length <= MS_WORK_INLINE_SIZE || (payload = ms_receiver_take(&c->receiver, frame)) != NULL;
    if (!fine || !ms_executor_add(c->executor, (uint32_t)frame->header.ordinal, frame->header.jid, frame->payload,
                                  frame->header.length, payload)) {
        ms_payload_free(payload, frame->header.length);
        finish(c, MASTER_LOST, "no memory for a job's arguments");
    }
}

/* The next blob. One that there is no memory for costs the jobs that want it. */
static void take_blob(client *c, const ms_frame *frame)
{
    uint8_t *payload = frame->payload == NULL ? NULL : ms_receiver_take(&c->receiver, frame);
    const char *wrong = ms_store_add(&c->store, frame->header.length, payload);
    if (wrong != NULL)
        finish(c, MASTER_LOST, wrong);
}

/* A job whose arguments lie partly in blobs. */
static void take_run(client *c, const ms_frame *frame)
{
    ms_run_head head;
    ms_pieces *pieces;
    uint32_t payload_max = c->receiver.rules.payload_max;
    const char *wrong = ms_store_gather(&c->store, frame->payload, frame->header.length, payload_max, &head, &pieces);
    if (wrong != NULL) {
        finish(c, MASTER_LOST, wrong);
        return;
    }
    if (c->leaving) {
        give_back(c, head.jid);
    } else if (c->options->memory_max > 0 && head.size > c->options->memory_max) {
        ms_executor_reject(c->executor, &(ms_frame){{(int32_t)head.ordinal, head.jid, head.size}, NULL});
    } else {
        if (!ms_executor_add_pieces(c->executor, &head, pieces))
            finish(c, MASTER_LOST, "no memory for a job's arguments");
        return;
    }
    ms_pieces_free(pieces);
}

static void handle(client *c, const ms_frame *frame)
{
    if (frame->header.ordinal != 0) {
        take_job(c, frame);
        return;
    }
    if (frame->header.jid == MS_BLOB) {
        take_blob(c, frame);
        return;
    }
    if (frame->payload == NULL && frame->header.length > 0) {
        finish(c, MASTER_LOST, "no memory for what came from it");
        return;
    }
    switch ((ms_control)frame->header.jid) {
    case MS_PING: send_control(c, MS_PONG, frame->payload, frame->header.length); break;
    case MS_CANCEL: ms_executor_cancel(c->executor, ms_get_u32(frame->payload)); break;
    case MS_RECALL:
        if (frame->header.length % 4 != 0)
            finish(c, MASTER_LOST, ms_wire_text(MS_WIRE_BAD_PAYLOAD));
        else
            ms_executor_recall(c->executor, frame->payload, frame->header.length);
        break;
    case MS_OFFER:
        if (!ms_executor_taken(c->executor, frame->payload, frame->header.length))
            finish(c, MASTER_LOST, "an answer to an offer that was not made");
        break;
    case MS_PONG: ms_executor_pong(c->executor, frame->payload, frame->header.length); break;
    case MS_CLOCK: ms_executor_clock(c->executor, frame->payload); break;
    case MS_RESULT:
        if (!ms_executor_child_ended(c->executor, frame->payload, frame->header.length))
            finish(c, MASTER_LOST, "a result that cannot be");
        break;
    case MS_RUN: take_run(c, frame); break;
    case MS_FORGET: {
        const char *wrong = ms_store_forget(&c->store, frame->payload, frame->header.length);
        if (wrong != NULL)
            finish(c, MASTER_LOST, wrong);
        break;
    }
    case MS_BYE:
        if (c->leaving)
            c->released = true;
        else
            finish(c, MASTER_SAID_BYE, "");
        break;
    default: break;
    }
}

static void read_frames(client *c)
{
    ms_frame frame;
    ms_conn_status status = ms_receiver_read(&c->receiver, c->descriptor);
    int error = errno;
    if (c->receiver.heard)
        c->heard_at = ms_clock_ns();
    while (c->end == GOES_ON && ms_receiver_next(&c->receiver, &frame))
        handle(c, &frame);
    ms_executor_begin(c->executor);
    if (c->receiver.wrong != MS_WIRE_FINE)
        finish(c, c->receiver.wrong == MS_WIRE_FORGED ? DISCONNECTED : MASTER_LOST, ms_wire_text(c->receiver.wrong));
    else if (status == MS_CONN_CLOSED)
        finish(c, c->released ? LEFT : DISCONNECTED, "it closed the connection without a word");
    else if (status == MS_CONN_BROKEN)
        finish(c, c->released ? LEFT : DISCONNECTED, strerror(error));
    c->unread = status == MS_CONN_MORE || (status == MS_CONN_DRY && c->hung_up);
}

/* ---- Leaving ---- */

/* No more jobs from here on; those that have not begun go back. */
static void begin_leaving(client *c)
{
    c->leaving = true;
    c->leave_deadline = UINT64_MAX;
    send_control(c, MS_BYE, NULL, 0);
    ms_executor_take_back(c->executor);
}

static void take_signals(client *c)
{
    uint64_t count = 0;
    while (read(c->signals, &count, sizeof count) == (ssize_t)sizeof count)
        c->signal_count += count;
    c->worn_out = c->worn_out && c->signal_count == 0;
    if (c->signal_count >= 2)
        finish(c, STOPPED, "");
    else if (c->signal_count == 1 && !c->leaving)
        begin_leaving(c);
}

/* All jobs have been answered: gone, when the master has said that no more will come, or does not answer. */
static void look_whether_to_leave(client *c, uint64_t now)
{
    if (!c->leaving && ms_executor_worn_out(c->executor)) {
        c->worn_out = true;
        begin_leaving(c);
    }
    if (!c->leaving || !ms_executor_idle(c->executor))
        return;
    if (c->leave_deadline == UINT64_MAX)
        c->leave_deadline = now + (uint64_t)LEAVE_MS * MS_IN_NS;
    if (c->released || now >= c->leave_deadline)
        finish(c, LEFT, "");
}

/* ---- The loop ---- */

static int next_timeout(const client *c, int tend_ms)
{
    int timeout_ms = tend_ms;
    if (c->unread)
        return 0;
    if (c->leaving)
        timeout_ms = timeout_ms < 0 || timeout_ms > 10 ? 10 : timeout_ms;
    if ((c->silence_ns > 0 || ms_blocks_kept_size() > 0) && (timeout_ms < 0 || timeout_ms > 500))
        timeout_ms = 500;
    return timeout_ms;
}

static void turn(client *c)
{
    ms_event events[EVENT_MAX];
    int count = ms_poll_wait(c->poll, events, EVENT_MAX, next_timeout(c, ms_executor_tend(c->executor)));
    bool readable = c->unread;
    for (int i = 0; i < count; i++) {
        if (events[i].owner == &c->signals)
            take_signals(c);
        else if (events[i].owner == &c->wake)
            drain(c->wake);
        else if (events[i].writable && events[i].owner == &c->descriptor)
            ms_executor_writable(c->executor);
        readable = readable || (events[i].owner == &c->descriptor && events[i].readable);
        c->hung_up = c->hung_up || (events[i].owner == &c->descriptor && events[i].hung_up);
    }
    if (readable && c->end == GOES_ON)
        read_frames(c);
    uint64_t now = ms_clock_ns();
    ms_blocks_trim(now);
    if (c->silence_ns > 0 && now - c->heard_at > c->silence_ns)
        finish(c, DISCONNECTED, "no word from it");
    look_whether_to_leave(c, now);
}

static bool prepare(client *c)
{
    c->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    c->poll = ms_poll_create();
    const ms_client_options *given = c->options;
    ms_executor_options options = {.slots = given->slots, .shown_slots = given->slots, .memory_max = given->memory_max,
                                   .waiting_max = given->waiting_max, .jobs_max = given->jobs_max, .pristine = given->pristine,
                                   .quiet = given->quiet, .wake = wake, .context = c};
    c->executor = c->wake < 0 || c->poll < 0 ? NULL : ms_executor_create(&options);
    c->pause_ms = FIRST_PAUSE_MS;
    c->lost_at = ms_clock_ns();
    c->store.size_max = given->memory_max > 0 && given->memory_max < given->blobs_max ? given->memory_max : given->blobs_max;
    c->keeps = !given->once && given->connect_for > 0 && given->pristine == NULL;
    if (c->keeps)
        ms_random_bytes(c->identity, sizeof c->identity);
    if (c->executor == NULL || !ms_poll_add(c->poll, c->wake, &c->wake) || !ms_poll_add(c->poll, c->signals, &c->signals))
        return false;
    int workers = ms_executor_descriptor(c->executor);
    return workers < 0 || ms_poll_add(c->poll, workers, &c->workers);
}

static void serve(client *c, const ms_welcome *words)
{
    uint32_t payload_max = words->payload_max < c->options->payload_max ? words->payload_max : c->options->payload_max;
    c->receiver.rules.greeting = false;
    ms_store_clear(&c->store);
    c->receiver.arguments_max = c->options->memory_max;
    c->heard_at = c->connected_at = ms_clock_ns();
    c->hung_up = false;
    c->silence_ns = 0;
    /* A unix socket says by itself that the other end is gone; over TCP it may vanish without a word. */
    if (c->kind == MS_ADDRESS_TCP)
        c->silence_ns = (uint64_t)words->heartbeat_ms * MS_IN_NS * SILENT_HEARTBEATS + 1000u * MS_IN_NS;
    static const uint8_t none[MS_IDENTITY_SIZE];
    bool same = memcmp(c->session, words->session, sizeof c->session) == 0 && memcmp(c->session, none, sizeof none) != 0;
    if (!same)
        c->lost_at = c->connected_at;
    if (c->keeps)
        memcpy(c->session, words->session, sizeof c->session);
    ms_executor_connect(c->executor, c->descriptor, c->secure, payload_max, same);
    c->unread = true; /* frames may have come with the welcome */
    if (!ms_poll_add(c->poll, c->descriptor, &c->descriptor))
        finish(c, MASTER_LOST, strerror(errno));
    while (c->end == GOES_ON)
        turn(c);
}

/* The connection is gone. Whether to look for a master again: for that one, or another that is there in its place. */
static bool comes_back(client *c)
{
    uint64_t now = ms_clock_ns();
    bool steady = now - c->connected_at >= STEADY_NS;
    if (c->end != DISCONNECTED || c->leaving || c->options->once || c->options->connect_for <= 0)
        return false;
    if (!steady && (double)(now - c->lost_at) >= c->options->connect_for * 1e9)
        return false;
    ms_say(c->options->quiet, "the master at %s is gone: %s; trying to find one for %g s", c->master, c->why, c->options->connect_for);
    ms_executor_disconnect(c->executor);
    close(c->descriptor);
    c->descriptor = -1;
    c->end = GOES_ON;
    if (steady) {
        c->lost_at = now;
        c->pause_ms = FIRST_PAUSE_MS;
    }
    bool stopped = pause_for(c, next_pause_ms(c));
    while (!stopped && !c->keeps && !ms_executor_runs_nothing(c->executor)) /* its answer would go to another master */
        stopped = pause_for(c, KILLED_MS);
    return !stopped;
}

static int status_of(const client *c)
{
    switch (c->end) {
    case GOES_ON:
    case MASTER_SAID_BYE: return 0;
    case LEFT: return c->worn_out ? MS_CLIENT_REPLACE : 0;
    case STOPPED: return 128 + atomic_load(&ms_client_signal);
    case REFUSED: ms_say(c->options->quiet, "%s", c->why); return STATUS_REFUSED;
    case DISCONNECTED:
    case MASTER_LOST:
        if (c->sought && c->connected_at == 0 && c->options->replaces)
            return 0;
        if (c->sought) {
            ms_say(c->options->quiet, "%s", c->why);
            return STATUS_NO_MASTER;
        }
        ms_say(c->options->quiet, "the master at %s is gone: %s", c->master, c->why);
        return STATUS_NO_MASTER;
    }
    return STATUS_NO_MASTER;
}

static void release(client *c)
{
    const int descriptors[] = {c->descriptor, c->wake, c->poll};
    if (c->executor != NULL)
        ms_executor_destroy(c->executor);
    ms_receiver_close(&c->receiver);
    ms_secure_destroy(c->secure);
    ms_store_clear(&c->store);
    for (int i = 0; i < 3; i++)
        if (descriptors[i] >= 0)
            close(descriptors[i]);
}

int ms_client_run(const ms_client_options *options, int signals)
{
    client c = {.options = options, .signals = signals, .descriptor = -1};
    ms_welcome words;
    int status = STATUS_FAILED;
    if (!prepare(&c)) {
        ms_say(false, "cannot start: %s", strerror(errno));
        release(&c);
        return status;
    }
    do {
        c.end = connect_to_master(&c, &words);
        if (c.end == GOES_ON)
            serve(&c, &words);
        else
            c.sought = c.end == MASTER_LOST;
    } while (comes_back(&c));
    ms_executor_cancel_all(c.executor);
    status = status_of(&c);
    if (!ms_executor_settle(c.executor, c.end == STOPPED ? 0 : SETTLE_MS))
        _exit(status); /* a job that does not let itself be stopped ends with the process */
    release(&c);
    return status;
}
