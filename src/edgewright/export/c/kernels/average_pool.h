/* The mean of each window; the count that it divides by is in the multiplier.
 *
 * x [rows][columns][channels], y [out_rows][out_columns][channels]; mantissa and shift have one entry for each count
 * 1 .. kernel_rows * kernel_columns, or one alone where all windows count alike (`uniform`).
 */
#ifndef EW_AVERAGE_POOL_H
#define EW_AVERAGE_POOL_H

#include "window.h"

typedef struct {
    ew_window window;
    int32_t channels;
    int32_t zero_point;
    int32_t above, below, before, behind; /* padding that is counted, as places with the value 0 */
    int32_t uniform;
    int32_t high_word; /* 1 where `ew_scale_high` holds for all sums */
    ew_grid out;
} ew_average_pool_sizes;

/* Which multiplier a window has: that of the places it counts. */
EW_INLINE int32_t ew_average_count(const ew_average_pool_sizes *s, int32_t row, int32_t column)
{
    const ew_window *w = &s->window;
    const ew_taps rows = ew_taps_between(row * w->row_stride - w->top, w->kernel_rows, w->row_dilation, -s->above,
                                         w->rows + s->below);
    const ew_taps columns = ew_taps_between(column * w->column_stride - w->left, w->kernel_columns,
                                            w->column_dilation, -s->before, w->columns + s->behind);
    return s->uniform ? 0 : (rows.end - rows.first) * (columns.end - columns.first) - 1;
}

/* The sum of a window's codes on the map, each less the zero point. */
EW_INLINE int32_t ew_centered_sum(const ew_average_pool_sizes *s, ew_taps rows, ew_taps columns, const int8_t *x)
{
    const int32_t zeros = s->zero_point * (rows.end - rows.first) * (columns.end - columns.first);
    return ew_sum_of(&s->window, rows, columns, s->channels, x) - zeros;
}

EW_INLINE void ew_average_pool(const ew_average_pool_sizes *s, const int8_t *x, const int32_t *mantissa,
                               const int8_t *shift, int8_t *y)
{
    const ew_window *w = &s->window;
    const ew_taps all_rows = {0, w->kernel_rows}, all_columns = {0, w->kernel_columns};
    for (int32_t row = 0; row < w->out_rows; row++) {
        for (int32_t column = 0; column < w->out_columns; column++) {
            const ew_taps rows = ew_taps_of_row(w, row), columns = ew_taps_of_column(w, column);
            const int32_t first = ew_corner(w, row, column) * s->channels;
            const int32_t inside = ew_row_inside(w, row) && ew_column_inside(w, column);
            const int32_t count = ew_average_count(s, row, column);
            for (int32_t c = 0; c < s->channels; c++) {
                const int32_t sum = inside ? ew_centered_sum(s, all_rows, all_columns, x + first + c)
                                           : ew_centered_sum(s, rows, columns, x + first + c);
                *y++ = ew_requantize(sum, mantissa[count], shift[count], s->high_word, &s->out);
            }
        }
    }
}

#endif
