/* Queue, cancelling, sending, answers. */
#include "slave/executor_inside.h"

#include "core/clock.h"
#include "slave/pool.h"
#include "slave/say.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FLUSH_SIZE = 64 << 10,     /* so much is written even when more work waits */
    UNSENT_MAX = 32 << 20,     /* with more unsent, threads wait */
    LINE_MAX_SIZE = 64 << 10,  /* a longer line is sent in parts */
    TEND_MS = 1,
    RESIGNAL_MS = 2,
    STARVED_MS = 50
};
#define ROOM_NS 10000000u   /* how often it looks whether there is room */
#define LONG_JOB_NS 100000u /* after such a job its answer is sent at once */
#define KEPT_JOB_NS 10000000u /* the answer of such a job is kept until the master has it */

/* ---- Sending; the lock is held ---- */

static size_t unsent_size(const ms_executor *executor)
{
    return ms_sender_size(&executor->filling) + executor->sending_size;
}

/* Writes until all is sent or the socket is full. The lock is released around the writing. */
void ms_executor_flush(ms_executor *executor)
{
    if (executor->writing || executor->blocked || executor->broken || executor->descriptor < 0)
        return; /* who writes now will see what was added */
    ms_keep_ping(executor);
    executor->writing = true;
    executor->lingering = false;
    while (!executor->blocked && !executor->broken && unsent_size(executor) > 0) {
        if (executor->sending_size == 0) {
            ms_sender empty = executor->sending;
            executor->sending = executor->filling;
            executor->filling = empty;
            executor->sending_size = ms_sender_size(&executor->sending);
        }
        pthread_mutex_unlock(&executor->lock);
        ms_conn_status status = ms_sender_flush(&executor->sending, executor->descriptor);
        pthread_mutex_lock(&executor->lock);
        executor->sending_size = ms_sender_size(&executor->sending);
        executor->blocked = status == MS_CONN_DRY;
        executor->broken = executor->broken || status == MS_CONN_BROKEN;
        pthread_cond_broadcast(&executor->changed);
    }
    executor->writing = false;
}

void ms_executor_put(ms_executor *executor, ms_header header, const void *payload)
{
    if (!executor->adrift)
        ms_executor_put_anyhow(executor, header, payload);
}

void ms_executor_put_anyhow(ms_executor *executor, ms_header header, const void *payload)
{
    if (!executor->broken && !ms_sender_put(&executor->filling, header, payload, header.length))
        executor->broken = true;
}

/* Something stays behind in the sender. The client is told, once, if it was not going to look in. */
void ms_executor_linger(ms_executor *executor)
{
    if (executor->adrift || executor->broken)
        return;
    executor->lingering = true;
    if (executor->tended)
        return;
    executor->tended = true;
    executor->options.wake(executor->options.context);
}

/* ---- Output of jobs ---- */

/* Sends the first `size` bytes as output, in parts that fit a frame. */
static void send_output(ms_worker *w, int stream, const uint8_t *bytes, size_t size)
{
    ms_executor *executor = w->executor;
    uint8_t head[MS_OUTPUT_HEAD_SIZE];
    ms_put_u32(head, w->jid);
    head[4] = (uint8_t)stream;
    while (size > 0 && !w->mute) {
        size_t part = executor->payload_max - sizeof head;
        if (part > size)
            part = size;
        ms_bytes payload = {0};
        ms_header header = {0, MS_OUTPUT, (uint32_t)(sizeof head + part)};
        if (!ms_bytes_append(&payload, head, sizeof head) || !ms_bytes_append(&payload, bytes, part)) {
            executor->broken = true;
            ms_keep_silence(w);
        } else if (executor->adrift || executor->broken) {
            ms_keep_output(w, header, payload.data);
        } else {
            ms_executor_put(executor, header, payload.data);
            w->printed_mark = ms_keep_mark(executor);
        }
        ms_bytes_free(&payload);
        bytes += part;
        size -= part;
    }
}

/* A job that prints faster than the connection carries waits here, unless it is cancelled. */
void ms_executor_wait_for_room(ms_executor *executor)
{
    while (unsent_size(executor) > UNSENT_MAX && !executor->broken && !ms_task_is_cancelled()) {
        ms_executor_flush(executor);
        if (unsent_size(executor) <= UNSENT_MAX)
            break;
        struct timespec limit = ms_timespec_of(ms_clock_ns() + ROOM_NS);
        pthread_cond_timedwait(&executor->changed, &executor->lock, &limit);
    }
}

