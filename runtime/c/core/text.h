/* Formatting for the runtime's own rooms. What compiled programs call stands in ms.h. */
#ifndef MS_TEXT_H
#define MS_TEXT_H

#include "ms.h"

/* Room for the longest number. */
enum { MS_NUMBER_SIZE = 32 };

/* Each writes the text of a number, not NUL-terminated, and gives its size; no memory is needed. */
uint32_t ms_format_long(char *buffer, int64_t value);
uint32_t ms_format_double(char *buffer, double value);
uint32_t ms_format_float(char *buffer, float value);

/* Appends a C string. */
void ms_text_words(ms_vector *text, const char *words);
#endif
