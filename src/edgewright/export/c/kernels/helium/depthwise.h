/* Convolution of each channel by itself, by windows of up to 4 x 4: one product of registers makes one output.
 *
 * x [rows][columns][channels], y [out_rows][out_columns][channels]. The strip holds [column][16 channels][4 rows] for
 * `block` output pixels of a row, the code of 0 beside the map in it; so four words, one of each column, are a window,
 * whose last row is the last of the four. channels_of [channels] has eight words each: 0, the taps as [4 columns][4 rows]
 * with 0 where the window has none, bias with -zero_point * sum(weight) in it, mantissa, shift to the left. From the 0 on,
 * the taps are those of the next pixel.
 *
 * Where `stays`, the map keeps its shape and a strip holds a whole row: then it slides down the map, 16 channels after
 * the other, each row is read once, ahead of the one that is written, and y may be x.
 */
#ifndef EW_HELIUM_DEPTHWISE_H
#define EW_HELIUM_DEPTHWISE_H

#include "../window.h"
#include "copy.h"

#define EW_STRIP_CHANNELS 16
#define EW_STRIP_ROWS 4
#define EW_STRIP_PITCH 64
#define EW_CHANNEL_WORDS 8

typedef struct {
    ew_window window;
    int32_t channels, block;
    int32_t zero_point; /* of x */
    int32_t small;      /* 1 where every multiplier is below 1/2 */
    int32_t stays;
    ew_grid out;
} ew_helium_depthwise_sizes;

/* Where the codes of four rows begin, and how far the next column is: 0 where a row lies beside the map. */
typedef struct {
    const int8_t *at[EW_STRIP_ROWS];
    int32_t step[EW_STRIP_ROWS];
} ew_strip_rows;

#ifdef __ARM_FEATURE_MVE

typedef int8x16_t ew_window_codes;

EW_INLINE ew_window_codes ew_window_at(const int8_t *strip)
{
    const uint32x4_t columns = vmulq_n_u32(vidupq_n_u32(0u, 1), EW_STRIP_PITCH);
    return vreinterpretq_s8_s32(vldrwq_gather_offset_s32((const int32_t *)(const void *)strip, columns));
}

EW_INLINE ew_window_codes ew_taps_at(const int32_t *from) { return vreinterpretq_s8_s32(vldrwq_s32(from)); }
EW_INLINE int32_t ew_window_dot(ew_window_codes x, ew_window_codes taps) { return vmladavq_s8(x, taps); }

/* Columns of up to 16 channels, from four rows; each register of 16 lies in every fourth byte of the strip. */
EW_INLINE void ew_interleave(const ew_strip_rows *r, int32_t columns, int32_t channels, int8_t *to)
{
    const int8_t *a = r->at[0], *b = r->at[1], *c = r->at[2], *d = r->at[3];
    for (int32_t i = 0; i < columns; i++) {
        __asm volatile("vctp.8 %[channels]\n"
                       "vpstttt\n"
                       "vldrbt.8 q0, [%[a]]\n"
                       "vldrbt.8 q1, [%[b]]\n"
                       "vldrbt.8 q2, [%[c]]\n"
                       "vldrbt.8 q3, [%[d]]\n"
                       "vst40.8 {q0, q1, q2, q3}, [%[to]]\n"
                       "vst41.8 {q0, q1, q2, q3}, [%[to]]\n"
                       "vst42.8 {q0, q1, q2, q3}, [%[to]]\n"
                       "vst43.8 {q0, q1, q2, q3}, [%[to]]!\n"
                       : [to] "+r"(to)
                       : [a] "r"(a), [b] "r"(b), [c] "r"(c), [d] "r"(d), [channels] "r"(channels)
                       : "memory", "p0", "q0", "q1", "q2", "q3");
        a += r->step[0];
        b += r->step[1];
        c += r->step[2];
        d += r->step[3];
    }
}

/* Every column down by one row: three of its rows stay, and the next one of the map comes behind them. */
EW_INLINE void ew_slide(const int8_t *row, int32_t step, int32_t columns, int32_t channels, int8_t *strip)
{
    for (int32_t i = 0; i < columns; i++) {
        __asm volatile("vctp.8 %[channels]\n"
                       "vld40.8 {q0, q1, q2, q3}, [%[strip]]\n"
                       "vld41.8 {q0, q1, q2, q3}, [%[strip]]\n"
                       "vld42.8 {q0, q1, q2, q3}, [%[strip]]\n"
                       "vld43.8 {q0, q1, q2, q3}, [%[strip]]\n"
                       "vpst\n"
                       "vldrbt.8 q4, [%[row]]\n"
                       "vst40.8 {q1, q2, q3, q4}, [%[strip]]\n"
                       "vst41.8 {q1, q2, q3, q4}, [%[strip]]\n"
                       "vst42.8 {q1, q2, q3, q4}, [%[strip]]\n"
                       "vst43.8 {q1, q2, q3, q4}, [%[strip]]!\n"
                       : [strip] "+r"(strip)
                       : [row] "r"(row), [channels] "r"(channels)
                       : "memory", "p0", "q0", "q1", "q2", "q3", "q4");
        row += step;
    }
}

