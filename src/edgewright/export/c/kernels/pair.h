/* Two tensors of which either may be broadcast: walked as three axes, with a step of 0 where one is repeated. */
#ifndef EW_PAIR_H
#define EW_PAIR_H

#include "numbers.h"

typedef struct {
    int32_t outer, middle, inner;
    int32_t a_outer, a_middle, a_inner; /* steps of the first */
    int32_t b_outer, b_middle, b_inner; /* steps of the second */
} ew_pair;

EW_INLINE int32_t ew_first(const ew_pair *p, int32_t i, int32_t j, int32_t k)
{
    return i * p->a_outer + j * p->a_middle + k * p->a_inner;
}

EW_INLINE int32_t ew_second(const ew_pair *p, int32_t i, int32_t j, int32_t k)
{
    return i * p->b_outer + j * p->b_middle + k * p->b_inner;
}

#endif
