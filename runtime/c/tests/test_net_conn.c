/* Addresses, and frames through a real pair of sockets: in any pieces, large and small. */
#include "core/payload.h"
#include "net/address.h"
#include "net/conn.h"

#include "tests/check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static void expect_address(const char *text, const char *wanted)
{
    ms_address address;
    char message[MS_MESSAGE_MAX] = "", formatted[MS_ADDRESS_TEXT_MAX];
    if (!ms_address_parse(&address, text, message)) {
        CHECK_BYTES(message, strlen(message), wanted);
        CHECK(strchr(message, '\n') == NULL);
        return;
    }
    ms_address_format(&address, formatted);
    CHECK_BYTES(formatted, strlen(formatted), wanted);
}

static void test_addresses(void)
{
    expect_address("unix:/tmp/s", "unix:/tmp/s");
    expect_address("localhost:1", "localhost:1");
    expect_address("[::1]:65535", "[::1]:65535");
    expect_address("unix:", "the address unix: has no path");
    expect_address("", "\"\" is not an address: unix:PATH, HOST:PORT or [IPV6]:PORT");
    expect_address(":80", "\":80\" is not an address: unix:PATH, HOST:PORT or [IPV6]:PORT");
    expect_address("[::1", "\"[::1\" is not an address: unix:PATH, HOST:PORT or [IPV6]:PORT");
    expect_address("[]:1", "\"[]:1\" is not an address: unix:PATH, HOST:PORT or [IPV6]:PORT");
    expect_address("::1:80", "\"::1:80\": an IPv6 address needs brackets, as in [::1]:4242");
    expect_address("a:65536", "\"a:65536\": the port is a number from 0 to 65535");
    expect_address("a:+1", "\"a:+1\": the port is a number from 0 to 65535");
    expect_address("a:", "\"a:\": the port is a number from 0 to 65535");
    char longest[5 + MS_PATH_MAX + 2] = "unix:";
    memset(longest + 5, 'x', MS_PATH_MAX);
    expect_address(longest, longest);
    longest[5 + MS_PATH_MAX] = 'x';
    ms_address address;
    char message[MS_MESSAGE_MAX];
    CHECK(!ms_address_parse(&address, longest, message));
}

typedef struct pair {
    int writer, reader;
    ms_sender sender;
    ms_receiver receiver;
} pair;

static pair open_pair(void)
{
    int ends[2];
    ms_wire_rules rules = {MS_FROM_SLAVE, false, 3, 64 << 20};
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    pair made = {.writer = ends[0], .reader = ends[1]};
    CHECK(ms_receiver_open(&made.receiver, &rules, NULL));
    return made;
}

static void close_pair(pair *p)
{
    close(p->writer);
    close(p->reader);
    ms_sender_close(&p->sender);
    ms_receiver_close(&p->receiver);
}

static uint8_t *pattern(size_t size, uint32_t seed)
{
    uint8_t *bytes = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)((i + seed) * 2654435761u >> 13);
    return bytes;
}

static void release(void *owner)
{
    ++*(int *)owner;
}

static const uint32_t sizes[] = {0, 1, 12, 4096, MS_LARGE_SIZE, MS_RECEIVE_SIZE - MS_HEADER_SIZE, MS_RECEIVE_SIZE - MS_HEADER_SIZE + 1,
                                 MS_RECEIVE_SIZE, 3000001, 5};
enum { SIZE_COUNT = sizeof sizes / sizeof sizes[0] };

/* Payloads that there is no room for come as frames without one, and what follows them is whole; also when the buffer is lent to others
 * between any two reads. */
