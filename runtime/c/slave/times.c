/* When jobs run: the slave's side of --trace and --status. Nothing of that is measured until the master has sent a `clock`. And how long they
 * take, which a master that is busy, or far away, can't know: its queues are sized by it.
 *
 * A job has a lane from its beginning to its end, also while it waits for others: the lowest that is free. What is told of it goes in front
 * of its answer, so the master needs to keep nothing of a job that has ended. */
#include "slave/executor_inside.h"

#include "core/clock.h"

#include <stdlib.h>
#include <string.h>

enum {
    TOOK_LEAST = 8, /* after so many jobs of a function it tells how long they took; then after twice as many, */
    TOOK_MOST = 256 /* up to this, or earlier when they took TOOK_NS together */
};
#define TOOK_NS 250000u

void ms_executor_clock(ms_executor *executor, const uint8_t *payload)
{
    uint8_t reply[16];
    pthread_mutex_lock(&executor->lock);
    executor->tells_times = true;
    memcpy(reply, payload, 8);
    ms_put_u64(reply + 8, ms_clock_ns());
    ms_executor_put(executor, (ms_header){0, MS_CLOCK, sizeof reply}, reply);
    ms_executor_flush(executor);
    pthread_mutex_unlock(&executor->lock);
}

uint32_t ms_lane_take(ms_executor *executor)
{
    uint32_t word = 0;
    while (word < executor->lane_word_count && executor->lanes[word] == UINT64_MAX)
        word++;
    if (word * 64 > MS_LANE_MAX)
        return 0;
    if (word == executor->lane_word_count) {
        uint64_t *grown = realloc(executor->lanes, (word + 1) * sizeof *grown);
        if (grown == NULL)
            return 0;
        grown[word] = 0;
        executor->lanes = grown;
        executor->lane_word_count++;
    }
    uint32_t bit = (uint32_t)__builtin_ctzll(~executor->lanes[word]);
    executor->lanes[word] |= (uint64_t)1 << bit;
    return word * 64 + bit + 1;
}

void ms_lane_free(ms_executor *executor, uint32_t lane)
{
    lane--;
    executor->lanes[lane / 64] &= ~((uint64_t)1 << lane % 64);
}

/* Without memory nothing is told of this job. */
void ms_times_begin(ms_worker *w)
{
    uint8_t head[MS_TIMED_HEAD_SIZE] = {0};
    w->times.size = 0;
    w->lane = ms_lane_take(w->executor);
    ms_put_u32(head, w->jid);
    ms_put_u32(head + 4, w->lane - 1);
    ms_put_u64(head + 8, ms_clock_ns());
    if (!ms_bytes_append(&w->times, head, sizeof head))
        w->times.size = 0;
}

void ms_times_waited(ms_worker *w, uint64_t from, uint64_t to)
{
    uint8_t wait[MS_TIMED_WAIT_SIZE];
    ms_put_u64(wait, from);
    ms_put_u64(wait + 8, to);
    if (w->times.size > 0 && w->times.size < MS_TIMED_HEAD_SIZE + MS_TIMED_WAITS_MAX * MS_TIMED_WAIT_SIZE)
        ms_bytes_append(&w->times, wait, sizeof wait);
}

void ms_times_end(ms_worker *w, uint64_t now)
{
    ms_lane_free(w->executor, w->lane);
    w->lane = 0;
    if (w->times.size == 0 || w->mute)
        return;
    ms_put_u64(w->times.data + 16, now);
    ms_executor_put(w->executor, (ms_header){0, MS_TIMED, (uint32_t)w->times.size}, w->times.data);
}

void ms_times_took(ms_executor *executor, uint32_t ordinal, uint64_t ns)
{
    uint8_t payload[MS_TOOK_SIZE];
    if (executor->taken == NULL && (executor->taken = calloc((size_t)ms_program.job_count + 1, sizeof *executor->taken)) == NULL)
        return;
    ms_taken *taken = &executor->taken[ordinal];
    taken->count++;
    taken->ns += ns;
    if (taken->count < TOOK_LEAST || (taken->count < taken->told_at && taken->ns < TOOK_NS))
        return;
    ms_put_u32(payload, ordinal);
    ms_put_u32(payload + 4, taken->count);
    ms_put_u64(payload + 8, taken->ns);
    ms_executor_put(executor, (ms_header){0, MS_TOOK, sizeof payload}, payload);
    uint32_t at = taken->told_at < TOOK_LEAST ? TOOK_LEAST : taken->told_at;
    *taken = (ms_taken){.told_at = at * 2 > TOOK_MOST ? TOOK_MOST : at * 2};
}

void ms_times_destroy(ms_executor *executor)
{
    free(executor->taken);
    free(executor->lanes);
}
