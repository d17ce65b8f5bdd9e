/* The primitives, from libsodium; and what stands in their place without it. */
#include "net/crypto.h"

#include <stdlib.h>
#include <string.h>

#ifdef MS_SODIUM
#include <sodium.h>

enum { HASH_BLOCK_SIZE = 128, NONCE_SIZE = 12 };

_Static_assert(sizeof(crypto_aead_aes256gcm_state) <= sizeof(((ms_aead *)0)->expanded), "an expanded key fits");
_Static_assert(crypto_aead_aes256gcm_NPUBBYTES == NONCE_SIZE && crypto_aead_chacha20poly1305_ietf_NPUBBYTES == NONCE_SIZE, "nonces");
_Static_assert(crypto_aead_aes256gcm_ABYTES == MS_CRYPTO_TAG_SIZE && crypto_aead_chacha20poly1305_ietf_ABYTES == MS_CRYPTO_TAG_SIZE,
               "tags");

bool ms_crypto_is_built_in(void)
{
    return true;
}

bool ms_crypto_start(void)
{
    return sodium_init() >= 0;
}

uint32_t ms_crypto_ciphers(void)
{
    return crypto_aead_aes256gcm_is_available() ? MS_CIPHER_CHACHA | MS_CIPHER_AES : MS_CIPHER_CHACHA;
}

void ms_crypto_random(void *bytes, size_t size)
{
    randombytes_buf(bytes, size);
}

void ms_crypto_wipe(void *bytes, size_t size)
{
    sodium_memzero(bytes, size);
}

void ms_crypto_public(uint8_t public[MS_CRYPTO_KEY_SIZE], const uint8_t secret[MS_CRYPTO_KEY_SIZE])
{
    crypto_scalarmult_base(public, secret);
}

bool ms_crypto_agree(uint8_t shared[MS_CRYPTO_KEY_SIZE], const uint8_t secret[MS_CRYPTO_KEY_SIZE],
                     const uint8_t public[MS_CRYPTO_KEY_SIZE])
{
    return crypto_scalarmult(shared, secret, public) == 0;
}

void ms_crypto_hash(uint8_t hash[MS_CRYPTO_HASH_SIZE], const void *first, size_t first_size, const void *second, size_t second_size)
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, MS_CRYPTO_HASH_SIZE);
    crypto_generichash_update(&state, first, first_size);
    crypto_generichash_update(&state, second, second_size);
    crypto_generichash_final(&state, hash, MS_CRYPTO_HASH_SIZE);
}

/* libsodium has HMAC for SHA-2 only. */
void ms_crypto_hmac(uint8_t hash[MS_CRYPTO_HASH_SIZE], const void *key, size_t key_size, const void *first, size_t first_size,
                    const void *second, size_t second_size)
{
    uint8_t pad[HASH_BLOCK_SIZE] = {0}, inner[MS_CRYPTO_HASH_SIZE];
    crypto_generichash_state state;
    memcpy(pad, key, key_size);
    for (int i = 0; i < HASH_BLOCK_SIZE; i++)
        pad[i] ^= 0x36;
    crypto_generichash_init(&state, NULL, 0, MS_CRYPTO_HASH_SIZE);
    crypto_generichash_update(&state, pad, sizeof pad);
    crypto_generichash_update(&state, first, first_size);
    crypto_generichash_update(&state, second, second_size);
    crypto_generichash_final(&state, inner, sizeof inner);
    for (int i = 0; i < HASH_BLOCK_SIZE; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    ms_crypto_hash(hash, pad, sizeof pad, inner, sizeof inner);
    ms_crypto_wipe(pad, sizeof pad);
    ms_crypto_wipe(&state, sizeof state);
}

void ms_crypto_next_key(uint8_t key[MS_CRYPTO_KEY_SIZE])
{
    static const uint8_t label[] = {'M', '/', 's', ' ', 'n', 'e', 'x', 't', ' ', 'k', 'e', 'y'};
    uint8_t next[MS_CRYPTO_KEY_SIZE];
    crypto_generichash(next, sizeof next, label, sizeof label, key, MS_CRYPTO_KEY_SIZE);
    memcpy(key, next, sizeof next);
    ms_crypto_wipe(next, sizeof next);
}

void ms_aead_setup(ms_aead *aead, ms_cipher cipher, const uint8_t key[MS_CRYPTO_KEY_SIZE])
{
    aead->cipher = cipher;
    memcpy(aead->key, key, MS_CRYPTO_KEY_SIZE);
    if (cipher == MS_CIPHER_AES)
        crypto_aead_aes256gcm_beforenm((crypto_aead_aes256gcm_state *)(void *)aead->expanded, aead->key);
}

/* Four zero bytes, then the counter, little-endian. */
static void put_nonce(uint8_t nonce[NONCE_SIZE], uint64_t counter)
{
    memset(nonce, 0, 4);
    for (int i = 0; i < 8; i++)
        nonce[4 + i] = (uint8_t)(counter >> 8 * i);
}

void ms_aead_seal(const ms_aead *aead, uint64_t counter, const void *head, size_t head_size, uint8_t *sealed, const uint8_t *bytes,
                  size_t size)
{
    uint8_t nonce[NONCE_SIZE];
    put_nonce(nonce, counter);
    if (aead->cipher == MS_CIPHER_AES)
        crypto_aead_aes256gcm_encrypt_afternm(sealed, NULL, bytes, size, head, head_size, NULL, nonce,
                                              (const crypto_aead_aes256gcm_state *)(const void *)aead->expanded);
    else
        crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, bytes, size, head, head_size, NULL, nonce, aead->key);
}

