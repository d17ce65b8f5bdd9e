/* The store of blobs, and arguments that refer to it. */
#include "slave/blobs.h"

#include "core/wire.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct ms_stored {
    _Atomic uint32_t references;
    uint32_t number, size;
    uint8_t *bytes; /* a payload (payload.h); null: there was no memory for them */
};

typedef struct piece {
    uint32_t offset;
    ms_stored *blob;
} piece;

struct ms_pieces {
    uint8_t *own; /* the arguments without the parts; they lie behind the last piece */
    uint32_t own_size, count;
    piece pieces[];
};

static void release(ms_stored *blob)
{
    if (atomic_fetch_sub_explicit(&blob->references, 1, memory_order_acq_rel) != 1)
        return;
    ms_payload_free(blob->bytes, blob->size);
    free(blob);
}

/* ---- The store ---- */

static bool reserve(ms_store *store)
{
    if (store->count < store->capacity)
        return true;
    uint32_t capacity = store->capacity * 2 + 16;
    ms_stored **blobs = realloc(store->blobs, capacity * sizeof *blobs);
    if (blobs == NULL)
        return false;
    store->blobs = blobs;
    store->capacity = capacity;
    return true;
}

/* Where the blob with this number stands, or would stand. */
static uint32_t place_of(const ms_store *store, uint32_t number)
{
    uint32_t low = 0, high = store->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (store->blobs[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static ms_stored *find(const ms_store *store, uint32_t number)
{
    uint32_t place = place_of(store, number);
    return place < store->count && store->blobs[place]->number == number ? store->blobs[place] : NULL;
}

const char *ms_store_add(ms_store *store, uint32_t size, uint8_t *payload)
{
    const char *wrong = NULL;
    ms_stored *blob = NULL;
    if (size > store->size_max || store->size > store->size_max - size)
        wrong = "more blobs than fit here";
    else if (store->last_number == UINT32_MAX)
        wrong = "too many blobs";
    else if ((blob = malloc(sizeof *blob)) == NULL || !reserve(store))
        wrong = "no memory for a blob";
    if (wrong != NULL) {
        free(blob);
        ms_payload_free(payload, size);
        return wrong;
    }
    *blob = (ms_stored){.references = 1, .number = ++store->last_number, .size = size, .bytes = payload};
    store->blobs[store->count++] = blob;
    store->size += size;
    return NULL;
}

static void take_out(ms_store *store, uint32_t place)
{
    ms_stored *blob = store->blobs[place];
    store->size -= blob->size;
    store->count--;
    memmove(store->blobs + place, store->blobs + place + 1, (store->count - place) * sizeof *store->blobs);
    release(blob);
}

const char *ms_store_forget(ms_store *store, const uint8_t *payload, uint32_t size)
{
    for (uint32_t at = 0; at + 4 <= size; at += 4) {
        uint32_t number = ms_get_u32(payload + at);
        if (find(store, number) == NULL)
            return "a blob is to be forgotten that is not there";
        take_out(store, place_of(store, number));
    }
    return size % 4 == 0 ? NULL : ms_wire_text(MS_WIRE_BAD_PAYLOAD);
}

void ms_store_clear(ms_store *store)
{
    while (store->count > 0)
        take_out(store, store->count - 1);
    free(store->blobs);
    *store = (ms_store){.size_max = store->size_max};
}

/* ---- Arguments ---- */

/* Fills in the pieces. */
static const char *take_parts(const ms_store *store, const uint8_t *parts, ms_pieces *pieces, uint64_t *size)
{
    uint32_t before = 0, count = pieces->count;
    pieces->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *part = parts + (size_t)i * MS_RUN_PART_SIZE;
        uint32_t offset = ms_get_u32(part);
        ms_stored *blob = find(store, ms_get_u32(part + 4));
        if (blob == NULL)
            return "a job refers to a blob that is not there";
        if (offset < before || offset > pieces->own_size)
            return ms_wire_text(MS_WIRE_BAD_PAYLOAD);
        atomic_fetch_add_explicit(&blob->references, 1, memory_order_relaxed);
        pieces->pieces[pieces->count++] = (piece){offset, blob};
        *size += blob->size;
        before = offset;
    }
    return NULL;
}

const char *ms_store_gather(const ms_store *store, const uint8_t *payload, uint32_t size, uint32_t payload_max, ms_run_head *head,
                            ms_pieces **pieces)
{
    uint32_t count = ms_get_u32(payload + 8);
    *head = (ms_run_head){ms_get_u32(payload), ms_get_u32(payload + 4), 0};
    if (head->ordinal == 0 || head->ordinal > ms_program.job_count || head->jid == 0 || head->jid > MS_JID_MAX || count > MS_PARTS_MAX ||
        count > (size - MS_RUN_HEAD_SIZE) / MS_RUN_PART_SIZE)
        return "a job that can't be";
    size_t pieces_size = sizeof **pieces + count * sizeof(piece);
    uint32_t own_size = size - MS_RUN_HEAD_SIZE - count * MS_RUN_PART_SIZE;
    uint64_t whole_size = own_size;
    *pieces = malloc(pieces_size + own_size);
    if (*pieces == NULL)
        return "no memory for a job's arguments";
    **pieces = (ms_pieces){(uint8_t *)*pieces + pieces_size, own_size, count};
    memcpy((*pieces)->own, payload + size - own_size, own_size);
    const char *wrong = take_parts(store, payload + MS_RUN_HEAD_SIZE, *pieces, &whole_size);
    if (wrong == NULL && whole_size > payload_max)
        wrong = ms_wire_text(MS_WIRE_TOO_LONG);
    head->size = (uint32_t)whole_size;
    if (wrong != NULL)
        ms_pieces_free(*pieces);
    return wrong;
}

uint8_t *ms_pieces_join(const ms_pieces *pieces, uint32_t size)
{
    uint8_t *block = ms_payload_new(size == 0 ? 1 : size), *to = block;
    uint32_t at = 0;
    for (uint32_t i = 0; i < pieces->count && block != NULL; i++) {
        const piece *one = &pieces->pieces[i];
        if (one->blob->bytes == NULL && one->blob->size > 0) {
            ms_payload_free(block, size);
            return NULL;
        }
        memcpy(to, pieces->own + at, one->offset - at);
        to += one->offset - at;
        at = one->offset;
        if (one->blob->size > 0)
            memcpy(to, one->blob->bytes, one->blob->size);
        to += one->blob->size;
    }
    if (block != NULL)
        memcpy(to, pieces->own + at, pieces->own_size - at);
    return block;
}

void ms_pieces_free(ms_pieces *pieces)
{
    for (uint32_t i = 0; i < pieces->count; i++)
        release(pieces->pieces[i].blob);
    free(pieces);
}
