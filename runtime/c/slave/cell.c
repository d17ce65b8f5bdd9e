/* The worker's first thread: frames from the slave, for the executor, which runs the job on the second. */
#include "slave/cell.h"

#include "core/task.h"
#include "core/payload.h"
#include "core/wire.h"
#include "net/conn.h"
#include "net/poll.h"
#include "slave/executor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum { STATUS_FAILED = 1, MEMORY_TIMES = 3, MEMORY_MORE = 64 << 20 };

typedef struct cell {
    ms_executor *executor;
    int descriptor, wake, poll; /* the first two: sources in the poll set */
    ms_receiver receiver;
    bool unread, hung_up, ended;
} cell;

static void wake(void *context)
{
    uint64_t one = 1;
    ssize_t ignored = write(((cell *)context)->wake, &one, sizeof one);
    (void)ignored;
}

/* A terminal's input is the slave's, whose process group this is not: reading there would stop the process. What C functions print
 * comes out line by line, since the process may end at any moment. */
static void settle_streams(void)
{
    if (isatty(STDIN_FILENO)) {
        int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (nothing >= 0) {
            dup2(nothing, STDIN_FILENO);
            close(nothing);
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
}

/* C functions take memory that the job's heap knows nothing of. They get null when this process has taken several times the limit of
 * a job, which has room for arguments, heap and result, before the whole machine suffers. */
static void limit_memory(uint64_t memory_max)
{
    unsigned long long pages = 0;
    FILE *file = memory_max == 0 ? NULL : fopen("/proc/self/statm", "re");
    if (file == NULL)
        return;
    char line[256];
    char *at = fgets(line, sizeof line, file);
    for (int i = 0; at != NULL && i < 6; i++) /* the sixth number is that of data and stacks */
        pages = strtoull(at, &at, 10);
    fclose(file);
    uint64_t now = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    if (at == NULL || memory_max > (UINT64_MAX / 2 - now - MEMORY_MORE) / MEMORY_TIMES)
        return;
    struct rlimit limit;
    if (getrlimit(RLIMIT_DATA, &limit) != 0)
        return;
    uint64_t wanted = now + memory_max * MEMORY_TIMES + MEMORY_MORE;
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < wanted)
        return;
    limit.rlim_cur = wanted;
    setrlimit(RLIMIT_DATA, &limit);
}

static bool prepare(cell *c, const ms_cell_options *given)
{
    ms_wire_rules rules = {MS_FROM_OWN_SLAVE, true, ms_program.job_count, UINT32_MAX};
    ms_executor_options options = {.slots = 1, .shown_slots = given->slots, .memory_max = given->memory_max, .is_worker = true,
                                   .quiet = true, .wake = wake, .context = c};
    signal(SIGPIPE, SIG_IGN);
    settle_streams();
    ms_task_setup();
    c->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    c->poll = ms_poll_create();
    if (c->wake < 0 || c->poll < 0 || !ms_receiver_open(&c->receiver, &rules, NULL))
        return false;
    c->executor = ms_executor_create(&options);
    limit_memory(given->memory_max);
    return c->executor != NULL && ms_poll_add(c->poll, c->wake, &c->wake) && ms_poll_add(c->poll, c->descriptor, &c->descriptor);
}

/* The slave has said how large payloads may be: then it is told that this process is there. */
static void begin(cell *c, const ms_frame *frame)
{
    ms_welcome words;
    if (ms_welcome_decode(&words, frame->payload, frame->header.length) != MS_WIRE_FINE)
        _exit(STATUS_FAILED);
    c->receiver.rules.greeting = false;
    ms_executor_connect(c->executor, c->descriptor, NULL, words.payload_max, false);
    ms_executor_send(c->executor, (ms_header){0, MS_PING, 0}, NULL);
}

static void take_job(cell *c, const ms_frame *frame)
{
    uint8_t *payload = NULL;
    if (frame->payload == NULL && frame->header.length > 0) {
        ms_executor_reject(c->executor, frame);
        return;
    }
    bool fine = frame->header.length <= MS_WORK_INLINE_SIZE || (payload = ms_receiver_take(&c->receiver, frame)) != NULL;
    if (!fine || !ms_executor_add(c->executor, (uint32_t)frame->header.ordinal, frame->header.jid, frame->payload,
                                  frame->header.length, payload)) {
        ms_payload_free(payload, frame->header.length);
        _exit(STATUS_FAILED);
    }
}

static void handle(cell *c, const ms_frame *frame)
{
    if (frame->header.ordinal != 0) {
        take_job(c, frame);
        return;
    }
    if (frame->payload == NULL && frame->header.length > 0)
        _exit(STATUS_FAILED); /* a result that there is no memory for */
    switch ((ms_control)frame->header.jid) {
    case MS_WELCOME: begin(c, frame); break;
    case MS_RECALL: ms_executor_recall(c->executor, frame->payload, frame->header.length); break;
    case MS_CLOCK: ms_executor_clock(c->executor, frame->payload); break;
    case MS_REGAINED: ms_executor_granted(c->executor, ms_get_u32(frame->payload)); break;
    case MS_RESULT: ms_executor_child_ended(c->executor, frame->payload, frame->header.length); break;
    default: break;
    }
}

static void read_frames(cell *c)
{
    ms_frame frame;
    ms_conn_status status = ms_receiver_read(&c->receiver, c->descriptor);
    while (ms_receiver_next(&c->receiver, &frame))
        handle(c, &frame);
    ms_executor_begin(c->executor);
    c->unread = status == MS_CONN_MORE || (status == MS_CONN_DRY && c->hung_up);
    c->ended = status == MS_CONN_CLOSED || status == MS_CONN_BROKEN || c->receiver.wrong != MS_WIRE_FINE;
}

static void turn(cell *c)
{
    ms_event events[8];
    int tend_ms = ms_executor_tend(c->executor);
    int count = ms_poll_wait(c->poll, events, 8, c->unread ? 0 : tend_ms);
    bool readable = c->unread;
    for (int i = 0; i < count; i++) {
        uint64_t ignored;
        if (events[i].owner == &c->wake) {
            while (read(c->wake, &ignored, sizeof ignored) > 0)
                continue;
            continue;
        }
        if (events[i].writable)
            ms_executor_writable(c->executor);
        readable = readable || events[i].readable;
        c->hung_up = c->hung_up || events[i].hung_up;
    }
    if (readable)
        read_frames(c);
}

/* The slave wants no more of it. What its last job said last may still be on its way. */
static void leave(cell *c)
{
    struct pollfd room = {.fd = c->descriptor, .events = POLLOUT};
    while (!ms_executor_idle(c->executor) && poll(&room, 1, 1000) > 0 && (room.revents & (POLLERR | POLLHUP)) == 0) {
        ms_executor_writable(c->executor);
        ms_executor_tend(c->executor);
    }
    fflush(NULL);
}

void ms_cell_run(int descriptor, const void *context)
{
    static cell c;
    const ms_cell_options *given = context;
    explicit_bzero(given->key, sizeof *given->key);
    c.descriptor = descriptor;
    if (!prepare(&c, given))
        _exit(STATUS_FAILED);
    while (!c.ended)
        turn(&c);
    if (c.receiver.wrong == MS_WIRE_FINE && ms_executor_runs_nothing(c.executor))
        leave(&c);
    _exit(0);
}
