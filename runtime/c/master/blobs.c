/* The table of blobs. The theory of operation stands in blobs.h. */
#include "master/blobs.h"

#include "core/wire.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_CAPACITY = 64,
    SAMPLE_COUNT = 64,    /* words that are hashed */
    CANDIDATE_MAX = 4,    /* blobs of one key that a value is compared with */
    TRUST = 2,            /* after a value has come again */
    PATIENCE_MAX = 1024,
    COUNT_SIZE = 4,
    ALIGNED_AT = 64       /* where the bytes behind the count begin */
};

void ms_blobs_init(ms_blobs *blobs, uint64_t size_max)
{
    *blobs = (ms_blobs){.size_max = size_max};
    for (int i = 0; i < MS_BLOB_HABITS; i++)
        blobs->habits[i] = (ms_blob_habit){.trust = 1, .patience = 1};
    pthread_mutex_init(&blobs->lock, NULL);
}

/* ---- Keys ---- */

static uint64_t mix(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)(a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xe7037ed1a0b428dbu);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Of the size and of words from all over: enough to tell apart what was not made to look alike, at a price that does not grow with the size. */
static uint64_t key_of(uint32_t count, const uint8_t *bytes, uint64_t size)
{
    uint64_t key = mix(size, count), word, step = (size - sizeof word) / (SAMPLE_COUNT - 1);
    for (uint64_t i = 0; i < SAMPLE_COUNT; i++) {
        memcpy(&word, bytes + i * step, sizeof word);
        key = mix(key, word);
    }
    memcpy(&word, bytes + size - sizeof word, sizeof word);
    return mix(key, word);
}

/* ---- References; the lock is held ---- */

static void unlink_kept(ms_blob *blob)
{
    ms_blobs *blobs = blob->home;
    if (blob->newer != NULL)
        blob->newer->older = blob->older;
    else
        blobs->newest = blob->older;
    if (blob->older != NULL)
        blob->older->newer = blob->newer;
    else
        blobs->oldest = blob->newer;
    blob->newer = blob->older = NULL;
}

static void link_kept(ms_blob *blob)
{
    ms_blobs *blobs = blob->home;
    blob->older = blobs->newest;
    if (blobs->newest != NULL)
        blobs->newest->newer = blob;
    else
        blobs->oldest = blob;
    blobs->newest = blob;
}

static void keep(ms_blob *blob)
{
    if (blob->kept) {
        unlink_kept(blob);
    } else {
        blob->kept = true;
        blob->references++;
        blob->home->kept_size += blob->size;
    }
    link_kept(blob);
}

static void forsake(ms_blob *blob)
{
    unlink_kept(blob);
    blob->kept = false;
    blob->home->kept_size -= blob->size;
}

static void take_out(ms_blob *blob)
{
    ms_blobs *blobs = blob->home;
    ms_blob **link = &blobs->table[blob->key & (blobs->capacity - 1)];
    while (*link != blob)
        link = &(*link)->next;
    *link = blob->next;
    blobs->count--;
}

/* ---- References ---- */

void ms_blob_hold(ms_blob *blob)
{
    pthread_mutex_lock(&blob->home->lock);
    blob->references++;
    pthread_mutex_unlock(&blob->home->lock);
}

void ms_blob_drop(ms_blob *blob)
{
    ms_blobs *blobs = blob->home;
    pthread_mutex_lock(&blobs->lock);
    bool last = --blob->references == 0;
    if (last && blob->lent_to != NULL)
        *blob->lent_to = NULL;
    else if (last)
        take_out(blob);
    pthread_mutex_unlock(&blobs->lock);
    if (!last)
        return;
    if (blob->release != NULL)
        blob->release(blob->owner);
    free(blob);
}

ms_blob *ms_blobs_lend(ms_blobs *blobs, ms_blob **lent_to, uint8_t *bytes, uint32_t size, void (*release)(void *owner), void *owner)
{
    ms_blob *blob = malloc(sizeof *blob);
    if (blob == NULL)
        return NULL;
    *blob = (ms_blob){.home = blobs, .size = size, .references = 1, .bytes = bytes, .lent_to = lent_to, .release = release, .owner = owner};
    pthread_mutex_lock(&blobs->lock);
    blob->id = ++blobs->last_id;
    *lent_to = blob;
    pthread_mutex_unlock(&blobs->lock);
    return blob;
}

ms_blob *ms_blobs_lent(ms_blobs *blobs, ms_blob **lent_to)
{
    pthread_mutex_lock(&blobs->lock);
    ms_blob *blob = *lent_to;
    if (blob != NULL)
        blob->references++;
    pthread_mutex_unlock(&blobs->lock);
    return blob;
}

void ms_blob_keep(ms_blob *blob)
{
    pthread_mutex_lock(&blob->home->lock);
    keep(blob);
    pthread_mutex_unlock(&blob->home->lock);
}

ms_blob *ms_blobs_surplus(ms_blobs *blobs)
{
    pthread_mutex_lock(&blobs->lock);
    ms_blob *blob = blobs->kept_size > blobs->size_max ? blobs->oldest : NULL;
    if (blob != NULL)
        forsake(blob);
    pthread_mutex_unlock(&blobs->lock);
    return blob;
}

void ms_blobs_end(ms_blobs *blobs)
{
    blobs->size_max = 0;
    for (ms_blob *blob; (blob = ms_blobs_surplus(blobs)) != NULL;)
        ms_blob_drop(blob);
    if (blobs->count > 0)
        return; /* a job that the program still holds refers to it, and the process ends */
    free(blobs->table);
    blobs->table = NULL;
    blobs->capacity = 0;
}

/* ---- Finding ---- */

