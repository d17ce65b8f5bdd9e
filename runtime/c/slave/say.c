/* Lines on standard error. */
#include "slave/say.h"

#include "include/ms.h"

#include <stdarg.h>
#include <stdio.h>

enum { LINE_MAX_SIZE = 2048 };

void ms_say(bool quiet, const char *format, ...)
{
    char words[LINE_MAX_SIZE];
    va_list arguments;
    if (quiet)
        return;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s-slave: %s\n", ms_program.name, words);
}
