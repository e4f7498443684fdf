/* Two rows of weights with three columns: the inner loop of products.h.
 *
 * Three columns lie interleaved, of each four codes first the two pairs of column 0, then of column 1, then of column 2.
 * It takes 21 instructions for 24 products where a compiler runs out of registers: so it is written by hand for the
 * cores that have them, for distances between rows that a load can add. Clang cannot give it all 14 registers, nor can
 * GCC where it keeps a frame pointer: -DEW_NO_ASSEMBLY leaves it out.
 */
#ifndef EW_DSP_DOT_SIX_H
#define EW_DSP_DOT_SIX_H

#include "simd.h"

enum { EW_COLUMNS = 3, EW_WORDS = 2 * EW_COLUMNS }; /* words for each four codes */

/* Sums of two output channels (rows of weights), a and b, for each of three columns. */
typedef struct {
    int32_t a0, a1, a2, b0, b1, b2;
} ew_six;

/* Four codes of both rows, in a word each, with those of the columns. */
EW_INLINE void ew_words_of_six(const int32_t *columns, int32_t a, int32_t b, ew_six *sums)
{
    const int32_t a_even = ew_even(a), a_odd = ew_odd(a), b_even = ew_even(b), b_odd = ew_odd(b);
    sums->a0 = ew_smlad(a_odd, columns[1], ew_smlad(a_even, columns[0], sums->a0));
    sums->b0 = ew_smlad(b_odd, columns[1], ew_smlad(b_even, columns[0], sums->b0));
    sums->a1 = ew_smlad(a_odd, columns[3], ew_smlad(a_even, columns[2], sums->a1));
    sums->b1 = ew_smlad(b_odd, columns[3], ew_smlad(b_even, columns[2], sums->b1));
    sums->a2 = ew_smlad(a_odd, columns[5], ew_smlad(a_even, columns[4], sums->a2));
    sums->b2 = ew_smlad(b_odd, columns[5], ew_smlad(b_even, columns[4], sums->b2));
}

/* Rows of `count` codes, the second at `step`; the last four are those at the end. `bias` has that of both. */
EW_INLINE ew_six ew_dot_six_plain(const int32_t *columns, const int8_t *weight, int32_t step, int32_t count,
                                  const int32_t *bias)
{
    ew_six sums = {bias[0], bias[0], bias[0], bias[1], bias[1], bias[1]};
    for (int32_t i = 0; i + 4 <= count; i += 4, columns += EW_WORDS) {
        ew_words_of_six(columns, ew_four_codes(weight + i), ew_four_codes(weight + step + i), &sums);
    }
    if (count % 4 > 0) {
        const int8_t *last = weight + count - 4;
        ew_words_of_six(columns, ew_four_codes(last), ew_four_codes(last + step), &sums);
    }
    return sums;
}

#if EW_HAS_DSP && defined(__thumb2__) && defined(__OPTIMIZE__) && !defined(__clang__) \
    && !defined(EW_NO_ASSEMBLY)

enum { EW_FARTHEST_LOAD = 4095, EW_UNROLLED = 4 };

#define EW_TWO_BY_THREE                                                              \
    "sxtb16 %[a_odd], %[a], ror #8\n sxtb16 %[a], %[a]\n"                            \
    "sxtb16 %[b_odd], %[b], ror #8\n sxtb16 %[b], %[b]\n"                            \
    "ldrd %[even], %[odd], [%[columns]], #8\n"                                       \
    "smlad %[a0], %[a], %[even], %[a0]\n smlad %[b0], %[b], %[even], %[b0]\n"        \
    "smlad %[a0], %[a_odd], %[odd], %[a0]\n smlad %[b0], %[b_odd], %[odd], %[b0]\n" \
    "ldrd %[even], %[odd], [%[columns]], #8\n"                                       \
    "smlad %[a1], %[a], %[even], %[a1]\n smlad %[b1], %[b], %[even], %[b1]\n"        \
    "smlad %[a1], %[a_odd], %[odd], %[a1]\n smlad %[b1], %[b_odd], %[odd], %[b1]\n" \
    "ldrd %[even], %[odd], [%[columns]], #8\n"                                       \
    "smlad %[a2], %[a], %[even], %[a2]\n smlad %[b2], %[b], %[even], %[b2]\n"        \
    "smlad %[a2], %[a_odd], %[odd], %[a2]\n smlad %[b2], %[b_odd], %[odd], %[b2]\n"

