/* The frame reader and the frame writer (net/conn.h): the same frames come however the bytes are cut, and leave in the same order. */
#include "core/payload.h"
#include "fuzz/fuzz.h"
#include "net/conn.h"

#include <string.h>

enum { LATER_SIZE = 50000, STREAM_MAX = 1 << 20 };

typedef struct seen {
    size_t count, size;
    uint64_t hash;
    ms_wire_result wrong;
} seen;

static void mix(seen *s, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++)
        s->hash = (s->hash ^ at[i]) * 0x100000001b3u;
}

/* Literal bytes, headers, and long runs of one byte. */
static void make_stream(fuzz_input *input, ms_bytes *stream)
{
    while (!fuzz_is_empty(input) && stream->size < STREAM_MAX) {
        uint8_t head[MS_HEADER_SIZE], what = fuzz_u8(input);
        size_t size = what >> 2;
        const uint8_t *bytes;
        switch (what & 3) {
        case 0:
            bytes = fuzz_bytes(input, &size);
            MUST(ms_bytes_append(stream, bytes, size));
            break;
        case 1:
            ms_header_encode(head, (ms_header){(int8_t)fuzz_u8(input), fuzz_u16(input), fuzz_u32(input) & (0xffffffu >> (what >> 4))});
            MUST(ms_bytes_append(stream, head, sizeof head));
            break;
        default:
            size = (size_t)fuzz_u16(input) << (what >> 6);
            MUST(ms_bytes_reserve(stream, size + 1));
            memset(stream->data + stream->size, what >> 2, size);
            stream->size += size;
            break;
        }
    }
}

static seen read_all(const ms_bytes *stream, const ms_wire_rules *rules, fuzz_input cuts, bool cut)
{
    seen s = {0};
    ms_frame frame;
    ms_receiver receiver;
    ms_conn_status status = MS_CONN_MORE;
    fake_begin(false);
    int descriptor = fake_connection();
    MUST(ms_receiver_open(&receiver, rules, NULL));
    size_t at = 0;
    while (receiver.wrong == MS_WIRE_FINE && status != MS_CONN_CLOSED) {
        size_t size = !cut ? stream->size : fuzz_is_empty(&cuts) ? LATER_SIZE : 1 + fuzz_u8(&cuts) * (size_t)fuzz_u8(&cuts);
        size = size < stream->size - at ? size : stream->size - at;
        fake_feed(descriptor, stream->data + at, size);
        at += size;
        if (at == stream->size)
            fake_hang_up(descriptor, 0);
        do {
            status = ms_receiver_read(&receiver, descriptor);
            while (ms_receiver_next(&receiver, &frame)) {
                mix(&s, &frame.header, sizeof frame.header);
                mix(&s, frame.payload, frame.header.length);
                if (s.count++ % 2 == 1) {
                    uint8_t *taken = ms_receiver_take(&receiver, &frame);
                    MUST(taken != NULL || frame.header.length == 0);
                    mix(&s, taken, frame.header.length);
                    ms_payload_free(taken, frame.header.length);
                } else {
                    mix(&s, frame.payload, frame.header.length);
                }
            }
            MUST(receiver.large == NULL || ms_payload_room(receiver.large) <= 5 * stream->size + 2 * MS_RESERVED_SIZE); /* memory follows what came, not what was promised */
        } while (status == MS_CONN_MORE && receiver.wrong == MS_WIRE_FINE);
    }
    s.wrong = receiver.wrong;
    ms_receiver_close(&receiver);
    fake_end();
    return s;
}

static void let_go(void *owner)
{
    ++*(uint32_t *)owner;
}

/* Frames that are put, lent and given come out in order, however little the other end takes at a time. */
static void write_all(const ms_bytes *stream, fuzz_input cuts)
{
    ms_sender sender = {0};
    ms_bytes expected = {0}, block;
    uint32_t lent = 0, back = 0;
    fake_begin(false);
    int descriptor = fake_connection();
    for (size_t at = 0; at < stream->size && !fuzz_is_empty(&cuts);) {
        size_t size = fuzz_u16(&cuts), rest = stream->size - at;
        size = size < rest ? size : rest;
        ms_header header = {1, (uint32_t)at + 1, (uint32_t)size};
        uint8_t head[MS_HEADER_SIZE];
        ms_header_encode(head, header);
        MUST(ms_bytes_append(&expected, head, sizeof head) && ms_bytes_append(&expected, stream->data + at, size));
        switch (fuzz_u8(&cuts) % 4) {
        case 0: MUST(ms_sender_put(&sender, header, stream->data + at, size)); break;
        case 1:
            MUST(ms_sender_lend(&sender, header, (ms_segment){stream->data + at, size, let_go, &back}));
            lent++;
            break;
        case 2:
            ms_bytes_init(&block);
            MUST(ms_bytes_append(&block, head, sizeof head) && ms_bytes_append(&block, stream->data + at, size));
            MUST(ms_sender_give(&sender, &block));
            break;
        default: MUST(ms_sender_put(&sender, header, stream->data + at, size)); break;
        }
        at += size + 1;
        fake_set_room(descriptor, fuzz_u8(&cuts) * 16u);
        MUST(ms_sender_flush(&sender, descriptor) != MS_CONN_BROKEN);
    }
    fake_set_room(descriptor, SIZE_MAX);
    MUST(ms_sender_flush(&sender, descriptor) == MS_CONN_DONE && ms_sender_size(&sender) == 0 && back == lent);
    ms_header header;
    const uint8_t *payload;
    size_t at = 0;
    while (fake_next_frame(descriptor, &header, &payload)) {
        MUST(at + MS_HEADER_SIZE + header.length <= expected.size);
        MUST(memcmp(expected.data + at, payload - MS_HEADER_SIZE, MS_HEADER_SIZE + header.length) == 0);
        at += MS_HEADER_SIZE + header.length;
    }
    MUST(at == expected.size);
    ms_sender_close(&sender);
    ms_bytes_free(&expected);
    fake_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input input = {data, data + size};
    uint8_t mode = fuzz_u8(&input);
    ms_wire_rules rules = {mode & 1 ? MS_FROM_SLAVE : MS_FROM_MASTER, (mode & 2) != 0, 1 + (mode >> 4), fuzz_u16(&input) << 8};
    ms_bytes stream = {0};
    fuzz_input cuts = input;
    make_stream(&input, &stream);
    if (stream.size > 0) {
        seen whole = read_all(&stream, &rules, cuts, false), pieces = read_all(&stream, &rules, cuts, true);
        MUST(whole.count == pieces.count && whole.hash == pieces.hash && whole.wrong == pieces.wrong);
        write_all(&stream, cuts);
    }
    ms_bytes_free(&stream);
    return 0;
}