/* The slave's `ms_output`: whole lines go, the beginning of one is kept. */
static void print(int32_t stream, const void *bytes, uint64_t size)
{
    ms_worker *w = ms_this_worker;
    ms_executor *executor = w->executor;
    ms_bytes *line = &w->lines[stream == 1 ? 0 : 1];
    const uint8_t *newline = memrchr(bytes, '\n', size);
    size_t whole = newline == NULL ? 0 : (size_t)(newline + 1 - (const uint8_t *)bytes);
    bool fine = ms_bytes_append(line, bytes, whole);
    if (line->size > 0 && (whole > 0 || line->size + size > LINE_MAX_SIZE)) {
        pthread_mutex_lock(&executor->lock);
        send_output(w, stream, line->data, line->size);
        ms_executor_wait_for_room(executor);
        if (executor->options.is_worker)
            ms_executor_flush(executor); /* it is out, should the process die */
        else
            ms_executor_linger(executor);
        pthread_mutex_unlock(&executor->lock);
        ms_bytes_clear(line);
    }
    fine = ms_bytes_append(line, (const uint8_t *)bytes + whole, size - whole) && fine;
    if (!fine)
        ms_task_fail("out of memory", 13);
    ms_task_check();
}

/* ---- Answers ---- */

static void set_failure(ms_bytes *frame, const char *message)
{
    uint8_t head[4];
    ms_put_u32(head, (uint32_t)strlen(message));
    frame->size = 0;
    if (!ms_bytes_reserve(frame, MS_HEADER_SIZE))
        return;
    frame->size = MS_HEADER_SIZE;
    if (!ms_bytes_append(frame, head, sizeof head) || !ms_bytes_append(frame, message, strlen(message)))
        frame->size = 0;
}

bool ms_work_join(ms_work *work)
{
    if (!work->in_pieces)
        return true;
    ms_pieces *pieces = work->arguments.pieces;
    uint8_t *block = ms_pieces_join(pieces, work->size);
    work->in_pieces = false;
    ms_pieces_free(pieces);
    if (block != NULL && work->size <= MS_WORK_INLINE_SIZE) {
        memcpy(work->arguments.bytes, block, work->size);
        ms_payload_free(block, work->size);
        return true;
    }
    work->arguments.block = block;
    return block != NULL;
}

void ms_work_free(ms_work *work)
{
    if (work->in_pieces)
        ms_pieces_free(work->arguments.pieces);
    else if (work->size > MS_WORK_INLINE_SIZE)
        ms_payload_free(work->arguments.block, work->size);
}

/* Runs the job; its answer is in w->frame behind room for the header. Gives the ordinal of the answer. */
static int32_t run(ms_worker *w, ms_work *job)
{
    bool is_whole = job->cancelled || ms_work_join(job);
    uint8_t *bytes = job->size <= MS_WORK_INLINE_SIZE ? job->arguments.bytes : job->arguments.block;
    ms_reader arguments = {bytes, bytes + job->size};
    ms_outcome outcome = job->cancelled ? MS_TASK_CANCELLED : MS_TASK_FAILED;
    w->frame.size = w->failure.size = 0;
    ms_bytes_free(&w->tail_frame);
    w->cargo = (ms_cargo){.arguments = job->in_pieces || job->size <= MS_WORK_INLINE_SIZE ? NULL : bytes, .arguments_size = job->size};
    if (!ms_bytes_reserve(&w->frame, 256) || !ms_bytes_reserve(&w->failure, 256))
        return 0;
    w->frame.size = w->failure.size = MS_HEADER_SIZE;
    if (!job->cancelled && is_whole)
        outcome = ms_task_run(w->task, ms_program.jobs[job->ordinal - 1].run, &arguments, &w->frame, &w->failure);
    if (outcome == MS_TASK_FINISHED || outcome == MS_TASK_HANDED_OVER)
        return (int32_t)job->ordinal;
    if (outcome == MS_TASK_FAILED && w->failure.size > MS_HEADER_SIZE) {
        ms_bytes failed = w->frame;
        w->frame = w->failure;
        w->failure = failed;
        if (w->frame.size - MS_HEADER_SIZE > w->executor->payload_max)
            set_failure(&w->frame, "a failure whose message is beyond the limit on payloads");
    } else if (outcome == MS_TASK_REJECTED) {
        set_failure(&w->frame, "the arguments that came do not fit the job");
    } else {
        set_failure(&w->frame, outcome == MS_TASK_CANCELLED ? "cancelled" : "out of memory");
    }
    return -(int32_t)job->ordinal;
}

