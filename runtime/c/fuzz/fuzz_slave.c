/* A whole slave with a master that says anything: ms_client_run from connecting to its exit status, jobs that run on their threads (those
 * of tests/jobs_program.c) and start others. The input is a series of the master's steps, taken when the slave has nothing left to do.
 *
 * What must hold: no step ends the process, the slave always comes back, and nothing is left then. */
#include "fuzz/fuzz.h"

#include "core/task.h"
#include "net/address.h"
#include "slave/client.h"
#include "slave/executor.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { NUMBER_MAX = 64, PAYLOAD_MAX = 65536, LARGE_SIZE = 300000, STEPS_MAX = 400, BLOBS_MAX = 40000 };

enum { PATIENCE_MS = 30000 };

bool __real_ms_executor_settle(ms_executor *executor, int timeout_ms);
bool __wrap_ms_executor_settle(ms_executor *executor, int timeout_ms);

/* A job that does not let itself be stopped is a fault here; on a busy machine it may take its time. */
bool __wrap_ms_executor_settle(ms_executor *executor, int timeout_ms)
{
    (void)timeout_ms;
    return __real_ms_executor_settle(executor, PATIENCE_MS);
}

static fuzz_input input;
static int descriptor, signals, connection_count, step_count;
static bool signalled;
static uint32_t numbers[NUMBER_MAX], number_count;
static uint8_t block[LARGE_SIZE];

static void send_control(uint32_t kind, const void *payload, uint32_t size)
{
    fake_feed_frame(descriptor, (ms_header){0, kind, size}, payload);
}

static void say_welcome(void)
{
    ms_welcome words = {.heartbeat_ms = 2000, .payload_max = PAYLOAD_MAX};
    ms_bytes bytes = {0};
    MUST(ms_welcome_encode(&bytes, &words));
    send_control(MS_WELCOME, bytes.data, (uint32_t)bytes.size);
    ms_bytes_free(&bytes);
}

/* What the slave has sent: the numbers of the jobs that it has spawned are answered later. */
static void look_at_frames(void)
{
    ms_header header;
    const uint8_t *payload;
    while (fake_next_frame(descriptor, &header, &payload)) {
        uint32_t ordinal = header.ordinal < 0 ? -(uint32_t)header.ordinal : (uint32_t)header.ordinal;
        MUST(ordinal <= ms_program.job_count && header.length <= PAYLOAD_MAX + 1024);
        if (header.ordinal == 0 && header.jid == MS_SPAWN) {
            MUST(header.length >= MS_SPAWN_HEAD_SIZE);
            numbers[number_count++ % NUMBER_MAX] = ms_get_u32(payload + 4);
        }
    }
}

static void send_job(void)
{
    uint8_t payload[8] = {0}, what = fuzz_u8(&input);
    ms_header header = {1 + what % ms_program.job_count, 1 + fuzz_u8(&input) % 32u, 4};
    ms_put_u32(payload, fuzz_u8(&input));
    if ((what & 224) == 224) { /* any length */
        header.length = fuzz_u8(&input) % 9;
    } else if ((what & 224) == 192) { /* a pair */
        ms_put_u32(payload + 4, fuzz_u8(&input));
        header.length = 8;
    }
    fake_feed_frame(descriptor, header, payload);
}

static void send_large_job(void)
{
    uint32_t size = 4 + fuzz_u16(&input) * 4u;
    ms_put_u32(block, size - 4 + (fuzz_u8(&input) == 0));
    fake_feed_frame(descriptor, (ms_header){7, 1 + fuzz_u8(&input) % 32u, size}, block);
}

/* Blobs of all sizes, more than there may be. */
static void send_blob(void)
{
    uint32_t size = fuzz_u8(&input) * 64u;
    ms_put_u32(block, size < 4 ? 0 : size - 4);
    send_control(MS_BLOB, block, size);
}

static void send_forget(void)
{
    uint8_t number[4];
    ms_put_u32(number, fuzz_u8(&input) % 8u);
    send_control(MS_FORGET, number, 4 - (fuzz_u8(&input) == 0));
}

static void send_run(void)
{
    uint8_t payload[MS_RUN_HEAD_SIZE + 4 * MS_RUN_PART_SIZE + 16] = {0}, what = fuzz_u8(&input);
    uint32_t count = what >> 5 & 3, size = MS_RUN_HEAD_SIZE;
    ms_put_u32(payload, fuzz_u8(&input) % 32u + (what != 0));
    ms_put_u32(payload + 4, what & 16 ? 7 : 1 + what % ms_program.job_count);
    ms_put_u32(payload + 8, what & 128 ? fuzz_u8(&input) : count);
    for (uint32_t i = 0; i < count; i++, size += MS_RUN_PART_SIZE) {
        uint8_t part = fuzz_u8(&input);
        ms_put_u32(payload + size, part >> 4);
        ms_put_u32(payload + size + 4, 1 + part % 8u);
    }
    ms_put_u32(payload + size, fuzz_u8(&input));
    send_control(MS_RUN, payload, size + fuzz_u8(&input) % 16u);
}

