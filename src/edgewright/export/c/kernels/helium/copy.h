/* Moving codes in registers of 16. */
#ifndef EW_HELIUM_COPY_H
#define EW_HELIUM_COPY_H

#include "lanes.h"

#ifdef __ARM_FEATURE_MVE

EW_INLINE void ew_copy_codes(int8_t *to, const int8_t *from, int32_t count)
{
    for (; count >= 16; count -= 16) {
        vstrbq_s8(to, vldrbq_s8(from));
        to += 16;
        from += 16;
    }
    if (count > 0) {
        const mve_pred16_t some = vctp8q((uint32_t)count);
        vstrbq_p_s8(to, vldrbq_z_s8(from, some), some);
        __asm volatile("" : : : "memory"); /* see ew_lanes_store_some */
    }
}

EW_INLINE void ew_fill_codes(int8_t *to, int32_t code, int32_t count)
{
    const int8x16_t all = vdupq_n_s8((int8_t)code);
    for (; count >= 16; count -= 16) {
        vstrbq_s8(to, all);
        to += 16;
    }
    if (count > 0) {
        vstrbq_p_s8(to, all, vctp8q((uint32_t)count));
        __asm volatile("" : : : "memory"); /* see ew_lanes_store_some */
    }
}

#else

EW_INLINE void ew_copy_codes(int8_t *to, const int8_t *from, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        to[i] = from[i];
    }
}

EW_INLINE void ew_fill_codes(int8_t *to, int32_t code, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        to[i] = (int8_t)code;
    }
}

#endif

#ifdef __ARM_FEATURE_MVE
EW_INLINE void ew_spread_few(int8_t *to, const int8_t *from, int32_t count, int32_t channels, int32_t pitch,
                             const uint8_t *places)
{
    const int32_t at_once = 16 / channels;
    const uint8x16_t offsets = vldrbq_u8(places);
    for (int32_t left = count * channels; left > 0; left -= at_once * channels) {
        const int32_t codes = left < at_once * channels ? left : at_once * channels;
        __asm volatile("vctp.8 %[codes]\n" /* GCC 12 would carry the predicate to a register and back */
                       "vpstt\n"
                       "vldrbt.8 q0, [%[from]]\n"
                       "vstrbt.8 q0, [%[to], %q[offsets]]\n"
                       :
                       : [codes] "r"(codes), [from] "r"(from), [to] "r"(to), [offsets] "w"(offsets)
                       : "memory", "p0", "q0");
        from += at_once * channels;
        to += at_once * pitch;
    }
}

#else

EW_INLINE void ew_spread_few(int8_t *to, const int8_t *from, int32_t count, int32_t channels, int32_t pitch,
                             const uint8_t *places)
{
    const int32_t at_once = 16 / channels * channels;
    for (int32_t i = 0; i < count * channels; i++) {
        to[i / at_once * (at_once / channels) * pitch + places[i % at_once]] = from[i];
    }
}

#endif

/* [count][channels], side by side, to places that lie `pitch` apart. Where several go at once (`few`), the 16 `places`
 * say how far from the first one each code lies. */
EW_INLINE void ew_spread_codes(int8_t *to, const int8_t *from, int32_t count, int32_t channels, int32_t pitch,
                               int32_t few, const uint8_t *places)
{
    if (few) {
        ew_spread_few(to, from, count, channels, pitch, places);
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        ew_copy_codes(to, from, channels);
        from += channels;
        to += pitch;
    }
}

EW_INLINE void ew_spread_fill(int8_t *to, int32_t code, int32_t count, int32_t channels, int32_t pitch)
{
    for (int32_t i = 0; i < count; i++) {
        ew_fill_codes(to, code, channels);
        to += pitch;
    }
}

#endif
