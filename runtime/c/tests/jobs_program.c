/* A program by hand, as msc would make one: jobs and a master block, for the tests of the master and the slave.
 *
 * Compiled twice: with MS_TEST_MASTER and linked with libmsmaster.a, and without it and linked with libmsslave.a. The first word
 * behind -- chooses what the master block does; the others are its numbers. */
#include "tests/program.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

extern ms_program_description program_description __asm__("ms_program");

enum { NOOP = 1, SLEEP, FAIL, BIG, PRINT, SPIN, TAKE, DIE, HOG, DEEP, ADD, FIB, COUNT, FIB_TAIL, OUTER, MANY, ROW, SCRIBBLE, JOB_COUNT = SCRIBBLE };

/* ---- Encoding by hand ---- */

static bool get(ms_reader *reader, void *value, size_t size)
{
    if ((size_t)(reader->end - reader->at) < size)
        return false;
    memcpy(value, reader->at, size);
    reader->at += size;
    return true;
}

static bool get_int(ms_reader *reader, int32_t *value)
{
    return get(reader, value, 4) && reader->at == reader->end;
}

static void give(ms_result *result, const void *value, size_t size)
{
    memcpy(ms_result_reserve(result, size), value, size);
}

static bool describe_int(ms_reader *arguments, ms_vector *text)
{
    int32_t value;
    if (!get_int(arguments, &value))
        return false;
    ms_text_int(text, value);
    return true;
}

static bool describe_text(ms_reader *arguments, ms_vector *text)
{
    ms_vector value;
    if (!ms_read_block(arguments, 1, &value))
        return false;
    ms_text_quoted_string(text, value);
    return true;
}

/* ---- The jobs ---- */

PROGRAM static bool run_noop(ms_reader *arguments, ms_result *result)
{
    int32_t value;
    if (!get_int(arguments, &value))
        return false;
    give(result, &value, 4);
    return true;
}

PROGRAM static bool run_sleep(ms_reader *arguments, ms_result *result)
{
    int32_t milliseconds;
    if (!get_int(arguments, &milliseconds))
        return false;
    ms_sleep(milliseconds / 1000.0);
    give(result, &milliseconds, 4);
    return true;
}

PROGRAM static bool run_fail(ms_reader *arguments, ms_result *result)
{
    int32_t value;
    (void)result;
    if (!get_int(arguments, &value))
        return false;
    if (value == 0)
        ms_fail_division();
    ms_fail(text_of("wrong"));
}

PROGRAM static bool run_big(ms_reader *arguments, ms_result *result)
{
    int32_t size;
    if (!get_int(arguments, &size))
        return false;
    uint8_t *bytes = ms_result_reserve(result, (uint64_t)size + 4);
    memcpy(bytes, &size, 4);
    for (int32_t i = 0; i < size; i++)
        bytes[4 + i] = (uint8_t)(i * 7);
    return true;
}

static void print_line(int32_t stream, const char *words, int32_t number)
{
    ms_vector *text = ms_print_begin();
    ms_text_bytes(text, words, strlen(words));
    ms_text_int(text, number);
    ms_text_char(text, '\n');
    ms_print_end(stream);
}

PROGRAM static bool run_print(ms_reader *arguments, ms_result *result)
{
    int32_t count;
    if (!get_int(arguments, &count))
        return false;
    for (int32_t i = 0; i < count; i++)
        print_line(1, "line ", i);
    print_line(2, "error ", count);
    give(result, &count, 4);
    return true;
}

PROGRAM static bool run_spin(ms_reader *arguments, ms_result *result)
{
    volatile int32_t value;
    int32_t first;
    if (!get_int(arguments, &first))
        return false;
    for (value = first; value != -1;) {
        value = value == -2 ? 0 : value;
#ifdef __SANITIZE_THREAD__ /* which delivers signals in system calls only */
        static _Atomic uint32_t rounds;
        if (++rounds % 100000 == 0)
            ms_sleep(0.0001);
#endif
    }
    give(result, &first, 4);
    return true;
}

PROGRAM static bool run_take(ms_reader *arguments, ms_result *result)
{
    ms_vector bytes;
    int64_t sum = 0;
    if (!ms_read_block(arguments, 1, &bytes))
        return false;
    for (uint32_t i = 0; i < bytes.count; i++)
        sum += ((uint8_t *)bytes.data)[i];
    ms_free(bytes.data, bytes.capacity);
    give(result, &sum, 8);
    return true;
}

