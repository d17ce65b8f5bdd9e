/* Encryption (net/secure.h): what comes out at one end is what went in at the other, whatever happens to the bytes between them.
 *
 * Either two honest ends with somebody between them, who changes, cuts, repeats, swaps and adds bytes of the handshake and of records;
 * or one honest end, and an enemy who knows the key: sealed as it should be comes what nobody should say. The secrets are always the
 * same ones, so an input does the same each time. Left out where there is no libsodium. */
#include "fuzz/fuzz.h"
#include "net/noise.h"
#include "net/secure.h"

#include <string.h>

enum {
    MESSAGE_SIZE = 60, /* of the handshake */
    STREAM_MAX = 1 << 20,
    PARTS_MAX = 3,
    ENEMY_RECORDS_MAX = 64,
    WORN = 0xfc /* inputs that begin with this or more begin shortly before the next key */
};

static const ms_key one_key = {true, {1, 2, 3}}, other_key = {true, {1, 2, 4}};
static const uint8_t slave_secret[MS_CRYPTO_KEY_SIZE] = {5, 6}, master_secret[MS_CRYPTO_KEY_SIZE] = {7, 8};
static uint8_t plain[STREAM_MAX + (1 << 18)]; /* what everybody says, from its beginning */
static uint8_t room_for_opened[1 << 18];

/* One direction: what was said, what has been delivered of it by whoever is between, and what came out. */
typedef struct way {
    ms_secure *from, *to;
    ms_bytes said, got;
    size_t sealed, opened;     /* bytes that went in, that came out */
    size_t equal;              /* so far, what was got is what was said */
    size_t records_end, whole; /* the records that lie in that, and the bytes that they carry */
    ms_bytes wire;             /* not delivered */
} way;

static void fill_plain(void)
{
    if (plain[1] == 0)
        for (size_t i = 0; i < sizeof plain; i++)
            plain[i] = (uint8_t)(1 + i * 131 + (i >> 8) * 17);
}

static void take_output(way *w)
{
    size_t size;
    const uint8_t *output = ms_secure_output(w->from, &size);
    MUST(ms_bytes_append(&w->said, output, size) && ms_bytes_append(&w->wire, output, size));
}

/* Sends what is sealed in pieces; what it counts as sent adds up to what went in. */
static size_t send_all(way *w, size_t piece)
{
    size_t size, credited = 0;
    for (;;) {
        const uint8_t *records = ms_secure_sealed(w->from, &size);
        if (size == 0)
            return credited;
        size = size < piece ? size : piece;
        MUST(ms_bytes_append(&w->said, records, size) && ms_bytes_append(&w->wire, records, size));
        credited += ms_secure_sent(w->from, size);
    }
}

static void say(way *w, const size_t *sizes, int count, size_t piece)
{
    struct iovec parts[PARTS_MAX];
    size_t all = 0, size;
    if (!ms_secure_is_open(w->from))
        return;
    for (int i = 0; i < count; i++) {
        parts[i] = (struct iovec){plain + w->sealed + all, sizes[i]};
        all += sizes[i];
    }
    if (w->sealed + all > STREAM_MAX)
        return;
    ms_secure_seal(w->from, parts, count, &size);
    size_t credited = send_all(w, piece);
    MUST(credited <= all && (credited > 0) == (all > 0));
    w->sealed += credited;
}

/* How much of what was said has arrived as it was, and which records that is. */
static void follow(way *w)
{
    size_t both = w->said.size < w->got.size ? w->said.size : w->got.size;
    while (w->equal < both && w->said.data[w->equal] == w->got.data[w->equal])
        w->equal++;
    if (w->records_end == 0 && w->equal >= MESSAGE_SIZE)
        w->records_end = MESSAGE_SIZE;
    while (w->records_end > 0 && w->equal - w->records_end >= MS_RECORD_OVERHEAD) {
        size_t size = ms_get_u32(w->said.data + w->records_end);
        if (w->equal - w->records_end < MS_RECORD_OVERHEAD + size)
            return;
        w->records_end += MS_RECORD_OVERHEAD + size;
        w->whole += size;
    }
}

static bool is_intact(const way *w)
{
    return w->equal == w->got.size;
}

