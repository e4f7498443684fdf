/* Leaky ReLU: one multiplier for each side of 0. */
#ifndef EW_LEAKY_RELU_H
#define EW_LEAKY_RELU_H

#include "numbers.h"

typedef struct {
    int32_t count, zero_point;
    int32_t mantissa, shift;             /* of 0 and above */
    int32_t below_mantissa, below_shift; /* of the rest */
    ew_grid out;
} ew_leaky_relu_sizes;

EW_INLINE void ew_leaky_relu(const ew_leaky_relu_sizes *s, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < s->count; i++) {
        const int32_t centered = x[i] - s->zero_point;
        y[i] = centered >= 0
                   ? ew_requantize(centered, s->mantissa, s->shift, s->shift >= 2, &s->out)
                   : ew_requantize(centered, s->below_mantissa, s->below_shift, s->below_shift >= 2, &s->out);
    }
}

#endif
