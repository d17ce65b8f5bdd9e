/* Each kind of record and the events that it becomes. */
#include "master/trace_text.h"

#include "master/json.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    MASTER = 1,
    PROGRAM_THREAD = 1,
    IO_THREAD = 2,
    EVENTS_MAX_SIZE = 8192, /* the events of one record, without its text and the names */
    ESCAPED_SIZE = 6,       /* what one byte of text takes at most */
    SPANS_MAX = 100000      /* attempts whose queue and wire are drawn; of further ones the run's arguments tell, or no viewer could hold it */
};

static const char *name_of(uint32_t ordinal)
{
    return ordinal > 0 && ordinal <= ms_program.job_count ? ms_program.jobs[ordinal - 1].name : "";
}

/* ---- Pieces of events ---- */

static void put(ms_bytes *out, const char *before, uint64_t value)
{
    ms_json_raw(out, before);
    ms_json_number(out, value);
}

static void put_us(ms_bytes *out, const char *before, uint64_t ns)
{
    ms_json_raw(out, before);
    ms_json_us(out, ns);
}

static uint64_t between(uint64_t from, uint64_t to)
{
    return to > from ? to - from : 0;
}

/* ,\n{"ph":"X","pid":1,"tid":1,"ts":12.345 */
static void open_event(const ms_trace_text *text, ms_bytes *out, const char *phase, uint64_t process, uint64_t thread, uint64_t at)
{
    ms_json_raw(out, ",\n{\"ph\":\"");
    ms_json_raw(out, phase);
    put(out, "\",\"pid\":", process);
    put(out, ",\"tid\":", thread);
    put_us(out, ",\"ts\":", between(text->zero_ns, at));
}

/* ,"cat":"run","name":"area" */
static void put_name(ms_bytes *out, const char *category, const char *verb, uint32_t ordinal)
{
    ms_json_raw(out, ",\"cat\":\"");
    ms_json_raw(out, category);
    ms_json_raw(out, "\",\"name\":\"");
    ms_json_raw(out, verb);
    if (verb[0] != '\0' && ordinal != 0)
        ms_json_raw(out, " ");
    ms_json_raw(out, name_of(ordinal));
    ms_json_raw(out, "\"");
}

/* A step of the job's flow: s, t or f. It binds to the slice around it. */
static void put_flow(const ms_trace_text *text, ms_bytes *out, const char *phase, uint64_t process, uint64_t thread, uint64_t at, uint64_t serial)
{
    open_event(text, out, phase, process, thread, at);
    put(out, ",\"id\":", serial);
    ms_json_raw(out, phase[0] == 'f' ? ",\"bp\":\"e\",\"cat\":\"job\",\"name\":\"job\"}" : ",\"cat\":\"job\",\"name\":\"job\"}");
}

/* From one time to another on a track of its own, since many of them overlap. */
static void put_span(const ms_trace_text *text, ms_bytes *out, uint64_t process, const ms_seen *seen, const char *category, const char *verb,
                     uint64_t from, uint64_t to)
{
    uint64_t thread = process == MASTER ? (uint64_t)IO_THREAD : seen->lane + 1;
    open_event(text, out, "b", process, thread, from);
    put(out, ",\"id\":", seen->serial);
    put_name(out, category, verb, seen->ordinal);
    ms_json_raw(out, "}");
    open_event(text, out, "e", process, thread, to > from ? to : from);
    put(out, ",\"id\":", seen->serial);
    put_name(out, category, verb, seen->ordinal);
    ms_json_raw(out, "}");
}

static void put_instant(const ms_trace_text *text, ms_bytes *out, uint64_t process, uint64_t at, const char *category, const char *name,
                        uint32_t ordinal)
{
    open_event(text, out, "i", process, process == MASTER ? (uint64_t)IO_THREAD : 1, at);
    ms_json_raw(out, ",\"s\":\"p\"");
    put_name(out, category, name, ordinal);
}

static void put_metadata(ms_bytes *out, const char *what, uint64_t process, uint64_t thread)
{
    ms_json_raw(out, ",\n{\"ph\":\"M\",\"name\":\"");
    ms_json_raw(out, what);
    put(out, "\",\"pid\":", process);
    put(out, ",\"tid\":", thread);
    ms_json_raw(out, ",\"args\":{");
}

