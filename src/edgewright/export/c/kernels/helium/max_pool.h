/* The largest code of each window, 16 channels at a time; what lies beside the map never wins.
 *
 * x [rows][columns][channels], y [out_rows][out_columns][channels].
 */
#ifndef EW_HELIUM_MAX_POOL_H
#define EW_HELIUM_MAX_POOL_H

#include "../window.h"
#include "codes.h"

typedef struct {
    ew_window window;
    int32_t channels;
} ew_helium_max_pool_sizes;

/* `count` channels of one window, whose tap (0, 0) begins at x. */
EW_INLINE ew_codes ew_most_of(const ew_helium_max_pool_sizes *s, ew_taps rows, ew_taps columns, const int8_t *x,
                              int32_t count)
{
    const ew_window *w = &s->window;
    const int32_t row_step = w->row_dilation * w->columns * s->channels, step = w->column_dilation * s->channels;
    ew_codes most = ew_codes_all(INT8_MIN);
    for (int32_t row = rows.first; row < rows.end; row++) {
        for (int32_t column = columns.first; column < columns.end; column++) {
            most = ew_codes_most(most, ew_codes_load(x + row * row_step + column * step, count));
        }
    }
    return most;
}

EW_INLINE void ew_helium_max_pool(const ew_helium_max_pool_sizes *s, const int8_t *x, int8_t *y)
{
    const ew_window *w = &s->window;
    for (int32_t row = 0; row < w->out_rows; row++) {
        for (int32_t column = 0; column < w->out_columns; column++) {
            const ew_taps rows = ew_taps_of_row(w, row), columns = ew_taps_of_column(w, column);
            const int8_t *from = x + ew_corner(w, row, column) * s->channels;
            int32_t c = 0;
            for (; c + 16 <= s->channels; c += 16) {
                ew_codes_store(y + c, ew_most_of(s, rows, columns, from + c, 16), 16);
            }
            if (s->channels % 16 != 0) {
                const int32_t left = s->channels - c;
                ew_codes_store(y + c, ew_most_of(s, rows, columns, from + c, left), left);
            }
            y += s->channels;
        }
    }
}

#endif
