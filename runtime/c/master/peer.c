/* The life of a connection, and the doing of what the scheduler decides. */
#include "master/peer.h"

#include "core/clock.h"
#include "master/losses.h"
#include "master/measure.h"
#include "master/output.h"
#include "master/parts.h"
#include "net/poll.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    READS_FOR_A_TURN = 4, /* then the others have theirs */
    SPARE_TAIL_MAX = 256 << 10,
    SILENT_HEARTBEATS = 3
};
#define CUT_OFF "cut off: " /* how a reason begins that is a broken rule */

static uint64_t heartbeat_ns(const ms_server *server)
{
    return (uint64_t)(server->options.heartbeat * 1e9);
}

/* ---- Lists ---- */

static void mark_dirty(ms_server *server, ms_peer *peer)
{
    if (peer->dirty)
        return;
    peer->dirty = true;
    peer->next_dirty = server->dirty;
    peer->dirty_link = &server->dirty;
    if (server->dirty != NULL)
        server->dirty->dirty_link = &peer->next_dirty;
    server->dirty = peer;
}

static void clear_dirty(ms_peer *peer)
{
    if (!peer->dirty)
        return;
    peer->dirty = false;
    *peer->dirty_link = peer->next_dirty;
    if (peer->next_dirty != NULL)
        peer->next_dirty->dirty_link = peer->dirty_link;
}

static void set_unread(ms_server *server, ms_peer *peer, bool unread)
{
    if (peer->unread == unread)
        return;
    peer->unread = unread;
    if (unread) {
        peer->next_unread = server->unread;
        peer->unread_link = &server->unread;
        if (server->unread != NULL)
            server->unread->unread_link = &peer->next_unread;
        server->unread = peer;
        return;
    }
    *peer->unread_link = peer->next_unread;
    if (peer->next_unread != NULL)
        peer->next_unread->unread_link = peer->unread_link;
}

/* ---- Doom ---- */

void ms_peer_doom(ms_server *server, ms_peer *peer, const char *format, ...)
{
    if (peer->state == MS_PEER_DOOMED)
        return;
    if (format != NULL) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(peer->reason, sizeof peer->reason, format, arguments);
        va_end(arguments);
        peer->cut_off = strncmp(peer->reason, CUT_OFF, strlen(CUT_OFF)) == 0;
    }
    if (peer->state == MS_PEER_GREETING)
        server->greeting_count--;
    if (peer->slave != MS_NO_SLAVE)
        ms_scheduler_dropping(server->scheduler, peer->slave);
    peer->state = MS_PEER_DOOMED;
    peer->next_doomed = server->doomed;
    server->doomed = peer;
}

void ms_peers_publish_counts(ms_server *server)
{
    atomic_store(&server->slave_count, server->scheduler->slave_count);
    atomic_store(&server->slot_count, server->scheduler->slot_count);
    if (server->scheduler->slave_count > 0 || server->lonely_since == 0)
        server->lonely_since = server->now;
    if (server->scheduler->slave_count > 0)
        server->lonely_said = false;
    if (server->scheduler->slave_count >= atomic_load(&server->wanted_slaves))
        server->wake_needed = true;
}

static void unlink_peer(ms_server *server, ms_peer *peer)
{
    clear_dirty(peer);
    set_unread(server, peer, false);
    if (peer->previous != NULL)
        peer->previous->next = peer->next;
    else
        server->peers = peer->next;
    if (peer->next != NULL)
        peer->next->previous = peer->previous;
}

/* "slave 10.0.0.7:4242 lost (no word for 6 s), 3 jobs go back to the queue, 1 has failed: it has lost 3 slaves" */
static void log_loss(ms_server *server, const ms_peer *peer, uint32_t back_count, uint32_t failed_count)
{
    char failed[80] = "";
    uint32_t lost_max = server->options.lost_max;
    if (failed_count > 0)
        snprintf(failed, sizeof failed, ", %u %s lost %u slave%s", failed_count, failed_count == 1 ? "has failed: it has" : "have failed: they have",
                 lost_max, lost_max == 1 ? "" : "s");
    ms_server_log(server, "slave %s lost (%s), %u job%s back to the queue%s", peer->name,
                  peer->reason[0] == '\0' ? "it closed the connection" : peer->reason, back_count, back_count == 1 ? " goes" : "s go", failed);
}

