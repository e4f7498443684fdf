/* Part of a tensor: y [outer][run] comes from x [outer][pitch], from `offset` on. */
#ifndef EW_SLICE_H
#define EW_SLICE_H

#include "numbers.h"

typedef struct {
    int32_t outer, run, pitch, offset;
} ew_slice_sizes;

EW_INLINE void ew_slice(const ew_slice_sizes *s, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < s->outer; i++) {
        for (int32_t k = 0; k < s->run; k++) {
            y[i * s->run + k] = x[i * s->pitch + s->offset + k];
        }
    }
}

#endif
