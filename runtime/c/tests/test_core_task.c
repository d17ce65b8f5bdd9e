/* Tasks: failing with a story, overflowing the stack, cancelling, exiting, memory limits. */
#include "core/fail.h"
#include "core/payload.h"
#include "tests/check.h"
#include "tests/program.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define IS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define IS_TSAN 1
#endif
#endif
#ifndef IS_TSAN
#define IS_TSAN 0
#endif

static volatile unsigned sink;
static volatile bool never;

/* ---- Stories ---- */

PROGRAM static int area(int width)
{
    if (width == 0)
        ms_fail_division();
    return 12 / width;
}

PROGRAM static int shape(int width)
{
    return area(width) + 1;
}

PROGRAM static void block_of_shape(void)
{
    sink = (unsigned)shape(0);
}

PROGRAM static int inlined(int index)
{
    if (index >= 3)
        ms_fail_index(index, 3);
    return index;
}

PROGRAM static void block_of_inlined(void)
{
    sink = (unsigned)inlined(5);
}

PROGRAM static bool failing_less(const void *left, const void *right)
{
    (void)left;
    (void)right;
    ms_fail(text_of("no order"));
}

PROGRAM static void block_of_sort(void)
{
    int32_t numbers[] = {3, 1, 2};
    ms_sort_by(numbers, 3, sizeof *numbers, failing_less);
    sink = (unsigned)numbers[0];
}

static void tells_places_innermost_first(void)
{
    program_expect(block_of_shape, "division by zero",
                   "prog.ms:8:16 in area: division by zero\nprog.ms:14:9 in shape\nprog.ms:20:5 in master");
}

static void tells_inlined_calls(void)
{
    program_expect(block_of_inlined, "index 5 out of range, the size is 3",
                   "prog.ms:30:7 in inner: index 5 out of range, the size is 3\nprog.ms:31:8 in outer\nprog.ms:32:9 in master");
}

static void walks_through_the_runtimes_own_frames(void)
{
    program_expect(block_of_sort, "no order", "prog.ms:40:1 in less: no order\nprog.ms:41:1 in master");
}

PROGRAM static void block_of_job_failure(void)
{
    static const char more[] = "far.ms:1:2 in f: bad luck\nfar.ms:3:4 in g";
    ms_task_fail_because(&(ms_reason){"bad luck", 8, "job f() failed", 14, more, sizeof more - 1});
}

static void adds_the_story_of_a_job(void)
{
    program_expect(block_of_job_failure, "job f() failed",
                   "prog.ms:50:1 in master: job f() failed\nfar.ms:1:2 in f: bad luck\nfar.ms:3:4 in g");
}

static void keeps_what_stands_in_front(void)
{
    ms_task *task = ms_task_create(0);
    ms_bytes failure = {0};
    CHECK(ms_bytes_append(&failure, "header......", 12));
    CHECK_INT(program_run(task, block_of_shape, &failure), MS_TASK_FAILED);
    CHECK(memcmp(failure.data, "header......\x10\0\0\0division by zero", 32) == 0);
    ms_bytes_free(&failure);
    ms_task_destroy(task);
}

/* ---- Stack overflow ---- */

PROGRAM static int deep(int depth)
{
    volatile char frame[256];
    frame[depth & 255] = (char)depth;
    if (never)
        return 0;
    int result = deep(depth + 1);
    return result + frame[depth & 255];
}

PROGRAM static void block_of_deep(void)
{
    sink = (unsigned)deep(0);
}

/* The runtime's own functions find the end of the stack before they take malloc's lock. */
PROGRAM static int deep_in_runtime(int depth)
{
    volatile char frame[4000]; /* so that few calls fill the stack: each asks the system for memory */
    frame[depth & 63] = (char)depth;
    if (never)
        return 0;
    void *block = ms_alloc(100000);
    ms_free(block, 100000);
    int result = deep_in_runtime(depth + 1);
    return result + frame[depth & 63];
}

