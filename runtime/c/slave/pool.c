/* Which worker gets what, and what follows from its end. */
#include "slave/pool_inside.h"

#include "core/clock.h"
#include "net/channel.h"
#include "net/poll.h"
#include "net/socket.h"
#include "slave/say.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    EVENT_MAX = 64,
    READS_FOR_A_TURN = 4, /* then the others have theirs */
    IDLE_MORE = 16        /* workers beyond the slots that are kept while they have nothing to do */
};
#define MS_IN_NS 1000000u
#define AGAIN_NS 50000000u       /* when no worker could be started, the next attempt */
#define COMPLAIN_NS 5000000000u

static uint32_t slots_of(const ms_pool *pool)
{
    return pool->executor->options.slots;
}

/* ---- Sending ---- */

static void mark_dirty(ms_process *p)
{
    if (p->dirty)
        return;
    p->dirty = true;
    p->next_dirty = p->pool->dirty;
    p->pool->dirty = p;
}

static void kill_process(ms_process *p)
{
    if (!p->killed)
        ms_pristine_kill(p->pool->pristine, p->id);
    p->killed = true;
}

void ms_process_distrust(ms_process *p)
{
    p->distrusted = true;
    kill_process(p);
}

void ms_process_send(ms_process *p, ms_header header, const void *payload)
{
    if (!ms_sender_put(&p->sender, header, payload, header.length))
        kill_process(p);
    mark_dirty(p);
}

static void flush_all(ms_pool *pool)
{
    while (pool->dirty != NULL) {
        ms_process *p = pool->dirty;
        pool->dirty = p->next_dirty;
        p->dirty = false;
        ms_sender_flush(&p->sender, p->descriptor); /* when it is broken, its end is about to be told */
    }
}

/* ---- Workers come ---- */

static bool greet(ms_process *p)
{
    ms_bytes payload = {0};
    ms_welcome words = {.heartbeat_ms = 1, .payload_max = p->pool->executor->payload_max};
    bool fine = ms_welcome_encode(&payload, &words) &&
                ms_sender_put(&p->sender, (ms_header){0, MS_WELCOME, (uint32_t)payload.size}, payload.data, payload.size);
    ms_bytes_free(&payload);
    mark_dirty(p);
    return fine;
}

static void complain(ms_pool *pool, const char *why)
{
    uint64_t now = ms_clock_ns();
    pool->again_at = now + AGAIN_NS;
    if (pool->complained_at != 0 && now - pool->complained_at < COMPLAIN_NS)
        return;
    pool->complained_at = now;
    ms_say(pool->executor->options.quiet, "cannot start a worker: %s", why);
}

static void free_process(ms_process *p)
{
    close(p->descriptor);
    ms_receiver_close(&p->receiver);
    ms_sender_close(&p->sender);
    ms_numbers_free(&p->numbers);
    free(p);
}

/* Its socket in the poll set, and the other end with a new process. False: errno says why. */
static bool connect_process(ms_process *p)
{
    ms_wire_rules rules = {MS_FROM_SLAVE, false, ms_program.job_count, p->pool->executor->payload_max};
    int ends[2];
    if (!ms_receiver_open(&p->receiver, &rules, NULL)) {
        errno = ENOMEM;
        return false;
    }
    if (!ms_channel_pair(ends))
        return false;
    p->descriptor = ends[0];
    if (!ms_poll_add(p->pool->poll, p->descriptor, p) || !greet(p)) {
        close(ends[1]);
        return false;
    }
    return ms_pristine_fork(p->pool->pristine, p->id, ends[1]);
}

static void unmark_dirty(ms_process *p)
{
    for (ms_process **link = &p->pool->dirty; p->dirty && *link != NULL; link = &(*link)->next_dirty)
        if (*link == p) {
            *link = p->next_dirty;
            break;
        }
    p->dirty = false;
}

static ms_process *start_process(ms_pool *pool)
{
    if (pool->again_at != 0 && ms_clock_ns() < pool->again_at)
        return NULL;
    ms_process *p = calloc(1, sizeof *p);
    if (p == NULL) {
        complain(pool, strerror(ENOMEM));
        return NULL;
    }
    *p = (ms_process){.pool = pool, .id = ++pool->last_id, .descriptor = -1};
    if (!connect_process(p)) {
        complain(pool, strerror(errno));
        unmark_dirty(p);
        free_process(p);
        return NULL;
    }
    pool->again_at = 0;
    p->next = pool->processes;
    if (p->next != NULL)
        p->next->previous = p;
    pool->processes = p;
    pool->process_count++;
    pool->idle_count++;
    return p;
}

