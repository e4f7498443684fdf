/* A row of outputs of 3x3 taps on one channel: the inner loop of depthwise.h.
 *
 * A row of pairs holds (x0, x1), (x2, x3), and so on; the weights of a row of taps are (w0, w1), (w1, w2). Outputs in
 * steps of one are made two by two from the same two pairs: x0 w0 + x1 w1 + x2 w2, and x1 w0 + x2 w1 + x3 w2.
 */
#ifndef EW_DSP_NINE_TAPS_H
#define EW_DSP_NINE_TAPS_H

#include "requantize.h"

/* Weights of three rows of taps. */
typedef struct {
    int32_t a0, b0, a1, b1, a2, b2;
} ew_nine;

/* The sum at the first column of two pairs, and at the second. */
EW_INLINE int32_t ew_nine_first(const int32_t *r0, const int32_t *r1, const int32_t *r2, const ew_nine *t, int32_t sum)
{
    sum = ew_smlabt(r0[1], t->b0, ew_smlad(r0[0], t->a0, sum));
    sum = ew_smlabt(r1[1], t->b1, ew_smlad(r1[0], t->a1, sum));
    return ew_smlabt(r2[1], t->b2, ew_smlad(r2[0], t->a2, sum));
}

EW_INLINE int32_t ew_nine_second(const int32_t *r0, const int32_t *r1, const int32_t *r2, const ew_nine *t, int32_t sum)
{
    sum = ew_smlabt(t->a0, r0[0], ew_smlad(r0[1], t->b0, sum));
    sum = ew_smlabt(t->a1, r1[0], ew_smlad(r1[1], t->b1, sum));
    return ew_smlabt(t->a2, r2[0], ew_smlad(r2[1], t->b2, sum));
}

/* Outputs in steps of two columns: one for each pair. */
EW_INLINE void ew_nine_taps_apart(const int32_t *rows, int32_t pitch, const ew_nine *t, int32_t bias,
                                  ew_channel channel, const ew_end *end, int32_t count, int32_t step, int8_t *y)
{
    for (int32_t i = 0; i < count; i++, rows++, y += step) {
        *y = ew_code_of(ew_nine_first(rows, rows + pitch, rows + 2 * pitch, t, bias), channel, end);
    }
}

#if EW_HAS_DSP && defined(__thumb2__) && defined(__OPTIMIZE__) && !defined(EW_NO_ASSEMBLY)
#define EW_NINE_IN_ASSEMBLY 1
#else
#define EW_NINE_IN_ASSEMBLY 0
#endif

#if EW_NINE_IN_ASSEMBLY

#define EW_NINE_ROW(at, a, b)                                                                        \
    "ldrd %[even], %[odd], " at "\n"                                                                 \
    "smlad %[first], %[even], " a ", %[first]\n smlad %[second], %[odd], " b ", %[second]\n"         \
    "smlabt %[first], %[odd], " b ", %[first]\n smlabt %[second], " a ", %[even], %[second]\n"

/* `ew_before_shift` of both. */
#if EW_ROUNDINGS == 1
#define EW_NINE_SCALE \
    "smmla %[first], %[first], %[even], %[odd]\n smmla %[second], %[second], %[even], %[odd]\n"
#else
#define EW_NINE_SCALE                                                                                             \
    "lsl %[first], %[first], #1\n lsl %[second], %[second], #1\n"                                                 \
    "smmulr %[first], %[first], %[even]\n smmulr %[second], %[second], %[even]\n"                                 \
    "add %[first], %[first], %[first], asr #31\n add %[second], %[second], %[second], asr #31\n"                  \
    "add %[first], %[first], %[odd]\n add %[second], %[second], %[odd]\n"
#endif

/* Two outputs after the other up to `stop`; what they share lies in memory, for the registers are taken. */
EW_INLINE void ew_nine_pairs(const int32_t *rows, int32_t pitch, const ew_nine *t, int32_t bias, ew_channel channel,
                             int32_t step, int8_t *y, const int8_t *stop)
{
    const struct {
        int32_t bias, mantissa, offset, shift;
        const int8_t *stop;
    } shared = {bias, channel.mantissa, channel.offset, channel.shift, stop};
    int32_t first, second, even, odd;
    __asm volatile(
        "1:\n"
        "ldr %[first], [%[shared]]\n"
        "mov %[second], %[first]\n" EW_NINE_ROW("[%[rows], %[far]]", "%[a2]", "%[b2]")
            EW_NINE_ROW("[%[rows], %[near]]", "%[a1]", "%[b1]") EW_NINE_ROW("[%[rows]], #4", "%[a0]", "%[b0]")
        "ldrd %[even], %[odd], [%[shared], #4]\n" EW_NINE_SCALE
        "ldrd %[even], %[odd], [%[shared], #12]\n"
        "asr %[first], %[first], %[even]\n asr %[second], %[second], %[even]\n"
        "ssat %[first], #8, %[first]\n ssat %[second], #8, %[second]\n"
        "strb %[second], [%[y], %[step]]\n"
        ".if %c[twice] < 256\n"
        "strb %[first], [%[y]], %[twice]\n"
        ".else\n"
        "strb %[first], [%[y]]\n add %[y], %[y], %[twice]\n"
        ".endif\n"
        "cmp %[y], %[odd]\n bne 1b\n"
        : [rows] "+r"(rows), [y] "+r"(y), [first] "=&r"(first), [second] "=&r"(second), [even] "=&r"(even),
          [odd] "=&r"(odd)
        : [a0] "r"(t->a0), [b0] "r"(t->b0), [a1] "r"(t->a1), [b1] "r"(t->b1), [a2] "r"(t->a2), [b2] "r"(t->b2),
          [shared] "r"(&shared), [near] "n"(4 * pitch), [far] "n"(8 * pitch), [step] "n"(step), [twice] "n"(2 * step)
        : "cc", "memory");
}

