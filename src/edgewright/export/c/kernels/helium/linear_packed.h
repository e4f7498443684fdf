/* Linear layer with weights of 4 bits: x [rows][inputs], y [rows][outputs]; weight and fours as in packed.h. */
#ifndef EW_HELIUM_LINEAR_PACKED_H
#define EW_HELIUM_LINEAR_PACKED_H

#include "packed.h"

typedef struct {
    int32_t rows;
    ew_rows each;
} ew_helium_linear_packed_sizes;

EW_INLINE void ew_helium_linear_packed(const ew_helium_linear_packed_sizes *s, const int8_t *x, const int8_t *weight,
                                       const int32_t *fours, int8_t *unpacked, int8_t *y)
{
    ew_rows_packed(&s->each, x, s->each.inputs, s->rows, weight, fours, unpacked, y);
}

#endif
