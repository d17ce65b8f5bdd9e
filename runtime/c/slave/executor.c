/* Threads, queue, cancelling, answers. */
#include "slave/executor.h"

#include "core/clock.h"
#include "core/task.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    FLUSH_SIZE = 64 << 10,     /* so much is written even when more work waits */
    UNSENT_MAX = 32 << 20,     /* with more unsent, threads wait */
    LINE_MAX_SIZE = 64 << 10,  /* a longer line is sent in parts */
    TEND_MS = 1,
    RESIGNAL_MS = 2
};
#define LONG_JOB_NS 100000u /* after such a job its answer is sent at once */

/* A job that waits. */
typedef struct work {
    uint32_t ordinal, jid, size;
    bool cancelled;
    union {
        uint8_t bytes[MS_WORK_INLINE_SIZE];
        uint8_t *block; /* of malloc's, when there are more */
    } arguments;
} work;

typedef struct worker {
    ms_executor *executor;
    pthread_t thread;
    ms_task *task;
    uint32_t jid; /* of the job that it runs, 0 for none; changed under the lock, by its own thread */
    bool cancelled;
    ms_bytes frame;
    ms_bytes failure;
    ms_bytes lines[2]; /* the beginnings of lines on standard output and standard error */
} worker;

struct ms_executor {
    ms_executor_options options;
    pthread_mutex_t lock;
    pthread_cond_t more_work, changed;
    worker *workers;
    uint32_t worker_count, idle_count;
    work *queue; /* a ring; its capacity is a power of two */
    uint32_t queue_capacity, queue_first, queue_count;
    bool ending;

    int descriptor; /* -1 until there is one */
    uint32_t payload_max;
    ms_sender filling; /* what is to be sent after `sending` */
    ms_sender sending; /* belongs to the thread that set `writing` */
    size_t sending_size; /* what is in `sending`, as of the last time the lock was held */
    bool writing;
    bool blocked; /* the socket takes no more for now */
    bool broken;  /* nothing can be sent any more */
    bool lingering; /* there are answers that no worker is about to write */
    bool tended;    /* the client looks in soon anyhow */
    uint32_t cancelling_count;
};

static _Thread_local worker *this_worker;

/* ---- Sending; the lock is held ---- */

static size_t unsent_size(const ms_executor *executor)
{
    return ms_sender_size(&executor->filling) + executor->sending_size;
}

/* Writes until all is sent or the socket is full. The lock is released around the writing. */
static void flush(ms_executor *executor)
{
    if (executor->writing || executor->blocked || executor->broken || executor->descriptor < 0)
        return; /* who writes now will see what was added */
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

static void put(ms_executor *executor, ms_header header, const void *payload)
{
    if (!executor->broken && !ms_sender_put(&executor->filling, header, payload, header.length))
        executor->broken = true;
}

/* Something stays behind in the sender. The client is told, once, if it was not going to look in. */
static void linger(ms_executor *executor)
{
    executor->lingering = true;
    if (executor->tended)
        return;
    executor->tended = true;
    executor->options.wake(executor->options.context);
}

/* ---- Output of jobs ---- */

/* Sends the first `size` bytes as output, in parts that fit a frame. */
static void send_output(worker *w, int stream, const uint8_t *bytes, size_t size)
{
    ms_executor *executor = w->executor;
    uint8_t head[MS_OUTPUT_HEAD_SIZE];
    ms_put_u32(head, w->jid);
    head[4] = (uint8_t)stream;
    while (size > 0 && !executor->broken) {
        size_t part = executor->payload_max - sizeof head;
        if (part > size)
            part = size;
        ms_bytes payload = {0};
        if (!ms_bytes_append(&payload, head, sizeof head) || !ms_bytes_append(&payload, bytes, part))
            executor->broken = true;
        else
            put(executor, (ms_header){0, MS_OUTPUT, (uint32_t)payload.size}, payload.data);
        ms_bytes_free(&payload);
        bytes += part;
        size -= part;
    }
}

/* A job that prints faster than the connection carries waits here, unless it is cancelled. */
static void wait_for_room(ms_executor *executor)
{
    while (unsent_size(executor) > UNSENT_MAX && !executor->broken && !ms_task_is_cancelled()) {
        struct timespec limit;
        flush(executor);
        if (unsent_size(executor) <= UNSENT_MAX)
            break;
        clock_gettime(CLOCK_REALTIME, &limit);
        limit.tv_nsec += 10000000;
        limit.tv_sec += limit.tv_nsec / 1000000000;
        limit.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&executor->changed, &executor->lock, &limit);
    }
}

