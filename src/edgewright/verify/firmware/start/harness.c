/* Runs the model on every input of the tape, counts, and hands out what it made.
 *
 * The tape is what the emulator put into memory beside the device's own: five words {magic, number of images, flags,
 * words of an image, 0}, then the images, each its inputs one after the other, every input padded to whole words.
 */
#include "harness.h"

#include <string.h>

#include "subject.h"

#define TAPE_MAGIC 0x45574650u
#define PAINT 0xC5C5C5C5u
#define PAINTED_BELOW 16u /* words left alone below the painter's own frame */

enum { FLAG_VALUES = 1u }; /* hand out the values of every layer */

struct tape {
  uint32_t magic, num_images, flags, words_per_image, unused;
};

extern uint32_t ew_stack_low[], ew_stack_top[];

static const struct tape *const tape = (const struct tape *)EW_TAPE_AT;

__attribute__((noinline)) static void paint_stack(void) {
  const volatile uint32_t *end = (const volatile uint32_t *)__builtin_frame_address(0) - PAINTED_BELOW;
  for (volatile uint32_t *word = ew_stack_low; word < end; ++word) {
    *word = PAINT;
  }
}

__attribute__((noinline)) static uint32_t painted_off(void) {
  const uint32_t *word = ew_stack_low;
  while (word < ew_stack_top && *word == PAINT) {
    ++word;
  }
  return (uint32_t)((uintptr_t)ew_stack_top - (uintptr_t)word);
}

/* The fine counter is read last before the work and first behind it, so that nothing else is counted. */
static inline struct ew_moment begin(void) {
  struct ew_moment now;
  now.coarse = ew_hundredths();
  now.fine = ew_ticks();
  return now;
}

static inline struct ew_moment since(struct ew_moment began) {
  const uint32_t fine = ew_ticks();
  return (struct ew_moment){fine - began.fine, ew_hundredths() - began.coarse};
}

#ifdef EW_TRACE
static struct ew_moment layer_began;

/* Called by the model after each operation, with what the operation made. */
void ew_trace(uint32_t index, const void *values, uint32_t num_bytes) {
  const struct ew_moment took = since(layer_began);
  const uint32_t shown = (tape->flags & FLAG_VALUES) != 0u ? num_bytes : 0u;
  ew_record(EW_LAYER, index, took, values, shown);
  layer_began = begin();
}
#endif

__attribute__((noinline)) static struct ew_moment timed_run(void) {
  const struct ew_moment began = begin();
#ifdef EW_TRACE
  layer_began = began;
#endif
  ew_subject_run();
  return since(began);
}

static void fill_inputs(const uint32_t *image) {
  for (uint32_t i = 0; i < EW_NUM_INPUTS; ++i) {
    memcpy(ew_subject_input(i), image, ew_input_bytes[i]);
    image += (ew_input_bytes[i] + 3u) / 4u;
  }
}

static void hand_out_outputs(uint32_t image) {
  for (uint32_t i = 0; i < EW_NUM_OUTPUTS; ++i) {
    ew_record(EW_OUTPUT, i, (struct ew_moment){image, 0u}, ew_subject_output(i), ew_output_bytes[i]);
  }
}

static struct ew_moment empty_run(void) {
  const struct ew_moment began = begin();
  return since(began);
}

void ew_harness(void) {
  const uint32_t *image = (const uint32_t *)(tape + 1);
  if (tape->magic != TAPE_MAGIC) {
    ew_exit(EW_EXIT_TAPE);
  }
  ew_record(EW_EMPTY, 0u, empty_run(), 0, 0u);
  for (uint32_t i = 0; i < tape->num_images; ++i, image += tape->words_per_image) {
    fill_inputs(image);
    paint_stack();
    const struct ew_moment took = timed_run();
    const struct ew_moment stack_bytes = {painted_off(), 0u};
    ew_record(EW_RUN, i, took, 0, 0u);
    ew_record(EW_STACK, i, stack_bytes, 0, 0u);
    hand_out_outputs(i);
  }
  ew_record(EW_DONE, 0u, (struct ew_moment){0u, 0u}, 0, 0u);
  ew_exit(EW_EXIT_DONE);
}
