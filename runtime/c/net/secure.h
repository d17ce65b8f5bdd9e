/* One connection's encryption: the handshake, then records. Bytes in, bytes out: no socket, no clock; conn reads and writes for it.
 * The words are in docs/protocol.md.
 *
 * The slave speaks first. Until both have proved that they know the key nothing of what the other end says goes anywhere; whatever is not
 * authentic, repeated, left out, out of order, or comes from this end itself, ends it (`ms_secure_wrong`).
 *
 * Reading and writing share nothing once the handshake is over, so each may be done by another thread (one at a time). */
#ifndef MS_SECURE_H
#define MS_SECURE_H

#include "core/wire.h"
#include "net/crypto.h"

#include <sys/uio.h>

enum {
    MS_RECORD_MAX = 64 << 10, /* bytes encrypted at once, at most */
    MS_RECORD_HEAD_SIZE = 4,
    MS_RECORD_OVERHEAD = MS_RECORD_HEAD_SIZE + MS_CRYPTO_TAG_SIZE,
    MS_RECORDS_FOR_A_KEY = 1 << 16, /* then comes the next key */
    MS_PREAMBLE_SIZE = 8
};

typedef struct ms_key {
    bool known;
    uint8_t bytes[MS_CRYPTO_KEY_SIZE];
} ms_key;

typedef enum ms_secure_role { MS_SECURE_MASTER, MS_SECURE_SLAVE } ms_secure_role;

typedef struct ms_secure ms_secure;

/* `secret` is for tests; null: a random one. Null: no memory, or no encryption in this program. */
ms_secure *ms_secure_create(ms_secure_role role, const ms_key *key, const uint8_t *secret);
/* Nothing happens for null. */
void ms_secure_destroy(ms_secure *secure);

/* What the handshake has to say, to be written at once; it is small. `*size` 0: nothing. It is given once. */
const uint8_t *ms_secure_output(ms_secure *secure, size_t *size);
/* The handshake is over: bytes may be sealed. */
bool ms_secure_is_open(const ms_secure *secure);
/* What is wrong with what came; then nothing more comes out. */
ms_wire_result ms_secure_wrong(const ms_secure *secure);
/* Whether that is an answer of the other end, about keys or versions: trying again is of no use. */
bool ms_secure_is_refusal(ms_wire_result result);

/* Reading: where the bytes of the socket belong, how many have been put there, and how many of what they say came out. Asked for room only
 * while ms_secure_has_more says no. */
uint8_t *ms_secure_room(ms_secure *secure, size_t *size);
void ms_secure_arrived(ms_secure *secure, size_t size);
size_t ms_secure_open(ms_secure *secure, uint8_t *bytes, size_t room);
/* ms_secure_open would give more without anything having arrived. */
bool ms_secure_has_more(const ms_secure *secure);

/* Writing: takes the beginning of the parts into records, when all that was sealed before has been sent; gives the records. */
const uint8_t *ms_secure_seal(ms_secure *secure, const struct iovec *parts, int part_count, size_t *size);
/* What of the records is still to be sent; `*size` 0: nothing. */
const uint8_t *ms_secure_sealed(const ms_secure *secure, size_t *size);
/* So many of their bytes have been sent: how many of the parts' that stands for. All of them, once all are sent. */
size_t ms_secure_sent(ms_secure *secure, size_t size);

/* What is sent to one that greets with a key where there is none, and whether it does (`bytes` has MS_PREAMBLE_SIZE bytes). */
bool ms_secure_is_preamble(const uint8_t *bytes);
void ms_secure_keyless_alert(uint8_t alert[MS_PREAMBLE_SIZE]);
#endif