/* ---- Handing out ---- */

static bool takes_jobs(const ms_process *p)
{
    return !p->finished && !p->killed;
}

/* Workers tell of times by the same clock as the slave. */
static void ask_for_times(ms_process *p)
{
    static const uint8_t nothing[8];
    p->tells_times = true;
    ms_process_send(p, (ms_header){0, MS_CLOCK, sizeof nothing}, nothing);
}

/* From here on large arguments are the sender's. */
static void send_job(ms_process *p, const ms_work *job)
{
    if (p->pool->executor->tells_times && !p->tells_times)
        ask_for_times(p);
    ms_header header = {(int32_t)job->ordinal, job->jid, job->size};
    if (job->size <= MS_WORK_INLINE_SIZE) {
        ms_process_send(p, header, job->arguments.bytes);
    } else {
        ms_segment arguments = {job->arguments.block, job->size, ms_payload_release_of(job->size), job->arguments.block};
        if (!ms_sender_lend(&p->sender, header, arguments)) {
            ms_payload_free(job->arguments.block, job->size);
            kill_process(p);
        }
        mark_dirty(p);
    }
}

void ms_process_ready(ms_process *p)
{
    p->ready = true;
    if (p->count > 0 && !p->killed)
        send_job(p, &p->jobs[p->first]);
}

/* To one that is not ready only one job is given, and it is kept until then. */
static void give(ms_process *p, const ms_work *job)
{
    ms_pool *pool = p->pool;
    if (p->count == 0) {
        pool->idle_count--;
        pool->busy_count++;
        p->lane = pool->executor->tells_times ? ms_lane_take(pool->executor) : 0;
    }
    p->jobs[(p->first + p->count++) & (MS_AHEAD_MAX - 1)] = *job;
    p->given_count++;
    if (p->ready)
        send_job(p, job);
}

static void answer_cancelled(ms_pool *pool, const ms_work *job)
{
    static const uint8_t payload[] = {9, 0, 0, 0, 'c', 'a', 'n', 'c', 'e', 'l', 'l', 'e', 'd'};
    ms_executor_put(pool->executor, (ms_header){-(int32_t)job->ordinal, job->jid, sizeof payload}, payload);
}

static ms_process *find_idle(ms_pool *pool)
{
    for (ms_process *p = pool->idle_count > 0 ? pool->processes : NULL; p != NULL; p = p->next)
        if (p->count == 0 && takes_jobs(p))
            return p;
    uint32_t most = slots_of(pool) + pool->executor->options.waiting_max;
    return pool->process_count < most ? start_process(pool) : NULL;
}

/* One that runs a job, and is given another behind it; in turn. */
static ms_process *find_ahead(ms_pool *pool)
{
    uint32_t jobs_max = pool->executor->options.jobs_max;
    for (uint32_t i = 0; i < pool->process_count; i++) {
        pool->rotor = pool->rotor == NULL || pool->rotor->next == NULL ? pool->processes : pool->rotor->next;
        ms_process *p = pool->rotor;
        if (p->count > 0 && p->count < MS_AHEAD_MAX && takes_jobs(p) && p->ready && !p->lent && !p->recalling &&
            (jobs_max == 0 || p->given_count < jobs_max))
            return p;
    }
    return NULL;
}

/* A slot is free and nothing queued: what others have not begun can begin here. */
static void recall(ms_pool *pool)
{
    uint8_t jids[4 * MS_AHEAD_MAX];
    ms_process *p = pool->processes;
    while (p != NULL && (p->count <= 1 || p->lent || p->recalling || !takes_jobs(p)))
        p = p->next;
    if (p == NULL)
        return;
    for (uint32_t i = 1; i < p->count; i++)
        ms_put_u32(jids + (size_t)(i - 1) * 4, p->jobs[(p->first + i) & (MS_AHEAD_MAX - 1)].jid);
    p->recalling = true;
    ms_process_send(p, (ms_header){0, MS_RECALL, (p->count - 1) * 4}, jids);
}

