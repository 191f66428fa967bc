/* Nanoseconds for a lookup of a 16-byte id, hash included: the best of several runs, as others may use the machine.
 * Sizes as in the bench of the Go package: 160 points a node, about two slots a point, at most 2^18. */
#define _POSIX_C_SOURCE 200809L
#include <string.h>
#include <time.h>

#include "support.h"

enum { KEYS = 2048, ROUNDS = 400, RUNS = 9 };

static uint8_t keys[KEYS][16];
static size_t ends[KEYS];
static uint32_t out[KEYS];
static volatile uint32_t sink;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

enum { HASH, PINNED, COUNTED, MANY, THREE };

static uint32_t pass(int what, roost_ring ring, const roost_ring_view *view) {
    uint32_t sum = 0, node = 0, nodes[3];
    size_t n;
    switch (what) {
    case HASH:
        for (size_t i = 0; i < KEYS; i++) sum += (uint32_t)roost_ring_hash(keys[i], 16);
        break;
    case PINNED:
        for (size_t i = 0; i < KEYS; i++) sum += roost_ring_at(view, keys[i], 16);
        break;
    case COUNTED:
        for (size_t i = 0; i < KEYS; i++) roost_ring_lookup(ring, keys[i], 16, &node), sum += node;
        break;
    case MANY:
        roost_ring_lookup_many(ring, keys, ends, KEYS, out), sum = out[KEYS - 1];
        break;
    default:
        for (size_t i = 0; i < KEYS; i++) roost_ring_lookup_n(ring, keys[i], 16, nodes, 3, &n), sum += nodes[n - 1];
    }
    return sum;
}

static double best(int what, roost_ring ring, const roost_ring_view *view) {
    double least = 1e18;
    for (int run = 0; run < RUNS; run++) {
        double start = now();
        for (int i = 0; i < ROUNDS / 10; i++) sink += pass(what, ring, view);
        double ns = (now() - start) / (ROUNDS / 10) / KEYS;
        if (ns < least) least = ns;
    }
    return least;
}

int main(void) {
    static struct test_node nodes[1024];
    static const struct {
        uint32_t nodes, bits;
    } sizes[] = {{16, 12}, {256, 16}, {1024, 18}};
    uint64_t state = 1;
    for (size_t i = 0; i < KEYS; i++) {
        uint64_t a = random_next(&state), b = random_next(&state);
        memcpy(keys[i], &a, 8), memcpy(keys[i] + 8, &b, 8);
        ends[i] = 16 * (i + 1);
    }
    puts("bench: ns for an id of 16 bytes  hash  pinned  counted  many  3 nodes  load (us)");
    for (size_t s = 0; s < 3; s++) {
        random_nodes(&state, nodes, sizes[s].nodes, 160);
        for (size_t i = 0; i < sizes[s].nodes; i++) nodes[i].points = 160, nodes[i].weight = 1;
        double load = 1e18;
        roost_ring ring = 0;
        roost_ring_view view;
        struct bytes b = {0};
        put_snapshot(&b, 1, sizes[s].bits, nodes, sizes[s].nodes);
        for (int run = 0; run < RUNS; run++) {
            roost_ring_free(ring);
            double start = now();
            CHECK(roost_ring_load(b.at, b.len, &ring, NULL) == 0, "load");
            if (now() - start < load) load = now() - start;
        }
        CHECK(roost_ring_pin(ring, &view) == 0, "pin");
        printf("%6u nodes of 160, 2^%-2u slots  %5.2f  %6.2f  %7.2f %5.2f  %7.1f  %9.0f\n", sizes[s].nodes, sizes[s].bits,
               best(HASH, ring, &view), best(PINNED, ring, &view), best(COUNTED, ring, &view), best(MANY, ring, &view),
               best(THREE, ring, &view), load / 1e3);
        CHECK(roost_ring_unpin(&view) == 0 && roost_ring_free(ring) == 0, "free");
        free(b.at);
    }
    return 0;
}
