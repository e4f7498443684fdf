/* One part of a concatenation: x [outer][run] goes to y [outer][pitch], from `offset` on. */
#ifndef EW_CONCAT_H
#define EW_CONCAT_H

#include "regrid.h"

typedef struct {
    int32_t outer, run, pitch, offset;
    ew_regrid grid;
} ew_concat_sizes;

EW_INLINE void ew_concat(const ew_concat_sizes *s, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < s->outer; i++) {
        for (int32_t k = 0; k < s->run; k++) {
            y[i * s->pitch + s->offset + k] = ew_on_grid(&s->grid, x[i * s->run + k]);
        }
    }
}

#endif
