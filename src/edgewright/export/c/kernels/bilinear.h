/* Bilinear interpolation: four neighbours, weights of 11 bits, int32, one rounding.
 *
 * Output row r lies between input rows first_row[r] and the next one, row_share[r] * 2^-11 of the way; columns alike.
 */
#ifndef EW_BILINEAR_H
#define EW_BILINEAR_H

#include "numbers.h"

typedef struct {
    int32_t rows, columns, channels, out_rows, out_columns;
    int32_t zero_point;
    int32_t mantissa, shift;
    ew_grid out;
} ew_bilinear_sizes;

EW_INLINE void ew_bilinear(const ew_bilinear_sizes *s, const int8_t *x, const int16_t *first_row,
                           const int16_t *row_share, const int16_t *first_column, const int16_t *column_share,
                           int8_t *y)
{
    for (int32_t row = 0; row < s->out_rows; row++) {
        const int32_t top = first_row[row], bottom = top + 1 < s->rows ? top + 1 : top, low = row_share[row];
        for (int32_t column = 0; column < s->out_columns; column++) {
            const int32_t left = first_column[column], right = left + 1 < s->columns ? left + 1 : left;
            const int32_t far = column_share[column];
            for (int32_t c = 0; c < s->channels; c++) {
                const int32_t a = x[(top * s->columns + left) * s->channels + c] - s->zero_point;
                const int32_t b = x[(top * s->columns + right) * s->channels + c] - s->zero_point;
                const int32_t d = x[(bottom * s->columns + left) * s->channels + c] - s->zero_point;
                const int32_t e = x[(bottom * s->columns + right) * s->channels + c] - s->zero_point;
                const int32_t upper = a * (2048 - far) + b * far, lower = d * (2048 - far) + e * far;
                *y++ = ew_requantize(upper * (2048 - low) + lower * low, s->mantissa, s->shift, s->shift >= 2,
                                     &s->out);
            }
        }
    }
}

#endif
