/* Blocks: where they come from, and those that are kept.
 *
 * A block's region (`start`, `size`) stands in the 16 bytes at the beginning of its head. Regions have the sizes of classes, four for each power
 * of two, so that one that is kept fits whoever asks for something similar. A kept region begins with its links: those of its class, the newest
 * first, and those of all of them, by age. One lock guards the lists; system calls are made without it. */
#include "core/blocks.h"

#include "core/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_SIZE 4096u
#define MAPPED_MIN (1u << 20)       /* from here on a region is a mapping */
#define KEPT_SIZE_MIN (16u << 10)   /* what is smaller is malloc's business */
#define KEPT_NS 1000000000u
#define SIZE_LIMIT ((uint64_t)1 << 47)
enum { CLASS_COUNT = 52, LOWEST_POWER = 14 };

#ifdef MS_HEAP_CHECKED
enum { KEEPS = 0 };
#else
enum { KEEPS = 1 };
#endif

typedef struct head {
    uint8_t *start;
    uint64_t size; /* of the region; odd: it is a mapping */
} head;
_Static_assert(sizeof(head) + MS_BLOCK_OWN_SIZE == MS_BLOCK_HEAD_SIZE, "a head and what is the owner's");

/* At the start of a region that is kept. */
typedef struct kept {
    struct kept *next, *previous;  /* in its class */
    struct kept *younger, *older;
    uint64_t size;
    uint64_t freed_at;
} kept;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static kept *classes[CLASS_COUNT];
static kept *youngest, *oldest;
static _Atomic uint64_t kept_size; /* changed under the lock */

static head *head_of(const void *block)
{
    return (head *)(uintptr_t)((const uint8_t *)block - MS_BLOCK_HEAD_SIZE);
}

static uint64_t size_of(uint64_t marked)
{
    return marked & ~(uint64_t)1;
}

/* ---- Sizes ---- */

/* The size of the region for so many bytes. */
static uint64_t region_size(uint64_t size)
{
    if (!KEEPS || size < KEPT_SIZE_MIN)
        return (size + MS_BLOCK_ALIGNMENT - 1) & ~(uint64_t)(MS_BLOCK_ALIGNMENT - 1);
    uint32_t power = 63u - (uint32_t)__builtin_clzll(size - 1);
    uint64_t step = (uint64_t)1 << (power - 2);
    if (size > MS_BLOCKS_KEPT_MAX)
        step = PAGE_SIZE;
    return (size + step - 1) & ~(step - 1);
}

/* Of a region that may be kept. */
static uint32_t class_of(uint64_t size)
{
    uint32_t power = 63u - (uint32_t)__builtin_clzll(size - 1);
    return (power - LOWEST_POWER + 1) * 4 + (uint32_t)((size - 1) >> (power - 2)) - 4;
}

/* ---- From the system, and back ---- */

static uint8_t *map(uint64_t size)
{
    uint8_t *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return start == MAP_FAILED ? NULL : start;
}

static void *begin_block(uint8_t *start, uint64_t marked)
{
    *(head *)(void *)start = (head){start, marked};
    return start + MS_BLOCK_HEAD_SIZE;
}

static void *fresh(uint64_t size, bool zero)
{
    uint8_t *start = NULL;
    if (KEEPS && size >= MAPPED_MIN) {
        start = map(size);
        return start == NULL ? NULL : begin_block(start, size | 1);
    }
    start = zero ? calloc(1, size) : malloc(size);
    return start == NULL ? NULL : begin_block(start, size);
}

static void give_back(uint8_t *start, uint64_t marked)
{
    if ((marked & 1) != 0)
        munmap(start, size_of(marked));
    else
        free(start);
}

/* ---- Those that are kept; the lock is held ---- */

static void take_out(kept *one)
{
    if (one->previous != NULL)
        one->previous->next = one->next;
    else
        classes[class_of(size_of(one->size))] = one->next;
    if (one->next != NULL)
        one->next->previous = one->previous;
    if (one->younger != NULL)
        one->younger->older = one->older;
    else
        youngest = one->older;
    if (one->older != NULL)
        one->older->younger = one->younger;
    else
        oldest = one->younger;
    kept_size -= size_of(one->size);
}

static void put_in(kept *one, uint64_t marked)
{
    kept **class = &classes[class_of(size_of(marked))];
    *one = (kept){.next = *class, .older = youngest, .size = marked, .freed_at = ms_clock_ns()};
    if (one->next != NULL)
        one->next->previous = one;
    *class = one;
    if (youngest != NULL)
        youngest->younger = one;
    else
        oldest = one;
    youngest = one;
    kept_size += size_of(marked);
}

