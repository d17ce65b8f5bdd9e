/* Receiving and sending frames. */
#include "net/conn.h"

#include "core/payload.h"
#include "net/socket.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Receiving ---- */

enum { KEPT_MAX = 4096 }; /* a longer beginning of a frame is not copied again and again: it keeps its buffer */

/* The buffer, with what was kept. False: no memory. */
static bool wake(ms_receiver *receiver)
{
    if (receiver->buffer != NULL)
        return true;
    if (receiver->spare != NULL && *receiver->spare != NULL) {
        receiver->buffer = *receiver->spare;
        *receiver->spare = NULL;
    } else if ((receiver->buffer = malloc(MS_RECEIVE_SIZE)) == NULL) {
        return false;
    }
    if (receiver->kept.size > 0)
        memcpy(receiver->buffer, receiver->kept.data, receiver->kept.size);
    receiver->start = 0;
    receiver->end = (uint32_t)receiver->kept.size;
    ms_bytes_free(&receiver->kept);
    return true;
}

bool ms_receiver_open(ms_receiver *receiver, const ms_wire_rules *rules, uint8_t **spare)
{
    *receiver = (ms_receiver){.rules = *rules, .spare = spare};
    return spare != NULL || wake(receiver);
}

void ms_receiver_rest(ms_receiver *receiver)
{
    uint32_t left = receiver->end - receiver->start;
    if (receiver->spare == NULL || receiver->buffer == NULL || left > KEPT_MAX ||
        !ms_bytes_append(&receiver->kept, receiver->buffer + receiver->start, left))
        return;
    if (*receiver->spare == NULL)
        *receiver->spare = receiver->buffer;
    else
        free(receiver->buffer);
    receiver->buffer = NULL;
    receiver->start = receiver->end = 0;
}

static void free_large(ms_receiver *receiver)
{
    ms_payload_free_large(receiver->large);
    receiver->large = NULL;
    receiver->large_size = 0;
}

void ms_receiver_close(ms_receiver *receiver)
{
    free(receiver->buffer);
    free_large(receiver);
    ms_bytes_free(&receiver->kept);
    receiver->buffer = NULL;
}

static ms_conn_status read_plain(int descriptor, void *bytes, size_t size, size_t *done)
{
    ssize_t got = ms_socket_read(descriptor, bytes, size);
    *done = got > 0 ? (size_t)got : 0;
    if (got > 0)
        return (size_t)got < size ? MS_CONN_DRY : MS_CONN_MORE;
    if (got == 0)
        return MS_CONN_CLOSED;
    return errno == EAGAIN || errno == EWOULDBLOCK ? MS_CONN_DRY : MS_CONN_BROKEN;
}

/* What a handshake says; it is less than any socket takes at once. */
static bool write_small(int descriptor, const uint8_t *bytes, size_t size)
{
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    return size == 0 || ms_socket_write(descriptor, &part, 1) == (ssize_t)size;
}

static ms_conn_status read_secure(ms_receiver *receiver, int descriptor, void *bytes, size_t size, size_t *done)
{
    ms_secure *secure = receiver->secure;
    ms_conn_status status = MS_CONN_MORE;
    if (!ms_secure_has_more(secure)) {
        size_t room, got, answer_size;
        uint8_t *place = ms_secure_room(secure, &room);
        status = read_plain(descriptor, place, room, &got);
        if (got > 0)
            ms_secure_arrived(secure, got);
        const uint8_t *answer = ms_secure_output(secure, &answer_size);
        if (!write_small(descriptor, answer, answer_size) && ms_secure_wrong(secure) == MS_WIRE_FINE)
            return MS_CONN_BROKEN;
    }
    *done = ms_secure_open(secure, bytes, size);
    receiver->wrong = ms_secure_wrong(secure);
    return status == MS_CONN_DRY && ms_secure_has_more(secure) ? MS_CONN_MORE : status;
}

static ms_conn_status read_into(ms_receiver *receiver, int descriptor, void *bytes, size_t size, size_t *done)
{
    ms_conn_status status;
    *done = 0;
    if (receiver->secure != NULL)
        status = read_secure(receiver, descriptor, bytes, size, done);
    else
        status = read_plain(descriptor, bytes, size, done);
    receiver->heard = *done > 0;
    return status;
}