PROGRAM static void block_of_deep_in_runtime(void)
{
    sink = (unsigned)deep_in_runtime(0);
}

PROGRAM static int limited(int depth)
{
    if (depth == 0)
        ms_fail_division();
    if (never)
        return 0;
    return limited(depth - 1) + depth;
}

PROGRAM static void block_of_limited(void)
{
    sink = (unsigned)limited(39);
}

static uint32_t count_lines(const char *text, size_t size)
{
    uint32_t count = 1;
    for (size_t i = 0; i < size; i++)
        count += text[i] == '\n';
    return count;
}

static void overflow_with(void (*block)(void), const char *line)
{
    ms_task *task = ms_task_create(0);
    for (int again = 0; again < 3; again++) {
        ms_bytes failure = {0};
        CHECK_INT(program_run(task, block, &failure), MS_TASK_FAILED);
        CHECK(ms_bytes_append(&failure, "", 1));
        const char *story = (const char *)failure.data + 4 + strlen("stack overflow");
        CHECK(strncmp((const char *)failure.data + 4, "stack overflow", 14) == 0);
        CHECK(strncmp(story, line, strlen(line)) == 0);
        CHECK_INT(count_lines(story, strlen(story)), 31);
        CHECK(strstr(story, " calls are not shown\n") != NULL);
        CHECK(strcmp(story + strlen(story) - strlen("in master"), "in master") == 0);
        ms_bytes_free(&failure);
    }
    ms_task_destroy(task);
}

static void survives_stack_overflow(void)
{
    overflow_with(block_of_deep, "prog.ms:60:1 in deep: stack overflow\nprog.ms:60:1 in deep\n");
}

static void survives_stack_overflow_in_the_runtime(void)
{
    overflow_with(block_of_deep_in_runtime, "prog.ms:62:1 in deep_in_runtime: stack overflow\nprog.ms:62:1 in deep_in_runtime\n");
}

static void limits_every_story(void)
{
    ms_bytes failure = {0};
    ms_task *task = ms_task_create(0);
    CHECK_INT(program_run(task, block_of_limited, &failure), MS_TASK_FAILED);
    CHECK(ms_bytes_append(&failure, "", 1));
    CHECK_INT(count_lines((const char *)failure.data + 20, strlen((const char *)failure.data + 20)), 31);
    CHECK(strstr((const char *)failure.data + 20, "\n... 11 calls are not shown\n") != NULL);
    ms_bytes_free(&failure);
    ms_task_destroy(task);
}

/* ---- Cancelling ---- */

static atomic_bool spinning;

PROGRAM static void spin(void)
{
    atomic_store(&spinning, true);
    while (!never)
        sink++;
}

static void sleep_long(void)
{
    atomic_store(&spinning, true);
    ms_sleep(1e6);
}

static void finish_at_once(void)
{
    sink = 1;
}

typedef struct cancelled_run {
    ms_task *task;
    void (*block)(void);
    atomic_bool ended;
    ms_outcome outcome;
} cancelled_run;

static void *run_to_be_cancelled(void *argument)
{
    cancelled_run *run = argument;
    ms_bytes failure = {0};
    run->outcome = program_run(run->task, run->block, &failure);
    CHECK_INT(failure.size, 0);
    atomic_store(&run->ended, true);
    return NULL;
}

static void cancel_in(void (*block)(void))
{
    const struct timespec pause = {.tv_nsec = 1000000};
    cancelled_run run = {.task = ms_task_create(0), .block = block};
    pthread_t thread;
    for (int again = 0; again < 3; again++) {
        atomic_store(&spinning, false);
        atomic_store(&run.ended, false);
        CHECK_INT(pthread_create(&thread, NULL, run_to_be_cancelled, &run), 0);
        while (!atomic_load(&spinning))
            nanosleep(&pause, NULL);
        while (!atomic_load(&run.ended)) {
            ms_task_cancel(run.task);
            nanosleep(&pause, NULL);
        }
        pthread_join(thread, NULL);
        CHECK_INT(run.outcome, MS_TASK_CANCELLED);
    }
    ms_task_destroy(run.task);
}

