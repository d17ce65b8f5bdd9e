/* What the program and its jobs print, on its way out of the process: standard output (stream 1) and standard error (stream 2).
 *
 * The program's own thread may block in a write, the I/O thread never does: what slaves send is kept and written by a thread of
 * its own, or by the program's thread before a `get` returns. A stream keeps the order in which it was given things.
 * Standard output is written line by line on a terminal and in large pieces elsewhere. What can't be written ends the program
 * with a message (once) and status 1; it never goes unnoticed. A line without an end that stands on a terminal's standard error is
 * the line of progress: it is wiped before anything else is written there, and comes back by itself. */
#ifndef MS_OUTPUT_H
#define MS_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

/* Once, before anything is printed. `broken` is called, on any thread, when a stream can't be written any more. */
void ms_output_setup(const char *program, void (*broken)(void));
/* From the program's thread; the form that `ms_output` in core/task.h wants. */
void ms_output_print(int32_t stream, const void *bytes, uint64_t size);
/* From the I/O thread. */
void ms_output_forward(int32_t stream, const void *bytes, uint64_t size);
/* Writes all that is kept; false when a stream is broken. */
bool ms_output_flush(void);
/* Writes what slaves sent, if there is any. */
void ms_output_flush_forwarded(void);
/* Whether anything is kept. */
bool ms_output_pending(void);
/* Writes all that is kept unless another thread is stuck in a write; for a process that is being ended from outside. */
void ms_output_flush_unless_stuck(void);
/* The same, with a last line behind it on standard error. Takes no memory. */
void ms_output_end_unless_stuck(const char *last_words);
#endif
