/* Headers and control payloads. Explicit puts and gets, no struct casts. */
#include "core/wire.h"

#include <string.h>

const char *ms_wire_text(ms_wire_result result)
{
    switch (result) {
    case MS_WIRE_FINE: return "nothing is wrong";
    case MS_WIRE_BAD_ORDINAL: return "a message has an ordinal that does not exist";
    case MS_WIRE_BAD_JID: return "a message has a jid that does not exist";
    case MS_WIRE_BAD_KIND: return "a control message of a kind that may not come now";
    case MS_WIRE_TOO_LONG: return "a message is longer than allowed";
    case MS_WIRE_BAD_PAYLOAD: return "a message has a payload that does not fit its kind";
    case MS_WIRE_BAD_MAGIC: return "it does not speak the protocol of M/s";
    case MS_WIRE_BAD_VERSION: return "it speaks another version of the protocol";
    case MS_WIRE_NO_KEY: return "it has no key: start it with --key-file";
    case MS_WIRE_KEYED: return "it has a key, and this master runs with --insecure";
    case MS_WIRE_KEYLESS: return "it runs with --insecure and has no key: start it with --key-file";
    case MS_WIRE_OTHER_KEY: return "it has another key: give both ends the same --key-file";
    case MS_WIRE_FORGED: return "what came is not authentic: it was damaged or changed on the way";
    }
    return "something is wrong";
}

void ms_put_u32(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
    bytes[2] = (uint8_t)(value >> 16);
    bytes[3] = (uint8_t)(value >> 24);
}

uint32_t ms_get_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

void ms_put_u64(uint8_t *bytes, uint64_t value)
{
    ms_put_u32(bytes, (uint32_t)value);
    ms_put_u32(bytes + 4, (uint32_t)(value >> 32));
}

uint64_t ms_get_u64(const uint8_t *bytes)
{
    return (uint64_t)ms_get_u32(bytes) | (uint64_t)ms_get_u32(bytes + 4) << 32;
}

void ms_header_encode(uint8_t bytes[MS_HEADER_SIZE], ms_header header)
{
    ms_put_u32(bytes, (uint32_t)header.ordinal);
    ms_put_u32(bytes + 4, header.jid);
    ms_put_u32(bytes + 8, header.length);
}

ms_header ms_header_decode(const uint8_t bytes[MS_HEADER_SIZE])
{
    return (ms_header){.ordinal = (int32_t)ms_get_u32(bytes),
                       .jid = ms_get_u32(bytes + 4),
                       .length = ms_get_u32(bytes + 8)};
}

/* How long the payload of a control message may be; a kind that may not come from that side has no range. */
typedef struct length_range {
    bool allowed;
    uint32_t minimum, maximum;
} length_range;

/* A payload with a head in front. */
static uint32_t with_head(uint32_t payload_max, uint32_t head_size)
{
    return payload_max > UINT32_MAX - head_size ? UINT32_MAX : payload_max + head_size;
}

static length_range range_from_master(uint32_t kind, uint32_t payload_max)
{
    switch (kind) {
    case MS_BLOB: return (length_range){true, 0, payload_max};
    case MS_RUN:
        return (length_range){true, MS_RUN_HEAD_SIZE, with_head(payload_max, MS_RUN_HEAD_SIZE + MS_PARTS_MAX * MS_RUN_PART_SIZE)};
    case MS_FORGET: return (length_range){true, 4, MS_RECALLED_MAX};
    case MS_RESULT: return (length_range){true, MS_RESULT_HEAD_SIZE, UINT32_MAX}; /* the master's limit may be above ours */
    case MS_PING:
    case MS_PONG: return (length_range){true, 0, MS_PING_MAX};
    case MS_CANCEL: return (length_range){true, 4, 4};
    case MS_RECALL: return (length_range){true, 4, MS_RECALLED_MAX};
    case MS_OFFER: return (length_range){true, 0, MS_RECALLED_MAX};
    case MS_REFUSE: return (length_range){true, 0, MS_GREETING_MAX};
    case MS_BYE: return (length_range){true, 0, 0};
    case MS_CLOCK: return (length_range){true, 8, 8};
    default: return (length_range){false, 0, 0};
    }
}