#if !defined(__clang__)

/* The same where sizes are no constants: rows go from one row of pairs to the next, `shared` has the step. */
EW_INLINE void ew_nine_pairs_any(const int32_t *rows, int32_t pitch, const ew_nine *t, int32_t bias, ew_channel channel,
                                 int32_t step, int8_t *y, const int8_t *stop)
{
    const struct {
        int32_t bias, mantissa, offset, shift, step;
        const int8_t *stop;
    } shared = {bias, channel.mantissa, channel.offset, channel.shift, step, stop};
    int32_t first, second, even, odd;
    __asm volatile(
        "1:\n"
        "ldr %[first], [%[shared]]\n"
        "mov %[second], %[first]\n" EW_NINE_ROW("[%[rows]]", "%[a0]", "%[b0]")
        "add %[rows], %[rows], %[pitch]\n" EW_NINE_ROW("[%[rows]]", "%[a1]", "%[b1]")
        "add %[rows], %[rows], %[pitch]\n" EW_NINE_ROW("[%[rows]], #4", "%[a2]", "%[b2]")
        "sub %[rows], %[rows], %[pitch], lsl #1\n"
        "ldrd %[even], %[odd], [%[shared], #4]\n" EW_NINE_SCALE
        "ldrd %[even], %[odd], [%[shared], #12]\n"
        "asr %[first], %[first], %[even]\n asr %[second], %[second], %[even]\n"
        "ssat %[first], #8, %[first]\n ssat %[second], #8, %[second]\n"
        "strb %[first], [%[y]]\n"
        "strb %[second], [%[y], %[odd]]\n"
        "ldr %[even], [%[shared], #20]\n"
        "add %[y], %[y], %[odd], lsl #1\n"
        "cmp %[y], %[even]\n bne 1b\n"
        : [rows] "+r"(rows), [y] "+r"(y), [first] "=&r"(first), [second] "=&r"(second), [even] "=&r"(even),
          [odd] "=&r"(odd)
        : [a0] "r"(t->a0), [b0] "r"(t->b0), [a1] "r"(t->a1), [b1] "r"(t->b1), [a2] "r"(t->a2), [b2] "r"(t->b2),
          [shared] "r"(&shared), [pitch] "r"(4 * pitch)
        : "cc", "memory");
}

#endif

#endif

/* Outputs in steps of one column, two by two; `step` bytes lie between them. */
EW_INLINE void ew_nine_taps(const int32_t *rows, int32_t pitch, const ew_nine *t, int32_t bias, ew_channel channel,
                            const ew_end *end, int32_t count, int32_t step, int8_t *y)
{
    int32_t i = 0;
#if EW_NINE_IN_ASSEMBLY
    if (count >= 2 && end->fused && end->out.low == -128 && end->out.high == 127) {
        const int8_t *stop = y + count / 2 * 2 * step;
        if (__builtin_constant_p(pitch) && __builtin_constant_p(step) && 8 * pitch < 1024 && 2 * step < 4096) {
            ew_nine_pairs(rows, pitch, t, bias, channel, step, y, stop);
            i = count / 2 * 2;
        }
#if !defined(__clang__)
        else {
            ew_nine_pairs_any(rows, pitch, t, bias, channel, step, y, stop);
            i = count / 2 * 2;
        }
#endif
    }
#endif
    for (; i < count; i += 2) {
        const int32_t *r0 = rows + i / 2, *r1 = r0 + pitch, *r2 = r1 + pitch;
        y[i * step] = ew_code_of(ew_nine_first(r0, r1, r2, t, bias), channel, end);
        if (i + 1 < count) {
            y[(i + 1) * step] = ew_code_of(ew_nine_second(r0, r1, r2, t, bias), channel, end);
        }
    }
}

#endif
