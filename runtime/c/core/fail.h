/* How a failure comes about: the message, the places found by walking the frames, the payload made of both.
 *
 * The failing functions of the program stand in ms.h. Here are those that the runtime's own rooms use, and the two steps that
 * `task` takes: places are collected before the stack is left (also by the handler of a stack overflow, so nothing is
 * allocated there), and written out after. */
#ifndef MS_FAIL_H
#define MS_FAIL_H

#include "core/bytes.h"
#include "ms.h"

/* At most this many places are told of: the innermost ones and the outermost ones. */
enum { MS_TRACE_FIRST = 20, MS_TRACE_LAST = 10 };

/* The places of a failure, innermost first: `first`, then `total_count - MS_TRACE_FIRST` more of which the last ones stand in `last`,
 * a ring in which place number n has index n % MS_TRACE_LAST. All are indices of ms_places_find. */
typedef struct ms_trace {
    uint64_t total_count;
    int32_t first[MS_TRACE_FIRST];
    int32_t last[MS_TRACE_LAST];
} ms_trace;

/* Why a task fails. */
typedef struct ms_reason {
    const char *message; /* what `error` gives: of a chain of jobs the innermost */
    uint64_t message_size;
    const char *line; /* what stands behind the first place of the story: the message, or "job area(3, 0) failed" */
    uint64_t line_size;
    const char *more; /* further lines of story */
    uint64_t more_size;
} ms_reason;

/* A frame record as every function of the program and the runtime keeps it: the frame pointer points to it. */
typedef struct ms_stack_frame {
    const struct ms_stack_frame *caller;
    uintptr_t return_address;
} ms_stack_frame;

/* Adds the place of the instruction at `address` with the calls it was inlined through. */
void ms_trace_add(ms_trace *trace, uintptr_t address);
/* Adds the callers found from `frame` on, up to addresses below `limit`. Frames must lie ever higher, anything else ends the walk. */
void ms_trace_walk(ms_trace *trace, const ms_stack_frame *frame, uintptr_t limit);
/* Appends the payload of a failure frame (ms.h, the end). When memory is short the story is cut; false when not even the message
 * could be written, and then nothing is. */
bool ms_trace_write(const ms_trace *trace, ms_bytes *payload, const ms_reason *reason);

_Noreturn void ms_fail_out_of_memory(void);
/* "cannot read "x": No such file or directory"; `verb` is "read". */
_Noreturn void ms_fail_system(const char *verb, ms_vector path, int error);
/* "cannot parse "x12" as int" */
_Noreturn void ms_fail_parse(ms_vector text, const char *type);
/* "negative size -1", "size 3000000000 is too large" */
_Noreturn void ms_fail_size(int64_t size);
_Noreturn void ms_fail_slice(int64_t low, int64_t high, int64_t count);
/* A message that is a C string. */
_Noreturn void ms_fail_message(const char *message);
#endif
