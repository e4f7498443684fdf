/* Sum of two tensors, or their difference, with the roundings of add_tflm.h, four codes at once. */
#ifndef EW_HELIUM_ADD_TFLM_H
#define EW_HELIUM_ADD_TFLM_H

#include "pairs.h"

typedef struct {
    ew_pair pair;
    int32_t a_zero_point, b_zero_point;
    int32_t a_mantissa, a_shift, b_mantissa, b_shift; /* as those of add_tflm.h, but shifts to the left */
    int32_t sign;
    int32_t mantissa, shift; /* of the sum: -2 or less */
    ew_grid out;
} ew_helium_add_tflm_sizes;

/* Codes less their zero point, raised by 20 bits and scaled. */
EW_INLINE ew_lanes ew_raised(ew_lanes codes, int32_t zero_point, int32_t mantissa, int32_t shift)
{
    const ew_lanes raised = ew_lanes_mul_n(ew_lanes_add_n(codes, -zero_point), (int32_t)1 << 20);
    return shift == 0 ? ew_lanes_round_high_n(raised, mantissa) : ew_lanes_scale_n(raised, mantissa, shift);
}

EW_INLINE ew_lanes ew_added_tflm(const ew_helium_add_tflm_sizes *s, ew_lanes a, ew_lanes b)
{
    const ew_lanes first = ew_raised(a, s->a_zero_point, s->a_mantissa, s->a_shift);
    const ew_lanes second = ew_raised(b, s->b_zero_point, s->b_mantissa, s->b_shift);
    const ew_lanes sum = ew_lanes_add(first, s->sign > 0 ? second : ew_lanes_mul_n(second, -1));
    return ew_lanes_requantize_n(sum, s->mantissa, s->shift, 1, &s->out);
}

EW_INLINE void ew_helium_add_tflm(const ew_helium_add_tflm_sizes *s, const int8_t *a, const int8_t *b, int8_t *y)
{
    EW_EACH_PAIR(&s->pair, a, b, y, ew_added_tflm(s, first, second));
}

#endif
