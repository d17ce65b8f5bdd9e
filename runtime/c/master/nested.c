/* Jobs that slaves spawn: from their frames to the scheduler, and from the ends of such jobs back to whoever spawned them.
 *
 * A slave names its children by numbers of its own choice, which nobody believes: each is looked up in its table. A number is in use
 * from the spawn until the result has been sent and the slave has released it. The table holds a reference as long. */
#include "master/peer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 16 };

/* ---- The table ---- */

static uint32_t home_of(const ms_children *children, uint32_t number)
{
    return (number * 0x9e3779b1u) & (children->capacity - 1);
}

static ms_child *find(const ms_children *children, uint32_t number)
{
    if (children->capacity == 0)
        return NULL;
    for (uint32_t at = home_of(children, number); children->table[at].used; at = (at + 1) & (children->capacity - 1))
        if (children->table[at].number == number)
            return &children->table[at];
    return NULL;
}

static void place(ms_children *children, ms_child child)
{
    uint32_t at = home_of(children, child.number);
    while (children->table[at].used)
        at = (at + 1) & (children->capacity - 1);
    children->table[at] = child;
}

static bool add(ms_children *children, uint32_t number, ms_job *job)
{
    if (children->count * 2 >= children->capacity) {
        ms_children grown = *children;
        grown.capacity = children->capacity == 0 ? FIRST_CAPACITY : children->capacity * 2;
        grown.table = calloc(grown.capacity, sizeof *grown.table);
        if (grown.table == NULL)
            return false;
        for (uint32_t i = 0; i < children->capacity; i++)
            if (children->table[i].used)
                place(&grown, children->table[i]);
        free(children->table);
        *children = grown;
    }
    place(children, (ms_child){.number = number, .used = true, .job = job});
    children->count++;
    return true;
}

/* Those behind it that would not be found any more move up. */
static void take_out(ms_children *children, ms_child *child)
{
    uint32_t mask = children->capacity - 1, gap = (uint32_t)(child - children->table);
    for (uint32_t at = (gap + 1) & mask; children->table[at].used; at = (at + 1) & mask)
        if (((at - home_of(children, children->table[at].number)) & mask) >= ((at - gap) & mask)) {
            children->table[gap] = children->table[at];
            gap = at;
        }
    children->table[gap] = (ms_child){0};
    children->count--;
}

void ms_nested_close(ms_server *server, ms_peer *peer)
{
    for (uint32_t i = 0; i < peer->children.capacity; i++) {
        ms_child *child = &peer->children.table[i];
        if (child->used) {
            child->job->relations->spawner = NULL;
            ms_job_drop(server->pool, child->job, false);
        }
    }
    free(peer->children.table);
    peer->children = (ms_children){0};
}

/* What the job takes from now on, of what its slave may have it take. */
static void count_size(ms_server *server, ms_peer *peer, ms_job *job, uint32_t size)
{
    assert(peer->children.size >= job->relations->started_size);
    peer->children.size += size;
    peer->children.size -= job->relations->started_size;
    job->relations->started_size = size;
    if (peer->children.size > server->options.started_size_max)
        ms_peer_doom(server, peer, "cut off: what it has started takes more than %llu bytes, see --started-size-max",
                     (unsigned long long)server->options.started_size_max);
}

/* Its number is free when its result has been sent and it has been released. */
static void forget_when_over(ms_server *server, ms_peer *peer, ms_child *child)
{
    if (!child->told || !child->released)
        return;
    count_size(server, peer, child->job, 0);
    ms_job_drop(server->pool, child->job, false);
    take_out(&peer->children, child);
}

/* ---- Results ---- */

static bool put_u32(ms_bytes *frame, uint32_t value)
{
    uint8_t bytes[4];
    ms_put_u32(bytes, value);
    return ms_bytes_append(frame, bytes, sizeof bytes);
}

static bool put_sized(ms_bytes *frame, const char *text, uint32_t size)
{
    return put_u32(frame, size) && ms_bytes_append(frame, text, size);
}

