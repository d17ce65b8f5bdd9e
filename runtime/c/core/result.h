/* A job's result on its way out: where it is encoded to. */
#ifndef MS_RESULT_H
#define MS_RESULT_H

#include "core/bytes.h"
#include "ms.h"

/* The result stands behind the first `start` bytes of `bytes`; a large one in a payload of its own, when `cargo` is there to carry it. */
struct ms_result {
    ms_bytes *bytes;
    size_t start;
    struct ms_cargo *cargo;
};

/* It is not wanted, after all. */
void ms_result_drop(ms_result *result);
#endif
