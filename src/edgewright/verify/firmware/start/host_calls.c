/* Semihosting: the firmware stops at a breakpoint and the emulator serves the call. The only file is the console. */
#include "harness.h"

enum { SYS_OPEN = 0x01, SYS_WRITE = 0x05, SYS_EXIT_EXTENDED = 0x20 };
enum { MODE_WRITE = 4, APPLICATION_EXIT = 0x20026 };

static uint32_t host_call(uint32_t number, const uint32_t *block) {
  register uint32_t r0 __asm("r0") = number;
  register const uint32_t *r1 __asm("r1") = block;
  __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

static uint32_t console;

/* The host may take fewer bytes than it is given, and says how many it left. */
static void write_console(const void *bytes, uint32_t num_bytes) {
  while (num_bytes > 0u) {
    const uint32_t block[3] = {console, (uint32_t)bytes, num_bytes};
    const uint32_t left = host_call(SYS_WRITE, block);
    if (left < num_bytes) {
      bytes = (const uint8_t *)bytes + (num_bytes - left);
      num_bytes = left;
    }
  }
}

void ew_record(enum ew_kind kind, uint32_t index, struct ew_moment value, const void *bytes, uint32_t num_bytes) {
  const uint32_t head[5] = {(uint32_t)kind, index, value.fine, value.coarse, num_bytes};
  if (console == 0u) {
    static const char name[] = ":tt";
    const uint32_t block[3] = {(uint32_t)name, MODE_WRITE, sizeof name - 1u};
    console = host_call(SYS_OPEN, block);
  }
  write_console(head, sizeof head);
  write_console(bytes, num_bytes);
}

uint32_t ew_ticks(void) { return *(const volatile uint32_t *)EW_COUNTER_AT; }

void ew_exit(uint32_t code) {
  const uint32_t block[2] = {APPLICATION_EXIT, code};
  for (;;) {
    host_call(SYS_EXIT_EXTENDED, block);
  }
}