/* A large result is sent from where it lies. */
static void send_cargo(ms_worker *w, ms_header header)
{
    uint8_t *payload = w->cargo.result, *frame = payload - MS_HEADER_SIZE;
    ms_header_encode(frame, header);
    if (w->executor->broken)
        return;
    if (ms_sender_share(&w->executor->filling, (ms_segment){frame, MS_HEADER_SIZE + w->cargo.result_size, ms_payload_free_large, payload}))
        w->cargo.result = NULL;
    else
        w->executor->broken = true;
}

/* Puts the answer into the sender, behind what the job printed. The lock is held. */
static void answer(ms_worker *w, int32_t ordinal, uint32_t jid, bool is_long)
{
    ms_executor *executor = w->executor;
    for (int i = 0; i < 2; i++) {
        send_output(w, i + 1, w->lines[i].data, w->lines[i].size);
        ms_bytes_clear(&w->lines[i]);
    }
    if (w->mute)
        return;
    if (w->tail_frame.size > 0) { /* the answer is another job */
        if (!executor->broken && !executor->adrift && !ms_sender_give(&executor->filling, &w->tail_frame))
            executor->broken = true;
        return;
    }
    if (ordinal == 0 || w->frame.size < MS_HEADER_SIZE) { /* not even memory to say so */
        executor->broken = true;
        return;
    }
    ms_header header = {ordinal, jid, (uint32_t)(w->cargo.result != NULL ? w->cargo.result_size : w->frame.size - MS_HEADER_SIZE)};
    if (!w->cancelled && (is_long || executor->adrift || executor->broken) && ms_keep_answer(w, header))
        return;
    if (w->cargo.result != NULL) {
        send_cargo(w, header);
        return;
    }
    if (w->frame.size < MS_LARGE_SIZE) {
        ms_executor_put(executor, header, w->frame.data + MS_HEADER_SIZE);
        return;
    }
    ms_header_encode(w->frame.data, header);
    if (!executor->broken && !ms_sender_give(&executor->filling, &w->frame))
        executor->broken = true;
}

/* ---- Workers ---- */

ms_work ms_executor_take_work(ms_executor *executor)
{
    ms_work taken = executor->queue[executor->queue_first];
    executor->queue_first = (executor->queue_first + 1) & (executor->queue_capacity - 1);
    executor->queue_count--;
    return taken;
}

/* One job from the queue to its answer. The lock is held before and after. */
static void work_once(ms_worker *w, uint64_t *now)
{
    ms_executor *executor = w->executor;
    ms_work job = ms_executor_take_work(executor);
    uint64_t began = *now;
    w->jid = job.jid;
    w->cancelled = w->mute = w->has_spawned = false;
    w->printed_mark = executor->passed_mark;
    ms_bytes_clear(&w->held);
    executor->begun_count++;
    if (executor->tells_times)
        ms_times_begin(w);
    pthread_mutex_unlock(&executor->lock);
    int32_t ordinal = run(w, &job);
    if (!job.in_pieces && job.size > MS_WORK_INLINE_SIZE)
        job.arguments.block = w->cargo.arguments;
    ms_work_free(&job);
    *now = ms_clock_ns();
    pthread_mutex_lock(&executor->lock);
    if (w->lane != 0)
        ms_times_end(w, *now);
    answer(w, ordinal, job.jid, *now - began > KEPT_JOB_NS);
    ms_payload_free_large(w->cargo.result); /* nobody wants it */
    if (ordinal > 0 && !w->has_spawned && !executor->options.is_worker)
        ms_times_took(executor, job.ordinal, *now - began);
    ms_children_end(w); /* a tail job may wait for them, so they are released behind it */
    w->jid = 0;
    if (ms_workers_worn(executor))
        executor->options.wake(executor->options.context);
    executor->cancelling_count -= w->cancelled;
    if (executor->queue_count == 0 || *now - began > LONG_JOB_NS || unsent_size(executor) > FLUSH_SIZE || executor->options.is_worker)
        ms_executor_flush(executor);
    else
        ms_executor_linger(executor);
    ms_executor_wait_for_room(executor);
}

