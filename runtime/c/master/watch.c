/* Counting, numbering, and telling the trace. */
#include "master/watch.h"

#include "master/parts.h"

#include "core/clock.h"
#include "master/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_PERIOD_NS 20000000u /* the counters are written as often as that, when they have changed */
#define SHORT_WAIT_NS 10000u      /* shorter waits for no certain job are left out */
#define DRIFT 10000u              /* clocks part by less than one in so many */
enum { FIRST_ASKED_COUNT = 8 };   /* a new slave is asked so often, one time after the other */

ms_watch *ms_watch_create(const char *trace_path, char *message, size_t message_size)
{
    ms_watch *watch = calloc(1, sizeof *watch);
    ms_function_counts *functions = calloc((size_t)ms_program.job_count + 1, sizeof *functions);
    snprintf(message, message_size, "no memory to start");
    bool fine = watch != NULL && functions != NULL;
    if (fine && trace_path != NULL)
        fine = (watch->trace = ms_trace_open(trace_path, message, message_size)) != NULL;
    if (!fine) {
        free(watch);
        free(functions);
        return NULL;
    }
    watch->functions = functions;
    watch->started_at = (uint64_t)ms_time();
    return watch;
}

void ms_watch_end(ms_watch *watch)
{
    atomic_store(&watch->doing, MS_DOING_ENDED);
    if (watch->trace != NULL)
        ms_trace_close(watch->trace);
}

ms_watched *ms_watched_of(const ms_job *job)
{
    return job->relations == NULL ? NULL : job->relations->watched;
}

static uint64_t serial_of(const ms_job *job)
{
    const ms_watched *watched = job == NULL ? NULL : ms_watched_of(job);
    return watched == NULL ? 0 : watched->serial;
}

static void put(const ms_watch *watch, const ms_seen *seen)
{
    if (watch->trace != NULL)
        ms_trace_put(watch->trace, seen, NULL, 0);
}

static void put_text(const ms_watch *watch, const ms_seen *seen, const void *text, size_t size)
{
    if (watch->trace != NULL)
        ms_trace_put(watch->trace, seen, text, size);
}

/* Without memory a job goes on unseen. */
static ms_watched *begin(ms_watch *watch, ms_job *job, uint64_t now)
{
    ms_relations *relations = ms_relations_of(job);
    if (relations == NULL || (relations->watched = calloc(1, sizeof *relations->watched)) == NULL)
        return NULL;
    relations->watched->serial = atomic_fetch_add_explicit(&watch->serial, 1, memory_order_relaxed) + 1;
    relations->watched->remote_at = relations->watched->queued_at = now;
    return relations->watched;
}

/* ---- The program's thread ---- */

void ms_watch_remote(ms_watch *watch, ms_job *job, ms_seen *seen)
{
    uint64_t now = ms_clock_ns();
    const ms_watched *watched = begin(watch, job, now);
    *seen = (ms_seen){.kind = MS_SEEN_REMOTE, .ordinal = job->ordinal, .at = {now}, .sizes = {ms_job_whole_size(job)}};
    seen->serial = watched == NULL ? 0 : watched->serial;
}

void ms_watch_remote_done(ms_watch *watch, ms_seen *seen)
{
    seen->at[1] = ms_clock_ns();
    if (seen->serial != 0)
        put(watch, seen);
}

uint64_t ms_watch_waits(ms_watch *watch, const char *how, ms_job *job, const void *address)
{
    uint64_t now = ms_clock_ns();
    atomic_store_explicit(&watch->waits_since, now, memory_order_relaxed);
    atomic_store_explicit(&watch->waits_for, serial_of(job), memory_order_relaxed);
    atomic_store_explicit(&watch->waits_how, how, memory_order_relaxed);
    atomic_store_explicit(&watch->waits_at, (uintptr_t)address, memory_order_relaxed);
    atomic_store_explicit(&watch->doing, MS_DOING_WAITS, memory_order_release);
    return now;
}

