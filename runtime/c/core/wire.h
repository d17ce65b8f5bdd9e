/* The wire without any I/O: headers and the payloads of control messages, from bytes and to bytes.
 *
 * The constants stand in ms.h; how bytes travel is left to net/, what messages mean to master/ and slave/. Nothing read here is
 * believed: every decoder checks what it reads against the bytes that are there and the limits it is given, and answers with
 * MS_WIRE_FINE or with what is wrong. Strings that come from a peer are cut to printable ASCII, so they can stand in a log line. */
#ifndef MS_WIRE_H
#define MS_WIRE_H

#include "core/bytes.h"
#include "ms.h"

typedef struct ms_header {
    int32_t ordinal;
    uint32_t jid; /* the kind (ms_control), when ordinal is 0 */
    uint32_t length;
} ms_header;

typedef enum ms_wire_result {
    MS_WIRE_FINE,
    MS_WIRE_BAD_ORDINAL,
    MS_WIRE_BAD_JID,
    MS_WIRE_BAD_KIND,
    MS_WIRE_TOO_LONG,
    MS_WIRE_BAD_PAYLOAD,
    MS_WIRE_BAD_MAGIC,
    MS_WIRE_BAD_VERSION,
    MS_WIRE_NO_KEY,    /* a slave that knows of no key came to a master that has one */
    MS_WIRE_KEYED,     /* the other way round, as the master sees it */
    MS_WIRE_KEYLESS,   /* and as the slave does */
    MS_WIRE_OTHER_KEY,
    MS_WIRE_FORGED
} ms_wire_result;

/* What is wrong, for a log line: "its message has no such ordinal". */
const char *ms_wire_text(ms_wire_result result);

/* Which end reads: it decides what may come. A slave stands before a process of its own as a master that has more to say. */
typedef enum ms_wire_side { MS_FROM_MASTER, MS_FROM_SLAVE, MS_FROM_OWN_SLAVE } ms_wire_side;

typedef struct ms_wire_rules {
    ms_wire_side side;
    bool greeting; /* nothing but the handshake may come yet */
    uint32_t job_count;
    uint32_t payload_max;
} ms_wire_rules;

enum {
    MS_GREETING_MAX = 1024, /* bytes in the payload of a hello, welcome or refuse */
    MS_PING_MAX = 64,
    MS_NAME_MAX = 255,       /* bytes in a host name or a target */
    MS_SLOTS_MAX = 65536,
    MS_OUTPUT_HEAD_SIZE = 5, /* what stands before the text of an output message */
    MS_RECALLED_MAX = 1 << 20,
    MS_IDENTITY_SIZE = 16,   /* random bytes that tell slaves, or masters, from one another */
    MS_PARTS_MAX = 1 << 16,  /* in one run */
    MS_CAUSE_MAX = 64,       /* bytes of what a worker died of */
    MS_HOLES_MAX = 1 << 21 /* in one spawn */
};
#define MS_JID_MAX 2147483647u

void ms_header_encode(uint8_t bytes[MS_HEADER_SIZE], ms_header header);
ms_header ms_header_decode(const uint8_t bytes[MS_HEADER_SIZE]);
/* Whether a message with this header may come; asked before any of its payload is waited for. */
ms_wire_result ms_header_check(const ms_header *header, const ms_wire_rules *rules);

void ms_put_u32(uint8_t *bytes, uint32_t value);
uint32_t ms_get_u32(const uint8_t *bytes);
void ms_put_u64(uint8_t *bytes, uint64_t value);
uint64_t ms_get_u64(const uint8_t *bytes);

typedef struct ms_hello {
    uint8_t fingerprint[32];
    uint32_t slots;
    uint32_t pid;
    uint8_t identity[MS_IDENTITY_SIZE]; /* the slave's, as long as it lives; all zero: it will not come back */
    uint8_t session[MS_IDENTITY_SIZE];  /* of the master that it served last; all zero: none. With that one's own it is followed by an offer */
    char host[MS_NAME_MAX + 1];
    char target[MS_NAME_MAX + 1];
    uint64_t blobs_max; /* bytes of blobs that it keeps; 0: it knows nothing of blobs */
} ms_hello;

/* Magic, version, fingerprint, slots, pid, identity, session, host, target, and what it keeps of blobs, which may be missing. False: no
 * memory. */
bool ms_hello_encode(ms_bytes *payload, const ms_hello *hello);
ms_wire_result ms_hello_decode(ms_hello *hello, const uint8_t *payload, size_t size);

typedef struct ms_welcome {
    uint32_t heartbeat_ms; /* how often the master pings */
    uint32_t payload_max;
    uint8_t session[MS_IDENTITY_SIZE]; /* the master's, as long as it lives */
} ms_welcome;

bool ms_welcome_encode(ms_bytes *payload, const ms_welcome *welcome);
ms_wire_result ms_welcome_decode(ms_welcome *welcome, const uint8_t *payload, size_t size);

/* The payload of a failure: whether it holds the message that its first 4 bytes promise. */
typedef struct ms_failure_view {
    const char *message;
    uint32_t message_size;
    const char *story;
    uint32_t story_size;
} ms_failure_view;
ms_wire_result ms_failure_decode(ms_failure_view *view, const uint8_t *payload, size_t size);

/* Copies at most `capacity` - 1 bytes to `text` and ends them with NUL; what is not printable ASCII becomes "?". */
void ms_printable(char *text, size_t capacity, const void *bytes, size_t size);
#endif
