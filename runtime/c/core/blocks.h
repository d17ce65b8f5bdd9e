/* Memory for what is large: vectors, arguments, results.
 *
 * What is freed is kept for about a second, up to a limit, for whoever asks next: pages that go back to the system and come again cost more
 * than what is done with them. Blocks from a megabyte on lie in mappings of their own, which grow without being copied; smaller ones are
 * malloc's. Any thread may use any block. Built with MS_HEAP_CHECKED or for a sanitizer, nothing is kept and every block is malloc's, so that the tools
 * see each of them.
 *
 * What always holds: in front of a block lie MS_BLOCK_HEAD_SIZE bytes, the last MS_BLOCK_OWN_SIZE of them its owner's, so that a vector or a
 * payload can get a head, or another one, where it lies. Pages that nobody has touched cost nothing, whatever size was asked for. */
#ifndef MS_BLOCKS_H
#define MS_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MS_HEAP_CHECKED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define MS_HEAP_CHECKED 1
#endif
#endif

enum { MS_BLOCK_ALIGNMENT = 16, MS_BLOCK_HEAD_SIZE = 64, MS_BLOCK_OWN_SIZE = 48, MS_BLOCKS_KEPT_MAX = 64 << 20 };

/* Room for `size` bytes (> 0), aligned to 16, not cleared. Null: no memory. */
void *ms_block_new(uint64_t size);
/* The same, cleared to zero. */
void *ms_block_new_zero(uint64_t size);
/* The block with its first `used_size` bytes and room for `size`, wherever it is then. Null: no memory, and nothing changed. */
void *ms_block_resize(void *block, uint64_t used_size, uint64_t size);
/* Nothing happens for null. */
void ms_block_free(void *block);
/* How many bytes it has room for, at least as many as were asked for. */
uint64_t ms_block_room(const void *block);
/* What begins at `at`, inside of the block and aligned to 16, becomes the block; what lies in front of it is gone. */
void ms_block_behead(void *block, void *at);

/* Gives back what was freed more than a second before `now_ns`. True: some are still kept. */
bool ms_blocks_trim(uint64_t now_ns);
/* Gives back all of them: there is no memory for something else. */
void ms_blocks_drop(void);
uint64_t ms_blocks_kept_size(void);
#endif
