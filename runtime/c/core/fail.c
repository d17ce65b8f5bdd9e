/* Messages of failures, the walk over the frames, the payload.
 *
 * Leaves where control goes to `task`, and formatting of values to `text`. A failing function may be called with hardly any stack
 * left: ms_task_fail turns that into "stack overflow" before anything is allocated. */
#include "core/fail.h"

#include "core/places.h"
#include "core/task.h"
#include "core/text.h"

#include <string.h>

enum { SHOWN_SIZE = 40, MORE_HALF_SIZE = 4096 };

/* ---- Places ---- */

void ms_trace_add(ms_trace *trace, uintptr_t address)
{
    for (int32_t index = ms_places_find(address); index >= 0; index = ms_places_at(index).outer) {
        if (trace->total_count < MS_TRACE_FIRST)
            trace->first[trace->total_count] = index;
        else
            trace->last[trace->total_count % MS_TRACE_LAST] = index;
        trace->total_count++;
    }
}

void ms_trace_walk(ms_trace *trace, const ms_stack_frame *frame, uintptr_t limit)
{
    uintptr_t lowest = 0;
    while ((uintptr_t)frame > lowest && (uintptr_t)frame < limit && (uintptr_t)frame % sizeof(void *) == 0) {
        ms_trace_add(trace, frame->return_address - 1); /* the call ends where it returns to */
        lowest = (uintptr_t)frame;
        frame = frame->caller;
    }
}

static bool append_words(ms_bytes *payload, const char *words)
{
    return ms_bytes_append(payload, words, strlen(words));
}

static bool append_number(ms_bytes *payload, uint64_t number)
{
    char digits[MS_NUMBER_SIZE];
    return ms_bytes_append(payload, digits, ms_format_long(digits, (int64_t)number));
}

static bool append_place(ms_bytes *payload, int32_t index)
{
    ms_place_words place = ms_places_at(index);
    return append_words(payload, place.file) && append_words(payload, ":") && append_number(payload, place.line) &&
           append_words(payload, ":") && append_number(payload, place.column) && append_words(payload, " in ") &&
           append_words(payload, place.function);
}

/* Line `number` of the story, with the newline before it. */
static bool append_line(const ms_trace *trace, ms_bytes *payload, uint64_t number, const char *message, uint64_t message_size)
{
    if (number > 0 && !append_words(payload, "\n"))
        return false;
    if (!append_place(payload, number < MS_TRACE_FIRST ? trace->first[number] : trace->last[number % MS_TRACE_LAST]))
        return false;
    return number > 0 || (append_words(payload, ": ") && ms_bytes_append(payload, message, message_size));
}

static bool append_gap(ms_bytes *payload, uint64_t hidden_count)
{
    return append_words(payload, "\n... ") && append_number(payload, hidden_count) &&
           append_words(payload, hidden_count == 1 ? " call is not shown" : " calls are not shown");
}

/* The story of another job. A chain of jobs that failed one through the other may be as long as it likes, the story keeps its two
 * ends. */
static bool append_more(ms_bytes *payload, const char *more, uint64_t size)
{
    if (size <= 2 * MORE_HALF_SIZE)
        return ms_bytes_append(payload, more, size);
    const char *first_end = memrchr(more, '\n', MORE_HALF_SIZE);
    const char *last = memchr(more + size - MORE_HALF_SIZE, '\n', MORE_HALF_SIZE);
    if (first_end == NULL || last == NULL) /* enormous lines */
        return ms_bytes_append(payload, more, size);
    return ms_bytes_append(payload, more, (size_t)(first_end - more)) && append_words(payload, "\n... further calls are not shown") &&
           ms_bytes_append(payload, last, (size_t)(more + size - last));
}

static bool append_story(const ms_trace *trace, ms_bytes *payload, const ms_reason *reason)
{
    uint64_t hidden_end = trace->total_count > MS_TRACE_LAST ? trace->total_count - MS_TRACE_LAST : 0;
    if (trace->total_count == 0 && !ms_bytes_append(payload, reason->line, reason->line_size))
        return false;
    for (uint64_t number = 0; number < trace->total_count; number++) {
        if (number == MS_TRACE_FIRST && hidden_end > number) {
            if (!append_gap(payload, hidden_end - number))
                return false;
            number = hidden_end;
        }
        if (!append_line(trace, payload, number, reason->line, reason->line_size))
            return false;
    }
    return reason->more_size == 0 || (append_words(payload, "\n") && append_more(payload, reason->more, reason->more_size));
}

bool ms_trace_write(const ms_trace *trace, ms_bytes *payload, const ms_reason *reason)
{
    size_t start = payload->size;
    uint8_t encoded_size[4];
    for (int i = 0; i < 4; i++)
        encoded_size[i] = (uint8_t)(reason->message_size >> (8 * i));
    if (reason->message_size > UINT32_MAX || !ms_bytes_append(payload, encoded_size, 4) ||
        !ms_bytes_append(payload, reason->message, reason->message_size)) {
        payload->size = start;
        return false;
    }
    (void)append_story(trace, payload, reason);
    return true;
}

