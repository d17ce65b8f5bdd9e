/* prog-master: options, the master block, and what the process leaves behind. */
#include "core/options.h"
#include "core/task.h"
#include "core/wire.h"
#include "core/world.h"
#include "master/api.h"
#include "master/output.h"
#include "master/watch.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_SIGNAL = 128, FAILURE_SIZE = 64 << 10 };

typedef struct master_options {
    ms_server_options server;
    bool addresses_from_environment;
    bool local;
    uint32_t min_slaves;
    const char *trace_path; /* null: none */
    bool status_from_environment;
} master_options;

static ms_server *the_server; /* for the signal handler */
static ms_watch *the_watch;   /* null when nobody looks */

/* ---- Options ---- */

static bool add_address(master_options *options, const char *text, char *message)
{
    if (options->server.address_count == MS_LISTEN_MAX) {
        snprintf(message, MS_OPTION_MESSAGE_MAX, "more than %d addresses", MS_LISTEN_MAX);
        return false;
    }
    return ms_address_parse(&options->server.addresses[options->server.address_count++], text, message);
}

/* In the environment several addresses may stand, with commas between them. The command line's replace them. */
static bool set_listen(void *context, const char *value, bool from_environment, char *message)
{
    master_options *options = context;
    if (!from_environment && options->addresses_from_environment) {
        options->addresses_from_environment = false;
        options->server.address_count = 0;
    }
    if (!from_environment)
        return add_address(options, value, message);
    options->addresses_from_environment = true;
    char *list = strdup(value), *at = list, *one;
    bool fine = list != NULL;
    while (fine && (one = strsep(&at, ",")) != NULL)
        fine = add_address(options, one, message);
    free(list);
    return fine;
}

static bool set_local(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_flag(&((master_options *)context)->local, value, message);
}

static bool set_min_slaves(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_count(&((master_options *)context)->min_slaves, value, 0, 1000000, message);
}

static bool set_lost_max(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_count(&((master_options *)context)->server.lost_max, value, 1, MS_LOST_MAX, message);
}

static bool set_progress(void *context, const char *value, bool from_environment, char *message)
{
    static const char *const names[] = {"never", "auto", "always"};
    (void)from_environment;
    if (value[0] == '\0')
        value = "auto";
    for (int i = 0; i < 3; i++)
        if (strcmp(value, names[i]) == 0) {
            ((master_options *)context)->server.progress = (ms_progress_mode)i;
            return true;
        }
    snprintf(message, MS_OPTION_MESSAGE_MAX, "\"%.100s\" is not auto, always or never", value);
    return false;
}

static bool set_trace(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    ((master_options *)context)->trace_path = value;
    if (value[0] == '\0')
        snprintf(message, MS_OPTION_MESSAGE_MAX, "a file has a name");
    return value[0] != '\0';
}

static bool set_status(void *context, const char *value, bool from_environment, char *message)
{
    master_options *options = context;
    options->status_from_environment = from_environment;
    options->server.has_status = true;
    return ms_address_parse(&options->server.status, value, message);
}

static bool set_heartbeat(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_seconds(&((master_options *)context)->server.heartbeat, value, 0.01, message);
}

static bool set_payload_max(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_payload(&((master_options *)context)->server.payload_max, value, message);
}

static bool set_blobs_max(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_blobs(&((master_options *)context)->server.blobs_max, value, message);
}

static bool set_started_max(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_count(&((master_options *)context)->server.started_max, value, 1, 1000000000, message);
}

static bool set_started_size_max(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_size(&((master_options *)context)->server.started_size_max, value, UINT64_MAX / 2, message);
}

static bool set_insecure(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_flag(&((master_options *)context)->server.insecure, value, message);
}

static bool set_key_file(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_key_read(&((master_options *)context)->server.key, value, message);
}

static bool set_quiet(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_flag(&((master_options *)context)->server.quiet, value, message);
}

static const ms_option option_rows[] = {
    {"listen", 0, MS_OPTION_VALUE, "ADDRESS", "where slaves connect: unix:PATH or HOST:PORT (repeatable)", set_listen},
    {"local", 0, MS_OPTION_FLAG, NULL, "run each remote call at once, in place, without slaves", set_local},
    {"min-slaves", 0, MS_OPTION_VALUE, "N", "start when N slaves are there", set_min_slaves},
    {"lost-max", 0, MS_OPTION_VALUE, "N", "a job fails after so many lost slaves (3)", set_lost_max},
    {"progress", 0, MS_OPTION_OPTIONAL, "WHEN", "show how far the jobs are: auto, always, never", set_progress},
    {"trace", 0, MS_OPTION_VALUE, "FILE", "write what happens to FILE, for Perfetto and msc report", set_trace},
    {"status", 0, MS_OPTION_VALUE, "ADDRESS", "answer there over HTTP how far everything is, and what it waits for", set_status},
    {"heartbeat", 0, MS_OPTION_VALUE, "S", "a slave silent for three times S seconds is lost (2)", set_heartbeat},
    {"payload-max", 0, MS_OPTION_VALUE, "BYTES", "the largest arguments and results (4294967295)", set_payload_max},
    {"blobs-max", 0, MS_OPTION_VALUE, "BYTES", "memory for large arguments that may come again (a 16th, at most 1G; 0: none)", set_blobs_max},
    {"started-max", 0, MS_OPTION_VALUE, "N", "jobs that the jobs of one slave may have started at once (4194304)", set_started_max},
    {"started-size-max", 0, MS_OPTION_VALUE, "BYTES", "bytes that these jobs may take (half of the memory)", set_started_size_max},
    {"key-file", 0, MS_OPTION_VALUE, "FILE", "the key that both ends need over TCP; msc key FILE makes one", set_key_file},
    {"insecure", 0, MS_OPTION_FLAG, NULL, "TCP without a key, unencrypted, open to everybody; on both ends", set_insecure},
    {"quiet", 0, MS_OPTION_FLAG, NULL, "no log lines", set_quiet},
};

