/* What workers say: most of it goes on to the master, with other numbers. */
#include "slave/pool_inside.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { UNSENT_MAX = 32 << 20 }; /* with more unsent, workers are not read: those that print too fast wait */

static ms_work *running(ms_process *p)
{
    return &p->jobs[p->first];
}

/* Whether a frame may speak of this job: it is the one that runs. */
static bool runs(ms_process *p, uint32_t jid)
{
    return p->count > 0 && running(p)->jid == jid;
}

/* ---- To the master ---- */

void ms_pool_say(ms_pool *pool, ms_control kind, uint32_t value)
{
    uint8_t bytes[4];
    ms_put_u32(bytes, value);
    ms_executor_put(pool->executor, (ms_header){0, (uint32_t)kind, sizeof bytes}, bytes);
}

/* Large payloads are not copied once more. */
static void forward(ms_process *p, const ms_frame *frame)
{
    ms_executor *executor = p->pool->executor;
    if (frame->header.length < MS_LARGE_SIZE) {
        ms_executor_put(executor, frame->header, frame->payload);
        return;
    }
    uint8_t *payload = ms_receiver_take(&p->receiver, frame);
    if (payload != NULL && !executor->broken &&
        ms_sender_lend(&executor->filling, frame->header, (ms_segment){payload, frame->header.length, ms_payload_free_large, payload}))
        return;
    executor->broken = executor->broken || payload == NULL;
    ms_payload_free_large(payload);
}

/* ---- Answers ---- */

static bool answered(ms_process *p, const ms_frame *frame)
{
    uint32_t ordinal = running(p)->ordinal;
    if (!runs(p, frame->header.jid) || p->lent || (frame->header.ordinal != (int32_t)ordinal && frame->header.ordinal != -(int32_t)ordinal))
        return false;
    if (frame->payload == NULL && frame->header.length > 0) {
        ms_frame question = {{(int32_t)ordinal, frame->header.jid, 0}, NULL};
        ms_executor_put_failure(p->pool->executor, &question);
    } else {
        forward(p, frame);
    }
    ms_process_answered(p);
    return true;
}

/* Takes a job out of those that have not begun. It may have become the first one meanwhile; one with large arguments is never asked for. */
static bool take_out(ms_process *p, uint32_t jid, ms_work *taken)
{
    for (uint32_t i = p->lent; i < p->count; i++) {
        ms_work *one = &p->jobs[(p->first + i) & (MS_AHEAD_MAX - 1)];
        if (one->jid != jid)
            continue;
        if (one->size > MS_WORK_INLINE_SIZE)
            return false;
        *taken = *one;
        for (p->count--; i < p->count; i++)
            p->jobs[(p->first + i) & (MS_AHEAD_MAX - 1)] = p->jobs[(p->first + i + 1) & (MS_AHEAD_MAX - 1)];
        return true;
    }
    return false;
}

/* Jobs that it had not begun, oldest first; what was sent meanwhile is not among them. */
static bool recalled(ms_process *p, const ms_frame *frame)
{
    ms_work back;
    bool had_jobs = p->count > 0;
    p->recalling = false;
    for (uint32_t i = frame->header.length / 4; i > 0; i--) {
        if (!take_out(p, ms_get_u32(frame->payload + (size_t)(i - 1) * 4), &back))
            return false;
        ms_pool_requeue(p->pool, &back);
        p->given_count--;
    }
    if (had_jobs && p->count == 0)
        ms_process_rest(p);
    return frame->header.length % 4 == 0;
}

/* ---- Jobs of jobs ---- */

/* A copy of a spawn with the slave's numbers in place of the worker's. False: it names something that it can't. */
static bool renumber(ms_process *p, uint8_t *payload, uint32_t size, bool *tail)
{
    ms_relay *relay = &p->pool->relay;
    uint32_t flags = ms_get_u32(payload + 12), hole_count = ms_get_u32(payload + 16), number = 0;
    *tail = (flags & MS_SPAWN_TAIL) != 0;
    if (!runs(p, ms_get_u32(payload)) || (*tail && p->lent) || flags > MS_SPAWN_TAIL ||
        hole_count > (size - MS_SPAWN_HEAD_SIZE) / MS_SPAWN_HOLE_SIZE)
        return false;
    for (uint32_t i = 0; i < hole_count; i++) {
        uint8_t *named = payload + MS_SPAWN_HEAD_SIZE + (size_t)i * MS_SPAWN_HOLE_SIZE + 4;
        uint32_t dependency = ms_relay_find(relay, &p->numbers, ms_get_u32(named));
        if (dependency == 0)
            return false;
        ms_put_u32(named, dependency);
    }
    if (!*tail)
        number = ms_relay_add(relay, &p->numbers, p, ms_get_u32(payload + 4));
    ms_put_u32(payload + 4, number);
    return *tail || number != 0;
}

