/* Headers and control payloads: what goes in comes out, and what is not allowed is said. */
#include "core/wire.h"

#include "tests/check.h"

static const ms_wire_rules from_slave = {MS_FROM_SLAVE, false, 3, 1000};
static const ms_wire_rules from_master = {MS_FROM_MASTER, false, 3, 1000};

static ms_wire_result check(const ms_wire_rules *rules, int32_t ordinal, uint32_t jid, uint32_t length)
{
    ms_header header = {ordinal, jid, length};
    return ms_header_check(&header, rules);
}

static void test_headers(void)
{
    uint8_t bytes[MS_HEADER_SIZE];
    ms_header_encode(bytes, (ms_header){-2, 0x01020304, 0xfffffffe});
    CHECK(memcmp(bytes, "\xfe\xff\xff\xff\4\3\2\1\xfe\xff\xff\xff", MS_HEADER_SIZE) == 0);
    ms_header header = ms_header_decode(bytes);
    CHECK(header.ordinal == -2 && header.jid == 0x01020304 && header.length == 0xfffffffe);
}

static void test_jobs(void)
{
    CHECK_INT(check(&from_slave, 3, 1, 1000), MS_WIRE_FINE);
    CHECK_INT(check(&from_slave, -3, MS_JID_MAX, 0), MS_WIRE_FINE);
    CHECK_INT(check(&from_slave, 4, 1, 0), MS_WIRE_BAD_ORDINAL);
    CHECK_INT(check(&from_slave, -4, 1, 0), MS_WIRE_BAD_ORDINAL);
    CHECK_INT(check(&from_slave, INT32_MIN, 1, 0), MS_WIRE_BAD_ORDINAL);
    CHECK_INT(check(&from_slave, 1, 0, 0), MS_WIRE_BAD_JID);
    CHECK_INT(check(&from_slave, 1, MS_JID_MAX + 1, 0), MS_WIRE_BAD_JID);
    CHECK_INT(check(&from_slave, 1, 1, 1001), MS_WIRE_TOO_LONG);
    CHECK_INT(check(&from_master, 1, 1, 1000), MS_WIRE_FINE);
    CHECK_INT(check(&from_master, -1, 1, 0), MS_WIRE_BAD_ORDINAL);
}

static void test_control(void)
{
    CHECK_INT(check(&from_master, 0, MS_CANCEL, 4), MS_WIRE_FINE);
    CHECK_INT(check(&from_master, 0, MS_CANCEL, 3), MS_WIRE_TOO_LONG);
    CHECK_INT(check(&from_slave, 0, MS_CANCEL, 4), MS_WIRE_FINE);
    CHECK_INT(check(&from_slave, 0, MS_CANCEL, 5), MS_WIRE_TOO_LONG);
    CHECK_INT(check(&from_slave, 0, MS_RESULT, 9), MS_WIRE_BAD_KIND);
    CHECK_INT(check(&from_master, 0, MS_SPAWN, 16), MS_WIRE_BAD_KIND);
    CHECK_INT(check(&from_slave, 0, MS_OUTPUT, 5), MS_WIRE_FINE);
    CHECK_INT(check(&from_slave, 0, MS_OUTPUT, 4), MS_WIRE_TOO_LONG);
    CHECK_INT(check(&from_slave, 0, MS_OUTPUT, 1001), MS_WIRE_TOO_LONG);
    CHECK_INT(check(&from_master, 0, MS_OUTPUT, 5), MS_WIRE_BAD_KIND);
    CHECK_INT(check(&from_slave, 0, MS_PING, MS_PING_MAX + 1), MS_WIRE_TOO_LONG);
    CHECK_INT(check(&from_slave, 0, 0, 0), MS_WIRE_BAD_KIND);
    CHECK_INT(check(&from_slave, 0, 99, 0), MS_WIRE_BAD_KIND);
    CHECK_INT(check(&from_slave, 0, MS_HELLO, 100), MS_WIRE_BAD_KIND);
}

static void test_greetings_only(void)
{
    ms_wire_rules rules = from_slave;
    rules.greeting = true;
    CHECK_INT(check(&rules, 0, MS_HELLO, MS_GREETING_MAX), MS_WIRE_FINE);
    CHECK_INT(check(&rules, 0, MS_HELLO, MS_GREETING_MAX + 1), MS_WIRE_TOO_LONG);
    CHECK_INT(check(&rules, 0, MS_PING, 0), MS_WIRE_BAD_KIND);
    CHECK_INT(check(&rules, 1, 1, 0), MS_WIRE_BAD_MAGIC);
    rules.side = MS_FROM_MASTER;
    CHECK_INT(check(&rules, 0, MS_WELCOME, 8), MS_WIRE_FINE);
    CHECK_INT(check(&rules, 0, MS_REFUSE, 8), MS_WIRE_FINE);
    CHECK_INT(check(&rules, 0, MS_HELLO, 8), MS_WIRE_BAD_KIND);
}

