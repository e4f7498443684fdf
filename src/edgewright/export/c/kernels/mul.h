/* Product of two tensors: int32, requantized once. */
#ifndef EW_MUL_H
#define EW_MUL_H

#include "pair.h"

typedef struct {
    ew_pair pair;
    int32_t a_zero_point, b_zero_point;
    int32_t mantissa, shift;
    ew_grid out;
} ew_mul_sizes;

EW_INLINE void ew_mul(const ew_mul_sizes *s, const int8_t *a, const int8_t *b, int8_t *y)
{
    const ew_pair *p = &s->pair;
    for (int32_t i = 0; i < p->outer; i++) {
        for (int32_t j = 0; j < p->middle; j++) {
            for (int32_t k = 0; k < p->inner; k++) {
                const int32_t first = a[ew_first(p, i, j, k)] - s->a_zero_point;
                const int32_t second = b[ew_second(p, i, j, k)] - s->b_zero_point;
                *y++ = ew_requantize(first * second, s->mantissa, s->shift, s->shift >= 2, &s->out);
            }
        }
    }
}

#endif
