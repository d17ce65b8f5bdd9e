/* The fake program. `ms_program` and `ms_places` are constants for the runtime; here they are filled in while the tests run. */
#include "tests/program.h"

#include "tests/check.h"

enum { PLACE_COUNT_MAX = 64 };

extern const uint8_t __start_ms_program_text[] __attribute__((weak));
extern const uint8_t __stop_ms_program_text[] __attribute__((weak));

ms_program_description program_description __asm__("ms_program") = {
    .abi_version = MS_ABI_VERSION, .name = "prog", .target = "test"};
ms_place_table program_places __asm__("ms_places");

static uint32_t offsets[PLACE_COUNT_MAX + 1];
static int32_t indices[PLACE_COUNT_MAX];
static ms_place places[2 * PLACE_COUNT_MAX];
static const char *names[2 * PLACE_COUNT_MAX + 1] = {"prog.ms"};
static uint32_t place_count;

static uint32_t new_place(uint32_t line, uint32_t column, const char *name)
{
    CHECK(place_count < 2 * PLACE_COUNT_MAX);
    names[place_count + 1] = name;
    places[place_count] = (ms_place){line, column, place_count + 1, 0, -1};
    return place_count++;
}

void program_add_place(const void *function, uint32_t line, uint32_t column, const char *name)
{
    uint32_t count = program_places.range_count;
    uint32_t text_size = (uint32_t)(__stop_ms_program_text - __start_ms_program_text);
    uint32_t offset = (uint32_t)((const uint8_t *)function - __start_ms_program_text);
    CHECK(count < PLACE_COUNT_MAX && offset < text_size);
    uint32_t at = count;
    for (; at > 0 && offsets[at - 1] > offset; at--) {
        offsets[at] = offsets[at - 1];
        indices[at] = indices[at - 1];
    }
    offsets[at] = offset;
    indices[at] = (int32_t)new_place(line, column, name);
    offsets[count + 1] = text_size;
    program_places = (ms_place_table){
        __start_ms_program_text, text_size, count + 1, offsets, indices, places, names, place_count, NULL};
}

void program_add_outer(uint32_t line, uint32_t column, const char *outer_name)
{
    uint32_t inner = place_count - 1;
    places[inner].outer = (int32_t)new_place(line, column, outer_name);
    program_places.place_count = place_count;
}

typedef struct run_context {
    ms_task *task;
    void (*block)(void);
    ms_bytes *failure;
    ms_outcome outcome;
} run_context;

static void run_block(void *argument)
{
    run_context *context = argument;
    int32_t exit_status;
    context->outcome = ms_task_run_block(context->task, context->block, context->failure, &exit_status);
}

ms_outcome program_run(ms_task *task, void (*block)(void), ms_bytes *failure)
{
    run_context context = {task, block, failure, MS_TASK_EXITED};
    ms_task_on_stack(run_block, &context);
    return context.outcome;
}

void program_expect(void (*block)(void), const char *message, const char *story)
{
    ms_bytes failure = {0};
    ms_task *task = ms_task_create(0);
    CHECK_INT(program_run(task, block, &failure), MS_TASK_FAILED);
    CHECK(failure.size >= 4);
    uint32_t size;
    memcpy(&size, failure.data, 4);
    CHECK(size <= failure.size - 4);
    CHECK_BYTES(failure.data + 4, size, message);
    if (story != NULL)
        CHECK_BYTES(failure.data + 4 + size, failure.size - 4 - size, story);
    ms_bytes_free(&failure);
    ms_task_destroy(task);
}

void program_finish(void (*block)(void))
{
    ms_bytes failure = {0};
    ms_task *task = ms_task_create(0);
    ms_heap_check = true;
    ms_outcome outcome = program_run(task, block, &failure);
    if (outcome == MS_TASK_FAILED)
        fprintf(stderr, "%.*s\n", (int)failure.size - 4, (const char *)failure.data + 4);
    CHECK_INT(outcome, MS_TASK_FINISHED);
    ms_bytes_free(&failure);
    ms_task_destroy(task);
}

ms_vector text_of(const char *words)
{
    return (ms_vector){(void *)(uintptr_t)words, (uint32_t)strlen(words), 0};
}

void expect_text(ms_vector text, const char *expected)
{
    CHECK_BYTES(text.data, text.count, expected);
    ms_free(text.data, text.capacity);
}

void expect_texts(ms_vector texts, const char *expected)
{
    ms_vector shown = {0};
    for (uint32_t i = 0; i < texts.count; i++) {
        ms_vector text = ((ms_vector *)texts.data)[i];
        ms_text_char(&shown, '[');
        ms_text_string(&shown, text);
        ms_text_char(&shown, ']');
        ms_free(text.data, text.capacity);
    }
    ms_free(texts.data, texts.capacity * sizeof(ms_vector));
    expect_text(shown, expected);
}
