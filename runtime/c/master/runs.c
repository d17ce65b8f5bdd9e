/* Sending jobs: small arguments by a copy, large ones from where they lie, parts that are blobs once to each slave.
 *
 * What is lent to a peer's sender outlives everything that may become of the job meanwhile: the job's own arguments by a reference to the
 * record and `lent`, which forbids that it is answered before, a blob by a reference of its own. */
#include "master/parts.h"
#include "master/peer.h"

#include <stdlib.h>
#include <string.h>

enum { WORTH_SENDING = 16 << 10 }; /* so much need not wait for the end of the turn */
#define NO_MEMORY "no memory for what it is to be sent"

/* Arguments that are sent from where they lie. The job stays as long, even when it has been cancelled and the program has let go of it. */
typedef struct sent_arguments {
    ms_job *job;
    ms_job_pool *pool;
    bool last; /* of those that are lent in one message */
} sent_arguments;

/* They have been sent. */
static void release_arguments(void *owner)
{
    sent_arguments *sent = owner;
    if (sent->last)
        sent->job->lent = false;
    ms_job_drop(sent->pool, sent->job, false);
    free(sent);
}

static void lend_arguments(ms_server *server, ms_peer *peer, ms_job *job, uint32_t from, uint32_t size, bool last)
{
    sent_arguments *sent = malloc(sizeof *sent);
    if (sent == NULL) {
        ms_peer_doom(server, peer, NO_MEMORY);
        return;
    }
    *sent = (sent_arguments){job, server->pool, last};
    ms_job_hold(job);
    job->lent = true;
    ms_peer_lend(server, peer, (ms_segment){ms_job_arguments(job) + from, size, release_arguments, sent});
}

/* ---- Parts ---- */

static void release_blob(void *owner)
{
    ms_blob_drop(owner);
}

/* A piece of the job's own arguments. */
static void send_piece(ms_server *server, ms_peer *peer, ms_job *job, uint32_t from, uint32_t to, bool last)
{
    uint8_t *copy;
    if (to - from >= MS_LARGE_SIZE || last) {
        lend_arguments(server, peer, job, from, to - from, last);
    } else if (to > from && (copy = malloc(to - from)) == NULL) {
        ms_peer_doom(server, peer, NO_MEMORY);
    } else if (to > from) {
        memcpy(copy, ms_job_arguments(job) + from, to - from);
        ms_peer_lend(server, peer, (ms_segment){copy, to - from, free, copy});
    }
}

/* To a slave that keeps no blobs, or not so many: the parts in their places. */
static void send_whole(ms_server *server, ms_peer *peer, ms_job *job, uint32_t jid)
{
    const ms_relations *r = job->relations;
    uint32_t at = 0;
    ms_peer_begin(server, peer, (ms_header){(int32_t)job->ordinal, jid, (uint32_t)ms_job_whole_size(job)}, NULL, 0);
    for (uint32_t i = 0; i < r->part_count; i++) {
        ms_blob *blob = r->parts[i].blob;
        send_piece(server, peer, job, at, r->parts[i].offset, false);
        at = r->parts[i].offset;
        ms_blob_hold(blob);
        ms_peer_lend(server, peer, (ms_segment){blob->bytes, blob->size, release_blob, blob});
    }
    send_piece(server, peer, job, at, job->arguments_size, true);
}

/* The parts by their numbers, then the job's own arguments. */
static uint64_t send_parted(ms_server *server, ms_peer *peer, ms_job *job, uint32_t jid)
{
    const ms_relations *r = job->relations;
    uint32_t head_size = MS_RUN_HEAD_SIZE + r->part_count * MS_RUN_PART_SIZE;
    uint8_t *head = malloc(head_size);
    bool fine = head != NULL;
    uint64_t size = job->arguments_size;
    for (uint32_t i = 0; i < r->part_count && fine; i++) {
        uint8_t *part = head + MS_RUN_HEAD_SIZE + (size_t)i * MS_RUN_PART_SIZE;
        uint32_t before = peer->held.last_number, number = ms_holdings_number(server, peer, r->parts[i].blob);
        size += peer->held.last_number == before ? 0 : r->parts[i].blob->size;
        fine = number != 0;
        ms_put_u32(part, r->parts[i].offset);
        ms_put_u32(part + 4, number);
    }
    if (!fine) {
        free(head);
        ms_peer_doom(server, peer, NO_MEMORY);
        return size;
    }
    ms_put_u32(head, jid);
    ms_put_u32(head + 4, job->ordinal);
    ms_put_u32(head + 8, r->part_count);
    ms_peer_begin(server, peer, (ms_header){0, MS_RUN, head_size + job->arguments_size}, head, head_size);
    free(head);
    send_piece(server, peer, job, 0, job->arguments_size, job->arguments_size >= MS_LARGE_SIZE);
    ms_holdings_trim(server);
    return size;
}

uint64_t ms_runs_send(ms_server *server, ms_peer *peer, ms_job *job, uint32_t jid)
{
    ms_header header = {(int32_t)job->ordinal, jid, job->arguments_size};
    uint64_t size = ms_job_whole_size(job);
    if (peer->state == MS_PEER_DOOMED)
        return 0;
    if (ms_job_part_count(job) > 0 && ms_holdings_suit(peer, job)) {
        size = send_parted(server, peer, job, jid);
    } else if (ms_job_part_count(job) > 0) {
        send_whole(server, peer, job, jid);
    } else if (job->arguments_size < MS_LARGE_SIZE) {
        size_t before = ms_sender_size(&peer->sender);
        ms_peer_send(server, peer, header, ms_job_arguments(job));
        if (before / WORTH_SENDING != ms_sender_size(&peer->sender) / WORTH_SENDING)
            ms_peer_flush(server, peer);
    } else {
        ms_peer_begin(server, peer, header, NULL, 0);
        lend_arguments(server, peer, job, 0, job->arguments_size, true);
    }
    if (peer->state == MS_PEER_DOOMED)
        job->lent = false; /* it can't be answered there any more, and what was to be released last may never have been lent */
    return size;
}