void ms_executor_work(ms_worker *w)
{
    ms_executor *executor = w->executor;
    uint64_t now = ms_clock_ns();
    while (executor->queue_count > 0 && !executor->ending && executor->first_resuming == NULL && !ms_workers_worn(executor) &&
           executor->busy_count <= executor->options.slots)
        work_once(w, &now);
}

/* ---- Beginning and end ---- */

ms_executor *ms_executor_create(const ms_executor_options *options)
{
    ms_executor *executor = calloc(1, sizeof *executor);
    if (executor == NULL)
        return NULL;
    executor->options = *options;
    executor->descriptor = -1;
    executor->payload_max = UINT32_MAX;
    pthread_mutex_init(&executor->lock, NULL);
    ms_condition_init(&executor->more_work);
    ms_condition_init(&executor->changed);
    executor->last_kept = &executor->first_kept;
    executor->queue_capacity = 256;
    executor->queue = malloc(executor->queue_capacity * sizeof *executor->queue);
    ms_output = print;
    bool fine = executor->queue != NULL;
    if (fine && options->pristine != NULL) {
        executor->pool = ms_pool_create(executor, options->pristine);
        fine = executor->pool != NULL;
    }
    pthread_mutex_lock(&executor->lock);
    for (uint32_t i = 0; i < options->slots && fine && executor->pool == NULL; i++)
        fine = ms_workers_start(executor);
    pthread_mutex_unlock(&executor->lock);
    if (fine)
        return executor;
    ms_executor_destroy(executor);
    return NULL;
}

void ms_executor_connect(ms_executor *executor, int descriptor, ms_secure *secure, uint32_t payload_max, bool same)
{
    pthread_mutex_lock(&executor->lock);
    executor->descriptor = descriptor;
    executor->broken = false;
    executor->filling.secure = executor->sending.secure = secure;
    executor->payload_max = payload_max;
    executor->tells_times = false; /* until this master asks */
    if (ms_payload_max != payload_max) /* as it never is while jobs run that will be heard of */
        ms_payload_max = payload_max;
    if (same)
        ms_keep_offer(executor);
    else
        ms_keep_forget(executor);
    executor->adrift = same;
    ms_executor_flush(executor);
    pthread_mutex_unlock(&executor->lock);
}

void ms_executor_destroy(ms_executor *executor)
{
    ms_workers_end(executor);
    if (executor->pool != NULL)
        ms_pool_destroy(executor->pool);
    ms_children_destroy(executor);
    ms_times_destroy(executor);
    ms_keep_drop_all(executor);
    while (executor->queue_count > 0) {
        ms_work left = ms_executor_take_work(executor);
        ms_work_free(&left);
    }
    ms_sender_close(&executor->filling);
    ms_sender_close(&executor->sending);
    pthread_cond_destroy(&executor->more_work);
    pthread_cond_destroy(&executor->changed);
    pthread_mutex_destroy(&executor->lock);
    free(executor->queue);
    free(executor);
}

/* ---- From the client's thread ---- */

/* Room for one more job. The lock is held. */
static bool reserve_queue(ms_executor *executor)
{
    if (executor->queue_count < executor->queue_capacity)
        return true;
    uint32_t capacity = executor->queue_capacity * 2, mask = executor->queue_capacity - 1;
    ms_work *queue = malloc(capacity * sizeof *queue);
    if (queue == NULL)
        return false;
    for (uint32_t i = 0; i < executor->queue_count; i++)
        queue[i] = executor->queue[(executor->queue_first + i) & mask];
    free(executor->queue);
    executor->queue = queue;
    executor->queue_capacity = capacity;
    executor->queue_first = 0;
    return true;
}

bool ms_executor_add(ms_executor *executor, uint32_t ordinal, uint32_t jid, const uint8_t *bytes, uint32_t size, uint8_t *payload)
{
    pthread_mutex_lock(&executor->lock);
    bool fine = reserve_queue(executor);
    if (fine) {
        ms_work *added = &executor->queue[(executor->queue_first + executor->queue_count) & (executor->queue_capacity - 1)];
        added->ordinal = ordinal;
        added->jid = jid;
        added->size = size;
        added->cancelled = added->in_pieces = false;
        if (size > MS_WORK_INLINE_SIZE) {
            added->arguments.block = payload;
        } else if (size > 0) {
            memcpy(added->arguments.bytes, bytes, size);
        }
        executor->queue_count++;
    }
    pthread_mutex_unlock(&executor->lock);
    return fine;
}

