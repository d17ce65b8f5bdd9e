/* The line of --progress: how far the jobs are, on standard error, over and over on a terminal and line by line elsewhere. */
#include "master/peer.h"

#include "core/clock.h"
#include "master/output.h"

#include <stdio.h>
#include <unistd.h>

enum { PERIOD_MS = 200, LINE_PERIOD_MS = 1000, MILLION = 1000000 };

static int format_left(char *line, size_t capacity, double seconds)
{
    if (seconds < 120)
        return snprintf(line, capacity, ", %.0f s left", seconds);
    if (seconds < 7200)
        return snprintf(line, capacity, ", %.0f min left", seconds / 60);
    return snprintf(line, capacity, ", %.1f h left", seconds / 3600);
}

static int format_line(const ms_server *server, char *line, size_t capacity)
{
    const ms_scheduler *scheduler = server->scheduler;
    uint64_t ended = server->finished_count + server->failed_count, total = server->submitted_count;
    double seconds = (double)(server->now - server->started_at) / 1e9;
    double rate = seconds > 0 ? (double)ended / seconds : 0;
    int size = snprintf(line, capacity, "%llu/%llu done, %llu running, %llu failed, %u slave%s, %.*f/s", (unsigned long long)ended,
                        (unsigned long long)total, (unsigned long long)scheduler->running_count,
                        (unsigned long long)server->failed_count, scheduler->slave_count, scheduler->slave_count == 1 ? "" : "s",
                        rate < 10 ? 1 : 0, rate);
    if (rate > 0 && total > ended)
        size += format_left(line + size, capacity - (size_t)size, (double)(total - ended) / rate);
    return size;
}

void ms_progress_show(ms_server *server, bool last)
{
    char line[256] = "\r\033[K";
    bool terminal = isatty(2) == 1;
    uint64_t period = (uint64_t)(terminal ? PERIOD_MS : LINE_PERIOD_MS) * MILLION;
    if (server->options.progress == MS_PROGRESS_AUTO && !terminal) {
        server->options.progress = MS_PROGRESS_NEVER;
        return;
    }
    if (!last && server->now - server->progress_at < period)
        return;
    server->progress_at = server->now;
    int size = terminal ? 4 : 0;
    size += format_line(server, line + size, sizeof line - 8);
    if (last || !terminal)
        line[size++] = '\n';
    server->progress_shown = terminal && !last;
    ms_output_forward(2, line, (uint64_t)size);
}
