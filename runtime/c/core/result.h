/* A job's result on its way out: where it is encoded to. */
#ifndef MS_RESULT_H
#define MS_RESULT_H

#include "core/bytes.h"
#include "ms.h"

/* The result stands behind the first `start` bytes of `bytes`. */
struct ms_result {
    ms_bytes *bytes;
    size_t start;
};
#endif
