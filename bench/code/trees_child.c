#include <stdio.h>
#include <stdlib.h>

/* Children in an array that grows, as in the M/s program. */
typedef struct tree {
    int value, count, capacity;
    struct tree *children;
} tree;

static void append(tree *t, tree child)
{
    if (t->count == t->capacity) {
        t->capacity = t->capacity == 0 ? 2 : 2 * t->capacity;
        t->children = realloc(t->children, t->capacity * sizeof *t->children);
    }
    t->children[t->count++] = child;
}

static tree made(int depth, int value)
{
    tree t = {.value = value};
    if (depth > 0)
        for (int i = 0; i < 2; i++)
            append(&t, made(depth - 1, (int)((unsigned)value * 2 + i)));
    return t;
}

static long total(const tree *t)
{
    long sum = t->value;
    for (int i = 0; i < t->count; i++)
        sum += total(&t->children[i]);
    return sum;
}

static void drop(tree *t)
{
    for (int i = 0; i < t->count; i++)
        drop(&t->children[i]);
    free(t->children);
}

int main(int argc, char **argv)
{
    int depth = argc > 1 ? atoi(argv[1]) : 16;
    long sum = 0;
    for (int i = 0; i < 10; i++) {
        tree t = made(depth, i);
        sum += total(&t);
        drop(&t);
    }
    printf("%ld\n", sum);
}