PROGRAM static bool run_die(ms_reader *arguments, ms_result *result)
{
    int32_t value;
    (void)result;
    if (!get_int(arguments, &value))
        return false;
    if (value < 0)
        _exit(-value);
    kill(getpid(), value == 0 ? SIGKILL : value);
    pause();
    return true;
}

/* Writes what it should not to every socket that it has: a worker has one. */
PROGRAM static bool run_scribble(ms_reader *arguments, ms_result *result)
{
    int32_t size;
    uint8_t bytes[256];
    (void)result;
    if (!get_int(arguments, &size))
        return false;
    memset(bytes, 0x5a, sizeof bytes);
    for (int i = 3; i < 64; i++)
        if (send(i, bytes, (size_t)size, MSG_NOSIGNAL) != size)
            continue;
    pause();
    return true;
}

PROGRAM static bool run_hog(ms_reader *arguments, ms_result *result)
{
    int32_t megabytes;
    if (!get_int(arguments, &megabytes))
        return false;
    for (int32_t i = 0; i < megabytes; i++)
        ms_alloc(1 << 20);
    give(result, &megabytes, 4);
    return true;
}

PROGRAM static int32_t deep(int32_t depth)
{
    volatile int32_t frame[64] = {depth};
    return depth == 0 ? 0 : deep(depth - 1) + frame[0] - frame[0];
}

PROGRAM static bool run_deep(ms_reader *arguments, ms_result *result)
{
    int32_t depth;
    if (!get_int(arguments, &depth))
        return false;
    depth = deep(depth);
    give(result, &depth, 4);
    return true;
}

/* ---- Jobs that start jobs ---- */

static ms_job *remote(uint32_t ordinal, int32_t value)
{
    uint8_t *arguments;
    ms_job *job = ms_remote_new(ordinal, 4, &arguments);
    memcpy(arguments, &value, 4);
    ms_remote_start(job);
    return job;
}

static ms_job *new_pair(uint32_t ordinal, int32_t first, int32_t second)
{
    uint8_t *arguments;
    ms_job *job = ms_remote_new(ordinal, 8, &arguments);
    memcpy(arguments, &first, 4);
    memcpy(arguments + 4, &second, 4);
    return job;
}

/* add(results of both) */
static ms_job *new_sum(ms_job *first, ms_job *second)
{
    uint8_t *arguments;
    ms_job *job = ms_remote_new(ADD, 0, &arguments);
    ms_remote_hole(job, 0, first);
    ms_remote_hole(job, 0, second);
    ms_job_release(first);
    ms_job_release(second);
    return job;
}

static int32_t result_of(ms_job *job)
{
    int32_t value;
    ms_reader reader = ms_job_get(job);
    if (!get(&reader, &value, 4))
        ms_fail(text_of("a short result"));
    return value;
}

static int32_t get_int_result(ms_job *job)
{
    int32_t value = result_of(job);
    ms_job_release(job);
    return value;
}

static bool describe_pair(ms_reader *arguments, ms_vector *text)
{
    int32_t first, second;
    if (!get(arguments, &first, 4) || !get_int(arguments, &second))
        return false;
    ms_text_int(text, first);
    ms_text_bytes(text, ", ", 2);
    ms_text_int(text, second);
    return true;
}

PROGRAM static bool run_add(ms_reader *arguments, ms_result *result)
{
    int32_t first, second;
    if (!get(arguments, &first, 4) || !get_int(arguments, &second))
        return false;
    first += second;
    give(result, &first, 4);
    return true;
}

PROGRAM static bool run_fib(ms_reader *arguments, ms_result *result)
{
    int32_t n;
    if (!get_int(arguments, &n))
        return false;
    if (n >= 2) {
        ms_job *first = remote(FIB, n - 1), *second = remote(FIB, n - 2);
        n = get_int_result(first) + get_int_result(second);
    }
    give(result, &n, 4);
    return true;
}

/* count(n, sum): 1 + 2 + ... + n + sum, each step a tail job. */
PROGRAM static bool run_count(ms_reader *arguments, ms_result *result)
{
    int32_t n, sum;
    if (!get(arguments, &n, 4) || !get_int(arguments, &sum))
        return false;
    if (n > 0)
        ms_remote_tail(new_pair(COUNT, n - 1, sum + n));
    give(result, &sum, 4);
    return true;
}

