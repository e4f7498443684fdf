/* Zeros around a tensor of three axes, x [outer][middle][inner]; the code of 0 is `fill`. */
#ifndef EW_PAD_H
#define EW_PAD_H

#include "numbers.h"

typedef struct {
    int32_t outer, middle, inner;             /* of x */
    int32_t out_outer, out_middle, out_inner; /* of y */
    int32_t outer_before, middle_before, inner_before;
    int8_t fill;
} ew_pad_sizes;

EW_INLINE void ew_pad(const ew_pad_sizes *s, const int8_t *x, int8_t *y)
{
    for (int32_t i = 0; i < s->out_outer; i++) {
        for (int32_t j = 0; j < s->out_middle; j++) {
            for (int32_t k = 0; k < s->out_inner; k++) {
                const int32_t a = i - s->outer_before, b = j - s->middle_before, c = k - s->inner_before;
                const int32_t on_map = a >= 0 && a < s->outer && b >= 0 && b < s->middle && c >= 0 && c < s->inner;
                *y++ = on_map ? x[(a * s->middle + b) * s->inner + c] : s->fill;
            }
        }
    }
}

#endif
