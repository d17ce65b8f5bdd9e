/* Handshakes and records, without a socket: what two ends agree on, and what none of them takes. */
#include "net/noise.h"
#include "net/secure.h"

#include "tests/check.h"

static const ms_key key_of_both = {true, {1, 2, 3}}, another_key = {true, {1, 2, 4}};

static size_t say(ms_secure *secure, uint8_t *bytes)
{
    size_t size;
    const uint8_t *output = ms_secure_output(secure, &size);
    memcpy(bytes, output, size);
    return size;
}

static void hear(ms_secure *secure, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        size_t room;
        uint8_t *place = ms_secure_room(secure, &room);
        size_t part = size < room ? size : room;
        memcpy(place, bytes, part);
        ms_secure_arrived(secure, part);
        bytes += part;
        size -= part;
    }
}

typedef struct ends {
    ms_secure *master, *slave;
    uint8_t first[256], second[256]; /* what they said */
    size_t first_size, second_size;
} ends;

static ends introduce(const ms_key *master_key, const ms_key *slave_key)
{
    ends e = {.master = ms_secure_create(MS_SECURE_MASTER, master_key, NULL), .slave = ms_secure_create(MS_SECURE_SLAVE, slave_key, NULL)};
    CHECK(e.master != NULL && e.slave != NULL);
    e.first_size = say(e.slave, e.first);
    return e;
}

static ends open_ends(void)
{
    ends e = introduce(&key_of_both, &key_of_both);
    hear(e.master, e.first, e.first_size);
    CHECK(ms_secure_is_open(e.master) && !ms_secure_is_open(e.slave));
    e.second_size = say(e.master, e.second);
    hear(e.slave, e.second, e.second_size);
    CHECK(ms_secure_is_open(e.slave));
    return e;
}

static void close_ends(ends *e)
{
    ms_secure_destroy(e->master);
    ms_secure_destroy(e->slave);
}

/* The records of some bytes, all sent. */
static size_t seal(ms_secure *secure, const void *bytes, size_t size, uint8_t *records)
{
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    size_t record_size;
    const uint8_t *sealed = ms_secure_seal(secure, &part, 1, &record_size);
    memcpy(records, sealed, record_size);
    CHECK_INT(ms_secure_sent(secure, record_size), size);
    return record_size;
}

static void expect_words(ms_secure *from, ms_secure *to, const char *words)
{
    uint8_t records[256], bytes[256];
    size_t size = seal(from, words, strlen(words), records);
    CHECK_INT(size, strlen(words) + MS_RECORD_OVERHEAD);
    hear(to, records, size);
    CHECK(ms_secure_has_more(to));
    size = ms_secure_open(to, bytes, sizeof bytes);
    CHECK_BYTES(bytes, size, words);
    CHECK(!ms_secure_has_more(to));
}

static void test_both_ways(void)
{
    ends e = open_ends();
    for (int i = 0; i < 3; i++) {
        expect_words(e.slave, e.master, "from the slave");
        expect_words(e.master, e.slave, "from the master");
    }
    CHECK_INT(ms_secure_wrong(e.master), MS_WIRE_FINE);
    close_ends(&e);
}

/* Every byte of either message of the handshake counts. */
static void test_changed_handshakes(void)
{
    for (size_t i = 0; i < 60; i++) {
        ends e = introduce(&key_of_both, &key_of_both);
        CHECK_INT(e.first_size, 60);
        e.first[i] ^= 0x40;
        hear(e.master, e.first, e.first_size);
        CHECK(!ms_secure_is_open(e.master));
        CHECK(ms_secure_wrong(e.master) != MS_WIRE_FINE);
        close_ends(&e);
        e = introduce(&key_of_both, &key_of_both);
        hear(e.master, e.first, e.first_size);
        e.second_size = say(e.master, e.second);
        CHECK_INT(e.second_size, 60);
        e.second[i] ^= 1;
        hear(e.slave, e.second, e.second_size);
        CHECK(!ms_secure_is_open(e.slave));
        CHECK(ms_secure_wrong(e.slave) != MS_WIRE_FINE);
        close_ends(&e);
    }
}

static void test_byte_by_byte(void)
{
    ends e = introduce(&key_of_both, &key_of_both);
    for (size_t i = 0; i < e.first_size; i++) {
        CHECK(!ms_secure_is_open(e.master));
        hear(e.master, e.first + i, 1);
    }
    e.second_size = say(e.master, e.second);
    for (size_t i = 0; i < e.second_size; i++)
        hear(e.slave, e.second + i, 1);
    uint8_t records[256], bytes[64];
    size_t size = seal(e.slave, "hello", 5, records);
    for (size_t i = 0; i < size; i++) {
        CHECK_INT(ms_secure_open(e.master, bytes, sizeof bytes), 0);
        hear(e.master, records + i, 1);
    }
    CHECK_INT(ms_secure_open(e.master, bytes, 2), 2);
    CHECK(ms_secure_has_more(e.master));
    CHECK_INT(ms_secure_open(e.master, bytes + 2, 60), 3);
    CHECK_BYTES(bytes, 5, "hello");
    close_ends(&e);
}

