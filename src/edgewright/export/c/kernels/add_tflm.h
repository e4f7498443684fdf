/* Sum or difference of two tensors as TensorFlow Lite Micro forms it: both terms are raised by 20 bits, brought to one
 * scale, added, and brought to the scale of the output; three roundings of the kind in numbers.h.
 */
#ifndef EW_ADD_TFLM_H
#define EW_ADD_TFLM_H

#include "pair.h"

typedef struct {
    ew_pair pair;
    int32_t a_zero_point, b_zero_point;
    int32_t a_mantissa, a_shift, b_mantissa, b_shift; /* scale over twice the larger scale */
    int32_t sign;                                     /* 1, or -1 for a difference */
    int32_t mantissa, shift;                          /* of the sum */
    ew_grid out;
} ew_add_tflm_sizes;

EW_INLINE void ew_add_tflm(const ew_add_tflm_sizes *s, const int8_t *a, const int8_t *b, int8_t *y)
{
    const ew_pair *p = &s->pair;
    const int32_t raise = (int32_t)1 << 20;
    for (int32_t i = 0; i < p->outer; i++) {
        for (int32_t j = 0; j < p->middle; j++) {
            for (int32_t k = 0; k < p->inner; k++) {
                const int32_t first = (a[ew_first(p, i, j, k)] - s->a_zero_point) * raise;
                const int32_t second = (b[ew_second(p, i, j, k)] - s->b_zero_point) * raise;
                const int32_t sum = (int32_t)ew_scale(first, s->a_mantissa, s->a_shift)
                                    + s->sign * (int32_t)ew_scale(second, s->b_mantissa, s->b_shift);
                *y++ = ew_requantize(sum, s->mantissa, s->shift, s->shift >= 2, &s->out);
            }
        }
    }
}

#endif
