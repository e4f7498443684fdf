/* Linear layer: x [rows][inputs], y [rows][outputs]; weight and fours as in rows.h. */
#ifndef EW_HELIUM_LINEAR_H
#define EW_HELIUM_LINEAR_H

#include "pointwise.h"

typedef ew_helium_pointwise_sizes ew_helium_linear_sizes;

EW_INLINE void ew_helium_linear(const ew_helium_pointwise_sizes *s, const int8_t *x, const int8_t *weight,
                                const int32_t *fours, int8_t *y)
{
    ew_helium_pointwise(s, x, weight, fours, y);
}

#endif