/* A slave greets with a key, and there is none here: it is told, in its own language. */
static void refuse_keyed(ms_receiver *receiver, int descriptor)
{
    uint8_t alert[MS_PREAMBLE_SIZE];
    uint32_t have = receiver->end - receiver->start;
    if (!receiver->rules.greeting || receiver->rules.side != MS_FROM_SLAVE || receiver->secure != NULL || have < MS_PREAMBLE_SIZE ||
        !ms_secure_is_preamble(receiver->buffer + receiver->start))
        return;
    ms_secure_keyless_alert(alert);
    write_small(descriptor, alert, sizeof alert);
    receiver->wrong = MS_WIRE_KEYED;
}

static void discard_large(ms_receiver *receiver, size_t have)
{
    free_large(receiver);
    receiver->discarding = true;
    receiver->discarded_size = have;
}

/* Into the buffer, which is empty while a large payload comes, and may have been lent to others meanwhile. */
static ms_conn_status read_discarded(ms_receiver *receiver, int descriptor)
{
    if (!wake(receiver)) {
        errno = ENOMEM;
        return MS_CONN_BROKEN;
    }
    size_t missing = receiver->large_header.length - receiver->discarded_size, done;
    size_t room = missing < MS_RECEIVE_SIZE ? missing : MS_RECEIVE_SIZE;
    ms_conn_status status = read_into(receiver, descriptor, receiver->buffer, room, &done);
    receiver->discarded_size += done;
    return status;
}

/* Room for more of a payload that has filled what there was. */
static bool grow_large(ms_receiver *receiver)
{
    size_t wanted = 4 * receiver->large_size, length = receiver->large_header.length;
    uint8_t *grown = ms_payload_resize(receiver->large, receiver->large_size, wanted < length ? wanted : length);
    if (grown == NULL)
        return false;
    receiver->large = grown;
    return true;
}

static ms_conn_status read_large(ms_receiver *receiver, int descriptor)
{
    size_t missing = receiver->large_header.length - receiver->large_size, done;
    if (receiver->discarding)
        return read_discarded(receiver, descriptor);
    if (ms_payload_room(receiver->large) == receiver->large_size && !grow_large(receiver)) {
        discard_large(receiver, receiver->large_size);
        return read_discarded(receiver, descriptor);
    }
    size_t room = ms_payload_room(receiver->large) - receiver->large_size;
    ms_conn_status status = read_into(receiver, descriptor, receiver->large + receiver->large_size, room < missing ? room : missing, &done);
    receiver->large_size += done;
    return status;
}

ms_conn_status ms_receiver_read(ms_receiver *receiver, int descriptor)
{
    if (receiver->filling_large)
        return read_large(receiver, descriptor);
    if (!wake(receiver)) {
        errno = ENOMEM;
        return MS_CONN_BROKEN;
    }
    if (receiver->start > 0) {
        memmove(receiver->buffer, receiver->buffer + receiver->start, receiver->end - receiver->start);
        receiver->end -= receiver->start;
        receiver->start = 0;
    }
    size_t done;
    ms_conn_status status = read_into(receiver, descriptor, receiver->buffer + receiver->end, MS_RECEIVE_SIZE - receiver->end, &done);
    receiver->end += (uint32_t)done;
    refuse_keyed(receiver, descriptor);
    return status;
}

/* A payload that the buffer can't hold moves into memory of its own: of the size that was promised, if that is usual, since pages that nothing arrives for cost
 * nothing; else it grows as its bytes arrive. */
static void begin_large(ms_receiver *receiver, ms_header header)
{
    size_t have = receiver->end - receiver->start - MS_HEADER_SIZE;
    bool is_wanted = header.ordinal == 0 || receiver->arguments_max == 0 || header.length <= receiver->arguments_max;
    free_large(receiver);
    if (is_wanted)
        receiver->large = ms_payload_new(header.length < MS_RESERVED_SIZE ? header.length : MS_RESERVED_SIZE);
    if (receiver->large == NULL) {
        discard_large(receiver, have);
    } else {
        memcpy(receiver->large, receiver->buffer + receiver->start + MS_HEADER_SIZE, have);
        receiver->large_size = have;
    }
    receiver->start = receiver->end = 0;
    receiver->large_header = header;
    receiver->filling_large = true;
}

