/* Taking a look, and answering with it. */
#include "master/status.h"

#include "core/clock.h"
#include "core/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKED_AT_MAX = 20000 }; /* jobs, for one table */

const char *ms_status_function(uint32_t ordinal)
{
    return ordinal > 0 && ordinal <= ms_program.job_count ? ms_program.jobs[ordinal - 1].name : "?";
}

const char *ms_standing_text(ms_standing standing)
{
    switch (standing) {
    case MS_STANDS_RUNNING: return "running";
    case MS_STANDS_QUEUED: return "queued at the slave";
    case MS_STANDS_SUSPENDED: return "waiting for its own jobs";
    case MS_STANDS_PENDING: return "pending";
    case MS_STANDS_WAITING: return "waiting for results";
    }
    return "?";
}

static uint64_t since(const ms_status *status, uint64_t then)
{
    return then == 0 || then > status->now ? 0 : status->now - then;
}

/* ---- One job ---- */

static ms_status_job describe(const ms_job *job, ms_standing standing)
{
    const ms_watched *watched = ms_watched_of(job);
    return (ms_status_job){.standing = standing,
                           .ordinal = job->ordinal,
                           .serial = watched == NULL ? 0 : watched->serial,
                           .attempt = job->lost_count + 1u};
}

static void add_reason(ms_status_job *row, const ms_job *other)
{
    if (row->reason_count == MS_STATUS_REASONS_MAX) {
        row->reasons_left_out++;
        return;
    }
    const ms_watched *watched = ms_watched_of(other);
    row->reason_ordinals[row->reason_count] = other->ordinal;
    row->reasons[row->reason_count++] = watched == NULL ? 0 : watched->serial;
}

/* Those that have been sent longest come first; the last one makes room. */
static void insert(ms_status_jobs *jobs, const ms_status_job *row)
{
    uint32_t at = jobs->count;
    if (at == MS_STATUS_ROWS_MAX) {
        if (row->since_ns <= jobs->rows[at - 1].since_ns)
            return;
        at--;
    } else {
        jobs->count++;
    }
    for (; at > 0 && jobs->rows[at - 1].since_ns < row->since_ns; at--)
        jobs->rows[at] = jobs->rows[at - 1];
    jobs->rows[at] = *row;
}

/* ---- The tables ---- */

/* The oldest attempts have the slots, apart from moments; those behind them are queued there. */
static void take_sent(ms_status *status, const ms_peer *peer, const ms_slave *slave, uint32_t *looked_at)
{
    uint32_t working = 0;
    for (const ms_job *job = slave->jobs.first; job != NULL && *looked_at < LOOKED_AT_MAX; job = job->next, (*looked_at)++) {
        const ms_watched *watched = ms_watched_of(job);
        bool lent = watched != NULL && watched->lent_at != 0;
        bool working_now = !lent && working < slave->slots;
        working += working_now;
        ms_status_job row = describe(job, lent ? MS_STANDS_SUSPENDED : working_now ? MS_STANDS_RUNNING : MS_STANDS_QUEUED);
        row.peer = peer;
        row.since_ns = watched == NULL ? 0 : since(status, watched->sent_at);
        uint32_t children = 0;
        for (const ms_job *child = lent ? job->relations->first_child : NULL; child != NULL && children < LOOKED_AT_MAX;
             child = child->relations->older_sibling, children++)
            add_reason(&row, child);
        insert(&status->sent, &row);
    }
}

static void take_slaves(ms_status *status, ms_server *server)
{
    const ms_scheduler *scheduler = server->scheduler;
    uint32_t looked_at = 0;
    for (uint32_t i = 0; i < scheduler->slave_capacity && i < server->by_slave_capacity; i++) {
        const ms_slave *slave = &scheduler->slaves[i];
        const ms_peer *peer = server->by_slave[i];
        if (slave->slots == 0 || peer == NULL)
            continue;
        take_sent(status, peer, slave, &looked_at);
        if (status->slave_count == MS_STATUS_ROWS_MAX) {
            status->slaves_left_out++;
            continue;
        }
        uint32_t busy = slave->inflight - slave->lent;
        status->slaves[status->slave_count++] = (ms_status_slave){.peer = peer,
                                                                  .slots = slave->slots,
                                                                  .running = busy < slave->slots ? busy : slave->slots,
                                                                  .queued = busy < slave->slots ? 0 : busy - slave->slots,
                                                                  .lent = slave->lent,
                                                                  .leaving = slave->leaving,
                                                                  .silent_ns = since(status, slave->heard_at)};
    }
    status->sent.left_out = scheduler->running_count > status->sent.count ? scheduler->running_count - status->sent.count : 0;
}

static void take_pending_of(ms_status *status, const ms_job_list *list, const char *reason)
{
    for (const ms_job *job = list->first; job != NULL && status->pending.count < MS_STATUS_ROWS_MAX; job = job->next) {
        const ms_watched *watched = ms_watched_of(job);
        ms_status_job *row = &status->pending.rows[status->pending.count++];
        *row = describe(job, MS_STANDS_PENDING);
        row->since_ns = watched == NULL ? 0 : since(status, watched->queued_at);
        row->reason = reason;
    }
}