static void without_room(bool lends)
{
    pair p = open_pair();
    ms_frame frame;
    uint8_t *payload = pattern(1000000, 1), *spare = NULL;
    p.receiver.arguments_max = 500000;
    if (lends)
        p.receiver.spare = &spare;
    CHECK(ms_sender_put(&p.sender, (ms_header){1, 7, 1000000}, payload, 1000000));
    CHECK(ms_sender_put(&p.sender, (ms_header){2, 8, 3}, "abc", 3));
    CHECK(ms_sender_put(&p.sender, (ms_header){1, 9, 500000}, payload, 500000));
    for (uint32_t count = 0; count < 3;) {
        CHECK(ms_sender_flush(&p.sender, p.writer) != MS_CONN_BROKEN);
        CHECK(ms_receiver_read(&p.receiver, p.reader) != MS_CONN_BROKEN);
        while (ms_receiver_next(&p.receiver, &frame)) {
            CHECK_INT(frame.header.jid, 7 + count);
            CHECK((frame.payload == NULL) == (count == 0));
            if (count == 1)
                CHECK_BYTES((const char *)frame.payload, 3, "abc");
            if (count == 2)
                CHECK(memcmp(frame.payload, payload, 500000) == 0);
            count++;
        }
        CHECK_INT(p.receiver.wrong, MS_WIRE_FINE);
        ms_receiver_rest(&p.receiver);
        CHECK((p.receiver.buffer == NULL) <= lends);
    }
    free(payload);
    close_pair(&p);
    free(spare);
}

static void test_payloads_without_room(void)
{
    without_room(false);
    without_room(true);
}

/* Every way of sending, each size: what arrives is what was sent, in order. */
static void test_frames_of_all_sizes(void)
{
    pair p = open_pair();
    uint8_t *payloads[SIZE_COUNT];
    int released = 0;
    for (uint32_t i = 0; i < SIZE_COUNT; i++) {
        ms_header header = {1 + (int32_t)(i % 3), i + 1, sizes[i]};
        payloads[i] = pattern(sizes[i], i);
        if (i % 3 == 0)
            CHECK(ms_sender_put(&p.sender, header, payloads[i], sizes[i]));
        else if (i % 3 == 1)
            CHECK(ms_sender_lend(&p.sender, header, (ms_segment){payloads[i], sizes[i], release, &released}));
        else {
            ms_bytes frame = {0};
            uint8_t head[MS_HEADER_SIZE];
            ms_header_encode(head, header);
            CHECK(ms_bytes_append(&frame, head, sizeof head) && ms_bytes_append(&frame, payloads[i], sizes[i]));
            CHECK(ms_sender_give(&p.sender, &frame));
            CHECK_INT(frame.size, 0);
        }
    }
    uint32_t count = 0;
    while (count < SIZE_COUNT) {
        ms_frame frame;
        CHECK(ms_sender_flush(&p.sender, p.writer) != MS_CONN_BROKEN);
        ms_conn_status status = ms_receiver_read(&p.receiver, p.reader);
        CHECK(status == MS_CONN_DRY || status == MS_CONN_MORE);
        while (ms_receiver_next(&p.receiver, &frame)) {
            CHECK_INT(frame.header.jid, count + 1);
            CHECK_INT(frame.header.length, sizes[count]);
            CHECK(sizes[count] == 0 || memcmp(frame.payload, payloads[count], sizes[count]) == 0);
            if (count % 2 == 0) {
                uint8_t *taken = ms_receiver_take(&p.receiver, &frame);
                CHECK(sizes[count] == 0 || (taken != NULL && memcmp(taken, payloads[count], sizes[count]) == 0));
                ms_payload_free(taken, sizes[count]);
            }
            count++;
        }
        CHECK_INT(p.receiver.wrong, MS_WIRE_FINE);
    }
    CHECK_INT(ms_sender_size(&p.sender), 0);
    CHECK_INT(released, 3);
    for (uint32_t i = 0; i < SIZE_COUNT; i++)
        free(payloads[i]);
    close_pair(&p);
}