static length_range range_from_slave(uint32_t kind, uint32_t payload_max)
{
    switch (kind) {
    case MS_PING:
    case MS_PONG: return (length_range){true, 0, MS_PING_MAX};
    case MS_RECALLED: return (length_range){true, 0, MS_RECALLED_MAX};
    case MS_OFFER: return (length_range){true, 4, MS_RECALLED_MAX};
    case MS_SPAWN:
        return (length_range){true, MS_SPAWN_HEAD_SIZE,
                              with_head(payload_max, MS_SPAWN_HEAD_SIZE + MS_HOLES_MAX * MS_SPAWN_HOLE_SIZE)};
    case MS_CANCEL:
    case MS_LENT:
    case MS_REGAINED: return (length_range){true, 4, 4};
    case MS_RELEASE: return (length_range){true, 4, MS_RECALLED_MAX};
    case MS_OUTPUT: return (length_range){true, MS_OUTPUT_HEAD_SIZE, payload_max};
    case MS_CRASHED: return (length_range){true, 4, 4 + MS_CAUSE_MAX};
    case MS_CLOCK: return (length_range){true, 16, 16};
    case MS_TOOK: return (length_range){true, MS_TOOK_SIZE, MS_TOOK_SIZE};
    case MS_TIMED: return (length_range){true, MS_TIMED_HEAD_SIZE, MS_TIMED_HEAD_SIZE + MS_TIMED_WAITS_MAX * MS_TIMED_WAIT_SIZE};
    case MS_BYE: return (length_range){true, 0, 0};
    default: return (length_range){false, 0, 0};
    }
}

/* It puts the arguments of jobs together itself. */
static length_range range_from_own_slave(uint32_t kind, uint32_t payload_max)
{
    if (kind == MS_BLOB || kind == MS_RUN || kind == MS_FORGET)
        return (length_range){false, 0, 0};
    return kind == MS_REGAINED ? (length_range){true, 4, 4} : range_from_master(kind, payload_max);
}

static length_range range_of_control(uint32_t kind, const ms_wire_rules *rules)
{
    if (rules->greeting) {
        bool allowed = rules->side == MS_FROM_SLAVE ? kind == MS_HELLO : kind == MS_WELCOME || kind == MS_REFUSE;
        return (length_range){allowed, 0, MS_GREETING_MAX};
    }
    switch (rules->side) {
    case MS_FROM_MASTER: return range_from_master(kind, rules->payload_max);
    case MS_FROM_OWN_SLAVE: return range_from_own_slave(kind, rules->payload_max);
    case MS_FROM_SLAVE: break;
    }
    return range_from_slave(kind, rules->payload_max);
}

ms_wire_result ms_header_check(const ms_header *header, const ms_wire_rules *rules)
{
    if (header->ordinal == 0) {
        length_range range = range_of_control(header->jid, rules);
        if (!range.allowed)
            return MS_WIRE_BAD_KIND;
        return header->length < range.minimum || header->length > range.maximum ? MS_WIRE_TOO_LONG : MS_WIRE_FINE;
    }
    if (rules->greeting)
        return MS_WIRE_BAD_MAGIC;
    int64_t ordinal = header->ordinal;
    if (ordinal > (int64_t)rules->job_count || -ordinal > (int64_t)rules->job_count)
        return MS_WIRE_BAD_ORDINAL;
    if (ordinal < 0 && rules->side != MS_FROM_SLAVE)
        return MS_WIRE_BAD_ORDINAL;
    if (header->jid == 0 || header->jid > MS_JID_MAX)
        return MS_WIRE_BAD_JID;
    return header->length > rules->payload_max ? MS_WIRE_TOO_LONG : MS_WIRE_FINE;
}

/* A reader for greetings: `at` moves on, and stays null once something was missing. */
static const uint8_t *take(const uint8_t **at, const uint8_t *end, size_t size)
{
    if (*at == NULL || (size_t)(end - *at) < size) {
        *at = NULL;
        return NULL;
    }
    const uint8_t *taken = *at;
    *at += size;
    return taken;
}

static uint32_t take_u32(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *bytes = take(at, end, 4);
    return bytes == NULL ? 0 : ms_get_u32(bytes);
}

static uint64_t take_u64(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *bytes = take(at, end, 8);
    return bytes == NULL ? 0 : ms_get_u64(bytes);
}

static void take_bytes(uint8_t *to, size_t size, const uint8_t **at, const uint8_t *end)
{
    const uint8_t *bytes = take(at, end, size);
    if (bytes != NULL)
        memcpy(to, bytes, size);
}

static void take_name(char name[MS_NAME_MAX + 1], const uint8_t **at, const uint8_t *end)
{
    uint32_t size = take_u32(at, end);
    if (size > MS_NAME_MAX)
        *at = NULL;
    const uint8_t *bytes = take(at, end, size);
    ms_printable(name, MS_NAME_MAX + 1, bytes, bytes == NULL ? 0 : size);
}

