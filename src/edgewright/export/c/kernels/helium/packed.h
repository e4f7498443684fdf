/* Rows of weights of 4 bits, two a byte: those of four outputs become bytes in scratch, for as many rows of codes as
 * there are.
 *
 * weight [outputs / 4, rounded up][2 * inputs]: of four rows of `inputs` codes, one behind the other, the first half in
 * the lower halves of the bytes, the second in the upper. fours as in rows.h, unpacked [4 * inputs].
 */
#ifndef EW_HELIUM_PACKED_H
#define EW_HELIUM_PACKED_H

#include "../nibbles.h"
#include "rows.h"

#ifdef __ARM_FEATURE_MVE

/* `count` bytes into twice as many codes. */
EW_INLINE void ew_unpack(const int8_t *bytes, int32_t count, int8_t *to)
{
    int8_t *upper = to + count;
    int32_t left = count;
    for (; left >= 16; left -= 16, bytes += 16, to += 16, upper += 16) {
        const int8x16_t word = vldrbq_s8(bytes);
        vstrbq_s8(to, vshrq_n_s8(vshlq_n_s8(word, 4), 4));
        vstrbq_s8(upper, vshrq_n_s8(word, 4));
    }
    if (left > 0) {
        const mve_pred16_t some = vctp8q((uint32_t)left);
        const int8x16_t word = vldrbq_z_s8(bytes, some);
        vstrbq_p_s8(to, vshrq_n_s8(vshlq_n_s8(word, 4), 4), some);
        vstrbq_p_s8(upper, vshrq_n_s8(word, 4), some);
    }
    __asm volatile("" : : : "memory"); /* or GCC 12 may read a code of here from before the store */
}

#else

EW_INLINE void ew_unpack(const int8_t *bytes, int32_t count, int8_t *to)
{
    for (int32_t i = 0; i < count; i++) {
        to[i] = (int8_t)ew_lower(bytes[i]);
        to[count + i] = (int8_t)ew_upper(bytes[i]);
    }
}

#endif

/* y [rows][outputs] from rows of x that begin `step` codes apart. */
EW_INLINE void ew_rows_packed(const ew_rows *s, const int8_t *x, int32_t step, int32_t rows, const int8_t *weight,
                              const int32_t *fours, int8_t *unpacked, int8_t *y)
{
    for (int32_t o = 0; o < s->outputs; o += 4, weight += 2 * s->inputs, fours += EW_FOUR_WORDS) {
        const int32_t count = s->outputs - o < 4 ? s->outputs - o : 4;
        ew_lanes first, second;
        int32_t row = 0;
        ew_unpack(weight, 2 * s->inputs, unpacked);
        for (; row + 2 <= rows; row += 2) {
            const int8_t *from = x + row * step;
            int8_t *to = y + row * s->outputs + o;
            (void)ew_rows_sums_2(s->inputs, from, from + step, unpacked, fours, &first, &second);
            ew_lanes_store_some(to, ew_rows_codes(s, first, fours), count);
            ew_lanes_store_some(to + s->outputs, ew_rows_codes(s, second, fours), count);
        }
        if (row < rows) {
            (void)ew_rows_sums_1(s->inputs, x + row * step, unpacked, fours, &first);
            ew_lanes_store_some(y + row * s->outputs + o, ew_rows_codes(s, first, fours), count);
        }
    }
}

#endif