bool ms_executor_add_pieces(ms_executor *executor, const ms_run_head *head, ms_pieces *pieces)
{
    pthread_mutex_lock(&executor->lock);
    bool fine = reserve_queue(executor);
    if (fine)
        executor->queue[(executor->queue_first + executor->queue_count++) & (executor->queue_capacity - 1)] =
            (ms_work){.ordinal = head->ordinal, .jid = head->jid, .size = head->size, .in_pieces = true, .arguments.pieces = pieces};
    pthread_mutex_unlock(&executor->lock);
    if (!fine)
        ms_pieces_free(pieces);
    return fine;
}

void ms_executor_put_failure(ms_executor *executor, const ms_frame *frame)
{
    char message[96] = "out of memory";
    uint64_t limit = executor->options.memory_max;
    ms_bytes failure = {0};
    if (limit > 0 && frame->header.length > limit)
        snprintf(message, sizeof message, "out of memory: arguments of %u bytes, the limit is %llu", frame->header.length,
                 (unsigned long long)limit);
    set_failure(&failure, message);
    if (failure.size < MS_HEADER_SIZE)
        executor->broken = true;
    else
        ms_executor_put(executor, (ms_header){-frame->header.ordinal, frame->header.jid, (uint32_t)(failure.size - MS_HEADER_SIZE)},
                        failure.data + MS_HEADER_SIZE);
    ms_bytes_free(&failure);
}

void ms_executor_reject(ms_executor *executor, const ms_frame *frame)
{
    pthread_mutex_lock(&executor->lock);
    ms_executor_put_failure(executor, frame);
    ms_executor_linger(executor);
    pthread_mutex_unlock(&executor->lock);
}

bool ms_executor_put_back(ms_executor *executor, const ms_work *job)
{
    if (!reserve_queue(executor))
        return false;
    executor->queue_first = (executor->queue_first - 1) & (executor->queue_capacity - 1);
    executor->queue[executor->queue_first] = *job;
    executor->queue_count++;
    return true;
}

int ms_executor_descriptor(const ms_executor *executor)
{
    return executor->pool == NULL ? -1 : ms_pool_descriptor(executor->pool);
}

void ms_executor_begin(ms_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    ms_workers_dispatch(executor);
    pthread_mutex_unlock(&executor->lock);
}

void ms_executor_cancel_worker(ms_executor *executor, ms_worker *w)
{
    if (!w->cancelled)
        executor->cancelling_count++;
    w->cancelled = true;
    ms_task_cancel(w->task);
    pthread_cond_signal(&w->wake);
}

void ms_executor_cancel(ms_executor *executor, uint32_t jid)
{
    pthread_mutex_lock(&executor->lock);
    for (uint32_t i = 0; i < executor->queue_count; i++) {
        ms_work *one = &executor->queue[(executor->queue_first + i) & (executor->queue_capacity - 1)];
        if (one->jid == jid)
            one->cancelled = true;
    }
    for (ms_worker *w = executor->workers; w != NULL; w = w->next)
        if (w->jid == jid)
            ms_executor_cancel_worker(executor, w);
    if (executor->pool != NULL)
        ms_pool_cancel(executor->pool, jid);
    pthread_mutex_unlock(&executor->lock);
}

void ms_executor_cancel_all(ms_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    executor->broken = true;
    for (uint32_t i = 0; i < executor->queue_count; i++)
        executor->queue[(executor->queue_first + i) & (executor->queue_capacity - 1)].cancelled = true;
    for (ms_worker *w = executor->workers; w != NULL; w = w->next)
        if (w->jid != 0)
            ms_executor_cancel_worker(executor, w);
    if (executor->pool != NULL)
        ms_pool_cancel_all(executor->pool);
    pthread_mutex_unlock(&executor->lock);
}

/* Jobs that have not begun leave the queue. The lock is held. */
static void take_back(ms_executor *executor, ms_bytes *jids)
{
    uint8_t bytes[4];
    while (executor->queue_count > 0 && jids->size < MS_RECALLED_MAX) {
        ms_put_u32(bytes, executor->queue[executor->queue_first].jid);
        if (!ms_bytes_append(jids, bytes, sizeof bytes))
            break; /* then it is run */
        ms_work back = ms_executor_take_work(executor);
        ms_work_free(&back);
    }
}

