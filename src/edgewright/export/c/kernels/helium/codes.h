/* Sixteen codes, as Helium holds them in one register; `count` of them where a map ends. */
#ifndef EW_HELIUM_CODES_H
#define EW_HELIUM_CODES_H

#include "../numbers.h"

#ifdef __ARM_FEATURE_MVE
#include <arm_mve.h>

typedef int8x16_t ew_codes;

EW_INLINE ew_codes ew_codes_all(int32_t code) { return vdupq_n_s8((int8_t)code); }
EW_INLINE ew_codes ew_codes_load(const int8_t *from, int32_t count)
{
    return count >= 16 ? vldrbq_s8(from) : vldrbq_z_s8(from, vctp8q((uint32_t)count));
}
EW_INLINE void ew_codes_store(int8_t *to, ew_codes codes, int32_t count)
{
    if (count >= 16) {
        vstrbq_s8(to, codes);
    } else {
        vstrbq_p_s8(to, codes, vctp8q((uint32_t)count));
        __asm volatile("" : : : "memory"); /* or GCC 12 may read a code of here from before the store */
    }
}
EW_INLINE ew_codes ew_codes_most(ew_codes a, ew_codes b) { return vmaxq_s8(a, b); }
EW_INLINE ew_codes ew_codes_least(ew_codes a, ew_codes b) { return vminq_s8(a, b); }
/* table[code - low]; what lies behind `count` must not be looked up, for the table may end there. */
EW_INLINE ew_codes ew_codes_look_up(const int8_t *table, int32_t low, ew_codes codes, int32_t count)
{
    const uint8x16_t places = vsubq_n_u8(vreinterpretq_u8_s8(codes), (uint8_t)low);
    return count >= 16 ? vldrbq_gather_offset_s8(table, places)
                       : vldrbq_gather_offset_z_s8(table, places, vctp8q((uint32_t)count));
}

#else

typedef struct {
    int8_t at[16];
} ew_codes;

EW_INLINE ew_codes ew_codes_load(const int8_t *from, int32_t count)
{
    ew_codes made;
    for (int32_t i = 0; i < 16; i++) {
        made.at[i] = (int8_t)(i < count ? from[i] : 0);
    }
    return made;
}

EW_INLINE ew_codes ew_codes_all(int32_t code)
{
    ew_codes made;
    for (int32_t i = 0; i < 16; i++) {
        made.at[i] = (int8_t)code;
    }
    return made;
}

EW_INLINE void ew_codes_store(int8_t *to, ew_codes codes, int32_t count)
{
    for (int32_t i = 0; i < count && i < 16; i++) {
        to[i] = codes.at[i];
    }
}

EW_INLINE ew_codes ew_codes_most(ew_codes a, ew_codes b)
{
    for (int32_t i = 0; i < 16; i++) {
        a.at[i] = a.at[i] > b.at[i] ? a.at[i] : b.at[i];
    }
    return a;
}

EW_INLINE ew_codes ew_codes_least(ew_codes a, ew_codes b)
{
    for (int32_t i = 0; i < 16; i++) {
        a.at[i] = a.at[i] < b.at[i] ? a.at[i] : b.at[i];
    }
    return a;
}

EW_INLINE ew_codes ew_codes_look_up(const int8_t *table, int32_t low, ew_codes codes, int32_t count)
{
    for (int32_t i = 0; i < count && i < 16; i++) {
        codes.at[i] = table[codes.at[i] - low];
    }
    return codes;
}

#endif

#endif
