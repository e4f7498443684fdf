/* Linear layer with weights of 4 bits, whose results leave as numbers: y = sum * scale, one product of two floats.
 *
 * x [rows][inputs], weight as in packed.h, bias [outputs, in whole fours], scale [outputs], unpacked [4 * inputs].
 */
#ifndef EW_HELIUM_LINEAR_FLOAT_PACKED_H
#define EW_HELIUM_LINEAR_FLOAT_PACKED_H

#include "packed.h"

typedef struct {
    int32_t rows, inputs, outputs;
} ew_helium_linear_float_packed_sizes;

EW_INLINE void ew_helium_linear_float_packed(const ew_helium_linear_float_packed_sizes *s, const int8_t *x,
                                             const int8_t *weight, const int32_t *bias, const float *scale,
                                             int8_t *unpacked, float *y)
{
    for (int32_t o = 0; o < s->outputs; o += 4, weight += 2 * s->inputs) {
        ew_unpack(weight, 2 * s->inputs, unpacked);
        for (int32_t row = 0; row < s->rows; row++) {
            int32_t sums[4];
            ew_lanes lanes;
            (void)ew_rows_sums_1(s->inputs, x + row * s->inputs, unpacked, bias + o, &lanes);
            ew_lanes_words(sums, lanes);
            for (int32_t i = 0; i < 4 && o + i < s->outputs; i++) {
                y[row * s->outputs + o + i] = (float)sums[i] * scale[o + i];
            }
        }
    }
}

#endif