/* Where sizes are no constants: the distance of the rows lies in memory too, and nothing is unrolled. */
EW_INLINE ew_six ew_dot_six_any(const int32_t *columns, const int8_t *weight, int32_t step, int32_t count,
                                const int32_t *bias)
{
    const int32_t *const end = columns + count / 4 * EW_WORDS;
    int32_t a, b, a_odd, b_odd, even, odd;
    ew_six sums;
    __asm(
        "ldrd %[a0], %[b0], [%[odd]]\n"
        "mov %[a1], %[a0]\n mov %[a2], %[a0]\n mov %[b1], %[b0]\n mov %[b2], %[b0]\n"
        "1:\n"
        "ldr %[even], %[step]\n ldr %[b], [%[weight], %[even]]\n ldr %[a], [%[weight]], #4\n" EW_TWO_BY_THREE
        "ldr %[even], %[end]\n cmp %[columns], %[even]\n bne 1b\n"
        : [a0] "=&r"(sums.a0), [a1] "=&r"(sums.a1), [a2] "=&r"(sums.a2), [b0] "=&r"(sums.b0), [b1] "=&r"(sums.b1),
          [b2] "=&r"(sums.b2), [columns] "+r"(columns), [weight] "+r"(weight), [a] "=&r"(a), [b] "=&r"(b),
          [a_odd] "=&r"(a_odd), [b_odd] "=&r"(b_odd), [even] "=&r"(even), [odd] "=&r"(odd)
        : "[odd]"((int32_t)bias), [end] "m"(end), [step] "m"(step)
        : "cc", "memory");
    if (count % 4 > 0) {
        const int8_t *last = weight + count % 4 - 4;
        ew_words_of_six(columns, ew_four_codes(last), ew_four_codes(last + step), &sums);
    }
    return sums;
}

/* All 14 registers are taken: the end of the loop lies in memory. */
EW_INLINE ew_six ew_dot_six(const int32_t *columns, const int8_t *weight, int32_t step, int32_t count,
                            const int32_t *bias)
{
    if (!__builtin_constant_p(step) || !__builtin_constant_p(count) || step > EW_FARTHEST_LOAD) {
        return ew_dot_six_any(columns, weight, step, count, bias);
    } else {
        const int32_t fours = count / 4, loops = fours / EW_UNROLLED < 2 ? 0 : fours / EW_UNROLLED;
        const int32_t *const end = columns + loops * EW_UNROLLED * EW_WORDS;
        int32_t a, b, a_odd, b_odd, even, odd;
        ew_six sums;
        __asm(
            "ldrd %[a0], %[b0], [%[odd]]\n"
            "mov %[a1], %[a0]\n mov %[a2], %[a0]\n mov %[b1], %[b0]\n mov %[b2], %[b0]\n"
            ".if %c[loops]\n"
            "1:\n"
            ".rept %c[unrolled]\n"
            "ldr %[b], [%[weight], %[step]]\n ldr %[a], [%[weight]], #4\n" EW_TWO_BY_THREE
            ".endr\n"
            "ldr %[even], %[end]\n cmp %[columns], %[even]\n bne 1b\n"
            ".endif\n"
            ".rept %c[more]\n"
            "ldr %[b], [%[weight], %[step]]\n ldr %[a], [%[weight]], #4\n" EW_TWO_BY_THREE
            ".endr\n"
            ".if %c[rest]\n"
            "ldr %[b], [%[weight], %[step] + %c[rest] - 4]\n ldr %[a], [%[weight], #%c[rest] - 4]\n" EW_TWO_BY_THREE
            ".endif\n"
            : [a0] "=&r"(sums.a0), [a1] "=&r"(sums.a1), [a2] "=&r"(sums.a2), [b0] "=&r"(sums.b0),
              [b1] "=&r"(sums.b1), [b2] "=&r"(sums.b2), [columns] "+r"(columns), [weight] "+r"(weight),
              [a] "=&r"(a), [b] "=&r"(b), [a_odd] "=&r"(a_odd), [b_odd] "=&r"(b_odd), [even] "=&r"(even),
              [odd] "=&r"(odd)
            : "[odd]"((int32_t)bias), [end] "m"(end), [step] "n"(step), [loops] "n"(loops), [unrolled] "n"(EW_UNROLLED),
              [more] "n"(fours - loops * EW_UNROLLED), [rest] "n"(count % 4)
            : "cc", "memory");
        return sums;
    }
}

#else

EW_INLINE ew_six ew_dot_six(const int32_t *columns, const int8_t *weight, int32_t step, int32_t count,
                            const int32_t *bias)
{
    return ew_dot_six_plain(columns, weight, step, count, bias);
}

#endif

#endif
