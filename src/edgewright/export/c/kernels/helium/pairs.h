/* Two tensors of which either may be broadcast, four codes at a time along the inner axis. */
#ifndef EW_HELIUM_PAIRS_H
#define EW_HELIUM_PAIRS_H

#include "../pair.h"
#include "lanes.h"

/* Four codes of a tensor along the inner axis, or one that is repeated; `count` of them are on the map. */
EW_INLINE ew_lanes ew_pair_lanes(const int8_t *from, int32_t step, int32_t count)
{
    return step == 0 ? ew_lanes_all(*from) : count >= 4 ? ew_lanes_codes(from) : ew_lanes_some_codes(from, count);
}

/* Writes the lanes `result`, made of `first` and `second`, for each place of y. */
#define EW_EACH_PAIR(p, a, b, y, result)                                                                               \
    for (int32_t i = 0; i < (p)->outer; i++) {                                                                         \
        for (int32_t j = 0; j < (p)->middle; j++) {                                                                    \
            const int8_t *from_a = (a) + ew_first(p, i, j, 0), *from_b = (b) + ew_second(p, i, j, 0);                  \
            int32_t k = 0;                                                                                             \
            for (; k + 4 <= (p)->inner; k += 4) {                                                                      \
                const ew_lanes first = ew_pair_lanes(from_a + k * (p)->a_inner, (p)->a_inner, 4);                      \
                const ew_lanes second = ew_pair_lanes(from_b + k * (p)->b_inner, (p)->b_inner, 4);                     \
                ew_lanes_store((y) + k, (result));                                                                     \
            }                                                                                                          \
            if ((p)->inner % 4 != 0) {                                                                                 \
                const int32_t left = (p)->inner - k;                                                                   \
                const ew_lanes first = ew_pair_lanes(from_a + k * (p)->a_inner, (p)->a_inner, left);                   \
                const ew_lanes second = ew_pair_lanes(from_b + k * (p)->b_inner, (p)->b_inner, left);                  \
                ew_lanes_store_some((y) + k, (result), left);                                                          \
            }                                                                                                          \
            (y) += (p)->inner;                                                                                         \
        }                                                                                                              \
    }

#endif
