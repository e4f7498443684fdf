/* memcpy and memset, which the compiler may call on its own even where the source does not. */
#include <stdint.h>
#include <string.h>

/* Without the attribute the compiler would turn these loops into calls of the functions that they define. */
#define EW_LOOPS __attribute__((optimize("no-tree-loop-distribute-patterns")))

EW_LOOPS void *memcpy(void *restrict to, const void *restrict from, size_t num_bytes) {
  uint8_t *out = to;
  const uint8_t *in = from;
  if ((((uintptr_t)out | (uintptr_t)in) & 3u) == 0u) {
    for (; num_bytes >= 4u; num_bytes -= 4u, out += 4, in += 4) {
      *(uint32_t *)(void *)out = *(const uint32_t *)(const void *)in;
    }
  }
  while (num_bytes-- > 0u) {
    *out++ = *in++;
  }
  return to;
}

EW_LOOPS void *memset(void *to, int value, size_t num_bytes) {
  uint8_t *out = to;
  const uint32_t word = (uint32_t)(uint8_t)value * 0x01010101u;
  if (((uintptr_t)out & 3u) == 0u) {
    for (; num_bytes >= 4u; num_bytes -= 4u, out += 4) {
      *(uint32_t *)(void *)out = word;
    }
  }
  while (num_bytes-- > 0u) {
    *out++ = (uint8_t)value;
  }
  return to;
}