void ms_watch_goes_on(ms_watch *watch, uint64_t began, const char *how, ms_job *job)
{
    uint64_t now = ms_clock_ns();
    ms_watched *watched = job == NULL ? NULL : ms_watched_of(job);
    atomic_store_explicit(&watch->doing, MS_DOING_COMPUTES, memory_order_release);
    if (job == NULL && now - began < SHORT_WAIT_NS)
        return;
    ms_seen seen = {.kind = MS_SEEN_WAITED, .how = how, .at = {began, now}};
    if (watched != NULL) {
        bool ended = ms_job_state_now(job) != (uint32_t)MS_RUNNING; /* until then its function may change */
        seen.serial = watched->serial;
        seen.ordinal = ended ? job->ordinal : 0;
        seen.flows = !watched->got && strcmp(how, "get") == 0;
        watched->got = watched->got || seen.flows;
    }
    put(watch, &seen);
}

void ms_watch_local(ms_watch *watch, const ms_seen *seen, ms_job *job)
{
    ms_seen ran = *seen;
    ran.kind = MS_SEEN_LOCAL;
    ran.at[1] = ms_clock_ns();
    ran.how = job->cause == MS_CAUSE_NONE ? "finished" : "failed";
    ran.sizes[1] = job->result_size;
    put(watch, &ran);
}

/* ---- Jobs, on the I/O thread ---- */

/* Those that wait for others are found in a list, since the scheduler has none. */
static void link_waiting(ms_watch *watch, ms_job *job)
{
    ms_watched *watched = ms_watched_of(job);
    watched->linked = true;
    watched->previous = watch->last_linked;
    if (watched->previous != NULL)
        ms_watched_of(watched->previous)->next = job;
    else
        watch->first_linked = job;
    watch->last_linked = job;
}

static void unlink_waiting(ms_watch *watch, ms_watched *watched)
{
    if (!watched->linked)
        return;
    if (watched->previous != NULL)
        ms_watched_of(watched->previous)->next = watched->next;
    else
        watch->first_linked = watched->next;
    if (watched->next != NULL)
        ms_watched_of(watched->next)->previous = watched->previous;
    else
        watch->last_linked = watched->previous;
    watched->linked = false;
    watched->next = watched->previous = NULL;
}

void ms_watch_submitted(ms_server *server, ms_job *job)
{
    server->watch->functions[job->ordinal].started++;
    if (ms_watched_of(job) != NULL && ms_job_has_holes(job))
        link_waiting(server->watch, job);
}

void ms_watch_spawned(ms_server *server, ms_job *parent, ms_job *job)
{
    ms_watch *watch = server->watch;
    uint64_t now = ms_clock_ns();
    ms_watched *watched = begin(watch, job, now);
    ms_watch_submitted(server, job);
    if (watched == NULL)
        return;
    watched->parent = serial_of(parent);
    put(watch, &(ms_seen){.kind = MS_SEEN_SPAWNED,
                          .ordinal = job->ordinal,
                          .serial = watched->serial,
                          .parent = watched->parent,
                          .at = {now, ms_clock_ns()},
                          .sizes = {job->arguments_size}});
}

void ms_watch_sent(ms_server *server, ms_job *job, uint64_t sent_size)
{
    ms_watched *watched = ms_watched_of(job);
    if (watched == NULL)
        return;
    unlink_waiting(server->watch, watched);
    watched->sent_at = ms_clock_ns(); /* not the turn's: it may have been started in this very turn */
    watched->lent_at = 0;
    watched->sent_size = sent_size;
}

void ms_watch_lent(ms_server *server, ms_job *job, bool lent)
{
    ms_watched *watched = job == NULL ? NULL : ms_watched_of(job);
    if (watched != NULL)
        watched->lent_at = lent ? server->now : 0;
}

/* A time of the slave's, by our clock, between two times that it must lie between. */
static uint64_t ours(const ms_peer_watch *seen, uint64_t theirs, uint64_t low, uint64_t high)
{
    uint64_t offset = (uint64_t)(seen->offset_low + (seen->offset_high - seen->offset_low) / 2);
    uint64_t at = theirs - offset;
    at = at > high ? high : at;
    return at < low ? low : at;
}

