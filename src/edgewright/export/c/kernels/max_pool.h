/* The largest code of each window; what lies beside the map never wins.
 *
 * x [rows][columns][channels], y [out_rows][out_columns][channels].
 */
#ifndef EW_MAX_POOL_H
#define EW_MAX_POOL_H

#include "window.h"

typedef struct {
    ew_window window;
    int32_t channels;
} ew_max_pool_sizes;

EW_INLINE int8_t ew_max_of(const ew_max_pool_sizes *s, ew_taps rows, ew_taps columns, int32_t first, const int8_t *x)
{
    const ew_window *w = &s->window;
    int8_t largest = INT8_MIN;
    for (int32_t row = rows.first; row < rows.end; row++) {
        for (int32_t column = columns.first; column < columns.end; column++) {
            const int32_t pixel = row * w->row_dilation * w->columns + column * w->column_dilation;
            const int8_t code = x[first + pixel * s->channels];
            largest = code > largest ? code : largest;
        }
    }
    return largest;
}

EW_INLINE void ew_max_pool(const ew_max_pool_sizes *s, const int8_t *x, int8_t *y)
{
    const ew_window *w = &s->window;
    const ew_taps all_rows = {0, w->kernel_rows}, all_columns = {0, w->kernel_columns};
    for (int32_t row = 0; row < w->out_rows; row++) {
        for (int32_t column = 0; column < w->out_columns; column++) {
            const ew_taps rows = ew_taps_of_row(w, row), columns = ew_taps_of_column(w, column);
            const int32_t first = ew_corner(w, row, column) * s->channels;
            const int32_t inside = ew_row_inside(w, row) && ew_column_inside(w, column);
            for (int32_t c = 0; c < s->channels; c++) {
                *y++ = inside ? ew_max_of(s, all_rows, all_columns, first + c, x)
                              : ew_max_of(s, rows, columns, first + c, x);
            }
        }
    }
}

#endif