PROGRAM static bool run_fib_tail(ms_reader *arguments, ms_result *result)
{
    int32_t n;
    if (!get_int(arguments, &n))
        return false;
    if (n >= 2) {
        ms_job *first = remote(FIB_TAIL, n - 1);
        ms_remote_tail(new_sum(first, remote(FIB_TAIL, n - 2)));
    }
    give(result, &n, 4);
    return true;
}

/* outer(ordinal, value): the result of another job. */
PROGRAM static bool run_outer(ms_reader *arguments, ms_result *result)
{
    int32_t ordinal, value;
    if (!get(arguments, &ordinal, 4) || !get_int(arguments, &value) || ordinal < 1 || ordinal > JOB_COUNT)
        return false;
    value = get_int_result(remote((uint32_t)ordinal, value));
    give(result, &value, 4);
    return true;
}

/* many(count): all sorts of waiting for so many jobs. */
PROGRAM static bool run_many(ms_reader *arguments, ms_result *result)
{
    int32_t count;
    if (!get_int(arguments, &count))
        return false;
    ms_job **jobs = ms_alloc((uint64_t)count * sizeof *jobs);
    uint8_t *seen = ms_alloc((uint64_t)count);
    memset(seen, 0, (size_t)count);
    for (int32_t i = 0; i < count; i++)
        jobs[i] = remote(NOOP, i);
    ms_vector all = {jobs, (uint32_t)count, (uint32_t)count};
    ms_job *reduced = ms_jobs_reduce(ADD, all);
    int32_t sum = 0, index, given = 0;
    while ((index = ms_jobs_next(all, seen)) >= 0) {
        sum += result_of(jobs[index]);
        given++;
    }
    if (given != count || sum != get_int_result(reduced) || ms_job_state(jobs[ms_jobs_any(all)]) != MS_FINISHED)
        ms_fail(text_of("not all came"));
    for (int32_t i = 0; i < count; i++)
        ms_job_release(jobs[i]);
    ms_free(jobs, (uint64_t)count * sizeof *jobs);
    ms_free(seen, (uint64_t)count);
    give(result, &sum, 4);
    return true;
}

/* row(n): n jobs that each wait for the next. */
PROGRAM static bool run_row(ms_reader *arguments, ms_result *result)
{
    int32_t n;
    if (!get_int(arguments, &n))
        return false;
    n = n == 0 ? 0 : get_int_result(remote(ROW, n - 1)) + 1;
    give(result, &n, 4);
    return true;
}

static const ms_job_type job_types[JOB_COUNT] = {
    {"noop", run_noop, describe_int}, {"nap", run_sleep, describe_int}, {"area", run_fail, describe_int},
    {"big", run_big, describe_int},   {"tell", run_print, describe_int}, {"spin", run_spin, describe_int},
    {"take", run_take, describe_text}, {"die", run_die, describe_int},   {"hog", run_hog, describe_int},
    {"deep", run_deep, describe_int}, {"add", run_add, describe_pair},   {"fib", run_fib, describe_int},
    {"count", run_count, describe_pair}, {"fib_tail", run_fib_tail, describe_int}, {"outer", run_outer, describe_pair},
    {"many", run_many, describe_int}, {"row", run_row, describe_int}, {"scribble", run_scribble, describe_int},
};

/* ---- The master block ---- */

#ifdef MS_TEST_MASTER
static int64_t number(int64_t index)
{
    ms_vector word;
    return ms_arg(index, &word) ? ms_parse_long(word) : 0;
}

/* one ORDINAL VALUE: one job, its result. */
PROGRAM static void master_one(void)
{
    print_line(1, "result ", get_int_result(remote((uint32_t)number(1), (int32_t)number(2))));
}

