/* Sums of products of codes: the inner loops of convolutions and linear layers. */
#ifndef EW_DOT_H
#define EW_DOT_H

#include "numbers.h"

/* Sums of four output channels, whose weights lie `step` apart. */
typedef struct {
    int32_t a, b, c, d;
} ew_four;

EW_INLINE void ew_dot_four(const int8_t *x, const int8_t *weight, int32_t step, int32_t count, ew_four *sums)
{
    const int8_t *w0 = weight, *w1 = weight + step, *w2 = weight + 2 * step, *w3 = weight + 3 * step;
    int32_t a = sums->a, b = sums->b, c = sums->c, d = sums->d;
    for (int32_t i = 0; i < count; i++) {
        const int32_t code = x[i];
        a = ew_plus(a, code * w0[i]);
        b = ew_plus(b, code * w1[i]);
        c = ew_plus(c, code * w2[i]);
        d = ew_plus(d, code * w3[i]);
    }
    sums->a = a;
    sums->b = b;
    sums->c = c;
    sums->d = d;
}

/* Their codes. */
EW_INLINE void ew_requantize_four(const ew_four *sums, const int32_t *mantissa, const int8_t *shift,
                                  int32_t high_word, const ew_grid *out, int8_t *y)
{
    y[0] = ew_requantize(sums->a, mantissa[0], shift[0], high_word, out);
    y[1] = ew_requantize(sums->b, mantissa[1], shift[1], high_word, out);
    y[2] = ew_requantize(sums->c, mantissa[2], shift[2], high_word, out);
    y[3] = ew_requantize(sums->d, mantissa[3], shift[3], high_word, out);
}

EW_INLINE int32_t ew_dot(const int8_t *x, const int8_t *weight, int32_t count, int32_t sum)
{
    for (int32_t i = 0; i < count; i++) {
        sum = ew_plus(sum, (int32_t)x[i] * weight[i]);
    }
    return sum;
}

/* What `count` taps beside the map add: every one of them holds the same code. */
EW_INLINE int32_t ew_dot_constant(int32_t code, const int8_t *weight, int32_t count, int32_t sum)
{
    if (code != 0) {
        for (int32_t i = 0; i < count; i++) {
            sum = ew_plus(sum, code * weight[i]);
        }
    }
    return sum;
}

EW_INLINE void ew_dot_constant_four(int32_t code, const int8_t *weight, int32_t step, int32_t count, ew_four *sums)
{
    sums->a = ew_dot_constant(code, weight, count, sums->a);
    sums->b = ew_dot_constant(code, weight + step, count, sums->b);
    sums->c = ew_dot_constant(code, weight + 2 * step, count, sums->c);
    sums->d = ew_dot_constant(code, weight + 3 * step, count, sums->d);
}

#endif
