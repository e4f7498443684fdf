/* Four int32 lanes, as Helium holds them in one register; arrays of four where there is no Helium.
 *
 * All kernels of this folder are written in these few operations, so that the same loops run on any machine.
 */
#ifndef EW_HELIUM_LANES_H
#define EW_HELIUM_LANES_H

#include "../numbers.h"

#ifdef __ARM_FEATURE_MVE
#include <arm_mve.h>

typedef int32x4_t ew_lanes;

EW_INLINE ew_lanes ew_lanes_all(int32_t value) { return vdupq_n_s32(value); }
EW_INLINE ew_lanes ew_lanes_load(const int32_t *from) { return vldrwq_s32(from); }
EW_INLINE ew_lanes ew_lanes_codes(const int8_t *from) { return vldrbq_s32(from); }
EW_INLINE ew_lanes ew_lanes_some_codes(const int8_t *from, int32_t count)
{
    return vldrbq_z_s32(from, vctp32q((uint32_t)count));
}
EW_INLINE ew_lanes ew_lanes_add(ew_lanes a, ew_lanes b) { return vaddq_s32(a, b); }
EW_INLINE ew_lanes ew_lanes_mul(ew_lanes a, ew_lanes b) { return vmulq_s32(a, b); }
EW_INLINE ew_lanes ew_lanes_add_n(ew_lanes a, int32_t b) { return vaddq_n_s32(a, b); }
EW_INLINE ew_lanes ew_lanes_mul_n(ew_lanes a, int32_t b) { return vmulq_n_s32(a, b); }
EW_INLINE ew_lanes ew_lanes_mul_add_n(ew_lanes sum, ew_lanes a, int32_t b) { return vmlaq_n_s32(sum, a, b); }
EW_INLINE ew_lanes ew_lanes_shift(ew_lanes a, int32_t bits) { return vshlq_r_s32(a, bits); }
EW_INLINE ew_lanes ew_lanes_round_shift(ew_lanes a, int32_t bits) { return vrshlq_n_s32(a, bits); }
EW_INLINE ew_lanes ew_lanes_round_shifts(ew_lanes a, ew_lanes bits) { return vrshlq_s32(a, bits); }
EW_INLINE ew_lanes ew_lanes_grow(ew_lanes a, ew_lanes bits) { return vqshlq_s32(a, bits); }
EW_INLINE ew_lanes ew_lanes_high(ew_lanes a, ew_lanes b) { return vqdmulhq_s32(a, b); }
EW_INLINE ew_lanes ew_lanes_high_n(ew_lanes a, int32_t b) { return vqdmulhq_n_s32(a, b); }
EW_INLINE ew_lanes ew_lanes_round_high(ew_lanes a, ew_lanes b) { return vqrdmulhq_s32(a, b); }
EW_INLINE ew_lanes ew_lanes_round_high_n(ew_lanes a, int32_t b) { return vqrdmulhq_n_s32(a, b); }
EW_INLINE ew_lanes ew_lanes_and(ew_lanes a, ew_lanes b) { return vandq_s32(a, b); }
EW_INLINE ew_lanes ew_lanes_least(ew_lanes a, ew_lanes b) { return vminq_s32(a, b); }
EW_INLINE ew_lanes ew_lanes_most(ew_lanes a, ew_lanes b) { return vmaxq_s32(a, b); }
EW_INLINE void ew_lanes_words(int32_t *to, ew_lanes words) { vstrwq_s32(to, words); }
EW_INLINE void ew_lanes_store(int8_t *to, ew_lanes codes) { vstrbq_s32(to, codes); }
EW_INLINE void ew_lanes_store_some(int8_t *to, ew_lanes codes, int32_t count)
{
    vstrbq_p_s32(to, codes, vctp32q((uint32_t)count));
    __asm volatile("" : : : "memory"); /* or GCC 12 may read a code of here from before the store */
}
/* Two moves, where GCC 12 would go through the stack. */
EW_INLINE ew_lanes ew_lanes_of(int32_t a, int32_t b, int32_t c, int32_t d)
{
    ew_lanes made;
    __asm("vmov %q[made][2], %q[made][0], %[a], %[c]\n"
          "vmov %q[made][3], %q[made][1], %[b], %[d]\n"
          : [made] "=&w"(made)
          : [a] "r"(a), [b] "r"(b), [c] "r"(c), [d] "r"(d));
    return made;
}
/* To places that lie `step` apart. */
EW_INLINE void ew_lanes_scatter(int8_t *to, int32_t step, ew_lanes codes)
{
    vstrbq_scatter_offset_s32(to, vmulq_n_u32(vidupq_n_u32(0u, 1), (uint32_t)step), codes);
    __asm volatile("" : : : "memory"); /* see ew_lanes_store_some */
}
EW_INLINE void ew_lanes_scatter_some(int8_t *to, int32_t step, ew_lanes codes, int32_t count)
{
    const uint32x4_t places = vmulq_n_u32(vidupq_n_u32(0u, 1), (uint32_t)step);
    __asm volatile("vctp.32 %[count]\n" /* GCC 12 would carry the predicate to a register and back */
                   "vpst\n"
                   "vstrbt.32 %q[codes], [%[to], %q[places]]\n"
                   :
                   : [to] "r"(to), [count] "r"(count), [codes] "w"(codes), [places] "w"(places)
                   : "memory", "p0");
}

