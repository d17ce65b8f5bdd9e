/* What a slave says on standard error. */
#ifndef MS_SAY_H
#define MS_SAY_H

#include <stdbool.h>

/* A line that begins with the name of the slave, written at once, so that lines of several processes do not mix. One that would be very long is
 * cut. Nothing when `quiet`. */
void ms_say(bool quiet, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
