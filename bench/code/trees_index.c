#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct node {
    int key, left, right;
} node;

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 300000, count = 1, capacity = 16;
    uint32_t x = 1;
    node *nodes = malloc(capacity * sizeof *nodes);
    nodes[0] = (node){1 << 30, -1, -1};
    for (int i = 0; i < n; i++) {
        x = x * 1103515245u + 12345u;
        int key = (int)(x >> 1), at = 0;
        while (1) {
            int following = key < nodes[at].key ? nodes[at].left : nodes[at].right;
            if (following < 0)
                break;
            at = following;
        }
        if (key < nodes[at].key)
            nodes[at].left = count;
        else
            nodes[at].right = count;
        if (count == capacity)
            nodes = realloc(nodes, (capacity *= 2) * sizeof *nodes);
        nodes[count++] = (node){key, -1, -1};
    }
    long steps = 0;
    int found = 0;
    for (int i = 0; i < n; i++) {
        x = x * 1103515245u + 12345u;
        int key = (int)(x >> 1), at = 0;
        while (at >= 0 && nodes[at].key != key) {
            at = key < nodes[at].key ? nodes[at].left : nodes[at].right;
            steps++;
        }
        if (at >= 0)
            found++;
    }
    printf("%d %ld %d\n", count, steps, found);
}