static void expect_alert(ms_secure *master, ms_secure *slave, ms_wire_result at_master, ms_wire_result at_slave)
{
    uint8_t bytes[256];
    CHECK_INT(ms_secure_wrong(master), at_master);
    size_t size = say(master, bytes);
    CHECK_INT(size, MS_PREAMBLE_SIZE);
    hear(slave, bytes, size);
    CHECK_INT(ms_secure_wrong(slave), at_slave);
    CHECK(ms_secure_is_refusal(at_slave));
    CHECK_INT(say(master, bytes), 0);
}

static void test_another_key(void)
{
    ends e = introduce(&key_of_both, &another_key);
    hear(e.master, e.first, e.first_size);
    expect_alert(e.master, e.slave, MS_WIRE_OTHER_KEY, MS_WIRE_OTHER_KEY);
    close_ends(&e);
}

static void test_another_version(void)
{
    ends e = introduce(&key_of_both, &key_of_both);
    e.first[4]++;
    hear(e.master, e.first, MS_PREAMBLE_SIZE);
    expect_alert(e.master, e.slave, MS_WIRE_BAD_VERSION, MS_WIRE_BAD_VERSION);
    close_ends(&e);
}

/* A slave without a key reads the master's refusal as the frame that it is. */
static void test_no_key(void)
{
    ends e = introduce(&key_of_both, &key_of_both);
    uint8_t hello[MS_HEADER_SIZE], bytes[256];
    ms_header_encode(hello, (ms_header){0, MS_HELLO, 90});
    hear(e.master, hello, 5);
    CHECK_INT(ms_secure_wrong(e.master), MS_WIRE_FINE);
    hear(e.master, hello + 5, 7);
    CHECK_INT(ms_secure_wrong(e.master), MS_WIRE_NO_KEY);
    size_t size = say(e.master, bytes);
    ms_header header = ms_header_decode(bytes);
    ms_wire_rules rules = {MS_FROM_MASTER, true, 1, 1024};
    CHECK_INT(ms_header_check(&header, &rules), MS_WIRE_FINE);
    CHECK_INT(header.jid, MS_REFUSE);
    CHECK_INT(size, MS_HEADER_SIZE + header.length);
    uint8_t alert[MS_PREAMBLE_SIZE];
    ms_secure_keyless_alert(alert);
    hear(e.slave, alert, sizeof alert);
    CHECK_INT(ms_secure_wrong(e.slave), MS_WIRE_KEYLESS);
    close_ends(&e);
}

static void test_garbage(void)
{
    ends e = introduce(&key_of_both, &key_of_both);
    hear(e.master, (const uint8_t *)"GET / HTTP/1.1\r\n", 16);
    CHECK_INT(ms_secure_wrong(e.master), MS_WIRE_BAD_MAGIC);
    uint8_t bytes[16];
    CHECK_INT(say(e.master, bytes), 0);
    hear(e.slave, (const uint8_t *)"SSH-2.0-", 8);
    CHECK_INT(ms_secure_wrong(e.slave), MS_WIRE_BAD_MAGIC);
    close_ends(&e);
}

/* What a slave said comes back to it, or to another master that has the same key. */
static void test_reflection(void)
{
    ends e = introduce(&key_of_both, &key_of_both);
    hear(e.slave, e.first, e.first_size);
    CHECK_INT(ms_secure_wrong(e.slave), MS_WIRE_FORGED);
    close_ends(&e);
    e = open_ends();
    uint8_t records[64], bytes[64];
    size_t size = seal(e.slave, "hello", 5, records);
    hear(e.slave, records, size);
    CHECK_INT(ms_secure_open(e.slave, bytes, sizeof bytes), 0);
    CHECK_INT(ms_secure_wrong(e.slave), MS_WIRE_FORGED);
    close_ends(&e);
}

/* A whole conversation again: the master answers with another key of its own, so what follows does not fit. */
static void test_replayed_conversation(void)
{
    ends e = open_ends();
    uint8_t records[64], bytes[64];
    size_t size = seal(e.slave, "hello", 5, records);
    ms_secure *again = ms_secure_create(MS_SECURE_MASTER, &key_of_both, NULL);
    hear(again, e.first, e.first_size);
    CHECK(ms_secure_is_open(again));
    hear(again, records, size);
    CHECK_INT(ms_secure_open(again, bytes, sizeof bytes), 0);
    CHECK_INT(ms_secure_wrong(again), MS_WIRE_FORGED);
    ms_secure_destroy(again);
    close_ends(&e);
}

