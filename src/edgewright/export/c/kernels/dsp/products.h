/* Products of three columns with two rows of weights at a time: the inner loop of convolutions.
 *
 * A column holds the `count` codes of one window as pairs: of four codes the even ones, then the odd ones. Three columns
 * lie interleaved, six words for each four codes. Weights are plain rows of `count` codes, taken apart in the same way
 * on the way. Where `count` is no multiple of four the last four codes begin before the end of those ahead of them, and
 * what both hold is 0 in the second.
 */
#ifndef EW_DSP_PRODUCTS_H
#define EW_DSP_PRODUCTS_H

#include "dot_six_packed.h"
#include "requantize.h"

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

/* One output channel of three columns. */
EW_INLINE void ew_three_codes(int32_t first, int32_t second, int32_t third, ew_channel channel, const ew_end *end,
                              int8_t *const y[EW_COLUMNS], int32_t o)
{
    y[0][o] = ew_code_of(first, channel, end);
    y[1][o] = ew_code_of(second, channel, end);
    y[2][o] = ew_code_of(third, channel, end);
}

/* All output channels of three columns: codes [outputs] at each of y, of which some may be the same. Multipliers are
 * read behind the sums, which leave no register free.
 */
EW_INLINE void ew_three_pixels(const int32_t *columns, int32_t count, int32_t outputs, int32_t packed,
                               const ew_end *end, const int8_t *weight, const int32_t *bias,
                               const int32_t *mantissa, const int8_t *shift, int8_t *const y[EW_COLUMNS])
{
    for (int32_t next = 0; next < outputs; next += 2) {
        const int32_t o = next + 2 <= outputs ? next : outputs - 2; /* an odd last channel is made beside the one ahead */
        const ew_six sums = packed ? ew_dot_six_packed(columns, weight + o * ew_packed_row(count), count, bias + o)
                                   : ew_dot_six(columns, weight + o * count, count, count, bias + o);
        ew_three_codes(sums.a0, sums.a1, sums.a2, ew_channel_of(mantissa[o], shift[o], end), end, y, o);
        ew_three_codes(sums.b0, sums.b1, sums.b2, ew_channel_of(mantissa[o + 1], shift[o + 1], end), end, y, o + 1);
    }
}

#endif
