/* The handshake's preambles, records, and the keys that follow each other. */
#include "net/secure.h"

#include "net/noise.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    CIPHERS_SIZE = 4, /* the payload of both messages of the handshake */
    MESSAGE_SIZE = MS_PREAMBLE_SIZE + MS_NOISE_OVERHEAD + CIPHERS_SIZE,
    IN_SIZE = 4 * (MS_RECORD_MAX + MS_RECORD_OVERHEAD),
    OUT_SIZE = 4 * (MS_RECORD_MAX + MS_RECORD_OVERHEAD),
    DIRECT_SIZE = 4 << 10, /* from here on bytes are encrypted from where they lie, in records of their own */
    OUTPUT_SIZE = 256,
    VERSION = 1
};

/* A preamble: these four bytes, the version, an alert, two zeros. */
static const uint8_t magic[4] = {'M', '/', 's', 'k'};

typedef enum alert { ALERT_NONE = 0, ALERT_OTHER_KEY = 1, ALERT_KEYLESS = 2, ALERT_VERSION = 3 } alert;

static const char refusal[] = "this master lets in only slaves that have its key: start the slave with --key-file";

typedef enum secure_state {
    HANDSHAKE, /* the slave: for the master's message; the master: for the slave's */
    OPEN,
    WRONG
} secure_state;

/* One direction's cipher. */
typedef struct stream {
    ms_aead aead;
    uint8_t key[MS_CRYPTO_KEY_SIZE];
    uint64_t counter; /* of the records under this key */
} stream;

struct ms_secure {
    ms_secure_role role;
    ms_noise noise;
    uint8_t output[OUTPUT_SIZE];
    size_t output_size;

    /* The reader's. */
    secure_state state;
    ms_wire_result wrong;
    bool was_opened; /* never changes back, so the writer may look at it too */
    stream receiving;
    uint8_t *in; /* IN_SIZE bytes; those from in_start to in_end have arrived and are not opened */
    size_t in_start, in_end;
    uint8_t *opened; /* those of a record, in place, that there was no room for */
    size_t opened_size;

    /* The writer's. */
    _Alignas(64) stream sending;
    uint8_t *out; /* OUT_SIZE bytes; those from out_sent to out_end are sealed and not sent */
    size_t out_sent, out_end;
    size_t plain_size, credited_size; /* bytes that are sealed in `out`, and those of them that count as sent */
};

static void put_preamble(uint8_t bytes[MS_PREAMBLE_SIZE], alert code)
{
    memset(bytes, 0, MS_PREAMBLE_SIZE);
    memcpy(bytes, magic, sizeof magic);
    bytes[4] = VERSION;
    bytes[5] = (uint8_t)code;
}

static bool is_final(const uint8_t preamble[MS_PREAMBLE_SIZE])
{
    return preamble[6] == 0 && preamble[7] == 0;
}

/* ---- Streams ---- */

static void stream_begin(stream *s, uint32_t cipher, const uint8_t key[MS_CRYPTO_KEY_SIZE])
{
    memcpy(s->key, key, sizeof s->key);
    s->counter = 0;
    ms_aead_setup(&s->aead, (ms_cipher)cipher, s->key);
}

/* A key wears out, and the one that is in use should not tell what was said long ago. */
static void stream_step(stream *s)
{
    if (++s->counter < MS_RECORDS_FOR_A_KEY)
        return;
    ms_crypto_next_key(s->key);
    stream_begin(s, s->aead.cipher, s->key);
}

/* ---- The handshake ---- */

static void go_wrong(ms_secure *secure, ms_wire_result result)
{
    secure->state = WRONG;
    secure->wrong = result;
    secure->in_start = secure->in_end = 0;
}

static void alarm(ms_secure *secure, alert code, ms_wire_result result)
{
    put_preamble(secure->output, code);
    secure->output_size = MS_PREAMBLE_SIZE;
    go_wrong(secure, result);
}

static void open_with(ms_secure *secure, uint32_t cipher)
{
    uint8_t sending[MS_CRYPTO_KEY_SIZE], receiving[MS_CRYPTO_KEY_SIZE];
    ms_noise_split(&secure->noise, sending, receiving);
    stream_begin(&secure->sending, cipher, sending);
    stream_begin(&secure->receiving, cipher, receiving);
    ms_crypto_wipe(sending, sizeof sending);
    ms_crypto_wipe(receiving, sizeof receiving);
    secure->in_start += MESSAGE_SIZE;
    secure->state = OPEN;
    secure->was_opened = true;
}

