/* The world, the model and what is compared. */
#include "simulation.h"

#include "master/measure.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLAB_COUNT = 511 };

/* ---- Memory ---- */

/* What is allocated and not yet freed. The linker sends all calls of this program and of the runtime here (--wrap). */
static size_t bytes_in_use;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *block);

static void *counted(void *block)
{
    bytes_in_use += malloc_usable_size(block);
    return block;
}

void *__wrap_malloc(size_t size)
{
    return counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return counted(__real_calloc(count, size));
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return counted(__real_aligned_alloc(alignment, size));
}

void *__wrap_realloc(void *block, size_t size)
{
    bytes_in_use -= malloc_usable_size(block);
    return counted(__real_realloc(block, size));
}

void __wrap_free(void *block)
{
    bytes_in_use -= malloc_usable_size(block);
    __real_free(block);
}

/* ---- Telling, and chance ---- */

void sim_fail(const sim *s, const char *what, int line, const char *file)
{
    fflush(stdout);
    fprintf(stderr, "%s:%d: seed %" PRIu64 ", step %" PRIu64 ": this does not hold: %s\n", file, line, s->seed, s->step, what);
    fprintf(stderr, "play it again with: --replay %" PRIu64 "\n", s->seed);
    exit(1);
}

void sim_tell(const sim *s, const char *format, ...)
{
    if (!s->tell)
        return;
    va_list arguments;
    va_start(arguments, format);
    printf("%5" PRIu64 "  ", s->step);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
}

/* xorshift64* */
uint32_t sim_random(sim *s, uint32_t below)
{
    s->random ^= s->random >> 12;
    s->random ^= s->random << 25;
    s->random ^= s->random >> 27;
    return (uint32_t)((s->random * 0x2545f4914f6cdd1du) >> 32) % below;
}

/* ---- Carrying out ---- */

int sim_index_of(const ms_job *record)
{
    int32_t number;
    memcpy(&number, ms_job_arguments((ms_job *)(uintptr_t)record), sizeof number);
    return number;
}

void sim_publish(sim *s, sim_job *job, ms_job_cause cause)
{
    int32_t number = (int32_t)(job - s->jobs); /* the result is what the first argument was, so a record always tells which it is */
    if (cause == MS_CAUSE_NONE)
        ms_job_finish(job->record, (const uint8_t *)&number, sizeof number, NULL);
    else
        ms_job_fail(job->record, cause, NULL);
    job->failed = cause != MS_CAUSE_NONE;
    ms_job_publish(job->record, ++s->end_number);
}

/* The record is nobody's any more when the program has let it go as well. */
void sim_drop_record(sim *s, sim_job *job)
{
    ms_job_drop(&s->pool, job->record, false);
    job->record = NULL;
}

static void carry_out_end(sim *s, const ms_action *action)
{
    int number = sim_index_of(action->job);
    HOLDS(s, number >= 0 && number < s->job_count);
    sim_job *job = &s->jobs[number];
    HOLDS(s, job->record == action->job);
    HOLDS(s, ++job->end_count == 1); /* a job ends once */
    HOLDS(s, job->place == MS_PLACE_ENDED);
    bool either = action->end == MS_END_LIKE || action->end == MS_END_CANCELLED;
    HOLDS(s, action->end == job->end || (either && (job->end == MS_END_LIKE || job->end == MS_END_CANCELLED)));
    if (action->end == MS_END_LIKE) {
        const sim_job *source = &s->jobs[sim_index_of(action->source)];
        HOLDS(s, source->failed || source->claimed);
    }
    if (ms_job_claim(job->record))
        sim_publish(s, job, action->end == MS_END_FINISHED ? MS_CAUSE_NONE : MS_CAUSE_CANCELLED);
    ms_job_drop_holes(&s->pool, job->record, false);
    if (job->held)
        ms_job_drop(&s->pool, job->record, false);
    else
        sim_drop_record(s, job);
}