/* ---- Messages ---- */

/* A short message that is put together without memory. What does not fit is left out; every message here fits. */
typedef struct short_message {
    char text[160];
    uint32_t size;
} short_message;

static void add_bytes(short_message *message, const char *bytes, size_t size)
{
    size_t room = sizeof message->text - message->size;
    if (size > room)
        size = room;
    memcpy(message->text + message->size, bytes, size);
    message->size += (uint32_t)size;
}

static void add(short_message *message, const char *words)
{
    add_bytes(message, words, strlen(words));
}

static void add_long(short_message *message, int64_t value)
{
    char digits[MS_NUMBER_SIZE];
    add_bytes(message, digits, ms_format_long(digits, value));
}

static _Noreturn void fail_with(const short_message *message)
{
    ms_task_fail(message->text, message->size);
}

void ms_fail(ms_vector message)
{
    ms_task_fail(message.data, message.count);
}

void ms_fail_message(const char *message)
{
    ms_task_fail(message, strlen(message));
}

void ms_fail_index(int64_t index, int64_t count)
{
    short_message message = {.size = 0};
    add(&message, "index ");
    add_long(&message, index);
    add(&message, " out of range, the size is ");
    add_long(&message, count);
    fail_with(&message);
}

void ms_fail_int_index(int32_t index, int32_t count)
{
    ms_fail_index(index, count);
}

void ms_fail_slice(int64_t low, int64_t high, int64_t count)
{
    short_message message = {.size = 0};
    add(&message, "slice ");
    add_long(&message, low);
    add(&message, "..");
    add_long(&message, high);
    add(&message, " out of range, the size is ");
    add_long(&message, count);
    fail_with(&message);
}

void ms_fail_division(void)
{
    ms_fail_message("division by zero");
}

static _Noreturn void fail_convert(const char *digits, uint32_t digits_size, const char *type)
{
    short_message message = {.size = 0};
    add(&message, "cannot convert ");
    add_bytes(&message, digits, digits_size);
    add(&message, " to ");
    add(&message, type);
    fail_with(&message);
}

void ms_fail_convert(double value, const char *type)
{
    char digits[MS_NUMBER_SIZE];
    fail_convert(digits, ms_format_double(digits, value), type);
}

void ms_fail_convert_float(float value, const char *type)
{
    char digits[MS_NUMBER_SIZE];
    fail_convert(digits, ms_format_float(digits, value), type);
}

void ms_fail_empty(const char *function)
{
    short_message message = {.size = 0};
    add(&message, function);
    add(&message, " of an empty vector");
    fail_with(&message);
}

void ms_fail_bound(int32_t bound)
{
    short_message message = {.size = 0};
    add(&message, "next_int wants a positive bound, not ");
    add_long(&message, bound);
    fail_with(&message);
}

void ms_fail_size(int64_t size)
{
    short_message message = {.size = 0};
    add(&message, size < 0 ? "negative size " : "size ");
    add_long(&message, size);
    add(&message, size < 0 ? "" : " is too large");
    fail_with(&message);
}

void ms_fail_out_of_memory(void)
{
    ms_fail_message("out of memory");
}

void ms_fail_system(const char *verb, ms_vector path, int error)
{
    ms_vector message = {0};
    ms_text_words(&message, "cannot ");
    ms_text_words(&message, verb);
    ms_text_words(&message, " ");
    ms_text_quoted_string(&message, path);
    ms_text_words(&message, ": ");
    ms_text_words(&message, strerror(error));
    ms_fail(message);
}

/* Appends a text in quotes, the beginning only when it is long. */
static void add_quoted(ms_vector *message, ms_vector text)
{
    ms_vector shown = text;
    if (shown.count > SHOWN_SIZE)
        shown = (ms_vector){text.data, SHOWN_SIZE, 0};
    ms_text_quoted_string(message, shown);
    if (shown.count < text.count)
        ms_text_words(message, "...");
}

void ms_fail_key_long(int64_t key)
{
    short_message message = {.size = 0};
    add(&message, "no such key: ");
    add_long(&message, key);
    fail_with(&message);
}

void ms_fail_key_char(uint8_t key)
{
    ms_vector message = {0};
    ms_text_words(&message, "no such key: ");
    ms_text_quoted_char(&message, key);
    ms_fail(message);
}

void ms_fail_key_bool(bool key)
{
    ms_fail_message(key ? "no such key: true" : "no such key: false");
}

void ms_fail_key_string(ms_vector key)
{
    ms_vector message = {0};
    ms_text_words(&message, "no such key: ");
    add_quoted(&message, key);
    ms_fail(message);
}

void ms_fail_parse(ms_vector text, const char *type)
{
    ms_vector message = {0};
    ms_text_words(&message, "cannot parse ");
    add_quoted(&message, text);
    ms_text_words(&message, " as ");
    ms_text_words(&message, type);
    ms_fail(message);
}
