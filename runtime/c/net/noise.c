/* The handshake. The functions have the names that the Noise specification gives them. */
#include "net/noise.h"

#include <string.h>

static const char protocol_name[] = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b";

/* `count` outputs, of which the last may be wanted by its first half only. */
static void hkdf(const uint8_t chaining[MS_CRYPTO_HASH_SIZE], const void *material, size_t size, int count,
                 uint8_t outputs[][MS_CRYPTO_HASH_SIZE])
{
    uint8_t temporary[MS_CRYPTO_HASH_SIZE];
    ms_crypto_hmac(temporary, chaining, MS_CRYPTO_HASH_SIZE, material, size, NULL, 0);
    for (int i = 0; i < count; i++) {
        uint8_t number = (uint8_t)(i + 1);
        ms_crypto_hmac(outputs[i], temporary, sizeof temporary, outputs[i == 0 ? 0 : i - 1], i == 0 ? 0 : MS_CRYPTO_HASH_SIZE, &number, 1);
    }
    ms_crypto_wipe(temporary, sizeof temporary);
}

static void mix_hash(ms_noise *noise, const void *bytes, size_t size)
{
    ms_crypto_hash(noise->hash, noise->hash, sizeof noise->hash, bytes, size);
}

static void set_key(ms_noise *noise, const uint8_t key[MS_CRYPTO_HASH_SIZE])
{
    ms_aead_setup(&noise->aead, MS_CIPHER_CHACHA, key);
    noise->counter = 0;
}

static void mix_key(ms_noise *noise, const uint8_t material[MS_CRYPTO_KEY_SIZE])
{
    uint8_t outputs[2][MS_CRYPTO_HASH_SIZE];
    hkdf(noise->chaining, material, MS_CRYPTO_KEY_SIZE, 2, outputs);
    memcpy(noise->chaining, outputs[0], MS_CRYPTO_HASH_SIZE);
    set_key(noise, outputs[1]);
    ms_crypto_wipe(outputs, sizeof outputs);
}

static void mix_key_and_hash(ms_noise *noise, const uint8_t material[MS_CRYPTO_KEY_SIZE])
{
    uint8_t outputs[3][MS_CRYPTO_HASH_SIZE];
    hkdf(noise->chaining, material, MS_CRYPTO_KEY_SIZE, 3, outputs);
    memcpy(noise->chaining, outputs[0], MS_CRYPTO_HASH_SIZE);
    mix_hash(noise, outputs[1], MS_CRYPTO_HASH_SIZE);
    set_key(noise, outputs[2]);
    ms_crypto_wipe(outputs, sizeof outputs);
}

/* The token e: with a pre-shared key, public keys go into the chaining key too. */
static void mix_public(ms_noise *noise, const uint8_t public[MS_CRYPTO_KEY_SIZE])
{
    mix_hash(noise, public, MS_CRYPTO_KEY_SIZE);
    mix_key(noise, public);
}

/* The token ee. */
static bool mix_shared(ms_noise *noise)
{
    uint8_t shared[MS_CRYPTO_KEY_SIZE];
    bool fine = ms_crypto_agree(shared, noise->secret, noise->remote);
    if (fine)
        mix_key(noise, shared);
    ms_crypto_wipe(shared, sizeof shared);
    return fine;
}

void ms_noise_begin(ms_noise *noise, bool initiator, const uint8_t key[MS_CRYPTO_KEY_SIZE], const void *prologue, size_t prologue_size,
                    const uint8_t *secret)
{
    memset(noise, 0, sizeof *noise);
    noise->initiator = initiator;
    memcpy(noise->hash, protocol_name, sizeof protocol_name - 1);
    memcpy(noise->chaining, noise->hash, sizeof noise->hash);
    mix_hash(noise, prologue, prologue_size);
    mix_key_and_hash(noise, key); /* the token psk, the first of the first message */
    if (secret == NULL)
        ms_crypto_random(noise->secret, sizeof noise->secret);
    else
        memcpy(noise->secret, secret, sizeof noise->secret);
    ms_crypto_public(noise->public, noise->secret);
}

bool ms_noise_write(ms_noise *noise, uint8_t *message, const void *payload, size_t size)
{
    uint8_t *sealed = message + MS_CRYPTO_KEY_SIZE;
    memcpy(message, noise->public, MS_CRYPTO_KEY_SIZE);
    mix_public(noise, noise->public);
    if (!noise->initiator && !mix_shared(noise))
        return false;
    ms_aead_seal(&noise->aead, noise->counter++, noise->hash, sizeof noise->hash, sealed, payload, size);
    mix_hash(noise, sealed, size + MS_CRYPTO_TAG_SIZE);
    return true;
}

bool ms_noise_read(ms_noise *noise, const uint8_t *message, void *payload, size_t size)
{
    const uint8_t *sealed = message + MS_CRYPTO_KEY_SIZE;
    memcpy(noise->remote, message, MS_CRYPTO_KEY_SIZE);
    mix_public(noise, noise->remote);
    if (noise->initiator && !mix_shared(noise))
        return false;
    if (!ms_aead_open(&noise->aead, noise->counter++, noise->hash, sizeof noise->hash, payload, sealed, size))
        return false;
    mix_hash(noise, sealed, size + MS_CRYPTO_TAG_SIZE);
    return true;
}

void ms_noise_split(ms_noise *noise, uint8_t sending[MS_CRYPTO_KEY_SIZE], uint8_t receiving[MS_CRYPTO_KEY_SIZE])
{
    uint8_t outputs[2][MS_CRYPTO_HASH_SIZE];
    hkdf(noise->chaining, NULL, 0, 2, outputs);
    memcpy(sending, outputs[noise->initiator ? 0 : 1], MS_CRYPTO_KEY_SIZE);
    memcpy(receiving, outputs[noise->initiator ? 1 : 0], MS_CRYPTO_KEY_SIZE);
    ms_crypto_wipe(outputs, sizeof outputs);
    ms_crypto_wipe(noise, sizeof *noise);
}