static void count_run(ms_function_counts *counts, uint64_t ns)
{
    counts->run_count++;
    counts->run_ns += ns;
    if (ns > counts->longest_ns)
        counts->longest_ns = ns;
}

void ms_watch_answered(ms_server *server, ms_peer *peer, ms_job *job, uint32_t ordinal, uint32_t jid, const char *how, uint64_t result_size)
{
    ms_watch *watch = server->watch;
    ms_peer_watch *at = &peer->seen;
    const ms_watched *watched = job == NULL ? NULL : ms_watched_of(job);
    bool tail = job != NULL && strcmp(how, "tail") == 0;
    uint64_t now = ms_clock_ns();
    at->answered_count++;
    if (tail)
        watch->functions[ordinal].finished++;
    if (at->timed_jid != jid) /* it was cancelled before it began, or there was no memory to say so */
        return;
    at->timed_jid = 0;
    count_run(&watch->functions[ordinal], at->timed_ended - at->timed_began);
    ms_seen seen = {.kind = MS_SEEN_RUN, .how = how, .ordinal = ordinal, .slave = at->number, .lane = at->timed_lane};
    if (watched != NULL) {
        seen.serial = watched->serial;
        seen.attempt = job->lost_count + 1;
        seen.sizes[0] = watched->sent_size;
        seen.at[0] = watched->queued_at;
    }
    seen.at[1] = watched == NULL ? at->timed_began : watched->sent_at;
    seen.at[2] = at->timed_began;
    seen.at[3] = at->timed_ended;
    seen.at[4] = now;
    seen.sizes[1] = result_size;
    put(watch, &seen);
    if (tail && watched != NULL)
        ms_watched_of(job)->queued_at = now;
}

void ms_watch_answer(ms_server *server, ms_peer *peer, const ms_header *header, ms_job *job)
{
    bool failed = header->ordinal < 0;
    ms_watch_answered(server, peer, job, failed ? 0u - (uint32_t)header->ordinal : (uint32_t)header->ordinal, header->jid,
                      job == NULL ? "cancelled" : failed ? "failed" : "finished", header->length);
}

static void put_failed(ms_watch *watch, const ms_job *job, ms_seen *seen)
{
    const ms_failure *failure = job->end.failure;
    const char *text = job->cause == MS_CAUSE_LOST ? "lost with its slaves" : "out of memory";
    uint32_t size = (uint32_t)strlen(text), story_size = 0;
    if (failure != NULL) {
        text = failure->text + failure->slave_size;
        size = failure->message_size;
        story_size = failure->story_size;
    }
    seen->kind = MS_SEEN_FAILED;
    seen->sizes[0] = size;
    put_text(watch, seen, text, (size_t)size + story_size);
}

void ms_watch_ended(ms_server *server, ms_job *job, uint32_t slave_number)
{
    ms_watch *watch = server->watch;
    ms_function_counts *counts = &watch->functions[job->ordinal];
    ms_watched *watched = ms_watched_of(job);
    uint32_t state = ms_job_state_now(job);
    ms_seen seen = {.ordinal = job->ordinal, .serial = serial_of(job), .slave = slave_number, .at = {server->now}};
    if (watched != NULL)
        unlink_waiting(watch, watched);
    if (state == (uint32_t)MS_FINISHED) {
        counts->finished++;
        watch->finished_count++;
    } else if (state == (uint32_t)MS_FAILED && job->cause != MS_CAUSE_CANCELLED) {
        counts->failed++;
        watch->failed_count++;
        put_failed(watch, job, &seen);
    } else { /* also one that the program has just claimed, to cancel it */
        counts->cancelled++;
        watch->cancelled_count++;
        seen.kind = MS_SEEN_CANCELLED;
        seen.slave = 0;
        put(watch, &seen);
    }
}

/* ---- Slaves ---- */

void ms_watch_ask_clock(ms_server *server, ms_peer *peer)
{
    uint8_t payload[8];
    ms_put_u64(payload, ms_clock_ns());
    ms_peer_send(server, peer, (ms_header){0, MS_CLOCK, sizeof payload}, payload);
    peer->seen.asked_count++;
}

