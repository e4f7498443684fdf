/* Sum or difference of two tensors of one shape with the roundings of add_tflm.h, each a product and shifts of 32 bits.
 *
 * A code less its zero point, raised by 20 bits, has 28 bits: twice that fits, as SMMULR wants it.
 */
#ifndef EW_DSP_ADD_TFLM_H
#define EW_DSP_ADD_TFLM_H

#include "requantize.h"

typedef struct {
    int32_t count;
    int32_t a_zero_point, b_zero_point;
    int32_t a_mantissa, a_shift, b_mantissa, b_shift; /* as those of add_tflm.h: shifts of 0 and more */
    int32_t sign;
    int32_t mantissa, shift;                          /* of the sum, with a shift in [2, 22] */
    ew_grid out;
} ew_dsp_add_tflm_sizes;

EW_INLINE int32_t ew_dsp_term(int32_t centered, int32_t mantissa, int32_t shift)
{
    const int32_t product = ew_smmulr(centered * ((int32_t)1 << 21), mantissa);
    return shift == 0 ? product : (product + (product >> 31) + ((int32_t)1 << (shift - 1))) >> shift;
}

EW_INLINE void ew_dsp_add_tflm(const ew_dsp_add_tflm_sizes *s, const int8_t *a, const int8_t *b, int8_t *y)
{
    const ew_end end = {1, 1, s->out};
    const ew_channel whole = ew_channel_of(s->mantissa, s->shift, &end);
#if defined(__GNUC__)
#pragma GCC unroll 4
#endif
    for (int32_t i = 0; i < s->count; i++) {
        const int32_t first = ew_dsp_term(a[i] - s->a_zero_point, s->a_mantissa, s->a_shift);
        const int32_t second = ew_dsp_term(b[i] - s->b_zero_point, s->b_mantissa, s->b_shift);
        y[i] = ew_code_of(s->sign > 0 ? first + second : first - second, whole, &end);
    }
}

#endif