static void put_thread_name(ms_bytes *out, uint64_t process, uint64_t thread, const char *name, uint64_t number)
{
    put_metadata(out, "thread_name", process, thread);
    ms_json_raw(out, "\"name\":\"");
    ms_json_raw(out, name);
    if (number > 0)
        put(out, " ", number);
    ms_json_raw(out, "\"}}");
    put_metadata(out, "thread_sort_index", process, thread);
    put(out, "\"sort_index\":", thread);
    ms_json_raw(out, "}}");
}

/* ---- Slaves ---- */

static ms_trace_slave *slave_of(ms_trace_text *text, uint32_t number)
{
    if (number >= text->slave_count) {
        uint32_t count = number * 2 + 8;
        ms_trace_slave *grown = realloc(text->slaves, count * sizeof *grown);
        if (grown == NULL)
            return NULL;
        memset(grown + text->slave_count, 0, (count - text->slave_count) * sizeof *grown);
        text->slaves = grown;
        text->slave_count = count;
    }
    return &text->slaves[number];
}

/* Lanes have names before anything happens in them. Those beyond the slots hold jobs while others wait. */
static void name_lanes(ms_trace_text *text, ms_bytes *out, const ms_seen *seen)
{
    ms_trace_slave *slave = slave_of(text, seen->slave);
    while (slave != NULL && slave->named_count <= seen->lane && ms_bytes_reserve(out, EVENTS_MAX_SIZE * 2)) {
        uint32_t lane = slave->named_count++;
        bool is_slot = lane < slave->slots;
        put_thread_name(out, seen->slave + 1, lane + 1, is_slot ? "slot" : "beyond the slots", is_slot ? lane + 1 : lane + 1 - slave->slots);
    }
}

static void add_joined(ms_trace_text *text, ms_bytes *out, const ms_seen *seen, const char *words)
{
    ms_trace_slave *slave = slave_of(text, seen->slave);
    if (slave != NULL)
        *slave = (ms_trace_slave){.slots = seen->lane};
    put_metadata(out, "process_name", seen->slave + 1, 0);
    ms_json_raw(out, "\"name\":");
    char name[400] = "slave ";
    size_t size = seen->text_size < 380 ? seen->text_size : 380;
    memcpy(name + 6, words, size);
    ms_json_string(out, name, size + 6);
    put(out, ",\"slots\":", seen->lane);
    ms_json_raw(out, "}}");
    put_metadata(out, "process_sort_index", seen->slave + 1, 0);
    put(out, "\"sort_index\":", seen->slave);
    ms_json_raw(out, "}}");
    put_instant(text, out, seen->slave + 1, seen->at[0], "slave", "joined", 0);
    put(out, ",\"args\":{\"slots\":", seen->lane);
    ms_json_raw(out, "}}");
}

static void add_left(const ms_trace_text *text, ms_bytes *out, const ms_seen *seen, const char *words)
{
    put_instant(text, out, seen->slave + 1, seen->at[0], "slave", seen->text_size == 0 ? "left" : "lost", 0);
    ms_json_raw(out, ",\"args\":{\"why\":");
    ms_json_string(out, words, seen->text_size);
    ms_json_raw(out, "}}");
}

/* ---- Jobs ---- */

static void add_started(const ms_trace_text *text, ms_bytes *out, const ms_seen *seen)
{
    bool spawned = seen->kind == MS_SEEN_SPAWNED;
    uint64_t thread = spawned ? IO_THREAD : PROGRAM_THREAD;
    open_event(text, out, "X", MASTER, thread, seen->at[0]);
    put_us(out, ",\"dur\":", between(seen->at[0], seen->at[1]));
    put_name(out, spawned ? "spawn" : "remote", spawned ? "spawn" : "remote", seen->ordinal);
    put(out, ",\"args\":{\"job\":", seen->serial);
    if (spawned)
        put(out, ",\"parent\":", seen->parent);
    put(out, ",\"arguments\":", seen->sizes[0]);
    ms_json_raw(out, "}}");
    put_flow(text, out, "s", MASTER, thread, seen->at[0], seen->serial);
}

