/* The status as JSON. Its names are documented in docs/running.md: add, but don't change. */
#include "master/status.h"

#include "core/wire.h"
#include "master/json.h"

#include <string.h>
#include <unistd.h>

/* Commas: each member of an object and each element of an array is begun with `next`. */
static void next(ms_bytes *out)
{
    uint8_t last = out->size == 0 ? '{' : out->data[out->size - 1];
    if (last != '{' && last != '[')
        ms_json_raw(out, ",");
}

static void key(ms_bytes *out, const char *name)
{
    next(out);
    ms_json_raw(out, "\"");
    ms_json_raw(out, name);
    ms_json_raw(out, "\":");
}

static void put_number(ms_bytes *out, const char *name, uint64_t value)
{
    key(out, name);
    ms_json_number(out, value);
}

static void put_seconds(ms_bytes *out, const char *name, uint64_t ns)
{
    key(out, name);
    ms_json_seconds(out, ns);
}

static void put_string(ms_bytes *out, const char *name, const char *text)
{
    key(out, name);
    ms_json_string(out, text, strlen(text));
}

static void put_master(const ms_status *status, ms_bytes *out)
{
    char text[512];
    const ms_server *server = status->server;
    key(out, "master");
    ms_json_raw(out, "{");
    put_string(out, "program", ms_program.name);
    put_string(out, "target", ms_program.target);
    put_number(out, "protocol", MS_PROTOCOL_VERSION);
    put_number(out, "pid", (uint64_t)getpid());
    put_number(out, "started", server->watch->started_at);
    put_seconds(out, "uptime_s", status->now - server->started_at);
    key(out, "addresses");
    ms_json_raw(out, "[");
    for (int i = 0; i < server->door_count; i++) {
        ms_address_format(&server->doors[i].listener.address, text);
        next(out);
        ms_json_string(out, text, strlen(text));
    }
    ms_json_raw(out, "]");
    ms_status_doing(status, text);
    put_string(out, "doing", text);
    ms_json_raw(out, "}");
}

static void put_counts(const ms_status *status, ms_bytes *out)
{
    const ms_server *server = status->server;
    const ms_watch *watch = server->watch;
    key(out, "jobs");
    ms_json_raw(out, "{");
    put_number(out, "submitted", server->submitted_count);
    put_number(out, "waiting", server->scheduler->waiting_count);
    put_number(out, "pending", server->scheduler->pending_count);
    put_number(out, "running", server->scheduler->running_count);
    put_number(out, "finished", watch->finished_count);
    put_number(out, "failed", watch->failed_count);
    put_number(out, "cancelled", watch->cancelled_count);
    put_number(out, "retried", watch->retried_count);
    ms_json_raw(out, "}");
}

static void put_functions(const ms_status *status, ms_bytes *out)
{
    key(out, "functions");
    ms_json_raw(out, "[");
    for (uint32_t i = 0; i < status->function_count; i++) {
        const ms_function_counts *counts = &status->server->watch->functions[status->functions[i]];
        next(out);
        ms_json_raw(out, "{");
        put_string(out, "name", ms_status_function(status->functions[i]));
        put_number(out, "started", counts->started);
        put_number(out, "finished", counts->finished);
        put_number(out, "failed", counts->failed);
        put_number(out, "cancelled", counts->cancelled);
        put_number(out, "retried", counts->retried);
        put_number(out, "runs", counts->run_count);
        put_seconds(out, "mean_s", counts->run_count == 0 ? 0 : counts->run_ns / counts->run_count);
        put_seconds(out, "max_s", counts->longest_ns);
        ms_json_raw(out, "}");
    }
    ms_json_raw(out, "]");
    put_number(out, "functions_left_out", status->functions_left_out);
}

static void put_slaves(const ms_status *status, ms_bytes *out)
{
    key(out, "slaves");
    ms_json_raw(out, "[");
    for (uint32_t i = 0; i < status->slave_count; i++) {
        const ms_status_slave *slave = &status->slaves[i];
        next(out);
        ms_json_raw(out, "{");
        put_number(out, "number", slave->peer->seen.number);
        put_string(out, "name", slave->peer->name);
        put_number(out, "slots", slave->slots);
        put_number(out, "running", slave->running);
        put_number(out, "queued", slave->queued);
        put_number(out, "lent", slave->lent);
        put_number(out, "answered", slave->peer->seen.answered_count);
        put_seconds(out, "joined_s", status->now - slave->peer->seen.joined_at);
        put_seconds(out, "silent_s", slave->silent_ns);
        put_number(out, "bytes_to", slave->peer->sent_size);
        put_number(out, "bytes_from", slave->peer->received_size);
        key(out, "leaving");
        ms_json_raw(out, slave->leaving ? "true" : "false");
        ms_json_raw(out, "}");
    }
    ms_json_raw(out, "]");
    put_number(out, "slaves_left_out", status->slaves_left_out);
}

static void put_job(const ms_status_job *job, ms_bytes *out)
{
    next(out);
    ms_json_raw(out, "{");
    put_number(out, "job", job->serial);
    put_string(out, "function", ms_status_function(job->ordinal));
    put_string(out, "state", ms_standing_text(job->standing));
    put_seconds(out, "since_s", job->since_ns);
    put_number(out, "attempt", job->attempt);
    if (job->peer != NULL) {
        put_string(out, "slave", job->peer->name);
        put_number(out, "slave_number", job->peer->seen.number);
    }
    if (job->reason != NULL)
        put_string(out, "waits_for", job->reason);
    if (job->standing == MS_STANDS_SUSPENDED || job->standing == MS_STANDS_WAITING) {
        key(out, "waits_for_jobs");
        ms_json_raw(out, "[");
        for (uint32_t i = 0; i < job->reason_count; i++) {
            next(out);
            ms_json_raw(out, "{");
            put_number(out, "job", job->reasons[i]);
            put_string(out, "function", ms_status_function(job->reason_ordinals[i]));
            ms_json_raw(out, "}");
        }
        ms_json_raw(out, "]");
        put_number(out, "waits_for_jobs_left_out", job->reasons_left_out);
    }
    ms_json_raw(out, "}");
}

static void put_jobs(const char *name, const char *left_out_name, const ms_status_jobs *jobs, ms_bytes *out)
{
    key(out, name);
    ms_json_raw(out, "[");
    for (uint32_t i = 0; i < jobs->count; i++)
        put_job(&jobs->rows[i], out);
    ms_json_raw(out, "]");
    put_number(out, left_out_name, jobs->left_out);
}

void ms_status_json(const ms_status *status, ms_bytes *out)
{
    ms_json_raw(out, "{");
    put_master(status, out);
    put_counts(status, out);
    put_functions(status, out);
    put_slaves(status, out);
    put_jobs("sent", "sent_left_out", &status->sent, out);
    put_jobs("pending", "pending_left_out", &status->pending, out);
    put_jobs("waiting", "waiting_left_out", &status->waiting, out);
    ms_json_raw(out, "}\n");
}