static void grant(ms_pool *pool)
{
    uint8_t jid[4];
    while (pool->first_resuming != NULL && pool->busy_count < slots_of(pool)) {
        ms_process *p = pool->first_resuming;
        pool->first_resuming = p->next_resuming;
        if (pool->first_resuming == NULL)
            pool->last_resuming = NULL;
        pool->busy_count++;
        p->resuming = p->lent = false;
        ms_pool_say(pool, MS_REGAINED, p->jobs[p->first].jid);
        ms_put_u32(jid, p->jobs[p->first].jid);
        ms_process_send(p, (ms_header){0, MS_REGAINED, sizeof jid}, jid);
    }
}

/* A worker for the next job in the queue; null for none. */
static ms_process *find_worker(ms_pool *pool)
{
    ms_executor *executor = pool->executor;
    executor->starved = false;
    if (pool->busy_count >= slots_of(pool))
        return executor->queue[executor->queue_first].size <= MS_WORK_INLINE_SIZE ? find_ahead(pool) : NULL;
    ms_process *p = find_idle(pool);
    executor->starved = p == NULL && pool->process_count > pool->idle_count;
    return p;
}

void ms_pool_dispatch(ms_pool *pool)
{
    ms_executor *executor = pool->executor;
    grant(pool);
    while (executor->queue_count > 0) {
        if (executor->queue[executor->queue_first].cancelled) {
            ms_work job = ms_executor_take_work(executor);
            answer_cancelled(pool, &job);
            ms_work_free(&job);
            continue;
        }
        ms_process *p = pool->first_resuming == NULL ? find_worker(pool) : NULL;
        if (p == NULL)
            break;
        ms_work job = ms_executor_take_work(executor);
        if (ms_work_join(&job))
            give(p, &job);
        else
            ms_executor_put_failure(executor, &(ms_frame){{(int32_t)job.ordinal, job.jid, 0}, NULL});
    }
    if (executor->queue_count == 0 && pool->busy_count > 0 && pool->busy_count < slots_of(pool))
        recall(pool);
    flush_all(pool);
}

void ms_pool_requeue(ms_pool *pool, const ms_work *job)
{
    ms_executor *executor = pool->executor;
    if (!ms_executor_put_back(executor, job))
        executor->broken = true;
}

/* ---- What workers do ---- */

static void free_lane(ms_process *p)
{
    if (p->lane != 0)
        ms_lane_free(p->pool->executor, p->lane);
    p->lane = 0;
}

void ms_process_rest(ms_process *p)
{
    ms_pool *pool = p->pool;
    free_lane(p);
    pool->busy_count--;
    uint32_t jobs_max = pool->executor->options.jobs_max;
    pool->idle_count++;
    bool used_up = jobs_max > 0 && p->given_count >= jobs_max;
    if (!takes_jobs(p) || (!used_up && pool->idle_count <= slots_of(pool) + IDLE_MORE))
        return;
    p->finished = true;
    ms_socket_finish(p->descriptor); /* it sees the end, and goes */
}

void ms_process_answered(ms_process *p)
{
    p->first = (p->first + 1) & (MS_AHEAD_MAX - 1);
    p->count--;
    if (p->count == 0)
        ms_process_rest(p);
    else if (p->jobs[p->first].cancelled)
        kill_process(p);
}

void ms_process_lend(ms_process *p)
{
    p->lent = true;
    p->pool->busy_count--;
}

void ms_process_resume(ms_process *p)
{
    ms_pool *pool = p->pool;
    p->resuming = true;
    p->next_resuming = NULL;
    if (pool->last_resuming != NULL)
        pool->last_resuming->next_resuming = p;
    else
        pool->first_resuming = p;
    pool->last_resuming = p;
}

/* ---- Workers go ---- */

static void leave_resuming(ms_process *p)
{
    ms_pool *pool = p->pool;
    ms_process *before = NULL;
    if (!p->resuming)
        return;
    for (ms_process *one = pool->first_resuming; one != p; one = one->next_resuming)
        before = one;
    if (before == NULL)
        pool->first_resuming = p->next_resuming;
    else
        before->next_resuming = p->next_resuming;
    if (pool->last_resuming == p)
        pool->last_resuming = before;
}

static void unlink_process(ms_process *p)
{
    ms_pool *pool = p->pool;
    leave_resuming(p);
    unmark_dirty(p);
    free_lane(p);
    if (pool->rotor == p)
        pool->rotor = p->next;
    if (p->previous != NULL)
        p->previous->next = p->next;
    else
        pool->processes = p->next;
    if (p->next != NULL)
        p->next->previous = p->previous;
    pool->process_count--;
    if (p->count == 0)
        pool->idle_count--;
    else if (!p->lent)
        pool->busy_count--;
}