static void add_run(ms_trace_text *text, ms_bytes *out, const ms_seen *seen)
{
    uint64_t process = seen->slave + 1, thread = seen->lane + 1;
    uint64_t queued = seen->at[0], sent = seen->at[1], began = seen->at[2], ended = seen->at[3], answered = seen->at[4];
    name_lanes(text, out, seen);
    bool draws = seen->serial != 0 && text->span_count++ < SPANS_MAX;
    if (draws) {
        put_span(text, out, MASTER, seen, "queue", "queue", queued, sent);
        put_span(text, out, process, seen, "wire", "to run", sent, began);
    }
    open_event(text, out, "X", process, thread, began);
    put_us(out, ",\"dur\":", between(began, ended));
    put_name(out, "run", "", seen->ordinal);
    put(out, ",\"args\":{\"job\":", seen->serial);
    put(out, ",\"attempt\":", seen->attempt);
    ms_json_raw(out, ",\"end\":\"");
    ms_json_raw(out, seen->how);
    put_us(out, "\",\"queue_us\":", between(queued, sent));
    put_us(out, ",\"there_us\":", between(sent, began));
    put_us(out, ",\"back_us\":", between(ended, answered));
    put(out, ",\"arguments\":", seen->sizes[0]);
    put(out, ",\"result\":", seen->sizes[1]);
    ms_json_raw(out, "}}");
    if (seen->serial == 0)
        return;
    put_flow(text, out, "t", process, thread, began, seen->serial);
    if (draws)
        put_span(text, out, process, seen, "wire", "result", ended, answered);
}

static void add_suspended(const ms_trace_text *text, ms_bytes *out, const ms_seen *seen)
{
    open_event(text, out, "X", seen->slave + 1, seen->lane + 1, seen->at[0]);
    put_us(out, ",\"dur\":", between(seen->at[0], seen->at[1]));
    put_name(out, "lent", "waits", 0);
    put(out, ",\"args\":{\"job\":", seen->serial);
    ms_json_raw(out, "}}");
}

static void add_waited(const ms_trace_text *text, ms_bytes *out, const ms_seen *seen)
{
    open_event(text, out, "X", MASTER, PROGRAM_THREAD, seen->at[0]);
    put_us(out, ",\"dur\":", between(seen->at[0], seen->at[1]));
    put_name(out, "wait", seen->how, seen->ordinal);
    put(out, ",\"args\":{\"job\":", seen->serial);
    ms_json_raw(out, "}}");
    if (seen->flows)
        put_flow(text, out, "f", MASTER, PROGRAM_THREAD, seen->at[1] > seen->at[0] ? seen->at[1] - 1 : seen->at[1], seen->serial);
}

static void add_cut(const ms_trace_text *text, ms_bytes *out, const ms_seen *seen, const char *words)
{
    uint64_t process = seen->slave + 1;
    put_span(text, out, MASTER, seen, "queue", "queue", seen->at[0], seen->at[1]);
    put_span(text, out, process, seen, "cut", "without an end:", seen->at[1], seen->at[2]);
    put_instant(text, out, process, seen->at[2], "cut", "cut off", seen->ordinal);
    put(out, ",\"args\":{\"job\":", seen->serial);
    put(out, ",\"attempt\":", seen->attempt);
    put_us(out, ",\"after_us\":", between(seen->at[1], seen->at[2]));
    ms_json_raw(out, ",\"why\":");
    ms_json_string(out, words, seen->text_size);
    ms_json_raw(out, "}}");
}

static void add_ended(const ms_trace_text *text, ms_bytes *out, const ms_seen *seen, const char *words)
{
    bool failed = seen->kind == MS_SEEN_FAILED;
    size_t message_size = seen->sizes[0] < seen->text_size ? (size_t)seen->sizes[0] : seen->text_size;
    put_instant(text, out, seen->slave + 1, seen->at[0], failed ? "failure" : "cancel", failed ? "failed" : "cancelled", seen->ordinal);
    put(out, ",\"args\":{\"job\":", seen->serial);
    if (failed) {
        ms_json_raw(out, ",\"message\":");
        ms_json_string(out, words, message_size);
        ms_json_raw(out, ",\"story\":");
        ms_json_string(out, words + message_size, seen->text_size - message_size);
    }
    ms_json_raw(out, "}}");
}

/* ---- The rest ---- */

static void open_counter(const ms_trace_text *text, ms_bytes *out, const char *name, uint64_t at)
{
    open_event(text, out, "C", MASTER, IO_THREAD, at);
    ms_json_raw(out, ",\"name\":\"");
    ms_json_raw(out, name);
    ms_json_raw(out, "\",\"args\":{");
}

