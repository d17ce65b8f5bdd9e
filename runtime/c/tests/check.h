/* Checks for the C tests: a check that does not hold says where and what, and ends the test program with status 1. */
#ifndef MS_CHECK_H
#define MS_CHECK_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                                     \
    do {                                                                                                                    \
        if (!(condition))                                                                                                   \
            check_failed(__FILE__, __LINE__, #condition);                                                                   \
    } while (0)

#define CHECK_INT(actual, expected)                                                                                         \
    do {                                                                                                                    \
        int64_t check_actual = (int64_t)(actual), check_expected = (int64_t)(expected);                                     \
        if (check_actual != check_expected) {                                                                               \
            fprintf(stderr, "%" PRId64 " is not %" PRId64 "\n", check_actual, check_expected);                              \
            check_failed(__FILE__, __LINE__, #actual " == " #expected);                                                     \
        }                                                                                                                   \
    } while (0)

/* `size` bytes are those of a C string. */
#define CHECK_BYTES(bytes, size, expected)                                                                                  \
    do {                                                                                                                    \
        const void *check_bytes = (bytes);                                                                                  \
        size_t check_size = (size);                                                                                         \
        if (check_size != strlen(expected) || (check_size > 0 && memcmp(check_bytes, expected, check_size) != 0)) {         \
            fprintf(stderr, "\"%.*s\" is not \"%s\"\n", (int)check_size, (const char *)check_bytes, expected);              \
            check_failed(__FILE__, __LINE__, #bytes " are " #expected);                                                     \
        }                                                                                                                   \
    } while (0)

#define RUN(test)                                                                                                           \
    do {                                                                                                                    \
        test();                                                                                                             \
        printf("ok %s %s\n", check_name(__FILE__), #test);                                                                  \
        fflush(stdout);                                                                                                     \
    } while (0)

static inline _Noreturn void check_failed(const char *file, int line, const char *condition)
{
    fflush(stdout);
    fprintf(stderr, "%s:%d: FAILED: %s\n", file, line, condition);
    exit(1);
}

static inline const char *check_name(const char *file)
{
    const char *slash = strrchr(file, '/');
    return slash == NULL ? file : slash + 1;
}
#endif