#else

typedef struct {
    int32_t at[4];
} ew_lanes;

#define EW_EACH_LANE(expression)                                                                                       \
    do {                                                                                                               \
        for (int32_t i = 0; i < 4; i++) {                                                                              \
            made.at[i] = (expression);                                                                                 \
        }                                                                                                              \
        return made;                                                                                                   \
    } while (0)
#define EW_MAKES_LANES(name, expression, ...)                                                                          \
    EW_INLINE ew_lanes name(__VA_ARGS__)                                                                               \
    {                                                                                                                  \
        ew_lanes made;                                                                                                 \
        EW_EACH_LANE(expression);                                                                                      \
    }

/* a * 2^bits, rounded to the nearest integer (halves up) where bits are negative. */
EW_INLINE int32_t ew_round_shift(int32_t a, int32_t bits)
{
    return bits < 0 ? (int32_t)(((int64_t)a + ((int64_t)1 << (-bits - 1))) >> -bits) : (int32_t)((uint32_t)a << bits);
}

EW_INLINE int32_t ew_into_32_bits(int64_t a)
{
    return (int32_t)(a < INT32_MIN ? INT32_MIN : a > INT32_MAX ? INT32_MAX : a);
}

EW_INLINE int32_t ew_grow(int32_t a, int32_t bits) { return ew_into_32_bits((int64_t)a * ((int64_t)1 << bits)); }

EW_INLINE int32_t ew_high(int32_t a, int32_t b) { return ew_into_32_bits((int64_t)a * b >> 31); }

