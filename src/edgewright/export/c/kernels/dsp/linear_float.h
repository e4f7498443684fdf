/* Linear layer whose results leave as numbers, four outputs at a time; layouts are those of linear_float.h. */
#ifndef EW_DSP_LINEAR_FLOAT_H
#define EW_DSP_LINEAR_FLOAT_H

#include "dot_four.h"

typedef struct {
    int32_t rows, inputs, outputs; /* four inputs and outputs, or more */
    int32_t packed; /* 1 where two weights share a byte */
} ew_dsp_linear_float_sizes;

EW_INLINE void ew_dsp_linear_float(const ew_dsp_linear_float_sizes *s, const int8_t *x, const int8_t *weight,
                                   const int32_t *bias, const float *scale, float *y)
{
    for (int32_t row = 0; row < s->rows; row++, x += s->inputs, y += s->outputs) {
        for (int32_t next = 0; next < s->outputs; next += 4) {
            const int32_t o = next + 4 <= s->outputs ? next : s->outputs - 4; /* the last four may be made again */
            const ew_four sums = ew_dot_four_rows(x, weight, o, s->inputs, s->packed, bias + o);
            y[o] = (float)sums.a * scale[o];
            y[o + 1] = (float)sums.b * scale[o + 1];
            y[o + 2] = (float)sums.c * scale[o + 2];
            y[o + 3] = (float)sums.d * scale[o + 3];
        }
    }
}

#endif
