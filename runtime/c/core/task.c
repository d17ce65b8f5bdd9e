/* Tasks: entering and leaving them. How they are interrupted stands in `signals.c`.
 *
 * What always holds: `ms_thread.top` is the task that runs on this thread, its heap is the one the thread allocates from, and its
 * `entry` may be jumped to whenever the program's own code runs. `running`, `thread` and `cancelled` change only under `lock`,
 * so a cancel hits the run during which it was asked for and no other one; its signal carries nothing, and one that comes late finds
 * no task marked. */
#include "core/task.h"

#include "core/fail.h"
#include "core/payload.h"
#include "core/task_inside.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool ms_heap_check;
uint64_t ms_payload_max = UINT32_MAX;

_Thread_local ms_thread_state ms_thread;

static const ms_reason overflowing = {"stack overflow", 14, "stack overflow", 14, NULL, 0};

/* ---- Making tasks ---- */

ms_task *ms_task_create(uint64_t memory_max_size)
{
    ms_task *task = calloc(1, sizeof *task);
    if (task == NULL)
        return NULL;
    task->heap = ms_heap_create(memory_max_size);
    if (task->heap == NULL || pthread_mutex_init(&task->lock, NULL) != 0) {
        ms_heap_destroy(task->heap);
        free(task);
        return NULL;
    }
    return task;
}

void ms_task_destroy(ms_task *task)
{
    if (task == NULL)
        return;
    assert(!task->running);
    pthread_mutex_destroy(&task->lock);
    ms_heap_destroy(task->heap);
    free(task);
}

/* ---- Cargo ---- */

void ms_task_set_cargo(ms_task *task, ms_cargo *cargo)
{
    task->cargo = cargo;
}

/* When most of the payload is something else, that would be kept for nothing. */
void *ms_task_adopt(const uint8_t *at, uint64_t size)
{
    ms_task *task = ms_thread.top;
    ms_cargo *cargo = task == NULL ? NULL : task->cargo;
    if (cargo == NULL || cargo->arguments == NULL || !ms_payload_is_large(cargo->arguments_size) || size < cargo->arguments_size / 3)
        return NULL;
    uint64_t offset = (uintptr_t)at - (uintptr_t)cargo->arguments;
    if (offset >= cargo->arguments_size)
        return NULL;
    void *adopted = ms_heap_adopt(cargo->arguments, at, size);
    if (adopted != NULL)
        cargo->arguments = NULL;
    return adopted;
}

/* ---- Running ---- */

static void begin(ms_task *task, ms_bytes *result, ms_bytes *failure)
{
    assert(!task->running);
    task->result = (ms_result){.bytes = result, .start = result == NULL ? 0 : result->size, .cargo = result == NULL ? NULL : task->cargo};
    task->failure = failure;
    task->failure_start = failure->size;
    task->trace.total_count = 0;
    task->overflowed = false;
    task->left_handler = false;
    task->print_text = (ms_vector){0};
    task->held_file = -1;
    task->release = NULL;
    task->outer_heap = ms_heap_enter(task->heap);
    task->outer = ms_thread.top;
    pthread_mutex_lock(&task->lock);
    task->running = true;
    task->thread = pthread_self();
    atomic_store_explicit(&task->cancelled, false, memory_order_relaxed);
    pthread_mutex_unlock(&task->lock);
    atomic_signal_fence(memory_order_seq_cst);
    ms_thread.top = task;
}

static void check_heap(const ms_task *task)
{
    uint64_t count = ms_heap_live_count(task->heap);
    if (count == 0)
        return;
    fprintf(stderr, "ms: %llu blocks were not freed\n", (unsigned long long)count);
    abort();
}

static ms_outcome end(ms_task *task, ms_outcome outcome)
{
    assert(ms_thread.top == task);
    ms_thread.top = task->outer;
    atomic_signal_fence(memory_order_seq_cst);
    pthread_mutex_lock(&task->lock);
    task->running = false;
    pthread_mutex_unlock(&task->lock);
    if (task->held_file >= 0)
        close(task->held_file);
    if (task->release != NULL)
        task->release(task->held);
    ms_free(task->print_text.data, task->print_text.capacity);
    if (outcome == MS_TASK_FINISHED && ms_heap_check)
        check_heap(task);
    ms_heap_enter(task->outer_heap);
    ms_heap_clear(task->heap);
    if (task->overflowed)
        (void)ms_trace_write(&task->trace, task->failure, &overflowing);
    if (outcome != MS_TASK_FINISHED)
        ms_result_drop(&task->result);
    if (outcome != MS_TASK_FAILED)
        task->failure->size = task->failure_start;
    return outcome;
}

