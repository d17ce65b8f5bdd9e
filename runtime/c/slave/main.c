/* prog-slave: options and signals. */
#include "core/options.h"
#include "core/task.h"
#include "core/wire.h"
#include "slave/cell.h"
#include "slave/client.h"
#include "slave/pristine.h"
#include "slave/say.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

/* Tells a process that starts itself again what it is. */
#define REPLACES "MS_REPLACES"
#define CONNECT_AGAIN_FOR 2.0 /* seconds */

enum { STATUS_FAILED = 1, STATUS_USAGE = 2, MS_WAITING_MAX = 20000, WAITING_ISOLATED = 1000 };

typedef struct slave_options {
    ms_client_options client;
    bool isolate;
} slave_options;

static int signal_descriptor;

/* ---- Options ---- */

static bool set_slots(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_count(&((slave_options *)context)->client.slots, value, 1, MS_SLOTS_MAX, message);
}

static bool set_waiting_max(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_count(&((slave_options *)context)->client.waiting_max, value, 1, MS_WAITING_MAX, message);
}

static bool set_connect_for(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_seconds(&((slave_options *)context)->client.connect_for, value, 0, message);
}

static bool set_memory_max(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_size(&((slave_options *)context)->client.memory_max, value, UINT64_MAX / 2, message);
}

static bool set_blobs_max(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_blobs(&((slave_options *)context)->client.blobs_max, value, message);
}

static bool set_payload_max(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_payload(&((slave_options *)context)->client.payload_max, value, message);
}

static bool set_once(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_flag(&((slave_options *)context)->client.once, value, message);
}

static bool set_insecure(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_flag(&((slave_options *)context)->client.insecure, value, message);
}

static bool set_isolate(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_flag(&((slave_options *)context)->isolate, value, message);
}

static bool set_jobs_max(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_count(&((slave_options *)context)->client.jobs_max, value, 1, UINT32_MAX, message);
}

static bool set_key_file(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_key_read(&((ms_client_options *)context)->key, value, message);
}

static bool set_quiet(void *context, const char *value, bool from_environment, char *message)
{
    (void)from_environment;
    return ms_option_flag(&((slave_options *)context)->client.quiet, value, message);
}

static const ms_option option_rows[] = {
    {"slots", 'j', MS_OPTION_VALUE, "N", "jobs at once (the CPUs it may use)", set_slots},
    {"connect-for", 0, MS_OPTION_VALUE, "S", "how long to try to connect (60)", set_connect_for},
    {"once", 0, MS_OPTION_FLAG, NULL, "try each address once", set_once},
    {"isolate", 0, MS_OPTION_FLAG, NULL, "run jobs in processes of their own: a crash costs one attempt of one job", set_isolate},
    {"jobs-max", 0, MS_OPTION_VALUE, "N", "replace the process that runs jobs after so many (no limit)", set_jobs_max},
    {"memory-max", 0, MS_OPTION_VALUE, "BYTES", "memory for each job (no limit)", set_memory_max},
    {"waiting-max", 0, MS_OPTION_VALUE, "N", "jobs that wait for others, at once (20000; 1000 with --isolate)", set_waiting_max},
    {"payload-max", 0, MS_OPTION_VALUE, "BYTES", "the largest arguments and results (4294967295)", set_payload_max},
    {"blobs-max", 0, MS_OPTION_VALUE, "BYTES", "memory for large arguments that jobs have in common (a 16th, at most 1G; 0: none)", set_blobs_max},
    {"key-file", 0, MS_OPTION_VALUE, "FILE", "the key that both ends need over TCP; msc key FILE makes one", set_key_file},
    {"insecure", 0, MS_OPTION_FLAG, NULL, "TCP without a key, unencrypted, open to everybody; on both ends", set_insecure},
    {"quiet", 0, MS_OPTION_FLAG, NULL, "no log lines", set_quiet},
};

static bool add_address(void *context, const char *word, char *message)
{
    ms_client_options *options = &((slave_options *)context)->client;
    if (options->address_count == MS_SLAVE_ADDRESS_MAX) {
        snprintf(message, MS_OPTION_MESSAGE_MAX, "more than %d addresses", MS_SLAVE_ADDRESS_MAX);
        return false;
    }
    return ms_address_parse(&options->addresses[options->address_count++], word, message);
}