static void open_some(way *w, size_t room)
{
    size_t size = ms_secure_open(w->to, room_for_opened, room);
    MUST(size <= room);
    MUST(w->opened + size <= w->whole); /* nothing that was not said, and nothing of a record that has not come whole */
    MUST(memcmp(room_for_opened, plain + w->opened, size) == 0);
    w->opened += size;
}

static void open_all(way *w)
{
    while (ms_secure_has_more(w->to)) {
        size_t before = w->opened;
        open_some(w, sizeof room_for_opened);
        MUST(w->opened > before || ms_secure_wrong(w->to) != MS_WIRE_FINE);
    }
}

static void hear(way *w, way *back, const uint8_t *bytes, size_t size, bool same_key)
{
    while (size > 0) {
        size_t room;
        open_all(w);
        uint8_t *place = ms_secure_room(w->to, &room);
        size_t part = size < room ? size : room;
        MUST(part > 0);
        memcpy(place, bytes, part);
        MUST(ms_bytes_append(&w->got, bytes, part));
        follow(w);
        ms_secure_arrived(w->to, part);
        take_output(back);
        bytes += part;
        size -= part;
    }
    if (is_intact(w) && is_intact(back) && same_key) {
        MUST(ms_secure_wrong(w->to) == MS_WIRE_FINE && ms_secure_is_open(w->to) == (w->equal >= MESSAGE_SIZE));
        MUST((w->whole > w->opened) == ms_secure_has_more(w->to));
    }
    MUST(same_key || !ms_secure_is_open(w->to));
    MUST(w->equal >= MESSAGE_SIZE || !ms_secure_is_open(w->to));
}

static void deliver(way *w, way *back, size_t size, bool same_key)
{
    if (size > w->wire.size)
        size = w->wire.size;
    uint8_t *bytes = malloc(size + 1); /* so that the buffer may change meanwhile */
    MUST(bytes != NULL);
    if (size > 0)
        memcpy(bytes, w->wire.data, size);
    ms_bytes_consume(&w->wire, size);
    hear(w, back, bytes, size, same_key);
    free(bytes);
}

/* ---- Who is between ---- */

static void insert(way *w, size_t at, const uint8_t *bytes, size_t size)
{
    if (w->wire.size + size > STREAM_MAX)
        return;
    uint8_t *copy = malloc(size + 1);
    MUST(copy != NULL);
    if (size > 0)
        memcpy(copy, bytes, size);
    MUST(ms_bytes_reserve(&w->wire, size + 1)); /* where the bytes may have been */
    memmove(w->wire.data + at + size, w->wire.data + at, w->wire.size - at);
    memcpy(w->wire.data + at, copy, size);
    w->wire.size += size;
    free(copy);
}

static void cut(way *w, size_t at, size_t size)
{
    size = size < w->wire.size - at ? size : w->wire.size - at;
    if (size == 0)
        return;
    memmove(w->wire.data + at, w->wire.data + at + size, w->wire.size - at - size);
    w->wire.size -= size;
}

static void meddle(way *w, const way *back, fuzz_input *input, uint8_t how)
{
    size_t at = fuzz_u16(input), size = 1 + fuzz_u8(input);
    const uint8_t *bytes;
    at = at < w->wire.size ? at : w->wire.size;
    size_t rest = w->wire.size - at;
    switch (how % 6) {
    case 0:
        if (rest > 0)
            w->wire.data[at] ^= (uint8_t)size;
        break;
    case 1: cut(w, at, size); break;
    case 2: /* repeated, next to where it is */
        insert(w, at, w->wire.data == NULL ? NULL : w->wire.data + at, size < rest ? size : rest);
        break;
    case 3: /* what was said long ago, or the other way */
        back = size % 2 == 0 ? w : back;
        if (back->said.size > 0)
            insert(w, at, back->said.data, size < 128 && back->said.size > 2 * size ? 2 * size : back->said.size);
        break;
    case 4: cut(w, at, rest); break;
    default:
        bytes = fuzz_bytes(input, &size);
        insert(w, at, bytes, size);
    }
}

static void say_something(way *w, fuzz_input *input)
{
    size_t sizes[PARTS_MAX];
    uint8_t what = fuzz_u8(input);
    int count = 1 + what % PARTS_MAX;
    for (int i = 0; i < count; i++)
        sizes[i] = (what >> (5 + i)) & 1 ? 4 * fuzz_u16(input) : fuzz_u8(input);
    say(w, sizes, count, 1 + (size_t)fuzz_u16(input));
}

