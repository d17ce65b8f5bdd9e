/* The heap: blocks that do not overlap, memory that comes back, limits. */
#include "core/heap.h"
#include "tests/check.h"
#include "tests/program.h"

#include <sys/wait.h>
#include <unistd.h>

enum { BLOCK_COUNT = 2000 };

typedef struct block {
    uint8_t *data;
    uint64_t size;
    uint8_t mark;
} block;

static uint64_t random_state = 1;

static uint64_t random_below(uint64_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % limit;
}

static void fill_block(block *b, uint8_t mark)
{
    b->mark = mark;
    memset(b->data, mark, b->size);
}

static void check_block(const block *b, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++)
        CHECK(b->data[i] == b->mark);
}

static uint64_t random_size(void)
{
    static const uint64_t limits[] = {16, 200, 1500, 40000, 300000};
    return 1 + random_below(limits[random_below(random_below(50) == 0 ? 5 : 4)]);
}

/* Allocates, frees and resizes at random; every block keeps what was written to it. */
static void keep_blocks_apart(void)
{
    static block blocks[BLOCK_COUNT];
    memset(blocks, 0, sizeof blocks);
    for (int step = 0; step < 30000; step++) {
        block *b = &blocks[random_below(BLOCK_COUNT)];
        uint64_t size = random_size();
        if (b->data == NULL) {
            *b = (block){.data = ms_alloc(size), .size = size};
            CHECK((uintptr_t)b->data % 16 == 0);
        } else if (random_below(3) == 0) {
            uint64_t kept = b->size < size ? b->size : size;
            b->data = ms_heap_resize(b->data, b->size, b->size, size);
            check_block(b, kept);
            b->size = size;
        } else {
            check_block(b, b->size);
            ms_free(b->data, b->size);
            b->data = NULL;
            continue;
        }
        fill_block(b, (uint8_t)step);
    }
    for (int i = 0; i < BLOCK_COUNT; i++)
        if (blocks[i].data != NULL) {
            check_block(&blocks[i], blocks[i].size);
            ms_free(blocks[i].data, blocks[i].size);
        }
}

static void blocks_stay_apart(void)
{
    program_finish(keep_blocks_apart);
}

static void counts_what_lives(void)
{
    ms_heap *heap = ms_heap_create(0);
    ms_heap *before = ms_heap_enter(heap);
    void *small = ms_alloc(24), *large = ms_alloc(1000000);
    CHECK_INT(ms_heap_live_count(heap), 2);
    CHECK_INT(ms_heap_live_size(heap), 1000024);
    CHECK(ms_heap_taken_size(heap) >= 1000024);
    small = ms_heap_resize(small, 24, 24, 300);
    CHECK_INT(ms_heap_live_size(heap), 1000300);
    ms_free(large, 1000000);
    CHECK_INT(ms_heap_live_count(heap), 1);
    ms_free(small, 300);
    ms_free(NULL, 0);
    CHECK_INT(ms_heap_live_count(heap), 0);
    CHECK_INT(ms_heap_live_size(heap), 0);
    ms_heap_enter(before);
    ms_heap_destroy(heap);
}

static void clears_everything(void)
{
    ms_heap *heap = ms_heap_create(0);
    ms_heap *before = ms_heap_enter(heap);
    for (int again = 0; again < 5; again++) {
        for (int i = 0; i < 5000; i++)
            memset(ms_alloc(1 + (uint64_t)i * 7), 1, 1 + (size_t)i * 7);
        CHECK(ms_heap_taken_size(heap) > 5000u * 5000u * 3);
        ms_heap_clear(heap);
        CHECK_INT(ms_heap_live_count(heap), 0);
        CHECK(ms_heap_taken_size(heap) <= 65536);
    }
    ms_heap_enter(before);
    ms_heap_destroy(heap);
}

static void reuses_freed_memory(void)
{
    ms_heap *heap = ms_heap_create(0);
    ms_heap *before = ms_heap_enter(heap);
    for (int i = 0; i < 100000; i++)
        ms_free(ms_alloc(100 + (uint64_t)i % 400), 100 + (uint64_t)i % 400);
    CHECK(ms_heap_taken_size(heap) <= 65536);
    ms_heap_enter(before);
    ms_heap_destroy(heap);
}

static void gives_zeroed_memory(void)
{
    ms_heap *heap = ms_heap_create(0);
    ms_heap *before = ms_heap_enter(heap);
    for (uint64_t size = 1; size < 200000; size = size * 3 + 1) {
        memset(ms_alloc(size), 0xff, size);
        ms_heap_clear(heap);
        uint8_t *zero = ms_heap_alloc_zero(size);
        for (uint64_t i = 0; i < size; i++)
            CHECK(zero[i] == 0);
    }
    ms_heap_enter(before);
    ms_heap_destroy(heap);
}

static void good_sizes_hold_what_they_promise(void)
{
    for (uint64_t size = 1; size < 40000; size++) {
        uint64_t good = ms_heap_good_size(size);
        CHECK(good >= size && (good <= size + size / 4 + 16));
        CHECK_INT(ms_heap_good_size(good), good);
    }
}

static void ask_too_much(void)
{
    ms_alloc((uint64_t)1 << 60);
}

static void ask_for_everything(void)
{
    ms_alloc(UINT64_MAX);
}

static void fails_when_there_is_no_memory(void)
{
    program_expect(ask_too_much, "out of memory", NULL);
    program_expect(ask_for_everything, "out of memory", NULL);
}

/* A limit holds whatever the sizes, and what it leaves can be used. */
static void keeps_to_its_limit(void)
{
    const uint64_t limit = 300000;
    ms_heap *heap = ms_heap_create(limit);
    ms_heap *before = ms_heap_enter(heap);
    uint64_t used = 0;
    while (used < 200000) {
        ms_alloc(64);
        used += 64;
        CHECK(ms_heap_taken_size(heap) <= limit);
    }
    ms_heap_enter(before);
    ms_heap_destroy(heap);
}

static void leak(void)
{
    ms_alloc(10);
    ms_alloc(20);
}

/* The heap check ends the process, so it is watched from outside. */
static void reports_blocks_that_were_not_freed(void)
{
    int ends[2];
    char text[200] = "";
    CHECK_INT(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 2);
        program_finish(leak);
        _exit(0);
    }
    close(ends[1]);
    size_t size = 0;
    for (ssize_t count; size < sizeof text - 1 && (count = read(ends[0], text + size, sizeof text - 1 - size)) > 0;)
        size += (size_t)count;
    close(ends[0]);
    int status = 0;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(strncmp(text, "ms: 2 blocks were not freed\n", 28) == 0);
    CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}

int main(void)
{
    ms_task_setup();
    RUN(blocks_stay_apart);
    RUN(counts_what_lives);
    RUN(reuses_freed_memory);
    RUN(gives_zeroed_memory);
    RUN(good_sizes_hold_what_they_promise);
    RUN(clears_everything);
    RUN(fails_when_there_is_no_memory);
    RUN(keeps_to_its_limit);
    RUN(reports_blocks_that_were_not_freed);
    return 0;
}