/* What must be true of a job that is sent now, before the model knows of it. */
static void look_at_choice(sim *s, const sim_job *job, uint32_t number)
{
    const sim_slave *slave = &s->slaves[number];
    uint32_t busy = sim_busy(s, number);
    bool suspects = false;
    HOLDS(s, job->place == MS_PLACE_PENDING && job->attempt == SIM_NONE);
    HOLDS(s, slave->slots > 0 && !slave->leaving && !slave->dropped && !slave->full && !slave->stalled && !slave->returning && !s->shutting);
    for (int i = 0; i < s->attempt_count; i++) {
        const sim_attempt *other = &s->attempts[i];
        if (other->job == SIM_NONE || other->slave != number)
            continue;
        HOLDS(s, !other->alone || other->lent); /* nothing joins a last attempt */
        suspects = suspects || other->suspect;
    }
    if (sim_is_last(s, job))
        HOLDS(s, busy < (slave->isolates ? slave->slots : 1));
    if (busy >= slave->slots) /* it is queued */
        HOLDS(s, !suspects && job->lost_count == 0 && s->lost_max > 1 && !s->spawns[job->ordinal]);
    for (int i = 0; i < s->job_count; i++) {
        const sim_job *other = &s->jobs[i];
        if (other->place == MS_PLACE_PENDING && !sim_is_last(s, job) && !sim_is_last(s, other))
            HOLDS(s, other->depth < job->depth || (other->depth == job->depth && other->order >= job->order));
    }
}

int sim_new_attempt(sim *s)
{
    for (int i = 0; i < s->attempt_count; i++)
        if (s->attempts[i].job == SIM_NONE)
            return i;
    HOLDS(s, s->attempt_count < SIM_ATTEMPTS_MAX);
    return s->attempt_count++;
}

/* As the server does: its arguments are filled in, and where that can't be it has ended. */
static bool fill(sim *s, sim_job *job)
{
    uint64_t size;
    ms_job *failed;
    if (!ms_job_claim(job->record))
        return false;
    ms_fill_result result = ms_job_fill(&s->pool, job->record, sim_random(s, 30) == 0 ? 5 : 1000, false, &size, &failed);
    if (result == MS_FILLED) {
        ms_job_unclaim(job->record);
        for (int n = 0; n < SIM_NEEDS_MAX; n++)
            job->all_needs[n] = SIM_NONE;
        return true;
    }
    sim_publish(s, job, MS_CAUSE_ITSELF);
    return false;
}

static void carry_out_run(sim *s, const ms_action *action)
{
    int number = sim_index_of(action->job);
    sim_job *job = &s->jobs[number];
    HOLDS(s, action->jid > 0 && action->jid <= 0x7fffffff);
    for (int i = 0; i < s->attempt_count; i++)
        HOLDS(s, s->attempts[i].job == SIM_NONE || s->attempts[i].jid != action->jid); /* no jid names two attempts */
    for (int i = 0; i < s->orphan_count; i++)
        HOLDS(s, s->orphans[i].jid != action->jid);
    bool ended = job->place == MS_PLACE_ENDED; /* by what has happened since it was chosen: a job before it could not be sent */
    if (!ended)
        look_at_choice(s, job, action->slave);
    int at = sim_new_attempt(s);
    bool alone = sim_is_last(s, job) && !s->slaves[action->slave].isolates;
    s->attempts[at] = (sim_attempt){.jid = action->jid, .slave = action->slave, .ordinal = job->ordinal, .job = number, .alone = alone,
                                    .suspect = job->lost_count > 0 || s->lost_max == 1, .number = s->attempt_number++};
    s->held_count++;
    s->attempts[at].given_up = ended;
    if (ended)
        return;
    job->place = MS_PLACE_RUNNING;
    job->attempt = at;
    HOLDS(s, job->record->jid == action->jid && job->record->slave == action->slave);
}

static int attempt_of(const sim *s, const ms_action *action)
{
    for (int i = 0; i < s->attempt_count; i++)
        if (s->attempts[i].job != SIM_NONE && s->attempts[i].jid == action->jid && s->attempts[i].slave == action->slave)
            return i;
    HOLDS(s, false);
    return SIM_NONE;
}

