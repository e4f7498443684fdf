/* The same values on another grid; a clamp is this too. */
#ifndef EW_RESCALE_H
#define EW_RESCALE_H

#include "regrid.h"

typedef struct {
    int32_t count;
    ew_regrid grid;
} ew_rescale_sizes;

EW_INLINE void ew_rescale(const ew_rescale_sizes *s, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < s->count; i++) {
        y[i] = ew_on_grid(&s->grid, x[i]);
    }
}

#endif