static ms_options_result read_options(slave_options *options, int argc, char **argv)
{
    char program[256], usage[300];
    int rest;
    snprintf(program, sizeof program, "%s-slave", ms_program.name);
    snprintf(usage, sizeof usage, "%s [options] [ADDRESS ...]", program);
    ms_option_table table = {
        .program = program,
        .usage = usage,
        .closing = "ADDRESS is unix:PATH or HOST:PORT; several are tried in order. Each option is also a variable of the environment:\n"
                   "MS_SLOTS, MS_CONNECT_FOR, ...; MS_ADDRESS holds addresses with commas between them.\n",
        .options = option_rows,
        .option_count = sizeof option_rows / sizeof option_rows[0],
        .operand = add_address,
        .protocol_version = MS_PROTOCOL_VERSION,
        .program_target = ms_program.target,
        .program_note = ms_crypto_is_built_in() ? "with encryption" : "without encryption",
    };
    return ms_options_read(&table, options, argc, argv, &rest);
}

/* Without addresses on the command line: those of MS_ADDRESS, else the default. */
static bool find_addresses(slave_options *given, char message[MS_MESSAGE_MAX])
{
    ms_client_options *options = &given->client;
    const char *list = getenv("MS_ADDRESS");
    if (options->address_count > 0)
        return true;
    options->address_count = 0;
    if (list == NULL || list[0] == '\0') {
        options->address_count = 1;
        return ms_address_default(&options->addresses[0], ms_program.name, message);
    }
    char *copy = strdup(list), *at = copy, *one;
    bool fine = copy != NULL;
    while (fine && (one = strsep(&at, ",")) != NULL)
        fine = add_address(given, one, message);
    free(copy);
    return fine;
}

static uint32_t usable_cpus(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (uint32_t)count;
}

/* ---- The process ---- */

static void on_signal(int number)
{
    uint64_t one = 1;
    atomic_store(&ms_client_signal, number);
    ssize_t ignored = write(signal_descriptor, &one, sizeof one);
    (void)ignored;
}

static void catch_signals(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
    for (int i = 0; i < 3; i++) /* but for those that whoever started us wants ignored */
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int complain(const char *message, int status)
{
    ms_say(false, "%s", message);
    return status;
}

/* Each worker takes a descriptor. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int run(slave_options *options)
{
    ms_pristine pristine;
    ms_cell_options cell = {.slots = options->client.slots, .memory_max = options->client.memory_max,
                            .key = &options->client.key};
    if (options->isolate && !ms_pristine_start(&pristine, ms_cell_run, &cell)) {
        char message[160];
        snprintf(message, sizeof message, "cannot start the process that starts workers: %s (see ulimit -n and -u)", strerror(errno));
        return complain(message, STATUS_FAILED);
    }
    if (options->isolate)
        options->client.pristine = &pristine;
    signal_descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (signal_descriptor < 0)
        return complain("cannot start: no descriptors are left", STATUS_FAILED);
    catch_signals();
    if (!options->isolate) {
        ms_task_setup();
        return ms_client_run(&options->client, signal_descriptor);
    }
    raise_descriptor_limit();
    int status = ms_client_run(&options->client, signal_descriptor);
    ms_pristine_end(&pristine);
    return status;
}

int main(int argc, char **argv)
{
    slave_options options = {.client = {.slots = usable_cpus(), .connect_for = 60, .payload_max = UINT32_MAX,
                                        .blobs_max = ms_blobs_default()}};
    char message[MS_MESSAGE_MAX];
    switch (read_options(&options, argc, argv)) {
    case MS_OPTIONS_FINE: break;
    case MS_OPTIONS_SHOWN: return fflush(stdout) == 0 ? 0 : STATUS_FAILED;
    case MS_OPTIONS_WRONG: return STATUS_USAGE;
    }
    options.client.replaces = getenv(REPLACES) != NULL;
    unsetenv(REPLACES);
    if (options.client.replaces && options.client.connect_for > CONNECT_AGAIN_FOR)
        options.client.connect_for = CONNECT_AGAIN_FOR;
    if (options.client.waiting_max == 0)
        options.client.waiting_max = options.isolate ? WAITING_ISOLATED : MS_WAITING_MAX;
    if (ms_program.abi_version != MS_ABI_VERSION)
        return complain("the program was compiled for another runtime: build it again with msc", STATUS_FAILED);
    if (options.client.insecure && options.client.key.known)
        return complain(MS_KEY_OR_INSECURE, STATUS_USAGE);
    if (!find_addresses(&options, message))
        return complain(message, STATUS_USAGE);
    int status = run(&options);
    if (status != MS_CLIENT_REPLACE)
        return status;
    if (atomic_load(&ms_client_signal) != 0)
        return 0;
    setenv(REPLACES, "1", 1);
    execv("/proc/self/exe", argv);
    snprintf(message, sizeof message, "cannot start itself again: %s", strerror(errno));
    return complain(message, STATUS_FAILED);
}