static ms_options_result read_options(master_options *options, int argc, char **argv, int *rest)
{
    char program[256], usage[300];
    snprintf(program, sizeof program, "%s-master", ms_program.name);
    snprintf(usage, sizeof usage, "%s [options] [-- words]", program);
    ms_option_table table = {
        .program = program,
        .usage = usage,
        .closing = "Each option is also a variable of the environment: MS_LISTEN, MS_MIN_SLAVES, ...\n",
        .options = option_rows,
        .option_count = sizeof option_rows / sizeof option_rows[0],
        .protocol_version = MS_PROTOCOL_VERSION,
        .program_target = ms_program.target,
        .program_note = ms_crypto_is_built_in() ? "with encryption" : "without encryption",
    };
    *options = (master_options){.server = {.heartbeat = 2, .lost_max = 3, .payload_max = UINT32_MAX, .started_max = MS_STARTED_MAX,
                                          .started_size_max = ms_started_size_default(), .blobs_max = ms_blobs_default()}};
    return ms_options_read(&table, options, argc, argv, rest);
}

/* ---- Signals ---- */

static void on_signal(int number)
{
    ms_server_quit(the_server, STATUS_SIGNAL + number);
}

static sigset_t ending_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return set;
}

/* `handler` for the signals that end a process, but for those that whoever started us wants ignored (nohup, a shell's &). */
static void catch_signals(void (*handler)(int))
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, before;
    for (int i = 0; i < 3; i++)
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
}

/* Under --local no I/O thread is there to end the process. */
static void *wait_for_signal(void *unused)
{
    sigset_t set = ending_signals();
    int number;
    if (sigwait(&set, &number) == 0) {
        if (the_watch != NULL)
            ms_watch_end(the_watch);
        ms_output_flush_unless_stuck();
        _exit(STATUS_SIGNAL + number);
    }
    return unused;
}

