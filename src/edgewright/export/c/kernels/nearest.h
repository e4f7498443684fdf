/* Nearest neighbour: output row r takes input row from_row[r], columns alike. */
#ifndef EW_NEAREST_H
#define EW_NEAREST_H

#include "numbers.h"

typedef struct {
    int32_t columns, channels, out_rows, out_columns;
} ew_nearest_sizes;

EW_INLINE void ew_nearest(const ew_nearest_sizes *s, const int8_t *x, const int16_t *from_row,
                          const int16_t *from_column, int8_t *y)
{
    for (int32_t row = 0; row < s->out_rows; row++) {
        for (int32_t column = 0; column < s->out_columns; column++) {
            const int8_t *pixel = x + (from_row[row] * s->columns + from_column[column]) * s->channels;
            for (int32_t c = 0; c < s->channels; c++) {
                *y++ = pixel[c];
            }
        }
    }
}

#endif
