/* Pointwise convolution that makes as many channels as it reads: two pixels are copied before their outputs are written,
 * so that the output may lie in the very place of its input.
 */
#ifndef EW_HELIUM_POINTWISE_IN_PLACE_H
#define EW_HELIUM_POINTWISE_IN_PLACE_H

#include "copy.h"
#include "pointwise.h"

typedef ew_helium_pointwise_sizes ew_helium_pointwise_in_place_sizes;

EW_INLINE void ew_helium_pointwise_in_place(const ew_helium_pointwise_sizes *s, const int8_t *x, const int8_t *weight,
                                            const int32_t *fours, int8_t *pixels, int8_t *y)
{
    const int32_t inputs = s->each.inputs;
    for (int32_t row = 0; row + 2 <= s->rows; row += 2) {
        ew_copy_codes(pixels, x, 2 * inputs);
        ew_rows_2(&s->each, pixels, pixels + inputs, weight, fours, y);
        x += 2 * inputs;
        y += 2 * inputs;
    }
    if (s->rows % 2 != 0) {
        ew_copy_codes(pixels, x, inputs);
        ew_rows_1(&s->each, pixels, weight, fours, y);
    }
}

#endif
