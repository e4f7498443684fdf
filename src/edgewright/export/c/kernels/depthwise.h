/* Convolution of each channel by itself, without im2col: one output channel per input channel.
 *
 * x [rows][columns][channels], weight [kernel_rows][kernel_columns][channels], bias [channels] with
 * -zero_point * sum(weight) in it, y [out_rows][out_columns][channels].
 */
#ifndef EW_DEPTHWISE_H
#define EW_DEPTHWISE_H

#include "nibbles.h"
#include "window.h"

typedef struct {
    ew_window window;
    int32_t channels;
    int32_t zero_point; /* of x: the code of every tap beside the map */
    int32_t high_word;  /* 1 where `ew_scale_high` holds for all sums */
    int32_t packed; /* 1 where two weights share a byte */
    ew_grid out;
} ew_depthwise_sizes;

/* A window that lies on the map: nothing to ask. */
EW_INLINE int32_t ew_depthwise_inside(const ew_depthwise_sizes *s, const int8_t *x, const int8_t *weight, int32_t c,
                                      int32_t sum)
{
    const ew_window *w = &s->window;
    for (int32_t row = 0; row < w->kernel_rows; row++) {
        for (int32_t column = 0; column < w->kernel_columns; column++) {
            const int32_t pixel = row * w->row_dilation * w->columns + column * w->column_dilation;
            const int32_t code = x[pixel * s->channels];
            const int32_t place = (row * w->kernel_columns + column) * s->channels + c;
            sum = ew_plus(sum, code * ew_code_at(weight, place, s->packed));
        }
    }
    return sum;
}

/* A window over the border; `first` is where its tap (0, 0) would lie in x. */
EW_INLINE int32_t ew_depthwise_border(const ew_depthwise_sizes *s, ew_taps rows, ew_taps columns, int32_t first,
                                      const int8_t *x, const int8_t *weight, int32_t c, int32_t sum)
{
    const ew_window *w = &s->window;
    for (int32_t row = 0; row < w->kernel_rows; row++) {
        for (int32_t column = 0; column < w->kernel_columns; column++) {
            const int32_t pixel = row * w->row_dilation * w->columns + column * w->column_dilation;
            const int32_t on_map = row >= rows.first && row < rows.end && column >= columns.first
                                   && column < columns.end;
            const int32_t code = on_map ? x[first + pixel * s->channels] : s->zero_point;
            const int32_t place = (row * w->kernel_columns + column) * s->channels + c;
            sum = ew_plus(sum, code * ew_code_at(weight, place, s->packed));
        }
    }
    return sum;
}

EW_INLINE void ew_depthwise(const ew_depthwise_sizes *s, const int8_t *x, const int8_t *weight, const int32_t *bias,
                            const int32_t *mantissa, const int8_t *shift, int8_t *y)
{
    const ew_window *w = &s->window;
    for (int32_t row = 0; row < w->out_rows; row++) {
        for (int32_t column = 0; column < w->out_columns; column++) {
            const ew_taps rows = ew_taps_of_row(w, row), columns = ew_taps_of_column(w, column);
            const int32_t first = ew_corner(w, row, column) * s->channels;
            const int32_t inside = ew_row_inside(w, row) && ew_column_inside(w, column);
            for (int32_t c = 0; c < s->channels; c++) {
                const int32_t sum = inside ? ew_depthwise_inside(s, x + first + c, weight, c, bias[c])
                                           : ew_depthwise_border(s, rows, columns, first + c, x, weight, c, bias[c]);
                y[c] = ew_requantize(sum, mantissa[c], shift[c], s->high_word, &s->out);
            }
            y += s->channels;
        }
    }
}

#endif
