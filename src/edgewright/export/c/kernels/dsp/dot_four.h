/* Four rows of weights with one row of codes: the inner loop of linear layers. */
#ifndef EW_DSP_DOT_FOUR_H
#define EW_DSP_DOT_FOUR_H

#include "../dot.h"
#include "packed.h"

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
EW_INLINE ew_four ew_dot_plain_rows(const int8_t *x, const int8_t *weight, int32_t count, const int32_t *bias)
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

/* The codes i to i + 3 of a row of `count`; from those beyond its end on the last four, less what came before. */
EW_INLINE int32_t ew_four_or_last(const int8_t *x, int32_t i, int32_t count)
{
    if (i + 4 <= count) {
        return ew_four_codes(x + i);
    }
    return i < count ? (int32_t)((uint32_t)ew_four_codes(x + count - 4) & (0xFFFFFFFFu << (8 * (i + 4 - count)))) : 0;
}

/* Eight codes of one packed row: 16 times their products. */
EW_INLINE int32_t ew_eight_of_row(int32_t low, int32_t high, const int8_t *weight, int32_t sum)
{
    const int32_t word = ew_four_codes(weight), lower = ew_lower_halves(word), upper = ew_upper_halves(word);
    sum = ew_smlad(ew_odd(lower), ew_odd(low), ew_smlad(ew_even(lower), ew_even(low), sum));
    return ew_smlad(ew_odd(upper), ew_odd(high), ew_smlad(ew_even(upper), ew_even(high), sum));
}

/* The same of packed rows. */
EW_INLINE ew_four ew_dot_packed_rows(const int8_t *x, const int8_t *weight, int32_t count, const int32_t *bias)
{
    const int32_t step = ew_packed_row(count);
    ew_four sums = {0, 0, 0, 0};
    for (int32_t i = 0; i < count; i += 8, weight += 4) {
        const int32_t low = ew_four_or_last(x, i, count), high = ew_four_or_last(x, i + 4, count);
        sums.a = ew_eight_of_row(low, high, weight, sums.a);
        sums.b = ew_eight_of_row(low, high, weight + step, sums.b);
        sums.c = ew_eight_of_row(low, high, weight + 2 * step, sums.c);
        sums.d = ew_eight_of_row(low, high, weight + 3 * step, sums.d);
    }
    sums.a = ew_plus(bias[0], sums.a >> 4);
    sums.b = ew_plus(bias[1], sums.b >> 4);
    sums.c = ew_plus(bias[2], sums.c >> 4);
    sums.d = ew_plus(bias[3], sums.d >> 4);
    return sums;
}

/* The rows of four outputs from `o` on. */
EW_INLINE ew_four ew_dot_four_rows(const int8_t *x, const int8_t *weight, int32_t o, int32_t count, int32_t packed,
                                   const int32_t *bias)
{
    return packed ? ew_dot_packed_rows(x, weight + o * ew_packed_row(count), count, bias)
                  : ew_dot_plain_rows(x, weight + o * count, count, bias);
}

#endif
