/* The inside of the server: its state, and the life of a connection from accept to close.
 *
 * A connection belongs to somebody who has to say who he is; then he is a slave. All of this is used on the I/O thread only, but
 * for the members of ms_server that are marked as shared. */
#ifndef MS_PEER_H
#define MS_PEER_H

#include "master/blobs.h"
#include "master/quota.h"
#include "master/scheduler.h"
#include "master/server.h"
#include "master/watch.h"
#include "net/conn.h"
#include "net/socket.h"

#include <pthread.h>

/* What an event of the poll set belongs to: the first member of each owner. */
typedef enum ms_source { MS_SOURCE_WAKE, MS_SOURCE_DOOR, MS_SOURCE_PEER, MS_SOURCE_STATUS_DOOR, MS_SOURCE_STATUS_CLIENT } ms_source;

typedef enum ms_peer_state {
    MS_PEER_GREETING, /* it has until `deadline` to send its hello */
    MS_PEER_WORKING,
    MS_PEER_LEAVING, /* it said bye */
    MS_PEER_DOOMED   /* it goes at the end of this turn; nothing more is read or sent */
} ms_peer_state;

/* A job that the slave has spawned, by the number that it has given it (nested.c). */
typedef struct ms_child {
    uint32_t number;
    bool used;
    bool told;     /* its result has been sent */
    bool released; /* the slave holds it no more */
    ms_job *job;
} ms_child;

typedef struct ms_children {
    ms_child *table; /* open addressing; the capacity is a power of two */
    uint32_t capacity, count;
    uint64_t size; /* of the arguments of those that have not ended, and of the results of those that have */
} ms_children;

/* The blobs that a slave has (holdings.c). */
typedef struct ms_held {
    struct ms_holding *newest, *oldest;
    uint64_t size, size_max; /* the most that it keeps */
    uint32_t last_number;
} ms_held;

typedef struct ms_peer {
    ms_source source;
    ms_peer_state state;
    int descriptor;
    uint32_t slave; /* MS_NO_SLAVE until it has been welcomed */
    ms_receiver receiver;
    ms_sender sender;
    ms_secure *secure; /* null: not encrypted */
    uint64_t deadline;
    uint64_t moved_at; /* when it last read something that we sent, or had read all */
    bool dirty;        /* in the list of those with something to send */
    bool unread;       /* the system may have more of its bytes */
    bool hung_up;      /* it is read to the end */
    bool local;        /* it came through a unix socket */
    char name[MS_ADDRESS_TEXT_MAX + 16];
    ms_children children;
    char reason[192]; /* of its doom, for the log; "" for a good end */
    bool cut_off;     /* it broke a rule */
    ms_held held;
    uint64_t received_size, sent_size;
    ms_peer_watch seen;
    struct ms_peer *next_dirty, **dirty_link; /* what leads to it, in the list of the dirty ones */
    struct ms_peer *next_unread, **unread_link;
    struct ms_peer *next_doomed;
    struct ms_peer *next, *previous;
} ms_peer;

/* A listening socket in the poll set. */
typedef struct ms_door {
    ms_source source;
    ms_listener listener;
} ms_door;

enum { MS_SPARE_TAILS = 64 };

typedef enum ms_rest {
    MS_AWAKE,
    MS_ASLEEP_HUNGRY, /* a submitted job should wake it */
    MS_ASLEEP_SATED   /* a submitted job can wait for other events */
} ms_rest;

struct ms_server {
    ms_source wake_source; /* the owner of wake_descriptor's events */
    ms_server_options options;
    int poll, wake_descriptor;
    ms_door doors[MS_LISTEN_MAX];
    int door_count;
    ms_scheduler *scheduler;
    uint64_t now;
    ms_peer *peers;
    ms_peer **by_slave; /* by the scheduler's numbers */
    uint32_t by_slave_capacity;
    ms_peer *dirty, *unread, *doomed;
    uint32_t greeting_count;
    uint8_t *spare_buffer; /* the receivers' */
    void *reserve;         /* memory for the last words when there is no other */
    ms_bytes spare_tails[MS_SPARE_TAILS]; /* the senders' */
    uint32_t spare_tail_count;
    bool accept_starved; /* no descriptors were left; tried again at the next tick */
    bool accept_crowded; /* too many had not said who they are; tried again as soon as there are fewer */
    bool closing;
    bool wake_needed; /* somebody waits for what happened in this turn */
    uint64_t ticked_at;
    ms_quota turned_away_told, strangers_told, deaths_told; /* lines in the log: on connections, those that never became slaves, workers */
    uint64_t began_at, turned_at; /* the turn before */
    uint64_t drained_at; /* when nothing was left that had come */
    uint64_t lonely_since; /* no slave since then */
    bool lonely_said;
    uint64_t submitted_count, finished_count, failed_count;
    uint64_t received_size, sent_size; /* from and to all slaves */
    struct ms_holding **holdings; /* by blob and peer; the capacity is a power of two */
    uint32_t holding_capacity, holding_count;
    ms_watch *watch; /* null when nobody looks */
    struct ms_http *http; /* --status; null for none */
    uint64_t http_deadline; /* when it wants to be looked after */
    uint64_t started_at, progress_at;
    uint8_t session[MS_IDENTITY_SIZE];
    bool progress_shown;
    pthread_t thread;

