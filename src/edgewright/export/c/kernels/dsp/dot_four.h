/* Four rows of weights with one row of codes: the inner loop of linear layers. */
#ifndef EW_DSP_DOT_FOUR_H
#define EW_DSP_DOT_FOUR_H

#include "../dot.h"
#include "simd.h"

/* Four codes of all rows. */
EW_INLINE void ew_four_of_four(int32_t codes, const int8_t *weight, int32_t step, ew_four *sums)
{
    const int32_t even = ew_even(codes), odd = ew_odd(codes);
    int32_t w = ew_four_codes(weight);
    sums->a = ew_smlad(ew_odd(w), odd, ew_smlad(ew_even(w), even, sums->a));
    w = ew_four_codes(weight + step);
    sums->b = ew_smlad(ew_odd(w), odd, ew_smlad(ew_even(w), even, sums->b));
    w = ew_four_codes(weight + 2 * step);
    sums->c = ew_smlad(ew_odd(w), odd, ew_smlad(ew_even(w), even, sums->c));
    w = ew_four_codes(weight + 3 * step);
    sums->d = ew_smlad(ew_odd(w), odd, ew_smlad(ew_even(w), even, sums->d));
}

/* Rows of `count` codes, four or more, one behind the other; the last four begin before the end of those ahead. */
EW_INLINE ew_four ew_dot_four_rows(const int8_t *x, const int8_t *weight, int32_t count, const int32_t *bias)
{
    const int32_t rest = count % 4;
    ew_four sums = {bias[0], bias[1], bias[2], bias[3]};
#if defined(__GNUC__)
#pragma GCC unroll 4 /* pointers go to the stack and back in every turn */
#endif
    for (int32_t i = 0; i < count - rest; i += 4) {
        ew_four_of_four(ew_four_codes(x + i), weight + i, count, &sums);
    }
    if (rest > 0) {
        const uint32_t codes = (uint32_t)ew_four_codes(x + count - 4) & (0xFFFFFFFFu << (8 * (4 - rest)));
        ew_four_of_four((int32_t)codes, weight + count - 4, count, &sums);
    }
    return sums;
}

#endif