void ms_peer_lose(ms_server *server, ms_peer *peer)
{
    ms_scheduler *scheduler = server->scheduler;
    ms_nested_close(server, peer);
    ms_sender_close(&peer->sender);
    ms_holdings_close(server, peer);
    if (peer->slave == MS_NO_SLAVE || server->closing)
        return;
    uint32_t inflight = scheduler->slaves[peer->slave].inflight, job_count = inflight - scheduler->slaves[peer->slave].given_up;
    if (peer->cut_off)
        ms_scheduler_identify(scheduler, peer->slave, NULL);
    if (server->watch != NULL)
        ms_watch_lost(server, peer, peer->reason);
    server->by_slave[peer->slave] = NULL;
    uint32_t back_count = ms_scheduler_lost(scheduler, peer->slave, server->now);
    if (peer->reason[0] != '\0' || inflight > 0)
        log_loss(server, peer, back_count, job_count > back_count ? job_count - back_count : 0);
    peer->slave = MS_NO_SLAVE;
    peer->reason[0] = '\0';
    ms_peers_act(server);
    ms_peers_publish_counts(server);
}

static void close_peer(ms_server *server, ms_peer *peer)
{
    unlink_peer(server, peer);
    ms_peer_lose(server, peer);
    close(peer->descriptor);
    ms_receiver_close(&peer->receiver);
    ms_secure_destroy(peer->secure);
    if (peer->reason[0] != '\0' && (peer->slave == MS_NO_SLAVE || server->closing))
        ms_peers_log_stranger(server, peer);
    free(peer->seen.lane_ends);
    free(peer);
}

void ms_peers_reap(ms_server *server)
{
    while (server->doomed != NULL) { /* closing one may doom another */
        ms_peer *peer = server->doomed;
        server->doomed = peer->next_doomed;
        close_peer(server, peer);
    }
}

/* ---- Sending ---- */

/* Memory for frames goes from peer to peer, so that one with nothing to send has none. */
static void lend_tail(ms_server *server, ms_peer *peer)
{
    if (peer->sender.tail.data == NULL && server->spare_tail_count > 0)
        peer->sender.tail = server->spare_tails[--server->spare_tail_count];
}

static void take_tail_back(ms_server *server, ms_peer *peer)
{
    if (peer->sender.tail.data == NULL)
        return;
    if (server->spare_tail_count == MS_SPARE_TAILS || peer->sender.tail.capacity > SPARE_TAIL_MAX)
        ms_bytes_free(&peer->sender.tail);
    else
        server->spare_tails[server->spare_tail_count++] = peer->sender.tail;
    ms_bytes_init(&peer->sender.tail);
}

void ms_peer_begin(ms_server *server, ms_peer *peer, ms_header header, const void *head, size_t head_size)
{
    if (peer->state == MS_PEER_DOOMED)
        return;
    if (head_size == header.length) /* else the tail is about to become a segment, and does not come back */
        lend_tail(server, peer);
    if (ms_sender_size(&peer->sender) == 0)
        peer->moved_at = server->now;
    if (!ms_sender_put(&peer->sender, header, head, head_size))
        ms_peer_doom(server, peer, "no memory for what it is to be sent");
    mark_dirty(server, peer);
}

void ms_peer_send(ms_server *server, ms_peer *peer, ms_header header, const void *payload)
{
    ms_peer_begin(server, peer, header, payload, header.length);
}