/* many ORDINAL COUNT VALUE STEP: the sum of the results of so many jobs, with the values VALUE, VALUE + STEP, ... */
PROGRAM static void master_many(void)
{
    int64_t count = number(2), sum = 0, base = number(3), step = number(4);
    double began = ms_clock();
    ms_job **jobs = ms_alloc((uint64_t)count * sizeof *jobs);
    for (int64_t i = 0; i < count; i++)
        jobs[i] = remote((uint32_t)number(1), (int32_t)(base + i * step));
    for (int64_t i = 0; i < count; i++)
        sum += get_int_result(jobs[i]);
    ms_free(jobs, (uint64_t)count * sizeof *jobs);
    double seconds = ms_clock() - began;
    ms_vector *text = ms_print_begin();
    ms_text_bytes(text, "sum ", 4);
    ms_text_long(text, sum);
    ms_text_char(text, '\n');
    ms_print_end(1);
    if (number(5) != 0)
        print_line(2, "jobs/s ", (int32_t)((double)count / seconds));
}

/* sudden COUNT LONG MILLISECONDS: so many jobs that take no time, then LONG that take some. The sum of all milliseconds. */
PROGRAM static void master_sudden(void)
{
    int64_t count = number(1) + number(2);
    ms_job **jobs = ms_alloc((uint64_t)count * sizeof *jobs);
    for (int64_t i = 0; i < count; i++)
        jobs[i] = remote(SLEEP, i < number(1) ? 0 : (int32_t)number(3));
    double began = ms_clock();
    int32_t sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += get_int_result(jobs[i]);
        if (i == number(1))
            began = ms_clock();
    }
    ms_free(jobs, (uint64_t)count * sizeof *jobs);
    print_line(1, "sum ", sum);
    if (number(4) != 0)
        print_line(2, "milliseconds for the long ones ", (int32_t)((ms_clock() - began) * 1e3));
}

/* trips COUNT: jobs one after the other. */
PROGRAM static void master_trips(void)
{
    int64_t count = number(1);
    double began = ms_clock();
    for (int64_t i = 0; i < count; i++)
        if (get_int_result(remote(NOOP, (int32_t)i)) != i)
            ms_fail(text_of("a wrong result"));
    print_line(2, "nanoseconds for each ", (int32_t)((ms_clock() - began) / (double)count * 1e9));
}

/* bytes SIZE COUNT: large results and large arguments. */
PROGRAM static void master_bytes(void)
{
    int32_t size = (int32_t)number(1);
    for (int64_t n = 0; n < number(2); n++) {
        ms_job *job = remote(BIG, size);
        ms_reader reader = ms_job_get(job);
        int64_t sum = 0, there = 0;
        for (const uint8_t *at = reader.at + 4; at < reader.end; at++)
            sum += *at;
        uint8_t *arguments;
        ms_job *back = ms_remote_new(TAKE, (uint64_t)(reader.end - reader.at), &arguments);
        memcpy(arguments, reader.at, (size_t)(reader.end - reader.at));
        ms_job_release(job);
        ms_remote_start(back);
        reader = ms_job_get(back);
        if (!get(&reader, &there, 8) || there != sum)
            ms_fail(text_of("other bytes came back"));
        ms_job_release(back);
    }
    print_line(1, "bytes ", size);
}

/* Cancels a job in the middle of a loop, and one that waits behind it. */
PROGRAM static void master_cancel(void)
{
    ms_job *first = remote(SPIN, 1), *second = remote(SPIN, 2), *third = remote(NOOP, 3);
    while (ms_slaves() == 0)
        ms_sleep(0.001);
    if (ms_job_wait_for(first, 0.05) != MS_RUNNING)
        ms_fail(text_of("it does not run"));
    ms_job_cancel(second);
    ms_job_cancel(first);
    if (ms_job_state(first) != MS_FAILED || ms_job_state(second) != MS_FAILED)
        ms_fail(text_of("not failed"));
    ms_vector error = ms_job_error(first);
    print_line(1, "third ", result_of(third));
    ms_vector *text = ms_print_begin();
    ms_text_string(text, error);
    ms_text_char(text, '\n');
    ms_print_end(1);
    ms_free(error.data, error.capacity);
    ms_job_cancel(third);
    print_line(1, "state ", ms_job_state(third));
    ms_job_release(first);
    ms_job_release(second);
    ms_job_release(third);
}

/* story ORDINAL VALUE: how a job that fails looks. */
PROGRAM static void master_story(void)
{
    ms_job *job = remote((uint32_t)number(1), (int32_t)number(2));
    if (ms_job_wait(job) != MS_FAILED)
        ms_fail(text_of("it did not fail"));
    ms_vector error = ms_job_error(job), story = ms_job_story(job);
    ms_vector *text = ms_print_begin();
    ms_text_string(text, error);
    ms_text_char(text, '|');
    ms_text_string(text, story);
    ms_text_char(text, '\n');
    ms_print_end(1);
    ms_free(error.data, error.capacity);
    ms_free(story.data, story.capacity);
    get_int_result(job);
}

