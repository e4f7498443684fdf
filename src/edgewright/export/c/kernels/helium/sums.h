/* Sums of codes over rows and columns of a map, four channels at a time. */
#ifndef EW_HELIUM_SUMS_H
#define EW_HELIUM_SUMS_H

#include "lanes.h"

/* The first code lies at x; rows and columns are `row_step` and `step` codes apart. */
typedef struct {
    int32_t rows, columns, row_step, step;
} ew_places;

/* `first` and the codes of `count` channels at all places. */
EW_INLINE ew_lanes ew_sums_of(ew_places p, const int8_t *x, int32_t first, int32_t count)
{
    ew_lanes sums = ew_lanes_all(first);
    for (int32_t row = 0; row < p.rows; row++) {
        const int8_t *from = x + row * p.row_step;
        for (int32_t column = 0; column < p.columns; column++) {
            sums = ew_lanes_add(sums, count >= 4 ? ew_lanes_codes(from) : ew_lanes_some_codes(from, count));
            from += p.step;
        }
    }
    return sums;
}

#endif