/* What runs inside, and the frame that the walk of a failure ends at. Control comes back here twice when the task leaves. */
static __attribute__((noinline)) ms_outcome enter(ms_task *task, bool (*run)(ms_reader *, ms_result *), ms_reader *arguments,
                                                  void (*block)(void))
{
    task->base = (uintptr_t)__builtin_frame_address(0);
    if (sigsetjmp(task->entry, 0) != 0) {
        if (task->left_handler)
            ms_signals_unblock();
        return task->left_as;
    }
    if (block != NULL) {
        block();
        return MS_TASK_FINISHED;
    }
    return run(arguments, &task->result) ? MS_TASK_FINISHED : MS_TASK_REJECTED;
}

ms_outcome ms_task_run(ms_task *task, bool (*run)(ms_reader *, ms_result *), ms_reader *arguments, ms_bytes *result,
                       ms_bytes *failure)
{
    begin(task, result, failure);
    return end(task, enter(task, run, arguments, NULL));
}

ms_outcome ms_task_run_block(ms_task *task, void (*block)(void), ms_bytes *failure, int32_t *exit_status)
{
    begin(task, NULL, failure);
    ms_outcome outcome = end(task, enter(task, NULL, NULL, block));
    *exit_status = outcome == MS_TASK_EXITED ? task->exit_status : 0;
    return outcome;
}

ms_vector *ms_task_print_text(void)
{
    assert(ms_thread.top != NULL);
    return &ms_thread.top->print_text;
}

void ms_task_hold_file(int descriptor)
{
    if (ms_thread.top != NULL)
        ms_thread.top->held_file = descriptor;
}

void ms_task_hold(void (*release)(void *what), void *what)
{
    if (ms_thread.top != NULL) {
        ms_thread.top->held = what;
        ms_thread.top->release = release;
    }
}

/* ---- Leaving ---- */

void ms_task_leave(ms_task *task, ms_outcome outcome)
{
    task->left_as = outcome;
    siglongjmp(task->entry, 1);
}

static _Noreturn void die(const char *message, uint64_t message_size)
{
    fputs("ms: ", stderr);
    fwrite(message, 1, message_size, stderr);
    fputc('\n', stderr);
    abort();
}

void ms_task_fail(const char *message, uint64_t message_size)
{
    ms_task_fail_because(&(ms_reason){message, message_size, message, message_size, NULL, 0});
}

void ms_task_fail_because(const ms_reason *reason)
{
    ms_task *task = ms_thread.top;
    ms_reason given = *reason;
    if (task == NULL)
        die(reason->line, reason->line_size);
    ms_task_check_stack();
    if (task->result.bytes == NULL) { /* the master block */
        given.message = given.line;
        given.message_size = given.line_size;
    }
    ms_trace_walk(&task->trace, __builtin_frame_address(0), task->base);
    (void)ms_trace_write(&task->trace, task->failure, &given);
    ms_task_leave(task, MS_TASK_FAILED);
}

/* Nothing is allocated before the stack is left. */
static __attribute__((noinline)) _Noreturn void overflow(ms_task *task)
{
    ms_trace_walk(&task->trace, __builtin_frame_address(0), task->base);
    task->overflowed = true;
    ms_task_leave(task, MS_TASK_FAILED);
}

void ms_task_check_stack(void)
{
    ms_task *task = ms_thread.top;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (task != NULL && here - ms_thread.stack_low < MS_STACK_RESERVE)
        overflow(task);
}

void ms_task_exit(int32_t status)
{
    ms_task *task = ms_thread.top;
    if (task == NULL)
        exit(status);
    task->exit_status = status;
    ms_task_leave(task, MS_TASK_EXITED);
}

void ms_task_hand_over(void)
{
    ms_task_leave(ms_thread.top, MS_TASK_HANDED_OVER);
}

/* ---- Cancelling ---- */

bool ms_task_is_cancelled(void)
{
    for (const ms_task *task = ms_thread.top; task != NULL; task = task->outer)
        if (atomic_load_explicit(&task->cancelled, memory_order_relaxed))
            return true;
    return false;
}

void ms_task_check(void)
{
    if (ms_task_is_cancelled())
        ms_task_leave(ms_thread.top, MS_TASK_CANCELLED);
}

void ms_task_cancel(ms_task *task)
{
    pthread_mutex_lock(&task->lock);
    if (task->running) {
        atomic_store_explicit(&task->cancelled, true, memory_order_relaxed);
        /* It cannot have ended: its thread passes the lock before it goes. */
        pthread_kill(task->thread, MS_CANCEL_SIGNAL);
    }
    pthread_mutex_unlock(&task->lock);
}
