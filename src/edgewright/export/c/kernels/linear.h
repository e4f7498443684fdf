/* Products with a matrix: linear layers, and convolutions of one tap (pointwise), where each pixel is a row of x.
 *
 * x [rows][inputs], weight [outputs][inputs], bias [outputs] with -zero_point * sum(weight) in it, y [rows][outputs].
 */
#ifndef EW_LINEAR_H
#define EW_LINEAR_H

#include "dot.h"

typedef struct {
    int32_t rows, inputs, outputs;
    int32_t high_word; /* 1 where `ew_scale_high` holds for all sums */
    int32_t packed; /* 1 where two weights share a byte */
    ew_grid out;
} ew_linear_sizes;

EW_INLINE void ew_linear(const ew_linear_sizes *s, const int8_t *x, const int8_t *weight, const int32_t *bias,
                         const int32_t *mantissa, const int8_t *shift, int8_t *y)
{
    for (int32_t row = 0; row < s->rows; row++) {
        int32_t o = 0;
        for (; o + 4 <= s->outputs; o += 4) {
            ew_four sums = {bias[o], bias[o + 1], bias[o + 2], bias[o + 3]};
            ew_dot_four(x, ew_row_of(weight, o, s->inputs, s->packed), s->inputs, s->inputs, &sums);
            ew_requantize_four(&sums, mantissa + o, shift + o, s->high_word, &s->out, y + o);
        }
        for (; o < s->outputs; o++) {
            const int32_t sum = ew_dot(x, ew_row_of(weight, o, s->inputs, s->packed), s->inputs, bias[o]);
            y[o] = ew_requantize(sum, mantissa[o], shift[o], s->high_word, &s->out);
        }
        x += s->inputs;
        y += s->outputs;
    }
}

#endif
