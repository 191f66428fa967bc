/* What ring.c uses of it; libc.c has the bodies. */
#ifndef STDLIB_H
#define STDLIB_H
#include <stddef.h>
void *malloc(size_t size);
void free(void *p);
#endif