/* any: of a job that never ends and one that does. */
PROGRAM static void master_any(void)
{
    ms_job *jobs[3] = {remote(SLEEP, 60000), remote(SLEEP, 50), remote(SLEEP, 60000)};
    ms_vector all = {jobs, 3, 0};
    print_line(1, "in no time ", ms_jobs_any_for(all, 0));
    print_line(1, "any ", ms_jobs_any(all));
    for (int i = 0; i < 3; i++)
        ms_job_release(jobs[i]);
}

/* poison COUNT: a job that kills its slaves among others that must not notice. */
PROGRAM static void master_poison(void)
{
    int64_t count = number(1), sum = 0;
    ms_job **jobs = ms_alloc((uint64_t)count * sizeof *jobs);
    ms_job *poison = NULL;
    for (int64_t i = 0; i < count; i++) {
        if (i == count / 2)
            poison = remote(DIE, 0);
        jobs[i] = remote(SLEEP, 1);
    }
    for (int64_t i = 0; i < count; i++)
        sum += get_int_result(jobs[i]);
    ms_free(jobs, (uint64_t)count * sizeof *jobs);
    print_line(1, "innocent ", (int32_t)sum);
    get_int_result(poison);
}

PROGRAM static void master_nothing(void)
{
    if (number(1) == 1)
        ms_job_get(NULL);
    if (number(1) == 2)
        ms_jobs_any((ms_vector){0});
    if (number(1) == 3)
        ms_exit(7);
    print_line(1, "slaves ", ms_slaves());
    print_line(1, "slots ", ms_slots());
}

/* hold SECONDS: computes nothing for a while, with a job that does not end. */
PROGRAM static void master_hold(void)
{
    ms_job *job = remote(SPIN, 1);
    print_line(1, "holding ", (int32_t)number(1));
    ms_job_wait_for(job, (double)number(1));
    ms_job_release(job);
}

/* two ORDINAL FIRST SECOND: a job with two arguments. */
PROGRAM static void master_two(void)
{
    ms_job *job = new_pair((uint32_t)number(1), (int32_t)number(2), (int32_t)number(3));
    ms_remote_start(job);
    print_line(1, "result ", get_int_result(job));
}

/* holes: dependencies that finish and that fail, the order of `completed`, a large result that two others get. */
PROGRAM static void master_holes(void)
{
    ms_job *sum = remote(NOOP, 0);
    for (int32_t i = 1; i <= 100; i++) {
        sum = new_sum(sum, remote(NOOP, i));
        ms_remote_start(sum);
    }
    print_line(1, "sum ", get_int_result(sum));
    ms_job *big = remote(BIG, 100000), *jobs[5];
    for (int i = 0; i < 2; i++) {
        uint8_t *arguments;
        jobs[i] = ms_remote_new(TAKE, 0, &arguments);
        ms_remote_hole(jobs[i], 0, big);
        ms_remote_start(jobs[i]);
    }
    ms_job_release(big);
    jobs[2] = new_sum(remote(NOOP, 1), remote(FAIL, 0));
    jobs[3] = new_sum(remote(NOOP, 1), remote(number(1) == 1 ? SPIN : FAIL, 1));
    ms_remote_start(jobs[2]);
    ms_remote_start(jobs[3]);
    ms_job_cancel(jobs[3]);
    jobs[4] = ms_jobs_reduce(ADD, (ms_vector){0});
    uint8_t seen[5] = {0};
    int64_t sums[2] = {0, 0};
    int32_t failed = 0, index;
    while ((index = ms_jobs_next((ms_vector){jobs, 5, 0}, seen)) >= 0)
        failed += ms_job_state(jobs[index]) == MS_FAILED ? 1 << index : 0;
    for (int i = 0; i < 2; i++)
        memcpy(&sums[i], ms_job_get(jobs[i]).at, 8);
    print_line(1, sums[0] == sums[1] && sums[0] > 0 ? "alike " : "not alike ", failed);
    ms_vector error = ms_job_error(jobs[2]), nothing = ms_job_error(jobs[4]), *text = ms_print_begin();
    ms_text_string(text, error);
    ms_text_char(text, '|');
    ms_text_string(text, nothing);
    ms_text_char(text, '\n');
    ms_print_end(1);
    ms_free(error.data, error.capacity);
    ms_free(nothing.data, nothing.capacity);
    get_int_result(jobs[2]);
}

