/* Payloads in blocks, and where in them. */
#include "core/payload.h"

#include <stdlib.h>
#include <string.h>

enum { LEAD_SIZE = 4 /* what stands in front of a vector's elements: their count */ };

/* It begins 1 to 16 bytes in front of its block's. */
static uint8_t *block_of(const uint8_t *payload)
{
    return (uint8_t *)(((uintptr_t)payload + MS_BLOCK_ALIGNMENT) & ~(uintptr_t)(MS_BLOCK_ALIGNMENT - 1));
}

uint8_t *ms_payload_new(uint64_t size)
{
    if (!ms_payload_is_large(size))
        return malloc(size);
    uint8_t *block = ms_block_new(size);
    return block == NULL ? NULL : block - LEAD_SIZE;
}

uint8_t *ms_payload_copy(const uint8_t *bytes, uint64_t size)
{
    uint8_t *payload = ms_payload_new(size);
    return payload == NULL ? NULL : memcpy(payload, bytes, size);
}

void ms_payload_free_large(void *payload)
{
    if (payload != NULL)
        ms_block_free(block_of(payload));
}

ms_payload_release ms_payload_release_of(uint64_t size)
{
    return ms_payload_is_large(size) ? ms_payload_free_large : free;
}

void ms_payload_free(uint8_t *payload, uint64_t size)
{
    ms_payload_release_of(size)(payload);
}

uint8_t *ms_payload_resize(uint8_t *payload, uint64_t used_size, uint64_t size)
{
    uint8_t *block = block_of(payload);
    uint64_t lead_size = (uint64_t)(block - payload), used = used_size > lead_size ? used_size - lead_size : 0;
    block = ms_block_resize(block, used, size);
    return block == NULL ? NULL : block - lead_size;
}

uint64_t ms_payload_room(const uint8_t *payload)
{
    const uint8_t *block = block_of(payload);
    return ms_block_room(block) + (uint64_t)(block - payload);
}

void ms_payload_behead(uint8_t *payload, void *at)
{
    ms_block_behead(block_of(payload), at);
}
