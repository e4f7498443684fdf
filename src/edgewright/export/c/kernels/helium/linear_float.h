/* Linear layer whose results leave as numbers: y = sum * scale, one product of two floats.
 *
 * x [rows][inputs], weight [outputs, in whole fours][inputs], bias [outputs, in whole fours], scale [outputs].
 */
#ifndef EW_HELIUM_LINEAR_FLOAT_H
#define EW_HELIUM_LINEAR_FLOAT_H

#include "rows.h"

typedef struct {
    int32_t rows, inputs, outputs;
} ew_helium_linear_float_sizes;

EW_INLINE void ew_helium_linear_float(const ew_helium_linear_float_sizes *s, const int8_t *x, const int8_t *weight,
                                      const int32_t *bias, const float *scale, float *y)
{
    for (int32_t row = 0; row < s->rows; row++) {
        const int8_t *next = weight;
        for (int32_t o = 0; o < s->outputs; o += 4) {
            int32_t sums[4];
            ew_lanes lanes;
            next = ew_rows_sums_1(s->inputs, x, next, bias + o, &lanes);
            ew_lanes_words(sums, lanes);
            for (int32_t i = 0; i < 4 && o + i < s->outputs; i++) {
                y[o + i] = (float)sums[i] * scale[o + i];
            }
        }
        x += s->inputs;
        y += s->outputs;
    }
}

#endif