void ms_executor_take_back(ms_executor *executor)
{
    ms_bytes jids;
    pthread_mutex_lock(&executor->lock);
    bool more = true;
    while (more) {
        ms_bytes_init(&jids);
        take_back(executor, &jids);
        more = jids.size > 0;
        if (more)
            ms_executor_put(executor, (ms_header){0, MS_RECALLED, (uint32_t)jids.size}, jids.data);
        ms_bytes_free(&jids);
    }
    ms_executor_flush(executor);
    pthread_mutex_unlock(&executor->lock);
}

static bool runs_a_job(const ms_executor *executor)
{
    for (const ms_worker *w = executor->workers; w != NULL; w = w->next)
        if (w->jid != 0)
            return true;
    return executor->pool != NULL && !ms_pool_runs_nothing(executor->pool);
}

/* There is a slot and no thread or worker for it, since all wait: others may have what is queued here. */
static void give_back_starved(ms_executor *executor)
{
    ms_bytes jids = {0};
    if (!executor->starved)
        return;
    ms_workers_dispatch(executor);
    if (!executor->starved || executor->queue_count == 0)
        return;
    if (!executor->starved_said && !executor->options.is_worker)
        ms_say(executor->options.quiet, "no more %s for jobs: %u wait for others here; further ones go back to the master",
               executor->pool == NULL ? "threads" : "workers",
               executor->pool == NULL ? executor->worker_count : ms_pool_waiting_count(executor->pool));
    executor->starved_said = true;
    take_back(executor, &jids);
    ms_executor_put(executor, (ms_header){0, MS_RECALLED, (uint32_t)jids.size}, jids.data);
    ms_bytes_free(&jids);
    ms_executor_flush(executor);
}

void ms_executor_send(ms_executor *executor, ms_header header, const void *payload)
{
    pthread_mutex_lock(&executor->lock);
    ms_executor_put_anyhow(executor, header, payload);
    ms_executor_flush(executor);
    pthread_mutex_unlock(&executor->lock);
}

int ms_executor_tend(ms_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    int serve_ms = executor->pool == NULL ? -1 : ms_pool_serve(executor->pool);
    bool lingered = executor->lingering;
    ms_executor_flush(executor);
    for (ms_worker *w = executor->cancelling_count > 0 ? executor->workers : NULL; w != NULL; w = w->next)
        if (w->cancelled && w->jid != 0)
            ms_task_cancel(w->task);
    ms_workers_reap(executor);
    give_back_starved(executor);
    executor->tended = lingered;
    int again = lingered ? TEND_MS : executor->cancelling_count > 0 ? RESIGNAL_MS : executor->starved ? STARVED_MS : -1;
    pthread_mutex_unlock(&executor->lock);
    return serve_ms >= 0 && (again < 0 || serve_ms < again) ? serve_ms : again;
}

void ms_executor_writable(ms_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    executor->blocked = false;
    ms_executor_flush(executor);
    pthread_mutex_unlock(&executor->lock);
}

static bool runs_nothing(const ms_executor *executor)
{
    return executor->queue_count == 0 && !runs_a_job(executor);
}

bool ms_executor_worn_out(ms_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    bool worn_out = ms_workers_worn(executor) && !runs_a_job(executor);
    pthread_mutex_unlock(&executor->lock);
    return worn_out;
}

bool ms_executor_runs_nothing(ms_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    bool nothing = runs_nothing(executor);
    pthread_mutex_unlock(&executor->lock);
    return nothing;
}

bool ms_executor_idle(ms_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    bool idle = runs_nothing(executor) && !executor->writing && !(executor->adrift && executor->kept_count > 0) && (executor->broken || unsent_size(executor) == 0);
    pthread_mutex_unlock(&executor->lock);
    return idle;
}

bool ms_executor_settle(ms_executor *executor, int timeout_ms)
{
    uint64_t deadline = ms_clock_ns() + (uint64_t)timeout_ms * 1000000u;
    bool settled;
    if (executor->pool != NULL)
        return true; /* workers end with the pristine process */
    pthread_mutex_lock(&executor->lock);
    executor->broken = true; /* what it would say interests nobody any more */
    while (!(settled = runs_nothing(executor) && !executor->writing) && ms_clock_ns() < deadline) {
        struct timespec limit = ms_timespec_of(ms_clock_ns() + RESIGNAL_MS * 1000000u);
        pthread_cond_timedwait(&executor->changed, &executor->lock, &limit);
        for (ms_worker *w = executor->workers; w != NULL; w = w->next)
            if (w->jid != 0)
                ms_executor_cancel_worker(executor, w);
    }
    pthread_mutex_unlock(&executor->lock);
    return settled;
}
