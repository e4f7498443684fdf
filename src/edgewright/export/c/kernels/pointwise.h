/* Convolution of one tap, stride 1: a product with a matrix at every pixel.
 *
 * x [rows][inputs], weight [outputs][inputs], y [rows][outputs]; the rows are the pixels of the map.
 */
#ifndef EW_POINTWISE_H
#define EW_POINTWISE_H

#include "linear.h"

typedef ew_linear_sizes ew_pointwise_sizes;

EW_INLINE void ew_pointwise(const ew_linear_sizes *s, const int8_t *x, const int8_t *weight, const int32_t *bias,
                            const int32_t *mantissa, const int8_t *shift, int8_t *y)
{
    ew_linear(s, x, weight, bias, mantissa, shift, y);
}

#endif