/* The slave's `ms_output`: whole lines go, the beginning of one is kept. */
static void print(int32_t stream, const void *bytes, uint64_t size)
{
    worker *w = this_worker;
    ms_executor *executor = w->executor;
    ms_bytes *line = &w->lines[stream == 1 ? 0 : 1];
    const uint8_t *newline = memrchr(bytes, '\n', size);
    size_t whole = newline == NULL ? 0 : (size_t)(newline + 1 - (const uint8_t *)bytes);
    bool fine = ms_bytes_append(line, bytes, whole);
    if (line->size > 0 && (whole > 0 || line->size + size > LINE_MAX_SIZE)) {
        pthread_mutex_lock(&executor->lock);
        send_output(w, stream, line->data, line->size);
        wait_for_room(executor);
        linger(executor);
        pthread_mutex_unlock(&executor->lock);
        ms_bytes_clear(line);
    }
    fine = ms_bytes_append(line, (const uint8_t *)bytes + whole, size - whole) && fine;
    if (!fine)
        ms_task_fail("out of memory", 13, NULL, 0);
    ms_task_check();
}

/* ---- Answers ---- */

static void set_failure(ms_bytes *frame, const char *message)
{
    uint8_t head[4];
    ms_put_u32(head, (uint32_t)strlen(message));
    frame->size = MS_HEADER_SIZE;
    if (!ms_bytes_append(frame, head, sizeof head) || !ms_bytes_append(frame, message, strlen(message)))
        frame->size = 0;
}

