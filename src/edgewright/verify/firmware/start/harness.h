/* What the parts of the harness share. board.h is written for each build: addresses, and the regions of the fence. */
#ifndef EW_HARNESS_H
#define EW_HARNESS_H

#include <stdint.h>

enum ew_kind { EW_EMPTY = 1, EW_RUN, EW_OUTPUT, EW_LAYER, EW_STACK, EW_FAULT, EW_DONE };
enum ew_exit { EW_EXIT_DONE = 0, EW_EXIT_TAPE = 97, EW_EXIT_FAULT = 99 };

/* A moment of virtual time: in steps of the fine counter, which wraps after minutes, and in hundredths of a second. */
struct ew_moment {
  uint32_t fine, coarse;
};

/* Hand one record to the host: five words {kind, index, fine, coarse, num_bytes}, then the bytes. */
void ew_record(enum ew_kind kind, uint32_t index, struct ew_moment value, const void *bytes, uint32_t num_bytes);

/* End the emulator with this exit code. */
__attribute__((noreturn)) void ew_exit(uint32_t code);

/* Run the model on every input of the tape; called once memory, FPU and fence are set up. */
__attribute__((noreturn)) void ew_harness(void);

#include "board.h"

#define EW_COARSE_AT (EW_COUNTER_AT - 4u)

/* The fine counter. A function of its own: whoever counts blocks of code in place of a clock finds it at a block's start. */
uint32_t ew_ticks(void);

static inline uint32_t ew_hundredths(void) { return *(const volatile uint32_t *)EW_COARSE_AT; }

#endif
