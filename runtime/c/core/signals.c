/* The signals that interrupt a task: the one that cancels it, and the fault of a stack that is full.
 *
 * Both handlers run on the alternate signal stack and leave it by jumping to the task's entry. Each has its own signal blocked, for
 * real-time signals queue: a thread that was stopped finds many at once, and handled one inside the other they would fill the
 * alternate stack. Who left by a jump unblocks them after it, on the stack of the task, so that a run that is not interrupted pays
 * for no mask. The handlers allocate nothing and take no lock. The cancelling one jumps only out of the program's own code, where the
 * runtime and libc hold nothing. The other one jumps from wherever the stack ended: whoever takes a lock has made sure of its stack
 * before (ms_task_check_stack). */
#include "core/places.h"
#include "core/task_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define GUARD_SIZE ((size_t)1 << 20)
#define ALTERNATE_SIZE ((size_t)128 << 10)
#define PAGE_SIZE_LEAST ((uintptr_t)4096)
/* How far up from the stack pointer a return address into the program is looked for, when libc's own frames keep no frame pointer. */
#define SCAN_COUNT 512

static struct sigaction fault_before;

/* ---- The interrupted machine ---- */

typedef struct registers {
    uintptr_t pc;
    uintptr_t sp;
    uintptr_t fp;
    uintptr_t link; /* AArch64: where the function that has just been called returns to; 0 elsewhere */
} registers;

static registers registers_of(const ucontext_t *context)
{
#if defined(__x86_64__)
    const greg_t *g = context->uc_mcontext.gregs;
    return (registers){(uintptr_t)g[REG_RIP], (uintptr_t)g[REG_RSP], (uintptr_t)g[REG_RBP], 0};
#elif defined(__aarch64__)
    const mcontext_t *m = &context->uc_mcontext;
    return (registers){(uintptr_t)m->pc, (uintptr_t)m->sp, (uintptr_t)m->regs[29], (uintptr_t)m->regs[30]};
#else
#error "M/s runs on x86-64 and AArch64"
#endif
}

/* Where the function that pc stands at the beginning of returns to, when it has not yet saved the frame pointer; else 0. */
static uintptr_t return_before_prologue(const registers *r)
{
#if defined(__x86_64__)
    bool is_push_rbp = *(const uint8_t *)r->pc == 0x55;
    bool is_readable = r->sp >= ms_thread.stack_low && r->sp < ms_thread.stack_high;
    return is_push_rbp && is_readable ? *(const uintptr_t *)r->sp : 0;
#else
    uint32_t instruction = *(const uint32_t *)r->pc & 0xffc07fff;
    bool is_store_of_frame = instruction == 0xa9807bfd || instruction == 0xa9007bfd; /* stp x29, x30, [sp, ...] */
    return is_store_of_frame ? r->link : 0;
#endif
}

/* The first word of the stack that is a return address into the program. */
static uintptr_t scan_for_return(const registers *r, uintptr_t limit)
{
    if (r->sp < ms_thread.stack_low)
        return 0;
    const uintptr_t *word = (const uintptr_t *)(r->sp & ~(uintptr_t)7);
    for (int i = 0; i < SCAN_COUNT && (uintptr_t)(word + i) < limit; i++)
        if (ms_places_find(word[i] - 1) >= 0)
            return word[i];
    return 0;
}

/* ---- Leaving a handler ---- */

static _Noreturn void leave_handler(ms_task *task, ms_outcome outcome)
{
    task->left_handler = true;
    ms_task_leave(task, outcome);
}

void ms_signals_unblock(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, MS_CANCEL_SIGNAL);
    sigaddset(&signals, SIGSEGV);
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}

/* ---- Cancelling ---- */

static void on_cancel(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    ms_task *task = ms_thread.top;
    if (task != NULL && ms_task_is_cancelled() && ms_places_contain(registers_of(context).pc))
        leave_handler(task, MS_TASK_CANCELLED);
}

/* ---- Stack overflow ---- */

static bool is_overflow(uintptr_t fault)
{
    uintptr_t low = ms_thread.stack_low;
    return ms_thread.top != NULL && low != 0 && fault < low + PAGE_SIZE_LEAST && fault >= low - ms_thread.guard_size;
}

static void trace_overflow(ms_task *task, const registers *r)
{
    uintptr_t frame = r->fp;
    uintptr_t caller = 0;
    if (ms_places_contain(r->pc)) {
        ms_trace_add(&task->trace, r->pc);
        caller = return_before_prologue(r);
    } else {
        caller = scan_for_return(r, frame > r->sp && frame < task->base ? frame : task->base);
    }
    if (caller != 0)
        ms_trace_add(&task->trace, caller - 1);
    if (frame >= ms_thread.stack_low)
        ms_trace_walk(&task->trace, (const ms_stack_frame *)frame, task->base);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    if (!is_overflow((uintptr_t)info->si_addr)) {
        /* A real fault happens again, under whoever was there before us; one that somebody sent has to be sent again. */
        sigaction(signal, &fault_before, NULL);
        if (info->si_code <= 0)
            raise(signal);
        return;
    }
    ms_task *task = ms_thread.top;
    registers r = registers_of(context);
    trace_overflow(task, &r);
    task->overflowed = true;
    leave_handler(task, MS_TASK_FAILED);
}