void ms_peer_lend(ms_server *server, ms_peer *peer, ms_segment bytes)
{
    if (peer->state != MS_PEER_DOOMED && ms_sender_share(&peer->sender, bytes))
        return;
    ms_peer_doom(server, peer, "no memory for what it is to be sent");
    bytes.release(bytes.owner);
}

void ms_peer_give(ms_server *server, ms_peer *peer, ms_bytes *frame)
{
    if (peer->state == MS_PEER_DOOMED)
        return;
    if (ms_sender_size(&peer->sender) == 0)
        peer->moved_at = server->now;
    if (!ms_sender_give(&peer->sender, frame))
        ms_peer_doom(server, peer, "no memory for what it is to be sent");
    mark_dirty(server, peer);
}

void ms_peer_send_control(ms_server *server, ms_peer *peer, ms_control kind, const void *payload, size_t size)
{
    ms_peer_send(server, peer, (ms_header){0, (uint32_t)kind, (uint32_t)size}, payload);
}

static void send_cancel(ms_server *server, ms_peer *peer, uint32_t jid)
{
    uint8_t bytes[4];
    ms_put_u32(bytes, jid);
    ms_peer_send_control(server, peer, MS_CANCEL, bytes, sizeof bytes);
}

void ms_peer_flush(ms_server *server, ms_peer *peer)
{
    if (peer->state == MS_PEER_DOOMED)
        return;
    size_t before = ms_sender_size(&peer->sender);
    ms_conn_status status = ms_sender_flush(&peer->sender, peer->descriptor);
    peer->sent_size += before - ms_sender_size(&peer->sender);
    server->sent_size += before - ms_sender_size(&peer->sender);
    if (ms_sender_size(&peer->sender) < before)
        peer->moved_at = server->now;
    if (status == MS_CONN_DONE)
        take_tail_back(server, peer);
    if (status != MS_CONN_BROKEN)
        return;
    if (errno != EPIPE && errno != ECONNRESET) {
        ms_peer_doom(server, peer, "%s", strerror(errno));
        return;
    }
    peer->hung_up = true; /* it may have answered before it went */
    set_unread(server, peer, true);
}

void ms_peers_flush(ms_server *server)
{
    while (server->dirty != NULL) {
        ms_peer *peer = server->dirty;
        clear_dirty(peer);
        ms_peer_flush(server, peer);
    }
}

/* ---- What the scheduler wants ---- */

static void fail_too_large(ms_job *job, uint64_t size, uint64_t size_max)
{
    char message[96];
    int length = snprintf(message, sizeof message, "arguments of %llu bytes, the limit is %llu", (unsigned long long)size,
                          (unsigned long long)size_max);
    ms_job_fail(job, MS_CAUSE_ITSELF, ms_failure_create("", message, (uint32_t)length, NULL, 0));
}

/* Puts the results of its dependencies into the arguments. False: the job has ended instead. */
static bool fill(ms_server *server, ms_job *job)
{
    uint64_t size;
    ms_job *failed;
    if (!ms_job_claim(job))
        return false;
    ms_job_share_results(&server->blobs, server->pool, job);
    switch (ms_job_fill(server->pool, job, server->options.payload_max, false, &size, &failed)) {
    case MS_FILLED: ms_job_unclaim(job); return true;
    case MS_FILL_FAILED: ms_job_fail_like(job, failed); break;
    case MS_FILL_NO_MEMORY: ms_job_fail(job, MS_CAUSE_MASTER, NULL); break;
    case MS_FILL_TOO_LARGE: fail_too_large(job, size, server->options.payload_max); break;
    }
    if (ms_job_publish(job, ms_server_end_number(server)))
        server->wake_needed = true;
    return false;
}

