/* A growable buffer of bytes, in memory of malloc: for what outlives a job or crosses threads (frames, arguments, results).
 *
 * Nothing here fails a job or aborts: what needs memory says whether it got it, and leaves the buffer as it was when not.
 * Always: size <= capacity, and `data` is null exactly when capacity is 0. All zero is an empty buffer. */
#ifndef MS_BYTES_H
#define MS_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ms_bytes {
    uint8_t *data;
    size_t size;
    size_t capacity;
} ms_bytes;

void ms_bytes_init(ms_bytes *bytes);
/* Gives the memory back; the buffer is empty and may be used again. */
void ms_bytes_free(ms_bytes *bytes);
/* Room for `more` bytes behind the ones there are, growing by half or more. False: no memory, nothing changed. */
bool ms_bytes_reserve(ms_bytes *bytes, size_t more);
/* Adds `size` bytes at the end; `source` may be null when size is 0, and may not lie in the buffer. False: no memory, nothing
 * changed. */
bool ms_bytes_append(ms_bytes *bytes, const void *source, size_t size);
/* Empty, the memory is kept. */
void ms_bytes_clear(ms_bytes *bytes);
/* Takes the first `size` bytes out (size <= bytes->size); the others move to the front. */
void ms_bytes_consume(ms_bytes *bytes, size_t size);
#endif