/* Takes the oldest ones out until no more than `size_max` bytes are left, or none that was freed before `since`; gives them as a list. */
static kept *take_oldest(uint64_t size_max, uint64_t since)
{
    kept *list = NULL;
    while (oldest != NULL && (kept_size > size_max || oldest->freed_at < since)) {
        kept *one = oldest;
        take_out(one);
        one->next = list;
        list = one;
    }
    return list;
}

static void give_back_all(kept *list)
{
    while (list != NULL) {
        kept *next = list->next;
        give_back((uint8_t *)list, list->size);
        list = next;
    }
}

static void *reuse(uint64_t size)
{
    if (!KEEPS || size < KEPT_SIZE_MIN || size > MS_BLOCKS_KEPT_MAX || atomic_load_explicit(&kept_size, memory_order_relaxed) < size)
        return NULL;
    pthread_mutex_lock(&lock);
    kept *one = classes[class_of(size)];
    if (one != NULL)
        take_out(one);
    pthread_mutex_unlock(&lock);
    return one == NULL ? NULL : begin_block((uint8_t *)one, one->size);
}

/* ---- Blocks ---- */

static void *new_block(uint64_t size, bool zero)
{
    if (size > SIZE_LIMIT)
        return NULL;
    uint64_t whole = region_size(size + MS_BLOCK_HEAD_SIZE);
    void *block = reuse(whole);
    if (block != NULL)
        return zero ? memset(block, 0, size) : block;
    block = fresh(whole, zero);
    if (block == NULL && ms_blocks_kept_size() > 0) {
        ms_blocks_drop();
        block = fresh(whole, zero);
    }
    return block;
}

void *ms_block_new(uint64_t size)
{
    return new_block(size, false);
}

void *ms_block_new_zero(uint64_t size)
{
    return new_block(size, true);
}

void ms_block_free(void *block)
{
    if (block == NULL)
        return;
    uint8_t *start = head_of(block)->start;
    uint64_t marked = head_of(block)->size, size = size_of(marked);
    if (!KEEPS || size < KEPT_SIZE_MIN || size > MS_BLOCKS_KEPT_MAX) {
        give_back(start, marked);
        return;
    }
    pthread_mutex_lock(&lock);
    kept *old = take_oldest(MS_BLOCKS_KEPT_MAX - size, 0);
    put_in((kept *)(void *)start, marked);
    pthread_mutex_unlock(&lock);
    give_back_all(old);
}

uint64_t ms_block_room(const void *block)
{
    const head *h = head_of(block);
    return (uint64_t)(h->start + size_of(h->size) - (const uint8_t *)block);
}

void ms_block_behead(void *block, void *at)
{
    head region = *head_of(block);
    *head_of(at) = region;
}

/* A mapping moves without its bytes being copied. */
static void *remap(void *block, uint64_t size)
{
    const head *h = head_of(block);
    uint64_t whole = region_size(size + MS_BLOCK_HEAD_SIZE);
    uint8_t *moved = mremap(h->start, size_of(h->size), whole, MREMAP_MAYMOVE);
    return moved == MAP_FAILED ? NULL : begin_block(moved, whole | 1);
}

void *ms_block_resize(void *block, uint64_t used_size, uint64_t size)
{
    const head *h = head_of(block);
    if (size <= ms_block_room(block))
        return block;
    if (size > SIZE_LIMIT)
        return NULL;
    bool is_whole = (const uint8_t *)h == h->start, is_mapping = (h->size & 1) != 0;
    void *moved = is_whole && is_mapping ? remap(block, size) : NULL;
    if (moved != NULL)
        return moved;
    if ((moved = ms_block_new(size)) == NULL)
        return NULL;
    memcpy((uint8_t *)moved - MS_BLOCK_OWN_SIZE, (uint8_t *)block - MS_BLOCK_OWN_SIZE, MS_BLOCK_OWN_SIZE + used_size);
    ms_block_free(block);
    return moved;
}

/* ---- Giving back ---- */

bool ms_blocks_trim(uint64_t now_ns)
{
    if (ms_blocks_kept_size() == 0)
        return false;
    pthread_mutex_lock(&lock);
    kept *old = take_oldest(MS_BLOCKS_KEPT_MAX, now_ns > KEPT_NS ? now_ns - KEPT_NS : 0);
    pthread_mutex_unlock(&lock);
    give_back_all(old);
    return ms_blocks_kept_size() > 0;
}

void ms_blocks_drop(void)
{
    pthread_mutex_lock(&lock);
    kept *all = take_oldest(0, UINT64_MAX);
    pthread_mutex_unlock(&lock);
    give_back_all(all);
}

uint64_t ms_blocks_kept_size(void)
{
    return atomic_load_explicit(&kept_size, memory_order_relaxed);
}