/* "SIGSEGV", "exit(3)" */
static void name_cause(char text[MS_CAUSE_MAX], int status)
{
    static const struct {
        int number;
        const char *name;
    } names[] = {{SIGSEGV, "SEGV"}, {SIGABRT, "ABRT"}, {SIGBUS, "BUS"},   {SIGFPE, "FPE"},   {SIGILL, "ILL"},   {SIGKILL, "KILL"},
                 {SIGTERM, "TERM"}, {SIGINT, "INT"},   {SIGHUP, "HUP"},   {SIGTRAP, "TRAP"}, {SIGSYS, "SYS"},   {SIGPIPE, "PIPE"},
                 {SIGXCPU, "XCPU"}, {SIGQUIT, "QUIT"}, {SIGALRM, "ALRM"}, {SIGUSR1, "USR1"}, {SIGUSR2, "USR2"}};
    if (!WIFSIGNALED(status)) {
        snprintf(text, MS_CAUSE_MAX, "exit(%d)", WEXITSTATUS(status));
        return;
    }
    snprintf(text, MS_CAUSE_MAX, "signal %d", WTERMSIG(status));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].number == WTERMSIG(status))
            snprintf(text, MS_CAUSE_MAX, "SIG%s", names[i].name);
}

static void tell_crash(ms_process *p, const ms_work *job, int status)
{
    uint8_t payload[4 + MS_CAUSE_MAX];
    char cause[MS_CAUSE_MAX] = "what it said, which breaks the rules";
    if (!p->distrusted)
        name_cause(cause, status);
    ms_say(p->pool->executor->options.quiet, "a worker died of %s in job %s", cause, ms_program.jobs[job->ordinal - 1].name);
    ms_put_u32(payload, job->jid);
    memcpy(payload + 4, cause, strlen(cause));
    ms_executor_put(p->pool->executor, (ms_header){0, MS_CRASHED, (uint32_t)(4 + strlen(cause))}, payload);
}

/* What becomes of the jobs that it had: the first one ran. */
static void settle_jobs(ms_process *p, const ms_report *report)
{
    ms_work *head = &p->jobs[p->first];
    bool is_large = head->size > MS_WORK_INLINE_SIZE;
    bool begun = p->ready && (!p->killed || p->distrusted || is_large);
    uint32_t kept = 0;
    if (p->count > 0 && head->cancelled) {
        answer_cancelled(p->pool, head);
        if (is_large && !p->ready)
            ms_payload_free(head->arguments.block, head->size);
        kept = 1;
    } else if (p->count > 0 && begun) {
        tell_crash(p, head, report->status);
        kept = 1;
    }
    for (uint32_t i = p->count; i > kept; i--)
        ms_pool_requeue(p->pool, &p->jobs[(p->first + i - 1) & (MS_AHEAD_MAX - 1)]);
}

static void bury(ms_process *p, const ms_report *report)
{
    ms_pool *pool = p->pool;
    if (report->error == 0)
        ms_process_read(p, INT_MAX);
    unlink_process(p);
    if (!p->ready && !p->killed) {
        char cause[MS_CAUSE_MAX];
        name_cause(cause, report->status);
        complain(pool, report->error != 0 ? strerror(report->error) : cause);
    }
    settle_jobs(p, report);
    ms_process_release_all(p);
    free_process(p);
}

static void take_reports(ms_pool *pool)
{
    ms_report report;
    ms_report_state state;
    while ((state = ms_pristine_next(pool->pristine, &report)) == MS_REPORT_HERE)
        for (ms_process *p = pool->processes; p != NULL; p = p->next)
            if (p->id == report.id) {
                bury(p, &report);
                break;
            }
    if (state == MS_REPORT_END) {
        ms_say(pool->executor->options.quiet, "the process that starts workers is gone, and they with it");
        _exit(1);
    }
}

