/* Vectors as bytes: growing, cutting, joining, sorting, and what fails. */
#include "tests/check.h"
#include "tests/program.h"

static int32_t *ints(ms_vector v)
{
    return v.data;
}

static void drop(ms_vector v)
{
    ms_free(v.data, v.capacity * 4ull);
}

/* The elements as digits. */
static void expect_digits(ms_vector v, const char *expected)
{
    char digits[32];
    CHECK(v.count < sizeof digits);
    for (uint32_t i = 0; i < v.count; i++)
        digits[i] = (char)('0' + ints(v)[i]);
    CHECK_BYTES(digits, v.count, expected);
}

static void grow_block(void)
{
    ms_vector v = {0};
    uint32_t moves = 0;
    for (int32_t i = 0; i < 100000; i++) {
        if (v.count == v.capacity) {
            uint32_t before = v.capacity;
            v = ms_vector_grow(v, (uint64_t)v.count + 1, 4);
            CHECK(v.capacity >= before + before / 2 && v.capacity > v.count);
            moves++;
        }
        ints(v)[v.count++] = i;
    }
    for (int32_t i = 0; i < 100000; i++)
        CHECK(ints(v)[i] == i);
    CHECK(moves < 40);
    drop(v);
}

static void change_block(void)
{
    static const int32_t fixed[] = {1, 2, 3, 4, 5};
    ms_vector constant = {(void *)(uintptr_t)fixed, 5, 0};
    ms_vector v = ms_vector_copy(constant, 4);
    expect_digits(v, "12345");
    v = ms_vector_open(v, 0, 4);
    ints(v)[0] = 9;
    v = ms_vector_open(v, 6, 4);
    ints(v)[6] = 8;
    expect_digits(v, "9123458");
    v = ms_vector_close(v, 3, 4);
    v = ms_vector_close(v, 5, 4);
    expect_digits(v, "91245");
    v = ms_vector_resize(v, 7, 4);
    expect_digits(v, "9124500");
    v = ms_vector_resize(v, 2, 4);
    v = ms_vector_resize(v, 4, 4);
    expect_digits(v, "9100");
    v = ms_vector_append(v, constant, 4);
    expect_digits(v, "910012345");
    ms_vector slice = ms_vector_slice(v, 3, 6, 4), both = ms_vector_concat(slice, constant, 4);
    expect_digits(slice, "012");
    expect_digits(both, "01212345");
    ms_reverse(both.data, both.count, 4);
    expect_digits(both, "54321210");
    expect_digits(ms_vector_slice(v, 9, 9, 4), "");
    drop(slice);
    drop(both);
    drop(v);
    /* Constants are copied before they change. */
    ms_vector changed = ms_vector_close(constant, 0, 4), longer = ms_vector_resize(constant, 6, 4);
    expect_digits(changed, "2345");
    expect_digits(longer, "123450");
    expect_digits(constant, "12345");
    drop(changed);
    drop(longer);
}

static void empty_block(void)
{
    ms_vector none = {0};
    CHECK(ms_vector_new(0, 8).data == NULL && ms_vector_zero(0, 8).data == NULL && ms_vector_copy(none, 8).data == NULL);
    CHECK(ms_vector_concat(none, none, 8).data == NULL && ms_vector_append(none, none, 8).data == NULL);
    CHECK_INT(ms_vector_slice(none, 0, 0, 8).count, 0);
    ms_reverse(NULL, 0, 8);
    ms_sort_int(NULL, 0);
    ms_sort_string(NULL, 0);
    ms_sort_char(NULL, 0);
    ms_sort_by(NULL, 0, 8, NULL);
    /* A struct without fields has no bytes. */
    ms_vector v = ms_vector_new(5, 0);
    v = ms_vector_append(ms_vector_grow(v, 100, 0), v, 0);
    v = ms_vector_close(ms_vector_open(v, 3, 0), 1, 0);
    CHECK_INT(v.count, 10);
    ms_free(v.data, v.capacity * 0ull);
}

static void zero_block(void)
{
    ms_vector v = ms_vector_zero(50000, 4);
    for (int32_t i = 0; i < 50000; i++)
        CHECK(ints(v)[i] == 0);
    drop(v);
}

static void grows(void) { program_finish(grow_block); }
static void changes(void) { program_finish(change_block); }
static void knows_nothing(void) { program_finish(empty_block); }
static void clears_to_zero(void) { program_finish(zero_block); }

/* ---- Sorting ---- */

static bool less_by_tens(const void *left, const void *right)
{
    return *(const int32_t *)left / 10 < *(const int32_t *)right / 10;
}

