/* Files and directories.
 *
 * The descriptor that is open is the task's (ms_task_hold_file), so it is closed however the function is left. Every system call
 * that can block may end with EINTR; then a cancelled task leaves and another one goes on. */
#include "core/fail.h"
#include "core/task.h"
#include "core/text.h"
#include "ms.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { READ_SIZE_MIN = 4096, DIRECTORY_BUFFER_SIZE = 8192 };

/* One thing done to one file, for the message when it goes wrong. */
typedef struct file_use {
    const char *verb;
    ms_vector path;
    int descriptor;
} file_use;

static _Noreturn void fail_use(const file_use *use, int error)
{
    ms_fail_system(use->verb, use->path, error);
}

/* `name` gets the path as a C string. */
static void name_file(const file_use *use, char name[PATH_MAX])
{
    ms_task_check_stack();
    if (use->path.count == 0)
        fail_use(use, ENOENT);
    if (use->path.count >= PATH_MAX)
        fail_use(use, ENAMETOOLONG);
    if (memchr(use->path.data, 0, use->path.count) != NULL)
        fail_use(use, EINVAL);
    memcpy(name, use->path.data, use->path.count);
    name[use->path.count] = '\0';
}

static void open_file(file_use *use, int flags)
{
    char name[PATH_MAX];
    name_file(use, name);
    ms_task_check();
    while ((use->descriptor = open(name, flags | O_CLOEXEC, 0666)) < 0) {
        if (errno != EINTR)
            fail_use(use, errno);
        ms_task_check();
    }
    ms_task_hold_file(use->descriptor);
}

/* Some file systems tell only here that the bytes did not arrive. */
static void close_file(file_use *use)
{
    ms_task_hold_file(-1);
    if (close(use->descriptor) != 0 && errno != EINTR)
        fail_use(use, errno);
}

/* ---- Reading ---- */

/* Up to `size` bytes from `offset`, or from where the file stands when that is negative; 0 at its end. */
static uint64_t read_some(const file_use *use, void *buffer, uint64_t size, int64_t offset)
{
    for (;;) {
        ssize_t count = offset < 0 ? read(use->descriptor, buffer, size) : pread(use->descriptor, buffer, size, offset);
        if (count >= 0)
            return (uint64_t)count;
        if (errno != EINTR)
            fail_use(use, errno);
        ms_task_check();
    }
}

/* What a regular file holds from `low` on, as far as its size tells; a guess that reading corrects. */
static uint64_t expected_size(const file_use *use, int64_t low)
{
    struct stat status;
    if (fstat(use->descriptor, &status) != 0)
        fail_use(use, errno);
    return S_ISREG(status.st_mode) && status.st_size > low ? (uint64_t)(status.st_size - low) : 0;
}

/* The bytes low to low + size - 1, as far as there are; a negative low is "from where it stands". */
static ms_vector read_range(ms_vector path, int64_t low, uint64_t size)
{
    file_use use = {.verb = "read", .path = path};
    ms_vector text = {0};
    open_file(&use, O_RDONLY);
    uint64_t expected = expected_size(&use, low < 0 ? 0 : low);
    if (expected >= size)
        expected = size;
    else
        expected = expected < READ_SIZE_MIN ? READ_SIZE_MIN : expected + 1; /* one more, so that the end is seen without growing */
    text = ms_vector_grow(text, expected, 1);
    while (text.count < size) {
        if (text.count == text.capacity)
            text = ms_vector_grow(text, (uint64_t)text.count + 1, 1);
        uint64_t room = text.capacity - text.count;
        if (room > size - text.count)
            room = size - text.count;
        uint64_t count = read_some(&use, (uint8_t *)text.data + text.count, room, low < 0 ? -1 : low + text.count);
        if (count == 0)
            break;
        text.count += (uint32_t)count;
        ms_task_check();
    }
    close_file(&use);
    return text;
}

ms_vector ms_read_file(ms_vector path)
{
    return read_range(path, -1, UINT64_MAX);
}

ms_vector ms_read_file_part(ms_vector path, int64_t low, int64_t high)
{
    if (low < 0)
        low = 0;
    return read_range(path, low, high > low ? (uint64_t)high - (uint64_t)low : 0);
}

