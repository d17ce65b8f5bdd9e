/* Lists by depth, and the bits that find the deepest. */
#include "master/pending.h"

static uint32_t level_of(uint32_t depth)
{
    return depth < MS_DEPTH_MAX ? depth : MS_DEPTH_MAX;
}

static void find_first(ms_pending *p)
{
    if (p->words == 0) {
        p->deepest = 0;
        p->first = NULL;
        return;
    }
    uint32_t word = 63u - (uint32_t)__builtin_clzll(p->words);
    p->deepest = word * 64 + 63u - (uint32_t)__builtin_clzll(p->bits[word]);
    p->first = p->lists[p->deepest].first;
}

void ms_pending_add(ms_pending *p, ms_job *job, uint32_t depth, bool front)
{
    uint32_t level = level_of(depth);
    ms_job_list *list = &p->lists[level];
    if (list->first == NULL) {
        p->bits[level / 64] |= (uint64_t)1 << level % 64;
        p->words |= (uint64_t)1 << level / 64;
    }
    if (front)
        ms_list_prepend(list, job);
    else
        ms_list_append(list, job);
    if (level >= p->deepest) {
        p->deepest = level;
        p->first = list->first;
    }
}

void ms_pending_remove(ms_pending *p, ms_job *job, uint32_t depth)
{
    uint32_t level = level_of(depth);
    ms_job_list *list = &p->lists[level];
    ms_list_remove(list, job);
    if (list->first == NULL) {
        p->bits[level / 64] &= ~((uint64_t)1 << level % 64);
        if (p->bits[level / 64] == 0)
            p->words &= ~((uint64_t)1 << level / 64);
    }
    if (level != p->deepest)
        return;
    if (list->first != NULL)
        p->first = list->first;
    else
        find_first(p);
}
