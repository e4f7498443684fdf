/* The same codes at another place: y [count] comes from x, and the two may overlap in any way. */
#ifndef EW_COPY_H
#define EW_COPY_H

#include "numbers.h"

#include <string.h>

typedef struct {
    int32_t count;
} ew_copy_sizes;

/* Words first, through memcpy: the compiler makes one load and one store of it. */
EW_INLINE void ew_copy(const ew_copy_sizes *s, const int8_t *x, int8_t *y)
{
    const int32_t words = s->count / 4;
    int32_t word;
    if ((uintptr_t)y <= (uintptr_t)x) {
        for (int32_t i = 0; i < words; i++) {
            memcpy(&word, x + 4 * i, 4);
            memcpy(y + 4 * i, &word, 4);
        }
        for (int32_t i = 4 * words; i < s->count; i++) {
            y[i] = x[i];
        }
    } else {
        for (int32_t i = s->count - 1; i >= 4 * words; i--) {
            y[i] = x[i];
        }
        for (int32_t i = words - 1; i >= 0; i--) {
            memcpy(&word, x + 4 * i, 4);
            memcpy(y + 4 * i, &word, 4);
        }
    }
}

#endif
