/* Linear layer, four outputs at a time: x [rows][inputs], weight [outputs][inputs], y [rows][outputs]. */
#ifndef EW_DSP_LINEAR_H
#define EW_DSP_LINEAR_H

#include "dot_four.h"
#include "requantize.h"

typedef struct {
    int32_t rows, inputs, outputs; /* four inputs and outputs, or more */
    int32_t packed; /* 1 where two weights share a byte */
    ew_end end;
} ew_dsp_linear_sizes;

EW_INLINE void ew_dsp_linear(const ew_dsp_linear_sizes *s, const int8_t *x, const int8_t *weight, const int32_t *bias,
                             const int32_t *mantissa, const int8_t *shift, int8_t *y)
{
    for (int32_t row = 0; row < s->rows; row++, x += s->inputs, y += s->outputs) {
        for (int32_t next = 0; next < s->outputs; next += 4) {
            const int32_t o = next + 4 <= s->outputs ? next : s->outputs - 4; /* the last four may be made again */
            const ew_four sums = ew_dot_four_rows(x, weight, o, s->inputs, s->packed, bias + o);
            y[o] = ew_code_of(sums.a, ew_channel_of(mantissa[o], shift[o], &s->end), &s->end);
            y[o + 1] = ew_code_of(sums.b, ew_channel_of(mantissa[o + 1], shift[o + 1], &s->end), &s->end);
            y[o + 2] = ew_code_of(sums.c, ew_channel_of(mantissa[o + 2], shift[o + 2], &s->end), &s->end);
            y[o + 3] = ew_code_of(sums.d, ew_channel_of(mantissa[o + 3], shift[o + 3], &s->end), &s->end);
        }
    }
}

#endif
