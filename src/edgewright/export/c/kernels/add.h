/* Sum of two tensors, or their difference (a negative factor): one fixed point for both, one rounding. */
#ifndef EW_ADD_H
#define EW_ADD_H

#include "pair.h"

typedef struct {
    ew_pair pair;
    int32_t a_zero_point, b_zero_point;
    int32_t a_factor, b_factor, shift; /* scale over scale of the output, in units of 2^-(31 + shift) */
    ew_grid out;
} ew_add_sizes;

EW_INLINE void ew_add(const ew_add_sizes *s, const int8_t *a, const int8_t *b, int8_t *y)
{
    const ew_pair *p = &s->pair;
    const int64_t half = (int64_t)1 << (30 + s->shift);
    for (int32_t i = 0; i < p->outer; i++) {
        for (int32_t j = 0; j < p->middle; j++) {
            for (int32_t k = 0; k < p->inner; k++) {
                const int64_t first = (int64_t)(a[ew_first(p, i, j, k)] - s->a_zero_point) * s->a_factor;
                const int64_t second = (int64_t)(b[ew_second(p, i, j, k)] - s->b_zero_point) * s->b_factor;
                *y++ = ew_saturate(((first + second + half) >> (31 + s->shift)) + s->out.zero_point, &s->out);
            }
        }
    }
}

#endif
