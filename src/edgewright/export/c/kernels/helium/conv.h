/* Convolution of one group with neighbouring columns: a strip of the map, in which every window is one run of codes.
 *
 * x [rows][columns][channels]. The strip holds [column][kernel_row][channel] for `block` output pixels of one row, the
 * code of 0 beside the map in it: each tap is copied once per kernel row, and windows overlap. weight
 * [out_channels, in whole fours][kernel_columns][kernel_rows][channels] and fours as in rows.h, y [out_rows]
 * [out_columns][out_channels].
 */
#ifndef EW_HELIUM_CONV_H
#define EW_HELIUM_CONV_H

#include "../window.h"
#include "copy.h"
#include "rows.h"

typedef struct {
    ew_window window;
    int32_t channels, block;
    int32_t zero_point; /* of x */
    int32_t few;        /* 1 where several columns are copied at once */
    ew_rows each;       /* a window's taps are its inputs */
    uint8_t places[16]; /* in the strip, of 16 codes side by side */
} ew_helium_conv_sizes;

/* One row of taps: `count` columns from `first` on, which may lie beside the map. */
EW_INLINE void ew_strip_row(const ew_helium_conv_sizes *s, const int8_t *x, int32_t row, int32_t first, int32_t count,
                            int8_t *strip)
{
    const ew_window *w = &s->window;
    const int32_t pitch = w->kernel_rows * s->channels;
    int32_t before = first < 0 ? -first : 0, behind = first + count > w->columns ? first + count - w->columns : 0;
    if (row < 0 || row >= w->rows || before >= count || behind >= count) {
        ew_spread_fill(strip, s->zero_point, count, s->channels, pitch);
        return;
    }
    ew_spread_fill(strip, s->zero_point, before, s->channels, pitch);
    ew_spread_codes(strip + before * pitch, x + (row * w->columns + first + before) * s->channels,
                    count - before - behind, s->channels, pitch, s->few, s->places);
    ew_spread_fill(strip + (count - behind) * pitch, s->zero_point, behind, s->channels, pitch);
}

/* All that `pixels` output pixels of a row read, from `column` on. */
EW_INLINE void ew_strip_of(const ew_helium_conv_sizes *s, const int8_t *x, int32_t row, int32_t column, int32_t pixels,
                           int8_t *strip)
{
    const ew_window *w = &s->window;
    const int32_t first = column * w->column_stride - w->left;
    const int32_t count = (pixels - 1) * w->column_stride + w->kernel_columns;
    for (int32_t k = 0; k < w->kernel_rows; k++) {
        ew_strip_row(s, x, row * w->row_stride - w->top + k * w->row_dilation, first, count, strip + k * s->channels);
    }
}

EW_INLINE void ew_helium_conv(const ew_helium_conv_sizes *s, const int8_t *x, const int8_t *weight,
                              const int32_t *fours, int8_t *strip, int8_t *y)
{
    const ew_window *w = &s->window;
    const int32_t pitch = w->kernel_rows * s->channels, step = w->column_stride * pitch;
    for (int32_t row = 0; row < w->out_rows; row++) {
        for (int32_t column = 0; column < w->out_columns; column += s->block) {
            const int32_t left = w->out_columns - column, pixels = left < s->block ? left : s->block;
            const int8_t *taps = strip;
            ew_strip_of(s, x, row, column, pixels, strip);
            for (int32_t pixel = 0; pixel + 2 <= pixels; pixel += 2) {
                ew_rows_2(&s->each, taps, taps + step, weight, fours, y);
                taps += 2 * step;
                y += 2 * s->each.outputs;
            }
            if (w->out_columns % 2 != 0 && pixels % 2 != 0) { /* blocks are even */
                ew_rows_1(&s->each, taps, weight, fours, y);
                y += s->each.outputs;
            }
        }
    }
}

#endif
