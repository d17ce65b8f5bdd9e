#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A hash table with open addressing; words are copied, as the text does not stay. */
typedef struct entry {
    char *word;
    uint32_t hash;
    int count;
} entry;

static entry *table;
static uint32_t capacity = 16, used;

static entry *slot_of(entry *in, uint32_t size, const char *word, size_t length, uint32_t hash)
{
    uint32_t at = hash & (size - 1);
    while (in[at].word != NULL && (in[at].hash != hash || strncmp(in[at].word, word, length) != 0 || in[at].word[length] != '\0'))
        at = (at + 1) & (size - 1);
    return &in[at];
}

static void grow(void)
{
    entry *larger = calloc(2 * capacity, sizeof *larger);
    for (uint32_t i = 0; i < capacity; i++)
        if (table[i].word != NULL)
            *slot_of(larger, 2 * capacity, table[i].word, strlen(table[i].word), table[i].hash) = table[i];
    free(table);
    table = larger;
    capacity *= 2;
}

static void count(const char *word, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)word[i]) * 16777619u;
    entry *found = slot_of(table, capacity, word, length, hash);
    if (found->word == NULL) {
        *found = (entry){strndup(word, length), hash, 0};
        used++;
    }
    found->count++;
    if (used * 4 > capacity * 3)
        grow();
}

static int more(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    return a->count != b->count ? b->count - a->count : strcmp(a->word, b->word);
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 500000;
    uint32_t x = 1;
    char *text = malloc((size_t)n * 8 + 1);
    size_t size = 0;
    for (int i = 0; i < n; i++) {
        x = x * 1103515245u + 12345u;
        int r = x >> 16 & 0x7fff;
        size += (size_t)sprintf(text + size, "w%d ", r * r / 65536);
    }
    table = calloc(capacity, sizeof *table);
    for (const char *at = text; *at != '\0';) {
        size_t length = strcspn(at, " \n\t");
        if (length > 0)
            count(at, length);
        at += length + (at[length] != '\0');
    }
    entry *entries = malloc(used * sizeof *entries);
    uint32_t filled = 0;
    for (uint32_t i = 0; i < capacity; i++)
        if (table[i].word != NULL)
            entries[filled++] = table[i];
    qsort(entries, used, sizeof *entries, more);
    printf("%u\n", used);
    for (int i = 0; i < 10; i++)
        printf("%s %d\n", entries[i].word + 1, entries[i].count);
}
