/* The status for Prometheus and for people. */
#include "master/status.h"

#include "master/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void __attribute__((format(printf, 2, 3))) line(ms_bytes *out, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text - 1, format, arguments);
    va_end(arguments);
    if (size < 0)
        return;
    ms_bytes_append(out, text, (size_t)size < sizeof text - 1 ? (size_t)size : sizeof text - 2);
    ms_bytes_append(out, "\n", 1);
}

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

/* ---- Prometheus ---- */

static void head(ms_bytes *out, const char *name, const char *type, const char *help)
{
    line(out, "# HELP %s %s", name, help);
    line(out, "# TYPE %s %s", name, type);
}

static void single(ms_bytes *out, const char *name, const char *type, const char *help, double value)
{
    head(out, name, type, help);
    line(out, "%s %.17g", name, value);
}

/* Names of slaves come from slaves: what they are made of is printable, but these two mean something here. */
static const char *label(const char *name, char buffer[600])
{
    size_t size = 0;
    for (; *name != '\0' && size < 590; name++) {
        if (*name == '"' || *name == '\\')
            buffer[size++] = '\\';
        buffer[size++] = *name;
    }
    buffer[size] = '\0';
    return buffer;
}

static void put_totals(const ms_status *status, ms_bytes *out)
{
    const ms_server *server = status->server;
    const ms_scheduler *scheduler = server->scheduler;
    const ms_watch *watch = server->watch;
    bool waits = atomic_load(&watch->doing) == MS_DOING_WAITS;
    uint64_t waits_since = atomic_load(&watch->waits_since);
    single(out, "ms_uptime_seconds", "gauge", "How long the master has run.", seconds(status->now - server->started_at));
    single(out, "ms_program_waiting_seconds", "gauge", "How long the program has waited for a job, 0 while it computes.",
           waits && waits_since < status->now ? seconds(status->now - waits_since) : 0);
    single(out, "ms_jobs_submitted_total", "counter", "Jobs that were started.", (double)server->submitted_count);
    single(out, "ms_jobs_finished_total", "counter", "Jobs that have finished.", (double)watch->finished_count);
    single(out, "ms_jobs_failed_total", "counter", "Jobs that have failed.", (double)watch->failed_count);
    single(out, "ms_jobs_cancelled_total", "counter", "Jobs that were cancelled.", (double)watch->cancelled_count);
    single(out, "ms_attempts_lost_total", "counter", "Attempts at jobs that were lost with a slave or a worker.", (double)watch->retried_count);
    single(out, "ms_jobs_waiting", "gauge", "Jobs that wait for the results of others.", (double)scheduler->waiting_count);
    single(out, "ms_jobs_pending", "gauge", "Jobs that wait for a slot.", (double)scheduler->pending_count);
    single(out, "ms_jobs_running", "gauge", "Jobs that slaves have.", (double)scheduler->running_count);
    single(out, "ms_longest_running_seconds", "gauge", "How long a slave has had a job, the longest.",
           status->sent.count == 0 ? 0 : seconds(status->sent.rows[0].since_ns));
    single(out, "ms_slaves", "gauge", "Slaves that take jobs.", scheduler->slave_count);
    single(out, "ms_slots", "gauge", "Their slots.", scheduler->slot_count);
    single(out, "ms_slaves_joined_total", "counter", "Slaves that have joined.", watch->slave_count);
    single(out, "ms_slaves_lost_total", "counter", "Slaves that were lost.", (double)watch->lost_count);
    single(out, "ms_sent_bytes_total", "counter", "Bytes sent to slaves.", (double)server->sent_size);
    single(out, "ms_received_bytes_total", "counter", "Bytes received from slaves.", (double)server->received_size);
}

