/* Random bytes of the system's, for what must not be guessed or meet by chance. What programs call random is another matter. */
#ifndef MS_ENTROPY_H
#define MS_ENTROPY_H

#include <stddef.h>

void ms_random_bytes(void *bytes, size_t size);
#endif
