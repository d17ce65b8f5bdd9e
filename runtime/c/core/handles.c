/* `reduce` as a tree of jobs, and the order of `completed`. */
#include "core/handles.h"

#include "core/fail.h"
#include "core/task.h"
#include "core/text.h"

#include <stdlib.h>
#include <string.h>

enum { DESCRIBED_MAX = 80 };

static void check_all(ms_vector jobs)
{
    ms_job **all = jobs.data;
    ms_task_check_stack();
    for (uint32_t i = 0; i < jobs.count; i++)
        if (all[i] == NULL)
            ms_fail_message("no job");
}

/* ---- Failed jobs ---- */

/* "area(3, 0)"; long arguments are cut. */
static void describe(ms_vector *text, const ms_handle_end *end)
{
    const ms_job_type *type = &ms_program.jobs[end->ordinal - 1];
    ms_reader arguments = end->arguments;
    ms_vector described = {0};
    ms_text_words(text, type->name);
    ms_text_char(text, '(');
    if (!end->whole || type->describe == NULL) {
        ms_text_words(text, "...)");
        return;
    }
    if (!type->describe(&arguments, &described))
        described.count = 0;
    uint32_t size = described.count;
    const uint8_t *bytes = described.data;
    if (size > DESCRIBED_MAX)
        for (size = DESCRIBED_MAX - 3; size > 0 && (bytes[size] & 0xc0) == 0x80; size--) {
        }
    ms_text_bytes(text, bytes, size);
    ms_text_words(text, size < described.count ? "...)" : ")");
}

/* What of the story stands below the line that says what failed: all of it, unless it begins with the message itself, as that
 * of a job whose workers died does. */
static const char *rest_of_story(const ms_handle_end *end, uint64_t *size)
{
    uint32_t line_size = end->message_size + 1;
    *size = end->story_size;
    if (end->story_size < line_size || memcmp(end->story, end->message, end->message_size) != 0 || end->story[line_size - 1] != '\n')
        return end->story;
    *size = end->story_size - line_size;
    return end->story + line_size;
}

void ms_handle_fail(const ms_handle_end *end)
{
    ms_vector text = {0};
    uint64_t story_size;
    const char *story = rest_of_story(end, &story_size);
    ms_text_words(&text, "job ");
    describe(&text, end);
    ms_text_words(&text, " failed");
    if (end->slave_size > 0) {
        ms_text_words(&text, " on slave ");
        ms_text_bytes(&text, end->slave, end->slave_size);
    }
    if (story_size == 0 || story != end->story) { /* the reason is one sentence without a place */
        ms_text_words(&text, ": ");
        ms_text_bytes(&text, end->message, end->message_size);
    }
    ms_task_fail_because(&(ms_reason){end->message, end->message_size, text.data, text.count, story, story_size});
}

/* ---- reduce ---- */

static ms_job *combine(uint32_t ordinal, ms_job *left, ms_job *right)
{
    uint8_t *arguments;
    ms_job *job = ms_remote_new(ordinal, 0, &arguments);
    ms_remote_hole(job, 0, left);
    ms_remote_hole(job, 0, right);
    ms_remote_start(job);
    ms_job_release(left);
    ms_job_release(right);
    return job;
}

ms_job *ms_jobs_reduce(uint32_t ordinal, ms_vector jobs)
{
    ms_job **all = jobs.data;
    check_all(jobs);
    if (jobs.count == 0)
        return ms_handle_failed(ordinal, "nothing to reduce");
    for (uint32_t i = 0; i < jobs.count; i++)
        ms_job_retain(all[i]);
    if (jobs.count == 1)
        return all[0];
    uint64_t size = (uint64_t)jobs.count * sizeof *all;
    ms_job **level = memcpy(ms_alloc(size), all, size);
    for (uint32_t count = jobs.count; count > 1; count = (count + 1) / 2) {
        for (uint32_t i = 0; i + 1 < count; i += 2)
            level[i / 2] = combine(ordinal, level[i], level[i + 1]);
        if (count % 2 == 1)
            level[count / 2] = level[count - 1];
    }
    ms_job *root = level[0];
    ms_free(level, size);
    return root;
}

/* ---- completed ---- */

/* Those that had ended at the last look and have not been given yet. A look costs time for every job, so it is not taken for
 * each; while it lasts more jobs end, so however many there are, looking takes about as long as they do. */
typedef struct ended {
    uint64_t end_number;
    ms_job *job;
    uint32_t index;
} ended;

static _Thread_local struct {
    const uint8_t *seen; /* of the loop that they belong to */
    ended *batch;
    uint32_t next, count;
} known;

static int compare_ends(const void *left, const void *right)
{
    const ended *a = left, *b = right;
    if (a->end_number != b->end_number)
        return a->end_number < b->end_number ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

void ms_handles_thread_end(void)
{
    free(known.batch);
    memset(&known, 0, sizeof known);
}

/* Whether what is known is about this loop, as far as it has come: it may be left over from one that was broken off. */
static bool is_known(ms_vector jobs, const uint8_t *seen)
{
    ms_job **all = jobs.data;
    if (known.next == known.count || known.seen != seen)
        return false;
    const ended *before = &known.batch[known.next == 0 ? 0 : known.next - 1], *next = &known.batch[known.next];
    return next->index < jobs.count && before->index < jobs.count && all[before->index] == before->job && seen[before->index] != 0 &&
           all[next->index] == next->job && seen[next->index] == 0 && ms_handle_end_number(next->job) == next->end_number;
}

/* Gathers those that have ended, in order; gives how many are not marked. */
static uint32_t look(ms_vector jobs, const uint8_t *seen)
{
    ms_job **all = jobs.data;
    uint32_t unseen_count = 0, ended_count = 0, filled = 0;
    ms_handles_thread_end();
    for (uint32_t i = 0; i < jobs.count; i++)
        if (seen[i] == 0) {
            unseen_count++;
            ended_count += ms_handle_end_number(all[i]) != 0;
        }
    if (ended_count == 0)
        return unseen_count;
    known.batch = malloc(ended_count * sizeof *known.batch);
    if (known.batch == NULL)
        ms_fail_out_of_memory();
    for (uint32_t i = 0; i < jobs.count && filled < ended_count; i++) {
        uint64_t number = seen[i] == 0 ? ms_handle_end_number(all[i]) : 0;
        if (number != 0)
            known.batch[filled++] = (ended){number, all[i], i};
    }
    qsort(known.batch, filled, sizeof *known.batch, compare_ends);
    known.seen = seen;
    known.count = filled;
    return unseen_count;
}

int32_t ms_jobs_next(ms_vector jobs, uint8_t *seen)
{
    ms_task_check_stack();
    if (!is_known(jobs, seen)) {
        check_all(jobs);
        while (look(jobs, seen) > 0 && known.count == 0)
            ms_handles_await(jobs.data, seen, jobs.count);
        if (known.count == 0)
            return -1;
    }
    uint32_t index = known.batch[known.next++].index;
    seen[index] = 1;
    return (int32_t)index;
}