static bool put_failure(ms_bytes *frame, const ms_job *job, uint32_t lost_max)
{
    char message[64] = "out of memory";
    const ms_failure *failure = job->end.failure;
    if (failure != NULL) {
        const char *said = failure->text + failure->slave_size;
        return put_sized(frame, failure->text, failure->slave_size) && put_sized(frame, said, failure->message_size) &&
               ms_bytes_append(frame, said + failure->message_size, failure->story_size);
    }
    if (job->cause == MS_CAUSE_LOST)
        snprintf(message, sizeof message, "lost %u slave%s", lost_max, lost_max == 1 ? "" : "s");
    return put_u32(frame, 0) && put_sized(frame, message, (uint32_t)strlen(message));
}

static uint32_t outcome_of(ms_job *job)
{
    if (ms_job_state_now(job) == (uint32_t)MS_FINISHED)
        return MS_RESULT_FINISHED;
    return job->cause == MS_CAUSE_CANCELLED ? MS_RESULT_CANCELLED : MS_RESULT_FAILED;
}

/* One that was released is told of as cancelled: only that it has ended counts. */
static bool put_result(ms_server *server, ms_bytes *frame, ms_job *job, bool released)
{
    uint8_t room[MS_HEADER_SIZE] = {0};
    uint32_t outcome = released ? MS_RESULT_CANCELLED : outcome_of(job);
    bool fine = ms_bytes_append(frame, room, sizeof room) && put_u32(frame, job->relations->number) && put_u32(frame, outcome);
    if (outcome == MS_RESULT_FINISHED)
        fine = fine && ms_bytes_append(frame, job->end.result, job->result_size);
    else if (outcome == MS_RESULT_FAILED)
        fine = fine && put_failure(frame, job, server->options.lost_max);
    if (fine && frame->size - MS_HEADER_SIZE > UINT32_MAX)
        return false;
    if (fine)
        ms_header_encode(frame->data, (ms_header){0, MS_RESULT, (uint32_t)(frame->size - MS_HEADER_SIZE)});
    return fine;
}

void ms_nested_tell(ms_server *server, ms_job *job)
{
    if (job->relations == NULL || job->relations->spawner == NULL)
        return;
    ms_peer *peer = job->relations->spawner;
    ms_bytes frame = {0};
    job->relations->spawner = NULL;
    ms_child *child = find(&peer->children, job->relations->number);
    if (!put_result(server, &frame, job, child->released))
        ms_peer_doom(server, peer, "no memory for what it is to be sent");
    else if (frame.size < MS_LARGE_SIZE)
        ms_peer_send(server, peer, ms_header_decode(frame.data), frame.data + MS_HEADER_SIZE);
    else
        ms_peer_give(server, peer, &frame);
    ms_bytes_free(&frame);
    child->told = true;
    count_size(server, peer, job, outcome_of(job) == MS_RESULT_FINISHED ? job->result_size : 0);
    forget_when_over(server, peer, child);
}

/* ---- Spawns ---- */

typedef struct spawn {
    uint32_t parent, number, ordinal, flags, hole_count;
    const uint8_t *holes, *arguments;
    uint32_t size;
} spawn;

/* False: it breaks the rules. */
static bool decode(const ms_server *server, const ms_frame *frame, spawn *s)
{
    const uint8_t *at = frame->payload;
    uint32_t length = frame->header.length - MS_SPAWN_HEAD_SIZE;
    *s = (spawn){ms_get_u32(at), ms_get_u32(at + 4), ms_get_u32(at + 8), ms_get_u32(at + 12), ms_get_u32(at + 16), NULL, NULL, 0};
    if (s->ordinal == 0 || s->ordinal > ms_program.job_count || s->flags > MS_SPAWN_TAIL || s->hole_count > MS_HOLES_MAX ||
        s->hole_count > length / MS_SPAWN_HOLE_SIZE)
        return false;
    s->holes = at + MS_SPAWN_HEAD_SIZE;
    s->arguments = s->holes + (size_t)s->hole_count * MS_SPAWN_HOLE_SIZE;
    s->size = length - s->hole_count * MS_SPAWN_HOLE_SIZE;
    return s->size <= server->options.payload_max;
}