/* Its job has ended, or it is in the queue of a slave that does not answer a recall and goes to another. */
static void carry_out_cancel(sim *s, const ms_action *action)
{
    int at = attempt_of(s, action);
    sim_slave *slave = &s->slaves[action->slave];
    if (s->attempts[at].given_up)
        return;
    HOLDS(s, slave->recalling && s->now - slave->recalled_at >= SIM_HEARTBEAT_NS / 2 && !s->attempts[at].lent);
    HOLDS(s, sim_busy(s, action->slave) > slave->slots);
    slave->stalled = true;
    sim_model_revoke(s, at);
}

static void carry_out_recall(sim *s, const ms_action *action)
{
    sim_attempt *attempt = &s->attempts[attempt_of(s, action)];
    sim_slave *slave = &s->slaves[action->slave];
    HOLDS(s, !attempt->given_up && !attempt->lent && !attempt->asked && !attempt->readopted && !slave->leaving && !slave->dropped);
    HOLDS(s, sim_busy(s, action->slave) > slave->slots && s->scheduler->pending.first == NULL);
    attempt->asked = slave->recalling = true;
    slave->recalled_at = s->now;
}

static void fill_or_unsend(sim *s, sim_job *job)
{
    if (fill(s, job))
        return;
    if (job->place != MS_PLACE_ENDED) {
        sim_model_end_attempt(s, job->attempt);
        sim_model_end(s, (int)(job - s->jobs), MS_END_UNSENT, SIM_NONE);
        sim_model_settle(s);
    }
    ms_scheduler_unsent(s->scheduler, job->record, s->now);
}

/* ---- What always holds ---- */

static void compare_jobs(const sim *s)
{
    uint64_t counts[MS_PLACE_ENDED + 1] = {0};
    for (int i = 0; i < s->job_count; i++) {
        const sim_job *job = &s->jobs[i];
        counts[job->place]++;
        HOLDS(s, (job->place == MS_PLACE_ENDED) == (job->end_count == 1));
        if (job->place == MS_PLACE_ENDED)
            continue;
        const ms_job *record = job->record;
        HOLDS(s, record->place == job->place && record->lost_count == job->lost_count && record->ordinal == job->ordinal);
        HOLDS(s, record->jid == (job->attempt == SIM_NONE ? 0 : s->attempts[job->attempt].jid));
        HOLDS(s, (job->attempt != SIM_NONE) == (job->place == MS_PLACE_RUNNING));
    }
    HOLDS(s, counts[MS_PLACE_WAITING] == s->scheduler->waiting_count);
    HOLDS(s, counts[MS_PLACE_PENDING] == s->scheduler->pending_count);
    HOLDS(s, counts[MS_PLACE_RUNNING] == s->scheduler->running_count);
    HOLDS(s, s->scheduler->ending.first == NULL);
    HOLDS(s, s->held_count + s->orphan_count == (int)s->scheduler->attempt_count);
}

typedef struct sums {
    uint32_t inflight, given_up, suspects, lent, alone;
    uint64_t load_ns;
} sums;

static void add_up(const sim *s, sums of[SIM_SLAVES_MAX])
{
    memset(of, 0, SIM_SLAVES_MAX * sizeof *of);
    for (int i = 0; i < s->attempt_count; i++) {
        const sim_attempt *one = &s->attempts[i];
        if (one->job == SIM_NONE)
            continue;
        const ms_attempt *attempt = ms_attempt_at(s->scheduler, one->slave, one->jid);
        HOLDS(s, attempt != NULL && attempt->ordinal == one->ordinal && attempt->lent == one->lent);
        HOLDS(s, attempt->asked == one->asked && attempt->readopted == one->readopted);
        ms_answer answer = one->given_up ? MS_ANSWER_STALE : MS_ANSWER_FINE;
        HOLDS(s, ms_scheduler_job(s->scheduler, one->slave, one->jid) == (one->given_up ? NULL : s->jobs[one->job].record));
        HOLDS(s, ms_scheduler_attempt(s->scheduler, one->slave, one->jid) == answer);
        sums *slave = &of[one->slave];
        slave->inflight++;
        slave->given_up += one->given_up;
        slave->suspects += one->suspect;
        slave->lent += one->lent;
        slave->alone += one->alone && !one->lent;
        slave->load_ns += attempt->charge_ns;
    }
}

