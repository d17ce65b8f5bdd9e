/* One connection's partial reads and writes: bytes of a socket to whole, checked frames, and frames to few system calls.
 *
 * A receiver and a sender share nothing but the descriptor, so each may be used by another thread (one at a time). What frames
 * mean is left to others. With keys (`secure`, null without) what is read and written is encrypted; a receiver and a sender of one
 * connection share them, and the handshake goes on by itself while both are used.
 *
 * What always holds: memory that is touched grows with the bytes that have arrived, not with those that a header promises; a frame that is handed
 * out has passed ms_header_check; frames leave in the order in which they were put. */
#ifndef MS_CONN_H
#define MS_CONN_H

#include "core/bytes.h"
#include "core/wire.h"
#include "net/secure.h"

typedef enum ms_conn_status {
    MS_CONN_MORE,   /* bytes came and there may be more */
    MS_CONN_DRY,    /* the system has no more to read, or takes no more, for now */
    MS_CONN_DONE,   /* all is sent */
    MS_CONN_CLOSED, /* the other end closed it */
    MS_CONN_BROKEN  /* errno says why */
} ms_conn_status;

enum { MS_RECEIVE_SIZE = 256 << 10, MS_LARGE_SIZE = 64 << 10, MS_RESERVED_SIZE = 16 << 20 /* so much room is made for a mere promise */ };

typedef struct ms_frame {
    ms_header header;
    const uint8_t *payload; /* header.length bytes, valid until the receiver is used again; null: they came, but there was no room for them */
} ms_frame;

typedef struct ms_receiver {
    ms_wire_rules rules;
    ms_secure *secure;    /* belongs to whoever opened the connection */
    ms_wire_result wrong; /* what is wrong with the bytes that came; then there are no more frames */
    uint8_t *buffer;      /* MS_RECEIVE_SIZE bytes, those from start to end not yet handed out; null while it rests */
    uint8_t **spare;      /* null: the buffer is its own for good */
    ms_bytes kept;        /* what the buffer held when it began to rest */
    uint32_t start, end;
    bool filling_large; /* the payload of large_header, which does not fit the buffer, gathers in `large` */
    bool discarding;    /* there is no room for that payload: what comes of it is counted and forgotten */
    uint64_t arguments_max; /* arguments and results beyond are forgotten at once; 0: no limit but memory */
    size_t discarded_size;
    bool gave_large;    /* the last frame's payload is `large` */
    bool heard;         /* the last read brought bytes from the other end; with a key, bytes that are authentic */
    ms_header large_header;
    uint8_t *large;     /* a payload (payload.h) of large_size bytes so far */
    size_t large_size;
} ms_receiver;

/* With `spare` the buffer is taken from there, or made, to read, and put there, or freed, to rest; many receivers may share the place. False: no
 * memory. */
bool ms_receiver_open(ms_receiver *receiver, const ms_wire_rules *rules, uint8_t **spare);
/* All whole frames have been taken, and what was handed out is used no more: it needs no buffer until it reads again. */
void ms_receiver_rest(ms_receiver *receiver);
void ms_receiver_close(ms_receiver *receiver);
/* Reads once. The frames that are whole should have been taken before. */
ms_conn_status ms_receiver_read(ms_receiver *receiver, int descriptor);
/* The next whole frame; false when there is none, or what came is wrong. */
bool ms_receiver_next(ms_receiver *receiver, ms_frame *frame);
/* The payload of the frame that ms_receiver_next just gave, which is the caller's from now on (payload.h). Null: no memory. */
uint8_t *ms_receiver_take(ms_receiver *receiver, const ms_frame *frame);

/* Bytes that are sent from where they lie; `release(owner)` is called when they have been, or never will be. */
typedef struct ms_segment {
    uint8_t *data;
    size_t size;
    void (*release)(void *owner);
    void *owner;
} ms_segment;

typedef struct ms_sender {
    ms_secure *secure;
    ms_segment *segments; /* those from `first` to `count` go before `tail` */
    uint32_t first, count, capacity;
    size_t sent; /* of the first segment, or of the tail when there are no segments */
    ms_bytes tail;
    size_t pending_size;
} ms_sender;

void ms_sender_close(ms_sender *sender);
/* Adds a frame, copying its payload. False: no memory, and the frame is not sent. */
bool ms_sender_put(ms_sender *sender, ms_header header, const void *payload, size_t size);
/* The same, with a payload that is sent from where it lies. False: `release` is not called. */
bool ms_sender_lend(ms_sender *sender, ms_header header, ms_segment payload);
/* The same for bytes that are frames already. */
bool ms_sender_share(ms_sender *sender, ms_segment frames);
/* Adds bytes that are frames already and takes their memory. False: the caller keeps it. */
bool ms_sender_give(ms_sender *sender, ms_bytes *frames);
/* Writes as much as the system takes: MS_CONN_DONE, MS_CONN_DRY or MS_CONN_BROKEN. Before a handshake is over, nothing: MS_CONN_DRY. */
ms_conn_status ms_sender_flush(ms_sender *sender, int descriptor);

static inline size_t ms_sender_size(const ms_sender *sender)
{
    return sender->pending_size;
}
#endif
