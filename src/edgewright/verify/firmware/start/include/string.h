/* The part of the standard header that generated C may use; the functions are in memory.c. */
#ifndef EW_STRING_H
#define EW_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t num_bytes);
void *memset(void *to, int value, size_t num_bytes);

#endif
