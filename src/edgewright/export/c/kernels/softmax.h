/* Softmax along the middle axis of x [outer][count][inner], in units of 2^-30.
 *
 * table [d] = 2^30 * exp(-scale * d) for every difference d of a code to the largest.
 */
#ifndef EW_SOFTMAX_H
#define EW_SOFTMAX_H

#include "numbers.h"

typedef struct {
    int32_t outer, count, inner;
    int32_t mantissa, shift;
    ew_grid out;
} ew_softmax_sizes;

EW_INLINE void ew_softmax_one(const ew_softmax_sizes *s, const int8_t *x, const int32_t *table, int8_t *y)
{
    int32_t largest = INT8_MIN;
    int64_t total = 0;
    for (int32_t k = 0; k < s->count; k++) {
        largest = x[k * s->inner] > largest ? x[k * s->inner] : largest;
    }
    for (int32_t k = 0; k < s->count; k++) {
        total += table[largest - x[k * s->inner]];
    }
    for (int32_t k = 0; k < s->count; k++) {
        const int64_t part = (int64_t)table[largest - x[k * s->inner]] * ((int64_t)1 << 30);
        const int32_t share = (int32_t)((part + total / 2) / total);
        y[k * s->inner] = ew_requantize(share, s->mantissa, s->shift, s->shift >= 2, &s->out);
    }
}

EW_INLINE void ew_softmax(const ew_softmax_sizes *s, const int8_t *x, const int32_t *table, int8_t *y)
{
    for (int32_t i = 0; i < s->outer; i++) {
        for (int32_t j = 0; j < s->inner; j++) {
            const int32_t first = i * s->count * s->inner + j;
            ew_softmax_one(s, x + first, table, y + first);
        }
    }
}

#endif
