/* Looking up an address is a binary search in the table's ascending offsets. */
#include "core/places.h"

#include "ms.h"

bool ms_places_contain(uintptr_t address)
{
    return address - (uintptr_t)ms_places.text < ms_places.text_size;
}

int32_t ms_places_find(uintptr_t address)
{
    if (!ms_places_contain(address) || ms_places.range_count == 0)
        return -1;
    uint32_t offset = (uint32_t)(address - (uintptr_t)ms_places.text);
    const uint32_t *offsets = ms_places.offsets;
    if (offset < offsets[0] || offset >= offsets[ms_places.range_count])
        return -1;
    uint32_t low = 0, high = ms_places.range_count; /* offsets[low] <= offset < offsets[high] */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (offsets[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return ms_places.indices[low];
}
