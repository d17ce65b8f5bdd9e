/* Threads and slots. A thread that works has one of the slots; one whose job waits for another job has lent it, and whoever is idle, or
 * a new thread, takes it. So there are as many threads as jobs that have begun, and never more than `slots` of them compute, but
 * for a moment: a job that was cancelled while it waited leaves without a slot of its own.
 *
 * Threads beyond the slots go when they have been idle for a while. */
#include "slave/executor_inside.h"

#include "core/clock.h"
#include "core/handles.h"
#include "slave/pool.h"

#include <errno.h>
#include <stdlib.h>

#define IDLE_NS 1000000000u

_Thread_local ms_worker *ms_this_worker;

struct timespec ms_timespec_of(uint64_t ns)
{
    return (struct timespec){(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
}

bool ms_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    bool fine = pthread_cond_init(condition, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    return fine;
}

/* ---- Slots ---- */

static void grant(ms_executor *executor)
{
    while (executor->first_resuming != NULL && executor->busy_count < executor->options.slots) {
        ms_worker *w = executor->first_resuming;
        executor->first_resuming = w->next_resuming;
        if (executor->first_resuming == NULL)
            executor->last_resuming = NULL;
        executor->busy_count++;
        w->granted = true;
        pthread_cond_signal(&w->wake);
    }
}

bool ms_workers_worn(const ms_executor *executor)
{
    uint32_t jobs_max = executor->pool != NULL ? 0 : executor->options.jobs_max;
    return jobs_max > 0 && executor->begun_count >= jobs_max && executor->parked_count == 0;
}

void ms_workers_dispatch(ms_executor *executor)
{
    uint32_t slots = executor->options.slots;
    if (executor->pool != NULL) {
        ms_pool_dispatch(executor->pool);
        return;
    }
    if (executor->ending || ms_workers_worn(executor) || executor->first_resuming != NULL || executor->busy_count >= slots)
        return;
    uint32_t wanted = slots - executor->busy_count;
    if (wanted > executor->queue_count)
        wanted = executor->queue_count;
    for (uint32_t i = 0; i < wanted && i < executor->idle_count; i++)
        pthread_cond_signal(&executor->more_work);
    while (executor->idle_count + executor->starting_count < wanted)
        if (!ms_workers_start(executor)) {
            if (!executor->starved) {
                executor->starved = true;
                executor->options.wake(executor->options.context);
            }
            return;
        }
    executor->starved = false;
}

static void free_slot(ms_executor *executor)
{
    executor->busy_count--;
    grant(executor);
    ms_workers_dispatch(executor);
}

static void leave_queue(ms_executor *executor, ms_worker *w)
{
    ms_worker *before = NULL;
    for (ms_worker *one = executor->first_resuming; one != NULL && one != w; one = one->next_resuming)
        before = one;
    if (before == NULL)
        executor->first_resuming = w->next_resuming;
    else
        before->next_resuming = w->next_resuming;
    if (executor->last_resuming == w)
        executor->last_resuming = before;
}

static void say(ms_executor *executor, ms_control kind, uint32_t jid)
{
    uint8_t bytes[4];
    ms_put_u32(bytes, jid);
    ms_executor_put(executor, (ms_header){0, (uint32_t)kind, sizeof bytes}, bytes);
    ms_executor_flush(executor);
}

/* In a worker: the slave says when. */
static void resume_when_granted(ms_executor *executor, ms_worker *w)
{
    w->granted = false;
    say(executor, MS_REGAINED, w->jid);
    while (!w->granted)
        pthread_cond_wait(&w->wake, &executor->lock);
    executor->busy_count++;
}

void ms_executor_granted(ms_executor *executor, uint32_t jid)
{
    pthread_mutex_lock(&executor->lock);
    for (ms_worker *w = executor->workers; w != NULL; w = w->next)
        if (w->jid == jid) {
            w->granted = true;
            pthread_cond_signal(&w->wake);
        }
    pthread_mutex_unlock(&executor->lock);
}

/* Goes on once a slot is free, or at once when it is cancelled. */
static void resume(ms_executor *executor, ms_worker *w)
{
    w->next_resuming = NULL;
    w->granted = false;
    if (executor->last_resuming != NULL)
        executor->last_resuming->next_resuming = w;
    else
        executor->first_resuming = w;
    executor->last_resuming = w;
    grant(executor);
    while (!w->granted && !w->cancelled)
        pthread_cond_wait(&w->wake, &executor->lock);
    if (!w->granted) {
        leave_queue(executor, w);
        executor->busy_count++;
    }
}

void ms_worker_park(ms_worker *w, uint64_t deadline)
{
    ms_executor *executor = w->executor;
    uint64_t from = w->lane == 0 ? 0 : ms_clock_ns();
    say(executor, MS_LENT, w->jid);
    executor->parked_count++;
    free_slot(executor);
    while (!w->woken && !w->cancelled) {
        struct timespec limit = ms_timespec_of(deadline);
        if (deadline == UINT64_MAX)
            pthread_cond_wait(&w->wake, &executor->lock);
        else if (pthread_cond_timedwait(&w->wake, &executor->lock, &limit) == ETIMEDOUT)
            break;
    }
    executor->parked_count--;
    if (executor->options.is_worker)
        resume_when_granted(executor, w);
    else
        resume(executor, w);
    if (w->lane != 0)
        ms_times_waited(w, from, ms_clock_ns());
    if (!executor->options.is_worker && !w->cancelled)
        say(executor, MS_REGAINED, w->jid);
}

/* ---- Threads ---- */

static bool has_turn(const ms_executor *executor)
{
    return executor->queue_count > 0 && executor->busy_count < executor->options.slots && executor->first_resuming == NULL &&
           !ms_workers_worn(executor);
}

/* Waits for a job and a slot, which is this worker's then. False: the thread is to end. */
static bool wait_for_turn(ms_worker *w)
{
    ms_executor *executor = w->executor;
    while (!executor->ending && !has_turn(executor)) {
        bool is_extra = executor->worker_count > executor->options.slots, keeps = ms_blocks_kept_size() > 0;
        struct timespec limit = ms_timespec_of(ms_clock_ns() + IDLE_NS);
        int result = 0;
        executor->idle_count++;
        if (is_extra || keeps)
            result = pthread_cond_timedwait(&executor->more_work, &executor->lock, &limit);
        else
            pthread_cond_wait(&executor->more_work, &executor->lock);
        executor->idle_count--;
        if (keeps && result == ETIMEDOUT)
            ms_blocks_trim(ms_clock_ns());
        if (result == ETIMEDOUT && !has_turn(executor) && executor->worker_count > executor->options.slots)
            return false;
    }
    if (executor->ending)
        return false;
    executor->busy_count++;
    return true;
}

static void bury(ms_worker *w)
{
    ms_executor *executor = w->executor;
    if (w->previous != NULL)
        w->previous->next = w->next;
    else
        executor->workers = w->next;
    if (w->next != NULL)
        w->next->previous = w->previous;
    executor->worker_count--;
    w->next = executor->dead;
    executor->dead = w;
}

static void *work_on(void *argument)
{
    ms_worker *w = argument;
    ms_executor *executor = w->executor;
    ms_this_worker = w;
    ms_task_thread_begin_on(w->stack);
    pthread_mutex_lock(&executor->lock);
    executor->starting_count--;
    while (wait_for_turn(w)) {
        ms_executor_work(w);
        executor->idle_count++; /* it is there for what is queued */
        free_slot(executor);
        executor->idle_count--;
        ms_executor_flush(executor);
        pthread_cond_broadcast(&executor->changed);
    }
    bury(w);
    pthread_cond_broadcast(&executor->changed);
    pthread_mutex_unlock(&executor->lock);
    ms_handles_thread_end();
    ms_task_thread_end();
    return NULL;
}

static void free_worker(ms_worker *w)
{
    ms_task_destroy(w->task);
    ms_bytes_free(&w->frame);
    ms_bytes_free(&w->failure);
    ms_bytes_free(&w->tail_frame);
    ms_bytes_free(&w->times);
    ms_bytes_free(&w->held);
    ms_bytes_free(&w->lines[0]);
    ms_bytes_free(&w->lines[1]);
    pthread_cond_destroy(&w->wake);
    if (w->stack != NULL)
        ms_stack_destroy(w->stack);
    free(w);
}

static bool run_thread(ms_worker *w)
{
    pthread_attr_t attributes;
    w->stack = ms_stack_create();
    if (w->stack == NULL || pthread_attr_init(&attributes) != 0)
        return false;
    bool fine = pthread_attr_setstack(&attributes, w->stack, MS_STACK_SIZE) == 0 &&
                pthread_create(&w->thread, &attributes, work_on, w) == 0;
    pthread_attr_destroy(&attributes);
    return fine;
}

bool ms_workers_start(ms_executor *executor)
{
    if (executor->worker_count >= executor->options.slots && executor->worker_count - executor->options.slots >= executor->options.waiting_max)
        return false;
    ms_worker *w = calloc(1, sizeof *w);
    if (w == NULL)
        return false;
    if (!ms_condition_init(&w->wake)) {
        free(w);
        return false;
    }
    w->executor = executor;
    w->task = ms_task_create(executor->options.memory_max);
    if (w->task != NULL)
        ms_task_set_cargo(w->task, &w->cargo);
    if (w->task == NULL || !run_thread(w)) { /* the new thread waits for the lock, which is ours */
        free_worker(w);
        return false;
    }
    w->next = executor->workers;
    if (w->next != NULL)
        w->next->previous = w;
    executor->workers = w;
    executor->worker_count++;
    executor->starting_count++;
    return true;
}

void ms_workers_reap(ms_executor *executor)
{
    while (executor->dead != NULL) {
        ms_worker *w = executor->dead;
        executor->dead = w->next;
        pthread_join(w->thread, NULL); /* it takes no lock any more */
        free_worker(w);
    }
}

void ms_workers_end(ms_executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    executor->ending = true;
    pthread_cond_broadcast(&executor->more_work);
    while (executor->workers != NULL)
        pthread_cond_wait(&executor->changed, &executor->lock);
    ms_workers_reap(executor);
    pthread_mutex_unlock(&executor->lock);
}