/* One recall for the jids of this action and of those behind it for the same slave. Gives the number of the last one. */
static uint32_t send_recall(ms_server *server, ms_peer *peer, uint32_t at)
{
    const ms_scheduler *scheduler = server->scheduler;
    ms_bytes jids = {0};
    uint8_t bytes[4];
    const ms_action *first = &scheduler->actions[at], *action = first;
    bool fine = true;
    for (; at < scheduler->action_count && action->kind == MS_SEND_RECALL && action->slave == first->slave; at++, action++) {
        ms_put_u32(bytes, action->jid);
        fine = fine && ms_bytes_append(&jids, bytes, sizeof bytes);
    }
    if (peer != NULL && !fine)
        ms_peer_doom(server, peer, "no memory for what it is to be sent");
    else if (peer != NULL)
        ms_peer_send_control(server, peer, MS_RECALL, jids.data, jids.size);
    ms_bytes_free(&jids);
    return at - 1;
}

static void let_go(ms_server *server, ms_job *job)
{
    ms_job_drop_holes(server->pool, job, false);
    ms_job_drop(server->pool, job, false);
}

/* The job is over for the scheduler; `frame` is the answer that ended it, null when it was none. */
static void end_job(ms_server *server, const ms_action *action, ms_peer *peer, const ms_frame *frame)
{
    ms_job *job = action->job;
    if (action->end == MS_END_FINISHED)
        server->finished_count++;
    else
        server->failed_count++;
    if (ms_job_claim(job)) {
        ms_failure_view view;
        uint8_t *payload = NULL;
        if (action->end == MS_END_FINISHED) {
            if (frame->header.length > MS_INLINE_SIZE && (payload = ms_receiver_take(&peer->receiver, frame)) == NULL)
                ms_job_fail(job, MS_CAUSE_MASTER, NULL);
            else if (!ms_job_finish(job, frame->payload, frame->header.length, &payload))
                ms_job_fail(job, MS_CAUSE_MASTER, NULL);
        } else if (action->end == MS_END_FAILED) {
            ms_failure_decode(&view, frame->payload, frame->header.length);
            ms_job_fail(job, MS_CAUSE_ITSELF,
                        ms_failure_create(peer->name, view.message, view.message_size, view.story, view.story_size));
        } else if (action->end == MS_END_LIKE) {
            while (ms_job_state_now(action->source) == (uint32_t)MS_RUNNING)
                sched_yield(); /* the program has claimed its end, and publishes it at once */
            ms_job_fail_like(job, action->source);
        } else {
            bool lost = action->end == MS_END_LOST;
            ms_job_fail(job, lost ? MS_CAUSE_LOST : MS_CAUSE_CANCELLED, lost ? ms_loss_failure(job) : NULL);
        }
        if (ms_job_publish(job, ms_server_end_number(server)))
            server->wake_needed = true;
    }
    if (server->watch != NULL)
        ms_watch_ended(server, job, action->end == MS_END_FAILED ? peer->seen.number : 0);
    ms_nested_tell(server, job);
    let_go(server, job);
}

static void run_job(ms_server *server, ms_peer *to, const ms_action *action)
{
    ms_job *job = action->job;
    uint64_t sent_size = 0;
    if (job->relations == NULL && job->arguments_size < MS_LARGE_SIZE) { /* as most are */
        if (to != NULL)
            ms_peer_send(server, to, (ms_header){(int32_t)job->ordinal, action->jid, job->arguments_size}, ms_job_arguments(job));
        return;
    }
    if (ms_job_has_holes(job) && !fill(server, job))
        ms_scheduler_unsent(server->scheduler, job, server->now);
    else if (to != NULL)
        sent_size = ms_runs_send(server, to, job, action->jid);
    if (server->watch != NULL && job->place == MS_PLACE_RUNNING)
        ms_watch_sent(server, job, sent_size);
}

