/* The heap of a job: size classes, chunks, large blocks.
 *
 * Sizes up to 128 go to classes of 16 bytes each, sizes up to 32 KB to four classes for each power of two; so a block is at most a
 * quarter larger than asked. A class has a list of free blocks; an empty list is served from the end of the newest chunk. What a chunk
 * has left when it is too small for a block goes to the free lists as well, so nothing is lost. Blocks beyond 32 KB come from `blocks`,
 * with a header that links them, so that all can be freed at once.
 *
 * Leaves the decision what to do when there is no memory to `fail`, and the stack to `task`. */
#include "core/heap.h"

#include "core/blocks.h"
#include "core/fail.h"
#include "core/payload.h"
#include "core/task.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 16u
#define SMALL_STEP_MAX 128u          /* up to here a class for each 16 bytes */
#define SMALL_MAX 32768u             /* up to here four classes for each power of two */
#define CLASS_COUNT (8u + 8u * 4u)
#define CHUNK_SIZE_MIN (64u << 10)
#define CHUNK_SIZE_MAX (1u << 20)
#define SIZE_LIMIT ((uint64_t)1 << 47) /* no machine has more; keeps sums from overflowing */

#ifdef MS_HEAP_CHECKED
enum { SMALL_BLOCKS = 0 };
#else
enum { SMALL_BLOCKS = 1 };
#endif

typedef struct free_block {
    struct free_block *next;
} free_block;

typedef struct chunk {
    struct chunk *older;
    uint64_t size; /* this header included */
} chunk;

/* Stands in front of a large block, where a block has room for its owner. */
typedef struct large_block {
    struct large_block *next;
    struct large_block *previous;
    uint64_t size; /* of the block, as it was asked for */
    uint64_t unused;
} large_block;
_Static_assert(sizeof(large_block) <= MS_BLOCK_OWN_SIZE && sizeof(large_block) % ALIGNMENT == 0, "a head fits");

struct ms_heap {
    uint8_t *free_at; /* the rest of the newest chunk */
    uint8_t *free_end;
    uint64_t live_count;
    uint64_t live_size;
    free_block *free_lists[CLASS_COUNT];
    chunk *chunks; /* newest first; the oldest is kept by ms_heap_clear */
    large_block *large_blocks;
    uint64_t taken_size;
    uint64_t size_max;
};

static _Thread_local ms_heap *current_heap;

/* ---- Size classes ---- */

static inline uint32_t class_of(uint64_t size)
{
    if (size <= SMALL_STEP_MAX)
        return (uint32_t)((size - 1) / ALIGNMENT);
    uint32_t power = 63u - (uint32_t)__builtin_clzll(size - 1); /* 2^power < size <= 2^(power + 1), power >= 7 */
    return (power - 7) * 4 + 8 + (uint32_t)((size - 1) >> (power - 2)) - 4;
}

static inline uint64_t size_of_class(uint32_t class)
{
    if (class < 8)
        return (class + 1) * (uint64_t)ALIGNMENT;
    uint32_t power = (class - 8) / 4 + 7;
    return (uint64_t)((class - 8) % 4 + 5) << (power - 2);
}

uint64_t ms_heap_good_size(uint64_t size)
{
    return size == 0 || size > SMALL_MAX ? size : size_of_class(class_of(size));
}

/* ---- Chunks ---- */

static bool may_take(const ms_heap *heap, uint64_t size)
{
    return size <= SIZE_LIMIT && (heap->size_max == 0 || size <= heap->size_max - heap->taken_size);
}

/* Puts what is left of the newest chunk on the free lists. */
static void give_rest_away(ms_heap *heap)
{
    while ((uint64_t)(heap->free_end - heap->free_at) >= ALIGNMENT) {
        uint64_t rest = (uint64_t)(heap->free_end - heap->free_at);
        uint32_t class = rest >= SMALL_MAX ? CLASS_COUNT - 1 : class_of(rest);
        if (size_of_class(class) > rest)
            class--;
        free_block *block = (free_block *)heap->free_at;
        block->next = heap->free_lists[class];
        heap->free_lists[class] = block;
        heap->free_at += size_of_class(class);
    }
}

static void use_chunk(ms_heap *heap, chunk *c)
{
    heap->free_at = (uint8_t *)(c + 1);
    heap->free_end = (uint8_t *)c + c->size;
}

