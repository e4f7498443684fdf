/* Sum of two tensors, or their difference, in 32 bits: both factors are cut at bit 15.
 *
 *     a * a_factor + b * b_factor + rest  =  high * 2^15 + low,   code = (high + (low >> 15)) * 2^-bits, rounded
 *
 * where `rest` holds the zero points, that of the output too. The half is a multiple of 2^15, so the floor of `low`
 * comes before it.
 */
#ifndef EW_HELIUM_ADD_H
#define EW_HELIUM_ADD_H

#include "pairs.h"

typedef struct {
    ew_pair pair;
    int32_t a_high, a_low, b_high, b_low, rest_high, rest_low, bits;
    ew_grid out; /* its ends */
} ew_helium_add_sizes;

EW_INLINE ew_lanes ew_added(const ew_helium_add_sizes *s, ew_lanes a, ew_lanes b)
{
    const ew_lanes low = ew_lanes_mul_add_n(ew_lanes_mul_n(a, s->a_low), b, s->b_low);
    const ew_lanes high = ew_lanes_mul_add_n(ew_lanes_mul_n(a, s->a_high), b, s->b_high);
    const ew_lanes sum = ew_lanes_add(high, ew_lanes_shift(ew_lanes_add_n(low, s->rest_low), -15));
    return ew_lanes_saturate(ew_lanes_round_shift(ew_lanes_add_n(sum, s->rest_high), -s->bits), &s->out);
}

EW_INLINE void ew_helium_add(const ew_helium_add_sizes *s, const int8_t *a, const int8_t *b, int8_t *y)
{
    EW_EACH_PAIR(&s->pair, a, b, y, ew_added(s, first, second));
}

#endif
