/* Product of two tensors: int32, requantized once. */
#ifndef EW_HELIUM_MUL_H
#define EW_HELIUM_MUL_H

#include "pairs.h"

typedef struct {
    ew_pair pair;
    int32_t a_zero_point, b_zero_point;
    int32_t mantissa, shift; /* shift to the left */
    ew_grid out;
} ew_helium_mul_sizes;

EW_INLINE ew_lanes ew_multiplied(const ew_helium_mul_sizes *s, ew_lanes a, ew_lanes b)
{
    const ew_lanes product = ew_lanes_mul(ew_lanes_add_n(a, -s->a_zero_point), ew_lanes_add_n(b, -s->b_zero_point));
    return ew_lanes_requantize_n(product, s->mantissa, s->shift, s->shift < 0, &s->out);
}

EW_INLINE void ew_helium_mul(const ew_helium_mul_sizes *s, const int8_t *a, const int8_t *b, int8_t *y)
{
    EW_EACH_PAIR(&s->pair, a, b, y, ew_multiplied(s, first, second));
}

#endif