static void test_byte_by_byte(void)
{
    pair p = open_pair();
    uint8_t bytes[MS_HEADER_SIZE + 3] = {0};
    ms_frame frame;
    ms_header_encode(bytes, (ms_header){-2, 9, 3});
    memcpy(bytes + MS_HEADER_SIZE, "abc", 3);
    for (size_t i = 0; i < sizeof bytes; i++) {
        CHECK(!ms_receiver_next(&p.receiver, &frame));
        CHECK_INT(write(p.writer, bytes + i, 1), 1);
        CHECK_INT(ms_receiver_read(&p.receiver, p.reader), MS_CONN_DRY);
    }
    CHECK(ms_receiver_next(&p.receiver, &frame));
    CHECK_BYTES(frame.payload, frame.header.length, "abc");
    CHECK(!ms_receiver_next(&p.receiver, &frame));
    CHECK_INT(ms_receiver_read(&p.receiver, p.reader), MS_CONN_DRY);
    CHECK_INT(shutdown(p.writer, SHUT_WR), 0);
    CHECK_INT(ms_receiver_read(&p.receiver, p.reader), MS_CONN_CLOSED);
    close_pair(&p);
}

/* How much of it is really there. */
static size_t resident_size(uint8_t *memory, size_t size)
{
    static unsigned char pages[(MS_RESERVED_SIZE >> 12) + 1];
    size_t found = 0;
    uint8_t *first = (uint8_t *)((uintptr_t)memory & ~(uintptr_t)4095);
    CHECK_INT(mincore(first, size, pages), 0);
    for (size_t i = 0; i < size >> 12; i++)
        found += (size_t)(pages[i] & 1) << 12;
    return found;
}

/* A header promises much, and little comes: memory follows what came. */
static void test_promises(void)
{
    pair p = open_pair();
    uint8_t bytes[MS_HEADER_SIZE + 100] = {0};
    ms_frame frame;
    ms_header_encode(bytes, (ms_header){1, 1, 64 << 20});
    CHECK_INT(write(p.writer, bytes, sizeof bytes), sizeof bytes);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(ms_receiver_read(&p.receiver, p.reader), MS_CONN_DRY);
        CHECK(!ms_receiver_next(&p.receiver, &frame));
    }
    CHECK_INT(p.receiver.large_size, 100);
    CHECK(ms_payload_room(p.receiver.large) <= 2 * MS_RESERVED_SIZE);
    CHECK(resident_size(p.receiver.large, MS_RESERVED_SIZE) <= 4 << 20);
    close_pair(&p);
}

/* What breaks the rules is seen by its header alone; frames before it still count. */
static void test_wrong_frames(void)
{
    pair p = open_pair();
    ms_frame frame;
    CHECK(ms_sender_put(&p.sender, (ms_header){1, 1, 0}, NULL, 0));
    CHECK(ms_sender_put(&p.sender, (ms_header){4, 1, 0xffffffff}, NULL, 0));
    CHECK_INT(ms_sender_flush(&p.sender, p.writer), MS_CONN_DONE);
    CHECK_INT(ms_receiver_read(&p.receiver, p.reader), MS_CONN_DRY);
    CHECK(ms_receiver_next(&p.receiver, &frame));
    CHECK(!ms_receiver_next(&p.receiver, &frame));
    CHECK_INT(p.receiver.wrong, MS_WIRE_BAD_ORDINAL);
    CHECK(!ms_receiver_next(&p.receiver, &frame));
    close_pair(&p);
}

/* Nobody reads: the sender keeps what the system does not take, and gives lent memory back when it is closed. */
static void test_a_full_socket(void)
{
    pair p = open_pair();
    size_t size = 4 << 20;
    uint8_t *payload = pattern(size, 1);
    int released = 0;
    CHECK(ms_sender_lend(&p.sender, (ms_header){1, 1, (uint32_t)size}, (ms_segment){payload, size, release, &released}));
    CHECK_INT(ms_sender_flush(&p.sender, p.writer), MS_CONN_DRY);
    CHECK(ms_sender_size(&p.sender) > 0 && ms_sender_size(&p.sender) < size);
    CHECK_INT(released, 0);
    close_pair(&p);
    CHECK_INT(released, 1);
    free(payload);
}

int main(void)
{
    RUN(test_addresses);
    RUN(test_frames_of_all_sizes);
    RUN(test_payloads_without_room);
    RUN(test_byte_by_byte);
    RUN(test_promises);
    RUN(test_wrong_frames);
    RUN(test_a_full_socket);
    return 0;
}
