/* Blocks that are kept, grow, lose their heads; payloads in them. */
#include "core/blocks.h"
#include "core/clock.h"
#include "core/payload.h"

#include "tests/check.h"

#include <pthread.h>
#include <string.h>

static bool is_filled(const uint8_t *bytes, uint64_t size, uint8_t value)
{
    for (uint64_t i = 0; i < size; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

static const uint64_t sizes[] = {1, 100, 20000, 32768, 100000, 1 << 20, 3000000, 8000000, 70 << 20};
enum { SIZE_COUNT = sizeof sizes / sizeof *sizes };

static void test_sizes(void)
{
    for (int i = 0; i < SIZE_COUNT; i++)
        for (int zero = 0; zero < 2; zero++) {
            uint8_t *block = zero ? ms_block_new_zero(sizes[i]) : ms_block_new(sizes[i]);
            CHECK(block != NULL && (uintptr_t)block % MS_BLOCK_ALIGNMENT == 0);
            CHECK(ms_block_room(block) >= sizes[i]);
            CHECK(!zero || is_filled(block, sizes[i], 0));
            memset(block - MS_BLOCK_OWN_SIZE, 5, MS_BLOCK_OWN_SIZE + sizes[i]);
            ms_block_free(block);
            CHECK(ms_blocks_kept_size() <= MS_BLOCKS_KEPT_MAX);
        }
    ms_block_free(NULL);
    CHECK(ms_block_new((uint64_t)1 << 60) == NULL);
    ms_blocks_drop();
    CHECK_INT(ms_blocks_kept_size(), 0);
}

static void test_growing(void)
{
    for (int i = 0; i < SIZE_COUNT; i++) {
        uint8_t *block = ms_block_new(sizes[i]);
        memset(block - MS_BLOCK_OWN_SIZE, 7, MS_BLOCK_OWN_SIZE + sizes[i]);
        uint8_t *grown = ms_block_resize(block, sizes[i], sizes[i] * 3);
        CHECK(grown != NULL && ms_block_room(grown) >= sizes[i] * 3);
        CHECK(is_filled(grown - MS_BLOCK_OWN_SIZE, MS_BLOCK_OWN_SIZE + sizes[i], 7));
        memset(grown, 8, sizes[i] * 3);
        CHECK(ms_block_resize(grown, 1, (uint64_t)1 << 60) == NULL);
        ms_block_free(grown);
    }
    ms_blocks_drop();
}

#ifndef MS_HEAP_CHECKED
static void test_what_is_kept(void)
{
    uint8_t *block = ms_block_new(8000000);
    ms_block_free(block);
    CHECK(ms_blocks_kept_size() >= 8000000);
    CHECK(ms_block_new(7900000) == block);
    CHECK_INT(ms_blocks_kept_size(), 0);
    ms_block_free(block);
    uint64_t now = ms_clock_ns();
    CHECK(ms_blocks_trim(now));
    CHECK(!ms_blocks_trim(now + 1100000000u));
    CHECK_INT(ms_blocks_kept_size(), 0);
    void *many[100];
    for (int i = 0; i < 100; i++)
        many[i] = ms_block_new(1000000 + 1000 * (uint64_t)i);
    for (int i = 0; i < 100; i++)
        ms_block_free(many[i]);
    CHECK(ms_blocks_kept_size() <= MS_BLOCKS_KEPT_MAX && ms_blocks_kept_size() > MS_BLOCKS_KEPT_MAX / 2);
    ms_blocks_drop();
}
#endif

static void test_without_heads(void)
{
    for (int i = 2; i < SIZE_COUNT; i++) {
        uint8_t *block = ms_block_new(sizes[i]), *rest = block + 4096;
        uint64_t room = ms_block_room(block);
        memset(block, 1, sizes[i]);
        ms_block_behead(block, rest);
        CHECK_INT(ms_block_room(rest), room - 4096);
        memset(rest - MS_BLOCK_OWN_SIZE, 2, MS_BLOCK_OWN_SIZE);
        CHECK(is_filled(rest, sizes[i] - 4096, 1));
        rest = ms_block_resize(rest, sizes[i] - 4096, sizes[i] * 2);
        CHECK(rest != NULL && is_filled(rest, sizes[i] - 4096, 1) && is_filled(rest - MS_BLOCK_OWN_SIZE, MS_BLOCK_OWN_SIZE, 2));
        ms_block_free(rest);
    }
    ms_blocks_drop();
}

static void test_payloads(void)
{
    for (int i = 0; i < SIZE_COUNT; i++) {
        uint8_t *payload = ms_payload_new(sizes[i]);
        memset(payload, 3, sizes[i]);
        uint8_t *copy = ms_payload_copy(payload, sizes[i]);
        CHECK(is_filled(copy, sizes[i], 3));
        if (ms_payload_is_large(sizes[i])) {
            CHECK_INT((uintptr_t)(payload + 4) % MS_BLOCK_ALIGNMENT, 0);
            CHECK(ms_payload_room(payload) >= sizes[i]);
            memset(payload - MS_PAYLOAD_HEAD_SIZE, 4, MS_PAYLOAD_HEAD_SIZE);
            payload = ms_payload_resize(payload, sizes[i], sizes[i] + sizes[i] / 2);
            CHECK(is_filled(payload - MS_PAYLOAD_HEAD_SIZE, MS_PAYLOAD_HEAD_SIZE, 4) && is_filled(payload, sizes[i], 3));
            ms_payload_free_large(payload);
        } else {
            ms_payload_free(payload, sizes[i]);
        }
        ms_payload_release_of(sizes[i])(copy);
    }
    ms_blocks_drop();
}

static void *churn(void *seed)
{
    uint64_t random = *(uint64_t *)seed;
    for (int i = 0; i < 3000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t size = 30000 + (random >> 33) % 300000;
        uint8_t *block = ms_block_new(size);
        block[0] = block[size - 1] = (uint8_t)i;
        if (i % 100 == 0)
            ms_blocks_trim(ms_clock_ns() + (random >> 60 == 0 ? 2000000000u : 0));
        CHECK(block[0] == (uint8_t)i && block[size - 1] == (uint8_t)i);
        ms_block_free(block);
    }
    return NULL;
}

static void test_threads(void)
{
    pthread_t threads[3];
    uint64_t seeds[3] = {1, 2, 3};
    for (int i = 0; i < 3; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, churn, &seeds[i]), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    ms_blocks_drop();
    CHECK_INT(ms_blocks_kept_size(), 0);
}

int main(void)
{
    RUN(test_sizes);
    RUN(test_growing);
#ifndef MS_HEAP_CHECKED
    RUN(test_what_is_kept);
#endif
    RUN(test_without_heads);
    RUN(test_payloads);
    RUN(test_threads);
    return 0;
}
