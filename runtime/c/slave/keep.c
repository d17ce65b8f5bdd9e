/* What is kept for a master that is out of reach: answers, output, and jobs that go on.
 *
 * While there is no connection, and after it until the master has said what it wants of what was offered, the executor is `adrift`: nothing
 * that jobs say is sent. Answers are kept, up to a limit; what a job prints is held back in front of its answer. A job that has started
 * others or waits, that was cancelled, or of whose output the master may not have got all, can't go on: it is silenced, that is
 * cancelled, and nothing more is heard of it.
 *
 * Bytes that were written need not have arrived. So the answer of a job that took long is kept until a `ping` that was sent behind it has come
 * back; one ping at a time is on its way, however much there is to be told of. Answers of short jobs are cheaper to make again.
 *
 * The lock is held everywhere but in the functions that executor.h declares. */
#include "slave/children.h"
#include "slave/pool.h"

#include <stdlib.h>

enum {
    KEPT_COUNT_MAX = 65536,
    KEPT_SIZE_MAX = 256 << 20,
    HELD_SIZE_MAX = 1 << 20 /* what one job may print meanwhile */
};

/* An answer: frames, which may be in the sender as well. */
typedef struct ms_kept {
    struct ms_kept *next;
    atomic_int references;
    uint32_t jid;
    uint32_t mark;         /* of the ping behind it; nothing when it has not been sent */
    uint32_t printed_mark; /* of the ping behind the last that its job printed */
    ms_bytes frames;
    uint8_t *payload; /* of a large answer, which comes behind them with its header; else null */
    size_t size;      /* of all */
} ms_kept;

static void unref(void *kept)
{
    ms_kept *one = kept;
    if (atomic_fetch_sub_explicit(&one->references, 1, memory_order_acq_rel) > 1)
        return;
    ms_bytes_free(&one->frames);
    ms_payload_free_large(one->payload);
    free(one);
}

static void drop(ms_executor *executor, ms_kept **link)
{
    ms_kept *one = *link;
    *link = one->next;
    if (*link == NULL)
        executor->last_kept = link;
    executor->kept_count--;
    executor->kept_size -= one->size;
    unref(one);
}

void ms_keep_drop_all(ms_executor *executor)
{
    while (executor->first_kept != NULL)
        drop(executor, &executor->first_kept);
}

/* ---- Pings ---- */

static bool has_passed(const ms_executor *executor, uint32_t mark)
{
    return (int32_t)(executor->passed_mark - mark) >= 0;
}

uint32_t ms_keep_mark(ms_executor *executor)
{
    executor->unmarked = !executor->options.is_worker;
    return executor->mark + 1;
}

void ms_keep_ping(ms_executor *executor)
{
    uint8_t mark[4];
    if (!executor->unmarked || executor->adrift || executor->broken || executor->mark != executor->passed_mark)
        return;
    executor->unmarked = false;
    ms_put_u32(mark, ++executor->mark);
    ms_executor_put(executor, (ms_header){0, MS_PING, sizeof mark}, mark);
}

void ms_executor_pong(ms_executor *executor, const uint8_t *payload, uint32_t size)
{
    pthread_mutex_lock(&executor->lock);
    if (size == 4 && ms_get_u32(payload) == executor->mark && !executor->adrift) {
        executor->passed_mark = executor->mark;
        while (executor->first_kept != NULL && has_passed(executor, executor->first_kept->mark))
            drop(executor, &executor->first_kept);
        ms_executor_flush(executor);
    }
    pthread_mutex_unlock(&executor->lock);
}

/* ---- Answers and output ---- */

static bool share(ms_executor *executor, ms_kept *one, uint8_t *frames, size_t size)
{
    if (size == 0)
        return true;
    if (!ms_sender_share(&executor->filling, (ms_segment){frames, size, unref, one}))
        return false;
    atomic_fetch_add_explicit(&one->references, 1, memory_order_relaxed);
    return true;
}

static bool send_kept(ms_executor *executor, ms_kept *one)
{
    if (!share(executor, one, one->frames.data, one->frames.size) ||
        (one->payload != NULL && !share(executor, one, one->payload - MS_HEADER_SIZE, one->size - one->frames.size)))
        return false;
    one->mark = ms_keep_mark(executor);
    return true;
}

/* The frames of an answer, with what its job printed meanwhile, move into *one. False: no memory, and nothing has changed. */
static bool take_answer(ms_worker *w, ms_header header, ms_kept *one)
{
    bool is_large = w->cargo.result != NULL;
    ms_header_encode(is_large ? w->cargo.result - MS_HEADER_SIZE : w->frame.data, header);
    if (!is_large && w->held.size > 0 && !ms_bytes_append(&w->held, w->frame.data, w->frame.size))
        return false;
    ms_bytes *frames = is_large || w->held.size > 0 ? &w->held : &w->frame;
    one->frames = *frames;
    ms_bytes_init(frames);
    one->payload = w->cargo.result;
    w->cargo.result = NULL;
    one->size = one->frames.size + (is_large ? MS_HEADER_SIZE + header.length : 0);
    return true;
}

bool ms_keep_answer(ms_worker *w, ms_header header)
{
    ms_executor *executor = w->executor;
    bool away = executor->adrift || executor->broken;
    if (executor->options.is_worker)
        return away;
    size_t size = w->held.size + MS_HEADER_SIZE + header.length;
    if (executor->kept_count == KEPT_COUNT_MAX || size > KEPT_SIZE_MAX - executor->kept_size)
        return away;
    ms_kept *one = malloc(sizeof *one);
    if (one == NULL)
        return away;
    *one = (ms_kept){.references = 1, .jid = header.jid, .printed_mark = w->printed_mark};
    if (!take_answer(w, header, one)) {
        free(one);
        return away;
    }
    one->mark = executor->mark + 1; /* no ping goes out as long as there is no connection */
    *executor->last_kept = one;
    executor->last_kept = &one->next;
    executor->kept_count++;
    executor->kept_size += one->size;
    if (!away && !send_kept(executor, one))
        executor->broken = true;
    return true;
}

