/* What stands in for libFuzzer where there is no clang: runs each file of the directories that it is given, then mutations of them.
 *
 *     fuzz_NAME [--seconds S] [--seed N] [--crash FILE] DIRECTORY...
 *
 * Blind, but seeded: an input that ends the process, or hangs, is written to FILE, to be run again. */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLE_MAX = 4096, INPUT_MAX = 4096, PATH_SIZE = 1024, HANG_S = 60 };

static ms_bytes samples[SAMPLE_MAX];
static int sample_count;
static uint64_t state;
static uint8_t current[INPUT_MAX];
static size_t current_size;
static const char *crash_name = "crash";

static uint32_t draw(uint32_t bound)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 33) % bound);
}

/* Only calls that a signal handler may make. */
static void on_crash(int number)
{
    FILE *file = fopen(crash_name, "wb");
    if (file != NULL) {
        fwrite(current, 1, current_size, file);
        fclose(file);
    }
    signal(number, SIG_DFL);
    raise(number);
}

static void run(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1); /* so that reading past its end is seen */
    MUST(exact != NULL);
    memcpy(exact, data, size);
    alarm(HANG_S);
    LLVMFuzzerTestOneInput(exact, size);
    alarm(0);
    free(exact);
}

static void add_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t bytes[INPUT_MAX];
    if (file == NULL || sample_count == SAMPLE_MAX)
        return;
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    MUST(ms_bytes_append(&samples[sample_count++], bytes, size));
}

static void add(const char *path)
{
    char inside[PATH_SIZE];
    struct dirent *entry;
    DIR *directory = opendir(path);
    if (directory == NULL) {
        add_file(path);
        return;
    }
    while ((entry = readdir(directory)) != NULL)
        if (entry->d_name[0] != '.') {
            snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
            add_file(inside);
        }
    closedir(directory);
}

/* ---- Mutations ---- */

static void insert(size_t at, const uint8_t *bytes, size_t size)
{
    if (size > INPUT_MAX - current_size)
        size = INPUT_MAX - current_size;
    memmove(current + at + size, current + at, current_size - at);
    memmove(current + at, bytes, size);
    current_size += size;
}

static void mutate_once(void)
{
    static const uint8_t odd[] = {0, 1, 2, 4, 12, 16, 127, 128, 255};
    size_t at = current_size == 0 ? 0 : draw((uint32_t)current_size), rest = current_size - at;
    const ms_bytes *other = &samples[draw((uint32_t)sample_count)];
    uint8_t bytes[8];
    size_t size;
    switch (current_size == 0 ? 5u : draw(7)) {
    case 0: current[at] ^= (uint8_t)(1u << draw(8)); break;
    case 1: current[at] = (uint8_t)draw(256); break;
    case 2: current[at] = odd[draw(sizeof odd)]; break;
    case 3:
        size = 1 + draw(16);
        size = size < rest ? size : rest;
        memmove(current + at, current + at + size, rest - size);
        current_size -= size;
        break;
    case 4: current_size = at; break;
    case 5:
        for (size = 0; size < sizeof bytes; size++)
            bytes[size] = (uint8_t)draw(256);
        insert(at, bytes, 1 + draw(sizeof bytes));
        break;
    default:
        if (other->size > 0) {
            size_t from = draw((uint32_t)other->size);
            insert(at, other->data + from, 1 + draw((uint32_t)(other->size - from)));
        }
    }
}

static void mutate(void)
{
    const ms_bytes *sample = &samples[draw((uint32_t)sample_count)];
    current_size = sample->size;
    if (current_size > 0)
        memcpy(current, sample->data, current_size);
    for (uint32_t count = 1 + draw(6); count > 0; count--)
        mutate_once();
    run(current, current_size);
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    double seconds = 0;
    uint64_t seed = 1, rounds = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            seconds = atof(argv[++i]);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--crash") == 0 && i + 1 < argc)
            crash_name = argv[++i];
        else
            add(argv[i]);
    }
    state = seed;
    signal(SIGABRT, on_crash);
    signal(SIGALRM, on_crash); /* it hangs */
    for (int i = 0; i < sample_count; i++) {
        current_size = samples[i].size;
        if (current_size > 0)
            memcpy(current, samples[i].data, current_size);
        run(current, current_size);
    }
    double end = seconds_now() + seconds;
    for (; sample_count > 0 && seconds_now() < end; rounds++)
        mutate();
    printf("%d files, %llu mutations\n", sample_count, (unsigned long long)rounds);
    for (int i = 0; i < sample_count; i++)
        ms_bytes_free(&samples[i]);
    return 0;
}
