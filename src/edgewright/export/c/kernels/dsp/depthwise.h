/* Convolution of each channel by itself with 3x3 taps, four channels at a time; layouts are those of depthwise.h.
 *
 * What `band` rows of the output read of four channels lies in scratch as pairs of neighbouring columns, plane by plane,
 * with the zero point beside the map. Where the output `stays` in the place of its input, or lies apart from it, all
 * bands of four channels are made before the next four, and rows that the next band reads too are kept; else all
 * channels of a band are made before the next band.
 */
#ifndef EW_DSP_DEPTHWISE_H
#define EW_DSP_DEPTHWISE_H

#include "../nibbles.h"
#include "../window.h"
#include "nine_taps.h"

typedef struct {
    ew_window window; /* 3 x 3, no dilation, columns in steps of 1 or 2 */
    int32_t channels; /* a multiple of four */
    int32_t zero_point; /* of x: the code of every tap beside the map */
    int32_t band, stays;
    int32_t packed; /* 1 where two weights share a byte */
    ew_end end;
} ew_dsp_depthwise_sizes;

/* Pairs of columns in a row: those that the last output reads, too. */
EW_INLINE int32_t ew_pairs_in_row(const ew_dsp_depthwise_sizes *s)
{
    return s->window.column_stride == 1 ? (s->window.out_columns + 1) / 2 + 1 : s->window.out_columns + 1;
}

/* Words of one channel's rows. */
EW_INLINE int32_t ew_plane(const ew_dsp_depthwise_sizes *s)
{
    return ((s->band - 1) * s->window.row_stride + 3) * ew_pairs_in_row(s);
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

/* Four channels of one row of the padded map. */
EW_INLINE void ew_row_of_pairs(const ew_dsp_depthwise_sizes *s, int32_t row, const int8_t *x, int32_t *to)
{
    const ew_window *w = &s->window;
    const int32_t count = ew_pairs_in_row(s), step = ew_plane(s);
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

/* The weights of channel `c`. */
EW_INLINE ew_nine ew_taps_of_channel(const ew_dsp_depthwise_sizes *s, const int8_t *weight, int32_t c)
{
    const int8_t *first = weight + c, *middle = first + s->channels, *last = middle + s->channels;
    const int32_t down = 3 * s->channels;
    const ew_nine taps = {
        ew_lows(first[0], middle[0]), ew_lows(middle[0], last[0]), ew_lows(first[down], middle[down]),
        ew_lows(middle[down], last[down]), ew_lows(first[2 * down], middle[2 * down]),
        ew_lows(middle[2 * down], last[2 * down])};
    return taps;
}

EW_INLINE ew_nine ew_packed_taps_of_channel(const ew_dsp_depthwise_sizes *s, const int8_t *weight, int32_t c)
{
    int32_t w[9];
    for (int32_t i = 0; i < 9; i++) {
        w[i] = ew_code_at(weight, i * s->channels + c, 1);
    }
    const ew_nine taps = {ew_lows(w[0], w[1]), ew_lows(w[1], w[2]), ew_lows(w[3], w[4]),
                          ew_lows(w[4], w[5]), ew_lows(w[6], w[7]), ew_lows(w[7], w[8])};
    return taps;
}

/* One channel of a band; `rows` are its pairs. */
EW_INLINE void ew_depthwise_band(const ew_dsp_depthwise_sizes *s, int32_t num_rows, const int32_t *rows,
                                 const int8_t *weight, int32_t c, int32_t bias, ew_channel channel, int8_t *y)
{
    const int32_t pitch = ew_pairs_in_row(s), out_pitch = s->window.out_columns * s->channels;
    const ew_nine taps = s->packed ? ew_packed_taps_of_channel(s, weight, c) : ew_taps_of_channel(s, weight, c);
    for (int32_t row = 0; row < num_rows; row++, rows += s->window.row_stride * pitch, y += out_pitch) {
        if (s->window.column_stride == 1) {
            ew_nine_taps(rows, pitch, &taps, bias, channel, &s->end, s->window.out_columns, s->channels, y);
        } else {
            ew_nine_taps_apart(rows, pitch, &taps, bias, channel, &s->end, s->window.out_columns, s->channels, y);
        }
    }
}

/* Four channels, from `c` on, of a band whose first `kept` rows of pairs are those at the end of the band before. */
EW_INLINE void ew_depthwise_four(const ew_dsp_depthwise_sizes *s, int32_t band, int32_t kept, int32_t c,
                                 const int8_t *x, const int8_t *weight, const int32_t *bias, const int32_t *mantissa,
                                 const int8_t *shift, int32_t *rows, int8_t *y)
{
    const ew_window *w = &s->window;
    const int32_t pitch = ew_pairs_in_row(s), step = ew_plane(s), left = w->out_rows - band;
    const int32_t num_rows = left < s->band ? left : s->band, count = (num_rows - 1) * w->row_stride + 3;
    for (int32_t i = 0; i < 4; i++) {
        for (int32_t j = 0; j < kept; j++) {
            int32_t *to = rows + i * step + j * pitch;
            memcpy(to, to + s->band * w->row_stride * pitch, 4u * (uint32_t)pitch);
        }
    }
    for (int32_t i = kept; i < count; i++) {
        ew_row_of_pairs(s, band * w->row_stride + i, x + c, rows + i * pitch);
    }
    for (int32_t i = c; i < c + 4; i++) {
        ew_depthwise_band(s, num_rows, rows + (i - c) * step, weight, i, bias[i],
                          ew_channel_of(mantissa[i], shift[i], &s->end),
                          y + band * w->out_columns * s->channels + i);
    }
}

EW_INLINE void ew_dsp_depthwise(const ew_dsp_depthwise_sizes *s, const int8_t *x, const int8_t *weight,
                                const int32_t *bias, const int32_t *mantissa, const int8_t *shift, int8_t *scratch,
                                int8_t *y)
{
    const int32_t bands = (s->window.out_rows + s->band - 1) / s->band, fours = s->channels / 4;
    const int32_t same = s->window.row_stride < 3 ? 3 - s->window.row_stride : 0; /* rows of two bands */
    int32_t *rows = (int32_t *)(void *)scratch;
    for (int32_t i = 0; i < (s->stays ? fours : bands); i++) {
        for (int32_t j = 0; j < (s->stays ? bands : fours); j++) {
            const int32_t band = s->band * (s->stays ? j : i), kept = s->stays && j > 0 ? same : 0;
            ew_depthwise_four(s, band, kept, 4 * (s->stays ? i : j), x, weight, bias, mantissa, shift, rows, y);
        }
    }
}

#endif
