/* Blobs and the parts of jobs: what is found again, what is not, and what is kept. */
#include "check.h"
#include "master/parts.h"

#include <stdlib.h>
#include <string.h>

enum { SIZE = 100000, WHOLE = SIZE + 4 };

static uint8_t bytes[SIZE];

static void fill(int seed)
{
    for (int i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 31 + seed);
}

static ms_blob *share(ms_blobs *blobs, uint32_t place)
{
    return ms_blobs_share(blobs, place, SIZE, bytes, SIZE, NULL);
}

static void test_equal_bytes_are_one_blob(void)
{
    ms_blobs blobs;
    ms_blobs_init(&blobs, 1 << 20);
    fill(1);
    ms_blob *first = share(&blobs, 1), *second = share(&blobs, 1), *elsewhere = share(&blobs, 7);
    CHECK(first != NULL && first == second && first == elsewhere);
    CHECK_INT(first->size, WHOLE);
    CHECK_INT(first->references, 3);
    CHECK(memcmp(first->bytes + 4, bytes, SIZE) == 0);
    for (int i = 0; i < SIZE; i += 997) { /* one that differs in one byte is another one */
        bytes[i] ^= 1;
        ms_blob *other = share(&blobs, 1);
        CHECK(other != first);
        if (other != NULL)
            ms_blob_drop(other);
        bytes[i] ^= 1;
    }
    ms_blob *shorter = ms_blobs_share(&blobs, 2, SIZE - 1, bytes, SIZE - 1, NULL), *counted = ms_blobs_share(&blobs, 3, 5, bytes, SIZE, NULL);
    CHECK(shorter != NULL && shorter != first && counted != NULL && counted != first);
    ms_blob_drop(shorter);
    ms_blob_drop(counted);
    for (int i = 0; i < 3; i++)
        ms_blob_drop(first);
    CHECK_INT(blobs.count, 0);
    ms_blobs_end(&blobs);
}

static void test_what_does_not_come_again_costs_nothing(void)
{
    ms_blobs blobs;
    int made = 0;
    ms_blobs_init(&blobs, 1 << 20);
    for (int i = 0; i < 100; i++) {
        fill(i);
        ms_blob *blob = share(&blobs, 1);
        made += blob != NULL;
        if (blob != NULL)
            ms_blob_drop(blob);
    }
    CHECK_INT(made, 1);
    ms_blob *last = share(&blobs, 1), *again = share(&blobs, 1); /* the last one comes again: from now on it is one */
    CHECK(last != NULL && again == last && again->references == 2);
    ms_blob_drop(again);
    ms_blob_drop(again);
    ms_blobs_end(&blobs);
}

/* Values of one key that differ where nobody looks are compared ever more rarely. */
static void test_what_only_looks_alike(void)
{
    ms_blobs blobs;
    int made = 0;
    ms_blobs_init(&blobs, 1 << 20);
    fill(0);
    for (int i = 0; i < 1000; i++) {
        bytes[700] = (uint8_t)i;
        bytes[701] = (uint8_t)(i >> 8);
        ms_blob *blob = share(&blobs, 1);
        made += blob != NULL;
        if (blob != NULL) {
            ms_blob_keep(blob);
            ms_blob_drop(blob);
        }
    }
    CHECK(made > 1 && made < 24);
    ms_blobs_end(&blobs);
    CHECK_INT(blobs.count, 0);
}

static void test_a_loop_looks_once(void)
{
    ms_blobs blobs;
    uint64_t known = 0;
    ms_blobs_init(&blobs, 1 << 20);
    fill(3);
    ms_blob *first = ms_blobs_share(&blobs, 1, SIZE, bytes, SIZE, &known);
    CHECK(first != NULL && known == first->id);
    CHECK(ms_blobs_share(&blobs, 1, SIZE, bytes, SIZE, &known) == first);
    ms_blob_drop(first);
    ms_blob_drop(first);
    ms_blob *second = ms_blobs_share(&blobs, 1, SIZE, bytes, SIZE, &known); /* gone meanwhile */
    CHECK(second != NULL && known == second->id && second->references == 1);
    ms_blob_drop(second);
    ms_blobs_end(&blobs);
}

static void test_the_oldest_is_given_up(void)
{
    ms_blobs blobs;
    ms_blob *kept[4];
    ms_blobs_init(&blobs, 2 * WHOLE);
    for (int i = 0; i < 4; i++) {
        fill(i);
        kept[i] = share(&blobs, (uint32_t)i);
        ms_blob_keep(kept[i]);
        ms_blob_drop(kept[i]);
    }
    ms_blob_keep(kept[0]); /* used again */
    CHECK_INT(blobs.kept_size, 4 * WHOLE);
    for (int i = 1; i < 3; i++) {
        CHECK(ms_blobs_surplus(&blobs) == kept[i]);
        ms_blob_drop(kept[i]);
    }
    CHECK(ms_blobs_surplus(&blobs) == NULL);
    CHECK_INT(blobs.count, 2);
    ms_blobs_end(&blobs);
    CHECK_INT(blobs.count, 0);
    ms_blobs_init(&blobs, WHOLE - 1);
    CHECK(share(&blobs, 1) == NULL);
    ms_blobs_end(&blobs);
}

