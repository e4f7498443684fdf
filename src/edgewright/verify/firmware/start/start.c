/* From reset to the harness: vectors, floating point, memory, and the fence around the device's real memories. */
#include "harness.h"

extern uint32_t ew_stack_top[], ew_data_from[], ew_data[], ew_data_end[], ew_bss[], ew_bss_end[];

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define CPACR REGISTER(0xE000ED88u) /* access to the floating-point unit */
#define SHCSR REGISTER(0xE000ED24u) /* which faults have handlers of their own */
#define MPU_CTRL REGISTER(0xE000ED94u)
#define MPU_RNR REGISTER(0xE000ED98u)
#define MPU_RBAR REGISTER(0xE000ED9Cu)
#define MPU_RASR REGISTER(0xE000EDA0u) /* PMSAv8 calls it RLAR */
#define MPU_MAIR0 REGISTER(0xE000EDC0u)

static void fence(void) {
  static const uint32_t regions[][2] = EW_FENCE;
#if EW_PMSA == 8
  MPU_MAIR0 = 0x04FFu; /* attribute 0: cached memory; attribute 1: device */
#endif
  for (uint32_t i = 0; i < sizeof regions / sizeof regions[0]; ++i) {
    MPU_RNR = i;
    MPU_RBAR = regions[i][0];
    MPU_RASR = regions[i][1];
  }
  MPU_CTRL = 1u; /* no default map behind the regions, not even for privileged code */
  __asm volatile("dsb\n isb" ::: "memory");
}

__attribute__((noreturn)) void ew_reset(void) {
  CPACR |= 0xFu << 20;
  __asm volatile("dsb\n isb" ::: "memory");
  const uint32_t *from = ew_data_from;
  for (uint32_t *to = ew_data; to < ew_data_end;) {
    *to++ = *from++;
  }
  for (uint32_t *to = ew_bss; to < ew_bss_end;) {
    *to++ = 0u;
  }
  SHCSR |= 7u << 16;
  fence();
  ew_harness();
}

/* Runs on a fresh stack: the old one may be what faulted. Floating-point registers whose saving was put off must not
 * be saved any more (bit 0 of FPCCR): their place is in the old stack, which the fresh one overlaps. */
__attribute__((noreturn, used)) static void report_fault(uint32_t number) {
  const uint32_t facts[3] = {REGISTER(0xE000ED28u), REGISTER(0xE000ED34u), REGISTER(0xE000ED38u)};
  ew_record(EW_FAULT, number, (struct ew_moment){0u, 0u}, facts, sizeof facts);
  ew_exit(EW_EXIT_FAULT);
}

__attribute__((naked)) static void ew_fault(void) {
  __asm volatile(
      "ldr r0, =0xE000EF34\n"
      "ldr r1, [r0]\n"
      "bic r1, r1, #1\n"
      "str r1, [r0]\n"
      "ldr r0, =ew_stack_top\n"
      "msr msp, r0\n"
      "mrs r0, ipsr\n"
      "b report_fault\n");
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    ew_stack_top, ew_reset, ew_fault, ew_fault, ew_fault, ew_fault, ew_fault, ew_fault,
    ew_fault, ew_fault, ew_fault, ew_fault, ew_fault, ew_fault, ew_fault, ew_fault,
};
