/* What stands in for a compiled program in the tests: its text and its table of places.
 *
 * A function marked PROGRAM lies in the program's text; program_add_place says what its whole code is the place of. */
#ifndef MS_TEST_PROGRAM_H
#define MS_TEST_PROGRAM_H

#include "core/task.h"
#include "ms.h"

#define PROGRAM __attribute__((noinline, used, section("ms_program_text")))

/* The code of `function` belongs to prog.ms:line:column in `name`. Places are given before anything fails. */
void program_add_place(const void *function, uint32_t line, uint32_t column, const char *name);
/* The same, and its last place was inlined into `outer_name` at line:column. */
void program_add_outer(uint32_t line, uint32_t column, const char *outer_name);

/* Runs PROGRAM text as a task with a stack of its own. The payload of a failure is in *failure, to be freed by the caller. */
ms_outcome program_run(ms_task *task, void (*block)(void), ms_bytes *failure);
/* Runs it, expects that it fails, and compares message and story. */
void program_expect(void (*block)(void), const char *message, const char *story);
/* Runs it with the heap check on and expects that it finishes. */
void program_finish(void (*block)(void));

/* A string that nobody owns. */
ms_vector text_of(const char *words);
/* Compares a string with a C string and frees it. */
void expect_text(ms_vector text, const char *expected);
/* The same for a vector of strings, which "[a][b]" stands for. */
void expect_texts(ms_vector texts, const char *expected);
#endif