#else

typedef struct {
    int8_t at[16];
} ew_window_codes;

EW_INLINE ew_window_codes ew_window_at(const int8_t *strip)
{
    ew_window_codes made;
    for (int32_t i = 0; i < 16; i++) {
        made.at[i] = strip[i / 4 * EW_STRIP_PITCH + i % 4];
    }
    return made;
}

EW_INLINE ew_window_codes ew_taps_at(const int32_t *from)
{
    ew_window_codes made;
    for (int32_t i = 0; i < 16; i++) {
        made.at[i] = (int8_t)((uint32_t)from[i / 4] >> (8 * (i % 4)));
    }
    return made;
}

EW_INLINE int32_t ew_window_dot(ew_window_codes x, ew_window_codes taps)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < 16; i++) {
        sum += (int32_t)x.at[i] * taps.at[i];
    }
    return sum;
}

EW_INLINE void ew_interleave(const ew_strip_rows *r, int32_t columns, int32_t channels, int8_t *to)
{
    for (int32_t column = 0; column < columns; column++) {
        for (int32_t i = 0; i < EW_STRIP_ROWS * channels; i++) {
            const int32_t k = i % EW_STRIP_ROWS;
            to[column * EW_STRIP_PITCH + i] = r->at[k][column * r->step[k] + i / EW_STRIP_ROWS];
        }
    }
}

EW_INLINE void ew_slide(const int8_t *row, int32_t step, int32_t columns, int32_t channels, int8_t *strip)
{
    for (int32_t column = 0; column < columns; column++) {
        for (int32_t i = 0; i < channels; i++) {
            int8_t *at = strip + column * EW_STRIP_PITCH + i * EW_STRIP_ROWS;
            for (int32_t k = 0; k + 1 < EW_STRIP_ROWS; k++) {
                at[k] = at[k + 1];
            }
            at[EW_STRIP_ROWS - 1] = row[column * step + i];
        }
    }
}

#endif

/* `count` columns from `first` on, which may lie beside the map, of up to 16 channels; x begins at the first of them. */
EW_INLINE void ew_depthwise_strip(const ew_helium_depthwise_sizes *s, const int8_t *x, int32_t top, int32_t first,
                                  int32_t count, int32_t channels, int8_t *strip)
{
    const ew_window *w = &s->window;
    const int32_t before = first < 0 ? (first + count < 0 ? count : -first) : 0;
    const int32_t beyond = first + count - w->columns, behind = beyond > count ? count : beyond > 0 ? beyond : 0;
    int8_t zeros[EW_STRIP_CHANNELS];
    ew_strip_rows rows;
    ew_fill_codes(zeros, s->zero_point, EW_STRIP_CHANNELS);
    for (int32_t k = 0; k < EW_STRIP_ROWS; k++) {
        const int32_t above = EW_STRIP_ROWS - w->kernel_rows, row = top + k - above;
        const int32_t on_map = k >= above && row >= 0 && row < w->rows;
        rows.at[k] = on_map ? x + (row * w->columns + first + before) * s->channels : zeros;
        rows.step[k] = on_map ? s->channels : 0;
    }
    ew_fill_codes(strip, s->zero_point, before * EW_STRIP_PITCH);
    ew_interleave(&rows, count - before - behind, channels, strip + before * EW_STRIP_PITCH);
    ew_fill_codes(strip + (count - behind) * EW_STRIP_PITCH, s->zero_point, behind * EW_STRIP_PITCH);
}

/* The sums of four pixels side by side. Two share a window's register where the stride is 1 and 3 columns suffice. */
EW_INLINE ew_lanes ew_depthwise_four(const ew_helium_depthwise_sizes *s, const int8_t *strip, ew_window_codes taps,
                                     ew_window_codes next)
{
    const int32_t step = s->window.column_stride * EW_STRIP_PITCH;
    if (s->window.column_stride == 1 && s->window.kernel_columns < 4) {
        const ew_window_codes left = ew_window_at(strip), right = ew_window_at(strip + 2 * step);
        return ew_lanes_of(ew_window_dot(left, taps), ew_window_dot(left, next), ew_window_dot(right, taps),
                           ew_window_dot(right, next));
    }
    return ew_lanes_of(ew_window_dot(ew_window_at(strip), taps), ew_window_dot(ew_window_at(strip + step), taps),
                       ew_window_dot(ew_window_at(strip + 2 * step), taps),
                       ew_window_dot(ew_window_at(strip + 3 * step), taps));
}

