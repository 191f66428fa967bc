/* The little of libc that ring.c needs, for WebAssembly. malloc and free are exported: the caller puts snapshots and
 * keys there.
 *
 * The allocator is for few large blocks that come and go with the rings: a list of free blocks by address, the first
 * that fits, neighbours joined. What does not fit grows the memory, which WebAssembly can never give back.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { PAGE = 65536, ALIGN = 16 };

struct block {
    size_t size; /* with this head; a multiple of ALIGN */
    struct block *next;
} __attribute__((aligned(ALIGN)));

static struct block *first; /* free blocks, by address */

static void give(struct block *b) {
    struct block **at = &first, *before = NULL;
    while (*at != NULL && *at < b) before = *at, at = &before->next;
    b->next = *at;
    *at = b;
    if (b->next != NULL && (char *)b + b->size == (char *)b->next) {
        b->size += b->next->size;
        b->next = b->next->next;
    }
    if (before != NULL && (char *)before + before->size == (char *)b) {
        before->size += b->size;
        before->next = b->next;
    }
}

/* Free memory for n bytes more, at the end. */
static int grow(size_t n) {
    size_t pages = (n + PAGE - 1) / PAGE, at = __builtin_wasm_memory_grow(0, pages);
    if (at == SIZE_MAX) return 0;
    struct block *b = (struct block *)(at * PAGE);
    b->size = pages * PAGE;
    give(b);
    return 1;
}

EXPORT void *malloc(size_t size) {
    if (size > SIZE_MAX / 2) return NULL;
    size = (size + sizeof(struct block) + ALIGN - 1) / ALIGN * ALIGN;
    do {
        for (struct block **at = &first; *at != NULL; at = &(*at)->next) {
            struct block *b = *at;
            if (b->size < size) continue;
            if (b->size - size > sizeof(struct block)) { /* the rest stays */
                struct block *rest = (struct block *)((char *)b + size);
                rest->size = b->size - size;
                rest->next = b->next;
                *at = rest;
                b->size = size;
            } else {
                *at = b->next;
            }
            return b + 1;
        }
    } while (grow(size));
    return NULL;
}

EXPORT void free(void *p) {
    if (p != NULL) give((struct block *)p - 1);
}

/* clang makes calls of these by itself, and would make calls of themselves of their loops. */
__attribute__((no_builtin)) void *memcpy(void *to, const void *from, size_t n) {
    for (size_t i = 0; i < n; i++) ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    return to;
}

__attribute__((no_builtin)) void *memset(void *to, int byte, size_t n) {
    for (size_t i = 0; i < n; i++) ((uint8_t *)to)[i] = (uint8_t)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t n) {
    const uint8_t *x = a, *y = b;
    for (size_t i = 0; i < n; i++)
        if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
    return 0;
}

size_t strlen(const char *text) {
    size_t n = 0;
    while (text[n] != 0) n++;
    return n;
}
