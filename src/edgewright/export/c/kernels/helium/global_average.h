/* The mean of each channel over the whole map. x [pixels][channels], y [channels]. */
#ifndef EW_HELIUM_GLOBAL_AVERAGE_H
#define EW_HELIUM_GLOBAL_AVERAGE_H

#include "sums.h"

typedef struct {
    int32_t pixels, channels;
    int32_t zero_point;
    int32_t mantissa, shift; /* shift to the left */
    ew_grid out;
} ew_helium_global_average_sizes;

EW_INLINE void ew_helium_global_average(const ew_helium_global_average_sizes *s, const int8_t *x, int8_t *y)
{
    const ew_places all = {1, s->pixels, 0, s->channels};
    const int32_t first = -s->zero_point * s->pixels, small = s->shift < 0;
    int32_t c = 0;
    for (; c + 4 <= s->channels; c += 4) {
        const ew_lanes sums = ew_sums_of(all, x + c, first, 4);
        ew_lanes_store(y + c, ew_lanes_requantize_n(sums, s->mantissa, s->shift, small, &s->out));
    }
    if (s->channels % 4 != 0) {
        const ew_lanes sums = ew_sums_of(all, x + c, first, s->channels - c);
        const ew_lanes codes = ew_lanes_requantize_n(sums, s->mantissa, s->shift, small, &s->out);
        ew_lanes_store_some(y + c, codes, s->channels - c);
    }
}

#endif
