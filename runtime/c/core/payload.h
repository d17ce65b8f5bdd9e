/* The payload of a frame, in memory that passes from hand to hand: from the connection to a job, from a job to the connection.
 *
 * A large one is a block (blocks.h) with MS_PAYLOAD_HEAD_SIZE bytes of its owner's own in front, where a frame's header fits, and lies so that a vector behind
 * its count of 4 bytes is aligned: so a job can take the vector as it lies there, and give one away. A small one is malloc's. Which of the two
 * it is, its size says. */
#ifndef MS_PAYLOAD_H
#define MS_PAYLOAD_H

#include "core/blocks.h"
#include "ms.h"

enum { MS_PAYLOAD_LARGE_SIZE = 32 << 10, MS_PAYLOAD_HEAD_SIZE = MS_HEADER_SIZE };

static inline bool ms_payload_is_large(uint64_t size)
{
    return size > MS_PAYLOAD_LARGE_SIZE;
}

/* Not cleared. Null: no memory. */
uint8_t *ms_payload_new(uint64_t size);
/* A copy. */
uint8_t *ms_payload_copy(const uint8_t *bytes, uint64_t size);
/* Nothing happens for null. */
void ms_payload_free(uint8_t *payload, uint64_t size);
/* For one that is large. */
void ms_payload_free_large(void *payload);
/* The function that frees one of this size. */
typedef void (*ms_payload_release)(void *payload);
ms_payload_release ms_payload_release_of(uint64_t size);
/* A large one that is to become larger, with its first `used_size` bytes. Null: no memory, and nothing changed. */
uint8_t *ms_payload_resize(uint8_t *payload, uint64_t used_size, uint64_t size);
uint64_t ms_payload_room(const uint8_t *payload);
/* A block that begins at `at`, inside of a large payload and aligned, in place of it. */
void ms_payload_behead(uint8_t *payload, void *at);
#endif