static void act_with(ms_server *server, ms_peer *peer, const ms_frame *frame)
{
    ms_scheduler *scheduler = server->scheduler;
    for (uint32_t i = 0; i < scheduler->action_count; i++) {
        const ms_action one = scheduler->actions[i], *action = &one; /* doing it may add others */
        ms_peer *to = action->kind == MS_JOB_ENDED || action->slave >= server->by_slave_capacity ? NULL : server->by_slave[action->slave];
        switch (action->kind) {
        case MS_SEND_RUN: run_job(server, to, action); break;
        case MS_SEND_CANCEL:
            if (to != NULL)
                send_cancel(server, to, action->jid);
            break;
        case MS_SEND_PING:
            ms_peer_send_control(server, to, MS_PING, NULL, 0);
            if (server->watch != NULL)
                ms_watch_ask_clock(server, to);
            break;
        case MS_DROP_SLAVE:
            ms_peer_doom(server, to, "no word for %g s", server->options.heartbeat * SILENT_HEARTBEATS);
            break;
        case MS_SEND_RECALL: i = send_recall(server, to, i); break;
        case MS_JOB_ENDED: end_job(server, action, peer, frame); break;
        }
    }
    ms_scheduler_clear_actions(scheduler);
}

void ms_peers_act(ms_server *server)
{
    act_with(server, NULL, NULL);
}

/* ---- Frames ---- */

static void too_early(ms_server *server, ms_peer *peer)
{
    ms_sender_close(&peer->sender);
    ms_peer_doom(server, peer, "cut off: it answered before it had read the arguments");
}

static void answered(ms_server *server, ms_peer *peer, const ms_frame *frame)
{
    ms_failure_view view;
    const ms_header *header = &frame->header;
    if (header->ordinal < 0 && ms_failure_decode(&view, frame->payload, header->length) != MS_WIRE_FINE) {
        ms_peer_doom(server, peer, "cut off: a failure without its message");
        return;
    }
    switch (ms_scheduler_answer(server->scheduler, peer->slave, header->ordinal, header->jid, server->now)) {
    case MS_ANSWER_FINE:
        if (server->watch != NULL)
            ms_watch_answer(server, peer, header, server->scheduler->actions[0].job);
        if (server->scheduler->actions[0].job->lent)
            too_early(server, peer);
        break;
    case MS_ANSWER_STALE:
        if (server->watch != NULL)
            ms_watch_answer(server, peer, header, NULL);
        break;
    case MS_ANSWER_WRONG: ms_peer_doom(server, peer, "cut off: it answered a job that it does not have"); break;
    }
    act_with(server, peer, frame);
}

/* The process that ran a job died, and only that. */
static void crashed(ms_server *server, ms_peer *peer, const ms_frame *frame)
{
    uint32_t jid = ms_get_u32(frame->payload);
    ms_job *job = ms_scheduler_job(server->scheduler, peer->slave, jid);
    if (job != NULL && job->lent) {
        ms_sender_close(&peer->sender);
        ms_peer_doom(server, peer, "cut off: it answered before it had read the arguments");
        return;
    }
    if (job != NULL)
        ms_loss_note(job, peer->name, frame->payload + 4, frame->header.length - 4);
    if (job != NULL && server->watch != NULL)
        ms_watch_crashed(server, peer, job, jid);
    if (ms_scheduler_crashed(server->scheduler, peer->slave, jid, server->now) == MS_ANSWER_WRONG)
        ms_peer_doom(server, peer, "cut off: a job crashed that it does not have");
    if (job != NULL)
        ms_loss_log(server, peer, job, frame->payload + 4, frame->header.length - 4);
    ms_peers_act(server);
}

static void printed(ms_server *server, ms_peer *peer, const ms_frame *frame)
{
    uint8_t stream = frame->payload[4];
    ms_answer known = ms_scheduler_attempt(server->scheduler, peer->slave, ms_get_u32(frame->payload));
    if (known == MS_ANSWER_WRONG || (stream != 1 && stream != 2))
        ms_peer_doom(server, peer, "cut off: output of a job that it does not have");
    else if (known == MS_ANSWER_FINE)
        ms_output_forward(stream, frame->payload + MS_OUTPUT_HEAD_SIZE, frame->header.length - MS_OUTPUT_HEAD_SIZE);
}

