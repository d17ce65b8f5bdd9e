/* Files, directories, arguments, environment, clocks; in a directory made for the test. */
#include "core/world.h"
#include "tests/check.h"
#include "tests/program.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char directory[] = "/tmp/ms-test-XXXXXX";

static void file_block(void)
{
    ms_write_file(text_of("a"), text_of("one\ntwo\r\n\nlast"));
    expect_text(ms_read_file(text_of("a")), "one\ntwo\r\n\nlast");
    expect_texts(ms_read_lines(text_of("a")), "[one][two][][last]");
    ms_append_file(text_of("a"), text_of("!\n"));
    expect_texts(ms_read_lines(text_of("a")), "[one][two][][last!]");
    CHECK_INT(ms_file_size(text_of("a")), 16);
    ms_write_file(text_of("a"), (ms_vector){0});
    CHECK_INT(ms_file_size(text_of("a")), 0);
    expect_text(ms_read_file(text_of("a")), "");
    expect_texts(ms_read_lines(text_of("a")), "");
    CHECK(ms_file_exists(text_of("a")) && ms_file_exists(text_of(".")) && !ms_file_exists(text_of("b")));
    CHECK(!ms_file_exists((ms_vector){0}));
}

static void part_block(void)
{
    ms_write_file(text_of("part"), text_of("0123456789"));
    expect_text(ms_read_file_part(text_of("part"), 2, 5), "234");
    expect_text(ms_read_file_part(text_of("part"), 8, INT64_MAX), "89");
    expect_text(ms_read_file_part(text_of("part"), -5, 2), "01");
    expect_text(ms_read_file_part(text_of("part"), 20, 30), "");
    expect_text(ms_read_file_part(text_of("part"), 5, 5), "");
    expect_text(ms_read_file_part(text_of("part"), INT64_MIN, INT64_MAX), "0123456789");
}

static void large_block(void)
{
    ms_vector text = ms_vector_new(3000000, 1);
    for (uint32_t i = 0; i < text.count; i++)
        ((uint8_t *)text.data)[i] = (uint8_t)(i * 2654435761u >> 24);
    ms_write_file(text_of("large"), text);
    ms_vector again = ms_read_file(text_of("large"));
    CHECK(ms_string_equal(text, again));
    ms_free(text.data, text.capacity);
    ms_free(again.data, again.capacity);
    /* The size of this file is told as 0. */
    ms_vector status = ms_read_file(text_of("/proc/self/status"));
    CHECK(ms_string_find(status, text_of("Name:")) == 0);
    ms_free(status.data, status.capacity);
}

static void list_block(void)
{
    CHECK_INT(mkdir("list", 0700), 0);
    expect_texts(ms_list_dir(text_of("list")), "");
    ms_write_file(text_of("list/b"), text_of("x"));
    ms_write_file(text_of("list/a"), text_of("x"));
    ms_write_file(text_of("list/.c"), text_of("x"));
    expect_texts(ms_list_dir(text_of("list")), "[.c][a][b]");
}

static void reads_and_writes(void) { program_finish(file_block); }
static void reads_parts(void) { program_finish(part_block); }
static void reads_large_files(void) { program_finish(large_block); }
static void lists_directories(void) { program_finish(list_block); }

static void read_missing(void) { ms_read_file(text_of("x")); }
static void read_directory(void) { ms_read_file(text_of(".")); }
static void size_missing(void) { ms_file_size(text_of("x")); }
static void write_nowhere(void) { ms_write_file(text_of("no/x"), text_of("y")); }
static void append_nowhere(void) { ms_append_file(text_of(""), text_of("y")); }
static void list_file(void) { ms_list_dir(text_of("a")); }
static void write_to_full(void) { ms_write_file(text_of("/dev/full"), text_of("y")); }
static void read_with_nul(void) { ms_read_file((ms_vector){"a\0b", 3, 0}); }

