/* Taking connections. Those that can't be taken now stay in the system's queue: while too many have not said who they are, and while there
 * are no descriptors or no memory for more. When others wait, the one that has had the most time makes room, unless it has had
 * little: so whoever opens connections and says nothing keeps nobody else out for long. */
#include "master/peer.h"

#include "net/poll.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    GREETING_MAX = 64,  /* connections that have not said who they are */
    STRANGERS_TOLD = 20 /* lines in the log for a second */
};
#define GREETING_NS 5000000000u
#define GREETING_LEAST_NS 250000000u /* so long it has at least */
#define STRANGERS_NS 1000000000u
#define ACCEPT_LOG_NS 1000000000u

/* Over TCP the handshake about the key comes first. False: no memory. */
static bool protect(const ms_server *server, ms_peer *peer, const ms_door *door)
{
    if (door->listener.address.kind != MS_ADDRESS_TCP || !server->options.key.known)
        return true;
    peer->secure = ms_secure_create(MS_SECURE_MASTER, &server->options.key, NULL);
    peer->receiver.secure = peer->sender.secure = peer->secure;
    return peer->secure != NULL;
}

/* Gives the new connection to the poll set. The descriptor is closed when that can't be. */
static void admit(ms_server *server, const ms_door *door, int descriptor, const char *name)
{
    ms_wire_rules rules = {MS_FROM_SLAVE, true, ms_program.job_count, server->options.payload_max};
    ms_peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL || !ms_receiver_open(&peer->receiver, &rules, &server->spare_buffer) || !protect(server, peer, door) ||
        !ms_poll_add(server->poll, descriptor, peer)) {
        if (peer != NULL) {
            ms_receiver_close(&peer->receiver);
            ms_secure_destroy(peer->secure);
        }
        free(peer);
        close(descriptor);
        ms_server_log(server, "a connection was turned away: %s", strerror(errno));
        return;
    }
    peer->source = MS_SOURCE_PEER;
    peer->state = MS_PEER_GREETING;
    peer->descriptor = descriptor;
    peer->slave = MS_NO_SLAVE;
    peer->local = name[0] == '\0';
    peer->deadline = server->now + GREETING_NS;
    peer->moved_at = server->now;
    snprintf(peer->name, sizeof peer->name, "%s", name);
    peer->next = server->peers;
    if (server->peers != NULL)
        server->peers->previous = peer;
    server->peers = peer;
    server->greeting_count++;
}

/* At most one line a second. */
static bool may_log(ms_server *server)
{
    ms_quota_turn(&server->turned_away_told, server->now, ACCEPT_LOG_NS);
    return ms_quota_take(&server->turned_away_told, 1);
}

void ms_peers_log_stranger(ms_server *server, const ms_peer *peer)
{
    uint32_t untold = ms_quota_turn(&server->strangers_told, server->now, STRANGERS_NS);
    if (untold > 0)
        ms_server_log(server, "%u more connections were cut off or refused", untold);
    if (peer != NULL && ms_quota_take(&server->strangers_told, STRANGERS_TOLD))
        ms_server_log(server, "%s%s%s", peer->name, peer->name[0] == '\0' ? "" : ": ", peer->reason);
}

static bool make_room(ms_server *server, const ms_door *door)
{
    ms_peer *oldest = NULL;
    if (server->greeting_count < GREETING_MAX)
        return true;
    if (!ms_socket_has_waiting(&door->listener))
        return false;
    for (ms_peer *peer = server->peers; peer != NULL; peer = peer->next) /* the youngest come first */
        if (peer->state == MS_PEER_GREETING)
            oldest = peer;
    if (oldest == NULL || server->now + GREETING_NS < oldest->deadline + GREETING_LEAST_NS)
        return false;
    ms_peer_doom(server, oldest, "cut off: others wait, and it did not say who it is");
    return true;
}

/* The others wait in the system's queue, and are tried again at the next tick. */
static void log_short_of(ms_server *server, int error)
{
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    if (!may_log(server))
        return;
    if (error == EMFILE)
        ms_server_log(server, "a connection was turned away: %s (the limit is %llu, there are %u slaves; raise it with ulimit -n)",
                      strerror(error), (unsigned long long)limit.rlim_cur, server->scheduler->slave_count);
    else
        ms_server_log(server, "a connection was turned away: %s", strerror(error));
}

static void accept_from(ms_server *server, ms_door *door)
{
    char name[MS_ADDRESS_TEXT_MAX];
    while (make_room(server, door)) {
        int descriptor = ms_socket_accept(&door->listener, name);
        if (descriptor >= 0) {
            admit(server, door, descriptor, name);
        } else if (errno == EPERM) {
            if (may_log(server))
                ms_server_log(server, "a connection was turned away: it belongs to another user");
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            log_short_of(server, errno);
            server->accept_starved = true;
            return;
        } else if (errno != ECONNABORTED) {
            return;
        }
    }
    server->accept_crowded = true;
}

void ms_peers_accept(ms_server *server, ms_door *door)
{
    if (!server->accept_starved)
        accept_from(server, door);
}

void ms_peers_accept_more(ms_server *server)
{
    if (!server->accept_crowded)
        return;
    server->accept_crowded = false;
    for (int i = 0; i < server->door_count; i++)
        ms_peers_accept(server, &server->doors[i]);
}

void ms_peers_accept_tick(ms_server *server)
{
    if (!server->accept_starved)
        return;
    server->accept_starved = false;
    server->accept_crowded = true;
    ms_peers_accept_more(server);
}
