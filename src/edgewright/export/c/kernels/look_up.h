/* Any function of one number: a table with one entry per code, from `low` on. */
#ifndef EW_LOOK_UP_H
#define EW_LOOK_UP_H

#include "numbers.h"

typedef struct {
    int32_t count, low;
} ew_look_up_sizes;

EW_INLINE void ew_look_up(const ew_look_up_sizes *s, const int8_t *x, const int8_t *table, int8_t *y)
{
    for (int32_t i = 0; i < s->count; i++) {
        y[i] = table[x[i] - s->low];
    }
}

#endif
