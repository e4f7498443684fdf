/* Convolution of each channel by itself with 3x3 taps, four channels at a time; layouts are those of depthwise.h.
 *
 * Three rows of the map lie in scratch as pairs of neighbouring columns, one row of pairs per channel, and the zero
 * point beside the map. They make a ring: row i of the padded map lies in place i % 3, so that a step down reads only
 * the rows that are new; the weights turn instead of the rows. `band` rows of the output are made of four channels
 * before the next four: all rows where the output lies in the place of its input, or apart from it.
 */
#ifndef EW_DSP_DEPTHWISE_H
#define EW_DSP_DEPTHWISE_H

#include "../window.h"
#include "requantize.h"

typedef struct {
    ew_window window; /* 3 x 3, no dilation, columns in steps of 1 or 2 */
    int32_t channels; /* a multiple of four */
    int32_t zero_point; /* of x: the code of every tap beside the map */
    int32_t band;
    ew_end end;
} ew_dsp_depthwise_sizes;

enum { EW_TURNS = 10 }; /* words of a channel's weights: rows 0, 1, 2, 0, 1 of (w0, w1), (w1, w2) */

/* Pairs of columns in a row: those that the last output reads, too. */
EW_INLINE int32_t ew_pairs_in_row(const ew_dsp_depthwise_sizes *s)
{
    return s->window.column_stride == 1 ? (s->window.out_columns + 1) / 2 + 1 : s->window.out_columns + 1;
}

/* The weights of four channels. */
EW_INLINE void ew_turning_weights(const ew_dsp_depthwise_sizes *s, const int8_t *weight, int32_t *turns)
{
    for (int32_t row = 0; row < 5; row++) {
        const int8_t *taps = weight + row % 3 * 3 * s->channels;
        for (int32_t c = 0; c < 4; c++) {
            turns[c * EW_TURNS + 2 * row] = ew_lows(taps[c], taps[s->channels + c]);
            turns[c * EW_TURNS + 2 * row + 1] = ew_lows(taps[s->channels + c], taps[2 * s->channels + c]);
        }
    }
}

/* Four channels of two neighbouring columns, as a pair for each channel; `step` is from one channel's row to the next. */
EW_INLINE void ew_four_pairs(int32_t left, int32_t right, int32_t step, int32_t *to)
{
    const int32_t first = ew_lows(left, right), second = ew_highs(left, right);
    to[0] = ew_even(first);
    to[step] = ew_odd(first);
    to[2 * step] = ew_even(second);
    to[3 * step] = ew_odd(second);
}

EW_INLINE int32_t ew_column_or(const ew_dsp_depthwise_sizes *s, const int8_t *row, int32_t column, int32_t beside)
{
    const int32_t on_map = column >= 0 && column < s->window.columns;
    return on_map ? ew_four_codes(row + column * s->channels) : beside;
}

/* Four channels of one row of the padded map into its place in the ring. */
EW_INLINE void ew_row_of_pairs(const ew_dsp_depthwise_sizes *s, int32_t row, const int8_t *x, int32_t *to)
{
    const ew_window *w = &s->window;
    const int32_t count = ew_pairs_in_row(s), step = 3 * count;
    const int32_t beside = (int32_t)(((uint32_t)s->zero_point & 0xFFu) * 0x01010101u);
    const int32_t on_map = row >= w->top && row < w->top + w->rows;
    const int8_t *codes = x + (row - w->top) * w->columns * s->channels;
    const int32_t first = (w->left + 1) / 2, most = (w->left + w->columns) / 2, end = most < count ? most : count;
    int32_t i = 0;
    for (; i < (on_map ? first : count); i++) {
        const int32_t column = 2 * i - w->left;
        const int32_t left = on_map ? ew_column_or(s, codes, column, beside) : beside;
        ew_four_pairs(left, on_map ? ew_column_or(s, codes, column + 1, beside) : beside, step, to + i);
    }
    for (; i < end; i++) { /* both columns lie on the map */
        const int8_t *pixel = codes + (2 * i - w->left) * s->channels;
        ew_four_pairs(ew_four_codes(pixel), ew_four_codes(pixel + s->channels), step, to + i);
    }
    for (; i < count; i++) {
        const int32_t column = 2 * i - w->left;
        ew_four_pairs(ew_column_or(s, codes, column, beside), ew_column_or(s, codes, column + 1, beside), step, to + i);
    }
}

/* One channel of a row of the output; `rows` and `turned` are the ring's and the weights in the order of the ring. */
EW_INLINE void ew_depthwise_row(const ew_dsp_depthwise_sizes *s, const int32_t *rows, const int32_t *turned,
                                int32_t bias, ew_channel channel, int8_t *y)
{
    const int32_t a0 = turned[0], b0 = turned[1], a1 = turned[2], b1 = turned[3], a2 = turned[4], b2 = turned[5];
    const int32_t pitch = ew_pairs_in_row(s), stride = s->window.column_stride;
    for (int32_t column = 0; column < s->window.out_columns; column += stride == 1 ? 2 : 1, rows++) {
        const int32_t *r0 = rows, *r1 = rows + pitch, *r2 = rows + 2 * pitch;
        int32_t sum = ew_smlabt(r0[1], b0, ew_smlad(r0[0], a0, bias));
        sum = ew_smlabt(r1[1], b1, ew_smlad(r1[0], a1, sum));
        sum = ew_smlabt(r2[1], b2, ew_smlad(r2[0], a2, sum));
        y[column * s->channels] = ew_code_of(sum, channel, &s->end);
        if (stride == 1 && column + 1 < s->window.out_columns) {
            int32_t next = ew_smlabt(a0, r0[0], ew_smlad(r0[1], b0, bias));
            next = ew_smlabt(a1, r1[0], ew_smlad(r1[1], b1, next));
            next = ew_smlabt(a2, r2[0], ew_smlad(r2[1], b2, next));
            y[(column + 1) * s->channels] = ew_code_of(next, channel, &s->end);
        }
    }
}

EW_INLINE void ew_dsp_depthwise(const ew_dsp_depthwise_sizes *s, const int8_t *x, const int8_t *weight,
                                const int32_t *bias, const int32_t *mantissa, const int8_t *shift, int8_t *scratch,
                                int8_t *y)
{
    const ew_window *w = &s->window;
    const int32_t pitch = ew_pairs_in_row(s), stride = w->row_stride;
    int32_t *turns = (int32_t *)(void *)scratch, *rows = turns + 4 * EW_TURNS;
    for (int32_t band = 0; band < w->out_rows; band += s->band) {
        for (int32_t c = 0; c < s->channels; c += 4) {
            int32_t next = band * stride; /* row of the padded map that the ring gets next */
            ew_turning_weights(s, weight + c, turns);
            for (int32_t row = band; row < band + s->band && row < w->out_rows; row++) {
                const int32_t turn = (3 - row * stride % 3) % 3; /* the row of weights that meets place 0 */
                for (next = next < row * stride ? row * stride : next; next < row * stride + 3; next++) {
                    ew_row_of_pairs(s, next, x + c, rows + next % 3 * pitch);
                }
                for (int32_t i = 0; i < 4; i++) {
                    ew_depthwise_row(s, rows + 3 * pitch * i, turns + EW_TURNS * i + 2 * turn, bias[c + i],
                                     ew_channel_of(mantissa[c + i], shift[c + i], &s->end),
                                     y + row * w->out_columns * s->channels + c + i);
                }
            }
        }
    }
}

#endif
