/* Jobs that have not begun go back, because a slot of another slave is free. */
#include "slave/executor_inside.h"

#include <stdlib.h>

static int compare(const void *left, const void *right)
{
    const uint32_t *l = left, *r = right;
    return (*l > *r) - (*l < *r);
}

uint32_t *ms_jids_read(const uint8_t *payload, uint32_t count)
{
    uint32_t *jids = malloc((size_t)count * sizeof *jids + 1);
    if (jids == NULL)
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        jids[i] = ms_get_u32(payload + (size_t)i * 4);
    qsort(jids, count, sizeof *jids, compare);
    return jids;
}

bool ms_jids_have(const uint32_t *jids, uint32_t count, uint32_t jid)
{
    return bsearch(&jid, jids, count, sizeof *jids, compare) != NULL;
}

/* Takes those that are asked for out of the queue, oldest first; the others stay in their order. The lock is held. */
static void take_asked(ms_executor *executor, const uint32_t *asked, uint32_t count, ms_bytes *jids)
{
    uint32_t mask = executor->queue_capacity - 1, first = executor->queue_first, kept_count = 0;
    uint8_t bytes[4];
    for (uint32_t i = 0; i < executor->queue_count; i++) {
        ms_work *one = &executor->queue[(first + i) & mask];
        ms_put_u32(bytes, one->jid);
        if (!ms_jids_have(asked, count, one->jid) || !ms_bytes_append(jids, bytes, sizeof bytes))
            executor->queue[(first + kept_count++) & mask] = *one;
        else
            ms_work_free(one);
    }
    executor->queue_count = kept_count;
}

void ms_executor_recall(ms_executor *executor, const uint8_t *payload, uint32_t size)
{
    ms_bytes jids = {0};
    uint32_t *asked = ms_jids_read(payload, size / 4);
    pthread_mutex_lock(&executor->lock);
    if (asked != NULL)
        take_asked(executor, asked, size / 4, &jids);
    ms_executor_put(executor, (ms_header){0, MS_RECALLED, (uint32_t)jids.size}, jids.data);
    ms_executor_flush(executor);
    pthread_mutex_unlock(&executor->lock);
    ms_bytes_free(&jids);
    free(asked);
}
