/* What the tests share: a check, a file, random numbers, a writer of snapshots, and the slow twin of the table. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "../ring.h"

/* Ends the test with what was expected and the values that tell why it is not so. */
#define CHECK(condition, ...)                                                              \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: not so: %s: ", __FILE__, __LINE__, #condition);        \
            fprintf(stderr, __VA_ARGS__);                                                  \
            fputc('\n', stderr);                                                           \
            abort();                                                                       \
        }                                                                                  \
    } while (0)

/* SplitMix64, so that a failure comes again. */
uint64_t random_next(uint64_t *state);
uint32_t random_below(uint64_t *state, uint32_t n);

/* Bytes that grow. */
struct bytes {
    uint8_t *at;
    size_t len, cap;
};
void put(struct bytes *b, const void *from, size_t n);
void put_number(struct bytes *b, uint64_t value, size_t width); /* little-endian */
void put_text(struct bytes *b, const char *text, size_t n);     /* its length in a byte, then it */
bool read_file(struct bytes *b, const char *path);

/* A node as a test writes it down. */
struct test_node {
    char id[256], addr[256], zone[256];
    size_t id_len;
    double weight, capacity;
    uint32_t points;
};

/* The snapshot, with its length and content hash. Nodes are written as they come. */
void put_snapshot(struct bytes *b, uint64_t version, uint32_t bits, const struct test_node *nodes, size_t n);

/* Writes the length and the content hash of b anew, after a test changed it; the hash alone if keep_length. */
void seal(struct bytes *b, bool keep_length);

/* n nodes with random weights, ids ascending, about points_per_node points each, some without. */
void random_nodes(uint64_t *state, struct test_node *nodes, size_t n, uint32_t points_per_node);

/* The slow twin: for one middle of a slot, every point of every node is looked at. distance[i] and id order say who
 * comes when. Returns how many nodes have points; order has room for n. */
size_t twin_order(const struct test_node *nodes, size_t n, uint64_t middle, uint32_t *order);

/* Checks slot by slot (every step-th) that the ring is what the twin says; owners and the first of lookup n. */
void check_against_twin(roost_ring ring, uint32_t bits, const struct test_node *nodes, size_t n, uint32_t step);

/* A key of 8 bytes whose slot is the given one, found by trying. */
uint64_t key_of_slot(uint32_t slot, uint32_t bits);

/* The snapshot of nodes, loaded; must succeed. */
roost_ring load_nodes(uint64_t version, uint32_t bits, const struct test_node *nodes, size_t n);

/* The snapshot that a loaded ring was made of, from what its functions say (rings without sections). */
void put_ring(struct bytes *b, roost_ring ring, uint32_t unit, uint32_t bits);

#endif
