/* A whole master with peers that do anything: the handshake, every control kind, answers, spawns, closing at any moment; and a program
 * that submits, cancels and lets go beside them. The input is a series of steps; after each the server takes a turn.
 *
 * Peers know what the master has sent them, so that they can be right enough to come far. What must hold: no step ends the
 * process, every job of the program ends once, and when all is shut nothing is left (the leak checker sees to that). */
#include "fuzz/fuzz.h"

#include "master/output.h"
#include "master/parts.h"
#include "master/server.c"

enum { PEER_MAX = 8, JOB_MAX = 64, JID_MAX = 32, PAYLOAD_MAX = 4096, LARGE_SIZE = 80000, TURN_MAX = 64 };
enum { PART_SIZE = 3000, BLOBS_MAX = 2 * PART_SIZE, BLOB_MAX = 4096 };

typedef struct fake_slave {
    int descriptor; /* -1: none */
    uint32_t jids[JID_MAX], ordinals[JID_MAX];
    uint32_t jid_count;
    uint32_t blobs[BLOB_MAX], blob_count, blobs_size; /* sizes of those that came, 0 for those that are forgotten */
} fake_slave;

static fake_slave slaves[PEER_MAX];
static ms_job *jobs[JOB_MAX];
static ms_server *server;
static ms_job_pool pool;
static uint8_t block[LARGE_SIZE], part[PART_SIZE];

/* ---- Output goes nowhere (master/output.h) ---- */

void ms_output_forward(int32_t stream, const void *bytes, uint64_t size)
{
    const uint8_t *at = bytes;
    uint32_t sum = 0;
    MUST(stream == 1 || stream == 2);
    for (uint64_t i = 0; i < size; i++)
        sum += at[i]; /* all of it can be read */
    block[0] = (uint8_t)sum;
}

void ms_output_setup(const char *program, void (*broken)(void))
{
    (void)program;
    (void)broken;
}

void ms_output_print(int32_t stream, const void *bytes, uint64_t size)
{
    ms_output_forward(stream, bytes, size);
}

bool ms_output_flush(void)
{
    return true;
}

bool ms_output_pending(void)
{
    return false;
}

void ms_output_flush_forwarded(void)
{
}

void ms_output_end_unless_stuck(const char *last_words)
{
    (void)last_words;
}

void ms_output_flush_unless_stuck(void)
{
}

/* ---- The slaves ---- */

static void learn(fake_slave *s, uint32_t jid, uint32_t ordinal)
{
    MUST(ordinal > 0 && ordinal <= ms_program.job_count && jid > 0 && jid <= MS_JID_MAX);
    s->jids[s->jid_count % JID_MAX] = jid;
    s->ordinals[s->jid_count++ % JID_MAX] = ordinal;
}

/* What a slave holds to: it has each blob that a job refers to, and never more than it said. */
static void take_run(fake_slave *s, const uint8_t *payload, uint32_t size)
{
    uint32_t count = ms_get_u32(payload + 8), before = 0, own_size = size - MS_RUN_HEAD_SIZE - count * MS_RUN_PART_SIZE;
    MUST(count > 0 && size >= MS_RUN_HEAD_SIZE + count * MS_RUN_PART_SIZE);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *part = payload + MS_RUN_HEAD_SIZE + (size_t)i * MS_RUN_PART_SIZE;
        uint32_t offset = ms_get_u32(part), number = ms_get_u32(part + 4);
        MUST(offset >= before && offset <= own_size && number > 0 && number <= s->blob_count && s->blobs[number - 1] > 0);
        before = offset;
    }
    learn(s, ms_get_u32(payload), ms_get_u32(payload + 4));
}

static void take_control(fake_slave *s, uint32_t kind, const uint8_t *payload, uint32_t size)
{
    uint32_t number;
    switch (kind) {
    case MS_BLOB:
        MUST(s->blob_count < BLOB_MAX && size > 0);
        s->blobs[s->blob_count++] = size;
        s->blobs_size += size;
        MUST(s->blobs_size <= BLOBS_MAX);
        break;
    case MS_FORGET:
        MUST(size == 4);
        number = ms_get_u32(payload);
        MUST(number > 0 && number <= s->blob_count && s->blobs[number - 1] > 0);
        s->blobs_size -= s->blobs[number - 1];
        s->blobs[number - 1] = 0;
        break;
    case MS_RUN: take_run(s, payload, size); break;
    default: break;
    }
}