/* Two records, changed by `how`: what comes out before it is seen. */
static void expect_forged(int how, size_t wanted)
{
    ends e = open_ends();
    uint8_t records[128], again[128], bytes[128];
    size_t first = seal(e.slave, "first", 5, records), second = seal(e.slave, "other", 5, records + first);
    CHECK_INT(first, second);
    memcpy(again, records, sizeof again);
    switch (how) {
    case 0: memcpy(records + first, again, first); break;                                        /* repeated */
    case 1: memcpy(records, again + first, first); break;                                        /* left out */
    case 2: memcpy(records, again + first, first), memcpy(records + first, again, first); break; /* the other way round */
    case 3: records[first + MS_RECORD_HEAD_SIZE] ^= 1; break;
    case 4: records[first + second - 1] ^= 1; break;
    case 5: records[first]--; break; /* its size */
    case 6: records[first + 3] = 1; break;
    case 7: records[first] = 0; break;
    }
    hear(e.master, records, first + second);
    CHECK_INT(ms_secure_open(e.master, bytes, sizeof bytes), wanted);
    CHECK_INT(ms_secure_wrong(e.master), MS_WIRE_FORGED);
    CHECK_INT(ms_secure_open(e.master, bytes, sizeof bytes), 0);
    CHECK(!ms_secure_has_more(e.master));
    close_ends(&e);
}

static void test_changed_records(void)
{
    static const size_t wanted[] = {5, 0, 0, 5, 5, 5, 5, 5};
    for (int how = 0; how < 8; how++)
        expect_forged(how, wanted[how]);
}

/* The keys follow each other on both ends, in step. */
static void test_next_keys(void)
{
    ends e = open_ends();
    uint8_t records[64], last[64], bytes[64];
    size_t size = 0;
    for (int i = 0; i < 2 * MS_RECORDS_FOR_A_KEY + 10; i++) {
        memcpy(last, records, size);
        size = seal(e.master, "x", 1, records);
        CHECK(memcmp(last, records, size) != 0);
        hear(e.slave, records, size);
        CHECK_INT(ms_secure_open(e.slave, bytes, sizeof bytes), 1);
    }
    CHECK_INT(ms_secure_wrong(e.slave), MS_WIRE_FINE);
    close_ends(&e);
}

enum { LARGE_SIZE = 3000000 };

static uint8_t *make_large(void)
{
    uint8_t *large = malloc(LARGE_SIZE);
    for (int i = 0; i < LARGE_SIZE; i++)
        large[i] = (uint8_t)(i * 2654435761u >> 13);
    return large;
}

/* Parts of all sizes, taken as far as they fit and sent in any pieces, come out as they went in. */
static void test_parts(void)
{
    ends e = open_ends();
    uint8_t *large = make_large(), *got = malloc(LARGE_SIZE);
    static const size_t sizes[] = {0, 12, 4095, 1, 70000, 4096, 5, MS_RECORD_MAX, MS_RECORD_MAX + 1, 300000, 3, 4000, 4000, 2000000};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    struct iovec parts[COUNT];
    size_t total = 0, done = 0, got_size = 0, piece = 1;
    for (int i = 0; i < COUNT; i++) {
        parts[i] = (struct iovec){large + total, sizes[i]};
        total += sizes[i];
    }
    while (done < total) {
        struct iovec left[COUNT];
        int count = 0;
        size_t skip = done, size, credit = 0;
        for (int i = 0; i < COUNT; i++) {
            size_t part = skip < parts[i].iov_len ? skip : parts[i].iov_len;
            skip -= part;
            if (parts[i].iov_len > part || parts[i].iov_len == 0)
                left[count++] = (struct iovec){(uint8_t *)parts[i].iov_base + part, parts[i].iov_len - part};
        }
        const uint8_t *sealed = ms_secure_seal(e.slave, left, count, &size);
        CHECK(size > 0);
        while (size > 0) {
            size_t sent = piece < size ? piece : size;
            hear(e.master, sealed, sent);
            credit += ms_secure_sent(e.slave, sent);
            while (ms_secure_has_more(e.master)) {
                size_t room = total - got_size < piece ? total - got_size : piece;
                got_size += ms_secure_open(e.master, got + got_size, room);
            }
            piece = piece * 7 % 250007 + 1;
            sealed = ms_secure_sealed(e.slave, &size);
        }
        CHECK(credit > 0);
        done += credit;
        CHECK_INT(got_size, done);
    }
    CHECK_INT(got_size, total);
    CHECK(memcmp(got, large, total) == 0);
    CHECK_INT(ms_secure_wrong(e.master), MS_WIRE_FINE);
    free(large);
    free(got);
    close_ends(&e);
}

int main(void)
{
    if (!ms_crypto_start()) {
        printf("skipped test_net_secure.c: built without libsodium\n");
        return 0;
    }
    RUN(test_both_ways);
    RUN(test_changed_handshakes);
    RUN(test_byte_by_byte);
    RUN(test_another_key);
    RUN(test_another_version);
    RUN(test_no_key);
    RUN(test_garbage);
    RUN(test_reflection);
    RUN(test_replayed_conversation);
    RUN(test_changed_records);
    RUN(test_next_keys);
    RUN(test_parts);
    return 0;
}
