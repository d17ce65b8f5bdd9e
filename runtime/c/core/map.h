/* Hashing, for the map's own tests: compiled programs hold constant maps that the code generator has laid out with the same functions
 * (`ms/codegen/static_maps.py`). What compiled programs call stands in ms.h. */
#ifndef MS_MAP_H
#define MS_MAP_H

#include "ms.h"

/* Never 0. An int is hashed as the unsigned number of its 32 bits, a char as its byte. */
uint32_t ms_hash_number(uint64_t number);
uint32_t ms_hash_bytes(const void *bytes, uint64_t size, uint64_t seed);

/* What the hashes of strings begin with: another number in each process. Constant maps have 0. Set by tests only. */
extern uint64_t ms_map_seed;
#endif
