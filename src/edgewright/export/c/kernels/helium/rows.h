/* One or two rows of codes times all rows of a weight matrix: the inner loops of convolutions and linear layers.
 *
 * weight [outputs, in whole fours][inputs], the rows beyond `outputs` are 0. fours [outputs / 4] holds, for four
 * outputs each, nine words: 4 biases, 4 mantissas, and the 4 shifts as bytes, so that one register walks through them.
 */
#ifndef EW_HELIUM_ROWS_H
#define EW_HELIUM_ROWS_H

#include "lanes.h"

#define EW_FOUR_WORDS 9

typedef struct {
    int32_t inputs, outputs;
    int32_t small; /* 1 where every multiplier is below 1/2 */
    ew_grid out;
} ew_rows;

#ifdef __ARM_FEATURE_MVE

/* Tail-predicated: the lanes beyond `inputs` are neither read nor added. One more row of x costs one load. */
#define EW_TWO_BY_TWO                                                                                                  \
    "dlstp.8 lr, %[inputs]\n"                                                                                          \
    "1:\n"                                                                                                             \
    "vldrb.8 q0, [%[x0]], #16\n"                                                                                       \
    "vldrb.8 q1, [%[weight]], #16\n"                                                                                   \
    "vmladava.s8 %[a], q0, q1\n"                                                                                       \
    "vldrb.8 q2, [%[x1]], #16\n"                                                                                       \
    "vmladava.s8 %[c], q2, q1\n"                                                                                       \
    "vldrb.8 q3, [%[other]], #16\n"                                                                                    \
    "vmladava.s8 %[b], q0, q3\n"                                                                                       \
    "vmladava.s8 %[d], q2, q3\n"                                                                                       \
    "letp lr, 1b\n"

/* `ew_rows_sums_2` where `inputs` is no constant: what would take two registers more lies in memory. */
EW_INLINE const int8_t *ew_rows_sums_2_any(int32_t inputs, const int8_t *x0, const int8_t *x1, const int8_t *weight,
                                           const int32_t *four, ew_lanes *sums0, ew_lanes *sums1)
{
    const int8_t *other;
    const int32_t passed = (inputs + 15) / 16 * 16, on = inputs - passed;
    int32_t a, b, c, d;
    ew_lanes first, second;
    __asm volatile("ldr %[a], [%[four]]\n"
          "add %[other], %[weight], %[inputs], lsl #1\n"
          "ldr %[b], [%[four], #8]\n"
          "mov %[c], %[a]\n"
          "mov %[d], %[b]\n" EW_TWO_BY_TWO
          "vmov %q[first][2], %q[first][0], %[a], %[b]\n"
          "vmov %q[second][2], %q[second][0], %[c], %[d]\n"
          "ldr %[c], %[passed]\n"
          "sub %[x0], %[x0], %[c]\n"
          "sub %[x1], %[x1], %[c]\n"
          "ldr %[c], %[on]\n"
          "add %[weight], %[weight], %[c]\n"
          "ldr %[a], [%[four], #4]\n"
          "ldr %[b], [%[four], #12]\n"
          "add %[other], %[weight], %[inputs], lsl #1\n"
          "mov %[c], %[a]\n"
          "mov %[d], %[b]\n" EW_TWO_BY_TWO
          "vmov %q[first][3], %q[first][1], %[a], %[b]\n"
          "ldr %[a], %[on]\n"
          "add %[weight], %[other], %[a]\n"
          "vmov %q[second][3], %q[second][1], %[c], %[d]\n"
          : [a] "=&Te"(a), [b] "=&Te"(b), [c] "=&Te"(c), [d] "=&Te"(d), [other] "=&r"(other), [first] "=&w"(first),
            [second] "=&w"(second), [x0] "+&r"(x0), [x1] "+&r"(x1), [weight] "+&r"(weight)
          : [inputs] "r"(inputs), [passed] "m"(passed), [on] "m"(on), [four] "r"(four)
          : "memory", "lr", "q0", "q1", "q2", "q3");
    *sums0 = first;
    *sums1 = second;
    return weight;
}