/* ---- Processes and threads ---- */

static _Noreturn void die(const char *what, int error)
{
    fprintf(stderr, "ms: %s: %s\n", what, strerror(error));
    exit(1);
}

void ms_task_setup(void)
{
    const char *check = getenv("MS_HEAP_CHECK");
    ms_heap_check = check != NULL && strcmp(check, "1") == 0;
    struct sigaction cancel = {.sa_sigaction = on_cancel, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&cancel.sa_mask);
    sigemptyset(&fault.sa_mask);
    if (sigaction(MS_CANCEL_SIGNAL, &cancel, NULL) != 0 || sigaction(SIGSEGV, &fault, &fault_before) != 0)
        die("cannot handle signals", errno);
}

/* This thread's stack is the mapping that it runs in; below it lies its guard. pthread_getattr_np would know too, but it brings scanf
 * along, 70 KB in every program. */
static void find_stack(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL)
        return;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    char *line = NULL;
    size_t size = 0;
    while (ms_thread.stack_high == 0 && getline(&line, &size, maps) > 0) {
        char *end;
        uintptr_t low = (uintptr_t)strtoull(line, &end, 16);
        uintptr_t high = *end == '-' ? (uintptr_t)strtoull(end + 1, NULL, 16) : 0;
        if (low <= here && here < high) {
            ms_thread.stack_low = low;
            ms_thread.stack_high = high;
            ms_thread.guard_size = GUARD_SIZE;
        }
    }
    free(line);
    fclose(maps);
}

static void begin_thread(void)
{
    void *memory = mmap(NULL, ALTERNATE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        die("cannot make a signal stack", errno);
    stack_t stack = {.ss_sp = memory, .ss_size = ALTERNATE_SIZE};
    if (sigaltstack(&stack, &ms_thread.alternate_before) != 0)
        die("cannot make a signal stack", errno);
    ms_thread.alternate = memory;
}

void ms_task_thread_begin(void)
{
    find_stack();
    begin_thread();
}

void ms_task_thread_begin_on(void *stack)
{
    ms_thread.stack_low = (uintptr_t)stack;
    ms_thread.stack_high = (uintptr_t)stack + MS_STACK_SIZE;
    ms_thread.guard_size = GUARD_SIZE;
    begin_thread();
}

void *ms_stack_create(void)
{
    uint8_t *low = mmap(NULL, GUARD_SIZE + MS_STACK_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (low == MAP_FAILED)
        return NULL;
    if (mprotect(low + GUARD_SIZE, MS_STACK_SIZE, PROT_READ | PROT_WRITE) == 0)
        return low + GUARD_SIZE;
    munmap(low, GUARD_SIZE + MS_STACK_SIZE);
    return NULL;
}

void ms_stack_destroy(void *stack)
{
    munmap((uint8_t *)stack - GUARD_SIZE, GUARD_SIZE + MS_STACK_SIZE);
}

void ms_task_thread_end(void)
{
    ms_thread.alternate_before.ss_flags &= SS_DISABLE;
    sigaltstack(&ms_thread.alternate_before, NULL);
    munmap(ms_thread.alternate, ALTERNATE_SIZE);
    ms_thread = (ms_thread_state){0};
}

bool ms_task_attributes(pthread_attr_t *attributes)
{
    if (pthread_attr_init(attributes) != 0)
        return false;
    if (pthread_attr_setstacksize(attributes, MS_STACK_SIZE) == 0 && pthread_attr_setguardsize(attributes, GUARD_SIZE) == 0)
        return true;
    pthread_attr_destroy(attributes);
    return false;
}

typedef struct stack_call {
    void (*entry)(void *context);
    void *context;
} stack_call;

static void *run_on_stack(void *argument)
{
    const stack_call *call = argument;
    ms_task_thread_begin();
    call->entry(call->context);
    ms_task_thread_end();
    return NULL;
}

void ms_task_on_stack(void (*entry)(void *context), void *context)
{
    stack_call call = {entry, context};
    pthread_attr_t attributes;
    pthread_t thread;
    if (!ms_task_attributes(&attributes))
        die("cannot make a thread", ENOMEM);
    int error = pthread_create(&thread, &attributes, run_on_stack, &call);
    pthread_attr_destroy(&attributes);
    if (error != 0)
        die("cannot make a thread", error);
    pthread_join(thread, NULL);
}
