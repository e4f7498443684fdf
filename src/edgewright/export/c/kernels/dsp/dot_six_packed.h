/* dot_six.h for rows of weights of 4 bits: a word holds eight codes, byte i the codes i (lower half) and i + 4 (upper).
 *
 * Either half of all bytes comes out where it stands: 16 times the code, once the other half is 0. So sums have four bits
 * more until their end. Rows are whole words; of an odd last four codes the upper halves are 0. For 48 products it takes
 * 48 instructions, those of dot_six.h 42.
 */
#ifndef EW_DSP_DOT_SIX_PACKED_H
#define EW_DSP_DOT_SIX_PACKED_H

#include "dot_six.h"
#include "packed.h"

/* 16 times the sums of rows of `count` codes, the second at `step`, without biases. */
EW_INLINE ew_six ew_dot_six_packed_plain(const int32_t *columns, const int8_t *weight, int32_t step, int32_t count)
{
    const int32_t fours = (count + 3) / 4;
    ew_six sums = {0, 0, 0, 0, 0, 0};
    for (int32_t i = 0; i < fours; i += 2, columns += 2 * EW_WORDS, weight += 4) {
        const int32_t a = ew_four_codes(weight), b = ew_four_codes(weight + step);
        ew_words_of_six(columns, ew_lower_halves(a), ew_lower_halves(b), &sums);
        if (i + 1 < fours) {
            ew_words_of_six(columns + EW_WORDS, ew_upper_halves(a), ew_upper_halves(b), &sums);
        }
    }
    return sums;
}

#if EW_HAS_DSP && defined(__thumb2__) && defined(__OPTIMIZE__) && !defined(__clang__) \
    && !defined(EW_NO_ASSEMBLY)

#define EW_LOWER_BY_THREE                                                            \
    "ldr %[b], [%[weight], %[step]]\n ldr %[a], [%[weight]]\n"                       \
    "lsl %[b], %[b], #4\n lsl %[a], %[a], #4\n"                                      \
    "and %[b], %[b], #0xF0F0F0F0\n and %[a], %[a], #0xF0F0F0F0\n" EW_TWO_BY_THREE
#define EW_UPPER_BY_THREE                                                            \
    "ldr %[b], [%[weight], %[step]]\n ldr %[a], [%[weight]], #4\n"                   \
    "and %[b], %[b], #0xF0F0F0F0\n and %[a], %[a], #0xF0F0F0F0\n" EW_TWO_BY_THREE

EW_INLINE ew_six ew_dot_six_raised(const int32_t *columns, const int8_t *weight, int32_t step, int32_t count)
{
    if (!__builtin_constant_p(step) || !__builtin_constant_p(count) || step > EW_FARTHEST_LOAD) {
        return ew_dot_six_packed_plain(columns, weight, step, count);
    } else {
        const int32_t unrolled = EW_UNROLLED / 2, fours = (count + 3) / 4, words = fours / 2;
        const int32_t loops = words / unrolled < 2 ? 0 : words / unrolled;
        const int32_t *const end = columns + loops * unrolled * 2 * EW_WORDS;
        int32_t a, b, a_odd, b_odd, even, odd;
        ew_six sums;
        __asm(
            "mov %[a0], #0\n mov %[b0], #0\n mov %[a1], #0\n mov %[a2], #0\n mov %[b1], #0\n mov %[b2], #0\n"
            ".if %c[loops]\n"
            "1:\n"
            ".rept %c[unrolled]\n" EW_LOWER_BY_THREE EW_UPPER_BY_THREE
            ".endr\n"
            "ldr %[even], %[end]\n cmp %[columns], %[even]\n bne 1b\n"
            ".endif\n"
            ".rept %c[more]\n" EW_LOWER_BY_THREE EW_UPPER_BY_THREE
            ".endr\n"
            ".if %c[last]\n" EW_LOWER_BY_THREE
            ".endif\n"
            : [a0] "=&r"(sums.a0), [a1] "=&r"(sums.a1), [a2] "=&r"(sums.a2), [b0] "=&r"(sums.b0),
              [b1] "=&r"(sums.b1), [b2] "=&r"(sums.b2), [columns] "+r"(columns), [weight] "+r"(weight),
              [a] "=&r"(a), [b] "=&r"(b), [a_odd] "=&r"(a_odd), [b_odd] "=&r"(b_odd), [even] "=&r"(even),
              [odd] "=&r"(odd)
            : [end] "m"(end), [step] "n"(step), [loops] "n"(loops), [unrolled] "n"(EW_UNROLLED / 2),
              [more] "n"(words - loops * (EW_UNROLLED / 2)), [last] "n"(fours % 2)
            : "cc", "memory");
        return sums;
    }
}

#else

EW_INLINE ew_six ew_dot_six_raised(const int32_t *columns, const int8_t *weight, int32_t step, int32_t count)
{
    return ew_dot_six_packed_plain(columns, weight, step, count);
}

#endif

EW_INLINE ew_six ew_dot_six_packed(const int32_t *columns, const int8_t *weight, int32_t count, const int32_t *bias)
{
    ew_six sums = ew_dot_six_raised(columns, weight, ew_packed_row(count), count);
    sums.a0 = ew_plus(bias[0], sums.a0 >> 4);
    sums.a1 = ew_plus(bias[0], sums.a1 >> 4);
    sums.a2 = ew_plus(bias[0], sums.a2 >> 4);
    sums.b0 = ew_plus(bias[1], sums.b0 >> 4);
    sums.b1 = ew_plus(bias[1], sums.b1 >> 4);
    sums.b2 = ew_plus(bias[1], sums.b2 >> 4);
    return sums;
}

#endif