/* Sums of four outputs for two rows; returns the weights of the next four. */
EW_INLINE const int8_t *ew_rows_sums_2(int32_t inputs, const int8_t *x0, const int8_t *x1, const int8_t *weight,
                                       const int32_t *four, ew_lanes *sums0, ew_lanes *sums1)
{
    const int8_t *other;
    const int32_t passed = (inputs + 15) / 16 * 16;
    int32_t a, b, c, d;
    ew_lanes first, second;
    if (!__builtin_constant_p(inputs)) {
        return ew_rows_sums_2_any(inputs, x0, x1, weight, four, sums0, sums1);
    }
    __asm volatile("ldr %[a], [%[four]]\n"
          "add %[other], %[weight], %[inputs], lsl #1\n"
          "ldr %[b], [%[four], #8]\n"
          "mov %[c], %[a]\n"
          "mov %[d], %[b]\n" EW_TWO_BY_TWO
          "vmov %q[first][2], %q[first][0], %[a], %[b]\n"
          "vmov %q[second][2], %q[second][0], %[c], %[d]\n"
          "sub %[x0], %[x0], %[passed]\n"
          "sub %[x1], %[x1], %[passed]\n"
          "ldr %[a], [%[four], #4]\n"
          "add %[weight], %[weight], %[on]\n"
          "ldr %[b], [%[four], #12]\n"
          "add %[other], %[weight], %[inputs], lsl #1\n"
          "mov %[c], %[a]\n"
          "mov %[d], %[b]\n" EW_TWO_BY_TWO
          "vmov %q[first][3], %q[first][1], %[a], %[b]\n"
          "add %[weight], %[other], %[on]\n"
          "vmov %q[second][3], %q[second][1], %[c], %[d]\n"
          : [a] "=&Te"(a), [b] "=&Te"(b), [c] "=&Te"(c), [d] "=&Te"(d), [other] "=&r"(other), [first] "=&w"(first),
            [second] "=&w"(second), [x0] "+&r"(x0), [x1] "+&r"(x1), [weight] "+&r"(weight)
          : [inputs] "r"(inputs), [passed] "rI"(passed), [on] "rI"(inputs - passed),
            [four] "r"(four)
          : "memory", "lr", "q0", "q1", "q2", "q3");
    *sums0 = first;
    *sums1 = second;
    return weight;
}

/* The same for one row. */
EW_INLINE const int8_t *ew_rows_sums_1(int32_t inputs, const int8_t *x, const int8_t *weight, const int32_t *four,
                                       ew_lanes *sums)
{
    const int8_t *w1, *w2, *w3;
    int32_t a, b, c, d;
    ew_lanes made;
    __asm volatile("ldrd %[a], %[b], [%[four]]\n"
          "ldrd %[c], %[d], [%[four], #8]\n"
          "add %[w1], %[weight], %[inputs]\n"
          "add %[w2], %[w1], %[inputs]\n"
          "add %[w3], %[w2], %[inputs]\n"
          "dlstp.8 lr, %[inputs]\n"
          "1:\n"
          "vldrb.8 q0, [%[x]], #16\n"
          "vldrb.8 q1, [%[weight]], #16\n"
          "vmladava.s8 %[a], q0, q1\n"
          "vldrb.8 q2, [%[w1]], #16\n"
          "vmladava.s8 %[b], q0, q2\n"
          "vldrb.8 q3, [%[w2]], #16\n"
          "vmladava.s8 %[c], q0, q3\n"
          "vldrb.8 q1, [%[w3]], #16\n"
          "vmladava.s8 %[d], q0, q1\n"
          "letp lr, 1b\n"
          "vmov %q[made][2], %q[made][0], %[a], %[c]\n"
          "add %[weight], %[w3], %[on]\n"
          "vmov %q[made][3], %q[made][1], %[b], %[d]\n"
          : [a] "=&Te"(a), [b] "=&Te"(b), [c] "=&Te"(c), [d] "=&Te"(d), [w1] "=&r"(w1), [w2] "=&r"(w2),
            [w3] "=&r"(w3), [made] "=&w"(made), [x] "+&r"(x), [weight] "+&r"(weight)
          : [inputs] "r"(inputs), [on] "rI"(inputs - (inputs + 15) / 16 * 16), [four] "r"(four)
          : "memory", "lr", "q0", "q1", "q2", "q3");
    *sums = made;
    return weight;
}

