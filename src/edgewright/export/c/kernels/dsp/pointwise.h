/* Convolution of one tap, stride 1, three pixels at a time: x [rows][inputs], weight [outputs][inputs],
 * y [rows][outputs]; scratch holds three columns. All three are read before any of them is written.
 */
#ifndef EW_DSP_POINTWISE_H
#define EW_DSP_POINTWISE_H

#include "products.h"

typedef struct {
    int32_t rows, inputs, outputs;
    int32_t packed; /* 1 where two weights share a byte */
    ew_end end;
} ew_dsp_pointwise_sizes;

EW_INLINE void ew_dsp_pointwise(const ew_dsp_pointwise_sizes *s, const int8_t *x, const int8_t *weight,
                                const int32_t *bias, const int32_t *mantissa, const int8_t *shift, int8_t *scratch,
                                int8_t *y)
{
    int32_t *columns = (int32_t *)(void *)scratch;
    for (int32_t row = 0; row < s->rows; row += EW_COLUMNS) {
        int8_t *out[EW_COLUMNS];
        for (int32_t i = 0; i < EW_COLUMNS; i++) {
            const int32_t pixel = row + i < s->rows ? row + i : s->rows - 1; /* the last one again beyond the end */
            ew_expand_all(x + pixel * s->inputs, s->inputs, columns + 2 * i);
            out[i] = y + pixel * s->outputs;
        }
        ew_three_pixels(columns, s->inputs, s->outputs, s->packed, &s->end, weight, bias, mantissa, shift, out);
    }
}

#endif