/* The last record under this key and the first under the next are still to come. */
static void wear_out(way *w, way *back)
{
    size_t one = 1;
    while (w->sealed < MS_RECORDS_FOR_A_KEY - 2) {
        say(w, &one, 1, SIZE_MAX);
        if (w->wire.size > (size_t)64 << 10)
            deliver(w, back, SIZE_MAX, true);
        open_all(w);
    }
    deliver(w, back, SIZE_MAX, true);
}

/* What was sent and not lost arrives. */
static void settle(way *w, way *back, bool same_key)
{
    bool lost = w->got.size + w->wire.size < w->said.size;
    deliver(w, back, SIZE_MAX, same_key);
    open_all(w);
    if (is_intact(w) && is_intact(back) && same_key && !lost)
        MUST(w->opened == w->sealed);
}

/* After enough further bytes whatever was spoiled has been noticed. */
static void spoil(way *w, way *back, bool same_key)
{
    static const uint8_t rest[MS_RECORD_MAX + MS_RECORD_OVERHEAD];
    hear(w, back, rest, sizeof rest, same_key);
    open_all(w);
    MUST(!is_intact(w) && ms_secure_wrong(w->to) != MS_WIRE_FINE);
    MUST(ms_secure_open(w->to, room_for_opened, 1) == 0);
}

static void between(fuzz_input *input, uint8_t mode)
{
    bool same_key = mode % 8 != 7;
    ms_secure *slave = ms_secure_create(MS_SECURE_SLAVE, &one_key, slave_secret);
    ms_secure *master = ms_secure_create(MS_SECURE_MASTER, same_key ? &one_key : &other_key, master_secret);
    MUST(slave != NULL && master != NULL);
    way ways[2] = {{.from = slave, .to = master}, {.from = master, .to = slave}};
    take_output(&ways[0]);
    if (mode >= WORN && same_key) {
        deliver(&ways[0], &ways[1], SIZE_MAX, true);
        deliver(&ways[1], &ways[0], SIZE_MAX, true);
        wear_out(&ways[mode & 1], &ways[~mode & 1]);
    }
    while (!fuzz_is_empty(input)) {
        uint8_t what = fuzz_u8(input);
        way *w = &ways[what & 1], *back = &ways[~what & 1];
        switch (what >> 1 & 3) {
        case 0: deliver(w, back, what & 8 ? SIZE_MAX : fuzz_u8(input), same_key); break;
        case 1: say_something(w, input); break;
        case 2: open_some(w, what & 8 ? fuzz_u8(input) : 4 * fuzz_u16(input)); break;
        default: meddle(w, back, input, what >> 3);
        }
    }
    for (int i = 0; i < 4; i++) /* the master's answer comes behind what the slave says */
        settle(&ways[i & 1], &ways[~i & 1], same_key);
    for (int i = 0; i < 2; i++)
        spoil(&ways[i], &ways[1 - i], same_key);
    for (int i = 0; i < 2; i++) {
        ms_bytes_free(&ways[i].said);
        ms_bytes_free(&ways[i].got);
        ms_bytes_free(&ways[i].wire);
    }
    ms_secure_destroy(slave);
    ms_secure_destroy(master);
}

/* ---- Who knows the key ---- */

static void put(ms_secure *to, const uint8_t *bytes, size_t size)
{
    size_t room;
    uint8_t *place = ms_secure_room(to, &room);
    MUST(size <= room);
    memcpy(place, bytes, size);
    ms_secure_arrived(to, size);
}