/* A new chunk with room for `size` bytes at least; the more a heap holds, the larger its chunks. */
static bool add_chunk(ms_heap *heap, uint64_t size)
{
    uint64_t wanted = heap->taken_size / 4;
    wanted = wanted < CHUNK_SIZE_MIN ? CHUNK_SIZE_MIN : wanted > CHUNK_SIZE_MAX ? CHUNK_SIZE_MAX : wanted & ~(uint64_t)4095;
    if (!may_take(heap, wanted)) /* then all that the limit leaves */
        wanted = (heap->size_max - heap->taken_size) & ~(uint64_t)(ALIGNMENT - 1);
    if (wanted < sizeof(chunk) + size)
        return false;
    chunk *c = malloc(wanted);
    if (c == NULL)
        return false;
    *c = (chunk){.older = heap->chunks, .size = wanted};
    give_rest_away(heap);
    heap->chunks = c;
    heap->taken_size += wanted;
    use_chunk(heap, c);
    return true;
}

/* ---- Large blocks ---- */

static void link_large(ms_heap *heap, large_block *block)
{
    block->previous = NULL;
    block->next = heap->large_blocks;
    if (block->next != NULL)
        block->next->previous = block;
    heap->large_blocks = block;
    heap->taken_size += sizeof(large_block) + block->size;
}

static void unlink_large(ms_heap *heap, large_block *block)
{
    if (block->previous != NULL)
        block->previous->next = block->next;
    else
        heap->large_blocks = block->next;
    if (block->next != NULL)
        block->next->previous = block->previous;
    heap->taken_size -= sizeof(large_block) + block->size;
}

static void check_size(const large_block *block, uint64_t size)
{
    if (block->size != size) {
        fprintf(stderr, "ms: a block of %llu bytes was freed with %llu\n", (unsigned long long)block->size, (unsigned long long)size);
        abort();
    }
}

static void add_large(ms_heap *heap, void *memory, uint64_t size)
{
    large_block *block = (large_block *)memory - 1;
    block->size = size;
    link_large(heap, block);
    heap->live_count++;
    heap->live_size += size;
}

static void remove_large(ms_heap *heap, void *memory, uint64_t size)
{
    large_block *block = (large_block *)memory - 1;
    check_size(block, size);
    unlink_large(heap, block);
    heap->live_count--;
    heap->live_size -= size;
}

static void *alloc_large(ms_heap *heap, uint64_t size, bool zero)
{
    ms_task_check_stack();
    if (size > SIZE_LIMIT || !may_take(heap, sizeof(large_block) + size))
        ms_fail_out_of_memory();
    void *memory = zero ? ms_block_new_zero(size) : ms_block_new(size);
    if (memory == NULL)
        ms_fail_out_of_memory();
    add_large(heap, memory, size);
    return memory;
}

static void free_large(ms_heap *heap, void *memory, uint64_t size)
{
    ms_task_check_stack();
    remove_large(heap, memory, size);
    ms_block_free(memory);
}

static void *resize_large(ms_heap *heap, void *memory, uint64_t old_size, uint64_t used_size, uint64_t new_size)
{
    ms_task_check_stack();
    large_block *block = (large_block *)memory - 1;
    check_size(block, old_size);
    if (new_size > SIZE_LIMIT || (new_size > old_size && !may_take(heap, new_size - old_size)))
        ms_fail_out_of_memory();
    unlink_large(heap, block);
    void *moved = ms_block_resize(memory, used_size, new_size);
    if (moved == NULL) {
        link_large(heap, block);
        ms_fail_out_of_memory();
    }
    block = (large_block *)moved - 1;
    block->size = new_size;
    link_large(heap, block);
    heap->live_size += new_size - old_size;
    return moved;
}

/* ---- What compiled programs call ---- */

static __attribute__((noinline)) void *alloc_slow(uint64_t size)
{
    ms_heap *heap = current_heap;
    if (heap == NULL) {
        fputs("ms: memory was asked for where no task runs\n", stderr);
        abort();
    }
    if (!SMALL_BLOCKS || size > SMALL_MAX)
        return alloc_large(heap, size, false);
    ms_task_check_stack();
    uint64_t rounded = size_of_class(class_of(size));
    if (!add_chunk(heap, rounded))
        ms_fail_out_of_memory();
    uint8_t *block = heap->free_at;
    heap->free_at += rounded;
    heap->live_count++;
    heap->live_size += size;
    return block;
}

void *ms_alloc(uint64_t size)
{
    ms_heap *heap = current_heap;
    if (__builtin_expect(!SMALL_BLOCKS || heap == NULL || size > SMALL_MAX, 0))
        return alloc_slow(size);
    uint32_t class = class_of(size);
    free_block *block = heap->free_lists[class];
    if (__builtin_expect(block != NULL, 1)) {
        heap->free_lists[class] = block->next;
        __builtin_prefetch(block->next, 1); /* the next one of this class is then at hand */
    } else {
        uint64_t rounded = size_of_class(class);
        if (__builtin_expect((uint64_t)(heap->free_end - heap->free_at) < rounded, 0))
            return alloc_slow(size);
        block = (free_block *)heap->free_at;
        heap->free_at += rounded;
    }
    heap->live_count++;
    heap->live_size += size;
    return block;
}

