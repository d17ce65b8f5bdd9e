/* The jobs that could run: the deepest first, then the oldest.
 *
 * A list for each depth, and two levels of bits that say which lists hold jobs, so that everything takes the same short time however
 * many there are; the jobs of a program whose jobs start none are one list. Always: `first` is the job that is to go first. */
#ifndef MS_PENDING_H
#define MS_PENDING_H

#include "master/jobs.h"

enum { MS_DEPTH_MAX = 4095 }; /* what is deeper counts as this deep */

typedef struct ms_job_list {
    ms_job *first, *last;
} ms_job_list;

static inline void ms_list_append(ms_job_list *list, ms_job *job)
{
    job->next = NULL;
    job->previous = list->last;
    if (list->last != NULL)
        list->last->next = job;
    else
        list->first = job;
    list->last = job;
}

static inline void ms_list_prepend(ms_job_list *list, ms_job *job)
{
    job->previous = NULL;
    job->next = list->first;
    if (list->first != NULL)
        list->first->previous = job;
    else
        list->last = job;
    list->first = job;
}

static inline void ms_list_remove(ms_job_list *list, ms_job *job)
{
    if (job->previous != NULL)
        job->previous->next = job->next;
    else
        list->first = job->next;
    if (job->next != NULL)
        job->next->previous = job->previous;
    else
        list->last = job->previous;
    job->next = job->previous = NULL;
}

typedef struct ms_pending {
    ms_job *first;
    uint32_t deepest;
    uint64_t words; /* which of `bits` are not 0 */
    uint64_t bits[(MS_DEPTH_MAX + 1) / 64];
    ms_job_list lists[MS_DEPTH_MAX + 1];
} ms_pending;

/* At the end of the jobs of its depth, or (`front`) before them. */
void ms_pending_add(ms_pending *pending, ms_job *job, uint32_t depth, bool front);
void ms_pending_remove(ms_pending *pending, ms_job *job, uint32_t depth);
#endif
