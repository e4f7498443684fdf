/* Numbers for codes, at the end of a network: y = (code - zero_point) * scale, rounded once. */
#ifndef EW_DEQUANTIZE_H
#define EW_DEQUANTIZE_H

#include "numbers.h"

typedef struct {
    int32_t count, zero_point;
} ew_dequantize_sizes;

EW_INLINE void ew_dequantize(const ew_dequantize_sizes *s, const int8_t *x, const double *scale, float *y)
{
    for (int32_t i = 0; i < s->count; i++) {
        y[i] = (float)((double)(x[i] - s->zero_point) * scale[0]);
    }
}

#endif
