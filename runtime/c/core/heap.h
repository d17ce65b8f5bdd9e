/* The memory of one job: blocks of all sizes, given back one by one or all at once.
 *
 * A heap belongs to one thread at a time and takes no lock of its own. Small blocks come from free lists, one for each size class,
 * and from chunks that are cut from front to back; large blocks are those of blocks.h, in a list. ms_alloc and ms_free (ms.h) work on
 * the heap that this thread has entered. When the program is built with MS_HEAP_CHECKED or for a sanitizer, every block is
 * a large one, so that the tools see each of them, and a wrong size given to ms_free ends the process.
 *
 * What always holds: `live_count` blocks have been allocated and not freed; the chunks and large blocks of a heap together never
 * take more than its limit. */
#ifndef MS_HEAP_H
#define MS_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ms_heap ms_heap;

/* `size_max`: what it may take from the system, 0 for no limit. Null when there is no memory. */
ms_heap *ms_heap_create(uint64_t size_max);
void ms_heap_destroy(ms_heap *heap);
/* Frees all blocks at once; a little memory is kept for the next job. */
void ms_heap_clear(ms_heap *heap);
/* Makes `heap` (null: none) the one this thread allocates from; gives the one before. */
ms_heap *ms_heap_enter(ms_heap *heap);

/* Whether something outside of this thread's heap that belongs to its job may be so large: not beyond the heap's own limit. */
bool ms_heap_allows(uint64_t size);

uint64_t ms_heap_live_count(const ms_heap *heap);
uint64_t ms_heap_live_size(const ms_heap *heap);
/* What it has taken from the system. */
uint64_t ms_heap_taken_size(const ms_heap *heap);

/* Like ms_alloc, with every byte zero. */
void *ms_heap_alloc_zero(uint64_t size);
/* A block of `new_size` bytes (> 0) that begins with the first `used_size` bytes of `block`, which had `old_size` bytes and is gone;
 * where possible the same memory grows. Fails with "out of memory". */
void *ms_heap_resize(void *block, uint64_t old_size, uint64_t used_size, uint64_t new_size);
/* The `size` bytes at `at`, which lie in this payload (payload.h), become a block of this heap, and the payload is gone: they are not copied. Null: they can't
 * be, and nothing has changed. */
void *ms_heap_adopt(uint8_t *payload, const uint8_t *at, uint64_t size);
/* The way back: a block of `size` bytes becomes a payload that begins `lead_size` (1 to MS_BLOCK_ALIGNMENT) bytes in front of it. Null: it can't, and nothing
 * has changed. */
uint8_t *ms_heap_release(void *block, uint64_t size, uint64_t lead_size);
/* The largest size that costs no more than `size` does. */
uint64_t ms_heap_good_size(uint64_t size);
#endif
