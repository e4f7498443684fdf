/* Products of three columns with two rows of weights at a time: the inner loop of convolutions.
 *
 * A column holds the `count` codes of one window as pairs: of four codes the even ones, then the odd ones. Three columns
 * lie interleaved, six words for each four codes. Weights are plain rows of `count` codes, taken apart in the same way
 * on the way. Where `count` is no multiple of four the last four codes begin before the end of those ahead of them, and
 * what both hold is 0 in the second.
 */
#ifndef EW_DSP_PRODUCTS_H
#define EW_DSP_PRODUCTS_H

#include "requantize.h"

enum { EW_COLUMNS = 3, EW_WORDS = 2 * EW_COLUMNS }; /* words for each four codes */

/* Sums of two output channels (rows of weights) for each of three columns. */
typedef struct {
    int32_t a0, a1, a2, b0, b1, b2;
} ew_six;

/* Codes that lie side by side, `count` a multiple of four, into one of the three columns; where it goes on. */
EW_INLINE int32_t *ew_expand(const int8_t *codes, int32_t count, int32_t *column)
{
    for (int32_t i = 0; i < count; i += 4, column += EW_WORDS) {
        const int32_t word = ew_four_codes(codes + i);
        column[0] = ew_even(word);
        column[1] = ew_odd(word);
    }
    return column;
}

/* The same of any count from four on, all of a column. */
EW_INLINE void ew_expand_all(const int8_t *codes, int32_t count, int32_t *column)
{
    const int32_t rest = count % 4;
    column = ew_expand(codes, count - rest, column);
    if (rest > 0) {
        const uint32_t word = (uint32_t)ew_four_codes(codes + count - 4) & (0xFFFFFFFFu << (8 * (4 - rest)));
        column[0] = ew_even((int32_t)word);
        column[1] = ew_odd((int32_t)word);
    }
}

/* Four codes of both rows of weights with those of the columns. */
EW_INLINE void ew_four_of_six(const int32_t *columns, const int8_t *first, const int8_t *second, ew_six *sums)
{
    const int32_t a = ew_four_codes(first), b = ew_four_codes(second);
    const int32_t a_even = ew_even(a), a_odd = ew_odd(a), b_even = ew_even(b), b_odd = ew_odd(b);
    sums->a0 = ew_smlad(a_odd, columns[1], ew_smlad(a_even, columns[0], sums->a0));
    sums->b0 = ew_smlad(b_odd, columns[1], ew_smlad(b_even, columns[0], sums->b0));
    sums->a1 = ew_smlad(a_odd, columns[3], ew_smlad(a_even, columns[2], sums->a1));
    sums->b1 = ew_smlad(b_odd, columns[3], ew_smlad(b_even, columns[2], sums->b1));
    sums->a2 = ew_smlad(a_odd, columns[5], ew_smlad(a_even, columns[4], sums->a2));
    sums->b2 = ew_smlad(b_odd, columns[5], ew_smlad(b_even, columns[4], sums->b2));
}

EW_INLINE void ew_dot_six(const int32_t *columns, const int8_t *weight, int32_t step, int32_t count, ew_six *sums)
{
    for (int32_t i = 0; i + 4 <= count; i += 4, columns += EW_WORDS) {
        ew_four_of_six(columns, weight + i, weight + step + i, sums);
    }
    if (count % 4 > 0) {
        ew_four_of_six(columns, weight + count - 4, weight + step + count - 4, sums);
    }
}

/* All output channels of three columns: codes [outputs] at each of y0, y1 and y2, of which some may be the same. */
EW_INLINE void ew_three_pixels(const int32_t *columns, int32_t count, int32_t outputs, const ew_end *end,
                               const int8_t *weight, const int32_t *bias, const int32_t *mantissa,
                               const int8_t *shift, int8_t *const y[EW_COLUMNS])
{
    int8_t *const y0 = y[0], *const y1 = y[1], *const y2 = y[2];
    for (int32_t next = 0; next < outputs; next += 2) {
        const int32_t o = next + 2 <= outputs ? next : outputs - 2; /* an odd last channel is made beside the one ahead */
        const ew_channel a = ew_channel_of(mantissa[o], shift[o], end);
        const ew_channel b = ew_channel_of(mantissa[o + 1], shift[o + 1], end);
        ew_six sums = {bias[o], bias[o], bias[o], bias[o + 1], bias[o + 1], bias[o + 1]};
        ew_dot_six(columns, weight + o * count, count, count, &sums);
        y0[o] = ew_code_of(sums.a0, a, end);
        y1[o] = ew_code_of(sums.a1, a, end);
        y2[o] = ew_code_of(sums.a2, a, end);
        y0[o + 1] = ew_code_of(sums.b0, b, end);
        y1[o + 1] = ew_code_of(sums.b1, b, end);
        y2[o + 1] = ew_code_of(sums.b2, b, end);
    }
}

#endif