/* The end of the line that begins at `at`, before its line feed. */
static const uint8_t *line_end(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *found = memchr(at, '\n', (size_t)(end - at));
    return found == NULL ? end : found;
}

static ms_vector lines_of(ms_vector text)
{
    if (text.count == 0)
        return (ms_vector){0};
    const uint8_t *start = text.data, *end = start + text.count;
    int64_t count = 0;
    for (const uint8_t *at = start; at < end; at = line_end(at, end) + 1)
        count++;
    ms_vector lines = ms_vector_new(count, sizeof(ms_vector));
    ms_vector *line = lines.data;
    for (const uint8_t *at = start; at < end;) {
        const uint8_t *stop = line_end(at, end);
        uint64_t size = (uint64_t)(stop - at);
        if (size > 0 && stop < end && stop[-1] == '\r')
            size--;
        *line++ = ms_vector_copy((ms_vector){(void *)(uintptr_t)at, (uint32_t)size, 0}, 1);
        at = stop + 1;
    }
    return lines;
}

ms_vector ms_read_lines(ms_vector path)
{
    ms_vector text = ms_read_file(path);
    ms_vector lines = lines_of(text);
    ms_free(text.data, text.capacity);
    return lines;
}

/* ---- Writing ---- */

static void write_text(ms_vector path, ms_vector text, int flags)
{
    file_use use = {.verb = "write", .path = path};
    open_file(&use, O_WRONLY | O_CREAT | flags);
    for (uint64_t done = 0; done < text.count;) {
        ssize_t count = write(use.descriptor, (const uint8_t *)text.data + done, text.count - done);
        if (count < 0 && errno != EINTR)
            fail_use(&use, errno);
        if (count < 0)
            ms_task_check();
        else
            done += (uint64_t)count;
    }
    close_file(&use);
}

void ms_write_file(ms_vector path, ms_vector text)
{
    write_text(path, text, O_TRUNC);
}

void ms_append_file(ms_vector path, ms_vector text)
{
    write_text(path, text, O_APPEND);
}

/* ---- Looking ---- */

int64_t ms_file_size(ms_vector path)
{
    char name[PATH_MAX];
    struct stat status;
    file_use use = {.verb = "read", .path = path};
    name_file(&use, name);
    if (stat(name, &status) != 0)
        fail_use(&use, errno);
    return status.st_size;
}

bool ms_file_exists(ms_vector path)
{
    char name[PATH_MAX];
    struct stat status;
    if (path.count == 0 || path.count >= PATH_MAX || memchr(path.data, 0, path.count) != NULL)
        return false;
    memcpy(name, path.data, path.count);
    name[path.count] = '\0';
    return stat(name, &status) == 0;
}

/* What the kernel writes for each entry of a directory. */
typedef struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
} entry;

static ms_vector add_entries(ms_vector names, const uint8_t *buffer, uint64_t size)
{
    for (uint64_t at = 0; at < size;) {
        const entry *e = (const entry *)(const void *)(buffer + at);
        at += e->size;
        if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0)
            continue;
        names = ms_vector_grow(names, (uint64_t)names.count + 1, sizeof(ms_vector));
        ms_vector name = {0};
        ms_text_words(&name, e->name);
        ((ms_vector *)names.data)[names.count++] = name;
    }
    return names;
}

ms_vector ms_list_dir(ms_vector path)
{
    _Alignas(8) uint8_t buffer[DIRECTORY_BUFFER_SIZE];
    file_use use = {.verb = "list", .path = path};
    ms_vector names = {0};
    open_file(&use, O_RDONLY | O_DIRECTORY);
    for (;;) {
        /* Not opendir: its memory would be lost when the task leaves. */
        long size = syscall(SYS_getdents64, use.descriptor, buffer, sizeof buffer);
        if (size < 0 && errno != EINTR)
            fail_use(&use, errno);
        if (size == 0)
            break;
        if (size > 0)
            names = add_entries(names, buffer, (uint64_t)size);
        ms_task_check();
    }
    close_file(&use);
    ms_sort_string(names.data, names.count);
    return names;
}
