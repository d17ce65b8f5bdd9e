/* A task: one run of M/s code on the calling thread, with a heap of its own, caught however it ends.
 *
 * The slave's executor runs each job as a task, the master runs its block as one and, under --local, each remote call as one
 * inside another. A task may be cancelled from another thread at any moment: a signal interrupts it; in the program's own code
 * (known by `ms_places`) it leaves at once, in the runtime it leaves when the runtime returns to it or blocks.
 *
 * Theory. A thread has a stack of tasks (a linked list in thread-local storage), the top one runs. Failing, cancelling and
 * exiting are a siglongjmp to the top task's entry. The runtime holds no lock across a call back into the program. */
#ifndef MS_TASK_H
#define MS_TASK_H

#include "core/bytes.h"
#include "core/heap.h"
#include "ms.h"

#include <pthread.h>

typedef enum ms_outcome {
    MS_TASK_FINISHED,  /* the result is encoded */
    MS_TASK_FAILED,    /* `failure` holds the payload of the failure frame: message size, message, story */
    MS_TASK_CANCELLED, /* it left because of ms_task_cancel */
    MS_TASK_HANDED_OVER, /* it left by ms_task_hand_over */
    MS_TASK_REJECTED,  /* the bytes were not this job's arguments */
    MS_TASK_EXITED     /* ms_exit was called: `exit_status` (master only) */
} ms_outcome;

typedef struct ms_task ms_task;

/* Large arguments and results, which change hands instead of being copied. */
typedef struct ms_cargo {
    uint8_t *arguments; /* the payload (payload.h) that a job's arguments are read from; null when the job has taken it for its own, or it is small */
    uint64_t arguments_size;
    uint8_t *result; /* the payload of a large result; null when it was small, and appended like any other */
    uint64_t result_size;
} ms_cargo;

/* Once for each process, before the first task: signal handlers for cancelling and for stack overflow. */
void ms_task_setup(void);
/* A thread that will run tasks: its stack limits and its alternate signal stack. Undone by ms_task_thread_end. */
void ms_task_thread_begin(void);
void ms_task_thread_end(void);
/* The same for a thread on a stack from ms_stack_create, which need not be looked for. */
void ms_task_thread_begin_on(void *stack);
/* MS_STACK_SIZE bytes with a guard below them that is wide enough for any frame: for threads that are made and go by the thousand.
 * Null: no memory. */
void *ms_stack_create(void);
void ms_stack_destroy(void *stack);
#define MS_STACK_SIZE (16u << 20)
/* Runs `entry(context)` on a stack of `MS_STACK_SIZE` bytes with a guard page, on a thread made for it, and joins it: for the
 * master block. The thread is prepared with ms_task_thread_begin. */
void ms_task_on_stack(void (*entry)(void *context), void *context);
/* The attributes that give a thread such a stack and a guard wide enough for any frame; for the executor's own threads. The
 * caller destroys them. False: no memory. */
bool ms_task_attributes(pthread_attr_t *attributes);

ms_task *ms_task_create(uint64_t memory_max_size /* 0: no limit */);
void ms_task_destroy(ms_task *task);
/* Runs a job. May be called again on the same task after it returned. The result is appended to `result` and the failure to
 * `failure`, behind what they hold already: so a sender may put the MS_HEADER_SIZE bytes of a frame's header in front and fill
 * them in afterwards. On any other outcome each has the size it had before. When there is no memory even for a
 * failure's message, the outcome is MS_TASK_FAILED and nothing is appended. */
ms_outcome ms_task_run(ms_task *task, bool (*run)(ms_reader *, ms_result *), ms_reader *arguments, ms_bytes *result,
                       ms_bytes *failure);
/* Where the large arguments of the following runs are, and where their large results go; both are the caller's to free. Null: arguments are copied and
 * results appended, however large. */
void ms_task_set_cargo(ms_task *task, ms_cargo *cargo);
/* For decoders: the `size` bytes at `at`, which the arguments of this task hold, as a block of its heap. Null: they must be copied. */
void *ms_task_adopt(const uint8_t *at, uint64_t size);
/* Runs the master block. */
ms_outcome ms_task_run_block(ms_task *task, void (*block)(void), ms_bytes *failure, int32_t *exit_status);
/* From any thread, while the task's owner keeps it alive. Returns at once; whoever cancels calls again, some milliseconds
 * later, until the task has ended. Does nothing when nothing runs. It marks the run that goes on at that moment: a caller that means
 * one job calls it under the lock that the task's thread takes between two jobs, and then no other job is hit, however late the
 * signal comes. */
void ms_task_cancel(ms_task *task);
/* A place where a task that has been cancelled leaves: called by runtime functions that block, before and after. The signal makes
 * system calls on the thread of a task end with EINTR, and may come just before one: then it comes again. */
void ms_task_check(void);
/* Whether ms_task_check would leave: for those who have to put something in order first. */
bool ms_task_is_cancelled(void);
/* Fails with "stack overflow" unless 64 KB of the stack are left. Called by runtime functions before they take a lock, their own or
 * one of libc's (malloc's, above all), so that an overflow never leaves one locked. Does nothing outside a task. */
void ms_task_check_stack(void);
/* The descriptor that a runtime function of this task has open (-1: none any more); it is closed if the task leaves first. */
void ms_task_hold_file(int descriptor);
/* Something that a runtime function of this task has in hand (null: nothing any more); if the task leaves first, `release(what)` is
 * called. Neither may fail. */
void ms_task_hold(void (*release)(void *what), void *what);
/* The text that the task's print statements build in. */
ms_vector *ms_task_print_text(void);
/* Fails the current task with a message. */
_Noreturn void ms_task_fail(const char *message, uint64_t message_size);
/* The same because another job has failed: with what became of that one as its line, and its story behind the task's own places. The
 * message of the master block is the line itself, since nobody asks for its error. */
struct ms_reason;
_Noreturn void ms_task_fail_because(const struct ms_reason *reason);
_Noreturn void ms_task_exit(int32_t status);
/* Ends the current task, whose job has a tail job that does the rest. */
_Noreturn void ms_task_hand_over(void);

/* Whether tasks end with blocks that were never freed, for tests: when set, a task that finishes with such blocks prints
 * "ms: N blocks were not freed" on standard error and the process aborts. Set from the environment: MS_HEAP_CHECK=1. */
extern bool ms_heap_check;

/* The largest payload of a frame (--payload-max); a result beyond it fails its job. 4294967295 unless set. */
extern uint64_t ms_payload_max;

/* Where printed lines go: set once by the master or the slave before the first task. Called with whole texts, in order, on the task's
 * thread. */
extern void (*ms_output)(int32_t stream, const void *bytes, uint64_t size);
#endif
