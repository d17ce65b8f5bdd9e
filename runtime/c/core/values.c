/* Encoded values that come in and go out (the wire's payloads): the parts of decoding and encoding that are not plain loads and stores.
 * Nothing from outside is believed: memory is taken only for bytes that are there. */
#include "core/fail.h"
#include "core/heap.h"
#include "core/payload.h"
#include "core/result.h"
#include "core/task.h"
#include "core/text.h"
#include "ms.h"

#include <string.h>

enum { COUNT_SIZE = 4 };

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
    void *adopted = ms_payload_is_large(count * element_size) ? ms_task_adopt(reader->at, count * element_size) : NULL;
    if (adopted != NULL)
        *v = (ms_vector){adopted, count, count};
    else
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

void ms_result_drop(ms_result *result)
{
    if (result->bytes != NULL)
        result->bytes->size = result->start;
    if (result->cargo == NULL)
        return;
    ms_payload_free_large(result->cargo->result);
    result->cargo->result = NULL;
}

uint8_t *ms_result_reserve(ms_result *result, uint64_t size)
{
    if (size > ms_payload_max)
        fail_payload(size);
    ms_task_check_stack();
    ms_result_drop(result);
    if (!ms_heap_allows(size))
        ms_fail_out_of_memory();
    if (result->cargo != NULL && ms_payload_is_large(size)) {
        result->cargo->result_size = size;
        if ((result->cargo->result = ms_payload_new(size)) == NULL)
            ms_fail_out_of_memory();
        return result->cargo->result;
    }
    if (!ms_bytes_reserve(result->bytes, size))
        ms_fail_out_of_memory();
    result->bytes->size += size;
    return result->bytes->data + result->start;
}

void ms_result_vector(ms_result *result, ms_vector v, uint64_t element_size)
{
    uint64_t data_size = v.count * element_size, size = data_size + COUNT_SIZE;
    ms_cargo *cargo = result->cargo;
    uint8_t *payload = NULL;
    if (cargo != NULL && size <= ms_payload_max && v.capacity > 0 && ms_payload_is_large(data_size)) {
        ms_task_check_stack();
        ms_result_drop(result);
        payload = ms_heap_release(v.data, v.capacity * element_size, COUNT_SIZE);
        cargo->result = payload;
        cargo->result_size = size;
    }
    if (payload != NULL) {
        memcpy(payload, &v.count, COUNT_SIZE);
        return;
    }
    uint8_t *at = ms_result_reserve(result, size);
    memcpy(at, &v.count, COUNT_SIZE);
    if (data_size > 0)
        memcpy(at + COUNT_SIZE, v.data, data_size);
    ms_free(v.data, v.capacity * element_size);
}