    /* Shared with the program's thread. */
    ms_job_pool *pool;
    ms_job_pool spawned_pool; /* the I/O thread's records */
    ms_blobs blobs;
    _Atomic(ms_job *) submitted; /* a stack, youngest first, linked through `next` */
    _Alignas(64) _Atomic uint32_t rest; /* ms_rest */
    _Atomic uint32_t signal;
    _Atomic uint64_t end_number;
    _Atomic uint32_t slave_count, slot_count, wanted_slaves;
    int stop_status; /* set before `stopping` is */
    atomic_bool stopping;
    _Atomic int quit_status; /* -1: not asked to */
    pthread_mutex_t cancel_lock;
    ms_job **cancelled;
    uint32_t cancelled_count, cancelled_capacity;
};

/* A line on standard error: "prog-master: ...". */
void ms_server_log(ms_server *server, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The connection ends with this turn. `format` null: in good order. */
void ms_peer_doom(ms_server *server, ms_peer *peer, const char *format, ...) __attribute__((format(printf, 3, 4)));
void ms_peer_send(ms_server *server, ms_peer *peer, ms_header header, const void *payload);
void ms_peer_send_control(ms_server *server, ms_peer *peer, ms_control kind, const void *payload, size_t size);
/* A whole frame, header included; its memory is taken. */
void ms_peer_give(ms_server *server, ms_peer *peer, ms_bytes *frame);
/* The header and the first bytes of a payload, of which more follows; bytes that follow, from where they lie. */
void ms_peer_begin(ms_server *server, ms_peer *peer, ms_header header, const void *head, size_t head_size);
void ms_peer_lend(ms_server *server, ms_peer *peer, ms_segment bytes);
/* Reads what there is and acts on it. */
void ms_peer_read(ms_server *server, ms_peer *peer);
void ms_peer_flush(ms_server *server, ms_peer *peer);
void ms_peers_flush(ms_server *server);
/* The slave is lost, if it is one; its connection is closed later. */
void ms_peer_lose(ms_server *server, ms_peer *peer);
/* How many slaves there are, for whoever waits for that. */
void ms_peers_publish_counts(ms_server *server);
/* Does what the scheduler wants. */
void ms_peers_act(ms_server *server);
/* Closes those that are doomed, and tells the scheduler. */
void ms_peers_reap(ms_server *server);
/* Deadlines of greetings and of peers that read nothing. */
void ms_peers_tick(ms_server *server);
/* The last words: every slave is told to go, as far as its socket takes that until `deadline`; then all are closed. */
void ms_peers_farewell(ms_server *server, uint64_t deadline);

/* master/accept.c: takes the connections that wait at a door; those that had to wait longer; the same when time has passed. */
void ms_peers_accept(ms_server *server, ms_door *door);
/* A line in the log for one that ends without having become a slave, as long as there are few of them; null: time has passed. */
void ms_peers_log_stranger(ms_server *server, const ms_peer *peer);
void ms_peers_accept_more(ms_server *server);
void ms_peers_accept_tick(ms_server *server);

/* master/nested.c: jobs that slaves spawn. The frame is a spawn, a release, a cancel, a lent or regained. */
void ms_nested_handle(ms_server *server, ms_peer *peer, const ms_frame *frame);
/* The job has ended: the slave that spawned it is told, if there is one. */
void ms_nested_tell(ms_server *server, ms_job *job);
/* The slave is gone with all its handles. */
void ms_nested_close(ms_server *server, ms_peer *peer);

/* master/runs.c: sends a job. Gives how many bytes of arguments that takes: what the slave has already is not sent. */
uint64_t ms_runs_send(ms_server *server, ms_peer *peer, ms_job *job, uint32_t jid);

/* master/holdings.c: whether the slave can have all parts of this job as blobs. */
bool ms_holdings_suit(const ms_peer *peer, const ms_job *job);
/* Gives the number under which the slave has the blob; it is sent when it has not. 0: it has to do without. */
uint32_t ms_holdings_number(ms_server *server, ms_peer *peer, ms_blob *blob);
/* Slaves forget blobs that are not to be kept any longer. */
void ms_holdings_trim(ms_server *server);
/* The slave is gone with all that it had. */
void ms_holdings_close(ms_server *server, ms_peer *peer);

/* master/greeting.c. A hello; and what a slave that has come back has. */
void ms_greeting_handle(ms_server *server, ms_peer *peer, const ms_frame *frame);
void ms_greeting_offered(ms_server *server, ms_peer *peer, const ms_frame *frame);

/* master/progress.c: the line of --progress, written when it is time, or for good. */
void ms_progress_show(ms_server *server, bool last);
#endif
