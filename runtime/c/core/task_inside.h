/* A task from inside, for `task.c` and `signals.c` alone. */
#ifndef MS_TASK_INSIDE_H
#define MS_TASK_INSIDE_H

#include "core/fail.h"
#include "core/result.h"
#include "core/task.h"

#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>

/* The signal that interrupts a task; it is sent to one thread. */
#define MS_CANCEL_SIGNAL SIGRTMIN

/* What ms_task_check_stack wants to be left. */
enum { MS_STACK_RESERVE = 64 << 10 };

struct ms_task {
    sigjmp_buf entry;
    uintptr_t base; /* the program's frames lie below this address */
    ms_task *outer; /* the task that this one runs inside of */
    ms_heap *heap;
    ms_heap *outer_heap;
    ms_cargo *cargo;
    ms_result result; /* no bytes when it runs the master block */
    ms_bytes *failure;
    size_t failure_start;
    ms_trace trace;
    bool overflowed; /* the failure "stack overflow" is to be written when the stack has been left */
    ms_outcome left_as;
    bool left_handler; /* it left from inside a signal handler: the signals are still blocked */
    int32_t exit_status;
    int held_file;
    void (*release)(void *what);
    void *held;
    ms_vector print_text;

    pthread_mutex_t lock;
    bool running;
    pthread_t thread;
    atomic_bool cancelled;
};

/* The state of this thread. `stack_low` is 0 when the limits are not known; then no overflow is caught. */
typedef struct ms_thread_state {
    ms_task *top;
    uintptr_t stack_low;
    uintptr_t stack_high;
    uintptr_t guard_size;
    void *alternate;
    stack_t alternate_before;
} ms_thread_state;

extern _Thread_local ms_thread_state ms_thread;

_Noreturn void ms_task_leave(ms_task *task, ms_outcome outcome);
/* Lets the signals through that a handler had blocked when it was left by a jump. */
void ms_signals_unblock(void);
#endif
