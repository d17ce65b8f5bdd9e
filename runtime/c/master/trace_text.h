/* From records of the trace to lines of JSON. Pure: it knows no file and no clock. */
#ifndef MS_TRACE_TEXT_H
#define MS_TRACE_TEXT_H

#include "core/bytes.h"
#include "master/trace.h"
#include "ms.h"

/* Of one slave: its slots, and how many of its lanes have been named. */
typedef struct ms_trace_slave {
    uint32_t slots, named_count;
} ms_trace_slave;

typedef struct ms_trace_text {
    uint64_t zero_ns; /* where the times of the trace begin */
    ms_trace_slave *slaves; /* by number; 0 is nobody */
    uint32_t slave_count;
    uint64_t span_count;
} ms_trace_text;

/* Each appends; without memory events are left out, always whole lines. */
void ms_trace_text_begin(ms_trace_text *text, ms_bytes *out, uint64_t zero_ns);
void ms_trace_text_add(ms_trace_text *text, ms_bytes *out, const ms_seen *seen, const char *words);
void ms_trace_text_end(ms_trace_text *text, ms_bytes *out, uint64_t left_out);
#endif