static bool spawned(ms_process *p, const ms_frame *frame)
{
    ms_executor *executor = p->pool->executor;
    uint32_t size = frame->header.length;
    ms_bytes copy = {0};
    bool tail = false;
    bool fine = ms_bytes_reserve(&copy, MS_HEADER_SIZE + (size_t)size);
    if (fine) {
        ms_header_encode(copy.data, frame->header);
        memcpy(copy.data + MS_HEADER_SIZE, frame->payload, size);
        copy.size = MS_HEADER_SIZE + (size_t)size;
        fine = renumber(p, copy.data + MS_HEADER_SIZE, size, &tail);
    }
    if (fine && copy.size < MS_LARGE_SIZE)
        ms_executor_put(executor, frame->header, copy.data + MS_HEADER_SIZE);
    else if (fine && !executor->broken && !ms_sender_give(&executor->filling, &copy))
        executor->broken = true;
    ms_bytes_free(&copy);
    if (tail && fine)
        ms_process_answered(p);
    return fine;
}

static bool released(ms_process *p, const ms_frame *frame)
{
    for (uint32_t at = 0; at + 4 <= frame->header.length; at += 4) {
        uint32_t number = ms_relay_find(&p->pool->relay, &p->numbers, ms_get_u32(frame->payload + at));
        if (number == 0)
            return false;
        if (ms_relay_is_known(&p->pool->relay, number))
            ms_pool_say(p->pool, MS_RELEASE, number);
        ms_relay_release(&p->pool->relay, &p->numbers, number);
    }
    return frame->header.length % 4 == 0;
}

static bool cancelled(ms_process *p, const ms_frame *frame)
{
    uint32_t number = ms_relay_find(&p->pool->relay, &p->numbers, ms_get_u32(frame->payload));
    if (number != 0 && ms_relay_is_known(&p->pool->relay, number))
        ms_pool_say(p->pool, MS_CANCEL, number);
    return number != 0;
}

static void release_one(void *context, uint32_t number)
{
    ms_pool_say(context, MS_RELEASE, number);
}

void ms_process_release_all(ms_process *p)
{
    ms_relay_orphan(&p->pool->relay, &p->numbers, release_one, p->pool);
}

/* ---- Times ---- */

/* The worker knows one lane; the slave's is told. */
static bool timed(ms_process *p, const ms_frame *frame)
{
    ms_bytes copy = {0};
    if (!runs(p, ms_get_u32(frame->payload)))
        return false;
    if (p->lane != 0 && ms_bytes_append(&copy, frame->payload, frame->header.length)) {
        ms_put_u32(copy.data + 4, p->lane - 1);
        ms_executor_put(p->pool->executor, frame->header, copy.data);
    }
    ms_bytes_free(&copy);
    return true;
}

/* ---- Slots ---- */

static bool lends(ms_process *p, uint32_t jid)
{
    if (!runs(p, jid) || p->lent)
        return false;
    ms_pool_say(p->pool, MS_LENT, jid);
    ms_process_lend(p);
    return true;
}

static bool wants_to_go_on(ms_process *p, uint32_t jid)
{
    if (!runs(p, jid) || !p->lent || p->resuming)
        return false;
    ms_process_resume(p);
    return true;
}

/* ---- Reading ---- */

/* False: it breaks the rules. */
static bool handle(ms_process *p, const ms_frame *frame)
{
    const uint8_t *payload = frame->payload;
    if (!p->ready)
        ms_process_ready(p);
    if (frame->payload == NULL && frame->header.length > 0 && frame->header.ordinal == 0)
        return false;
    if (frame->header.ordinal != 0)
        return answered(p, frame);
    switch ((ms_control)frame->header.jid) {
    case MS_PING: /* it is there */
    case MS_CLOCK: return true; /* it tells times: its clock is ours */
    case MS_TIMED: return timed(p, frame);
    case MS_SPAWN: return spawned(p, frame);
    case MS_RELEASE: return released(p, frame);
    case MS_CANCEL: return cancelled(p, frame);
    case MS_RECALLED: return recalled(p, frame);
    case MS_LENT: return lends(p, ms_get_u32(payload));
    case MS_REGAINED: return wants_to_go_on(p, ms_get_u32(payload));
    case MS_OUTPUT:
        if (!runs(p, ms_get_u32(payload)))
            return false;
        forward(p, frame);
        return true;
    default: return false;
    }
}

static bool has_room(ms_pool *pool)
{
    ms_executor *executor = pool->executor;
    return executor->broken || ms_sender_size(&executor->filling) + executor->sending_size <= UNSENT_MAX;
}

void ms_process_read(ms_process *p, int reads)
{
    ms_frame frame;
    p->unread = true;
    for (int i = 0; p->unread && i < reads && !p->distrusted && (reads == INT_MAX || has_room(p->pool)); i++) {
        ms_conn_status status = ms_receiver_read(&p->receiver, p->descriptor);
        while (!p->distrusted && ms_receiver_next(&p->receiver, &frame))
            if (!handle(p, &frame))
                ms_process_distrust(p);
        if (p->receiver.wrong != MS_WIRE_FINE)
            ms_process_distrust(p);
        p->unread = status == MS_CONN_MORE || (status == MS_CONN_DRY && p->hung_up);
    }
    p->unread = p->unread && !p->distrusted;
}
