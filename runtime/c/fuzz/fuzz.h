/* What the fuzz targets share: reading an input as a series of decisions, and a network in memory.
 *
 * A target is one file fuzz_NAME.c with LLVMFuzzerTestOneInput. clang links it with libFuzzer; where there is no clang, standalone.c replays
 * the corpus and makes mutations of its own. The network (fake_net.c) stands in for net/socket.c and net/poll.c, so masters and
 * slaves run whole, from the handshake to the end, without a system call that could block or fail by itself. */
#ifndef MS_FUZZ_H
#define MS_FUZZ_H

#include "core/bytes.h"
#include "core/wire.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold whatever the input. */
#define MUST(condition)                                                                                                     \
    do {                                                                                                                    \
        if (!(condition)) {                                                                                                 \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                                   \
            abort();                                                                                                        \
        }                                                                                                                   \
    } while (0)

/* ---- The input ---- */

typedef struct fuzz_input {
    const uint8_t *at, *end;
} fuzz_input;

static inline bool fuzz_is_empty(const fuzz_input *input)
{
    return input->at == input->end;
}

/* 0 when there is nothing left. */
static inline uint8_t fuzz_u8(fuzz_input *input)
{
    return fuzz_is_empty(input) ? 0 : *input->at++;
}

static inline uint32_t fuzz_u16(fuzz_input *input)
{
    uint32_t low = fuzz_u8(input);
    return low | (uint32_t)fuzz_u8(input) << 8;
}

static inline uint32_t fuzz_u32(fuzz_input *input)
{
    uint32_t low = fuzz_u16(input);
    return low | fuzz_u16(input) << 16;
}

/* At most `*size` bytes; `*size` becomes what there is. */
static inline const uint8_t *fuzz_bytes(fuzz_input *input, size_t *size)
{
    const uint8_t *bytes = input->at;
    if (*size > (size_t)(input->end - input->at))
        *size = (size_t)(input->end - input->at);
    input->at += *size;
    return bytes;
}

/* ---- The network ---- */

enum { FAKE_END_MAX = 16 };

/* Everything as at the start: no connections. `clock`: time stands still but for fake_pass, else it is the real one. */
void fake_begin(bool clock);
void fake_end(void);
/* Time passes. */
void fake_pass(uint64_t ns);
/* With the clock: whether waiting in ms_poll_wait takes time. */
void fake_let_time_flow(bool flows);

/* What ms_poll_create gives. */
int fake_poll(void);
/* A connection that waits to be accepted; its descriptor, or -1 when there are too many. */
int fake_connect(void);
/* One that has been accepted. */
int fake_connection(void);
/* Bytes that the runtime may read. */
void fake_feed(int descriptor, const void *bytes, size_t size);
void fake_feed_frame(int descriptor, ms_header header, const void *payload);
/* The other end closes; `error`: reading says so after what is there, 0 for a good end. */
void fake_hang_up(int descriptor, int error);
/* How many bytes the runtime may write from now on. */
void fake_set_room(int descriptor, size_t room);
/* The next frame that the runtime has written; its payload stays until the next call. */
bool fake_next_frame(int descriptor, ms_header *header, const uint8_t **payload);
/* Whether the runtime has closed it, or has not accepted it. */
bool fake_is_closed(int descriptor);

/* Slaves: called when a connection is asked for (gives the descriptor of one from fake_connect, or -1), and whenever the runtime
 * would have to wait. */
extern int (*fake_on_connect)(void);
extern void (*fake_on_idle)(void);
#endif
