/* Codes of one tensor on another grid. */
#ifndef EW_REGRID_H
#define EW_REGRID_H

#include "numbers.h"

typedef struct {
    int32_t zero_point;
    int32_t mantissa, shift;
    int32_t same; /* 1 where both grids have one scale and zero point: codes can only saturate */
    ew_grid out;
} ew_regrid;

EW_INLINE int8_t ew_on_grid(const ew_regrid *g, int8_t code)
{
    return g->same ? ew_saturate(code, &g->out)
                   : ew_requantize(code - g->zero_point, g->mantissa, g->shift, g->shift >= 2, &g->out);
}

#endif