static void say(ms_secure *secure, uint32_t ciphers)
{
    uint8_t payload[CIPHERS_SIZE];
    ms_put_u32(payload, ciphers);
    put_preamble(secure->output, ALERT_NONE);
    if (ms_noise_write(&secure->noise, secure->output + MS_PREAMBLE_SIZE, payload, sizeof payload))
        secure->output_size = MESSAGE_SIZE;
    else
        go_wrong(secure, MS_WIRE_FORGED);
}

/* A slave that knows of no key begins with a frame, its hello: it is told in its own language. */
static void refuse_keyless(ms_secure *secure)
{
    ms_header_encode(secure->output, (ms_header){0, MS_REFUSE, sizeof refusal - 1});
    memcpy(secure->output + MS_HEADER_SIZE, refusal, sizeof refusal - 1);
    secure->output_size = MS_HEADER_SIZE + sizeof refusal - 1;
    go_wrong(secure, MS_WIRE_NO_KEY);
}

static bool begins_like(const uint8_t *bytes, size_t size, const uint8_t *wanted, size_t wanted_size)
{
    return memcmp(bytes, wanted, size < wanted_size ? size : wanted_size) == 0;
}

/* The master's side: the slave's message, as far as it has come. */
static void hear_slave(ms_secure *secure, const uint8_t *bytes, size_t size)
{
    static const uint8_t hello[] = {0, 0, 0, 0, MS_HELLO, 0, 0, 0};
    uint8_t payload[CIPHERS_SIZE];
    if (begins_like(bytes, size, hello, sizeof hello)) {
        if (size >= sizeof hello)
            refuse_keyless(secure);
        return;
    }
    if (!begins_like(bytes, size, magic, sizeof magic)) {
        go_wrong(secure, MS_WIRE_BAD_MAGIC);
        return;
    }
    if (size >= MS_PREAMBLE_SIZE && bytes[4] != VERSION) {
        alarm(secure, ALERT_VERSION, MS_WIRE_BAD_VERSION);
        return;
    }
    if (size >= MS_PREAMBLE_SIZE && (bytes[5] != ALERT_NONE || !is_final(bytes))) {
        go_wrong(secure, MS_WIRE_BAD_MAGIC);
        return;
    }
    if (size < MESSAGE_SIZE)
        return;
    if (!ms_noise_read(&secure->noise, bytes + MS_PREAMBLE_SIZE, payload, sizeof payload)) {
        alarm(secure, ALERT_OTHER_KEY, MS_WIRE_OTHER_KEY);
        return;
    }
    uint32_t common = ms_get_u32(payload) & ms_crypto_ciphers();
    if (common == 0) {
        go_wrong(secure, MS_WIRE_BAD_PAYLOAD);
        return;
    }
    uint32_t cipher = (common & MS_CIPHER_AES) != 0 ? MS_CIPHER_AES : MS_CIPHER_CHACHA;
    say(secure, cipher);
    if (secure->state == HANDSHAKE)
        open_with(secure, cipher);
}

static ms_wire_result alert_result(uint8_t code)
{
    switch ((alert)code) {
    case ALERT_OTHER_KEY: return MS_WIRE_OTHER_KEY;
    case ALERT_KEYLESS: return MS_WIRE_KEYLESS;
    case ALERT_VERSION: return MS_WIRE_BAD_VERSION;
    case ALERT_NONE: break;
    }
    return MS_WIRE_BAD_MAGIC;
}

/* The slave's side: the master's message, as far as it has come. */
static void hear_master(ms_secure *secure, const uint8_t *bytes, size_t size)
{
    uint8_t payload[CIPHERS_SIZE], wanted[MS_PREAMBLE_SIZE];
    put_preamble(wanted, ALERT_NONE);
    if (!begins_like(bytes, size, magic, sizeof magic)) {
        go_wrong(secure, MS_WIRE_BAD_MAGIC);
    } else if (size >= MS_PREAMBLE_SIZE && memcmp(bytes, wanted, sizeof wanted) != 0) {
        go_wrong(secure, is_final(bytes) ? alert_result(bytes[5]) : MS_WIRE_BAD_MAGIC);
    } else if (size >= MESSAGE_SIZE) {
        if (!ms_noise_read(&secure->noise, bytes + MS_PREAMBLE_SIZE, payload, sizeof payload)) {
            go_wrong(secure, MS_WIRE_FORGED);
            return;
        }
        uint32_t cipher = ms_get_u32(payload);
        if ((cipher != MS_CIPHER_CHACHA && cipher != MS_CIPHER_AES) || (cipher & ms_crypto_ciphers()) == 0)
            go_wrong(secure, MS_WIRE_BAD_PAYLOAD);
        else
            open_with(secure, cipher);
    }
}

