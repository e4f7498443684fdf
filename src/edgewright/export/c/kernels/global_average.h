/* The mean of each channel over the whole map. x [pixels][channels], y [channels]. */
#ifndef EW_GLOBAL_AVERAGE_H
#define EW_GLOBAL_AVERAGE_H

#include "numbers.h"

typedef struct {
    int32_t pixels, channels;
    int32_t zero_point;
    int32_t mantissa, shift;
    ew_grid out;
} ew_global_average_sizes;

EW_INLINE void ew_global_average(const ew_global_average_sizes *s, const int8_t *x, int8_t *y)
{
    for (int32_t c = 0; c < s->channels; c++) {
        int32_t sum = -s->zero_point * s->pixels;
        for (int32_t pixel = 0; pixel < s->pixels; pixel++) {
            sum += x[pixel * s->channels + c];
        }
        y[c] = ew_requantize(sum, s->mantissa, s->shift, s->shift >= 2, &s->out);
    }
}

#endif