static void take_pending(ms_status *status, const ms_scheduler *scheduler)
{
    const char *reason = scheduler->slave_count == 0 ? "a slave" : "a free slot";
    for (uint32_t depth = scheduler->pending.deepest + 1; depth > 0; depth--)
        take_pending_of(status, &scheduler->pending.lists[depth - 1], reason);
    take_pending_of(status, &scheduler->alone, scheduler->slave_count == 0 ? "a slave" : "a slave of its own, for its last attempt");
    status->pending.left_out = scheduler->pending_count - status->pending.count;
}

static void take_waiting(ms_status *status, const ms_server *server)
{
    uint32_t looked_at = 0;
    for (const ms_job *job = server->watch->first_linked; job != NULL && looked_at < LOOKED_AT_MAX; looked_at++) {
        const ms_watched *watched = ms_watched_of(job);
        if (job->place == MS_PLACE_WAITING && status->waiting.count < MS_STATUS_ROWS_MAX) {
            ms_status_job *row = &status->waiting.rows[status->waiting.count++];
            *row = describe(job, MS_STANDS_WAITING);
            row->since_ns = since(status, watched->queued_at);
            for (uint32_t i = 0; i < job->relations->hole_count; i++)
                if (job->relations->holes[i].dependency->place != MS_PLACE_ENDED)
                    add_reason(row, job->relations->holes[i].dependency);
        }
        job = watched->next;
    }
    uint64_t count = server->scheduler->waiting_count;
    status->waiting.left_out = count > status->waiting.count ? count - status->waiting.count : 0;
}

static void take_functions(ms_status *status, const ms_watch *watch)
{
    for (uint32_t ordinal = 1; ordinal <= ms_program.job_count; ordinal++) {
        if (watch->functions[ordinal].started == 0)
            continue;
        if (status->function_count == MS_STATUS_ROWS_MAX)
            status->functions_left_out++;
        else
            status->functions[status->function_count++] = ordinal;
    }
}

ms_status *ms_status_take(ms_server *server)
{
    ms_status *status = calloc(1, sizeof *status);
    if (status == NULL)
        return NULL;
    status->server = server;
    status->now = ms_clock_ns();
    take_slaves(status, server);
    take_pending(status, server->scheduler);
    take_waiting(status, server);
    take_functions(status, server->watch);
    return status;
}

/* ---- The program ---- */

static void append_place(char *text, size_t capacity, uintptr_t address)
{
    size_t size = strlen(text);
    int32_t index = address == 0 ? -1 : ms_places_find(address - 1);
    if (index < 0)
        return;
    ms_place_words place = ms_places_at(index);
    snprintf(text + size, capacity - size, ", at %s:%u in %s", place.file, place.line, place.function);
}

void ms_status_doing(const ms_status *status, char text[512])
{
    const ms_server *server = status->server;
    const ms_watch *watch = server->watch;
    uint32_t wanted = atomic_load(&server->wanted_slaves);
    switch ((ms_doing)atomic_load_explicit(&watch->doing, memory_order_acquire)) {
    case MS_DOING_STARTS: snprintf(text, 512, wanted > 0 ? "waits for %u slaves to begin" : "begins", wanted); return;
    case MS_DOING_COMPUTES: snprintf(text, 512, "computes"); return;
    case MS_DOING_ENDED: snprintf(text, 512, "has ended"); return;
    case MS_DOING_WAITS: break;
    }
    const char *how = atomic_load_explicit(&watch->waits_how, memory_order_relaxed);
    uint64_t serial = atomic_load_explicit(&watch->waits_for, memory_order_relaxed);
    uint64_t waits_since = atomic_load_explicit(&watch->waits_since, memory_order_relaxed);
    int size = snprintf(text, 512, "waits in %s", how);
    if (serial != 0)
        size += snprintf(text + size, 512 - (size_t)size, " for job %llu", (unsigned long long)serial);
    snprintf(text + size, 512 - (size_t)size, " since %.1f s", (double)since(status, waits_since) / 1e9);
    append_place(text, 512, atomic_load_explicit(&watch->waits_at, memory_order_relaxed));
}

bool ms_status_answer(ms_server *server, const char *path, const char **type, ms_bytes *body)
{
    static const struct {
        const char *path, *type;
        void (*write)(const ms_status *status, ms_bytes *out);
    } pages[] = {
        {"/", "text/plain; charset=utf-8", ms_status_page},
        {"/status.json", "application/json", ms_status_json},
        {"/metrics", "text/plain; version=0.0.4; charset=utf-8", ms_status_metrics},
    };
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(path, pages[i].path) != 0)
            continue;
        ms_status *status = ms_status_take(server);
        *type = pages[i].type;
        if (status != NULL)
            pages[i].write(status, body);
        free(status);
        return true;
    }
    return false;
}
