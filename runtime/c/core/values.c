/* Encoded values that come in and go out (the wire's payloads): the parts of decoding and encoding that are not plain loads and stores.
 * Nothing from outside is believed: memory is taken only for bytes that are there. */
#include "core/fail.h"
#include "core/heap.h"
#include "core/result.h"
#include "core/task.h"
#include "core/text.h"
#include "ms.h"

#include <string.h>

bool ms_read_count(ms_reader *reader, uint64_t minimum_size, uint32_t *count)
{
    if (reader->end - reader->at < 4)
        return false;
    memcpy(count, reader->at, 4);
    if (*count > MS_COUNT_MAX || *count * minimum_size > (uint64_t)(reader->end - reader->at) - 4)
        return false;
    reader->at += 4;
    return true;
}

bool ms_read_block(ms_reader *reader, uint64_t element_size, ms_vector *v)
{
    uint32_t count;
    if (!ms_read_count(reader, element_size, &count))
        return false;
    *v = ms_vector_copy((ms_vector){(void *)(uintptr_t)reader->at, count, 0}, element_size);
    reader->at += count * element_size;
    return true;
}

static _Noreturn void fail_payload(uint64_t size)
{
    ms_vector message = {0};
    ms_text_words(&message, "result of ");
    ms_text_long(&message, (int64_t)size);
    ms_text_words(&message, " bytes, the limit is ");
    ms_text_long(&message, (int64_t)ms_payload_max);
    ms_fail(message);
}

uint8_t *ms_result_reserve(ms_result *result, uint64_t size)
{
    if (size > ms_payload_max)
        fail_payload(size);
    ms_task_check_stack();
    result->bytes->size = result->start;
    if (!ms_heap_allows(size) || !ms_bytes_reserve(result->bytes, size))
        ms_fail_out_of_memory();
    result->bytes->size += size;
    return result->bytes->data + result->start;
}
