/* Greetings: who may be a slave, what becomes of the old connection of one that comes back, and what it has.
 *
 * The scheduler decides which of its attempts go on (orphans.c). What a slave sent before its connection broke is read to the end
 * first, so that an answer that had arrived is not asked for again. */
#include "master/peer.h"
#include "net/socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READS_MAX = 64 }; /* of what is left on an old connection */

/* ---- Coming back ---- */

static ms_peer *find_old(const ms_server *server, const uint8_t *identity)
{
    const ms_scheduler *scheduler = server->scheduler;
    for (uint32_t i = 0; i < scheduler->slave_capacity && ms_identity_is_known(identity); i++)
        if (scheduler->slaves[i].slots > 0 && memcmp(scheduler->slaves[i].identity, identity, MS_IDENTITY_SIZE) == 0)
            return server->by_slave[i];
    return NULL;
}

/* Nobody is on two connections: the old one has broken, though nothing was heard of it. */
static void drop_old(ms_server *server, ms_peer *old)
{
    int left = READS_MAX;
    if (old->state != MS_PEER_DOOMED)
        do
            ms_peer_read(server, old);
        while (old->unread && --left > 0);
    ms_peer_doom(server, old, "it came back on another connection");
    ms_peer_lose(server, old);
}

/* The peer becomes a slave. */
static void join(ms_server *server, ms_peer *peer, const ms_hello *hello)
{
    ms_peer *old = find_old(server, hello->identity);
    if (old != NULL)
        drop_old(server, old);
    bool returns = ms_identity_is_known(hello->identity) && memcmp(hello->session, server->session, MS_IDENTITY_SIZE) == 0;
    if (returns) {
        peer->slave = ms_scheduler_return(server->scheduler, hello->slots, hello->identity, server->now);
        return;
    }
    peer->slave = ms_scheduler_join(server->scheduler, hello->slots, server->now);
    ms_scheduler_identify(server->scheduler, peer->slave, hello->identity);
}

void ms_greeting_offered(ms_server *server, ms_peer *peer, const ms_frame *frame)
{
    ms_scheduler *scheduler = server->scheduler;
    uint32_t jid_count = frame->header.length / 4 - 1, ended_count = ms_get_u32(frame->payload), taken_count = 0;
    if (frame->header.length % 4 != 0 || ended_count > jid_count || !scheduler->slaves[peer->slave].returning) {
        ms_peer_doom(server, peer, "cut off: an offer that cannot be");
        return;
    }
    ms_bytes taken = {0};
    bool fine = true;
    for (uint32_t i = 0; i < jid_count; i++) {
        const uint8_t *jid = frame->payload + 4 + (size_t)i * 4;
        if (ms_scheduler_offer(scheduler, peer->slave, ms_get_u32(jid), i < ended_count, server->now) == MS_ANSWER_FINE) {
            fine = fine && ms_bytes_append(&taken, jid, 4);
            taken_count++;
        }
        ms_peers_act(server);
    }
    ms_peer_send_control(server, peer, MS_OFFER, taken.data, taken.size);
    ms_bytes_free(&taken);
    if (!fine)
        ms_peer_doom(server, peer, "no memory for what it is to be sent");
    ms_server_log(server, "slave %s is back, %u of its jobs go%s on", peer->name, taken_count, taken_count == 1 ? "es" : "");
    ms_scheduler_offered(scheduler, peer->slave, server->now);
    ms_peers_act(server);
}

/* ---- Greeting ---- */

static void refuse(ms_server *server, ms_peer *peer, const char *sentence, const char *reason)
{
    ms_peer_send_control(server, peer, MS_REFUSE, sentence, strlen(sentence));
    ms_peer_flush(server, peer);
    ms_socket_finish(peer->descriptor);
    ms_peer_doom(server, peer, "refused: %s", reason);
}

static bool welcome(ms_server *server, ms_peer *peer)
{
    ms_bytes payload = {0};
    ms_welcome words = {.heartbeat_ms = (uint32_t)(server->options.heartbeat * 1000), .payload_max = server->options.payload_max};
    memcpy(words.session, server->session, sizeof words.session);
    bool fine = ms_welcome_encode(&payload, &words);
    if (fine)
        ms_peer_send_control(server, peer, MS_WELCOME, payload.data, payload.size);
    ms_bytes_free(&payload);
    return fine;
}

/* A place for the peer under its slave number, which will be below twice the number of slaves. */
static bool reserve_by_slave(ms_server *server)
{
    if (server->scheduler->slave_capacity * 2 + 8 <= server->by_slave_capacity)
        return true;
    uint32_t capacity = server->scheduler->slave_capacity * 4 + 16;
    ms_peer **grown = realloc(server->by_slave, capacity * sizeof *grown);
    if (grown == NULL)
        return false;
    memset(grown + server->by_slave_capacity, 0, (capacity - server->by_slave_capacity) * sizeof *grown);
    server->by_slave = grown;
    server->by_slave_capacity = capacity;
    return true;
}

void ms_greeting_handle(ms_server *server, ms_peer *peer, const ms_frame *frame)
{
    ms_hello hello;
    ms_wire_result result = ms_hello_decode(&hello, frame->payload, frame->header.length);
    if (hello.host[0] != '\0' && peer->name[0] == '\0')
        snprintf(peer->name, sizeof peer->name, "%.200s:%u", hello.host, hello.pid);
    if (result == MS_WIRE_BAD_VERSION) {
        refuse(server, peer, "this master speaks another version of the protocol: rebuild both with one msc", ms_wire_text(result));
        return;
    }
    if (result != MS_WIRE_FINE) {
        ms_peer_doom(server, peer, "cut off: %s", ms_wire_text(result));
        return;
    }
    if (memcmp(hello.fingerprint, ms_program.fingerprint, sizeof hello.fingerprint) != 0) {
        refuse(server, peer, "this slave was built from another program: rebuild both with msc", "it was built from another program");
        return;
    }
    if (ms_socket_has_ended(peer->descriptor)) { /* while it waited at the door: a job that it got now would count as lost */
        ms_peer_doom(server, peer, NULL);
        return;
    }
    if (!reserve_by_slave(server) || !welcome(server, peer)) {
        ms_peer_doom(server, peer, "no memory for another slave");
        return;
    }
    peer->state = MS_PEER_WORKING;
    peer->held.size_max = hello.blobs_max;
    peer->receiver.rules.greeting = false;
    peer->receiver.rules.payload_max = server->options.payload_max;
    server->greeting_count--;
    join(server, peer, &hello);
    server->by_slave[peer->slave] = peer;
    if (server->watch != NULL)
        ms_watch_joined(server, peer);
    ms_peers_act(server);
    ms_peers_publish_counts(server);
}
