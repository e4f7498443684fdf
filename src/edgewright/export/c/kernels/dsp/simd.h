/* The instructions of Cortex-M4, M7 and M33 that work on pairs of 16 bits, and C that means the same elsewhere.
 *
 * A pair is an int32_t of two int16_t. Four codes of one word come apart as two pairs: the even ones, and the odd ones.
 * Words hold their first code lowest.
 */
#ifndef EW_DSP_SIMD_H
#define EW_DSP_SIMD_H

#include <string.h>

#include "../numbers.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "these kernels are for little-endian memory: take the portable ones"
#endif

/* Four codes that lie side by side, at any address. */
EW_INLINE int32_t ew_four_codes(const int8_t *codes)
{
    int32_t word;
    memcpy(&word, codes, 4);
    return word;
}

/* A code in both halves of a pair. */
EW_INLINE int32_t ew_pair_of(int32_t code)
{
    return (int32_t)((uint32_t)code * 0x10000u + ((uint32_t)code & 0xFFFFu));
}

/* 64 bits in two registers: compilers do not see that a product can be added to them in one instruction. */
typedef struct {
    uint32_t low;
    int32_t high;
} ew_wide;

EW_INLINE ew_wide ew_wide_of(int64_t value)
{
    const ew_wide wide = {(uint32_t)((uint64_t)value & 0xFFFFFFFFu), (int32_t)(value >> 32)};
    return wide;
}

/* The bits from `bits` on, of which 32 suffice; `bits` is in [1, 63]. */
EW_INLINE int32_t ew_shifted(ew_wide wide, int32_t bits)
{
    if (bits >= 32) {
        return wide.high >> (bits - 32);
    }
    return (int32_t)(((uint32_t)wide.high << (32 - bits)) | (wide.low >> bits));
}

#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP

#define EW_HAS_DSP 1

EW_INLINE int32_t ew_even(int32_t word)
{
    int32_t pair;
    __asm("sxtb16 %0, %1" : "=r"(pair) : "r"(word));
    return pair;
}

EW_INLINE int32_t ew_odd(int32_t word)
{
    int32_t pair;
    __asm("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
}

EW_INLINE int32_t ew_smlad(int32_t a, int32_t b, int32_t sum)
{
    int32_t out;
    __asm("smlad %0, %1, %2, %3" : "=r"(out) : "r"(a), "r"(b), "r"(sum));
    return out;
}

EW_INLINE int32_t ew_smlabt(int32_t a, int32_t b, int32_t sum)
{
    int32_t out;
    __asm("smlabt %0, %1, %2, %3" : "=r"(out) : "r"(a), "r"(b), "r"(sum));
    return out;
}

EW_INLINE int32_t ew_lows(int32_t a, int32_t b)
{
    int32_t out;
    __asm("pkhbt %0, %1, %2, lsl #16" : "=r"(out) : "r"(a), "r"(b));
    return out;
}

EW_INLINE int32_t ew_highs(int32_t a, int32_t b)
{
    int32_t out;
    __asm("pkhtb %0, %1, %2, asr #16" : "=r"(out) : "r"(b), "r"(a));
    return out;
}

EW_INLINE int32_t ew_smmla(int32_t a, int32_t b, int32_t sum)
{
    int32_t out;
    __asm("smmla %0, %1, %2, %3" : "=r"(out) : "r"(a), "r"(b), "r"(sum));
    return out;
}

EW_INLINE int32_t ew_smmulr(int32_t a, int32_t b)
{
    int32_t out;
    __asm("smmulr %0, %1, %2" : "=r"(out) : "r"(a), "r"(b));
    return out;
}

EW_INLINE ew_wide ew_smlal(int32_t a, int32_t b, ew_wide sum)
{
    __asm("smlal %0, %1, %2, %3" : "+r"(sum.low), "+r"(sum.high) : "r"(a), "r"(b));
    return sum;
}

EW_INLINE int32_t ew_ssat8(int32_t value)
{
    int32_t out;
    __asm("ssat %0, #8, %1" : "=r"(out) : "r"(value));
    return out;
}

#else

#define EW_HAS_DSP 0

EW_INLINE int32_t ew_low(int32_t pair)
{
    return (int16_t)(pair & 0xFFFF);
}

EW_INLINE int32_t ew_pack(int32_t low, int32_t high)
{
    return (int32_t)(((uint32_t)low & 0xFFFFu) | ((uint32_t)high << 16));
}

EW_INLINE int32_t ew_even(int32_t word)
{
    return ew_pack((int8_t)(word & 0xFF), (int8_t)((word >> 16) & 0xFF));
}

EW_INLINE int32_t ew_odd(int32_t word)
{
    return ew_even(word >> 8);
}

/* sum + a.low * b.low + a.high * b.high */
EW_INLINE int32_t ew_smlad(int32_t a, int32_t b, int32_t sum)
{
    return ew_plus(sum, ew_plus(ew_low(a) * ew_low(b), (a >> 16) * (b >> 16)));
}

/* sum + a.low * b.high */
EW_INLINE int32_t ew_smlabt(int32_t a, int32_t b, int32_t sum)
{
    return ew_plus(sum, ew_low(a) * (b >> 16));
}

/* (a.low, b.low) */
EW_INLINE int32_t ew_lows(int32_t a, int32_t b)
{
    return ew_pack(a, b);
}

/* (a.high, b.high) */
EW_INLINE int32_t ew_highs(int32_t a, int32_t b)
{
    return ew_pack(a >> 16, b >> 16);
}

/* sum + the high word of a * b */
EW_INLINE int32_t ew_smmla(int32_t a, int32_t b, int32_t sum)
{
    return ew_plus(sum, (int32_t)(((int64_t)a * b) >> 32));
}

/* The high word of a * b, halves up. */
EW_INLINE int32_t ew_smmulr(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 31)) >> 32);
}

/* sum + a * b */
EW_INLINE ew_wide ew_smlal(int32_t a, int32_t b, ew_wide sum)
{
    return ew_wide_of((int64_t)(((uint64_t)(uint32_t)sum.high << 32 | sum.low) + (uint64_t)((int64_t)a * b)));
}

EW_INLINE int32_t ew_ssat8(int32_t value)
{
    return value < -128 ? -128 : value > 127 ? 127 : value;
}

#endif

#endif
