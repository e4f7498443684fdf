/* Windows that slide over the rows and columns of a map. */
#ifndef EW_WINDOW_H
#define EW_WINDOW_H

#include "numbers.h"

/* Output row r reads the input rows r * row_stride - top + k * row_dilation, k = 0 .. kernel_rows - 1; columns alike. */
typedef struct {
    int32_t rows, columns, out_rows, out_columns;
    int32_t kernel_rows, kernel_columns, row_stride, column_stride;
    int32_t top, left, row_dilation, column_dilation;
} ew_window;

/* Taps [first, end) of one window along one axis. */
typedef struct {
    int32_t first, end;
} ew_taps;

/* The taps that lie in the places [low, high) when tap 0 lies at `start`. */
EW_INLINE ew_taps ew_taps_between(int32_t start, int32_t kernel, int32_t dilation, int32_t low, int32_t high)
{
    ew_taps taps;
    taps.first = start >= low ? 0 : (low - start + dilation - 1) / dilation;
    taps.end = start >= high ? 0 : (high - start + dilation - 1) / dilation;
    taps.end = taps.end > kernel ? kernel : taps.end;
    taps.first = taps.first > taps.end ? taps.end : taps.first;
    return taps;
}

EW_INLINE ew_taps ew_taps_of_row(const ew_window *w, int32_t row)
{
    return ew_taps_between(row * w->row_stride - w->top, w->kernel_rows, w->row_dilation, 0, w->rows);
}

EW_INLINE ew_taps ew_taps_of_column(const ew_window *w, int32_t column)
{
    return ew_taps_between(column * w->column_stride - w->left, w->kernel_columns, w->column_dilation, 0, w->columns);
}

/* The sum of one channel's codes over the taps of a window, whose tap (0, 0) would lie at x. */
EW_INLINE int32_t ew_sum_of(const ew_window *w, ew_taps rows, ew_taps columns, int32_t channels, const int8_t *x)
{
    int32_t sum = 0;
    for (int32_t row = rows.first; row < rows.end; row++) {
        for (int32_t column = columns.first; column < columns.end; column++) {
            sum += x[(row * w->row_dilation * w->columns + column * w->column_dilation) * channels];
        }
    }
    return sum;
}

/* Whether all taps along an axis lie on the map. */
EW_INLINE int32_t ew_inside(int32_t start, int32_t kernel, int32_t dilation, int32_t size)
{
    return start >= 0 && start + (kernel - 1) * dilation < size;
}

EW_INLINE int32_t ew_row_inside(const ew_window *w, int32_t row)
{
    return ew_inside(row * w->row_stride - w->top, w->kernel_rows, w->row_dilation, w->rows);
}

EW_INLINE int32_t ew_column_inside(const ew_window *w, int32_t column)
{
    return ew_inside(column * w->column_stride - w->left, w->kernel_columns, w->column_dilation, w->columns);
}

/* Where tap (0, 0) of a window lies, in pixels from the first: less than 0 where the window begins before the map. */
EW_INLINE int32_t ew_corner(const ew_window *w, int32_t row, int32_t column)
{
    return (row * w->row_stride - w->top) * w->columns + column * w->column_stride - w->left;
}

#endif