/* Records with the right tag, and whatever length, counter and length in the head; what is right comes out. */
static void send_records(ms_secure *to, const uint8_t key[MS_CRYPTO_KEY_SIZE], ms_cipher cipher, fuzz_input *input)
{
    static uint8_t record[MS_RECORD_MAX + 256 + MS_RECORD_OVERHEAD];
    ms_aead aead;
    uint64_t counter = 0;
    ms_aead_setup(&aead, cipher, key);
    for (int i = 0; i < ENEMY_RECORDS_MAX && !fuzz_is_empty(input); i++) {
        uint8_t what = fuzz_u8(input);
        size_t size = what & 1 ? fuzz_u16(input) + (what & 2 ? 256u : 0) : fuzz_u8(input);
        uint32_t told = what & 4 && what & 8 ? fuzz_u32(input) : (uint32_t)size;
        uint64_t used = what & 16 && what & 8 ? fuzz_u8(input) : counter;
        ms_put_u32(record, told);
        ms_aead_seal(&aead, used, record, MS_RECORD_HEAD_SIZE, record + MS_RECORD_HEAD_SIZE, plain, size);
        put(to, record, MS_RECORD_OVERHEAD + size);
        size_t opened = ms_secure_open(to, room_for_opened, sizeof room_for_opened);
        bool right = told == size && used == counter && size > 0 && size <= MS_RECORD_MAX;
        MUST(opened == (right ? size : 0) && memcmp(room_for_opened, plain, opened) == 0);
        counter++;
        bool waits = told > size && told <= MS_RECORD_MAX; /* for the rest of a record */
        MUST((ms_secure_wrong(to) == MS_WIRE_FINE) == (right || waits) && !ms_secure_has_more(to));
        if (!right)
            break; /* what follows is not in step */
    }
}

static void preamble_of(const uint8_t *message, fuzz_input *input, uint8_t *own, bool odd)
{
    memcpy(own, message, MS_PREAMBLE_SIZE);
    if (odd)
        own[fuzz_u8(input) % MS_PREAMBLE_SIZE] ^= fuzz_u8(input);
}

static uint32_t some_ciphers(fuzz_input *input)
{
    uint8_t what = fuzz_u8(input);
    return what < 8 ? what : fuzz_u32(input);
}

/* Speaks Noise as it should be with the end `to`, whose first message is known for its preamble alone. */
static void with_the_key(fuzz_input *input, bool as_slave, bool odd)
{
    uint8_t message[MESSAGE_SIZE], payload[4], sending[MS_CRYPTO_KEY_SIZE], receiving[MS_CRYPTO_KEY_SIZE];
    static const uint8_t usual[MS_PREAMBLE_SIZE] = {'M', '/', 's', 'k', 1};
    ms_noise noise;
    size_t size;
    ms_secure *to = ms_secure_create(as_slave ? MS_SECURE_MASTER : MS_SECURE_SLAVE, &one_key, as_slave ? master_secret : slave_secret);
    MUST(to != NULL);
    ms_noise_begin(&noise, as_slave, one_key.bytes, usual, sizeof usual, as_slave ? slave_secret : master_secret);
    const uint8_t *output = ms_secure_output(to, &size);
    if (!as_slave)
        MUST(size == MESSAGE_SIZE && ms_noise_read(&noise, output + MS_PREAMBLE_SIZE, payload, sizeof payload));
    uint32_t ciphers = some_ciphers(input), ours = ms_crypto_ciphers();
    ms_put_u32(payload, ciphers);
    preamble_of(usual, input, message, odd);
    bool even = memcmp(message, usual, sizeof usual) == 0;
    MUST(ms_noise_write(&noise, message + MS_PREAMBLE_SIZE, payload, sizeof payload));
    put(to, message, sizeof message);
    bool fine = as_slave ? (ciphers & ours) != 0 : (ciphers & ours) == ciphers && (ciphers == MS_CIPHER_CHACHA || ciphers == MS_CIPHER_AES);
    MUST(ms_secure_is_open(to) == (even && fine));
    if (ms_secure_is_open(to)) {
        if (as_slave) {
            output = ms_secure_output(to, &size);
            MUST(size == MESSAGE_SIZE && ms_noise_read(&noise, output + MS_PREAMBLE_SIZE, payload, sizeof payload));
            MUST(ms_get_u32(payload) == (ciphers & ours & MS_CIPHER_AES ? MS_CIPHER_AES : MS_CIPHER_CHACHA));
        }
        ms_noise_split(&noise, sending, receiving);
        send_records(to, sending, (ms_cipher)ms_get_u32(payload), input);
    } else {
        MUST(ms_secure_wrong(to) != MS_WIRE_FINE);
    }
    ms_secure_destroy(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input input = {data, data + size};
    uint8_t mode = fuzz_u8(&input);
    MUST(ms_crypto_start());
    fill_plain();
    if (mode % 4 == 3 && mode < 0x80)
        with_the_key(&input, (mode & 4) != 0, (mode & 8) != 0);
    else
        between(&input, mode);
    return 0;
}
