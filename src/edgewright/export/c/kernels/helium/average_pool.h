/* The mean of each window, four channels at a time; layout and multipliers as in ../average_pool.h. */
#ifndef EW_HELIUM_AVERAGE_POOL_H
#define EW_HELIUM_AVERAGE_POOL_H

#include "../average_pool.h"
#include "sums.h"

typedef ew_average_pool_sizes ew_helium_average_pool_sizes;

EW_INLINE void ew_helium_average_pool(const ew_average_pool_sizes *s, const int8_t *x, const int32_t *mantissa,
                                      const int8_t *shift, int8_t *y)
{
    const ew_window *w = &s->window;
    const int32_t step = w->column_dilation * s->channels, row_step = w->row_dilation * w->columns * s->channels;
    for (int32_t row = 0; row < w->out_rows; row++) {
        for (int32_t column = 0; column < w->out_columns; column++) {
            const ew_taps rows = ew_taps_of_row(w, row), columns = ew_taps_of_column(w, column);
            const ew_places places = {rows.end - rows.first, columns.end - columns.first, row_step, step};
            const int8_t *from = x + ew_corner(w, row, column) * s->channels + rows.first * row_step
                                 + columns.first * step;
            const int32_t count = ew_average_count(s, row, column), first = -s->zero_point * places.rows * places.columns;
            for (int32_t c = 0; c < s->channels; c += 4) {
                const int32_t left = s->channels - c;
                const ew_lanes sums = ew_sums_of(places, from + c, first, left);
                const ew_lanes codes = ew_lanes_requantize_n(sums, mantissa[count], -shift[count], s->high_word, &s->out);
                ew_lanes_store_some(y + c, codes, left);
            }
            y += s->channels;
        }
    }
}

#endif