static void compare_sets(const sim *s, uint32_t number, const sums *sum, bool takes)
{
    const ms_slave *real = &s->scheduler->slaves[number];
    const sim_slave *slave = &s->slaves[number];
    uint32_t busy = sum->inflight - sum->lent;
    bool open = takes && sum->alone == 0, roomy = open && !real->reserved && busy >= slave->slots && sum->suspects == 0;
    bool expected[MS_SET_COUNT] = {
        [MS_SET_UNUSED] = slave->slots == 0,
        [MS_SET_OPEN] = open,
        [MS_SET_LAST] = open && busy < (slave->isolates ? slave->slots : 1),
        [MS_SET_FREE] = open && !real->reserved && busy < slave->slots,
        [MS_SET_ROOMY] = roomy && !real->stuffed,
        [MS_SET_CROWDED] = busy > slave->slots && !slave->leaving && !slave->dropped,
    };
    for (int i = 0; i < MS_SET_COUNT; i++)
        HOLDS(s, (ms_bitset_next(&s->scheduler->sets[i], number) == number) == expected[i]);
}

static void compare_slaves(const sim *s)
{
    static sums of[SIM_SLAVES_MAX];
    const ms_scheduler *scheduler = s->scheduler;
    uint32_t slave_count = 0, slot_count = 0, reserved_count = 0;
    add_up(s, of);
    for (uint32_t i = 0; i < SIM_SLAVES_MAX && i < scheduler->slave_capacity; i++) {
        const ms_slave *real = &scheduler->slaves[i];
        const sim_slave *slave = &s->slaves[i];
        const sums *sum = &of[i];
        uint32_t busy = sum->inflight - sum->lent;
        HOLDS(s, real->slots == slave->slots && real->inflight == sum->inflight && real->given_up == sum->given_up);
        HOLDS(s, real->suspects == sum->suspects && real->lent == sum->lent && real->load_ns == sum->load_ns);
        HOLDS(s, real->alone == sum->alone);
        slave_count += slave->slots > 0 && !slave->leaving;
        slot_count += slave->leaving ? 0 : slave->slots;
        reserved_count += real->reserved;
        HOLDS(s, !real->reserved || scheduler->reserved == i);
        bool takes = slave->slots > 0 && !slave->leaving && !slave->dropped && !slave->full && !slave->stalled && !slave->returning;
        HOLDS(s, real->returning == slave->returning);
        HOLDS(s, real->recalling == slave->recalling && real->stalled == slave->stalled);
        compare_sets(s, i, sum, takes);
        if (!takes || sum->alone > 0)
            continue;
        HOLDS(s, scheduler->pending.first == NULL || real->reserved || busy >= slave->slots); /* nothing waits beside a free slot */
        HOLDS(s, scheduler->alone.first == NULL || busy >= (slave->isolates ? slave->slots : 1));
    }
    HOLDS(s, scheduler->slave_count == slave_count && scheduler->slot_count == slot_count);
    HOLDS(s, reserved_count == (scheduler->reserved != MS_NO_SLAVE) && (reserved_count == 0 || scheduler->alone.first != NULL));
}

/* Every list is whole, forwards and backwards, and each job is in the one where it belongs. */
static uint64_t walk(const sim *s, const ms_job_list *list, ms_job_place place, uint32_t depth, bool last)
{
    uint64_t count = 0;
    const ms_job *before = NULL;
    for (const ms_job *record = list->first; record != NULL; before = record, record = record->next) {
        const sim_job *job = &s->jobs[sim_index_of(record)];
        HOLDS(s, record->previous == before && job->record == record && job->place == place);
        HOLDS(s, place != MS_PLACE_PENDING || (sim_is_last(s, job) == last && (last || job->depth == depth)));
        HOLDS(s, ++count <= SIM_JOBS_MAX);
    }
    HOLDS(s, list->last == before);
    return count;
}

