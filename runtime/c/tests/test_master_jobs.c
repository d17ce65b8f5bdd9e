/* Job records: their two ends, their references, their memory. */
#include "core/payload.h"
#include "master/jobs.h"

#include "tests/check.h"

#include <pthread.h>

static void test_small_and_large_arguments(void)
{
    ms_job_pool pool = {0};
    for (uint32_t size = 0; size < 200; size += 13) {
        ms_job *job = ms_job_create(&pool, 1, size);
        CHECK(job != NULL);
        memset(ms_job_arguments(job), 0x5a, size);
        CHECK_INT(ms_job_state_now(job), MS_RUNNING);
        ms_job_drop(&pool, job, true);
    }
    ms_job_pool_destroy(&pool);
}

static void test_a_job_ends_once(void)
{
    ms_job_pool pool = {0};
    for (uint32_t size = 0; size <= 100000; size = size * 7 + 1) {
        ms_job *job = ms_job_create(&pool, 1, size);
        uint8_t *bytes = malloc(size + 1);
        memset(bytes, 7, size);
        uint8_t *none = NULL;
        CHECK(ms_job_claim(job));
        CHECK(!ms_job_claim(job));
        CHECK_INT(ms_job_state_now(job), MS_RUNNING);
        CHECK(ms_job_finish(job, bytes, size, &none));
        CHECK(!ms_job_publish(job, 1));
        CHECK_INT(ms_job_state_now(job), MS_FINISHED);
        CHECK(!ms_job_claim(job));
        CHECK(job->result_size == size && memcmp(job->end.result, bytes, size) == 0);
        free(bytes);
        ms_job_drop(&pool, job, true);
    }
    ms_job_pool_destroy(&pool);
}

static void test_results_that_are_taken_over(void)
{
    ms_job_pool pool = {0};
    for (uint32_t size = 5000; size < 1000000; size *= 100) {
        ms_job *job = ms_job_create(&pool, 1, 1000);
        uint8_t *payload = ms_payload_new(size), *data = payload;
        memset(payload, 1, size);
        CHECK(ms_job_claim(job) && ms_job_finish(job, payload, size, &payload));
        ms_job_publish(job, 1);
        CHECK(job->end.result == data && payload == NULL);
        ms_job_drop(&pool, job, true);
    }
    ms_job_pool_destroy(&pool);
}

static void test_a_failed_job_keeps_its_arguments(void)
{
    ms_job_pool pool = {0};
    ms_job *job = ms_job_create(&pool, 1, 300);
    memset(ms_job_arguments(job), 3, 300);
    atomic_fetch_or(&job->state, MS_AWAITED);
    CHECK(ms_job_claim(job));
    ms_job_fail(job, MS_CAUSE_ITSELF, ms_failure_create("host:1", "bad", 3, "story", 5));
    CHECK(ms_job_publish(job, 2)); /* somebody waits */
    CHECK_INT(ms_job_state_now(job), MS_FAILED);
    CHECK_INT(ms_job_arguments(job)[299], 3);
    CHECK_BYTES(job->end.failure->text, 14, "host:1badstory");
    ms_job_drop(&pool, job, true);
    ms_job_pool_destroy(&pool);
}

enum { THREAD_JOB_COUNT = 20000 };

static ms_job *_Atomic handed[THREAD_JOB_COUNT];
static ms_job_pool shared_pool;

static void *drop_all(void *unused)
{
    for (int i = 0; i < THREAD_JOB_COUNT; i++) {
        ms_job *job;
        while ((job = atomic_load_explicit(&handed[i], memory_order_acquire)) == NULL) {
        }
        if (ms_job_claim(job)) {
            ms_job_finish(job, (const uint8_t *)"1234", 4, NULL);
            ms_job_publish(job, (uint64_t)i);
        }
        ms_job_drop(&shared_pool, job, false);
    }
    return unused;
}

/* Two threads drop each job and race for its end; whoever is last gives it back. */
static void test_two_threads(void)
{
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, drop_all, NULL), 0);
    for (int i = 0; i < THREAD_JOB_COUNT; i++) {
        ms_job *job = ms_job_create(&shared_pool, 1, i % 100);
        ms_job_hold(job);
        atomic_store_explicit(&handed[i], job, memory_order_release);
        if (i % 3 == 0 && ms_job_claim(job)) {
            ms_job_fail(job, MS_CAUSE_CANCELLED, NULL);
            ms_job_publish(job, 0);
        }
        ms_job_drop(&shared_pool, job, true);
    }
    pthread_join(thread, NULL);
    ms_job_pool_destroy(&shared_pool);
}

int main(void)
{
    RUN(test_small_and_large_arguments);
    RUN(test_a_job_ends_once);
    RUN(test_results_that_are_taken_over);
    RUN(test_a_failed_job_keeps_its_arguments);
    RUN(test_two_threads);
    return 0;
}