/* own[0..4) hole part own[4..8) part part, and what becomes of it when the hole is filled, and when the job goes on as another. */
static void test_parts_and_holes(void)
{
    static ms_job_pool pool;
    ms_blobs blobs;
    uint64_t size;
    ms_job *failed, *dependency = ms_job_create(&pool, 1, 0), *job = ms_job_create(&pool, 2, 8 + 3 * WHOLE);
    ms_blobs_init(&blobs, 1 << 20);
    fill(9);
    CHECK(ms_job_claim(dependency) && ms_job_finish(dependency, (const uint8_t *)"xyz", 3, NULL));
    ms_job_publish(dependency, 1);
    memcpy(ms_job_arguments(job), "abcdefgh", 8);
    CHECK(ms_job_add_hole(job, 4, dependency) && ms_job_add_part(job, 4, share(&blobs, 1)));
    CHECK(ms_job_add_part(job, 8, share(&blobs, 1)) && ms_job_add_part(job, 8, share(&blobs, 1)));
    ms_job_settle_parts(job);
    CHECK_INT(job->arguments_size, 8);
    CHECK_INT(ms_job_whole_size(job), 8 + 3 * WHOLE);
    CHECK_INT(ms_job_fill(&pool, job, 8 + 3 * WHOLE, true, &size, &failed), MS_FILL_TOO_LARGE);
    CHECK_INT(ms_job_fill(&pool, job, 11 + 3 * WHOLE, true, &size, &failed), MS_FILLED);
    CHECK_INT(size, 11 + 3 * WHOLE);
    ms_job *next = ms_job_create(&pool, 3, 2);
    CHECK(ms_relations_of(next) != NULL && ms_job_become(next, job));
    uint8_t *whole = malloc(size);
    ms_job_copy_arguments(next, whole);
    CHECK(memcmp(whole, "abcdxyz", 7) == 0 && memcmp(whole + 11, bytes, SIZE) == 0);
    CHECK(memcmp(whole + 7 + WHOLE, "efgh", 4) == 0 && memcmp(whole + 11 + 2 * WHOLE + 4, bytes, SIZE) == 0);
    free(whole);
    CHECK_INT(ms_job_part_count(job), 0);
    CHECK_INT(ms_job_part_count(next), 3);
    ms_job_drop(&pool, job, true);
    ms_job_drop(&pool, next, true);
    ms_job_drop(&pool, dependency, true);
    CHECK_INT(blobs.count, 0);
    ms_blobs_end(&blobs);
    ms_job_pool_destroy(&pool);
}

/* A large result that several jobs get is their part, with small ones and other parts around it. */
static void test_large_results(void)
{
    static ms_job_pool pool;
    ms_blobs blobs;
    uint64_t size;
    uint8_t *payload = NULL;
    ms_job *failed, *jobs[3], *small = ms_job_create(&pool, 1, 0), *large = ms_job_create(&pool, 1, 0);
    ms_blobs_init(&blobs, 1 << 20);
    fill(4);
    CHECK(ms_job_claim(small) && ms_job_finish(small, (const uint8_t *)"xyz", 3, NULL));
    CHECK(ms_job_claim(large) && ms_job_finish(large, bytes, SIZE, &payload));
    ms_job_publish(small, 1);
    ms_job_publish(large, 2);
    for (int i = 0; i < 3; i++) { /* a hole(large) part b hole(small) hole(large) */
        jobs[i] = ms_job_create(&pool, 2, 2 + WHOLE);
        memcpy(ms_job_arguments(jobs[i]), "ab", 2);
        CHECK(ms_job_add_hole(jobs[i], 1, large) && ms_job_add_part(jobs[i], 1, share(&blobs, 1)));
        CHECK(ms_job_add_hole(jobs[i], 2, small) && ms_job_add_hole(jobs[i], 2, large));
        CHECK(ms_job_settle_parts(jobs[i]));
    }
    ms_job_drop(&pool, large, true);
    uint8_t *whole = malloc(5 + 2 * SIZE + WHOLE);
    for (int i = 0; i < 3; i++) {
        ms_job_share_results(&blobs, &pool, jobs[i]);
        CHECK_INT(ms_job_fill(&pool, jobs[i], UINT32_MAX, true, &size, &failed), MS_FILLED);
        CHECK_INT(size, 5 + 2 * SIZE + WHOLE);
        CHECK_INT(jobs[i]->arguments_size, 5);
        CHECK_INT(ms_job_part_count(jobs[i]), 3);
        CHECK(jobs[i]->relations->parts[0].blob == jobs[0]->relations->parts[2].blob);
        ms_job_copy_arguments(jobs[i], whole);
        CHECK(whole[0] == 'a' && memcmp(whole + 1, bytes, SIZE) == 0);
        CHECK(memcmp(whole + 1 + SIZE + 4, bytes, SIZE) == 0 && memcmp(whole + 1 + SIZE + WHOLE, "bxyz", 4) == 0);
        CHECK(memcmp(whole + 5 + SIZE + WHOLE, bytes, SIZE) == 0);
    }
    free(whole);
    for (int i = 0; i < 3; i++)
        ms_job_drop(&pool, jobs[i], true);
    ms_job_drop(&pool, small, true);
    CHECK_INT(blobs.count, 0);
    ms_blobs_end(&blobs);
    ms_job_pool_destroy(&pool);
}

int main(void)
{
    RUN(test_equal_bytes_are_one_blob);
    RUN(test_what_does_not_come_again_costs_nothing);
    RUN(test_what_only_looks_alike);
    RUN(test_a_loop_looks_once);
    RUN(test_the_oldest_is_given_up);
    RUN(test_parts_and_holes);
    RUN(test_large_results);
    return 0;
}