void ms_watch_joined(ms_server *server, ms_peer *peer)
{
    ms_watch *watch = server->watch;
    peer->seen.number = ++watch->slave_count;
    peer->seen.joined_at = server->now;
    peer->seen.same_clock = peer->local;
    peer->seen.known_at = peer->local ? server->now : 0;
    put_text(watch,
             &(ms_seen){.kind = MS_SEEN_JOINED, .slave = peer->seen.number, .lane = server->scheduler->slaves[peer->slave].slots, .at = {server->now}},
             peer->name, strlen(peer->name));
    ms_watch_ask_clock(server, peer);
}

static void cut(ms_server *server, const ms_peer *peer, ms_job *job, const char *why)
{
    ms_watched *watched = ms_watched_of(job);
    if (watched == NULL)
        return;
    ms_seen seen = {.kind = MS_SEEN_CUT,
                    .ordinal = job->ordinal,
                    .slave = peer->seen.number,
                    .serial = watched->serial,
                    .attempt = job->lost_count + 1,
                    .at = {watched->queued_at, watched->sent_at, server->now}};
    put_text(server->watch, &seen, why, strlen(why));
    watched->queued_at = server->now;
    watched->sent_at = watched->lent_at = 0;
}

void ms_watch_crashed(ms_server *server, ms_peer *peer, ms_job *job, uint32_t jid)
{
    bool timed = peer->seen.timed_jid == jid;
    if (timed)
        ms_watch_answered(server, peer, job, job->ordinal, jid, "crashed", 0);
    else
        cut(server, peer, job, "its worker died");
    if (timed && ms_watched_of(job) != NULL)
        ms_watched_of(job)->queued_at = server->now;
    server->watch->functions[job->ordinal].retried++;
    server->watch->retried_count++;
}

void ms_watch_lost(ms_server *server, ms_peer *peer, const char *why)
{
    uint32_t count = 0;
    for (ms_job *job = server->scheduler->slaves[peer->slave].jobs.first; job != NULL; job = job->next, count++) {
        cut(server, peer, job, why[0] == '\0' ? "it closed the connection" : why);
        server->watch->functions[job->ordinal].retried++;
    }
    server->watch->retried_count += count;
    server->watch->lost_count += why[0] != '\0' || count > 0;
    put_text(server->watch, &(ms_seen){.kind = MS_SEEN_LEFT, .slave = peer->seen.number, .at = {server->now}}, why, strlen(why));
}

/* The slave's clock less ours is known to lie between two values; what was known before grows vague with time. */
static void narrow(ms_peer_watch *seen, int64_t low, int64_t high, uint64_t now)
{
    if (low > high)
        return;
    int64_t drift = seen->same_clock ? 0 : (int64_t)((now - seen->known_at) / DRIFT);
    bool known = seen->known_at != 0;
    seen->known_at = now;
    if (known && seen->offset_low - drift > low)
        low = seen->offset_low - drift;
    if (known && seen->offset_high + drift < high)
        high = seen->offset_high + drift;
    if (low > high) { /* another clock after all, or one that was set, or the slave tells tales: the next word counts */
        seen->known_at = 0;
        seen->same_clock = false;
    }
    seen->offset_low = low <= high ? low : high;
    seen->offset_high = low <= high ? high : low;
}

/* Whether a time that a slave tells can be reckoned with. */
static bool is_sane(uint64_t ns)
{
    return ns < (uint64_t)1 << 62;
}

static void told_clock(ms_server *server, ms_peer *peer, const uint8_t *payload)
{
    uint64_t asked = ms_get_u64(payload), theirs = ms_get_u64(payload + 8), now = ms_clock_ns();
    if (asked <= now && asked >= peer->seen.joined_at && is_sane(theirs))
        narrow(&peer->seen, (int64_t)(theirs - now), (int64_t)(theirs - asked), now);
    if (peer->seen.asked_count < FIRST_ASKED_COUNT)
        ms_watch_ask_clock(server, peer);
}