static void cancels_a_loop(void)
{
    cancel_in(spin);
}

static void cancels_a_sleep(void)
{
    cancel_in(sleep_long);
}

static void cancels_nothing_when_nothing_runs(void)
{
    ms_bytes failure = {0};
    ms_task *task = ms_task_create(0);
    ms_task_cancel(task);
    CHECK_INT(program_run(task, finish_at_once, &failure), MS_TASK_FINISHED);
    ms_task_destroy(task);
}

/* A signal that comes late finds another run of the same task, or none: nothing happens. */
PROGRAM static void be_interrupted(void)
{
    for (int i = 0; i < 1000; i++) {
        pthread_kill(pthread_self(), SIGRTMIN);
        sink++;
    }
}

static void ignores_a_late_signal(void)
{
    ms_bytes failure = {0};
    ms_task *task = ms_task_create(0);
    be_interrupted();
    CHECK_INT(program_run(task, be_interrupted, &failure), MS_TASK_FINISHED);
    ms_task_destroy(task);
}

/* A thread that was stopped for long finds many signals at once; they are handled one after the other, not one inside the other. */
static void be_flooded(void)
{
    sigset_t cancel;
    sigemptyset(&cancel);
    sigaddset(&cancel, SIGRTMIN);
    CHECK_INT(pthread_sigmask(SIG_BLOCK, &cancel, NULL), 0);
    for (int i = 0; i < 1000; i++)
        CHECK_INT(pthread_kill(pthread_self(), SIGRTMIN), 0);
    CHECK_INT(pthread_sigmask(SIG_UNBLOCK, &cancel, NULL), 0);
}

static void survives_a_flood_of_signals(void)
{
    program_finish(be_flooded);
}

/* The outer task is cancelled while an inner one runs: both leave, one after the other. */
static ms_task *inner_task;
static ms_outcome inner_outcome;

static void run_inner(void)
{
    ms_bytes failure = {0};
    int32_t status;
    inner_outcome = ms_task_run_block(inner_task, sleep_long, &failure, &status);
    ms_task_check();
}

static void cancels_the_tasks_inside(void)
{
    inner_task = ms_task_create(0);
    inner_outcome = MS_TASK_FINISHED;
    cancel_in(run_inner);
    CHECK_INT(inner_outcome, MS_TASK_CANCELLED);
    ms_task_destroy(inner_task);
}

/* Cancelled again and again at random moments, by a thread that knows nothing: it leaves or it ends, and the next run is whole. */
static atomic_bool stop_cancelling;

