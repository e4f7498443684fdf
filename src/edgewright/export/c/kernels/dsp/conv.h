/* Convolution of one group, three windows at a time; scratch holds their columns, and behind these one window's codes.
 *
 * Layouts are those of conv.h. A tap beside the map is the zero point in the column, so that no question about the border
 * is left where the products are. All three windows are read before any of their pixels is written.
 */
#ifndef EW_DSP_CONV_H
#define EW_DSP_CONV_H

#include "../window.h"
#include "products.h"

typedef struct {
    ew_window window;
    int32_t channels, out_channels;
    int32_t zero_point; /* of x: the code of every tap beside the map */
    int32_t packed; /* 1 where two weights share a byte */
    ew_end end;
} ew_dsp_conv_sizes;

/* `count` taps beside the map, a multiple of four codes. */
EW_INLINE int32_t *ew_beside(int32_t code, int32_t count, int32_t *column)
{
    const int32_t pair = ew_pair_of(code);
    for (int32_t i = 0; i < count; i += 4, column += EW_WORDS) {
        column[0] = pair;
        column[1] = pair;
    }
    return column;
}

/* A window whose taps are whole words: each goes into the column at once. */
EW_INLINE void ew_words_of_window(const ew_dsp_conv_sizes *s, int32_t row, int32_t column, const int8_t *x,
                                  int32_t *to)
{
    const ew_window *w = &s->window;
    const ew_taps rows = ew_taps_of_row(w, row), columns = ew_taps_of_column(w, column);
    const int32_t corner = ew_corner(w, row, column), run = s->channels;
    for (int32_t i = 0; i < w->kernel_rows; i++) {
        const int8_t *taps = x + (corner + i * w->row_dilation * w->columns) * run;
        if (i < rows.first || i >= rows.end) {
            to = ew_beside(s->zero_point, w->kernel_columns * run, to);
        } else {
            to = ew_beside(s->zero_point, columns.first * run, to);
            if (w->column_dilation == 1) {
                to = ew_expand(taps + columns.first * run, (columns.end - columns.first) * run, to);
            } else {
                for (int32_t j = columns.first; j < columns.end; j++) {
                    to = ew_expand(taps + j * w->column_dilation * run, run, to);
                }
            }
            to = ew_beside(s->zero_point, (w->kernel_columns - columns.end) * run, to);
        }
    }
}

/* A window of any number of channels, byte by byte. */
EW_INLINE void ew_bytes_of_window(const ew_dsp_conv_sizes *s, int32_t row, int32_t column, const int8_t *x,
                                  int8_t *to)
{
    const ew_window *w = &s->window;
    const ew_taps rows = ew_taps_of_row(w, row), columns = ew_taps_of_column(w, column);
    const int32_t corner = ew_corner(w, row, column), run = s->channels;
    for (int32_t i = 0; i < w->kernel_rows; i++, to += w->kernel_columns * run) {
        const int8_t *taps = x + (corner + i * w->row_dilation * w->columns) * run;
        const int32_t on_map = i >= rows.first && i < rows.end;
        if (on_map && w->column_dilation == 1 && columns.end - columns.first == w->kernel_columns) {
            memcpy(to, taps, (size_t)(w->kernel_columns * run));
            continue;
        }
        for (int32_t j = 0; j < w->kernel_columns; j++) {
            const int32_t inside = on_map && j >= columns.first && j < columns.end;
            for (int32_t c = 0; c < run; c++) {
                to[j * run + c] = inside ? taps[j * w->column_dilation * run + c] : (int8_t)s->zero_point;
            }
        }
    }
}

EW_INLINE void ew_dsp_conv(const ew_dsp_conv_sizes *s, const int8_t *x, const int8_t *weight, const int32_t *bias,
                           const int32_t *mantissa, const int8_t *shift, int8_t *scratch, int8_t *y)
{
    const ew_window *w = &s->window;
    const int32_t count = w->kernel_rows * w->kernel_columns * s->channels, pixels = w->out_rows * w->out_columns;
    int32_t *columns = (int32_t *)(void *)scratch;
    int8_t *codes = scratch + (count + 3) / 4 * EW_WORDS * 4;
    int32_t row = 0, column = 0;
    for (int32_t first = 0; first < pixels; first += EW_COLUMNS) {
        int8_t *out[EW_COLUMNS];
        for (int32_t i = 0; i < EW_COLUMNS; i++) {
            out[i] = y + (row * w->out_columns + column) * s->out_channels;
            if (s->channels % 4 == 0) {
                ew_words_of_window(s, row, column, x, columns + 2 * i);
            } else {
                ew_bytes_of_window(s, row, column, x, codes);
                ew_expand_all(codes, count, columns + 2 * i);
            }
            if (first + i < pixels - 1) { /* beyond the end the last one again */
                column = column + 1 < w->out_columns ? column + 1 : 0;
                row += column == 0;
            }
        }
        ew_three_pixels(columns, count, s->out_channels, s->packed, &s->end, weight, bias, mantissa, shift, out);
    }
}

#endif