/* `count` numbers that repeat, sorted by their tens only: those with equal tens must stay in order. */
static void sort_by_tens(uint32_t count, uint64_t element_size)
{
    uint8_t *data = ms_alloc(count * element_size);
    for (uint32_t i = 0; i < count; i++) {
        int32_t value = (int32_t)(i * 7919u % 97u);
        memset(data + i * element_size, 0, element_size);
        memcpy(data + i * element_size, &value, 4);
        if (element_size >= 8)
            memcpy(data + i * element_size + 4, &i, 4);
    }
    ms_sort_by(data, count, element_size, less_by_tens);
    for (uint32_t i = 1; i < count; i++) {
        const uint8_t *left = data + (i - 1) * element_size, *right = data + i * element_size;
        CHECK(!less_by_tens(right, left));
        if (element_size >= 8 && !less_by_tens(left, right))
            CHECK(*(const uint32_t *)(const void *)(left + 4) < *(const uint32_t *)(const void *)(right + 4));
    }
    ms_free(data, count * element_size);
}

static void sort_by_block(void)
{
    for (uint32_t count = 1; count < 3000; count = count * 2 + 1) {
        sort_by_tens(count, 4);
        sort_by_tens(count, 8);
        sort_by_tens(count, 16);
        sort_by_tens(count, 40);
    }
}

static void sorts_by_a_function(void) { program_finish(sort_by_block); }

/* ---- Failing ---- */

static void new_negative(void) { ms_vector_new(-1, 4); }
static void new_too_large(void) { ms_vector_new(3000000000, 4); }
static void resize_negative(void) { ms_vector_resize((ms_vector){0}, -5, 4); }
static void grow_too_large(void) { ms_vector_grow((ms_vector){0}, 1ull << 31, 1); }
static void slice_outside(void) { ms_vector_slice((ms_vector){"abc", 3, 0}, 2, 9, 1); }
static void slice_backwards(void) { ms_slice_check(2, 1, 3); }
static void slice_negative(void) { ms_slice_check(-1, 1, 3); }
static void open_outside(void) { ms_vector_open((ms_vector){"abc", 3, 0}, 4, 1); }
static void close_outside(void) { ms_vector_close((ms_vector){"abc", 3, 0}, 3, 1); }
static void concat_too_large(void) { ms_vector_concat((ms_vector){"", 2000000000, 0}, (ms_vector){"", 2000000000, 0}, 0); }
static void pop_empty(void) { ms_fail_empty("pop"); }
static void convert(void) { ms_fail_convert(1e30, "int"); }

static void fails_with_messages(void)
{
    program_expect(new_negative, "negative size -1", NULL);
    program_expect(new_too_large, "size 3000000000 is too large", NULL);
    program_expect(resize_negative, "negative size -5", NULL);
    program_expect(grow_too_large, "size 2147483648 is too large", NULL);
    program_expect(slice_outside, "slice 2..9 out of range, the size is 3", NULL);
    program_expect(slice_backwards, "slice 2..1 out of range, the size is 3", NULL);
    program_expect(slice_negative, "slice -1..1 out of range, the size is 3", NULL);
    program_expect(open_outside, "index 4 out of range, the size is 3", NULL);
    program_expect(close_outside, "index 3 out of range, the size is 3", NULL);
    program_expect(concat_too_large, "size 4000000000 is too large", NULL);
    program_expect(pop_empty, "pop of an empty vector", NULL);
    program_expect(convert, "cannot convert 1e+30 to int", NULL);
}

/* ---- Encoded values ---- */

static void read_block(void)
{
    uint8_t bytes[] = {2, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 1, 0};
    ms_vector v;
    ms_reader reader = {bytes, bytes + sizeof bytes};
    CHECK(ms_read_block(&reader, 4, &v));
    expect_digits(v, "78");
    CHECK_INT(reader.end - reader.at, 2);
    CHECK(!ms_read_block(&reader, 4, &v));
    drop(v);
    for (uint32_t size = 0; size < 12; size++) {
        ms_reader part = {bytes, bytes + size};
        CHECK(!ms_read_block(&part, 4, &v) && part.at == bytes);
    }
    memset(bytes, 0xff, 4);
    uint32_t count;
    ms_reader huge = {bytes, bytes + sizeof bytes};
    CHECK(!ms_read_block(&huge, 8, &v) && !ms_read_count(&huge, 1, &count));
    bytes[0] = 10, bytes[1] = bytes[2] = bytes[3] = 0;
    ms_reader just = {bytes, bytes + sizeof bytes};
    CHECK(!ms_read_count(&just, 2, &count));
    CHECK(ms_read_count(&just, 1, &count));
    CHECK_INT(count, 10);
    CHECK(just.at == bytes + 4);
}

static void believes_no_count(void) { program_finish(read_block); }

int main(void)
{
    ms_task_setup();
    RUN(grows);
    RUN(changes);
    RUN(knows_nothing);
    RUN(clears_to_zero);
    RUN(sorts_by_a_function);
    RUN(fails_with_messages);
    RUN(believes_no_count);
    return 0;
}