typedef enum made { MADE, NO_MEMORY, BAD_HOLE } made;

/* A job waits for children of its own parent only. So no job waits, through others, for itself: what one waits for was started before
 * it, or is started by what it waits for. */
static bool may_wait_for(const ms_child *dependency, const ms_job *parent)
{
    if (dependency == NULL || dependency->released)
        return false;
    return parent == NULL || dependency->job->place == MS_PLACE_ENDED || dependency->job->relations->parent == parent;
}

static made add_holes(ms_peer *peer, const spawn *s, ms_job *job, const ms_job *parent)
{
    uint32_t before = 0;
    for (uint32_t i = 0; i < s->hole_count; i++) {
        const uint8_t *hole = s->holes + (size_t)i * MS_SPAWN_HOLE_SIZE;
        const ms_child *dependency = find(&peer->children, ms_get_u32(hole + 4));
        uint32_t offset = ms_get_u32(hole);
        if (!may_wait_for(dependency, parent) || offset < before || offset > s->size)
            return BAD_HOLE;
        if (!ms_job_add_hole(job, offset, dependency->job))
            return NO_MEMORY;
        before = offset;
    }
    return MADE;
}

static ms_job *make(ms_server *server, ms_peer *peer, const spawn *s)
{
    ms_job *job = ms_job_create(&server->spawned_pool, s->ordinal, s->size);
    const ms_job *parent = ms_scheduler_job(server->scheduler, peer->slave, s->parent); /* null: it was given up */
    made result = job == NULL || ms_relations_of(job) == NULL ? NO_MEMORY : add_holes(peer, s, job, parent);
    if (result == MADE) {
        if (s->size > 0)
            memcpy(ms_job_arguments(job), s->arguments, s->size);
        return job;
    }
    ms_peer_doom(server, peer, result == NO_MEMORY ? "no memory for a job that it starts" : "cut off: a job waits for one that it does not hold");
    if (job != NULL)
        ms_job_drop(server->pool, job, false);
    return NULL;
}

/* Its parent was cancelled, or is lost to it: so is it. */
static void refuse(ms_server *server, ms_job *job)
{
    job->place = MS_PLACE_ENDED;
    ms_job_claim(job);
    ms_job_fail(job, MS_CAUSE_CANCELLED, NULL);
    ms_job_publish(job, ms_server_end_number(server));
    server->failed_count++;
    if (server->watch != NULL)
        ms_watch_ended(server, job, 0);
    ms_nested_tell(server, job);
    ms_job_drop_holes(server->pool, job, false);
    ms_job_drop(server->pool, job, false);
}

static void start(ms_server *server, ms_peer *peer, const spawn *s, ms_job *job)
{
    if (peer->children.count >= server->options.started_max) {
        ms_peer_doom(server, peer, "cut off: it has started more jobs than %u at once, see --started-max", server->options.started_max);
        ms_job_drop(server->pool, job, false);
        return;
    }
    if (find(&peer->children, s->number) != NULL || !add(&peer->children, s->number, job)) {
        ms_peer_doom(server, peer, "cut off: a number that is in use for another job");
        ms_job_drop(server->pool, job, false);
        return;
    }
    ms_job_hold(job); /* one reference is the table's, one the scheduler's */
    job->relations->spawner = peer;
    job->relations->number = s->number;
    count_size(server, peer, job, s->size);
    server->submitted_count++;
    if (server->watch != NULL)
        ms_watch_spawned(server, ms_scheduler_job(server->scheduler, peer->slave, s->parent), job);
    if (ms_scheduler_spawn(server->scheduler, peer->slave, s->parent, job, server->now) == MS_ANSWER_STALE)
        refuse(server, job);
}