static void fails_with_messages(void)
{
    program_expect(read_missing, "cannot read \"x\": No such file or directory", NULL);
    program_expect(read_directory, "cannot read \".\": Is a directory", NULL);
    program_expect(size_missing, "cannot read \"x\": No such file or directory", NULL);
    program_expect(write_nowhere, "cannot write \"no/x\": No such file or directory", NULL);
    program_expect(append_nowhere, "cannot write \"\": No such file or directory", NULL);
    program_expect(list_file, "cannot list \"a\": Not a directory", NULL);
    program_expect(write_to_full, "cannot write \"/dev/full\": No space left on device", NULL);
    program_expect(read_with_nul, "cannot read \"a\\0b\": Invalid argument", NULL);
}

/* However it fails or is cancelled, no descriptor stays open. */
static int lowest_free_descriptor(void)
{
    int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(descriptor);
    return descriptor;
}

static atomic_bool reading, ended;

static void read_what_never_comes(void)
{
    atomic_store(&reading, true);
    ms_read_file(text_of("pipe"));
}

static void *read_cancelled(void *task)
{
    ms_bytes failure = {0};
    CHECK_INT(program_run(task, read_what_never_comes, &failure), MS_TASK_CANCELLED);
    atomic_store(&ended, true);
    return NULL;
}

static void closes_what_it_leaves(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    int before = lowest_free_descriptor();
    program_expect(read_directory, "cannot read \".\": Is a directory", NULL);
    program_expect(write_to_full, "cannot write \"/dev/full\": No space left on device", NULL);
    CHECK_INT(lowest_free_descriptor(), before);
    CHECK_INT(mkfifo("pipe", 0600), 0);
    int writer = open("pipe", O_RDWR | O_CLOEXEC); /* so that it can be opened, and nothing comes */
    before = lowest_free_descriptor();
    ms_task *task = ms_task_create(0);
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, read_cancelled, task), 0);
    while (!atomic_load(&reading))
        nanosleep(&pause, NULL);
    while (!atomic_load(&ended)) {
        ms_task_cancel(task);
        nanosleep(&pause, NULL);
    }
    pthread_join(thread, NULL);
    CHECK_INT(lowest_free_descriptor(), before);
    ms_task_destroy(task);
    close(writer);
}

static void world_block(void)
{
    static char one[] = "one", empty[] = "", three[] = "3";
    static char *words[] = {one, empty, three};
    ms_vector word;
    CHECK(!ms_arg(0, &word));
    ms_world_set_args(3, words);
    expect_texts(ms_args(), "[one][][3]");
    CHECK(ms_arg(2, &word) && ms_parse_int(word) == 3);
    CHECK(!ms_arg(3, &word));
    setenv("MS_TEST_VARIABLE", "value", 1);
    expect_text(ms_env(text_of("MS_TEST_VARIABLE")), "value");
    expect_text(ms_env(text_of("MS_TEST_NO_VARIABLE")), "");
    expect_text(ms_env((ms_vector){0}), "");
    ms_vector host = ms_host();
    CHECK(host.count > 0);
    ms_free(host.data, host.capacity);
    double start = ms_clock();
    ms_sleep(0.02);
    CHECK(ms_clock() - start >= 0.02);
    ms_sleep(-1);
    ms_sleep(0.0 / 0.0);
    CHECK(ms_time() > 1.6e9);
}

static void arg_negative(void)
{
    ms_vector word;
    ms_arg(-1, &word);
}

static void knows_the_world(void)
{
    program_finish(world_block);
    program_expect(arg_negative, "index -1 out of range, the size is 3", NULL);
}

static void remove_all(const char *path)
{
    DIR *entries = opendir(path);
    CHECK(entries != NULL && chdir(path) == 0);
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && unlink(entry->d_name) != 0)
            remove_all(entry->d_name);
    closedir(entries);
    CHECK(chdir("..") == 0 && rmdir(path) == 0);
}

int main(void)
{
    ms_task_setup();
    CHECK(mkdtemp(directory) != NULL && chdir(directory) == 0);
    RUN(reads_and_writes);
    RUN(reads_parts);
    RUN(reads_large_files);
    RUN(lists_directories);
    RUN(fails_with_messages);
    RUN(closes_what_it_leaves);
    RUN(knows_the_world);
    CHECK(chdir("/tmp") == 0);
    remove_all(strrchr(directory, '/') + 1);
    return 0;
}