static void took(ms_server *server, ms_peer *peer, const ms_frame *frame)
{
    uint32_t ordinal = ms_get_u32(frame->payload), count = ms_get_u32(frame->payload + 4);
    if (ordinal == 0 || ordinal > ms_program.job_count || count == 0)
        ms_peer_doom(server, peer, "cut off: %s", ms_wire_text(MS_WIRE_BAD_PAYLOAD));
    else
        ms_measure_told(server->scheduler, ordinal, count, ms_get_u64(frame->payload + 8));
}

static void recalled(ms_server *server, ms_peer *peer, const ms_frame *frame)
{
    for (uint32_t at = 0; at + 4 <= frame->header.length && peer->state != MS_PEER_DOOMED; at += 4) {
        uint32_t jid = ms_get_u32(frame->payload + at);
        const ms_job *job = ms_scheduler_job(server->scheduler, peer->slave, jid);
        if (job != NULL && job->lent)
            too_early(server, peer);
        else if (ms_scheduler_give_back(server->scheduler, peer->slave, jid, server->now) == MS_ANSWER_WRONG)
            ms_peer_doom(server, peer, "cut off: it gave a job back that it does not have");
        ms_peers_act(server);
    }
    if (frame->header.length % 4 != 0)
        ms_peer_doom(server, peer, "cut off: %s", ms_wire_text(MS_WIRE_BAD_PAYLOAD));
    ms_scheduler_recalled(server->scheduler, peer->slave, server->now);
    ms_peers_act(server);
}

static void said_bye(ms_server *server, ms_peer *peer)
{
    if (peer->state == MS_PEER_LEAVING)
        return;
    peer->state = MS_PEER_LEAVING;
    ms_scheduler_leaving(server->scheduler, peer->slave, server->now);
    ms_peers_act(server);
    ms_peer_send_control(server, peer, MS_BYE, NULL, 0);
    ms_peers_publish_counts(server);
}

/* There was no memory for what came. A result costs its job no further attempts, which would end the same way. */
static void came_in_vain(ms_server *server, ms_peer *peer, const ms_frame *frame)
{
    char message[96];
    uint8_t payload[4 + sizeof message];
    if (frame->header.ordinal == 0) {
        ms_peer_doom(server, peer, "no memory for %u bytes that it sent", frame->header.length);
        return;
    }
    int size = snprintf(message, sizeof message, "out of memory: the master has no room for a result of %u bytes", frame->header.length);
    ms_put_u32(payload, (uint32_t)size);
    memcpy(payload + 4, message, (size_t)size);
    ms_header header = frame->header;
    header.ordinal = header.ordinal > 0 ? -header.ordinal : header.ordinal;
    header.length = 4 + (uint32_t)size;
    answered(server, peer, &(ms_frame){header, payload});
}

static void handle(ms_server *server, ms_peer *peer, const ms_frame *frame)
{
    if (frame->payload == NULL && frame->header.length > 0) {
        came_in_vain(server, peer, frame);
        return;
    }
    if (frame->header.ordinal != 0) {
        answered(server, peer, frame);
        return;
    }
    switch ((ms_control)frame->header.jid) {
    case MS_HELLO: ms_greeting_handle(server, peer, frame); break;
    case MS_PING: ms_peer_send_control(server, peer, MS_PONG, frame->payload, frame->header.length); break;
    case MS_OUTPUT: printed(server, peer, frame); break;
    case MS_CRASHED: crashed(server, peer, frame); break;
    case MS_RECALLED: recalled(server, peer, frame); break;
    case MS_BYE: said_bye(server, peer); break;
    case MS_TOOK: took(server, peer, frame); break;
    case MS_OFFER: ms_greeting_offered(server, peer, frame); break;
    case MS_SPAWN:
    case MS_RELEASE:
    case MS_CANCEL:
    case MS_LENT:
    case MS_REGAINED: ms_nested_handle(server, peer, frame); break;
    case MS_CLOCK:
    case MS_TIMED:
        if (server->watch != NULL)
            ms_watch_handle(server, peer, frame->header.jid, frame->payload, frame->header.length);
        break;
    default: break; /* a pong: that something came is all it says */
    }
}