static void send_result(void)
{
    uint8_t payload[MS_RESULT_HEAD_SIZE + 64] = {0}, choice = fuzz_u8(&input), how = fuzz_u8(&input);
    uint32_t known = number_count < NUMBER_MAX ? number_count : NUMBER_MAX;
    ms_put_u32(payload, choice >= 250 || known == 0 ? choice : numbers[(number_count - 1 - choice % known) % NUMBER_MAX]);
    ms_put_u32(payload + 4, how % 4);
    uint32_t size = how % 4 == MS_RESULT_FAILED ? 12 : how % 4 == MS_RESULT_FINISHED ? 4 : 0;
    if (how & 128)
        size = fuzz_u8(&input) % 64;
    size_t more = how & 64 ? size : 0;
    const uint8_t *bytes = fuzz_bytes(&input, &more);
    memcpy(payload + MS_RESULT_HEAD_SIZE, bytes, more);
    send_control(MS_RESULT, payload, MS_RESULT_HEAD_SIZE + size);
}

static void send_cancel(void)
{
    uint8_t jid[4];
    ms_put_u32(jid, 1 + fuzz_u8(&input) % 32u);
    send_control(MS_CANCEL, jid, sizeof jid);
}

static void send_raw(void)
{
    size_t size = fuzz_u8(&input);
    const uint8_t *bytes = fuzz_bytes(&input, &size);
    fake_feed(descriptor, bytes, size);
}

static void send_header(void)
{
    uint8_t head[MS_HEADER_SIZE];
    ms_header header = {.ordinal = (int8_t)fuzz_u8(&input), .jid = fuzz_u8(&input), .length = fuzz_u8(&input)};
    if (header.length >= 128)
        header.length = 1u << (header.length & 31);
    ms_header_encode(head, header);
    fake_feed(descriptor, head, sizeof head);
}

static void send_control_of(void)
{
    uint32_t kind = fuzz_u8(&input) % 32;
    size_t size = fuzz_u8(&input);
    const uint8_t *bytes = fuzz_bytes(&input, &size);
    send_control(kind, bytes, (uint32_t)size);
}

/* Only once: the second one ends the process at once, whatever runs. */
static void raise_signal(void)
{
    uint64_t one = 1;
    if (signalled)
        return;
    signalled = true;
    MUST(write(signals, &one, sizeof one) == (ssize_t)sizeof one);
}

/* The slave would wait now. */
static void next_step(void)
{
    struct pollfd nothing = {.fd = -1};
    look_at_frames();
    if (fuzz_is_empty(&input) || step_count++ > STEPS_MAX) {
        fake_hang_up(descriptor, 0);
        return;
    }
    uint8_t what = fuzz_u8(&input);
    if (what >= 224) {
        void (*const steps[])(void) = {send_run, send_run, send_blob, send_forget};
        steps[what & 3]();
        return;
    }
    switch (what & 15) {
    case 0:
    case 1:
    case 2: send_job(); break;
    case 3:
    case 4: send_result(); break;
    case 5: send_cancel(); break;
    case 6: send_raw(); break;
    case 7: send_header(); break;
    case 8: send_control_of(); break;
    case 9: send_large_job(); break;
    case 10: raise_signal(); break;
    case 11: send_control(MS_BYE, NULL, 0); break;
    case 12: fake_set_room(descriptor, fuzz_u8(&input) * 5u); break;
    case 13: fake_set_room(descriptor, SIZE_MAX); break;
    case 14: say_welcome(); break;
    default: poll(&nothing, 1, 1); break; /* the jobs get some time */
    }
}

static int connect_once(void)
{
    if (connection_count++ > 0)
        return -1;
    if ((fuzz_u8(&input) & 15) != 15)
        say_welcome();
    return descriptor;
}

/* The runtime's handler of SIGSEGV passes on what is no full stack, to the fuzzer's. */
static void set_up(void)
{
    static bool done;
    if (!done)
        ms_task_setup();
    done = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char message[MS_MESSAGE_MAX];
    ms_client_options options = {.address_count = 1, .slots = 1, .memory_max = 1 << 20, .waiting_max = 16, .once = true, .quiet = true,
                                 .payload_max = PAYLOAD_MAX, .blobs_max = BLOBS_MAX};
    set_up();
    input = (fuzz_input){data, data + size};
    connection_count = step_count = 0;
    number_count = 0;
    signalled = false;
    options.slots = 1 + fuzz_u8(&input) % 3u;
    MUST(ms_address_parse(&options.addresses[0], "unix:fuzz", message));
    fake_begin(false);
    descriptor = fake_connect();
    signals = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    fake_on_connect = connect_once;
    fake_on_idle = next_step;
    ms_client_run(&options, signals);
    MUST(fake_is_closed(descriptor));
    close(signals);
    fake_end();
    return 0;
}
