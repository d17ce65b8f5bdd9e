/* The reference of split_join.ms: strings made by malloc, found by memchr. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct string {
    char *data;
    size_t size;
} string;

typedef struct strings {
    string *data;
    size_t count, capacity;
} strings;

static string copy(const char *data, size_t size)
{
    string s = {malloc(size + 1), size};
    memcpy(s.data, data, size);
    s.data[size] = '\0';
    return s;
}

static void append(strings *v, string s)
{
    if (v->count == v->capacity)
        v->data = realloc(v->data, (v->capacity = v->capacity == 0 ? 8 : 2 * v->capacity) * sizeof *v->data);
    v->data[v->count++] = s;
}

static strings split(string s, char separator)
{
    strings parts = {0};
    const char *from = s.data, *end = s.data + s.size;
    for (const char *found; (found = memchr(from, separator, (size_t)(end - from))) != NULL; from = found + 1)
        append(&parts, copy(from, (size_t)(found - from)));
    append(&parts, copy(from, (size_t)(end - from)));
    return parts;
}

static strings split_space(string s)
{
    strings parts = {0};
    for (char *at = s.data, *end = s.data + s.size; at < end;) {
        while (at < end && strchr(" \t\r\n", *at) != NULL)
            at++;
        char *from = at;
        while (at < end && strchr(" \t\r\n", *at) == NULL)
            at++;
        if (at > from)
            append(&parts, copy(from, (size_t)(at - from)));
    }
    return parts;
}

static string join(strings v, const char *separator)
{
    size_t between = strlen(separator), size = v.count > 0 ? between * (v.count - 1) : 0;
    for (size_t i = 0; i < v.count; i++)
        size += v.data[i].size;
    string joined = {malloc(size + 1), size};
    char *to = joined.data;
    for (size_t i = 0; i < v.count; i++) {
        if (i > 0) {
            memcpy(to, separator, between);
            to += between;
        }
        memcpy(to, v.data[i].data, v.data[i].size);
        to += v.data[i].size;
    }
    *to = '\0';
    return joined;
}

static void drop(strings v)
{
    for (size_t i = 0; i < v.count; i++)
        free(v.data[i].data);
    free(v.data);
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 1000000;
    string line = {malloc((size_t)n * 4 + 1), 0};
    for (int i = 0; i < n; i++)
        line.size += (size_t)sprintf(line.data + line.size, i > 0 ? ",%d" : "%d", i % 1000);
    strings numbers = split(line, ',');
    string other = join(numbers, "; ");
    drop(numbers);
    strings parts = split_space(other);
    strings last = split(parts.data[n - 1], '0');
    string text = join(last, "1");
    printf("%zu %zu %d\n", other.size, parts.count, atoi(text.data));
    drop(last);
    drop(parts);
}
