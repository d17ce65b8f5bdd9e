/* From addresses in the program's text to places in its source, by the table `ms_places` (ms.h). */
#ifndef MS_PLACES_H
#define MS_PLACES_H

#include <stdbool.h>
#include <stdint.h>

/* Whether an address lies in the program's own code. */
bool ms_places_contain(uintptr_t address);
/* The index of the place that the instruction at `address` belongs to, -1 for none. */
int32_t ms_places_find(uintptr_t address);

typedef struct ms_place_words {
    const char *file;
    const char *function;
    uint32_t line;
    uint32_t column;
    int32_t outer; /* the place of the call that was inlined, -1 for none */
} ms_place_words;

/* The place with an index that ms_places_find has given. */
ms_place_words ms_places_at(int32_t index);
#endif
