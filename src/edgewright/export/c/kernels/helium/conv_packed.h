/* conv.h with weights of 4 bits, as in packed.h: four rows of them become bytes once for all pixels of a strip.
 *
 * scratch holds these four rows, then the strip.
 */
#ifndef EW_HELIUM_CONV_PACKED_H
#define EW_HELIUM_CONV_PACKED_H

#include "conv.h"
#include "packed.h"

typedef ew_helium_conv_sizes ew_helium_conv_packed_sizes;

EW_INLINE void ew_helium_conv_packed(const ew_helium_conv_sizes *s, const int8_t *x, const int8_t *weight,
                                     const int32_t *fours, int8_t *scratch, int8_t *y)
{
    const ew_window *w = &s->window;
    const int32_t step = w->column_stride * w->kernel_rows * s->channels;
    int8_t *strip = scratch + 4 * s->each.inputs;
    for (int32_t row = 0; row < w->out_rows; row++) {
        for (int32_t column = 0; column < w->out_columns; column += s->block) {
            const int32_t left = w->out_columns - column, pixels = left < s->block ? left : s->block;
            ew_strip_of(s, x, row, column, pixels, strip);
            ew_rows_packed(&s->each, strip, step, pixels, weight, fours, scratch, y);
            y += pixels * s->each.outputs;
        }
    }
}

#endif