static bool put_name(ms_bytes *payload, const char *name)
{
    uint8_t head[4];
    size_t size = strlen(name);
    ms_put_u32(head, (uint32_t)size);
    return ms_bytes_append(payload, head, 4) && ms_bytes_append(payload, name, size);
}

bool ms_hello_encode(ms_bytes *payload, const ms_hello *hello)
{
    uint8_t head[48 + 2 * MS_IDENTITY_SIZE];
    memcpy(head, MS_HELLO_MAGIC, 4);
    ms_put_u32(head + 4, MS_PROTOCOL_VERSION);
    memcpy(head + 8, hello->fingerprint, 32);
    ms_put_u32(head + 40, hello->slots);
    ms_put_u32(head + 44, hello->pid);
    memcpy(head + 48, hello->identity, MS_IDENTITY_SIZE);
    memcpy(head + 48 + MS_IDENTITY_SIZE, hello->session, MS_IDENTITY_SIZE);
    uint8_t blobs_max[8];
    ms_put_u64(blobs_max, hello->blobs_max);
    return ms_bytes_append(payload, head, sizeof head) && put_name(payload, hello->host) && put_name(payload, hello->target) &&
           ms_bytes_append(payload, blobs_max, hello->blobs_max == 0 ? 0 : sizeof blobs_max);
}

ms_wire_result ms_hello_decode(ms_hello *hello, const uint8_t *payload, size_t size)
{
    const uint8_t *at = payload, *end = payload + size;
    *hello = (ms_hello){0};
    const uint8_t *magic = take(&at, end, 4);
    if (magic == NULL || memcmp(magic, MS_HELLO_MAGIC, 4) != 0)
        return MS_WIRE_BAD_MAGIC;
    if (take_u32(&at, end) != MS_PROTOCOL_VERSION)
        return MS_WIRE_BAD_VERSION;
    take_bytes(hello->fingerprint, sizeof hello->fingerprint, &at, end);
    hello->slots = take_u32(&at, end);
    hello->pid = take_u32(&at, end);
    take_bytes(hello->identity, MS_IDENTITY_SIZE, &at, end);
    take_bytes(hello->session, MS_IDENTITY_SIZE, &at, end);
    take_name(hello->host, &at, end);
    take_name(hello->target, &at, end);
    if (at != NULL && at != end)
        hello->blobs_max = take_u64(&at, end);
    return at != end || hello->slots == 0 || hello->slots > MS_SLOTS_MAX ? MS_WIRE_BAD_PAYLOAD : MS_WIRE_FINE;
}

bool ms_welcome_encode(ms_bytes *payload, const ms_welcome *welcome)
{
    uint8_t bytes[8 + MS_IDENTITY_SIZE];
    ms_put_u32(bytes, welcome->heartbeat_ms);
    ms_put_u32(bytes + 4, welcome->payload_max);
    memcpy(bytes + 8, welcome->session, MS_IDENTITY_SIZE);
    return ms_bytes_append(payload, bytes, sizeof bytes);
}

ms_wire_result ms_welcome_decode(ms_welcome *welcome, const uint8_t *payload, size_t size)
{
    const uint8_t *at = payload, *end = payload + size;
    welcome->heartbeat_ms = take_u32(&at, end);
    welcome->payload_max = take_u32(&at, end);
    take_bytes(welcome->session, MS_IDENTITY_SIZE, &at, end);
    return at != end || welcome->heartbeat_ms == 0 ? MS_WIRE_BAD_PAYLOAD : MS_WIRE_FINE;
}

ms_wire_result ms_failure_decode(ms_failure_view *view, const uint8_t *payload, size_t size)
{
    const uint8_t *at = payload, *end = payload + size;
    *view = (ms_failure_view){0};
    uint32_t message_size = take_u32(&at, end);
    const uint8_t *message = take(&at, end, message_size);
    if (message == NULL)
        return MS_WIRE_BAD_PAYLOAD;
    *view = (ms_failure_view){(const char *)message, message_size, (const char *)at, (uint32_t)(end - at)};
    return MS_WIRE_FINE;
}

void ms_printable(char *text, size_t capacity, const void *bytes, size_t size)
{
    const uint8_t *source = bytes;
    if (size > capacity - 1)
        size = capacity - 1;
    for (size_t i = 0; i < size; i++)
        text[i] = source[i] >= 0x20 && source[i] < 0x7f ? (char)source[i] : '?';
    text[size] = '\0';
}
