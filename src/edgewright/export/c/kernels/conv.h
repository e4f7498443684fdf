/* Convolution of any kernel, stride, padding, dilation and number of groups.
 *
 * x [rows][columns][channels], weight [out_channels][kernel_rows][kernel_columns][channels / groups],
 * bias [out_channels] with -zero_point * sum(weight) in it, y [out_rows][out_columns][out_channels].
 */
#ifndef EW_CONV_H
#define EW_CONV_H

#include "dot.h"
#include "window.h"

typedef struct {
    ew_window window;
    int32_t channels, out_channels, groups;
    int32_t zero_point; /* of x: the code of every tap beside the map */
    int32_t high_word;  /* 1 where `ew_scale_high` holds for all sums */
    int32_t packed; /* 1 where two weights share a byte */
    ew_grid out;
} ew_conv_sizes;

/* One window: its first pixel, the first channel of its group, and the taps that lie on the map. */
typedef struct {
    int32_t corner, channel;
    ew_taps rows, columns;
} ew_conv_place;

/* Where tap (row, column) of a window lies in x. */
EW_INLINE int32_t ew_conv_tap(const ew_conv_sizes *s, ew_conv_place p, int32_t row, int32_t column)
{
    const ew_window *w = &s->window;
    const int32_t pixel = p.corner + row * w->row_dilation * w->columns + column * w->column_dilation;
    return pixel * s->channels + p.channel;
}

EW_INLINE int32_t ew_conv_on_map(ew_conv_place p, int32_t row, int32_t column)
{
    return row >= p.rows.first && row < p.rows.end && column >= p.columns.first && column < p.columns.end;
}

/* Four output channels of a window. `inside`, a constant, drops every question about the border. */
EW_INLINE void ew_conv_four(const ew_conv_sizes *s, ew_conv_place p, int32_t inside, const int8_t *x,
                            ew_weights weight, ew_four *sums)
{
    const ew_window *w = &s->window;
    const int32_t run = s->channels / s->groups, step = w->kernel_rows * w->kernel_columns * run;
    for (int32_t row = 0; row < w->kernel_rows; row++) {
        const ew_weights taps = ew_from(weight, row * w->kernel_columns * run);
        if (inside && s->groups == 1 && w->column_dilation == 1) { /* the taps of a row lie side by side */
            ew_dot_four(x + ew_conv_tap(s, p, row, 0), taps, step, w->kernel_columns * run, sums);
            continue;
        }
        for (int32_t column = 0; column < w->kernel_columns; column++) {
            if (inside || ew_conv_on_map(p, row, column)) {
                ew_dot_four(x + ew_conv_tap(s, p, row, column), ew_from(taps, column * run), step, run, sums);
            } else {
                ew_dot_constant_four(s->zero_point, ew_from(taps, column * run), step, run, sums);
            }
        }
    }
}

EW_INLINE int32_t ew_conv_one(const ew_conv_sizes *s, ew_conv_place p, int32_t inside, const int8_t *x,
                              ew_weights weight, int32_t sum)
{
    const ew_window *w = &s->window;
    const int32_t run = s->channels / s->groups;
    for (int32_t row = 0; row < w->kernel_rows; row++) {
        for (int32_t column = 0; column < w->kernel_columns; column++) {
            const ew_weights tap = ew_from(weight, (row * w->kernel_columns + column) * run);
            if (inside || ew_conv_on_map(p, row, column)) {
                sum = ew_dot(x + ew_conv_tap(s, p, row, column), tap, run, sum);
            } else {
                sum = ew_dot_constant(s->zero_point, tap, run, sum);
            }
        }
    }
    return sum;
}

/* All output channels of one window. */
EW_INLINE void ew_conv_pixel(const ew_conv_sizes *s, ew_conv_place p, int32_t inside, const int8_t *x,
                             const int8_t *weight, const int32_t *bias, const int32_t *mantissa, const int8_t *shift,
                             int8_t *y)
{
    const int32_t run = s->channels / s->groups, outputs = s->out_channels / s->groups;
    const int32_t step = s->window.kernel_rows * s->window.kernel_columns * run;
    for (int32_t group = 0; group < s->groups; group++) {
        int32_t o = group * outputs;
        p.channel = group * run;
        for (; o + 4 <= (group + 1) * outputs; o += 4) {
            ew_four sums = {bias[o], bias[o + 1], bias[o + 2], bias[o + 3]};
            ew_conv_four(s, p, inside, x, ew_row_of(weight, o, step, s->packed), &sums);
            ew_requantize_four(&sums, mantissa + o, shift + o, s->high_word, &s->out, y + o);
        }
        for (; o < (group + 1) * outputs; o++) {
            const int32_t sum = ew_conv_one(s, p, inside, x, ew_row_of(weight, o, step, s->packed), bias[o]);
            y[o] = ew_requantize(sum, mantissa[o], shift[o], s->high_word, &s->out);
        }
    }
}

EW_INLINE void ew_conv(const ew_conv_sizes *s, const int8_t *x, const int8_t *weight, const int32_t *bias,
                       const int32_t *mantissa, const int8_t *shift, int8_t *y)
{
    const ew_window *w = &s->window;
    for (int32_t row = 0; row < w->out_rows; row++) {
        for (int32_t column = 0; column < w->out_columns; column++) {
            const ew_conv_place place = {ew_corner(w, row, column), 0, ew_taps_of_row(w, row),
                                         ew_taps_of_column(w, column)};
            if (ew_row_inside(w, row) && ew_column_inside(w, column)) {
                ew_conv_pixel(s, place, 1, x, weight, bias, mantissa, shift, y);
            } else {
                ew_conv_pixel(s, place, 0, x, weight, bias, mantissa, shift, y);
            }
            y += s->out_channels;
        }
    }
}

#endif