static void read_ended(ms_server *server, ms_peer *peer, ms_conn_status status)
{
    if (status == MS_CONN_BROKEN && !(peer->state == MS_PEER_LEAVING && errno == ECONNRESET)) /* it need not read to the end */
        ms_peer_doom(server, peer, "%s", strerror(errno));
    else if (peer->state == MS_PEER_WORKING)
        ms_peer_doom(server, peer, "it closed the connection");
    else
        ms_peer_doom(server, peer, NULL);
}

void ms_peer_read(ms_server *server, ms_peer *peer)
{
    ms_frame frame;
    ms_conn_status status = MS_CONN_MORE;
    for (int i = 0; i < READS_FOR_A_TURN && status == MS_CONN_MORE && peer->state != MS_PEER_DOOMED; i++) {
        status = ms_receiver_read(&peer->receiver, peer->descriptor);
        if (peer->slave != MS_NO_SLAVE && peer->receiver.heard)
            ms_scheduler_heard(server->scheduler, peer->slave, server->now);
        while (peer->state != MS_PEER_DOOMED && ms_receiver_next(&peer->receiver, &frame)) {
            peer->received_size += MS_HEADER_SIZE + frame.header.length;
            server->received_size += MS_HEADER_SIZE + frame.header.length;
            handle(server, peer, &frame);
        }
        if (peer->receiver.wrong != MS_WIRE_FINE)
            ms_peer_doom(server, peer, "cut off: %s", ms_wire_text(peer->receiver.wrong));
    }
    ms_receiver_rest(&peer->receiver);
    bool more = status == MS_CONN_MORE || (status == MS_CONN_DRY && peer->hung_up);
    set_unread(server, peer, more && peer->state != MS_PEER_DOOMED);
    if (status == MS_CONN_CLOSED || status == MS_CONN_BROKEN)
        read_ended(server, peer, status);
}

/* ---- Time, and the end ---- */

void ms_peers_tick(ms_server *server)
{
    for (ms_peer *peer = server->peers; peer != NULL; peer = peer->next) {
        if (peer->state == MS_PEER_GREETING && server->now >= peer->deadline)
            ms_peer_doom(server, peer, "cut off: it did not say who it is");
        else if (ms_sender_size(&peer->sender) > 0 && server->now - peer->moved_at > SILENT_HEARTBEATS * heartbeat_ns(server))
            ms_peer_doom(server, peer, "it reads nothing");
    }
    ms_peers_log_stranger(server, NULL);
    ms_loss_log(server, NULL, NULL, NULL, 0);
    ms_peers_accept_tick(server);
}

void ms_peers_farewell(ms_server *server, uint64_t deadline)
{
    bool waiting = true;
    ms_event events[64];
    for (ms_peer *peer = server->peers; peer != NULL; peer = peer->next)
        if (peer->slave != MS_NO_SLAVE && peer->state != MS_PEER_LEAVING)
            ms_peer_send_control(server, peer, MS_BYE, NULL, 0);
    while (waiting) {
        waiting = false;
        for (ms_peer *peer = server->peers; peer != NULL; peer = peer->next) {
            ms_peer_flush(server, peer);
            waiting = waiting || (peer->state != MS_PEER_DOOMED && ms_sender_size(&peer->sender) > 0);
        }
        server->now = ms_clock_ns();
        if (server->now >= deadline)
            break;
        if (waiting)
            ms_poll_wait(server->poll, events, 64, (int)((deadline - server->now) / 1000000) + 1);
    }
    server->closing = true;
    ms_peers_reap(server);
    for (ms_peer *peer = server->peers, *next; peer != NULL; peer = next) {
        next = peer->next;
        close_peer(server, peer);
    }
}