static void compare_lists(const sim *s)
{
    const ms_scheduler *scheduler = s->scheduler;
    uint64_t pending = walk(s, &scheduler->alone, MS_PLACE_PENDING, 0, true), running = 0;
    for (uint32_t depth = 0; depth <= MS_DEPTH_MAX; depth++) {
        if ((scheduler->pending.bits[depth / 64] >> depth % 64 & 1) == 0)
            HOLDS(s, scheduler->pending.lists[depth].first == NULL);
        else
            pending += walk(s, &scheduler->pending.lists[depth], MS_PLACE_PENDING, depth, false);
    }
    for (uint32_t i = 0; i < scheduler->slave_capacity; i++)
        running += walk(s, &scheduler->slaves[i].jobs, MS_PLACE_RUNNING, 0, false);
    HOLDS(s, pending == scheduler->pending_count && running == scheduler->running_count);
}

void sim_act(sim *s, bool thoroughly)
{
    ms_scheduler *scheduler = s->scheduler;
    bool dropped[SIM_SLAVES_MAX] = {false};
    for (uint32_t i = 0; i < scheduler->action_count; i++) { /* doing it may add others */
        const ms_action action = scheduler->actions[i];
        switch (action.kind) {
        case MS_SEND_RUN: carry_out_run(s, &action); break;
        case MS_SEND_CANCEL: carry_out_cancel(s, &action); break;
        case MS_SEND_RECALL: carry_out_recall(s, &action); break;
        case MS_SEND_PING: s->slaves[action.slave].pinged_at = s->now; break;
        case MS_DROP_SLAVE: dropped[action.slave] = true; break;
        case MS_JOB_ENDED: carry_out_end(s, &action); break;
        }
        if (action.kind == MS_SEND_RUN && ms_job_has_holes(action.job))
            fill_or_unsend(s, &s->jobs[sim_index_of(action.job)]);
    }
    ms_scheduler_clear_actions(scheduler);
    compare_jobs(s);
    compare_slaves(s);
    sim_compare_orphans(s);
    if (thoroughly)
        compare_lists(s);
    for (uint32_t i = 0; i < SIM_SLAVES_MAX; i++)
        if (dropped[i])
            sim_lose(s, i);
}

/* ---- Beginning and end ---- */

void sim_open(sim *s, uint64_t seed)
{
    bool tell = s->tell;
    memset(s, 0, sizeof *s);
    s->tell = tell;
    s->seed = seed;
    s->random = (seed + 1) * 0x9e3779b97f4a7c15u | 1;
    s->now = 1000000000;
    s->bytes = bytes_in_use;
    s->lost_max = 1 + sim_random(s, 4);
    s->scheduler = ms_scheduler_create(SIM_ORDINALS, s->lost_max, SIM_HEARTBEAT_NS);
    HOLDS(s, s->scheduler != NULL);
    if (sim_random(s, 2) == 0) /* soon all jids have been used */
        s->scheduler->last_jid = 0x7fffffff - sim_random(s, 100);
    if (sim_random(s, 2) == 0) /* jids soon meet in the table, and it grows soon; it is still empty */
        s->scheduler->attempt_capacity = 4u << sim_random(s, 4);
}

/* Each record is back in the pool. */
static void count_records(const sim *s)
{
    uint64_t there = 0, made = 0;
    for (void *slab = s->pool.slabs; slab != NULL; memcpy(&slab, slab, sizeof slab))
        made += SLAB_COUNT;
    for (const ms_job *job = s->pool.free; job != NULL; job = job->next)
        there++;
    for (const ms_job *job = atomic_load(&s->pool.returned); job != NULL; job = job->next)
        there++;
    HOLDS(s, there == made);
}

void sim_close(sim *s)
{
    const ms_scheduler *scheduler = s->scheduler;
    HOLDS(s, scheduler->pending_count == 0 && scheduler->running_count == 0 && scheduler->waiting_count == 0);
    HOLDS(s, scheduler->orphan_count == 0);
    for (int i = 0; i < s->job_count; i++) {
        sim_job *job = &s->jobs[i];
        HOLDS(s, job->end_count == 1 && !job->untold);
        if (job->held)
            sim_let_go(s, i);
    }
    ms_scheduler_destroy(s->scheduler);
    count_records(s);
    ms_job_pool_destroy(&s->pool);
    HOLDS(s, bytes_in_use == s->bytes);
}
