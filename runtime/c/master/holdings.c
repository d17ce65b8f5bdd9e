/* Which slave has which blob.
 *
 * The master alone decides that: it sends blobs, which both ends number as they are sent, and says `forget` before there are more than the slave
 * has said it keeps. So both always agree, and no slave is ever asked whether it has something. What a slave has goes with its connection.
 *
 * What always holds: a blob that some slave has is kept (blobs.h), so the bytes that a number stands for do not change hands; `held.size`
 * of a peer is the sum over its holdings, at most `held.size_max`; the one that was used last comes first. */
#include "master/parts.h"
#include "master/peer.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 64 };

typedef struct ms_holding {
    ms_blob *blob;
    ms_peer *peer;
    uint32_t number;
    struct ms_holding *next;            /* in the table */
    struct ms_holding *newer, *older;   /* of its peer's */
    struct ms_holding *sibling, **link; /* of its blob's */
} ms_holding;

/* ---- The table ---- */

static ms_holding **place_of(const ms_server *server, const ms_peer *peer, const ms_blob *blob)
{
    uint64_t hash = ((uint64_t)(uintptr_t)peer ^ blob->id * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;
    return &server->holdings[hash >> 32 & (server->holding_capacity - 1)];
}

static ms_holding *find(const ms_server *server, const ms_peer *peer, const ms_blob *blob)
{
    ms_holding *one = server->holding_count == 0 ? NULL : *place_of(server, peer, blob);
    while (one != NULL && (one->peer != peer || one->blob != blob))
        one = one->next;
    return one;
}

static bool reserve(ms_server *server)
{
    if (server->holding_count < server->holding_capacity)
        return true;
    uint32_t before = server->holding_capacity;
    ms_holding **old = server->holdings, **table = calloc(before == 0 ? FIRST_CAPACITY : before * 2, sizeof(ms_holding *));
    if (table == NULL)
        return false;
    server->holdings = table;
    server->holding_capacity = before == 0 ? FIRST_CAPACITY : before * 2;
    for (uint32_t i = 0; i < before; i++)
        for (ms_holding *one = old[i], *next; one != NULL; one = next) {
            next = one->next;
            ms_holding **place = place_of(server, one->peer, one->blob);
            one->next = *place;
            *place = one;
        }
    free(old);
    return true;
}

/* ---- A peer's list ---- */

static void unlink_holding(ms_holding *one)
{
    ms_held *held = &one->peer->held;
    if (one->newer != NULL)
        one->newer->older = one->older;
    else
        held->newest = one->older;
    if (one->older != NULL)
        one->older->newer = one->newer;
    else
        held->oldest = one->newer;
}

static void link_newest(ms_holding *one)
{
    ms_held *held = &one->peer->held;
    one->newer = NULL;
    one->older = held->newest;
    if (held->newest != NULL)
        held->newest->newer = one;
    else
        held->oldest = one;
    held->newest = one;
}

static void take_out(ms_server *server, ms_holding *one)
{
    ms_holding **place = place_of(server, one->peer, one->blob);
    while (*place != one)
        place = &(*place)->next;
    *place = one->next;
    server->holding_count--;
    unlink_holding(one);
    *one->link = one->sibling;
    if (one->sibling != NULL)
        one->sibling->link = one->link;
    one->peer->held.size -= one->blob->size;
    free(one);
}

void ms_holdings_close(ms_server *server, ms_peer *peer)
{
    while (peer->held.newest != NULL)
        take_out(server, peer->held.newest);
    peer->held = (ms_held){0};
}

static void forget(ms_server *server, ms_holding *one)
{
    uint8_t number[4];
    ms_put_u32(number, one->number);
    ms_peer_send_control(server, one->peer, MS_FORGET, number, sizeof number);
    take_out(server, one);
}

/* ---- Sending ---- */

bool ms_holdings_suit(const ms_peer *peer, const ms_job *job)
{
    return job->relations->parts_size <= peer->held.size_max && UINT32_MAX - peer->held.last_number > job->relations->part_count;
}

static void release_blob(void *owner)
{
    ms_blob_drop(owner);
}

static void send_blob(ms_server *server, ms_peer *peer, ms_blob *blob)
{
    ms_peer_begin(server, peer, (ms_header){0, MS_BLOB, blob->size}, NULL, 0);
    ms_blob_hold(blob);
    ms_peer_lend(server, peer, (ms_segment){blob->bytes, blob->size, release_blob, blob});
}

uint32_t ms_holdings_number(ms_server *server, ms_peer *peer, ms_blob *blob)
{
    ms_held *held = &peer->held;
    ms_holding *one = find(server, peer, blob);
    ms_blob_keep(blob);
    if (one != NULL) {
        unlink_holding(one);
        link_newest(one);
        return one->number;
    }
    if (!reserve(server) || (one = malloc(sizeof *one)) == NULL)
        return 0;
    while (held->size + blob->size > held->size_max)
        forget(server, held->oldest);
    *one = (ms_holding){.blob = blob, .peer = peer, .number = ++held->last_number, .sibling = blob->holdings, .link = &blob->holdings};
    if (one->sibling != NULL)
        one->sibling->link = &one->sibling;
    blob->holdings = one;
    one->next = *place_of(server, peer, blob);
    *place_of(server, peer, blob) = one;
    server->holding_count++;
    held->size += blob->size;
    link_newest(one);
    send_blob(server, peer, blob);
    return one->number;
}

void ms_holdings_trim(ms_server *server)
{
    ms_blob *blob;
    while ((blob = ms_blobs_surplus(&server->blobs)) != NULL) {
        while (blob->holdings != NULL)
            forget(server, blob->holdings);
        ms_blob_drop(blob);
    }
}