/* alike SIZE COUNT ROUNDS: that many jobs get the same bytes, as parts, but for the last one, where one byte differs; in each round others. */
PROGRAM static void master_alike(void)
{
    static ms_job *jobs[64];
    int64_t size = number(1), count = number(2), sum = 0, wrong = 0;
    uint8_t *bytes = ms_alloc((uint64_t)size);
    for (int64_t round = 0; round < number(3); round++) {
        uint64_t known = 0;
        for (int64_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)(i * 7 + round);
        for (int64_t i = 0; i < count; i++) {
            uint8_t *arguments;
            bytes[size / 2 + 1] = i == count - 1;
            jobs[i] = ms_remote_new(TAKE, (uint64_t)size + 4, &arguments);
            ms_remote_block(jobs[i], arguments, bytes, (uint32_t)size, 1, 0, round % 2 == 0 || i == count - 1 ? NULL : &known);
            ms_remote_start(jobs[i]);
        }
        for (int64_t i = 0; i < count; i++) {
            ms_reader reader = ms_job_get(jobs[i]);
            if (i == 0)
                memcpy(&sum, reader.at, 8);
            int64_t expected = sum + (i == count - 1);
            wrong += memcmp(reader.at, &expected, 8) != 0;
            ms_job_release(jobs[i]);
        }
    }
    ms_free(bytes, (uint64_t)size);
    print_line(1, "wrong ", (int32_t)wrong);
}

/* Cancels a job that waits for one that never ends: both leave the one slot. */
PROGRAM static void master_cancel_outer(void)
{
    ms_job *outer = new_pair(OUTER, SPIN, 1);
    ms_remote_start(outer);
    while (ms_job_wait_for(outer, 0.2) != MS_RUNNING)
        ms_fail(text_of("it does not run"));
    ms_job_cancel(outer);
    ms_job_release(outer);
    print_line(1, "after it ", get_int_result(remote(NOOP, 5)));
}

PROGRAM static void master(void)
{
    static const struct {
        const char *name;
        void (*block)(void);
    } blocks[] = {{"one", master_one},       {"many", master_many}, {"sudden", master_sudden}, {"trips", master_trips}, {"bytes", master_bytes},
                  {"cancel", master_cancel}, {"story", master_story},     {"any", master_any},     {"nothing", master_nothing},
                  {"hold", master_hold},     {"poison", master_poison},
                  {"two", master_two},       {"holes", master_holes},     {"alike", master_alike},
                  {"cancel_outer", master_cancel_outer}};
    ms_vector word;
    if (!ms_arg(0, &word))
        ms_fail(text_of("what?"));
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        if (ms_string_equal(word, text_of(blocks[i].name))) {
            blocks[i].block();
            return;
        }
    ms_fail(text_of("there is no such block"));
}
#endif

__attribute__((constructor)) static void begin(void)
{
    program_description.job_count = JOB_COUNT;
    program_description.jobs = job_types;
    memset(program_description.fingerprint, 'f', 32);
    if (getenv("TEST_FINGERPRINT") != NULL)
        program_description.fingerprint[31] = 'g';
    program_add_place(run_fail, 8, 16, "area");
    program_add_place(run_spin, 9, 1, "spin");
    program_add_place(run_hog, 10, 1, "hog");
    program_add_place(deep, 11, 1, "deep");
    program_add_place(run_outer, 12, 5, "outer");
    program_add_place(run_fib, 13, 5, "fib");
    program_add_place(run_row, 14, 5, "row");
#ifdef MS_TEST_MASTER
    program_description.master = master;
    program_add_place(master_story, 20, 5, "tell_story");
    program_add_place(master_one, 21, 12, "one");
    program_add_place(master, 30, 3, "master");
    program_add_place(master_nothing, 22, 1, "nothing");
    program_add_place(master_two, 23, 1, "two");
    program_add_place(master_holes, 24, 1, "holes");
#endif
}