static void add_counts(const ms_trace_text *text, ms_bytes *out, const ms_seen *seen)
{
    open_counter(text, out, "jobs", seen->at[0]);
    put(out, "\"pending\":", seen->at[1]);
    put(out, ",\"waiting\":", seen->at[2]);
    put(out, ",\"running\":", seen->at[3]);
    ms_json_raw(out, "}}");
    open_counter(text, out, "ended", seen->at[0]);
    put(out, "\"jobs\":", seen->at[4]);
    ms_json_raw(out, "}}");
    open_counter(text, out, "slaves", seen->at[0]);
    put(out, "\"slaves\":", seen->slave);
    put(out, ",\"slots\":", seen->lane);
    ms_json_raw(out, "}}");
    open_counter(text, out, "bytes", seen->at[0]);
    put(out, "\"to slaves\":", seen->sizes[0]);
    put(out, ",\"from slaves\":", seen->sizes[1]);
    ms_json_raw(out, "}}");
}

static void add_said(const ms_trace_text *text, ms_bytes *out, const ms_seen *seen, const char *words)
{
    put_instant(text, out, MASTER, seen->at[0], "log", "said", 0);
    ms_json_raw(out, ",\"args\":{\"line\":");
    ms_json_string(out, words, seen->text_size);
    ms_json_raw(out, "}}");
}

static void add_local(const ms_trace_text *text, ms_bytes *out, const ms_seen *seen)
{
    open_event(text, out, "X", MASTER, PROGRAM_THREAD, seen->at[0]);
    put_us(out, ",\"dur\":", between(seen->at[0], seen->at[1]));
    put_name(out, "run", "", seen->ordinal);
    put(out, ",\"args\":{\"job\":", seen->serial);
    ms_json_raw(out, ",\"attempt\":1,\"end\":\"");
    ms_json_raw(out, seen->how);
    put(out, "\",\"queue_us\":0,\"there_us\":0,\"back_us\":0,\"arguments\":", seen->sizes[0]);
    put(out, ",\"result\":", seen->sizes[1]);
    ms_json_raw(out, "}}");
}

void ms_trace_text_add(ms_trace_text *text, ms_bytes *out, const ms_seen *seen, const char *words)
{
    size_t names_size = 16 * strlen(name_of(seen->ordinal)); /* as often as it may stand there */
    if (!ms_bytes_reserve(out, EVENTS_MAX_SIZE + names_size + (size_t)seen->text_size * ESCAPED_SIZE))
        return;
    switch ((ms_seen_kind)seen->kind) {
    case MS_SEEN_REMOTE:
    case MS_SEEN_SPAWNED: add_started(text, out, seen); break;
    case MS_SEEN_RUN: add_run(text, out, seen); break;
    case MS_SEEN_SUSPENDED: add_suspended(text, out, seen); break;
    case MS_SEEN_WAITED: add_waited(text, out, seen); break;
    case MS_SEEN_CUT: add_cut(text, out, seen, words); break;
    case MS_SEEN_FAILED:
    case MS_SEEN_CANCELLED: add_ended(text, out, seen, words); break;
    case MS_SEEN_JOINED: add_joined(text, out, seen, words); break;
    case MS_SEEN_LEFT: add_left(text, out, seen, words); break;
    case MS_SEEN_SAID: add_said(text, out, seen, words); break;
    case MS_SEEN_COUNTS: add_counts(text, out, seen); break;
    case MS_SEEN_LOCAL: add_local(text, out, seen); break;
    }
}

void ms_trace_text_begin(ms_trace_text *text, ms_bytes *out, uint64_t zero_ns)
{
    text->zero_ns = zero_ns;
    ms_json_raw(out, "[\n{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":1,\"tid\":0,\"args\":{\"name\":\"master ");
    ms_json_raw(out, ms_program.name);
    ms_json_raw(out, "\"}}");
    put_metadata(out, "process_sort_index", MASTER, 0);
    ms_json_raw(out, "\"sort_index\":0}}");
    put_thread_name(out, MASTER, PROGRAM_THREAD, "program", 0);
    put_thread_name(out, MASTER, IO_THREAD, "connections", 0);
    put_metadata(out, "ms_run", MASTER, 0);
    ms_json_raw(out, "\"trace\":1,\"program\":");
    ms_json_string(out, ms_program.name, strlen(ms_program.name));
    put(out, ",\"started\":", (uint64_t)ms_time());
    put(out, ",\"process\":", (uint64_t)getpid());
    ms_json_raw(out, "}}");
}

void ms_trace_text_end(ms_trace_text *text, ms_bytes *out, uint64_t left_out)
{
    put_metadata(out, "ms_end", MASTER, 0);
    put(out, "\"left_out\":", left_out);
    ms_json_raw(out, "}}\n]\n");
    free(text->slaves);
    text->slaves = NULL;
    text->slave_count = 0;
}
