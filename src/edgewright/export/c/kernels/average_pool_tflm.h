/* The mean of each window as TensorFlow Lite Micro takes it: the codes on the map, added and divided by their number.
 *
 * x [rows][columns][channels], y [out_rows][out_columns][channels], both on one grid.
 */
#ifndef EW_AVERAGE_POOL_TFLM_H
#define EW_AVERAGE_POOL_TFLM_H

#include "window.h"

typedef struct {
    ew_window window;
    int32_t channels;
    ew_grid out;
} ew_average_pool_tflm_sizes;

/* sum / count to the nearest, halves away from zero. */
EW_INLINE int32_t ew_quotient(int32_t sum, int32_t count)
{
    return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
}

EW_INLINE void ew_average_pool_tflm(const ew_average_pool_tflm_sizes *s, const int8_t *x, int8_t *y)
{
    const ew_window *w = &s->window;
    for (int32_t row = 0; row < w->out_rows; row++) {
        for (int32_t column = 0; column < w->out_columns; column++) {
            const ew_taps rows = ew_taps_of_row(w, row), columns = ew_taps_of_column(w, column);
            const int32_t first = ew_corner(w, row, column) * s->channels;
            const int32_t count = (rows.end - rows.first) * (columns.end - columns.first);
            for (int32_t c = 0; c < s->channels; c++) {
                const int32_t sum = ew_sum_of(w, rows, columns, s->channels, x + first + c);
                *y++ = ew_saturate(ew_quotient(sum, count), &s->out);
            }
        }
    }
}

#endif
