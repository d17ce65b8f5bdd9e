/* Where printed text is put together, and its way out. */
#include "core/task.h"
#include "ms.h"

#include <errno.h>
#include <unistd.h>

/* More than this is not kept for the next text. */
enum { KEPT_SIZE_MAX = 64 << 10 };

/* What happens unless the master or the slave says otherwise. A text that cannot be written is lost: nobody is left to tell. */
static void write_out(int32_t stream, const void *bytes, uint64_t size)
{
    const uint8_t *at = bytes;
    while (size > 0) {
        ssize_t written = write(stream, at, size);
        if (written < 0 && errno != EINTR)
            return;
        if (written > 0) {
            at += written;
            size -= (uint64_t)written;
        }
    }
}

void (*ms_output)(int32_t stream, const void *bytes, uint64_t size) = write_out;

ms_vector *ms_print_begin(void)
{
    ms_vector *text = ms_task_print_text();
    text->count = 0;
    return text;
}

void ms_print_end(int32_t stream)
{
    ms_vector *text = ms_task_print_text();
    ms_task_check_stack();
    if (text->count > 0)
        ms_output(stream, text->data, text->count);
    if (text->capacity > KEPT_SIZE_MAX) {
        ms_free(text->data, text->capacity);
        *text = (ms_vector){0};
    }
}