static void look_at_frames(fake_slave *s)
{
    ms_header header;
    const uint8_t *payload;
    while (s->descriptor >= 0 && fake_next_frame(s->descriptor, &header, &payload)) {
        MUST(header.ordinal >= 0);
        if (header.ordinal == 0)
            take_control(s, header.jid, payload, header.length);
        else
            learn(s, header.jid, (uint32_t)header.ordinal);
    }
}

static void take_turns(void)
{
    for (int i = 0; i < TURN_MAX; i++) {
        turn(server);
        if (server->unread == NULL)
            break;
    }
    for (int i = 0; i < PEER_MAX; i++)
        look_at_frames(&slaves[i]);
}

static void say_hello(const fake_slave *s, uint32_t slots)
{
    ms_hello hello = {.slots = slots, .pid = 7, .host = "fuzz", .target = "any", .blobs_max = slots % 2 == 0 ? BLOBS_MAX : 0};
    ms_bytes bytes = {0};
    memcpy(hello.fingerprint, ms_program.fingerprint, sizeof hello.fingerprint);
    MUST(ms_hello_encode(&bytes, &hello));
    fake_feed_frame(s->descriptor, (ms_header){0, MS_HELLO, (uint32_t)bytes.size}, bytes.data);
    ms_bytes_free(&bytes);
}

static void join(fake_slave *s, uint32_t slots, bool greets)
{
    if (s->descriptor < 0) {
        *s = (fake_slave){.descriptor = -1};
        s->descriptor = fake_connect();
        if (s->descriptor < 0)
            return;
    }
    if (greets)
        say_hello(s, slots);
}

/* One of the jobs that it was given, or a number of the fuzzer's. */
static uint32_t pick(const fake_slave *s, uint8_t choice, uint32_t *ordinal)
{
    uint32_t known = s->jid_count < JID_MAX ? s->jid_count : JID_MAX;
    *ordinal = 1;
    if (known == 0 || choice >= 250)
        return choice;
    uint32_t at = (s->jid_count - 1 - choice % known) % JID_MAX;
    *ordinal = s->ordinals[at];
    return s->jids[at];
}

static void send_raw(const fake_slave *s, fuzz_input *input)
{
    size_t size = fuzz_u8(input);
    const uint8_t *bytes = fuzz_bytes(input, &size);
    fake_feed(s->descriptor, bytes, size);
}

/* A header of any kind, and what follows need not be what it promises. */
static void send_header(const fake_slave *s, fuzz_input *input)
{
    uint8_t head[MS_HEADER_SIZE];
    ms_header header = {.ordinal = (int8_t)fuzz_u8(input), .jid = fuzz_u8(input)};
    header.length = fuzz_u8(input);
    if (header.length >= 128)
        header.length = 1u << (header.length & 31);
    ms_header_encode(head, header);
    fake_feed(s->descriptor, head, sizeof head);
}

/* A control message with a payload that is whole. */
static void send_control_of(const fake_slave *s, fuzz_input *input)
{
    ms_header header = {.jid = fuzz_u8(input) % 32};
    size_t size = fuzz_u8(input);
    const uint8_t *bytes = fuzz_bytes(input, &size);
    header.length = (uint32_t)size;
    fake_feed_frame(s->descriptor, header, bytes);
}

static void answer(const fake_slave *s, fuzz_input *input)
{
    uint32_t ordinal;
    uint8_t choice = fuzz_u8(input), how = fuzz_u8(input);
    ms_header header = {.jid = pick(s, choice, &ordinal)};
    header.ordinal = how & 1 ? -(int32_t)ordinal : (int32_t)ordinal;
    header.length = how & 2 ? PAYLOAD_MAX + 1 : how >> 2;
    if (how & 128)
        header.length = how & 2 ? PAYLOAD_MAX : 56 + (how & 4);
    ms_put_u32(block, header.length < 4 ? 0 : header.length / 2); /* may be the size of a message */
    fake_feed_frame(s->descriptor, header, block);
}