static void catch_signals_locally(void)
{
    pthread_t thread;
    sigset_t set = ending_signals();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (pthread_create(&thread, NULL, wait_for_signal, NULL) == 0)
        pthread_detach(thread);
    else
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void on_broken_output(void)
{
    if (the_server != NULL)
        ms_server_quit(the_server, STATUS_FAILED);
    else
        _exit(STATUS_FAILED);
}

/* ---- The master block ---- */

typedef struct block_run {
    ms_outcome outcome;
    ms_bytes failure;
    int32_t exit_status;
} block_run;

static void run_block(void *context)
{
    block_run *run = context;
    ms_task *task = ms_task_create(0);
    if (task == NULL)
        return;
    run->outcome = ms_task_run_block(task, ms_program.master, &run->failure, &run->exit_status);
    ms_task_destroy(task);
}

/* The payload of a failure begins its story with "prog.ms:5:7 in area: division by zero": that place comes first, then "error". */
/* Where the message begins in the story's first line, "prog.ms:3:28 in master: MESSAGE"; null when it is not there. A message may look
 * like the place in front of it, so what stands before it is looked at too. */
static const char *message_in_story(const ms_failure_view *view)
{
    const char *end = view->story + view->story_size;
    for (const char *at = view->story + 2; at + view->message_size <= end; at++)
        if (at[-2] == ':' && at[-1] == ' ' && memcmp(at, view->message, view->message_size) == 0)
            return at;
    return NULL;
}

static void print_failure(const ms_bytes *payload, ms_bytes text)
{
    ms_failure_view view;
    if (ms_failure_decode(&view, payload->data, payload->size) != MS_WIRE_FINE)
        view = (ms_failure_view){"out of memory", 13, "", 0};
    const char *end = view.story + view.story_size, *at = view.story;
    const char *message = message_in_story(&view);
    if (message != NULL) {
        const char *in = message - 2; /* before ": " */
        while (in > view.story && memcmp(in - 1, " in ", 4) != 0)
            in--;
        if (in > view.story)
            ms_bytes_append(&text, view.story, (size_t)(in - 1 - view.story));
        at = message + view.message_size;
    }
    if (text.size == 0) {
        ms_bytes_append(&text, ms_program.name, strlen(ms_program.name));
        ms_bytes_append(&text, "-master", 7);
    }
    ms_bytes_append(&text, ": error: ", 9);
    ms_bytes_append(&text, view.message, view.message_size);
    ms_bytes_append(&text, "\n", 1);
    for (; at < end; at++) { /* further lines are indented */
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        line_end = line_end == NULL ? end : line_end;
        if (line_end > at) {
            ms_bytes_append(&text, "  ", 2);
            ms_bytes_append(&text, at, (size_t)(line_end - at));
            ms_bytes_append(&text, "\n", 1);
        }
        at = line_end;
    }
    ms_output_flush();
    ms_output_print(2, text.data, text.size);
    ms_bytes_free(&text);
}

static int run_master(void)
{
    block_run run = {.outcome = MS_TASK_FAILED};
    ms_bytes text = {0}; /* there may be no memory when it fails, which is to be told all the same */
    ms_bytes_reserve(&run.failure, FAILURE_SIZE);
    ms_bytes_reserve(&text, FAILURE_SIZE);
    ms_task_on_stack(run_block, &run);
    if (run.outcome == MS_TASK_FAILED)
        print_failure(&run.failure, text);
    else
        ms_bytes_free(&text);
    ms_bytes_free(&run.failure);
    return run.outcome == MS_TASK_FAILED ? STATUS_FAILED : run.outcome == MS_TASK_EXITED ? run.exit_status & 0xff : 0;
}

/* ---- The process ---- */

static int complain(const char *message, int status)
{
    fprintf(stderr, "%s-master: %s\n", ms_program.name, message);
    return status;
}

static bool uses_tcp(const master_options *options)
{
    for (int i = 0; i < options->server.address_count; i++)
        if (options->server.addresses[i].kind == MS_ADDRESS_TCP)
            return true;
    return false;
}

static int run_with_slaves(const master_options *options, ms_job_pool *pool)
{
    char message[MS_MESSAGE_MAX];
    bool wrong;
    /* A signal waits until somebody is there to remove the socket's file. */
    sigset_t set = ending_signals();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    the_server = ms_server_create(&options->server, pool, &wrong, message);
    if (the_server == NULL)
        return complain(message, wrong ? STATUS_USAGE : STATUS_FAILED);
    catch_signals(on_signal);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    if (options->server.insecure && uses_tcp(options) && !options->server.quiet)
        complain("warning: --insecure: whoever reaches the address can read along and take jobs", 0);
    if (!ms_server_start(the_server)) {
        ms_server_destroy(the_server);
        return complain("cannot start a thread", STATUS_FAILED);
    }
    if (options->min_slaves > 0)
        ms_server_wait_for_slaves(the_server, options->min_slaves);
    ms_api_setup(the_server, pool, options->server.lost_max, options->server.watch);
    int status = run_master();
    ms_server_stop(the_server, status);
    catch_signals(SIG_DFL); /* what is left to be written may take for ever */
    return status;
}

static int run_locally(const master_options *options, ms_job_pool *pool)
{
    catch_signals_locally();
    ms_api_setup(NULL, pool, options->server.lost_max, the_watch);
    int status = run_master();
    ms_api_end();
    return status;
}

int main(int argc, char **argv)
{
    static ms_job_pool pool;
    master_options options;
    int rest;
    switch (read_options(&options, argc, argv, &rest)) {
    case MS_OPTIONS_FINE: break;
    case MS_OPTIONS_SHOWN: return fflush(stdout) == 0 ? 0 : STATUS_FAILED;
    case MS_OPTIONS_WRONG: return STATUS_USAGE;
    }
    if (ms_program.abi_version != MS_ABI_VERSION)
        return complain("the program was compiled for another runtime: build it again with msc", STATUS_FAILED);
    char message[MS_MESSAGE_MAX];
    if (options.server.insecure && options.server.key.known)
        return complain(MS_KEY_OR_INSECURE, STATUS_USAGE);
    if (!options.local && options.server.address_count == 0) {
        if (!ms_address_default(&options.server.addresses[0], ms_program.name, message))
            return complain(message, STATUS_FAILED);
        options.server.address_count = 1;
    }
    if (options.local && options.server.has_status && !options.status_from_environment)
        return complain("--status needs slaves to show, --local has none", STATUS_USAGE);
    if (options.trace_path != NULL || (options.server.has_status && !options.local)) {
        options.server.watch = ms_watch_create(options.trace_path, message, sizeof message);
        if (options.server.watch == NULL)
            return complain(message, STATUS_FAILED);
        the_watch = options.server.watch;
    }
    signal(SIGPIPE, SIG_IGN);
    ms_output_setup(ms_program.name, on_broken_output);
    ms_output = ms_output_print;
    ms_payload_max = options.server.payload_max;
    ms_world_set_args(argc - rest, argv + rest);
    ms_task_setup();
    int status = options.local ? run_locally(&options, &pool) : run_with_slaves(&options, &pool);
    if (the_watch != NULL)
        ms_watch_end(the_watch);
    if (!ms_output_flush() && status == 0)
        status = STATUS_FAILED;
    return status;
}