void ms_keep_output(ms_worker *w, ms_header header, const uint8_t *payload)
{
    uint8_t head[MS_HEADER_SIZE];
    ms_header_encode(head, header);
    if (w->held.size + header.length > HELD_SIZE_MAX || !ms_bytes_append(&w->held, head, sizeof head) ||
        !ms_bytes_append(&w->held, payload, header.length))
        ms_keep_silence(w);
}

void ms_keep_silence(ms_worker *w)
{
    w->mute = true;
    ms_bytes_clear(&w->held);
    if (!w->cancelled)
        ms_executor_cancel_worker(w->executor, w);
}

/* ---- A connection breaks ---- */

/* The frames that were not written are in parts, and nothing can be made of them. */
static void stop_sending(ms_executor *executor)
{
    executor->broken = true;
    while (executor->writing)
        pthread_cond_wait(&executor->changed, &executor->lock);
    ms_sender_close(&executor->filling);
    ms_sender_close(&executor->sending);
    executor->sending_size = 0;
    executor->blocked = executor->lingering = executor->unmarked = false;
    executor->descriptor = -1;
}

static void drop_queue(ms_executor *executor)
{
    uint32_t mask = executor->queue_capacity - 1;
    for (; executor->queue_count > 0; executor->queue_count--) {
        ms_work *one = &executor->queue[executor->queue_first];
        ms_work_free(one);
        executor->queue_first = (executor->queue_first + 1) & mask;
    }
    executor->starved = false;
}

void ms_executor_disconnect(ms_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    stop_sending(executor);
    executor->adrift = true;
    drop_queue(executor);
    for (ms_worker *w = executor->workers; w != NULL; w = w->next)
        if (w->jid != 0 && (w->cancelled || w->has_spawned || !has_passed(executor, w->printed_mark)))
            ms_keep_silence(w);
    for (ms_kept **link = &executor->first_kept; *link != NULL;) {
        if (has_passed(executor, (*link)->printed_mark))
            link = &(*link)->next;
        else
            drop(executor, link);
    }
    ms_children_forget(executor);
    if (executor->pool != NULL)
        ms_pool_disconnect(executor->pool);
    executor->passed_mark = executor->mark; /* the ping is lost; what it stood behind has been looked at */
    pthread_mutex_unlock(&executor->lock);
}

/* ---- A connection is there ---- */

static bool append_jid(ms_bytes *payload, uint32_t jid)
{
    uint8_t bytes[4];
    ms_put_u32(bytes, jid);
    return ms_bytes_append(payload, bytes, sizeof bytes);
}

static bool encode_offer(const ms_executor *executor, ms_bytes *payload)
{
    bool fine = append_jid(payload, executor->kept_count);
    for (const ms_kept *one = executor->first_kept; one != NULL; one = one->next)
        fine = fine && append_jid(payload, one->jid);
    for (const ms_worker *w = executor->workers; w != NULL; w = w->next)
        if (w->jid != 0 && !w->mute)
            fine = fine && append_jid(payload, w->jid);
    return fine && payload->size <= MS_RECALLED_MAX;
}

void ms_keep_offer(ms_executor *executor)
{
    ms_bytes payload = {0};
    if (!encode_offer(executor, &payload)) {
        ms_bytes_clear(&payload);
        ms_keep_forget(executor);
        encode_offer(executor, &payload);
    }
    ms_executor_put_anyhow(executor, (ms_header){0, MS_OFFER, (uint32_t)payload.size}, payload.data);
    ms_bytes_free(&payload);
}

void ms_keep_forget(ms_executor *executor)
{
    ms_keep_drop_all(executor);
    for (ms_worker *w = executor->workers; w != NULL; w = w->next)
        if (w->jid != 0)
            ms_keep_silence(w);
}

/* What its job printed meanwhile goes out. */
static void send_held(ms_worker *w)
{
    if (w->held.size == 0)
        return;
    if (!ms_sender_give(&w->executor->filling, &w->held))
        w->executor->broken = true;
    w->printed_mark = ms_keep_mark(w->executor);
}

bool ms_executor_taken(ms_executor *executor, const uint8_t *jids, uint32_t size)
{
    uint32_t count = size / 4, *taken = ms_jids_read(jids, count);
    pthread_mutex_lock(&executor->lock);
    bool fine = executor->adrift && size % 4 == 0 && taken != NULL;
    executor->adrift = executor->adrift && !fine;
    for (ms_kept **link = &executor->first_kept; fine && *link != NULL;) {
        ms_kept *one = *link;
        if (!ms_jids_have(taken, count, one->jid)) {
            drop(executor, link);
            continue;
        }
        if (!send_kept(executor, one))
            executor->broken = true;
        link = &one->next;
    }
    for (ms_worker *w = executor->workers; w != NULL && fine; w = w->next) {
        if (w->jid == 0 || w->mute)
            continue;
        if (ms_jids_have(taken, count, w->jid))
            send_held(w);
        else
            ms_keep_silence(w);
    }
    ms_executor_flush(executor);
    pthread_mutex_unlock(&executor->lock);
    free(taken);
    return fine;
}
