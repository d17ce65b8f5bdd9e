/* Standard input, line by line. Jobs of one slave share it, whole lines at a time.
 *
 * What always holds: the lock is held only while nothing blocks and nothing can fail, so a task never leaves with it. Waiting is done
 * by poll; who has seen input looks again under the lock, for another may have taken it. */
#include "core/bytes.h"
#include "core/fail.h"
#include "core/task.h"
#include "ms.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 64 << 10 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Guarded by the lock. The bytes that nobody has taken yet begin at `taken`; up to `searched` there is no line feed. */
static ms_bytes buffer;
static size_t taken, searched;
static bool has_ended;

/* Reads once, if that does not block. An errno; 0 when there is more or nothing to be had now. Under the lock. */
static int read_once(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    if (has_ended || poll(&input, 1, 0) <= 0)
        return 0;
    if (taken > 0) {
        ms_bytes_consume(&buffer, taken);
        searched -= taken;
        taken = 0;
    }
    if (!ms_bytes_reserve(&buffer, READ_SIZE))
        return ENOMEM;
    ssize_t count = read(STDIN_FILENO, buffer.data + buffer.size, READ_SIZE);
    if (count > 0)
        buffer.size += (size_t)count;
    else if (count == 0 || errno == EBADF)
        has_ended = true;
    else if (errno != EINTR && errno != EAGAIN)
        return errno;
    return 0;
}

static void wait_for_more(void)
{
    static const char name[] = "standard input";
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    ms_task_check();
    (void)poll(&input, 1, -1);
    ms_task_check();
    pthread_mutex_lock(&lock);
    int error = read_once();
    pthread_mutex_unlock(&lock);
    if (error != 0)
        ms_fail_system("read", (ms_vector){(void *)(uintptr_t)name, sizeof name - 1, 0}, error);
}

/* The next line: `text` bytes, and `end` more up to the next one. False when more must be read to know. Under the lock. */
static bool find_line(size_t *text, size_t *end)
{
    const uint8_t *bytes = buffer.data;
    const uint8_t *found = searched < buffer.size ? memchr(bytes + searched, '\n', buffer.size - searched) : NULL;
    if (found == NULL && !has_ended) {
        searched = buffer.size;
        return false;
    }
    *end = found != NULL;
    *text = (found == NULL ? buffer.size : (size_t)(found - bytes)) - taken;
    if (found != NULL && *text > 0 && found[-1] == '\r') {
        --*text;
        ++*end;
    }
    return true;
}

/* Takes the next line if it is the one of that size; the caller made room for it when it did not hold the lock. */
static bool take_line(ms_vector line)
{
    size_t text, end;
    bool is_the_one = find_line(&text, &end) && text == line.count;
    if (is_the_one) {
        if (text > 0)
            memcpy(line.data, buffer.data + taken, text);
        taken += text + end;
        searched = taken;
    }
    return is_the_one;
}

ms_vector ms_read_line(void)
{
    ms_task_check_stack();
    for (;;) {
        size_t text, end;
        pthread_mutex_lock(&lock);
        bool is_there = find_line(&text, &end);
        pthread_mutex_unlock(&lock);
        if (!is_there) {
            wait_for_more();
            continue;
        }
        ms_vector line = ms_vector_new((int64_t)text, 1);
        pthread_mutex_lock(&lock);
        bool is_taken = take_line(line);
        pthread_mutex_unlock(&lock);
        if (is_taken)
            return line;
        ms_free(line.data, line.capacity);
    }
}

bool ms_at_end(void)
{
    ms_task_check_stack();
    for (;;) {
        pthread_mutex_lock(&lock);
        bool is_empty = taken == buffer.size, is_over = has_ended;
        pthread_mutex_unlock(&lock);
        if (!is_empty || is_over)
            return is_empty;
        wait_for_more();
    }
}
