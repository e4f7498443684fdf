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

/* [count][channels], side by side, to places that lie `pitch` apart. Few channels go several places at once. */
EW_INLINE void ew_spread_codes(int8_t *to, const int8_t *from, int32_t count, int32_t channels, int32_t pitch)
{
#ifdef __ARM_FEATURE_MVE
    if (channels <= 8 && 15 / channels * pitch + channels <= 256) {
        const int32_t at_once = 16 / channels;
        uint8_t offsets[16];
        for (int32_t i = 0; i < 16; i++) {
            offsets[i] = (uint8_t)(i / channels * pitch + i % channels);
        }
        const uint8x16_t places = vldrbq_u8(offsets);
        for (; count > 0; count -= at_once) {
            const mve_pred16_t some = vctp8q((uint32_t)((count < at_once ? count : at_once) * channels));
            vstrbq_scatter_offset_p_s8(to, places, vldrbq_z_s8(from, some), some);
            __asm volatile("" : : : "memory"); /* see ew_lanes_store_some */
            from += at_once * channels;
            to += at_once * pitch;
        }
        return;
    }
#endif
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