EW_INLINE int32_t ew_round_high(int32_t a, int32_t b)
{
    return ew_into_32_bits(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

EW_INLINE int32_t ew_product(int32_t a, int32_t b) { return (int32_t)((uint32_t)a * (uint32_t)b); }

EW_MAKES_LANES(ew_lanes_all, value, int32_t value)
EW_MAKES_LANES(ew_lanes_load, from[i], const int32_t *from)
EW_MAKES_LANES(ew_lanes_codes, from[i], const int8_t *from)
EW_MAKES_LANES(ew_lanes_some_codes, i < count ? from[i] : 0, const int8_t *from, int32_t count)
EW_MAKES_LANES(ew_lanes_add, ew_plus(a.at[i], b.at[i]), ew_lanes a, ew_lanes b)
EW_MAKES_LANES(ew_lanes_mul, ew_product(a.at[i], b.at[i]), ew_lanes a, ew_lanes b)
EW_MAKES_LANES(ew_lanes_add_n, ew_plus(a.at[i], b), ew_lanes a, int32_t b)
EW_MAKES_LANES(ew_lanes_mul_n, ew_product(a.at[i], b), ew_lanes a, int32_t b)
EW_MAKES_LANES(ew_lanes_mul_add_n, ew_plus(sum.at[i], ew_product(a.at[i], b)), ew_lanes sum, ew_lanes a, int32_t b)
EW_MAKES_LANES(ew_lanes_shift, a.at[i] >> -bits, ew_lanes a, int32_t bits)
EW_MAKES_LANES(ew_lanes_round_shift, ew_round_shift(a.at[i], bits), ew_lanes a, int32_t bits)
EW_MAKES_LANES(ew_lanes_round_shifts, ew_round_shift(a.at[i], bits.at[i]), ew_lanes a, ew_lanes bits)
EW_MAKES_LANES(ew_lanes_grow, ew_grow(a.at[i], bits.at[i]), ew_lanes a, ew_lanes bits)
EW_MAKES_LANES(ew_lanes_high, ew_high(a.at[i], b.at[i]), ew_lanes a, ew_lanes b)
EW_MAKES_LANES(ew_lanes_high_n, ew_high(a.at[i], b), ew_lanes a, int32_t b)
EW_MAKES_LANES(ew_lanes_round_high, ew_round_high(a.at[i], b.at[i]), ew_lanes a, ew_lanes b)
EW_MAKES_LANES(ew_lanes_round_high_n, ew_round_high(a.at[i], b), ew_lanes a, int32_t b)
EW_MAKES_LANES(ew_lanes_and, a.at[i] & b.at[i], ew_lanes a, ew_lanes b)
EW_MAKES_LANES(ew_lanes_least, a.at[i] < b.at[i] ? a.at[i] : b.at[i], ew_lanes a, ew_lanes b)
EW_MAKES_LANES(ew_lanes_most, a.at[i] > b.at[i] ? a.at[i] : b.at[i], ew_lanes a, ew_lanes b)

EW_INLINE void ew_lanes_store_some(int8_t *to, ew_lanes codes, int32_t count)
{
    for (int32_t i = 0; i < count && i < 4; i++) {
        to[i] = (int8_t)codes.at[i];
    }
}

EW_INLINE void ew_lanes_store(int8_t *to, ew_lanes codes) { ew_lanes_store_some(to, codes, 4); }

EW_INLINE void ew_lanes_words(int32_t *to, ew_lanes words)
{
    for (int32_t i = 0; i < 4; i++) {
        to[i] = words.at[i];
    }
}

EW_INLINE ew_lanes ew_lanes_of(int32_t a, int32_t b, int32_t c, int32_t d)
{
    const ew_lanes made = {{a, b, c, d}};
    return made;
}

EW_INLINE void ew_lanes_scatter_some(int8_t *to, int32_t step, ew_lanes codes, int32_t count)
{
    for (int32_t i = 0; i < count && i < 4; i++) {
        to[i * step] = (int8_t)codes.at[i];
    }
}

EW_INLINE void ew_lanes_scatter(int8_t *to, int32_t step, ew_lanes codes)
{
    ew_lanes_scatter_some(to, step, codes, 4);
}

#endif

EW_INLINE ew_lanes ew_lanes_saturate(ew_lanes codes, const ew_grid *out)
{
    return ew_lanes_least(ew_lanes_most(codes, ew_lanes_all(out->low)), ew_lanes_all(out->high));
}

/* sums * mantissa * 2^(shift - 31), as `ew_scale` takes it; shift is in [-31, 30]. `small`, a constant of the layer,
 * says that all its shifts are -1 or less. */
#if EW_ROUNDINGS == 1

/* The product's floor at bit 31 comes first, then the rounding of the rest: the floor of a floor is the floor of the
 * whole, and the half is a multiple of 2^31 where shift is -1 or less. Else the sum is doubled so often before that one
 * bit is left to round; a sum that saturates there stands for 2^29 or more, which saturates as a code as well. */
EW_INLINE ew_lanes ew_lanes_scale(ew_lanes sums, ew_lanes mantissa, ew_lanes shift, int32_t small)
{
    if (!small) {
        sums = ew_lanes_grow(sums, ew_lanes_most(ew_lanes_add_n(shift, 1), ew_lanes_all(0)));
        shift = ew_lanes_least(shift, ew_lanes_all(-1));
    }
    return ew_lanes_round_shifts(ew_lanes_high(sums, mantissa), shift);
}

EW_INLINE ew_lanes ew_lanes_scale_n(ew_lanes sums, int32_t mantissa, int32_t shift)
{
    return ew_lanes_round_shift(ew_lanes_high_n(sums, mantissa), shift);
}

#else

/* The second rounding is away from zero: what is negative goes down by one before it, if there is anything to shift. */
EW_INLINE ew_lanes ew_lanes_scale(ew_lanes sums, ew_lanes mantissa, ew_lanes shift, int32_t small)
{
    ew_lanes product;
    if (!small) {
        sums = ew_lanes_round_shifts(sums, ew_lanes_most(shift, ew_lanes_all(0)));
        shift = ew_lanes_least(shift, ew_lanes_all(0));
    }
    product = ew_lanes_round_high(sums, mantissa);
    product = ew_lanes_add(product, ew_lanes_shift(small ? product : ew_lanes_and(product, shift), -31));
    return ew_lanes_round_shifts(product, shift);
}

EW_INLINE ew_lanes ew_lanes_scale_n(ew_lanes sums, int32_t mantissa, int32_t shift)
{
    const ew_lanes product = ew_lanes_round_high_n(sums, mantissa);
    return ew_lanes_round_shift(ew_lanes_add(product, ew_lanes_shift(product, -31)), shift);
}

#endif

/* The codes of four sums. */
EW_INLINE ew_lanes ew_lanes_requantize(ew_lanes sums, ew_lanes mantissa, ew_lanes shift, int32_t small,
                                       const ew_grid *out)
{
    return ew_lanes_saturate(ew_lanes_add_n(ew_lanes_scale(sums, mantissa, shift, small), out->zero_point), out);
}

/* The same where all lanes have one multiplier. */
EW_INLINE ew_lanes ew_lanes_requantize_n(ew_lanes sums, int32_t mantissa, int32_t shift, int32_t small,
                                         const ew_grid *out)
{
    const ew_lanes scaled = small ? ew_lanes_scale_n(sums, mantissa, shift)
                                  : ew_lanes_scale(sums, ew_lanes_all(mantissa), ew_lanes_all(shift), 0);
    return ew_lanes_saturate(ew_lanes_add_n(scaled, out->zero_point), out);
}

#endif