/* Runs the job; its answer is in w->frame behind room for the header. Gives the ordinal of the answer. */
static int32_t run(worker *w, work *job)
{
    uint8_t *bytes = job->size <= MS_WORK_INLINE_SIZE ? job->arguments.bytes : job->arguments.block;
    ms_reader arguments = {bytes, bytes + job->size};
    ms_outcome outcome = MS_TASK_CANCELLED;
    w->frame.size = w->failure.size = 0;
    if (!ms_bytes_reserve(&w->frame, 256) || !ms_bytes_reserve(&w->failure, 256))
        return 0;
    w->frame.size = w->failure.size = MS_HEADER_SIZE;
    if (!job->cancelled)
        outcome = ms_task_run(w->task, ms_program.jobs[job->ordinal - 1].run, &arguments, &w->frame, &w->failure);
    if (outcome == MS_TASK_FINISHED)
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

/* Puts the answer into the sender, behind what the job printed. The lock is held. */
static void answer(worker *w, int32_t ordinal, uint32_t jid)
{
    ms_executor *executor = w->executor;
    for (int i = 0; i < 2; i++) {
        send_output(w, i + 1, w->lines[i].data, w->lines[i].size);
        ms_bytes_clear(&w->lines[i]);
    }
    if (ordinal == 0 || w->frame.size < MS_HEADER_SIZE) { /* not even memory to say so */
        executor->broken = true;
        return;
    }
    ms_header header = {ordinal, jid, (uint32_t)(w->frame.size - MS_HEADER_SIZE)};
    if (w->frame.size < MS_LARGE_SIZE) {
        put(executor, header, w->frame.data + MS_HEADER_SIZE);
        return;
    }
    ms_header_encode(w->frame.data, header);
    if (!executor->broken && !ms_sender_give(&executor->filling, &w->frame))
        executor->broken = true;
}

/* ---- Workers ---- */

static work take_work(ms_executor *executor)
{
    work taken = executor->queue[executor->queue_first];
    executor->queue_first = (executor->queue_first + 1) & (executor->queue_capacity - 1);
    executor->queue_count--;
    return taken;
}

static void wait_for_work(ms_executor *executor)
{
    while (executor->queue_count == 0 && !executor->ending) {
        if (unsent_size(executor) > 0 && !executor->writing && !executor->blocked && !executor->broken) {
            flush(executor);
            continue;
        }
        executor->idle_count++;
        pthread_cond_wait(&executor->more_work, &executor->lock);
        executor->idle_count--;
    }
}

/* One job from the queue to its answer. The lock is held before and after. */
static void work_once(worker *w, uint64_t *now)
{
    ms_executor *executor = w->executor;
    work job = take_work(executor);
    uint64_t began = *now;
    w->jid = job.jid;
    w->cancelled = false;
    pthread_mutex_unlock(&executor->lock);
    int32_t ordinal = run(w, &job);
    if (job.size > MS_WORK_INLINE_SIZE)
        free(job.arguments.block);
    *now = ms_clock_ns();
    pthread_mutex_lock(&executor->lock);
    answer(w, ordinal, job.jid);
    w->jid = 0;
    executor->cancelling_count -= w->cancelled;
    if (executor->queue_count == 0 || *now - began > LONG_JOB_NS || unsent_size(executor) > FLUSH_SIZE)
        flush(executor);
    else
        linger(executor);
    wait_for_room(executor);
}

static void *work_on(void *argument)
{
    worker *w = argument;
    ms_executor *executor = w->executor;
    this_worker = w;
    ms_task_thread_begin();
    pthread_mutex_lock(&executor->lock);
    for (;;) {
        wait_for_work(executor);
        if (executor->ending)
            break;
        uint64_t now = ms_clock_ns();
        while (executor->queue_count > 0 && !executor->ending)
            work_once(w, &now);
        pthread_cond_broadcast(&executor->changed);
    }
    pthread_mutex_unlock(&executor->lock);
    ms_task_thread_end();
    return NULL;
}

/* ---- Beginning and end ---- */

static bool start_worker(ms_executor *executor, pthread_attr_t *attributes)
{
    worker *w = &executor->workers[executor->worker_count];
    w->executor = executor;
    w->task = ms_task_create(executor->options.memory_max);
    if (w->task == NULL)
        return false;
    if (pthread_create(&w->thread, attributes, work_on, w) != 0) {
        ms_task_destroy(w->task);
        return false;
    }
    executor->worker_count++;
    return true;
}

ms_executor *ms_executor_create(const ms_executor_options *options)
{
    pthread_attr_t attributes;
    ms_executor *executor = calloc(1, sizeof *executor);
    if (executor == NULL)
        return NULL;
    executor->options = *options;
    executor->descriptor = -1;
    executor->payload_max = UINT32_MAX;
    pthread_mutex_init(&executor->lock, NULL);
    pthread_cond_init(&executor->more_work, NULL);
    pthread_cond_init(&executor->changed, NULL);
    executor->queue_capacity = 256;
    executor->queue = malloc(executor->queue_capacity * sizeof *executor->queue);
    executor->workers = calloc(options->slots, sizeof *executor->workers);
    ms_output = print;
    bool fine = executor->queue != NULL && executor->workers != NULL && ms_task_attributes(&attributes);
    if (fine) {
        for (uint32_t i = 0; i < options->slots && fine; i++)
            fine = start_worker(executor, &attributes);
        pthread_attr_destroy(&attributes);
    }
    if (fine)
        return executor;
    ms_executor_destroy(executor);
    return NULL;
}

void ms_executor_connect(ms_executor *executor, int descriptor, uint32_t payload_max)
{
    pthread_mutex_lock(&executor->lock);
    executor->descriptor = descriptor;
    executor->payload_max = payload_max;
    ms_payload_max = payload_max;
    pthread_mutex_unlock(&executor->lock);
}

static void free_worker(worker *w)
{
    ms_task_destroy(w->task);
    ms_bytes_free(&w->frame);
    ms_bytes_free(&w->failure);
    ms_bytes_free(&w->lines[0]);
    ms_bytes_free(&w->lines[1]);
}

void ms_executor_destroy(ms_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    executor->ending = true;
    pthread_cond_broadcast(&executor->more_work);
    pthread_mutex_unlock(&executor->lock);
    for (uint32_t i = 0; i < executor->worker_count; i++) {
        pthread_join(executor->workers[i].thread, NULL);
        free_worker(&executor->workers[i]);
    }
    while (executor->queue_count > 0) {
        work left = take_work(executor);
        if (left.size > MS_WORK_INLINE_SIZE)
            free(left.arguments.block);
    }
    ms_sender_close(&executor->filling);
    ms_sender_close(&executor->sending);
    pthread_cond_destroy(&executor->more_work);
    pthread_cond_destroy(&executor->changed);
    pthread_mutex_destroy(&executor->lock);
    free(executor->queue);
    free(executor->workers);
    free(executor);
}

/* ---- From the client's thread ---- */

/* Room for one more job. The lock is held. */
static bool reserve_queue(ms_executor *executor)
{
    if (executor->queue_count < executor->queue_capacity)
        return true;
    uint32_t capacity = executor->queue_capacity * 2, mask = executor->queue_capacity - 1;
    work *queue = malloc(capacity * sizeof *queue);
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

bool ms_executor_add(ms_executor *executor, uint32_t ordinal, uint32_t jid, const uint8_t *bytes, uint32_t size, ms_bytes *payload)
{
    pthread_mutex_lock(&executor->lock);
    bool fine = reserve_queue(executor);
    if (fine) {
        work *added = &executor->queue[(executor->queue_first + executor->queue_count) & (executor->queue_capacity - 1)];
        added->ordinal = ordinal;
        added->jid = jid;
        added->size = size;
        added->cancelled = false;
        if (size > MS_WORK_INLINE_SIZE) {
            added->arguments.block = payload->data;
            ms_bytes_init(payload);
        } else if (size > 0) {
            memcpy(added->arguments.bytes, bytes, size);
        }
        executor->queue_count++;
    }
    pthread_mutex_unlock(&executor->lock);
    return fine;
}

void ms_executor_begin(ms_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    uint32_t wanted = executor->queue_count < executor->idle_count ? executor->queue_count : executor->idle_count;
    for (uint32_t i = 0; i < wanted; i++)
        pthread_cond_signal(&executor->more_work);
    pthread_mutex_unlock(&executor->lock);
}

static void cancel_worker(ms_executor *executor, worker *w)
{
    if (!w->cancelled)
        executor->cancelling_count++;
    w->cancelled = true;
    ms_task_cancel(w->task);
}

void ms_executor_cancel(ms_executor *executor, uint32_t jid)
{
    pthread_mutex_lock(&executor->lock);
    for (uint32_t i = 0; i < executor->queue_count; i++) {
        work *one = &executor->queue[(executor->queue_first + i) & (executor->queue_capacity - 1)];
        if (one->jid == jid)
            one->cancelled = true;
    }
    for (uint32_t i = 0; i < executor->worker_count; i++)
        if (executor->workers[i].jid == jid)
            cancel_worker(executor, &executor->workers[i]);
    pthread_mutex_unlock(&executor->lock);
}

void ms_executor_cancel_all(ms_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    for (uint32_t i = 0; i < executor->queue_count; i++)
        executor->queue[(executor->queue_first + i) & (executor->queue_capacity - 1)].cancelled = true;
    for (uint32_t i = 0; i < executor->worker_count; i++)
        if (executor->workers[i].jid != 0)
            cancel_worker(executor, &executor->workers[i]);
    pthread_mutex_unlock(&executor->lock);
}

void ms_executor_take_back(ms_executor *executor, ms_bytes *jids)
{
    uint8_t bytes[4];
    pthread_mutex_lock(&executor->lock);
    while (executor->queue_count > 0) {
        ms_put_u32(bytes, executor->queue[executor->queue_first].jid);
        if (!ms_bytes_append(jids, bytes, sizeof bytes))
            break; /* then it is run */
        work back = take_work(executor);
        if (back.size > MS_WORK_INLINE_SIZE)
            free(back.arguments.block);
    }
    pthread_mutex_unlock(&executor->lock);
}

void ms_executor_send(ms_executor *executor, ms_header header, const void *payload)
{
    pthread_mutex_lock(&executor->lock);
    put(executor, header, payload);
    flush(executor);
    pthread_mutex_unlock(&executor->lock);
}

int ms_executor_tend(ms_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    bool lingered = executor->lingering;
    flush(executor);
    for (uint32_t i = 0; i < executor->worker_count && executor->cancelling_count > 0; i++)
        if (executor->workers[i].cancelled && executor->workers[i].jid != 0)
            ms_task_cancel(executor->workers[i].task);
    executor->tended = lingered;
    int again = lingered ? TEND_MS : executor->cancelling_count > 0 ? RESIGNAL_MS : -1;
    pthread_mutex_unlock(&executor->lock);
    return again;
}

void ms_executor_writable(ms_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    executor->blocked = false;
    flush(executor);
    pthread_mutex_unlock(&executor->lock);
}

static bool runs_nothing(const ms_executor *executor)
{
    for (uint32_t i = 0; i < executor->worker_count; i++)
        if (executor->workers[i].jid != 0)
            return false;
    return executor->queue_count == 0;
}

bool ms_executor_idle(ms_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    bool idle = runs_nothing(executor) && !executor->writing && (executor->broken || unsent_size(executor) == 0);
    pthread_mutex_unlock(&executor->lock);
    return idle;
}

bool ms_executor_settle(ms_executor *executor, int timeout_ms)
{
    uint64_t deadline = ms_clock_ns() + (uint64_t)timeout_ms * 1000000u;
    bool settled;
    pthread_mutex_lock(&executor->lock);
    executor->broken = true; /* what it would say interests nobody any more */
    while (!(settled = runs_nothing(executor) && !executor->writing) && ms_clock_ns() < deadline) {
        struct timespec limit;
        clock_gettime(CLOCK_REALTIME, &limit);
        limit.tv_nsec += RESIGNAL_MS * 1000000;
        limit.tv_sec += limit.tv_nsec / 1000000000;
        limit.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&executor->changed, &executor->lock, &limit);
        for (uint32_t i = 0; i < executor->worker_count; i++)
            if (executor->workers[i].jid != 0)
                cancel_worker(executor, &executor->workers[i]);
    }
    pthread_mutex_unlock(&executor->lock);
    return settled;
}