ms_secure *ms_secure_create(ms_secure_role role, const ms_key *key, const uint8_t *secret)
{
    uint8_t prologue[MS_PREAMBLE_SIZE];
    if (!ms_crypto_start())
        return NULL;
    ms_secure *secure = aligned_alloc(_Alignof(ms_secure), sizeof *secure);
    if (secure == NULL)
        return NULL;
    memset(secure, 0, sizeof *secure);
    secure->role = role;
    secure->in = malloc(IN_SIZE + OUT_SIZE);
    if (secure->in == NULL) {
        free(secure);
        return NULL;
    }
    secure->out = secure->in + IN_SIZE;
    put_preamble(prologue, ALERT_NONE);
    ms_noise_begin(&secure->noise, role == MS_SECURE_SLAVE, key->bytes, prologue, sizeof prologue, secret);
    if (role == MS_SECURE_SLAVE)
        say(secure, ms_crypto_ciphers());
    return secure;
}

void ms_secure_destroy(ms_secure *secure)
{
    if (secure == NULL)
        return;
    free(secure->in);
    ms_crypto_wipe(secure, sizeof *secure);
    free(secure);
}

const uint8_t *ms_secure_output(ms_secure *secure, size_t *size)
{
    *size = secure->output_size;
    secure->output_size = 0;
    return secure->output;
}

bool ms_secure_is_open(const ms_secure *secure)
{
    return secure->was_opened;
}

ms_wire_result ms_secure_wrong(const ms_secure *secure)
{
    return secure->wrong;
}

bool ms_secure_is_refusal(ms_wire_result result)
{
    return result == MS_WIRE_OTHER_KEY || result == MS_WIRE_KEYLESS || result == MS_WIRE_BAD_VERSION;
}

bool ms_secure_is_preamble(const uint8_t *bytes)
{
    return memcmp(bytes, magic, sizeof magic) == 0;
}

void ms_secure_keyless_alert(uint8_t alert[MS_PREAMBLE_SIZE])
{
    put_preamble(alert, ALERT_KEYLESS);
}

/* ---- Reading ---- */

uint8_t *ms_secure_room(ms_secure *secure, size_t *size)
{
    if (secure->in_start > 0) {
        memmove(secure->in, secure->in + secure->in_start, secure->in_end - secure->in_start);
        secure->in_end -= secure->in_start;
        secure->in_start = 0;
    }
    *size = IN_SIZE - secure->in_end;
    return secure->in + secure->in_end;
}

/* The size of the record that has arrived whole, 0 for none. */
static size_t whole_record(const ms_secure *secure)
{
    size_t have = secure->in_end - secure->in_start;
    if (secure->state != OPEN || have < MS_RECORD_HEAD_SIZE)
        return 0;
    size_t size = ms_get_u32(secure->in + secure->in_start);
    return have - MS_RECORD_HEAD_SIZE < size + MS_CRYPTO_TAG_SIZE ? 0 : size;
}

/* A size that can't be is seen before anything is waited for. */
static void check_next(ms_secure *secure)
{
    if (secure->state != OPEN || secure->in_end - secure->in_start < MS_RECORD_HEAD_SIZE)
        return;
    uint32_t size = ms_get_u32(secure->in + secure->in_start);
    if (size == 0 || size > MS_RECORD_MAX)
        go_wrong(secure, MS_WIRE_FORGED);
}

void ms_secure_arrived(ms_secure *secure, size_t size)
{
    assert(size <= IN_SIZE - secure->in_end);
    secure->in_end += size;
    if (secure->state == HANDSHAKE) {
        if (secure->role == MS_SECURE_MASTER)
            hear_slave(secure, secure->in + secure->in_start, secure->in_end - secure->in_start);
        else
            hear_master(secure, secure->in + secure->in_start, secure->in_end - secure->in_start);
    }
    if (secure->state == WRONG)
        secure->in_start = secure->in_end = 0;
    check_next(secure);
}

bool ms_secure_has_more(const ms_secure *secure)
{
    return secure->opened_size > 0 || whole_record(secure) > 0;
}

