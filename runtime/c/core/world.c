/* What a program can ask about the process and the machine it runs in. */
#include "core/world.h"

#include "core/fail.h"
#include "core/task.h"
#include "ms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char *const *arg_words;
static int arg_count;

void ms_world_set_args(int count, char *const *words)
{
    arg_count = count;
    arg_words = words;
}

/* A C string that lives as long as the process, as static data. */
static ms_vector static_string(const char *words)
{
    return (ms_vector){(void *)(uintptr_t)words, (uint32_t)strlen(words), 0};
}

static ms_vector copied_string(const char *words)
{
    return ms_vector_copy(static_string(words), 1);
}

ms_vector ms_args(void)
{
    ms_vector words = ms_vector_new(arg_count, sizeof(ms_vector));
    for (int i = 0; i < arg_count; i++)
        ((ms_vector *)words.data)[i] = copied_string(arg_words[i]);
    return words;
}

bool ms_arg(int64_t index, ms_vector *word)
{
    if (index < 0)
        ms_fail_index(index, arg_count);
    if (index >= arg_count)
        return false;
    *word = static_string(arg_words[index]);
    return true;
}

void ms_exit(int32_t status)
{
    ms_task_exit(status);
}

ms_vector ms_env(ms_vector name)
{
    if (name.count == 0 || memchr(name.data, 0, name.count) != NULL)
        return (ms_vector){0};
    char *key = ms_alloc((uint64_t)name.count + 1);
    memcpy(key, name.data, name.count);
    key[name.count] = '\0';
    const char *value = getenv(key);
    ms_free(key, (uint64_t)name.count + 1);
    return value == NULL ? (ms_vector){0} : copied_string(value);
}

static double seconds_of(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double ms_time(void)
{
    return seconds_of(CLOCK_REALTIME);
}

double ms_clock(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

void ms_sleep(double seconds)
{
    const double longest = 1e9;
    struct timespec until;
    ms_task_check();
    if (!(seconds > 0))
        return;
    if (seconds > longest)
        seconds = longest;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)seconds;
    until.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ms_task_check();
    ms_task_check();
}

ms_vector ms_host(void)
{
    char name[256] = "";
    gethostname(name, sizeof name - 1);
    return copied_string(name);
}
