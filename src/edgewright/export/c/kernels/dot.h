/* Sums of products of codes: the inner loops of convolutions and linear layers.
 *
 * A layer whose weights have at most 4 bits keeps them packed: two codes a byte, the earlier one in the lower half, each
 * row in whole bytes. Whether it does is a constant of the layer.
 */
#ifndef EW_DOT_H
#define EW_DOT_H

#include "nibbles.h"

/* A row of weights from its code `first` on. */
typedef struct {
    const int8_t *row;
    int32_t first, packed;
} ew_weights;

/* Row `index` of rows of `count` codes. */
EW_INLINE ew_weights ew_row_of(const int8_t *weight, int32_t index, int32_t count, int32_t packed)
{
    const ew_weights row = {weight + index * ew_row_bytes(count, packed), 0, packed};
    return row;
}

EW_INLINE ew_weights ew_from(ew_weights w, int32_t offset)
{
    if (w.packed) {
        w.first += offset;
    } else {
        w.row += offset;
    }
    return w;
}

EW_INLINE int32_t ew_weight(ew_weights w, int32_t index)
{
    return ew_code_at(w.row, w.first + index, w.packed);
}

/* Sums of four output channels, whose rows of weights have `step` codes each. */
typedef struct {
    int32_t a, b, c, d;
} ew_four;

EW_INLINE void ew_add_lower(int32_t code, const int8_t *bytes, int32_t step, ew_four *sums)
{
    sums->a = ew_plus(sums->a, code * ew_lower(bytes[0]));
    sums->b = ew_plus(sums->b, code * ew_lower(bytes[step]));
    sums->c = ew_plus(sums->c, code * ew_lower(bytes[2 * step]));
    sums->d = ew_plus(sums->d, code * ew_lower(bytes[3 * step]));
}

EW_INLINE void ew_add_upper(int32_t code, const int8_t *bytes, int32_t step, ew_four *sums)
{
    sums->a = ew_plus(sums->a, code * ew_upper(bytes[0]));
    sums->b = ew_plus(sums->b, code * ew_upper(bytes[step]));
    sums->c = ew_plus(sums->c, code * ew_upper(bytes[2 * step]));
    sums->d = ew_plus(sums->d, code * ew_upper(bytes[3 * step]));
}

/* Packed rows, byte by byte; they may begin and end within a byte. */
EW_INLINE void ew_dot_four_packed(const int8_t *x, ew_weights w, int32_t step, int32_t count, ew_four *sums)
{
    const int8_t *bytes = w.row + w.first / 2;
    const int32_t apart = ew_row_bytes(step, 1);
    ew_four made = *sums;
    int32_t i = 0;
    if (w.first % 2 != 0) {
        ew_add_upper(x[i++], bytes++, apart, &made);
    }
    for (; i + 2 <= count; i += 2, bytes++) {
        ew_add_lower(x[i], bytes, apart, &made);
        ew_add_upper(x[i + 1], bytes, apart, &made);
    }
    if (i < count) {
        ew_add_lower(x[i], bytes, apart, &made);
    }
    *sums = made;
}

EW_INLINE void ew_dot_four_plain(const int8_t *x, const int8_t *weight, int32_t step, int32_t count, ew_four *sums)
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

EW_INLINE void ew_dot_four(const int8_t *x, ew_weights w, int32_t step, int32_t count, ew_four *sums)
{
    if (w.packed) {
        ew_dot_four_packed(x, w, step, count, sums);
    } else {
        ew_dot_four_plain(x, w.row + w.first, step, count, sums);
    }
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

EW_INLINE int32_t ew_dot(const int8_t *x, ew_weights w, int32_t count, int32_t sum)
{
    for (int32_t i = 0; i < count; i++) {
        sum = ew_plus(sum, x[i] * ew_weight(w, i));
    }
    return sum;
}

/* What `count` taps beside the map add: every one of them holds the same code. */
EW_INLINE int32_t ew_dot_constant(int32_t code, ew_weights w, int32_t count, int32_t sum)
{
    if (code != 0) {
        for (int32_t i = 0; i < count; i++) {
            sum = ew_plus(sum, code * ew_weight(w, i));
        }
    }
    return sum;
}

EW_INLINE void ew_dot_constant_four(int32_t code, ew_weights w, int32_t step, int32_t count, ew_four *sums)
{
    const int32_t apart = ew_row_bytes(step, w.packed);
    sums->a = ew_dot_constant(code, w, count, sums->a);
    w.row += apart;
    sums->b = ew_dot_constant(code, w, count, sums->b);
    w.row += apart;
    sums->c = ew_dot_constant(code, w, count, sums->c);
    w.row += apart;
    sums->d = ew_dot_constant(code, w, count, sums->d);
}

#endif
