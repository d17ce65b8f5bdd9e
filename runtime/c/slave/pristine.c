/* Both sides of the channel: the slave's functions, and the process behind them. */
#include "slave/pristine.h"

#include "net/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FORK = 1, KILL = 2 };
#define OOM_SCORE "500" /* when memory runs out, the kernel shall take a worker before the slave */

typedef struct request {
    uint32_t what;
    uint32_t id;
} request;

typedef struct process {
    uint32_t id;
    pid_t pid;
    int error; /* it could not be forked, and that has not been said: there is no pid */
} process;

/* The pristine process itself. */
typedef struct pristine {
    int channel, children; /* `children`: readable when one has ended */
    void (*work)(int descriptor, const void *context);
    const void *context;
    process *processes;
    uint32_t count, capacity;
    bool untold; /* something has not been said, since there was no room: it never waits for the slave, which may wait for it */
    struct sigaction before[3];
    sigset_t mask;
} pristine;

static const int ending_signals[3] = {SIGTERM, SIGINT, SIGHUP};

/* ---- Workers ---- */

static void prefer_for_oom(void)
{
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return;
    ssize_t ignored = write(file, OOM_SCORE, sizeof OOM_SCORE - 1);
    (void)ignored;
    close(file);
}

static _Noreturn void become_worker(const pristine *p, int descriptor, pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    close(p->channel);
    close(p->children);
    free(p->processes);
    for (int i = 0; i < 3; i++)
        sigaction(ending_signals[i], &p->before[i], NULL);
    sigprocmask(SIG_SETMASK, &p->mask, NULL);
    prefer_for_oom();
    p->work(descriptor, p->context);
    _exit(1);
}

static void fork_worker(pristine *p, uint32_t id, int descriptor)
{
    if (p->count == p->capacity) {
        uint32_t capacity = p->capacity * 2 + 16;
        process *grown = realloc(p->processes, capacity * sizeof *grown);
        if (grown == NULL)
            _exit(1); /* a few bytes: there is no way on */
        p->processes = grown;
        p->capacity = capacity;
    }
    process *made = &p->processes[p->count++];
    *made = (process){.id = id, .error = descriptor < 0 ? EMFILE : 0};
    if (made->error != 0)
        return;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        become_worker(p, descriptor, parent);
    if (pid < 0)
        made->error = errno;
    else
        setpgid(pid, pid); /* whichever of the two comes first */
    made->pid = pid < 0 ? 0 : pid;
}

static void kill_group(const process *one)
{
    if (one->error != 0)
        return;
    kill(-one->pid, SIGKILL);
    kill(one->pid, SIGKILL);
}

/* ---- The slave's wishes ---- */

static _Noreturn void end(pristine *p)
{
    for (uint32_t i = 0; i < p->count; i++)
        kill_group(&p->processes[i]);
    for (uint32_t i = 0; i < p->count; i++)
        while (p->processes[i].error == 0 && waitpid(p->processes[i].pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
    _exit(0);
}

static void obey(pristine *p)
{
    request asked;
    int carried;
    ssize_t size;
    while ((size = ms_channel_receive(p->channel, &asked, sizeof asked, &carried)) == (ssize_t)sizeof asked) {
        if (asked.what == FORK)
            fork_worker(p, asked.id, carried);
        for (uint32_t i = 0; asked.what == KILL && i < p->count; i++)
            if (p->processes[i].id == asked.id)
                kill_group(&p->processes[i]);
        if (carried >= 0)
            close(carried);
    }
    if (size >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
        end(p);
}

/* ---- Ends of workers ---- */

static process *find(const pristine *p, pid_t pid)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (p->processes[i].error == 0 && p->processes[i].pid == pid)
            return &p->processes[i];
    return NULL;
}

/* False: it has to be said later. What can't be said at all interests nobody any more. */
static bool tell(pristine *p, process *one, int status)
{
    ms_report report = {one->id, status, one->error};
    if (!ms_channel_send(p->channel, &report, sizeof report, -1, false) && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        p->untold = true;
        return false;
    }
    *one = p->processes[--p->count];
    return true;
}

static void tell_of_unforked(pristine *p)
{
    for (uint32_t i = p->count; i > 0; i--)
        if (p->processes[i - 1].error != 0 && !tell(p, &p->processes[i - 1], 0))
            return;
}

/* Says how one ended, then lets the system forget it. What it started goes with it; orphans of that come to us. */
static void reap(pristine *p)
{
    siginfo_t info;
    for (;;) {
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
            return;
        process *ended = find(p, info.si_pid);
        if (ended != NULL) {
            int status = info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status & 0x7f;
            kill(-info.si_pid, SIGKILL);
            if (!tell(p, ended, status))
                return;
        }
        waitpid(info.si_pid, NULL, 0);
    }
}

static _Noreturn void serve(pristine *p)
{
    sigset_t child;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    for (int i = 0; i < 3; i++) /* a terminal tells the slave too, and it knows what is to happen */
        sigaction(ending_signals[i], &ignore, &p->before[i]);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &p->mask);
    signal(SIGCHLD, SIG_DFL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    p->children = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
    if (p->children < 0)
        _exit(1);
    for (;;) {
        struct pollfd wait[2] = {{.fd = p->channel, .events = POLLIN}, {.fd = p->children, .events = POLLIN}};
        struct signalfd_siginfo ignored;
        if (p->untold)
            wait[0].events |= POLLOUT;
        poll(wait, 2, -1);
        if ((wait[0].revents & ~POLLOUT) != 0)
            obey(p);
        while (read(p->children, &ignored, sizeof ignored) > 0)
            continue;
        p->untold = false;
        tell_of_unforked(p);
        reap(p);
    }
}

/* ---- The slave's side ---- */

bool ms_pristine_start(ms_pristine *it, void (*work)(int descriptor, const void *context), const void *context)
{
    int ends[2];
    if (!ms_channel_messages(ends))
        return false;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        pristine p = {.channel = ends[1], .work = work, .context = context};
        close(ends[0]);
        serve(&p);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return false;
    }
    *it = (ms_pristine){ends[0], pid};
    return true;
}

bool ms_pristine_fork(const ms_pristine *it, uint32_t id, int descriptor)
{
    request asked = {FORK, id};
    bool fine = ms_channel_send(it->channel, &asked, sizeof asked, descriptor, true);
    int error = errno;
    close(descriptor);
    errno = error;
    return fine;
}

void ms_pristine_kill(const ms_pristine *it, uint32_t id)
{
    request asked = {KILL, id};
    ms_channel_send(it->channel, &asked, sizeof asked, -1, true);
}

ms_report_state ms_pristine_next(const ms_pristine *it, ms_report *report)
{
    int carried;
    ssize_t size = ms_channel_receive(it->channel, report, sizeof *report, &carried);
    if (size == (ssize_t)sizeof *report)
        return MS_REPORT_HERE;
    return size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? MS_REPORT_NONE : MS_REPORT_END;
}

void ms_pristine_end(ms_pristine *it)
{
    close(it->channel);
    while (waitpid(it->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}