/* lent, regained, recalled, output of one of its jobs */
static void speak_of(const fake_slave *s, fuzz_input *input)
{
    static const uint32_t kinds[] = {MS_LENT, MS_REGAINED, MS_RECALLED, MS_OUTPUT};
    uint32_t ordinal, kind = kinds[fuzz_u8(input) % 4];
    uint8_t payload[64] = {0};
    ms_put_u32(payload, pick(s, fuzz_u8(input), &ordinal));
    payload[4] = 1;
    uint32_t size = kind == MS_OUTPUT ? 5 + fuzz_u8(input) % 50u : 4;
    fake_feed_frame(s->descriptor, (ms_header){0, kind, size}, payload);
}

static void spawn_one(const fake_slave *s, fuzz_input *input)
{
    uint8_t payload[MS_SPAWN_HEAD_SIZE + 7 * MS_SPAWN_HOLE_SIZE + 256] = {0};
    uint32_t ordinal;
    ms_put_u32(payload, pick(s, fuzz_u8(input), &ordinal));
    ms_put_u32(payload + 4, fuzz_u8(input) % 16);
    ms_put_u32(payload + 8, fuzz_u8(input) % 20);
    uint8_t how = fuzz_u8(input);
    uint32_t hole_count = how >> 2 & 7;
    ms_put_u32(payload + 12, how & 1);
    ms_put_u32(payload + 16, hole_count);
    uint8_t *at = payload + MS_SPAWN_HEAD_SIZE;
    for (uint32_t i = 0; i < hole_count; i++, at += MS_SPAWN_HOLE_SIZE) {
        ms_put_u32(at, fuzz_u8(input));
        ms_put_u32(at + 4, fuzz_u8(input) % 16);
    }
    at += fuzz_u8(input);
    fake_feed_frame(s->descriptor, (ms_header){0, MS_SPAWN, (uint32_t)(at - payload)}, payload);
}

static void let_go_of(const fake_slave *s, fuzz_input *input)
{
    uint8_t payload[16];
    uint32_t kind = fuzz_u8(input) & 1 ? MS_RELEASE : MS_CANCEL, count = kind == MS_CANCEL ? 1 : 1 + fuzz_u8(input) % 4u;
    for (uint32_t i = 0; i < count; i++)
        ms_put_u32(payload + 4 * (size_t)i, fuzz_u8(input) % 16);
    fake_feed_frame(s->descriptor, (ms_header){0, kind, 4 * count}, payload);
}

static void leave(fake_slave *s, int error)
{
    fake_hang_up(s->descriptor, error);
    s->descriptor = -1;
}

/* ---- The program ---- */

/* Some of its bytes are parts, which it may share with others. */
static void submit_shared(uint8_t index, uint8_t how, fuzz_input *input)
{
    uint32_t count = 1 + (how & 1), kinds = fuzz_u8(input), own_size = fuzz_u8(input);
    ms_job *job = ms_job_create(&pool, 1 + kinds % ms_program.job_count, count * PART_SIZE + own_size);
    MUST(job != NULL);
    memset(ms_job_arguments(job), how, count * PART_SIZE + own_size);
    for (uint32_t i = 0; i < count; i++) {
        memset(part, (int)(kinds >> 4 * i & 3), PART_SIZE);
        part[PART_SIZE / 2] = kinds >> (4 * i + 2) & 1;
        ms_blob *blob = ms_blobs_share(&server->blobs, i, 1, part, PART_SIZE - 4, NULL);
        if (blob != NULL)
            MUST(ms_job_add_part(job, own_size * i / count, blob));
    }
    if (ms_job_part_count(job) > 0)
        ms_job_settle_parts(job);
    jobs[index] = job;
    ms_server_submit(server, job);
}