bool ms_aead_open(const ms_aead *aead, uint64_t counter, const void *head, size_t head_size, uint8_t *bytes, const uint8_t *sealed,
                  size_t size)
{
    uint8_t nonce[NONCE_SIZE];
    size_t sealed_size = size + MS_CRYPTO_TAG_SIZE;
    put_nonce(nonce, counter);
    if (aead->cipher == MS_CIPHER_AES)
        return crypto_aead_aes256gcm_decrypt_afternm(bytes, NULL, NULL, sealed, sealed_size, head, head_size, nonce,
                                                     (const crypto_aead_aes256gcm_state *)(const void *)aead->expanded) == 0;
    return crypto_aead_chacha20poly1305_ietf_decrypt(bytes, NULL, NULL, sealed, sealed_size, head, head_size, nonce, aead->key) == 0;
}

#else

bool ms_crypto_is_built_in(void)
{
    return false;
}

bool ms_crypto_start(void)
{
    return false;
}

/* Nobody comes here after ms_crypto_start has said no. */

uint32_t ms_crypto_ciphers(void)
{
    abort();
}

void ms_crypto_random(void *bytes, size_t size)
{
    (void)bytes, (void)size;
    abort();
}

void ms_crypto_wipe(void *bytes, size_t size)
{
    (void)bytes, (void)size;
    abort();
}

void ms_crypto_public(uint8_t public[MS_CRYPTO_KEY_SIZE], const uint8_t secret[MS_CRYPTO_KEY_SIZE])
{
    (void)public, (void)secret;
    abort();
}

bool ms_crypto_agree(uint8_t shared[MS_CRYPTO_KEY_SIZE], const uint8_t secret[MS_CRYPTO_KEY_SIZE],
                     const uint8_t public[MS_CRYPTO_KEY_SIZE])
{
    (void)shared, (void)secret, (void)public;
    abort();
}

void ms_crypto_hash(uint8_t hash[MS_CRYPTO_HASH_SIZE], const void *first, size_t first_size, const void *second, size_t second_size)
{
    (void)hash, (void)first, (void)first_size, (void)second, (void)second_size;
    abort();
}

void ms_crypto_hmac(uint8_t hash[MS_CRYPTO_HASH_SIZE], const void *key, size_t key_size, const void *first, size_t first_size,
                    const void *second, size_t second_size)
{
    (void)hash, (void)key, (void)key_size, (void)first, (void)first_size, (void)second, (void)second_size;
    abort();
}

void ms_crypto_next_key(uint8_t key[MS_CRYPTO_KEY_SIZE])
{
    (void)key;
    abort();
}

void ms_aead_setup(ms_aead *aead, ms_cipher cipher, const uint8_t key[MS_CRYPTO_KEY_SIZE])
{
    (void)aead, (void)cipher, (void)key;
    abort();
}

void ms_aead_seal(const ms_aead *aead, uint64_t counter, const void *head, size_t head_size, uint8_t *sealed, const uint8_t *bytes,
                  size_t size)
{
    (void)aead, (void)counter, (void)head, (void)head_size, (void)sealed, (void)bytes, (void)size;
    abort();
}

bool ms_aead_open(const ms_aead *aead, uint64_t counter, const void *head, size_t head_size, uint8_t *bytes, const uint8_t *sealed,
                  size_t size)
{
    (void)aead, (void)counter, (void)head, (void)head_size, (void)bytes, (void)sealed, (void)size;
    abort();
}

#endif