static void *cancel_always(void *task)
{
    const struct timespec pause = {.tv_nsec = 20000};
    while (!atomic_load(&stop_cancelling)) {
        ms_task_cancel(task);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

PROGRAM static void work_with_memory(void)
{
    ms_vector v = {0};
    for (int i = 0; i < 20000; i++) {
        if (v.count == v.capacity)
            v = ms_vector_grow(v, v.count + 1, 4);
        ((int32_t *)v.data)[v.count++] = i ^ 0x55;
    }
    ms_sort_int(v.data, v.count);
    for (int32_t i = 0; i < 20000; i++)
        sink += ((uint32_t *)v.data)[i];
    ms_free(v.data, v.capacity * 4ull);
}

static void cancels_at_any_moment(void *argument)
{
    ms_task *task = argument;
    pthread_t thread;
    uint32_t counts[MS_TASK_EXITED + 1] = {0};
    atomic_store(&stop_cancelling, false);
    CHECK_INT(pthread_create(&thread, NULL, cancel_always, task), 0);
    for (uint32_t run = 0; run < 200 || (counts[MS_TASK_CANCELLED] == 0 && !IS_TSAN); run++) {
        ms_bytes failure = {0};
        int32_t status;
        ms_outcome outcome = ms_task_run_block(task, work_with_memory, &failure, &status);
        counts[outcome]++;
        CHECK(failure.data == NULL);
    }
    atomic_store(&stop_cancelling, true);
    pthread_join(thread, NULL);
    CHECK_INT(counts[MS_TASK_FAILED] + counts[MS_TASK_REJECTED] + counts[MS_TASK_EXITED], 0);
}

static void is_cancelled_at_any_moment(void)
{
    ms_task *task = ms_task_create(0);
    ms_task_on_stack(cancels_at_any_moment, task);
    ms_task_destroy(task);
}

/* ---- Exiting, results, memory ---- */

PROGRAM static void exit_with_seven(void)
{
    ms_exit(7);
}

static void exits_with_a_status(void)
{
    ms_bytes failure = {0};
    int32_t status = 0;
    ms_task *task = ms_task_create(0);
    CHECK_INT(ms_task_run_block(task, exit_with_seven, &failure, &status), MS_TASK_EXITED);
    CHECK_INT(status, 7);
    ms_task_destroy(task);
}

PROGRAM static bool add_job(ms_reader *arguments, ms_result *result)
{
    int32_t numbers[2];
    if (arguments->end - arguments->at != sizeof numbers)
        return false;
    memcpy(numbers, arguments->at, sizeof numbers);
    if (numbers[1] == 0)
        ms_fail_division();
    int32_t sum = numbers[0] + numbers[1];
    memcpy(ms_result_reserve(result, sizeof sum), &sum, sizeof sum);
    return true;
}

static void runs_jobs(void)
{
    ms_task *task = ms_task_create(0);
    ms_bytes result = {0}, failure = {0};
    const int32_t numbers[2] = {40, 2}, bad[2] = {1, 0};
    ms_reader whole = {(const uint8_t *)numbers, (const uint8_t *)(numbers + 2)};
    ms_reader failing = {(const uint8_t *)bad, (const uint8_t *)(bad + 2)};
    ms_reader part = {(const uint8_t *)numbers, (const uint8_t *)(numbers + 1)};
    CHECK(ms_bytes_append(&result, "front", 5));
    CHECK_INT(ms_task_run(task, add_job, &whole, &result, &failure), MS_TASK_FINISHED);
    CHECK_INT(result.size, 9);
    CHECK(memcmp(result.data, "front\x2a\0\0\0", 9) == 0);
    CHECK_INT(failure.size, 0);
    CHECK_INT(ms_task_run(task, add_job, &part, &result, &failure), MS_TASK_REJECTED);
    CHECK_INT(ms_task_run(task, add_job, &failing, &result, &failure), MS_TASK_FAILED);
    CHECK_INT(result.size, 9);
    CHECK(failure.size > 20);
    ms_bytes_free(&result);
    ms_bytes_free(&failure);
    ms_task_destroy(task);
}

/* Gives the vector back, or, when there is none in front of the other, fails. */
PROGRAM static bool pass_on_job(ms_reader *arguments, ms_result *result)
{
    ms_vector v, other;
    if (!ms_read_block(arguments, 8, &v) || !ms_read_block(arguments, 1, &other) || arguments->at != arguments->end)
        return false;
    if (v.count == 0)
        ms_fail_division();
    ms_free(other.data, other.capacity);
    ((uint64_t *)v.data)[v.count - 1]++;
    ms_result_vector(result, v, 8);
    return true;
}

/* Numbers, and then as many bytes behind them. */
static uint8_t *new_arguments(uint32_t count, uint32_t rest_size, uint64_t *size)
{
    *size = 8 + 8 * (uint64_t)count + rest_size;
    uint8_t *payload = ms_payload_new(*size), *at = payload + 4;
    memcpy(payload, &count, 4);
    for (uint64_t i = 0; i < count; i++, at += 8)
        memcpy(at, &i, 8);
    memcpy(at, &rest_size, 4);
    memset(at + 4, 'x', rest_size);
    return payload;
}

static ms_outcome pass_on(ms_cargo *cargo, ms_task *task, ms_bytes *result, uint64_t size)
{
    ms_bytes failure = {0};
    ms_reader whole = {cargo->arguments, cargo->arguments + size};
    cargo->arguments_size = size;
    ms_task_set_cargo(task, cargo);
    ms_outcome outcome = ms_task_run(task, pass_on_job, &whole, result, &failure);
    ms_bytes_free(&failure);
    return outcome;
}

static void passes_cargo_on(void)
{
    static const uint32_t counts[] = {1, 1000, 4095, 4096, 4097, 50000, 1000000};
    ms_task *task = ms_task_create(0);
    for (uint32_t i = 0; i < 14; i++) {
        uint32_t count = counts[i / 2], last = count - 1;
        ms_bytes result = {0};
        ms_cargo cargo = {0};
        uint64_t size, number;
        uint8_t *given = cargo.arguments = new_arguments(count, i % 2 == 0 ? 3 : 40 * count, &size);
        CHECK_INT(pass_on(&cargo, task, &result, size), MS_TASK_FINISHED);
        bool is_large = ms_payload_is_large(4 + 8 * (uint64_t)count), is_taken = count > 4096 && i % 2 == 0;
        CHECK((cargo.arguments == NULL) == is_taken);
        CHECK((cargo.result != NULL) == is_large && (cargo.result == given) == is_taken);
        const uint8_t *got = is_large ? cargo.result : result.data;
        CHECK_INT(is_large ? cargo.result_size : result.size, 4 + 8 * (uint64_t)count);
        memcpy(&number, got + 4 + 8 * (uint64_t)last, sizeof number);
        CHECK(memcmp(got, &count, 4) == 0 && number == last + 1);
        ms_payload_free(cargo.arguments, size);
        ms_payload_free_large(cargo.result);
        ms_bytes_free(&result);
    }
    ms_task_destroy(task);
}

/* What is not whole is given up with the heap; what is beyond the heap's limit stays where it was. */
static void keeps_cargo_it_cannot_take(void)
{
    ms_bytes result = {0};
    uint64_t size;
    ms_task *task = ms_task_create(0), *small = ms_task_create(100000);
    ms_cargo cargo = {.arguments = new_arguments(50000, 3, &size)};
    CHECK_INT(pass_on(&cargo, task, &result, size - 1), MS_TASK_REJECTED);
    CHECK(cargo.arguments == NULL && cargo.result == NULL);
    cargo.arguments = new_arguments(50000, 3, &size);
    CHECK_INT(pass_on(&cargo, small, &result, size), MS_TASK_FAILED);
    CHECK(cargo.arguments != NULL && cargo.result == NULL);
    ms_payload_free(cargo.arguments, size);
    ms_bytes_free(&result);
    ms_task_destroy(task);
    ms_task_destroy(small);
}

static void limits_results(void)
{
    ms_task *task = ms_task_create(0);
    ms_bytes result = {0}, failure = {0};
    const int32_t numbers[2] = {40, 2};
    ms_reader whole = {(const uint8_t *)numbers, (const uint8_t *)(numbers + 2)};
    ms_payload_max = 3;
    CHECK_INT(ms_task_run(task, add_job, &whole, &result, &failure), MS_TASK_FAILED);
    ms_payload_max = UINT32_MAX;
    CHECK(memcmp(failure.data + 4, "result of 4 bytes, the limit is 3", 33) == 0);
    ms_bytes_free(&result);
    ms_bytes_free(&failure);
    ms_task_destroy(task);
}

PROGRAM static void take_all_memory(void)
{
    ms_vector v = {0};
    while (!never)
        v = ms_vector_append(v, text_of("0123456789"), 1);
}

static void limits_memory(void)
{
    ms_task *task = ms_task_create(1 << 20);
    ms_bytes failure = {0};
    for (int again = 0; again < 3; again++) {
        ms_bytes_clear(&failure);
        CHECK_INT(program_run(task, take_all_memory, &failure), MS_TASK_FAILED);
        CHECK(memcmp(failure.data + 4, "out of memory", 13) == 0);
    }
    ms_bytes_free(&failure);
    ms_task_destroy(task);
}

static char printed[256];
static size_t printed_size;

static void keep_printed(int32_t stream, const void *bytes, uint64_t size)
{
    printed_size += (size_t)snprintf(printed + printed_size, sizeof printed - printed_size, "%d:%.*s", stream, (int)size,
                                     (const char *)bytes);
}

PROGRAM static void print_twice(void)
{
    ms_vector *text = ms_print_begin();
    ms_text_int(text, 42);
    ms_text_char(text, '\n');
    ms_print_end(1);
    text = ms_print_begin();
    ms_text_string(text, text_of("oh\n"));
    ms_print_end(2);
}

static void prints(void)
{
    void (*before)(int32_t, const void *, uint64_t) = ms_output;
    ms_output = keep_printed;
    program_finish(print_twice);
    ms_output = before;
    CHECK_BYTES(printed, printed_size, "1:42\n2:oh\n");
}

static void place_program(void)
{
    program_add_place((void *)(uintptr_t)area, 8, 16, "area");
    program_add_place((void *)(uintptr_t)shape, 14, 9, "shape");
    program_add_place((void *)(uintptr_t)block_of_shape, 20, 5, "master");
    program_add_place((void *)(uintptr_t)inlined, 30, 7, "inner");
    program_add_outer(31, 8, "outer");
    program_add_place((void *)(uintptr_t)block_of_inlined, 32, 9, "master");
    program_add_place((void *)(uintptr_t)failing_less, 40, 1, "less");
    program_add_place((void *)(uintptr_t)block_of_sort, 41, 1, "master");
    program_add_place((void *)(uintptr_t)block_of_job_failure, 50, 1, "master");
    program_add_place((void *)(uintptr_t)deep, 60, 1, "deep");
    program_add_place((void *)(uintptr_t)block_of_deep, 61, 1, "master");
    program_add_place((void *)(uintptr_t)deep_in_runtime, 62, 1, "deep_in_runtime");
    program_add_place((void *)(uintptr_t)block_of_deep_in_runtime, 63, 1, "master");
    program_add_place((void *)(uintptr_t)limited, 64, 1, "limited");
    program_add_place((void *)(uintptr_t)block_of_limited, 65, 1, "master");
    program_add_place((void *)(uintptr_t)spin, 70, 1, "spin");
}

int main(void)
{
    ms_task_setup();
    place_program();
    RUN(tells_places_innermost_first);
    RUN(tells_inlined_calls);
    RUN(walks_through_the_runtimes_own_frames);
    RUN(adds_the_story_of_a_job);
    RUN(keeps_what_stands_in_front);
    RUN(limits_every_story);
    if (!IS_TSAN) { /* it keeps signals back until the next system call, and the fault of a full stack for itself */
        RUN(survives_stack_overflow);
        RUN(survives_stack_overflow_in_the_runtime);
        RUN(cancels_a_loop);
        RUN(is_cancelled_at_any_moment);
    }
    RUN(cancels_a_sleep);
    RUN(cancels_nothing_when_nothing_runs);
    RUN(ignores_a_late_signal);
    RUN(survives_a_flood_of_signals);
    RUN(cancels_the_tasks_inside);
    RUN(exits_with_a_status);
    RUN(runs_jobs);
    RUN(passes_cargo_on);
    RUN(keeps_cargo_it_cannot_take);
    RUN(limits_results);
    RUN(limits_memory);
    RUN(prints);
    return 0;
}
