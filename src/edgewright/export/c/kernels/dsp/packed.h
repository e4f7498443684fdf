/* Words of eight weights of 4 bits: byte i has the codes i (lower half) and i + 4 (upper half). */
#ifndef EW_DSP_PACKED_H
#define EW_DSP_PACKED_H

#include "simd.h"

/* Bytes of a row of `count` codes: whole words. */
EW_INLINE int32_t ew_packed_row(int32_t count)
{
    return (count + 7) / 8 * 4;
}

/* Four codes, each times 16. */
EW_INLINE int32_t ew_lower_halves(int32_t word)
{
    return (int32_t)(((uint32_t)word << 4) & 0xF0F0F0F0u);
}

EW_INLINE int32_t ew_upper_halves(int32_t word)
{
    return (int32_t)((uint32_t)word & 0xF0F0F0F0u);
}

#endif
