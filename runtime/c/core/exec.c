/* Running other programs.
 *
 * What always holds: while a program runs, its process and our ends of its pipes belong to the task (ms_task_hold); however the task
 * leaves, the process is killed and reaped and the pipes are closed. No other process inherits a pipe: the ends are opened with
 * O_CLOEXEC. */
#include "core/fail.h"
#include "core/task.h"
#include "ms.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STREAM_COUNT = 3, READ_SIZE_LEAST = 16 << 10, SIGNAL_CODE = 128 };

/* A program that runs. `ours` are our ends of its standard streams, -1 for those that are closed. */
typedef struct process {
    pid_t pid;
    int ours[STREAM_COUNT];
} process;

static void close_stream(process *p, int stream)
{
    if (p->ours[stream] >= 0)
        close(p->ours[stream]);
    p->ours[stream] = -1;
}

static void release(void *what)
{
    process *p = what;
    for (int i = 0; i < STREAM_COUNT; i++)
        close_stream(p, i);
    if (p->pid > 0) {
        kill(p->pid, SIGKILL);
        while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    free(p);
}

/* ---- Starting ---- */

/* A pipe both ends of which lie above the standard streams, so that none is in another's way in the new process. An errno. */
static int open_pipe(int ends[2])
{
    int low[2];
    if (pipe2(low, O_CLOEXEC) != 0)
        return errno;
    int error = 0;
    for (int i = 0; i < 2; i++) {
        ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, STREAM_COUNT);
        if (ends[i] < 0)
            error = errno;
        close(low[i]);
    }
    for (int i = 0; error != 0 && i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    return error;
}

/* Pipes for all three streams; `theirs` are the other ends. An errno; what was opened before is in `p` and `theirs` then too. */
static int open_streams(process *p, int theirs[STREAM_COUNT])
{
    for (int i = 0; i < STREAM_COUNT; i++) {
        int ends[2];
        int error = open_pipe(ends);
        if (error != 0)
            return error;
        p->ours[i] = ends[i == STDIN_FILENO];
        theirs[i] = ends[i != STDIN_FILENO];
        if (fcntl(p->ours[i], F_SETFL, O_NONBLOCK) != 0)
            return errno;
    }
    return 0;
}

/* The new process has no signal blocked, and none ignored because we do. An errno. */
static int spawn(process *p, const int theirs[STREAM_COUNT], char *const *words)
{
    extern char **environ;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    int error = 0;
    for (int i = 0; error == 0 && i < STREAM_COUNT; i++)
        error = posix_spawn_file_actions_adddup2(&actions, theirs[i], i);
    pid_t pid = 0;
    if (error == 0)
        error = posix_spawnp(&pid, words[0], &actions, &attributes, words, environ);
    p->pid = error == 0 ? pid : 0;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* The words as C strings, in one block of `*size` bytes; fails when one of them cannot be such. */
static char **c_words(ms_vector argv, uint64_t *size)
{
    const ms_vector *word = argv.data;
    *size = ((uint64_t)argv.count + 1) * sizeof(char *);
    for (uint32_t i = 0; i < argv.count; i++) {
        if (word[i].count > 0 && memchr(word[i].data, 0, word[i].count) != NULL)
            ms_fail_system("run", word[0], EINVAL);
        *size += (uint64_t)word[i].count + 1;
    }
    char **words = ms_alloc(*size);
    char *at = (char *)(words + argv.count + 1);
    for (uint32_t i = 0; i < argv.count; i++) {
        words[i] = at;
        if (word[i].count > 0)
            memcpy(at, word[i].data, word[i].count);
        at += word[i].count;
        *at++ = '\0';
    }
    words[argv.count] = NULL;
    return words;
}

static process *start(ms_vector argv)
{
    uint64_t size;
    char **words = c_words(argv, &size);
    process *p = malloc(sizeof *p);
    if (p == NULL)
        ms_fail_out_of_memory();
    *p = (process){.pid = 0, .ours = {-1, -1, -1}};
    ms_task_hold(release, p);
    int theirs[STREAM_COUNT] = {-1, -1, -1};
    int error = open_streams(p, theirs);
    if (error == 0)
        error = words[0][0] == '\0' ? ENOENT : spawn(p, theirs, words);
    for (int i = 0; i < STREAM_COUNT; i++)
        if (theirs[i] >= 0)
            close(theirs[i]);
    if (error != 0)
        ms_fail_system("run", ((const ms_vector *)argv.data)[0], error);
    ms_free(words, size);
    return p;
}

/* ---- Talking ---- */

/* Writes what the pipe takes; closes it when everything is written, or nobody reads any more. */
static void feed(process *p, ms_vector input, uint64_t *fed)
{
    while (*fed < input.count) {
        ssize_t count = write(p->ours[STDIN_FILENO], (const uint8_t *)input.data + *fed, input.count - *fed);
        if (count < 0 && (errno == EINTR || errno == EAGAIN))
            return;
        if (count < 0)
            break;
        *fed += (uint64_t)count;
    }
    close_stream(p, STDIN_FILENO);
}

/* Reads what there is, once. */
static void drain(process *p, int stream, ms_vector *text)
{
    if (text->capacity - text->count < READ_SIZE_LEAST)
        *text = ms_vector_grow(*text, (uint64_t)text->count + READ_SIZE_LEAST, 1);
    ssize_t count = read(p->ours[stream], (uint8_t *)text->data + text->count, text->capacity - text->count);
    if (count > 0)
        text->count += (uint32_t)count;
    else if (count == 0 || (errno != EINTR && errno != EAGAIN))
        close_stream(p, stream);
}

/* Feeds it and takes what it says, whichever goes, until it has closed all three streams. */
static void talk(process *p, ms_vector input, ms_vector *out, ms_vector *err)
{
    uint64_t fed = 0;
    ms_vector *texts[STREAM_COUNT] = {NULL, out, err};
    if (input.count == 0)
        close_stream(p, STDIN_FILENO);
    while (p->ours[STDIN_FILENO] >= 0 || p->ours[STDOUT_FILENO] >= 0 || p->ours[STDERR_FILENO] >= 0) {
        struct pollfd streams[STREAM_COUNT];
        for (int i = 0; i < STREAM_COUNT; i++)
            streams[i] = (struct pollfd){.fd = p->ours[i], .events = i == STDIN_FILENO ? POLLOUT : POLLIN};
        int ready = poll(streams, STREAM_COUNT, -1);
        ms_task_check();
        if (ready <= 0)
            continue;
        if (streams[STDIN_FILENO].revents != 0)
            feed(p, input, &fed);
        for (int i = STDOUT_FILENO; i < STREAM_COUNT; i++)
            if (streams[i].revents != 0)
                drain(p, i, texts[i]);
    }
}

/* Its exit status, or 128 and the signal that ended it. */
static int32_t reap(process *p)
{
    int status;
    while (waitpid(p->pid, &status, 0) < 0) {
        if (errno != EINTR)
            ms_fail_message("the program that exec started is gone");
        ms_task_check();
    }
    p->pid = 0;
    return WIFSIGNALED(status) ? SIGNAL_CODE + WTERMSIG(status) : WEXITSTATUS(status);
}

void ms_exec(ms_vector argv, ms_vector input, ms_exec_result *result)
{
    if (argv.count == 0)
        ms_fail_empty("exec");
    ms_task_check_stack();
    ms_task_check();
    signal(SIGCHLD, SIG_DFL); /* who started us may have wished not to hear of children */
    process *p = start(argv);
    *result = (ms_exec_result){.code = 0};
    talk(p, input, &result->out, &result->err);
    result->code = reap(p);
    ms_task_hold(NULL, NULL);
    release(p);
}
