/* Softmax along the middle axis of x [outer][count][inner] as TensorFlow Lite Micro forms it, in fixed point.
 *
 * table [d] = exp(-scale * d) in units of 2^-31 for every difference d of a code to the largest; the sum is in units of
 * 2^-19, and it is divided by with three steps of Newton and Raphson.
 */
#ifndef EW_SOFTMAX_TFLM_H
#define EW_SOFTMAX_TFLM_H

#include "numbers.h"

typedef struct {
    int32_t outer, count, inner;
    ew_grid out; /* multiples of 1/256 */
} ew_softmax_tflm_sizes;

/* A positive number as (1 + part) * 2^bits: 1 / (1 + part) in units of 2^-31. */
EW_INLINE int32_t ew_reciprocal(int32_t number, int32_t *bits)
{
    int64_t x;
    *bits = 30;
    while (((number >> *bits) & 1) == 0) {
        *bits -= 1;
    }
    number = (int32_t)((uint32_t)number << (30 - *bits)); /* (1 + part) / 2 */
    x = 1515870810 + (int64_t)ew_high_product(number, -1010580540); /* (48 - 32 number) / 17, units of 2^-29 */
    for (int32_t step = 0; step < 3; step++) {
        const int32_t missing = ((int32_t)1 << 29) - ew_high_product(number, (int32_t)x);
        x += (int64_t)ew_high_product((int32_t)x, missing) * 4;
    }
    return x * 2 > INT32_MAX ? INT32_MAX : (int32_t)(x * 2);
}

EW_INLINE void ew_softmax_tflm_one(const ew_softmax_tflm_sizes *s, const int8_t *x, const int32_t *table, int8_t *y)
{
    int32_t largest = INT8_MIN, total = 0, bits, one;
    for (int32_t k = 0; k < s->count; k++) {
        largest = x[k * s->inner] > largest ? x[k * s->inner] : largest;
    }
    for (int32_t k = 0; k < s->count; k++) {
        total += (int32_t)ew_divide_by_power(table[largest - x[k * s->inner]], 12);
    }
    one = ew_reciprocal(total, &bits);
    for (int32_t k = 0; k < s->count; k++) {
        const int32_t share = ew_high_product(one, table[largest - x[k * s->inner]]);
        y[k * s->inner] = ew_saturate(ew_divide_by_power(share, bits + 4) + s->out.zero_point, &s->out);
    }
}

EW_INLINE void ew_softmax_tflm(const ew_softmax_tflm_sizes *s, const int8_t *x, const int32_t *table, int8_t *y)
{
    for (int32_t i = 0; i < s->outer; i++) {
        for (int32_t j = 0; j < s->inner; j++) {
            const int32_t first = i * s->count * s->inner + j;
            ew_softmax_tflm_one(s, x + first, table, y + first);
        }
    }
}

#endif
