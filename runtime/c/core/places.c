/* Looking up an address is a binary search in the ascending offsets of the table that has it. A place has its index in its own table
 * plus the number of places in the tables before. */
#include "core/places.h"

#include "ms.h"

#include <stddef.h>

static bool contains(const ms_place_table *table, uintptr_t address)
{
    return address - (uintptr_t)table->text < table->text_size;
}

bool ms_places_contain(uintptr_t address)
{
    for (const ms_place_table *table = &ms_places; table != NULL; table = table->next)
        if (contains(table, address))
            return true;
    return false;
}

static int32_t find_in(const ms_place_table *table, uint32_t offset)
{
    const uint32_t *offsets = table->offsets;
    if (table->range_count == 0 || offset < offsets[0] || offset >= offsets[table->range_count])
        return -1;
    uint32_t low = 0, high = table->range_count; /* offsets[low] <= offset < offsets[high] */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (offsets[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return table->indices[low];
}

int32_t ms_places_find(uintptr_t address)
{
    int32_t before = 0;
    for (const ms_place_table *table = &ms_places; table != NULL; table = table->next) {
        if (contains(table, address)) {
            int32_t index = find_in(table, (uint32_t)(address - (uintptr_t)table->text));
            return index < 0 ? -1 : before + index;
        }
        before += (int32_t)table->place_count;
    }
    return -1;
}

ms_place_words ms_places_at(int32_t index)
{
    const ms_place_table *table = &ms_places;
    int32_t before = 0;
    while (index - before >= (int32_t)table->place_count) {
        before += (int32_t)table->place_count;
        table = table->next;
    }
    const ms_place *place = &table->places[index - before];
    return (ms_place_words){.file = table->names[place->file],
                            .function = table->names[place->function],
                            .line = place->line,
                            .column = place->column,
                            .outer = place->outer < 0 ? -1 : before + place->outer};
}
