/* The requantization of numbers.h in three instructions and a store.
 *
 *     ((sum * m >> 32) + 2^(n - 2)) >> (n - 1), plus zero_point  =  ((sum * m >> 32) + offset) >> (n - 1)
 *     offset = 2^(n - 2) + zero_point * 2^(n - 1) = (2 * zero_point + 1) * 2^(n - 2)
 *
 * which is exact where every shift n is in [2, 24]. With two roundings it takes six, p = (2 * sum * m + 2^31) >> 32:
 *
 *     (p - (p < 0) + 2^(n - 1)) >> n, plus zero_point  =  (p - (p < 0) + offset) >> n
 *     offset = (2 * zero_point + 1) * 2^(n - 1)
 *
 * which is exact for n in [1, 22] and sums below 2^30. Where all of this holds the layer is `fused`. Any other layer
 * takes the general form.
 */
#ifndef EW_DSP_REQUANTIZE_H
#define EW_DSP_REQUANTIZE_H

#include "simd.h"

/* How a layer's sums become codes: constants of the layer. */
typedef struct {
    int32_t high_word, fused;
    ew_grid out;
} ew_end;

/* The multiplier of one channel. */
typedef struct {
    int32_t mantissa, shift, offset;
} ew_channel;

EW_INLINE ew_channel ew_channel_of(int32_t mantissa, int32_t shift, const ew_end *end)
{
    ew_channel channel = {mantissa, shift, 0};
    if (end->fused) {
        channel.shift = shift - (EW_ROUNDINGS == 1);
        channel.offset = (int32_t)((uint32_t)(2 * end->out.zero_point + 1) << (channel.shift - 1));
    }
    return channel;
}

/* The sum, scaled, over 2^-channel.shift, with all that the last shift needs. */
EW_INLINE int32_t ew_before_shift(int32_t sum, ew_channel channel)
{
#if EW_ROUNDINGS == 1
    return ew_smmla(sum, channel.mantissa, channel.offset);
#else
    const int32_t product = ew_smmulr(2 * sum, channel.mantissa);
    return product + (product >> 31) + channel.offset;
#endif
}

EW_INLINE int8_t ew_code_of(int32_t sum, ew_channel channel, const ew_end *end)
{
    int32_t code;
    if (!end->fused) {
        return ew_requantize(sum, channel.mantissa, channel.shift, end->high_word, &end->out);
    }
    code = ew_ssat8(ew_before_shift(sum, channel) >> channel.shift);
    code = end->out.low > -128 && code < end->out.low ? end->out.low : code;
    return (int8_t)(end->out.high < 127 && code > end->out.high ? end->out.high : code);
}

#endif