static void submit(fuzz_input *input)
{
    uint8_t index = fuzz_u8(input) % JOB_MAX, how = fuzz_u8(input);
    if (jobs[index] != NULL)
        return;
    if (how >= 224 && how < 250) {
        submit_shared(index, how, input);
        return;
    }
    uint32_t size = how >= 250 ? LARGE_SIZE : how % 100u;
    ms_job *job = ms_job_create(&pool, 1 + fuzz_u8(input) % ms_program.job_count, size);
    MUST(job != NULL);
    memset(ms_job_arguments(job), how, size);
    uint32_t before = 0;
    for (uint32_t holes = fuzz_u8(input) & 3; holes > 0; holes--) {
        ms_job *dependency = jobs[fuzz_u8(input) % JOB_MAX];
        if (dependency == NULL)
            continue;
        before += fuzz_u8(input);
        before = before < size ? before : size;
        MUST(ms_job_add_hole(job, before, dependency));
    }
    jobs[index] = job;
    ms_server_submit(server, job);
}

static void cancel(ms_job *job)
{
    if (job == NULL || !ms_job_claim(job))
        return;
    ms_job_fail(job, MS_CAUSE_CANCELLED, NULL);
    ms_job_publish(job, ms_server_end_number(server));
    ms_server_cancel(server, job);
}

static void let_go(uint32_t index)
{
    if (jobs[index] == NULL)
        return;
    ms_job_drop(&pool, jobs[index], true);
    jobs[index] = NULL;
}

/* ---- Steps ---- */

static void step(fuzz_input *input)
{
    uint8_t what = fuzz_u8(input);
    fake_slave *s = &slaves[what >> 5];
    switch (what & 31) {
    case 0: join(s, 1 + fuzz_u8(input) % 4u, true); return;
    case 1: join(s, 0, false); return;
    case 2: submit(input); return;
    case 3: submit(input); return;
    case 4: cancel(jobs[fuzz_u8(input) % JOB_MAX]); return;
    case 5: let_go(fuzz_u8(input) % JOB_MAX); return;
    case 6: fake_pass(fuzz_u8(input) * 10000000ull); return;
    default: break;
    }
    if (s->descriptor < 0) {
        join(s, 2, true);
        return;
    }
    switch (what & 31) {
    case 7: send_raw(s, input); break;
    case 8: send_header(s, input); break;
    case 9: send_control_of(s, input); break;
    case 10: leave(s, 0); break;
    case 11: leave(s, ECONNRESET); break;
    case 12: fake_set_room(s->descriptor, fuzz_u8(input) * 3u); break;
    case 13: fake_set_room(s->descriptor, SIZE_MAX); break;
    case 14: fake_feed_frame(s->descriptor, (ms_header){0, MS_BYE, 0}, NULL); break;
    case 15: say_hello(s, fuzz_u8(input)); break;
    case 16:
    case 17:
    case 18: speak_of(s, input); break;
    case 19:
    case 20:
    case 21: let_go_of(s, input); break;
    case 22:
    case 23:
    case 24:
    case 25: spawn_one(s, input); break;
    default: answer(s, input); break;
    }
}

static void start_server(void)
{
    ms_server_options options = {.address_count = 1, .quiet = true, .heartbeat = 1, .lost_max = 3, .payload_max = PAYLOAD_MAX, .started_max = 5,
                                 .started_size_max = 3000,
                                 .blobs_max = 3 * PART_SIZE};
    char message[MS_MESSAGE_MAX];
    bool wrong;
    MUST(ms_address_parse(&options.addresses[0], "unix:fuzz", message));
    server = ms_server_create(&options, &pool, &wrong, message);
    MUST(server != NULL);
    server->now = server->started_at = server->lonely_since = server->progress_at = server->ticked_at = ms_clock_ns();
    for (int i = 0; i < PEER_MAX; i++)
        slaves[i].descriptor = -1;
}

static void stop_server(void)
{
    fake_let_time_flow(true);
    shut(server);
    MUST(server->scheduler->pending_count == 0 && server->scheduler->running_count == 0 && server->scheduler->waiting_count == 0);
    for (uint32_t i = 0; i < JOB_MAX; i++) {
        MUST(jobs[i] == NULL || ms_job_state_now(jobs[i]) != (uint32_t)MS_RUNNING); /* all has ended */
        let_go(i);
    }
    ms_server_destroy(server);
    ms_job_pool_destroy(&pool);
    memset(&pool, 0, sizeof pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input input = {data, data + size};
    fake_begin(true);
    start_server();
    while (!fuzz_is_empty(&input)) {
        step(&input);
        take_turns();
    }
    stop_server();
    fake_end();
    return 0;
}
