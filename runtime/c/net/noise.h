/* The handshake Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b, to the letter of the Noise specification: who knows the key proves it, and
 * both ends get keys for this one connection, which nobody learns who steals the key later.
 *
 * Two messages, each a public key, then an encrypted payload: the initiator writes the first and reads the second, the other
 * end the other way round. Bytes in, bytes out; what is in the payloads and how messages travel is left to secure. A message that is
 * not authentic leaves a handshake that must not be used any more. */
#ifndef MS_NOISE_H
#define MS_NOISE_H

#include "net/crypto.h"

enum { MS_NOISE_OVERHEAD = MS_CRYPTO_KEY_SIZE + MS_CRYPTO_TAG_SIZE };

typedef struct ms_noise {
    bool initiator;
    uint8_t chaining[MS_CRYPTO_HASH_SIZE];
    uint8_t hash[MS_CRYPTO_HASH_SIZE]; /* of all that has been said */
    ms_aead aead;
    uint64_t counter;
    uint8_t secret[MS_CRYPTO_KEY_SIZE], public[MS_CRYPTO_KEY_SIZE];
    uint8_t remote[MS_CRYPTO_KEY_SIZE];
} ms_noise;

/* `prologue` is what both ends must agree on. `secret` is for tests; null: a random one. */
void ms_noise_begin(ms_noise *noise, bool initiator, const uint8_t key[MS_CRYPTO_KEY_SIZE], const void *prologue, size_t prologue_size,
                    const uint8_t *secret);
/* Writes MS_NOISE_OVERHEAD + size bytes. False: the other end's public key is no good. */
bool ms_noise_write(ms_noise *noise, uint8_t *message, const void *payload, size_t size);
/* Reads as many, and gives the payload. False: the message is not authentic. */
bool ms_noise_read(ms_noise *noise, const uint8_t *message, void *payload, size_t size);
/* After both messages: a key for each direction. Nothing else is left of the handshake. */
void ms_noise_split(ms_noise *noise, uint8_t sending[MS_CRYPTO_KEY_SIZE], uint8_t receiving[MS_CRYPTO_KEY_SIZE]);
#endif