static bool reserve_lane(ms_peer_watch *seen, uint32_t lane)
{
    if (lane < seen->lane_count)
        return true;
    uint32_t count = lane * 2 + 8;
    uint64_t *ends = realloc(seen->lane_ends, count * sizeof *ends);
    if (ends == NULL)
        return false;
    memset(ends + seen->lane_count, 0, (count - seen->lane_count) * sizeof *ends);
    seen->lane_ends = ends;
    seen->lane_count = count;
    return true;
}

static void told_times(ms_server *server, ms_peer *peer, const uint8_t *payload, uint32_t size)
{
    ms_peer_watch *at = &peer->seen;
    uint32_t jid = ms_get_u32(payload), lane = ms_get_u32(payload + 4);
    uint64_t began = ms_get_u64(payload + 8), ended = ms_get_u64(payload + 16), now = ms_clock_ns();
    if (ms_scheduler_attempt(server->scheduler, peer->slave, jid) == MS_ANSWER_WRONG || lane > MS_LANE_MAX || began > ended || !is_sane(ended))
        return;
    ms_job *job = ms_scheduler_job(server->scheduler, peer->slave, jid);
    const ms_watched *watched = job == NULL ? NULL : ms_watched_of(job);
    uint64_t low = watched == NULL ? at->joined_at : watched->sent_at;
    narrow(at, (int64_t)(ended - now), (int64_t)(began - low), now);
    if (!reserve_lane(at, lane))
        return;
    low = ours(at, began, low < at->lane_ends[lane] ? at->lane_ends[lane] : low, now);
    uint64_t high = at->lane_ends[lane] = ours(at, ended, low, now);
    at->timed_jid = jid;
    at->timed_lane = lane;
    at->timed_began = low;
    at->timed_ended = high;
    for (uint32_t i = MS_TIMED_HEAD_SIZE; watched != NULL && i + MS_TIMED_WAIT_SIZE <= size; i += MS_TIMED_WAIT_SIZE) {
        uint64_t from = ours(at, ms_get_u64(payload + i), low, high), to = ours(at, ms_get_u64(payload + i + 8), from, high);
        put(server->watch, &(ms_seen){.kind = MS_SEEN_SUSPENDED, .slave = at->number, .lane = lane, .serial = watched->serial, .at = {from, to}});
        low = to;
    }
}

void ms_watch_handle(ms_server *server, ms_peer *peer, uint32_t kind, const uint8_t *payload, uint32_t size)
{
    if (kind == MS_CLOCK)
        told_clock(server, peer, payload);
    else
        told_times(server, peer, payload, size);
}

/* ---- Lines and counters ---- */

void ms_watch_said(ms_server *server, const char *line, size_t size)
{
    put_text(server->watch, &(ms_seen){.kind = MS_SEEN_SAID, .at = {ms_clock_ns()}}, line, size);
}

static void count(ms_server *server)
{
    const ms_scheduler *scheduler = server->scheduler;
    ms_watch *watch = server->watch;
    uint64_t ended = server->finished_count + server->failed_count;
    watch->counted_at = server->now;
    put(watch, &(ms_seen){.kind = MS_SEEN_COUNTS,
                          .slave = scheduler->slave_count,
                          .lane = scheduler->slot_count,
                          .at = {server->now, scheduler->pending_count, scheduler->waiting_count, scheduler->running_count, ended},
                          .sizes = {server->sent_size, server->received_size}});
}

void ms_watch_count(ms_server *server)
{
    ms_watch *watch = server->watch;
    const ms_scheduler *scheduler = server->scheduler;
    uint64_t changes = server->submitted_count + (server->finished_count + server->failed_count) * 3 + scheduler->running_count * 7 +
                       scheduler->slot_count * 1000003u;
    if (changes == watch->counted || server->now - watch->counted_at < COUNT_PERIOD_NS)
        return;
    watch->counted = changes;
    count(server);
}

void ms_watch_shut(ms_server *server)
{
    count(server);
    for (const ms_peer *peer = server->peers; peer != NULL; peer = peer->next)
        for (ms_job *job = peer->slave == MS_NO_SLAVE ? NULL : server->scheduler->slaves[peer->slave].jobs.first; job != NULL; job = job->next)
            cut(server, peer, job, "the master ended");
}