static void watch_tail(ms_server *server, ms_peer *peer, const spawn *s, ms_job *ending)
{
    if (ending == NULL)
        return;
    ms_watch_answered(server, peer, ending, ending->ordinal, s->parent, "tail", 0);
    server->watch->functions[s->ordinal].started++;
}

static void spawned(ms_server *server, ms_peer *peer, const ms_frame *frame)
{
    spawn s;
    ms_answer parent = MS_ANSWER_WRONG;
    if (decode(server, frame, &s))
        parent = ms_scheduler_attempt(server->scheduler, peer->slave, s.parent);
    if (parent == MS_ANSWER_WRONG) {
        ms_peer_doom(server, peer, "cut off: it started a job that can't be");
        return;
    }
    ms_job *job = make(server, peer, &s);
    if (job == NULL)
        return;
    if ((s.flags & MS_SPAWN_TAIL) == 0) {
        start(server, peer, &s, job);
    } else {
        ms_job *ending = ms_scheduler_job(server->scheduler, peer->slave, s.parent);
        if (server->watch != NULL)
            watch_tail(server, peer, &s, ending);
        if (ending != NULL && ending->lent) {
            ms_sender_close(&peer->sender);
            ms_peer_doom(server, peer, "cut off: it answered before it had read the arguments");
        } else if (ms_scheduler_tail(server->scheduler, peer->slave, s.parent, job, server->now) == MS_ANSWER_WRONG) {
            ms_peer_doom(server, peer, "cut off: a job that waits has ended");
        }
        ms_job_drop(server->pool, job, false);
    }
    ms_peers_act(server);
}

/* ---- The other frames ---- */

static void released(ms_server *server, ms_peer *peer, const ms_frame *frame)
{
    for (uint32_t at = 0; at + 4 <= frame->header.length; at += 4) {
        ms_child *child = find(&peer->children, ms_get_u32(frame->payload + at));
        if (child == NULL || child->released) {
            ms_peer_doom(server, peer, "cut off: it released a job that it does not hold");
            return;
        }
        child->released = true;
        forget_when_over(server, peer, child);
    }
    if (frame->header.length % 4 != 0)
        ms_peer_doom(server, peer, "cut off: %s", ms_wire_text(MS_WIRE_BAD_PAYLOAD));
}

static void cancelled(ms_server *server, ms_peer *peer, const ms_frame *frame)
{
    ms_child *child = find(&peer->children, ms_get_u32(frame->payload));
    if (child == NULL || child->released) {
        ms_peer_doom(server, peer, "cut off: it cancelled a job that it does not hold");
        return;
    }
    ms_scheduler_cancel(server->scheduler, child->job, server->now);
    ms_peers_act(server);
}

static void waits(ms_server *server, ms_peer *peer, const ms_frame *frame)
{
    uint32_t jid = ms_get_u32(frame->payload);
    ms_answer answer = frame->header.jid == MS_LENT ? ms_scheduler_lent(server->scheduler, peer->slave, jid, server->now)
                                                    : ms_scheduler_regained(server->scheduler, peer->slave, jid);
    if (answer == MS_ANSWER_WRONG)
        ms_peer_doom(server, peer, "cut off: it lent or regained a slot that it could not");
    else if (server->watch != NULL)
        ms_watch_lent(server, ms_scheduler_job(server->scheduler, peer->slave, jid), frame->header.jid == MS_LENT);
    ms_peers_act(server);
}

void ms_nested_handle(ms_server *server, ms_peer *peer, const ms_frame *frame)
{
    switch (frame->header.jid) {
    case MS_SPAWN: spawned(server, peer, frame); break;
    case MS_RELEASE: released(server, peer, frame); break;
    case MS_CANCEL: cancelled(server, peer, frame); break;
    default: waits(server, peer, frame); break;
    }
}