static bool reserve(ms_blobs *blobs)
{
    if (blobs->count < blobs->capacity)
        return true;
    uint32_t capacity = blobs->capacity == 0 ? FIRST_CAPACITY : blobs->capacity * 2;
    ms_blob **table = calloc(capacity, sizeof(ms_blob *));
    if (table == NULL)
        return false;
    for (uint32_t i = 0; i < blobs->capacity; i++)
        for (ms_blob *blob = blobs->table[i], *next; blob != NULL; blob = next) {
            next = blob->next;
            blob->next = table[blob->key & (capacity - 1)];
            table[blob->key & (capacity - 1)] = blob;
        }
    free(blobs->table);
    blobs->table = table;
    blobs->capacity = capacity;
    return true;
}

/* Those that may be the one, each with a reference. */
static int collect(ms_blobs *blobs, uint64_t key, uint64_t size, ms_blob *found[CANDIDATE_MAX])
{
    int count = 0;
    pthread_mutex_lock(&blobs->lock);
    ms_blob *blob = blobs->capacity == 0 ? NULL : blobs->table[key & (blobs->capacity - 1)];
    for (; blob != NULL && count < CANDIDATE_MAX; blob = blob->next)
        if (blob->key == key && blob->size == size + COUNT_SIZE) {
            blob->references++;
            found[count++] = blob;
        }
    pthread_mutex_unlock(&blobs->lock);
    return count;
}

static bool is_equal(const ms_blob *blob, uint32_t count, const void *bytes, uint64_t size)
{
    return ms_get_u32(blob->bytes) == count && memcmp(blob->bytes + COUNT_SIZE, bytes, size) == 0;
}

static ms_blob *find(ms_blobs *blobs, uint64_t key, uint32_t count, const void *bytes, uint64_t size)
{
    ms_blob *candidates[CANDIDATE_MAX], *found = NULL;
    int candidate_count = collect(blobs, key, size, candidates);
    for (int i = 0; i < candidate_count; i++)
        if (found == NULL && is_equal(candidates[i], count, bytes, size))
            found = candidates[i];
        else
            ms_blob_drop(candidates[i]);
    return found;
}

/* One that was found in the round before, unless it is gone. */
static ms_blob *find_known(ms_blobs *blobs, uint64_t id, uint64_t key)
{
    ms_blob *found = NULL;
    pthread_mutex_lock(&blobs->lock);
    for (ms_blob *blob = blobs->capacity == 0 ? NULL : blobs->table[key & (blobs->capacity - 1)]; blob != NULL; blob = blob->next)
        if (blob->id == id)
            found = blob;
    if (found != NULL)
        found->references++;
    pthread_mutex_unlock(&blobs->lock);
    return found;
}

static ms_blob *make(ms_blobs *blobs, uint64_t key, uint32_t count, const void *bytes, uint64_t size)
{
    ms_blob *blob = malloc(sizeof *blob + ALIGNED_AT + size);
    if (blob == NULL)
        return NULL;
    *blob = (ms_blob){.home = blobs, .key = key, .size = (uint32_t)(size + COUNT_SIZE), .references = 1};
    blob->bytes = blob->room + ALIGNED_AT - COUNT_SIZE - (uintptr_t)blob->room % ALIGNED_AT;
    ms_put_u32(blob->bytes, count);
    memcpy(blob->bytes + COUNT_SIZE, bytes, size);
    pthread_mutex_lock(&blobs->lock);
    bool fine = reserve(blobs);
    if (fine) {
        blob->id = ++blobs->last_id;
        blob->next = blobs->table[key & (blobs->capacity - 1)];
        blobs->table[key & (blobs->capacity - 1)] = blob;
        blobs->count++;
    }
    pthread_mutex_unlock(&blobs->lock);
    if (fine)
        return blob;
    free(blob);
    return NULL;
}

/* ---- Whether it is worth a copy ---- */

static bool is_familiar(ms_blobs *blobs, uint64_t key)
{
    uint64_t *ghost = &blobs->ghosts[key % MS_BLOB_GHOSTS];
    bool familiar = *ghost == key;
    *ghost = key;
    return familiar;
}

/* Whether it is worth a comparison with what is there, and a copy when it is new. */
static bool is_worth_it(ms_blobs *blobs, ms_blob_habit *habit, uint64_t key)
{
    bool familiar = is_familiar(blobs, key);
    if (habit->trust > 0)
        return true;
    habit->familiar += familiar;
    if (!familiar || habit->familiar < habit->patience)
        return false;
    habit->patience = habit->patience < PATIENCE_MAX ? habit->patience * 2 : habit->patience;
    habit->familiar = 0;
    habit->trust = 2; /* this one, and the next, which shows whether it was worth it */
    return true;
}

ms_blob *ms_blobs_share(ms_blobs *blobs, uint32_t place, uint32_t count, const void *bytes, uint64_t size, uint64_t *known)
{
    ms_blob_habit *habit = &blobs->habits[mix(place, 0) % MS_BLOB_HABITS];
    if (size + COUNT_SIZE > blobs->size_max || size + COUNT_SIZE > UINT32_MAX)
        return NULL;
    uint64_t key = key_of(count, bytes, size);
    ms_blob *made = NULL, *blob = known == NULL || *known == 0 ? NULL : find_known(blobs, *known, key);
    if (blob == NULL && (is_worth_it(blobs, habit, key) || known != NULL)) {
        blob = find(blobs, key, count, bytes, size);
        if (blob == NULL) {
            habit->trust -= habit->trust > 0 && known == NULL;
            made = blob = make(blobs, key, count, bytes, size);
        }
    }
    if (blob != NULL && blob != made)
        *habit = (ms_blob_habit){.trust = TRUST, .patience = 1};
    if (known != NULL)
        *known = blob == NULL ? 0 : blob->id;
    return blob;
}