static bool next_large(ms_receiver *receiver, ms_frame *frame)
{
    if ((receiver->discarding ? receiver->discarded_size : receiver->large_size) < receiver->large_header.length)
        return false;
    receiver->filling_large = false;
    if (receiver->discarding) {
        receiver->discarding = false;
        *frame = (ms_frame){receiver->large_header, NULL};
        return true;
    }
    receiver->gave_large = true;
    *frame = (ms_frame){receiver->large_header, receiver->large};
    return true;
}

bool ms_receiver_next(ms_receiver *receiver, ms_frame *frame)
{
    if (receiver->gave_large) {
        free_large(receiver);
        receiver->gave_large = false;
    }
    if (receiver->filling_large)
        return next_large(receiver, frame);
    uint32_t have = receiver->end - receiver->start;
    if (have < MS_HEADER_SIZE || receiver->wrong != MS_WIRE_FINE)
        return false;
    const uint8_t *bytes = receiver->buffer + receiver->start;
    ms_header header = ms_header_decode(bytes);
    receiver->wrong = ms_header_check(&header, &receiver->rules);
    if (receiver->wrong != MS_WIRE_FINE)
        return false;
    if (header.length > have - MS_HEADER_SIZE) {
        if (header.length > MS_RECEIVE_SIZE - MS_HEADER_SIZE)
            begin_large(receiver, header);
        return false;
    }
    receiver->start += MS_HEADER_SIZE + header.length;
    *frame = (ms_frame){header, bytes + MS_HEADER_SIZE};
    return true;
}

uint8_t *ms_receiver_take(ms_receiver *receiver, const ms_frame *frame)
{
    uint8_t *payload = receiver->large;
    if (!receiver->gave_large)
        return ms_payload_copy(frame->payload, frame->header.length);
    receiver->large = NULL;
    receiver->gave_large = false;
    return payload;
}

/* ---- Sending ---- */

enum { PART_MAX = 64 };

static void release_segment(const ms_segment *segment)
{
    if (segment->release != NULL)
        segment->release(segment->owner);
}

void ms_sender_close(ms_sender *sender)
{
    for (uint32_t i = sender->first; i < sender->count; i++)
        release_segment(&sender->segments[i]);
    free(sender->segments);
    ms_bytes_free(&sender->tail);
    *sender = (ms_sender){0};
}

static bool has_segments(const ms_sender *sender)
{
    return sender->first < sender->count;
}

/* The sent part of the tail is given up when it is worth the move. */
static void compact_tail(ms_sender *sender)
{
    if (has_segments(sender) || sender->sent < sender->tail.size / 2 || sender->sent == 0)
        return;
    ms_bytes_consume(&sender->tail, sender->sent);
    sender->sent = 0;
}

bool ms_sender_put(ms_sender *sender, ms_header header, const void *payload, size_t size)
{
    ms_bytes *tail = &sender->tail;
    if (tail->capacity - tail->size < MS_HEADER_SIZE + size) {
        compact_tail(sender);
        if (!ms_bytes_reserve(tail, MS_HEADER_SIZE + size))
            return false;
    }
    ms_header_encode(tail->data + tail->size, header);
    if (size > 0)
        memcpy(tail->data + tail->size + MS_HEADER_SIZE, payload, size);
    tail->size += MS_HEADER_SIZE + size;
    sender->pending_size += MS_HEADER_SIZE + size;
    return true;
}

static bool reserve_segments(ms_sender *sender, uint32_t more)
{
    if (sender->first > 0) {
        memmove(sender->segments, sender->segments + sender->first, (sender->count - sender->first) * sizeof *sender->segments);
        sender->count -= sender->first;
        sender->first = 0;
    }
    if (sender->count + more <= sender->capacity)
        return true;
    uint32_t capacity = sender->capacity == 0 ? 8 : sender->capacity * 2;
    ms_segment *segments = realloc(sender->segments, capacity * sizeof *segments);
    if (segments == NULL)
        return false;
    sender->segments = segments;
    sender->capacity = capacity;
    return true;
}

