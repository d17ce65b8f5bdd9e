/* The primitives of cryptography: X25519, BLAKE2b, and two ciphers that authenticate what they encrypt. What they are put together to is
 * left to noise and secure.
 *
 * crypto.c is the only file that knows libsodium. Built without it (MS_SODIUM is not defined), ms_crypto_start says no, and
 * then nothing else may be called. */
#ifndef MS_CRYPTO_H
#define MS_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MS_CRYPTO_KEY_SIZE = 32,  /* of every key: secret, public, shared, of a cipher */
    MS_CRYPTO_HASH_SIZE = 64,
    MS_CRYPTO_TAG_SIZE = 16   /* what a cipher adds */
};

/* Bits, so that a set of ciphers is a number. */
typedef enum ms_cipher { MS_CIPHER_CHACHA = 1 /* ChaCha20-Poly1305 */, MS_CIPHER_AES = 2 /* AES-256-GCM */ } ms_cipher;

bool ms_crypto_is_built_in(void);
/* Before anything else; cheap when it has been done. False: there is no libsodium in this program. */
bool ms_crypto_start(void);
/* Those that this machine has: ChaCha20-Poly1305 always, AES-256-GCM where the processor has instructions for it. */
uint32_t ms_crypto_ciphers(void);
void ms_crypto_random(void *bytes, size_t size);
/* Writes zeros that no compiler leaves out. */
void ms_crypto_wipe(void *bytes, size_t size);

void ms_crypto_public(uint8_t public[MS_CRYPTO_KEY_SIZE], const uint8_t secret[MS_CRYPTO_KEY_SIZE]);
/* X25519. False: the other's key is one of the few that make the shared one known to everybody. */
bool ms_crypto_agree(uint8_t shared[MS_CRYPTO_KEY_SIZE], const uint8_t secret[MS_CRYPTO_KEY_SIZE],
                     const uint8_t public[MS_CRYPTO_KEY_SIZE]);
/* BLAKE2b of `first`, then `second`. */
void ms_crypto_hash(uint8_t hash[MS_CRYPTO_HASH_SIZE], const void *first, size_t first_size, const void *second, size_t second_size);
/* HMAC of BLAKE2b over the same; the key has at most 128 bytes. */
void ms_crypto_hmac(uint8_t hash[MS_CRYPTO_HASH_SIZE], const void *key, size_t key_size, const void *first, size_t first_size,
                    const void *second, size_t second_size);
/* The key that follows a key: the keyed 32-byte BLAKE2b of "M/s next key". */
void ms_crypto_next_key(uint8_t key[MS_CRYPTO_KEY_SIZE]);

/* A cipher with its key. Each counter may be used once with a key. */
typedef struct ms_aead {
    _Alignas(16) uint8_t expanded[512]; /* of AES */
    uint8_t key[MS_CRYPTO_KEY_SIZE];
    ms_cipher cipher;
} ms_aead;

void ms_aead_setup(ms_aead *aead, ms_cipher cipher, const uint8_t key[MS_CRYPTO_KEY_SIZE]);
/* Encrypts `size` bytes to `sealed`, which gets MS_CRYPTO_TAG_SIZE more and may be where they lie. `head` is authenticated too. */
void ms_aead_seal(const ms_aead *aead, uint64_t counter, const void *head, size_t head_size, uint8_t *sealed, const uint8_t *bytes,
                  size_t size);
/* The way back, to `size` bytes, which may be where the sealed ones lie. False: they are not authentic. */
bool ms_aead_open(const ms_aead *aead, uint64_t counter, const void *head, size_t head_size, uint8_t *bytes, const uint8_t *sealed,
                  size_t size);
#endif
