/* Weights of 4 bits, two a byte: the earlier one in the lower half. */
#ifndef EW_NIBBLES_H
#define EW_NIBBLES_H

#include "numbers.h"

EW_INLINE int32_t ew_lower(int8_t byte)
{
    return (int32_t)((uint32_t)byte << 28) >> 28;
}

EW_INLINE int32_t ew_upper(int8_t byte)
{
    return byte >> 4;
}

/* Bytes of a row of `count` codes. */
EW_INLINE int32_t ew_row_bytes(int32_t count, int32_t packed)
{
    return packed ? (count + 1) / 2 : count;
}

EW_INLINE int32_t ew_code_at(const int8_t *codes, int32_t index, int32_t packed)
{
    if (!packed) {
        return codes[index];
    }
    return index % 2 == 0 ? ew_lower(codes[index / 2]) : ew_upper(codes[index / 2]);
}

#endif
