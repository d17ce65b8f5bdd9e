/* Blobs at the slave: bytes that the master has sent once, for the arguments of many jobs.
 *
 * The master numbers them from 1 as it sends them, says which it needs no longer, and never sends more than `size_max` at one time; a
 * slave only does as it is told, and says what is wrong when that can't be. The store belongs to the client's thread. What a job refers to
 * outlives the store, and is let go of on any thread. */
#ifndef MS_SLAVE_BLOBS_H
#define MS_SLAVE_BLOBS_H

#include "core/payload.h"

#include <stdint.h>

typedef struct ms_stored ms_stored;

typedef struct ms_store {
    ms_stored **blobs; /* by number, ascending */
    uint32_t count, capacity;
    uint32_t last_number;
    uint64_t size, size_max;
} ms_store;

/* The arguments of a job that lie partly in blobs. */
typedef struct ms_pieces ms_pieces;

/* What a `run` says beside its arguments; their size is that of all. */
typedef struct ms_run_head {
    uint32_t jid, ordinal, size;
} ms_run_head;

/* The next blob; its bytes are taken, whatever comes of it (payload.h). `payload` null: there was no memory for its `size` bytes. Null: fine; else what is wrong. */
const char *ms_store_add(ms_store *store, uint32_t size, uint8_t *payload);
/* The payload of a `forget`. As above. */
const char *ms_store_forget(ms_store *store, const uint8_t *payload, uint32_t size);
/* The payload of a `run`, without anything that would fit no job: `payload_max` is the limit on all of the arguments. As above. */
const char *ms_store_gather(const ms_store *store, const uint8_t *payload, uint32_t size, uint32_t payload_max, ms_run_head *head,
                            ms_pieces **pieces);
/* Another connection begins: there are none. */
void ms_store_clear(ms_store *store);

/* All of them in one payload (payload.h). Null: no memory. */
uint8_t *ms_pieces_join(const ms_pieces *pieces, uint32_t size);
void ms_pieces_free(ms_pieces *pieces);
#endif