int ms_pool_serve(ms_pool *pool)
{
    ms_event events[EVENT_MAX];
    bool reports = false;
    int count = EVENT_MAX, again = -1;
    while (count == EVENT_MAX) {
        count = ms_poll_wait(pool->poll, events, EVENT_MAX, 0);
        for (int i = 0; i < count; i++) {
            ms_process *p = events[i].owner;
            reports = reports || events[i].owner == (void *)pool;
            if (events[i].owner == (void *)pool)
                continue;
            p->unread = p->unread || events[i].readable;
            p->hung_up = p->hung_up || events[i].hung_up;
            if (events[i].writable && ms_sender_size(&p->sender) > 0)
                mark_dirty(p);
        }
    }
    for (ms_process *p = pool->processes; p != NULL; p = p->next)
        if (p->unread && !p->distrusted)
            ms_process_read(p, READS_FOR_A_TURN);
    if (reports)
        take_reports(pool);
    ms_pool_dispatch(pool);
    ms_executor_flush(pool->executor);
    for (ms_process *p = pool->processes; p != NULL && again != 0; p = p->next)
        if (p->unread)
            again = pool->executor->blocked ? -1 : 0;
    return again >= 0 ? again : pool->again_at != 0 ? (int)(AGAIN_NS / MS_IN_NS) : -1;
}

/* ---- What the master wants ---- */

static void cancel_in(ms_process *p, uint32_t jid, bool all)
{
    for (uint32_t i = 0; i < p->count; i++) {
        ms_work *job = &p->jobs[(p->first + i) & (MS_AHEAD_MAX - 1)];
        if (!all && job->jid != jid)
            continue;
        job->cancelled = true;
        if (i == 0)
            kill_process(p);
    }
}

void ms_pool_cancel(ms_pool *pool, uint32_t jid)
{
    for (ms_process *p = pool->processes; p != NULL; p = p->next)
        cancel_in(p, jid, false);
}

void ms_pool_cancel_all(ms_pool *pool)
{
    for (ms_process *p = pool->processes; p != NULL; p = p->next)
        cancel_in(p, 0, true);
}

bool ms_pool_child_ended(ms_pool *pool, const uint8_t *payload, uint32_t size)
{
    uint8_t head[MS_HEADER_SIZE + 4];
    void *worker;
    uint32_t number = ms_get_u32(payload), own_number;
    if (!ms_relay_answer(&pool->relay, number, &worker, &own_number))
        return false;
    if (worker == NULL)
        return true;
    ms_process *p = worker;
    ms_header_encode(head, (ms_header){0, MS_RESULT, size});
    ms_put_u32(head + MS_HEADER_SIZE, own_number);
    ms_bytes frame = {0};
    bool fine = ms_bytes_reserve(&frame, sizeof head + (size_t)size) && ms_bytes_append(&frame, head, sizeof head) &&
                ms_bytes_append(&frame, payload + 4, size - 4) && ms_sender_give(&p->sender, &frame);
    ms_bytes_free(&frame);
    if (!fine)
        kill_process(p);
    mark_dirty(p);
    ms_relay_settle(&pool->relay, &p->numbers, number);
    return true;
}

static void end_child(void *context, uint32_t number)
{
    uint8_t payload[MS_RESULT_HEAD_SIZE];
    ms_put_u32(payload, number);
    ms_put_u32(payload + 4, MS_RESULT_CANCELLED);
    ms_pool_child_ended(context, payload, sizeof payload);
}

void ms_pool_disconnect(ms_pool *pool)
{
    ms_pool_cancel_all(pool);
    ms_relay_disconnect(&pool->relay, end_child, pool);
    flush_all(pool);
}

bool ms_pool_runs_nothing(const ms_pool *pool)
{
    return pool->process_count == pool->idle_count;
}

uint32_t ms_pool_waiting_count(const ms_pool *pool)
{
    return pool->process_count - pool->idle_count - pool->busy_count;
}

/* ---- Beginning and end ---- */

ms_pool *ms_pool_create(ms_executor *executor, const ms_pristine *pristine)
{
    ms_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    *pool = (ms_pool){.executor = executor, .pristine = pristine, .poll = ms_poll_create()};
    if (pool->poll >= 0 && ms_poll_add(pool->poll, pristine->channel, pool))
        return pool;
    if (pool->poll >= 0)
        close(pool->poll);
    free(pool);
    return NULL;
}

int ms_pool_descriptor(const ms_pool *pool)
{
    return pool->poll;
}

void ms_pool_destroy(ms_pool *pool)
{
    while (pool->processes != NULL) {
        ms_process *p = pool->processes;
        pool->processes = p->next;
        free_process(p);
    }
    ms_relay_free(&pool->relay);
    close(pool->poll);
    free(pool);
}
