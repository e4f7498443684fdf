/* Codes in another order of axes: y is written in order, x is read in steps (the first axis is the outermost). */
#ifndef EW_TRANSPOSE_H
#define EW_TRANSPOSE_H

#include "numbers.h"

typedef struct {
    int32_t count[5], step[5];
} ew_transpose_sizes;

EW_INLINE void ew_transpose(const ew_transpose_sizes *s, const int8_t *x, int8_t *y)
{
    for (int32_t a = 0; a < s->count[0]; a++) {
        for (int32_t b = 0; b < s->count[1]; b++) {
            for (int32_t c = 0; c < s->count[2]; c++) {
                for (int32_t d = 0; d < s->count[3]; d++) {
                    const int32_t first = a * s->step[0] + b * s->step[1] + c * s->step[2] + d * s->step[3];
                    for (int32_t e = 0; e < s->count[4]; e++) {
                        *y++ = x[first + e * s->step[4]];
                    }
                }
            }
        }
    }
}

#endif
