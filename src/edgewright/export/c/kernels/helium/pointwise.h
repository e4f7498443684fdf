/* Convolution of one tap, stride 1: two pixels at a time, each a row of x.
 *
 * x [rows][inputs], y [rows][outputs]; weight and fours as in rows.h.
 */
#ifndef EW_HELIUM_POINTWISE_H
#define EW_HELIUM_POINTWISE_H

#include "rows.h"

typedef struct {
    int32_t rows;
    ew_rows each;
} ew_helium_pointwise_sizes;

EW_INLINE void ew_helium_pointwise(const ew_helium_pointwise_sizes *s, const int8_t *x, const int8_t *weight,
                                   const int32_t *fours, int8_t *y)
{
    const int32_t inputs = s->each.inputs, outputs = s->each.outputs;
    for (int32_t row = 0; row + 2 <= s->rows; row += 2) {
        ew_rows_2(&s->each, x, x + inputs, weight, fours, y);
        x += 2 * inputs;
        y += 2 * outputs;
    }
    if (s->rows % 2 != 0) {
        ew_rows_1(&s->each, x, weight, fours, y);
    }
}

#endif
