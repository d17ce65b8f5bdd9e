/* The decoders of control payloads, and what they decode encoded again: hello, welcome, failure, header. */
#include "fuzz/fuzz.h"

#include <string.h>

static void check_hello(const uint8_t *data, size_t size)
{
    ms_hello hello, again;
    ms_bytes bytes = {0};
    if (ms_hello_decode(&hello, data, size) != MS_WIRE_FINE)
        return;
    MUST(hello.slots >= 1 && hello.slots <= MS_SLOTS_MAX);
    for (const char *at = hello.host; *at != '\0'; at++)
        MUST(*at >= 0x20 && *at < 0x7f);
    MUST(ms_hello_encode(&bytes, &hello));
    MUST(bytes.size <= MS_GREETING_MAX);
    MUST(ms_hello_decode(&again, bytes.data, bytes.size) == MS_WIRE_FINE);
    MUST(strcmp(hello.host, again.host) == 0 && strcmp(hello.target, again.target) == 0 && hello.slots == again.slots);
    ms_bytes_free(&bytes);
}

static void check_welcome(const uint8_t *data, size_t size)
{
    ms_welcome welcome;
    ms_bytes bytes = {0};
    if (ms_welcome_decode(&welcome, data, size) != MS_WIRE_FINE)
        return;
    MUST(ms_welcome_encode(&bytes, &welcome));
    MUST(bytes.size == size && memcmp(bytes.data, data, size) == 0);
    ms_bytes_free(&bytes);
}

static void check_failure(const uint8_t *data, size_t size)
{
    ms_failure_view view;
    if (ms_failure_decode(&view, data, size) != MS_WIRE_FINE)
        return;
    MUST((size_t)view.message_size + view.story_size + 4 == size);
    MUST((const uint8_t *)view.message == data + 4 && (const uint8_t *)view.story + view.story_size == data + size);
}

static void check_header(const uint8_t *data, size_t size)
{
    uint8_t bytes[MS_HEADER_SIZE];
    if (size < MS_HEADER_SIZE + 6)
        return;
    ms_header header = ms_header_decode(data);
    ms_header_encode(bytes, header);
    MUST(memcmp(bytes, data, sizeof bytes) == 0);
    data += MS_HEADER_SIZE;
    ms_wire_rules rules = {data[0] & 1 ? MS_FROM_SLAVE : MS_FROM_MASTER, (data[0] & 2) != 0, data[1], ms_get_u32(data + 2)};
    if (ms_header_check(&header, &rules) != MS_WIRE_FINE)
        return;
    MUST(header.ordinal == 0 || (header.jid != 0 && header.jid <= MS_JID_MAX && header.length <= rules.payload_max));
    MUST(header.ordinal <= (int32_t)rules.job_count && header.ordinal >= -(int32_t)rules.job_count);
    MUST(!rules.greeting || (header.ordinal == 0 && header.length <= MS_GREETING_MAX));
}

/* The first byte chooses; the rest lies in a block of its own, so that reading past it is seen. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    uint8_t choice = data[0];
    uint8_t *block = malloc(size);
    MUST(block != NULL);
    memcpy(block, data + 1, size - 1);
    switch (choice % 4) {
    case 0: check_hello(block, size - 1); break;
    case 1: check_welcome(block, size - 1); break;
    case 2: check_failure(block, size - 1); break;
    default: check_header(block, size - 1); break;
    }
    free(block);
    return 0;
}
