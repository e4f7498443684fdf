/* Convolution of one tap, stride 1, with weights of 4 bits: `block` pixels are copied before their outputs are written.
 *
 * x [rows][inputs], y [rows][outputs]; weight and fours as in packed.h. scratch holds four rows of weights, then pixels.
 */
#ifndef EW_HELIUM_POINTWISE_PACKED_H
#define EW_HELIUM_POINTWISE_PACKED_H

#include "copy.h"
#include "packed.h"

typedef struct {
    int32_t rows, block;
    ew_rows each;
} ew_helium_pointwise_packed_sizes;

EW_INLINE void ew_helium_pointwise_packed(const ew_helium_pointwise_packed_sizes *s, const int8_t *x,
                                          const int8_t *weight, const int32_t *fours, int8_t *scratch, int8_t *y)
{
    const int32_t inputs = s->each.inputs;
    int8_t *pixels = scratch + 4 * inputs;
    for (int32_t row = 0; row < s->rows; row += s->block) {
        const int32_t left = s->rows - row, count = left < s->block ? left : s->block;
        ew_copy_codes(pixels, x + row * inputs, count * inputs);
        ew_rows_packed(&s->each, pixels, inputs, count, weight, fours, scratch, y + row * s->each.outputs);
    }
}

#endif