static void put_function_jobs(const ms_status *status, ms_bytes *out)
{
    head(out, "ms_function_jobs_total", "counter", "Jobs by function and end.");
    for (uint32_t i = 0; i < status->function_count; i++) {
        const ms_function_counts *counts = &status->server->watch->functions[status->functions[i]];
        const char *name = ms_status_function(status->functions[i]);
        line(out, "ms_function_jobs_total{function=\"%s\",end=\"finished\"} %llu", name, (unsigned long long)counts->finished);
        line(out, "ms_function_jobs_total{function=\"%s\",end=\"failed\"} %llu", name, (unsigned long long)counts->failed);
        line(out, "ms_function_jobs_total{function=\"%s\",end=\"cancelled\"} %llu", name, (unsigned long long)counts->cancelled);
    }
    head(out, "ms_run_seconds", "summary", "How long runs on slaves took, by function.");
    for (uint32_t i = 0; i < status->function_count; i++) {
        const ms_function_counts *counts = &status->server->watch->functions[status->functions[i]];
        const char *name = ms_status_function(status->functions[i]);
        line(out, "ms_run_seconds_sum{function=\"%s\"} %.9f", name, seconds(counts->run_ns));
        line(out, "ms_run_seconds_count{function=\"%s\"} %llu", name, (unsigned long long)counts->run_count);
    }
    head(out, "ms_longest_run_seconds", "gauge", "The longest run so far, by function.");
    for (uint32_t i = 0; i < status->function_count; i++)
        line(out, "ms_longest_run_seconds{function=\"%s\"} %.9f", ms_status_function(status->functions[i]),
             seconds(status->server->watch->functions[status->functions[i]].longest_ns));
}

typedef double slave_value(const ms_status_slave *slave);

static double slots_of(const ms_status_slave *slave)
{
    return slave->slots;
}

static double running_of(const ms_status_slave *slave)
{
    return slave->running;
}

static double queued_of(const ms_status_slave *slave)
{
    return slave->queued;
}

static double lent_of(const ms_status_slave *slave)
{
    return slave->lent;
}

static double silence_of(const ms_status_slave *slave)
{
    return seconds(slave->silent_ns);
}

static double answered_of(const ms_status_slave *slave)
{
    return (double)slave->peer->seen.answered_count;
}

static double sent_to(const ms_status_slave *slave)
{
    return (double)slave->peer->sent_size;
}

static double received_from(const ms_status_slave *slave)
{
    return (double)slave->peer->received_size;
}

static void put_slaves(const ms_status *status, ms_bytes *out)
{
    static const struct {
        const char *name, *type, *help;
        slave_value *value;
    } rows[] = {
        {"ms_slave_slots", "gauge", "Slots of a slave.", slots_of},
        {"ms_slave_running", "gauge", "Jobs in its slots.", running_of},
        {"ms_slave_queued", "gauge", "Jobs queued there.", queued_of},
        {"ms_slave_lent", "gauge", "Jobs there that wait for others.", lent_of},
        {"ms_slave_silence_seconds", "gauge", "How long nothing was heard of it.", silence_of},
        {"ms_slave_answered_total", "counter", "Attempts that it has answered.", answered_of},
        {"ms_slave_sent_bytes_total", "counter", "Bytes sent to it.", sent_to},
        {"ms_slave_received_bytes_total", "counter", "Bytes received from it.", received_from},
    };
    char buffer[600];
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        head(out, rows[row].name, rows[row].type, rows[row].help);
        for (uint32_t i = 0; i < status->slave_count; i++)
            line(out, "%s{slave=\"%s\",number=\"%u\"} %.17g", rows[row].name, label(status->slaves[i].peer->name, buffer),
                 status->slaves[i].peer->seen.number, rows[row].value(&status->slaves[i]));
    }
}

void ms_status_metrics(const ms_status *status, ms_bytes *out)
{
    put_totals(status, out);
    put_function_jobs(status, out);
    put_slaves(status, out);
}

/* ---- For people ---- */