/* One channel of `pixels` pixels. */
EW_INLINE void ew_depthwise_channel(const ew_helium_depthwise_sizes *s, const int8_t *strip, const int32_t *channel,
                                    int32_t pixels, int8_t *y)
{
    const ew_window_codes taps = ew_taps_at(channel + 1), next = ew_taps_at(channel);
    const int32_t bias = channel[5], mantissa = channel[6], shift = channel[7];
    int32_t left = pixels;
    for (; left >= 4; left -= 4) {
        const ew_lanes sums = ew_lanes_add_n(ew_depthwise_four(s, strip, taps, next), bias);
        ew_lanes_scatter(y, s->channels, ew_lanes_requantize_n(sums, mantissa, shift, s->small, &s->out));
        strip += 4 * s->window.column_stride * EW_STRIP_PITCH;
        y += 4 * s->channels;
    }
    if (s->window.out_columns % 4 != 0 && left > 0) { /* blocks are whole fours */
        const ew_lanes sums = ew_lanes_add_n(ew_depthwise_four(s, strip, taps, next), bias);
        ew_lanes_scatter_some(y, s->channels, ew_lanes_requantize_n(sums, mantissa, shift, s->small, &s->out), left);
    }
}

/* Up to 16 channels of the whole map. */
EW_INLINE void ew_depthwise_down(const ew_helium_depthwise_sizes *s, const int8_t *x, const int32_t *channels_of,
                                 int32_t channels, int8_t *strip, int8_t *y)
{
    const ew_window *w = &s->window;
    const int32_t count = w->out_columns - 1 + w->kernel_columns, pitch = w->columns * s->channels;
    int8_t zeros[EW_STRIP_CHANNELS];
    ew_fill_codes(zeros, s->zero_point, EW_STRIP_CHANNELS);
    ew_depthwise_strip(s, x, -w->top, -w->left, count, channels, strip);
    for (int32_t row = 0, next = w->kernel_rows - w->top; row < w->out_rows; row++, next++) {
        for (int32_t i = 0; i < channels; i++) {
            ew_depthwise_channel(s, strip + i * EW_STRIP_ROWS, channels_of + i * EW_CHANNEL_WORDS, w->out_columns,
                                 y + row * pitch + i);
        }
        if (row + 1 == w->out_rows) {
            break;
        }
        if (next < w->rows) {
            ew_slide(x + next * pitch, s->channels, w->columns, channels, strip + w->left * EW_STRIP_PITCH);
        } else {
            ew_slide(zeros, 0, w->columns, channels, strip + w->left * EW_STRIP_PITCH);
        }
    }
}

EW_INLINE void ew_helium_depthwise(const ew_helium_depthwise_sizes *s, const int8_t *x, const int32_t *channels_of,
                                   int8_t *strip, int8_t *y)
{
    const ew_window *w = &s->window;
    if (s->stays) {
        for (int32_t c = 0; c < s->channels; c += EW_STRIP_CHANNELS) {
            const int32_t more = s->channels - c, channels = more < EW_STRIP_CHANNELS ? more : EW_STRIP_CHANNELS;
            ew_depthwise_down(s, x + c, channels_of + c * EW_CHANNEL_WORDS, channels, strip, y + c);
        }
        return;
    }
    for (int32_t row = 0; row < w->out_rows; row++) {
        for (int32_t column = 0; column < w->out_columns; column += s->block) {
            const int32_t left = w->out_columns - column, pixels = left < s->block ? left : s->block;
            const int32_t first = column * w->column_stride - w->left;
            const int32_t count = (pixels - 1) * w->column_stride + w->kernel_columns;
            const int32_t *channel = channels_of;
            for (int32_t c = 0; c < s->channels; c += EW_STRIP_CHANNELS) {
                const int32_t more = s->channels - c, channels = more < EW_STRIP_CHANNELS ? more : EW_STRIP_CHANNELS;
                ew_depthwise_strip(s, x + c, row * w->row_stride - w->top, first, count, channels, strip);
                for (int32_t i = 0; i < channels; i++) {
                    ew_depthwise_channel(s, strip + i * EW_STRIP_ROWS, channel, pixels, y + c + i);
                    channel += EW_CHANNEL_WORDS;
                }
            }
            y += pixels * s->channels;
        }
    }
}

#endif
