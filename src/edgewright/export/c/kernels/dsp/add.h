/* Sum or difference of two tensors of one shape: both products and all constants in one sum of 64 bits.
 *
 *     (a f_a + b f_b + 2^(30 + n) - z_a f_a - z_b f_b) >> (31 + n), plus zero_point, which is added ahead of the shift
 */
#ifndef EW_DSP_ADD_H
#define EW_DSP_ADD_H

#include "simd.h"

typedef struct {
    int32_t count;
    int32_t a_zero_point, b_zero_point;
    int32_t a_factor, b_factor, shift; /* as those of add.h, with a shift n in [-20, 20] */
    ew_grid out;
} ew_dsp_add_sizes;

EW_INLINE void ew_dsp_add(const ew_dsp_add_sizes *s, const int8_t *a, const int8_t *b, int8_t *y)
{
    const int32_t bits = 31 + s->shift;
    const int64_t none = ((int64_t)1 << (bits - 1)) + s->out.zero_point * ((int64_t)1 << bits)
                         - (int64_t)s->a_zero_point * s->a_factor - (int64_t)s->b_zero_point * s->b_factor;
#if defined(__GNUC__)
#pragma GCC unroll 4
#endif
    for (int32_t i = 0; i < s->count; i++) {
        const ew_wide sum = ew_smlal(b[i], s->b_factor, ew_smlal(a[i], s->a_factor, ew_wide_of(none)));
        int32_t code = ew_ssat8(ew_shifted(sum, bits));
        code = s->out.low > -128 && code < s->out.low ? s->out.low : code;
        y[i] = (int8_t)(s->out.high < 127 && code > s->out.high ? s->out.high : code);
    }
}

#endif