static void page_job(const ms_status_job *job, ms_bytes *out)
{
    char reasons[400] = "";
    size_t size = 0;
    for (uint32_t i = 0; i < job->reason_count && size < 300; i++)
        size += (size_t)snprintf(reasons + size, sizeof reasons - size, "%sjob %llu %.60s", i == 0 ? ": waits for " : ", ",
                                 (unsigned long long)job->reasons[i], ms_status_function(job->reason_ordinals[i]));
    if (job->reason != NULL)
        snprintf(reasons, sizeof reasons, ": waits for %s", job->reason);
    else if (job->reasons_left_out > 0)
        snprintf(reasons + size, sizeof reasons - size, " and %u more", job->reasons_left_out);
    line(out, "  job %llu %s, %s%s%.200s since %.1f s, attempt %u%s", (unsigned long long)job->serial, ms_status_function(job->ordinal),
         ms_standing_text(job->standing), job->peer == NULL ? "" : " on ", job->peer == NULL ? "" : job->peer->name, seconds(job->since_ns),
         job->attempt, reasons);
}

static void page_jobs(const char *title, const ms_status_jobs *jobs, ms_bytes *out)
{
    enum { SHOWN_MAX = 20 };
    if (jobs->count == 0)
        return;
    line(out, "\n%s", title);
    for (uint32_t i = 0; i < jobs->count && i < SHOWN_MAX; i++)
        page_job(&jobs->rows[i], out);
    uint64_t more = jobs->left_out + (jobs->count > SHOWN_MAX ? jobs->count - SHOWN_MAX : 0);
    if (more > 0)
        line(out, "  and %llu more", (unsigned long long)more);
}

void ms_status_page(const ms_status *status, ms_bytes *out)
{
    char doing[512];
    const ms_server *server = status->server;
    const ms_scheduler *scheduler = server->scheduler;
    const ms_watch *watch = server->watch;
    ms_status_doing(status, doing);
    line(out, "%s-master, up %.1f s: the program %s", ms_program.name, seconds(status->now - server->started_at), doing);
    line(out, "\njobs: %llu started: %llu finished, %llu failed, %llu cancelled; %llu running, %llu pending, %llu waiting for results",
         (unsigned long long)server->submitted_count, (unsigned long long)watch->finished_count, (unsigned long long)watch->failed_count,
         (unsigned long long)watch->cancelled_count, (unsigned long long)scheduler->running_count,
         (unsigned long long)scheduler->pending_count, (unsigned long long)scheduler->waiting_count);
    line(out, "attempts lost: %llu; slaves: %u with %u slots, %llu lost", (unsigned long long)watch->retried_count, scheduler->slave_count,
         scheduler->slot_count, (unsigned long long)watch->lost_count);
    if (status->function_count > 0)
        line(out, "\n  %-24s %10s %10s %8s %10s %12s %12s", "function", "started", "finished", "failed", "cancelled", "mean s", "longest s");
    for (uint32_t i = 0; i < status->function_count; i++) {
        const ms_function_counts *counts = &watch->functions[status->functions[i]];
        line(out, "  %-24s %10llu %10llu %8llu %10llu %12.6f %12.6f", ms_status_function(status->functions[i]),
             (unsigned long long)counts->started, (unsigned long long)counts->finished, (unsigned long long)counts->failed,
             (unsigned long long)counts->cancelled, counts->run_count == 0 ? 0 : seconds(counts->run_ns / counts->run_count),
             seconds(counts->longest_ns));
    }
    if (status->slave_count > 0)
        line(out, "\n  %-24s %6s %8s %7s %6s %10s %9s %14s %14s", "slave", "slots", "running", "queued", "lent", "answered", "silent s",
             "bytes to", "bytes from");
    for (uint32_t i = 0; i < status->slave_count; i++) {
        const ms_status_slave *slave = &status->slaves[i];
        line(out, "  %-24.200s %6u %8u %7u %6u %10llu %9.1f %14llu %14llu%s", slave->peer->name, slave->slots, slave->running, slave->queued,
             slave->lent, (unsigned long long)slave->peer->seen.answered_count, seconds(slave->silent_ns),
             (unsigned long long)slave->peer->sent_size, (unsigned long long)slave->peer->received_size, slave->leaving ? "  leaving" : "");
    }
    page_jobs("with slaves, the longest first", &status->sent, out);
    page_jobs("pending, the next first", &status->pending, out);
    page_jobs("waiting for results", &status->waiting, out);
    line(out, "\nalso as /status.json and, for Prometheus, as /metrics");
}
