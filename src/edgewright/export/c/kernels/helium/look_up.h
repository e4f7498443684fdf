/* Any function of one number: a table with one entry per code, from `low` on. */
#ifndef EW_HELIUM_LOOK_UP_H
#define EW_HELIUM_LOOK_UP_H

#include "codes.h"

typedef struct {
    int32_t count, low;
} ew_helium_look_up_sizes;

EW_INLINE void ew_helium_look_up(const ew_helium_look_up_sizes *s, const int8_t *x, const int8_t *table, int8_t *y)
{
    int32_t i = 0;
    for (; i + 16 <= s->count; i += 16) {
        ew_codes_store(y + i, ew_codes_look_up(table, s->low, ew_codes_load(x + i, 16), 16), 16);
    }
    if (s->count % 16 != 0) {
        const int32_t left = s->count - i;
        ew_codes_store(y + i, ew_codes_look_up(table, s->low, ew_codes_load(x + i, left), left), left);
    }
}

#endif