/* A size of 0 is what an empty vector or static data has (capacity 0): there is nothing to free. */
void ms_free(void *block, uint64_t size)
{
    ms_heap *heap = current_heap;
    if (size == 0)
        return;
    if (__builtin_expect(!SMALL_BLOCKS || size > SMALL_MAX, 0)) {
        free_large(heap, block, size);
        return;
    }
    uint32_t class = class_of(size);
    ((free_block *)block)->next = heap->free_lists[class];
    heap->free_lists[class] = block;
    heap->live_count--;
    heap->live_size -= size;
}

void *ms_heap_alloc_zero(uint64_t size)
{
    if (current_heap != NULL && (!SMALL_BLOCKS || size > SMALL_MAX))
        return alloc_large(current_heap, size, true);
    return memset(ms_alloc(size), 0, size);
}

void *ms_heap_resize(void *block, uint64_t old_size, uint64_t used_size, uint64_t new_size)
{
    ms_heap *heap = current_heap;
    bool old_small = SMALL_BLOCKS && old_size <= SMALL_MAX;
    bool new_small = SMALL_BLOCKS && new_size <= SMALL_MAX;
    if (old_size != 0 && !old_small && !new_small)
        return resize_large(heap, block, old_size, used_size, new_size);
    if (old_size != 0 && old_small && new_small && class_of(old_size) == class_of(new_size)) {
        heap->live_size += new_size - old_size;
        return block;
    }
    void *moved = ms_alloc(new_size);
    uint64_t kept_size = used_size < new_size ? used_size : new_size;
    if (kept_size > 0)
        memcpy(moved, block, kept_size);
    ms_free(block, old_size);
    return moved;
}

/* ---- Large blocks that change hands ---- */

void *ms_heap_adopt(uint8_t *payload, const uint8_t *at, uint64_t size)
{
    ms_heap *heap = current_heap;
    ms_task_check_stack();
    if (size <= SMALL_MAX || (uintptr_t)at % ALIGNMENT != 0 || !may_take(heap, sizeof(large_block) + size))
        return NULL;
    void *memory = payload + (at - payload);
    ms_payload_behead(payload, memory);
    add_large(heap, memory, size);
    return memory;
}

uint8_t *ms_heap_release(void *memory, uint64_t size, uint64_t lead_size)
{
    if (size <= SMALL_MAX)
        return NULL;
    ms_task_check_stack();
    remove_large(current_heap, memory, size);
    return (uint8_t *)memory - lead_size;
}

/* ---- What the runtime calls ---- */

ms_heap *ms_heap_create(uint64_t size_max)
{
    ms_heap *heap = calloc(1, sizeof *heap);
    if (heap != NULL)
        heap->size_max = size_max;
    return heap;
}

void ms_heap_clear(ms_heap *heap)
{
    while (heap->large_blocks != NULL) {
        large_block *next = heap->large_blocks->next;
        ms_block_free(heap->large_blocks + 1);
        heap->large_blocks = next;
    }
    while (heap->chunks != NULL && heap->chunks->older != NULL) {
        chunk *older = heap->chunks->older;
        free(heap->chunks);
        heap->chunks = older;
    }
    memset(heap->free_lists, 0, sizeof heap->free_lists);
    heap->live_count = 0;
    heap->live_size = 0;
    heap->taken_size = heap->chunks == NULL ? 0 : heap->chunks->size;
    if (heap->chunks != NULL)
        use_chunk(heap, heap->chunks);
}

void ms_heap_destroy(ms_heap *heap)
{
    if (heap == NULL)
        return;
    assert(heap != current_heap);
    ms_heap_clear(heap);
    free(heap->chunks);
    free(heap);
}

ms_heap *ms_heap_enter(ms_heap *heap)
{
    ms_heap *before = current_heap;
    current_heap = heap;
    return before;
}

bool ms_heap_allows(uint64_t size)
{
    return current_heap == NULL || current_heap->size_max == 0 || size <= current_heap->size_max;
}

uint64_t ms_heap_live_count(const ms_heap *heap)
{
    return heap->live_count;
}

uint64_t ms_heap_live_size(const ms_heap *heap)
{
    return heap->live_size;
}

uint64_t ms_heap_taken_size(const ms_heap *heap)
{
    return heap->taken_size;
}