/* What is in the tail becomes a segment, so that another one can follow it. */
static void seal_tail(ms_sender *sender)
{
    if (sender->tail.size == 0)
        return;
    sender->segments[sender->count++] = (ms_segment){sender->tail.data, sender->tail.size, free, sender->tail.data};
    ms_bytes_init(&sender->tail);
}

bool ms_sender_lend(ms_sender *sender, ms_header header, ms_segment payload)
{
    if (!reserve_segments(sender, 2) || !ms_sender_put(sender, header, NULL, 0))
        return false;
    seal_tail(sender);
    sender->segments[sender->count++] = payload;
    sender->pending_size += payload.size;
    return true;
}

bool ms_sender_share(ms_sender *sender, ms_segment frames)
{
    if (!reserve_segments(sender, 2))
        return false;
    seal_tail(sender);
    sender->segments[sender->count++] = frames;
    sender->pending_size += frames.size;
    return true;
}

bool ms_sender_give(ms_sender *sender, ms_bytes *frames)
{
    if (frames->size == 0)
        return true;
    if (!ms_sender_share(sender, (ms_segment){frames->data, frames->size, free, frames->data}))
        return false;
    ms_bytes_init(frames);
    return true;
}

static int gather(const ms_sender *sender, struct iovec parts[PART_MAX])
{
    int count = 0;
    for (uint32_t i = sender->first; i < sender->count && count < PART_MAX - 1; i++)
        parts[count++] = (struct iovec){sender->segments[i].data, sender->segments[i].size};
    if (sender->count - sender->first < PART_MAX - 1 && sender->tail.size > 0)
        parts[count++] = (struct iovec){sender->tail.data, sender->tail.size};
    parts[0].iov_base = (uint8_t *)parts[0].iov_base + sender->sent;
    parts[0].iov_len -= sender->sent;
    return count;
}

static void advance(ms_sender *sender, size_t done)
{
    assert(done <= sender->pending_size);
    sender->pending_size -= done;
    sender->sent += done;
    while (has_segments(sender) && sender->sent >= sender->segments[sender->first].size) {
        sender->sent -= sender->segments[sender->first].size;
        release_segment(&sender->segments[sender->first++]);
    }
    if (!has_segments(sender) && sender->sent == sender->tail.size) {
        ms_bytes_clear(&sender->tail);
        sender->sent = 0;
    }
}

static ms_conn_status flush_secure(ms_sender *sender, int descriptor)
{
    ms_secure *secure = sender->secure;
    struct iovec parts[PART_MAX], sealed;
    if (!ms_secure_is_open(secure)) {
        const uint8_t *greeting = ms_secure_output(secure, &sealed.iov_len);
        return write_small(descriptor, greeting, sealed.iov_len) ? MS_CONN_DRY : MS_CONN_BROKEN;
    }
    while (sender->pending_size > 0) {
        sealed.iov_base = (void *)(uintptr_t)ms_secure_sealed(secure, &sealed.iov_len);
        if (sealed.iov_len == 0)
            sealed.iov_base = (void *)(uintptr_t)ms_secure_seal(secure, parts, gather(sender, parts), &sealed.iov_len);
        ssize_t done = ms_socket_write(descriptor, &sealed, 1);
        if (done < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? MS_CONN_DRY : MS_CONN_BROKEN;
        advance(sender, ms_secure_sent(secure, (size_t)done));
    }
    return MS_CONN_DONE;
}

ms_conn_status ms_sender_flush(ms_sender *sender, int descriptor)
{
    if (sender->secure != NULL)
        return flush_secure(sender, descriptor);
    while (sender->pending_size > 0) {
        struct iovec parts[PART_MAX];
        ssize_t done = ms_socket_write(descriptor, parts, gather(sender, parts));
        if (done < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? MS_CONN_DRY : MS_CONN_BROKEN;
        advance(sender, (size_t)done);
    }
    return MS_CONN_DONE;
}
