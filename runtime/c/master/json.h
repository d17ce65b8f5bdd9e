/* Writing JSON into a buffer, piece by piece: quick, since a trace has millions of numbers.
 *
 * Whoever writes takes care of commas and brackets. Memory that is short shows in `out->size`: a piece is missing, so the caller who needs
 * whole texts reserves first, or looks whether what he wrote is there. */
#ifndef MS_JSON_H
#define MS_JSON_H

#include "core/bytes.h"

#include <string.h>

/* Plain text, as it is. */
static inline void ms_json_raw(ms_bytes *out, const char *text)
{
    ms_bytes_append(out, text, strlen(text));
}

void ms_json_number(ms_bytes *out, uint64_t value);
/* Nanoseconds as microseconds with three digits behind the point. */
void ms_json_us(ms_bytes *out, uint64_t ns);
/* Nanoseconds as seconds with six. */
void ms_json_seconds(ms_bytes *out, uint64_t ns);
/* In quotes. Bytes that are no UTF-8 become the replacement character. */
void ms_json_string(ms_bytes *out, const void *bytes, size_t size);
#endif
