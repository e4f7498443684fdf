/* Linear layer whose results leave as numbers: y = sum * scale, one product of two floats.
 *
 * x [rows][inputs], weight [outputs][inputs], bias [outputs] with -zero_point * sum(weight) in it, scale [outputs].
 */
#ifndef EW_LINEAR_FLOAT_H
#define EW_LINEAR_FLOAT_H

#include "dot.h"

typedef struct {
    int32_t rows, inputs, outputs;
    int32_t packed; /* 1 where two weights share a byte */
} ew_linear_float_sizes;

EW_INLINE void ew_linear_float(const ew_linear_float_sizes *s, const int8_t *x, const int8_t *weight,
                               const int32_t *bias, const float *scale, float *y)
{
    for (int32_t row = 0; row < s->rows; row++) {
        for (int32_t o = 0; o < s->outputs; o++) {
            const int32_t sum = ew_dot(x, ew_row_of(weight, o, s->inputs, s->packed), s->inputs, bias[o]);
            y[o] = (float)sum * scale[o];
        }
        x += s->inputs;
        y += s->outputs;
    }
}

#endif