static void test_hello(void)
{
    ms_bytes payload = {0};
    ms_hello hello = {.slots = 7, .pid = 99, .host = "here", .target = "x86_64"}, back;
    memset(hello.fingerprint, 0xaa, sizeof hello.fingerprint);
    memset(hello.identity, 0xbb, sizeof hello.identity);
    memset(hello.session, 0xcc, sizeof hello.session);
    CHECK(ms_hello_encode(&payload, &hello));
    CHECK_INT(ms_hello_decode(&back, payload.data, payload.size), MS_WIRE_FINE);
    CHECK(memcmp(&hello, &back, sizeof hello) == 0);
    for (size_t size = 0; size < payload.size; size++) { /* each in memory of its own, so that reading beyond is seen */
        uint8_t *cut = malloc(size + 1);
        memcpy(cut, payload.data, size);
        CHECK(ms_hello_decode(&back, cut, size) != MS_WIRE_FINE);
        free(cut);
    }
    CHECK(ms_bytes_append(&payload, "x", 1));
    CHECK_INT(ms_hello_decode(&back, payload.data, payload.size), MS_WIRE_BAD_PAYLOAD);
    payload.size--;
    payload.data[4]++;
    CHECK_INT(ms_hello_decode(&back, payload.data, payload.size), MS_WIRE_BAD_VERSION);
    payload.data[0]++;
    CHECK_INT(ms_hello_decode(&back, payload.data, payload.size), MS_WIRE_BAD_MAGIC);
    ms_bytes_free(&payload);
}

static void test_odd_hellos(void)
{
    ms_bytes payload = {0};
    ms_hello hello = {.slots = 0, .host = "a\033[31mb", .target = ""}, back;
    CHECK(ms_hello_encode(&payload, &hello));
    CHECK_INT(ms_hello_decode(&back, payload.data, payload.size), MS_WIRE_BAD_PAYLOAD); /* no slots */
    ms_put_u32(payload.data + 40, MS_SLOTS_MAX + 1);
    CHECK_INT(ms_hello_decode(&back, payload.data, payload.size), MS_WIRE_BAD_PAYLOAD);
    ms_put_u32(payload.data + 40, 1);
    CHECK_INT(ms_hello_decode(&back, payload.data, payload.size), MS_WIRE_FINE);
    CHECK_BYTES(back.host, strlen(back.host), "a?[31mb");
    ms_put_u32(payload.data + 80, 0xffffffff); /* the size of the host's name */
    CHECK_INT(ms_hello_decode(&back, payload.data, payload.size), MS_WIRE_BAD_PAYLOAD);
    ms_bytes_free(&payload);
}

static void test_welcome(void)
{
    ms_bytes payload = {0};
    ms_welcome welcome = {.heartbeat_ms = 2000, .payload_max = 1 << 30, .session = {1, 2, 3}}, back;
    CHECK(ms_welcome_encode(&payload, &welcome));
    CHECK_INT(ms_welcome_decode(&back, payload.data, payload.size), MS_WIRE_FINE);
    CHECK(back.heartbeat_ms == 2000 && back.payload_max == 1 << 30);
    CHECK(memcmp(back.session, welcome.session, sizeof back.session) == 0);
    CHECK_INT(ms_welcome_decode(&back, payload.data, 23), MS_WIRE_BAD_PAYLOAD);
    ms_put_u32(payload.data, 0);
    CHECK_INT(ms_welcome_decode(&back, payload.data, 24), MS_WIRE_BAD_PAYLOAD);
    ms_bytes_free(&payload);
}

static void test_failure(void)
{
    ms_failure_view view;
    const uint8_t payload[] = "\3\0\0\0badstory";
    CHECK_INT(ms_failure_decode(&view, payload, 12), MS_WIRE_FINE);
    CHECK_BYTES(view.message, view.message_size, "bad");
    CHECK_BYTES(view.story, view.story_size, "story");
    CHECK_INT(ms_failure_decode(&view, payload, 7), MS_WIRE_FINE);
    CHECK_INT(view.story_size, 0);
    CHECK_INT(ms_failure_decode(&view, payload, 6), MS_WIRE_BAD_PAYLOAD);
    CHECK_INT(ms_failure_decode(&view, payload, 3), MS_WIRE_BAD_PAYLOAD);
    CHECK_INT(ms_failure_decode(&view, NULL, 0), MS_WIRE_BAD_PAYLOAD);
}

int main(void)
{
    RUN(test_headers);
    RUN(test_jobs);
    RUN(test_control);
    RUN(test_greetings_only);
    RUN(test_hello);
    RUN(test_odd_hellos);
    RUN(test_welcome);
    RUN(test_failure);
    return 0;
}