/* Opens the record that is there, to `bytes` or in place. */
static bool open_record(ms_secure *secure, size_t size, uint8_t *bytes)
{
    uint8_t *head = secure->in + secure->in_start;
    if (!ms_aead_open(&secure->receiving.aead, secure->receiving.counter, head, MS_RECORD_HEAD_SIZE, bytes, head + MS_RECORD_HEAD_SIZE,
                      size)) {
        go_wrong(secure, MS_WIRE_FORGED);
        return false;
    }
    stream_step(&secure->receiving);
    secure->in_start += MS_RECORD_OVERHEAD + size;
    check_next(secure);
    return true;
}

size_t ms_secure_open(ms_secure *secure, uint8_t *bytes, size_t room)
{
    size_t done = 0, size;
    for (;;) {
        size_t left = room - done, part = secure->opened_size < left ? secure->opened_size : left;
        if (part > 0) {
            memcpy(bytes + done, secure->opened, part);
            secure->opened += part;
            secure->opened_size -= part;
            done += part;
        }
        if (done == room || (size = whole_record(secure)) == 0)
            return done;
        if (size <= room - done) {
            if (!open_record(secure, size, bytes + done))
                return done;
            done += size;
        } else {
            uint8_t *place = secure->in + secure->in_start + MS_RECORD_HEAD_SIZE;
            if (!open_record(secure, size, place))
                return done;
            secure->opened = place;
            secure->opened_size = size;
        }
    }
}

/* ---- Writing ---- */

/* A record of `size` bytes at the end of `out`; they may lie there already, behind where the head belongs. */
static void seal_record(ms_secure *secure, const uint8_t *bytes, size_t size)
{
    uint8_t *head = secure->out + secure->out_end;
    ms_put_u32(head, (uint32_t)size);
    ms_aead_seal(&secure->sending.aead, secure->sending.counter, head, MS_RECORD_HEAD_SIZE, head + MS_RECORD_HEAD_SIZE, bytes, size);
    stream_step(&secure->sending);
    secure->out_end += MS_RECORD_OVERHEAD + size;
    secure->plain_size += size;
}

/* How many bytes a record may still take. */
static size_t record_room(const ms_secure *secure)
{
    size_t room = OUT_SIZE - secure->out_end;
    if (room <= MS_RECORD_OVERHEAD)
        return 0;
    room -= MS_RECORD_OVERHEAD;
    return room < MS_RECORD_MAX ? room : MS_RECORD_MAX;
}

/* Small parts one behind the other become one record; gives the number of those that are in it whole. */
static int seal_small(ms_secure *secure, const struct iovec *parts, int part_count)
{
    uint8_t *at = secure->out + secure->out_end + MS_RECORD_HEAD_SIZE;
    size_t room = record_room(secure), size = 0;
    int count = 0;
    while (count < part_count && parts[count].iov_len < DIRECT_SIZE && parts[count].iov_len <= room - size) {
        if (parts[count].iov_len > 0)
            memcpy(at + size, parts[count].iov_base, parts[count].iov_len);
        size += parts[count++].iov_len;
    }
    if (size > 0)
        seal_record(secure, at, size);
    return count;
}

const uint8_t *ms_secure_seal(ms_secure *secure, const struct iovec *parts, int part_count, size_t *size)
{
    assert(secure->was_opened && secure->out_sent == secure->out_end);
    secure->out_sent = secure->out_end = secure->plain_size = secure->credited_size = 0;
    for (int i = 0; i < part_count;) {
        size_t room = record_room(secure), done = 0;
        if (room < DIRECT_SIZE)
            break;
        if (parts[i].iov_len < DIRECT_SIZE) {
            int count = seal_small(secure, parts + i, part_count - i);
            i += count;
            continue;
        }
        for (size_t part; done < parts[i].iov_len && (room = record_room(secure)) > 0; done += part) {
            part = parts[i].iov_len - done < room ? parts[i].iov_len - done : room;
            seal_record(secure, (const uint8_t *)parts[i].iov_base + done, part);
        }
        if (done < parts[i].iov_len)
            break;
        i++;
    }
    return ms_secure_sealed(secure, size);
}

const uint8_t *ms_secure_sealed(const ms_secure *secure, size_t *size)
{
    *size = secure->out_end - secure->out_sent;
    return secure->out + secure->out_sent;
}

size_t ms_secure_sent(ms_secure *secure, size_t size)
{
    assert(size <= secure->out_end - secure->out_sent);
    secure->out_sent += size;
    /* What is sent first stands for the overhead, so that the last byte of the parts counts when the last of the records is sent. */
    size_t overhead = secure->out_end - secure->plain_size, before = secure->credited_size;
    secure->credited_size = secure->out_sent > overhead ? secure->out_sent - overhead : 0;
    return secure->credited_size - before;
}
