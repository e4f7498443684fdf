/* What every kernel shares: codes, grids and the one requantization.
 *
 * A code q stands for scale * (q - zero_point). Sums of products are int32; a sum comes to the scale of the output by
 * one product of 64 bits, one shift and one rounding, halves up: sum * mantissa * 2^-(31 + shift).
 *
 * With EW_TFLM, which model.c defines, it is that of TensorFlow Lite Micro, with two roundings: the product is rounded
 * to its high word, halves up, and then shifted, halves away from zero. A negative shift goes left, before the product.
 *
 * Right shifts of negative numbers keep the sign and conversions to int32_t are modulo 2^32, as on every compiler that
 * this code is built with.
 */
#ifndef EW_NUMBERS_H
#define EW_NUMBERS_H

#include <stdint.h>

#if defined(EW_INLINE) /* chosen by the build: "static inline" alone compiles a kernel once for all its layers */
#elif defined(__GNUC__)
#define EW_INLINE static inline __attribute__((always_inline)) /* sizes are constants of the call: specialize it */
#else
#define EW_INLINE static inline
#endif

/* The codes of an output: where 0 lies, and the two ends at which codes saturate. */
typedef struct {
    int32_t zero_point, low, high;
} ew_grid;

/* Sums are added modulo 2^32: where the whole sum fits into 32 bits it is right, whatever its parts do on the way. */
EW_INLINE int32_t ew_plus(int32_t sum, int32_t product)
{
    return (int32_t)((uint32_t)sum + (uint32_t)product);
}

EW_INLINE int8_t ew_saturate(int64_t code, const ew_grid *out)
{
    return (int8_t)(code < out->low ? out->low : code > out->high ? out->high : code);
}

#ifdef EW_TFLM

#define EW_ROUNDINGS 2

/* value * 2^-shift, shift is in [1, 31]: halves away from zero. */
EW_INLINE int64_t ew_divide_by_power(int32_t value, int32_t shift)
{
    return ((int64_t)value + ((int64_t)1 << (shift - 1)) - (value < 0)) >> shift;
}

/* a * b * 2^-31, halves up. */
EW_INLINE int32_t ew_high_product(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* sum * mantissa * 2^-(31 + shift), rounded twice; shift is in [-30, 31]. */
EW_INLINE int64_t ew_scale(int32_t sum, int32_t mantissa, int32_t shift)
{
    const int32_t raised = shift < 0 ? (int32_t)((uint32_t)sum << -shift) : sum;
    const int32_t product = ew_high_product(raised, mantissa);
    return shift > 0 ? ew_divide_by_power(product, shift) : product;
}

/* The same for shifts of 2 and more and sums below 2^30: all but the product has 32 bits. */
EW_INLINE int32_t ew_scale_high(int32_t sum, int32_t mantissa, int32_t shift)
{
    const int32_t product = ew_high_product(sum, mantissa);
    return (product + (product >> 31) + ((int32_t)1 << (shift - 1))) >> shift;
}

#else

#define EW_ROUNDINGS 1

/* sum * mantissa * 2^-(31 + shift) to the nearest integer, halves up; shift is in [-30, 31]. */
EW_INLINE int64_t ew_scale(int32_t sum, int32_t mantissa, int32_t shift)
{
    const int32_t bits = 31 + shift;
    return ((int64_t)sum * mantissa + ((int64_t)1 << (bits - 1))) >> bits;
}

/* The same for shifts of 2 and more: the half is added to the high word, so that all but the product has 32 bits. */
EW_INLINE int32_t ew_scale_high(int32_t sum, int32_t mantissa, int32_t shift)
{
    const int32_t high = (int32_t)(((int64_t)sum * mantissa) >> 32);
    return (high + ((int32_t)1 << (shift - 2))) >> (shift - 1);
}

#endif

/* The code of a sum; `high_word` is a constant of the layer: `ew_scale_high` holds for all its sums. */
EW_INLINE int8_t ew_requantize(int32_t sum, int32_t mantissa, int32_t shift, int32_t high_word, const ew_grid *out)
{
    int32_t code;
    if (!high_word) {
        return ew_saturate(ew_scale(sum, mantissa, shift) + out->zero_point, out);
    }
    code = ew_scale_high(sum, mantissa, shift) + out->zero_point;
    return (int8_t)(code < out->low ? out->low : code > out->high ? out->high : code);
}

#endif