EW_INLINE ew_lanes ew_rows_shifts(const int32_t *four) { return ew_lanes_codes((const int8_t *)(four + 8)); }

#else

EW_INLINE const int8_t *ew_rows_sums_1(int32_t inputs, const int8_t *x, const int8_t *weight, const int32_t *four,
                                       ew_lanes *sums)
{
    for (int32_t i = 0; i < 4; i++) {
        sums->at[i] = four[i];
        for (int32_t k = 0; k < inputs; k++) {
            sums->at[i] = ew_plus(sums->at[i], (int32_t)x[k] * *weight++);
        }
    }
    return weight;
}

EW_INLINE const int8_t *ew_rows_sums_2(int32_t inputs, const int8_t *x0, const int8_t *x1, const int8_t *weight,
                                       const int32_t *four, ew_lanes *sums0, ew_lanes *sums1)
{
    (void)ew_rows_sums_1(inputs, x0, weight, four, sums0);
    return ew_rows_sums_1(inputs, x1, weight, four, sums1);
}

EW_INLINE ew_lanes ew_rows_shifts(const int32_t *four)
{
    ew_lanes shifts;
    for (int32_t i = 0; i < 4; i++) {
        shifts.at[i] = (int8_t)((uint32_t)four[8] >> (8 * i));
    }
    return shifts;
}

#endif

EW_INLINE ew_lanes ew_rows_codes(const ew_rows *s, ew_lanes sums, const int32_t *four)
{
    return ew_lanes_requantize(sums, ew_lanes_load(four + 4), ew_rows_shifts(four), s->small, &s->out);
}

/* y0 and y1 [outputs] from x0 and x1 [inputs]. */
EW_INLINE void ew_rows_2(const ew_rows *s, const int8_t *x0, const int8_t *x1, const int8_t *weight,
                         const int32_t *four, int8_t *y)
{
    int8_t *const end = y + s->outputs / 4 * 4;
    ew_lanes first, second;
    while (y < end) {
        weight = ew_rows_sums_2(s->inputs, x0, x1, weight, four, &first, &second);
        ew_lanes_store(y, ew_rows_codes(s, first, four));
        ew_lanes_store(y + s->outputs, ew_rows_codes(s, second, four));
        four += EW_FOUR_WORDS;
        y += 4;
    }
    if (s->outputs % 4 != 0) {
        (void)ew_rows_sums_2(s->inputs, x0, x1, weight, four, &first, &second);
        ew_lanes_store_some(y, ew_rows_codes(s, first, four), s->outputs % 4);
        ew_lanes_store_some(y + s->outputs, ew_rows_codes(s, second, four), s->outputs % 4);
    }
}

EW_INLINE void ew_rows_1(const ew_rows *s, const int8_t *x, const int8_t *weight, const int32_t *four, int8_t *y)
{
    int8_t *const end = y + s->outputs / 4 * 4;
    ew_lanes sums;
    while (y < end) {
        weight = ew_rows_sums_1(s->inputs, x, weight, four, &sums);
        ew_lanes_store(y, ew_rows_codes(s, sums, four));
        four += EW_FOUR_WORDS;
        y += 4;
    }
    if (s->outputs % 4 != 0) {
        (void)ew_rows_sums_1(s->inputs, x, weight, four, &sums);
        ew_lanes_store_some(y, ew_rows_codes(s, sums, four), s->outputs % 4);
    }
}

#endif
