#include "support.h"

#include <string.h>

uint64_t random_next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint32_t random_below(uint64_t *state, uint32_t n) { return (uint32_t)((random_next(state) >> 32) * n >> 32); }

void put(struct bytes *b, const void *from, size_t n) {
    if (b->len + n > b->cap) {
        b->cap = 2 * (b->len + n);
        uint8_t *larger = malloc(b->cap); /* not realloc: tests count malloc and free */
        CHECK(larger != NULL, "no memory for %zu bytes", b->cap);
        if (b->len > 0) memcpy(larger, b->at, b->len);
        free(b->at);
        b->at = larger;
    }
    if (n > 0) memcpy(b->at + b->len, from, n);
    b->len += n;
}

void put_number(struct bytes *b, uint64_t value, size_t width) {
    for (size_t i = 0; i < width; i++) {
        uint8_t byte = (uint8_t)(value >> 8 * i);
        put(b, &byte, 1);
    }
}

void put_text(struct bytes *b, const char *text, size_t n) {
    put_number(b, n, 1);
    put(b, text, n);
}

static void put_double(struct bytes *b, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_number(b, bits, 8);
}

bool read_file(struct bytes *b, const char *path) {
    FILE *f = fopen(path, "rb");
    if (f == NULL) return false;
    char block[65536];
    for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;) put(b, block, n);
    bool whole = !ferror(f);
    fclose(f);
    return whole;
}

static void put_header(struct bytes *b, uint64_t version, uint32_t unit, uint32_t bits, size_t nodes) {
    put(b, "ROOSTRNG", 8);
    put_number(b, 1, 2);
    put_number(b, 0, 2);
    put_number(b, 0, 4);
    put_number(b, version, 8);
    put_number(b, unit, 4);
    put_number(b, bits, 1);
    put_number(b, 1, 1);
    put_number(b, 0, 2);
    put_number(b, nodes, 4);
}

void put_snapshot(struct bytes *b, uint64_t version, uint32_t bits, const struct test_node *nodes, size_t n) {
    b->len = 0;
    put_header(b, version, 160, bits, n);
    for (size_t i = 0; i < n; i++) {
        put_text(b, nodes[i].id, nodes[i].id_len);
        put_text(b, nodes[i].addr, strlen(nodes[i].addr));
        put_text(b, nodes[i].zone, strlen(nodes[i].zone));
        put_double(b, nodes[i].weight);
        put_double(b, nodes[i].capacity);
        put_number(b, nodes[i].points, 4);
    }
    put_number(b, 0, 8);
    seal(b, false);
}

void seal(struct bytes *b, bool keep_length) {
    for (size_t i = 0; i < 4 && !keep_length; i++) b->at[12 + i] = (uint8_t)(b->len >> 8 * i);
    uint64_t hash = roost_ring_hash(b->at, b->len - 8);
    for (size_t i = 0; i < 8; i++) b->at[b->len - 8 + i] = (uint8_t)(hash >> 8 * i);
}

void random_nodes(uint64_t *state, struct test_node *nodes, size_t n, uint32_t points_per_node) {
    memset(nodes, 0, n * sizeof *nodes);
    for (size_t i = 0; i < n; i++) {
        struct test_node *node = &nodes[i];
        node->id_len = (size_t)snprintf(node->id, sizeof node->id, "node-%05zu-%.*s", i,
                                        (int)random_below(state, 20), "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9xxxxxxxxxxxx");
        if (node->id[node->id_len - 1] == '\xc3') node->id_len--; /* not in the middle of a letter */
        snprintf(node->addr, sizeof node->addr, "10.0.%zu.%zu:8080", i >> 8, i & 255);
        snprintf(node->zone, sizeof node->zone, "zone-%zu", i % 3);
        uint32_t draw = random_below(state, 10);
        node->points = draw == 0 ? 0 : draw == 1 ? 1 : 1 + random_below(state, 2 * points_per_node);
        node->weight = (double)node->points / points_per_node;
        node->capacity = draw == 2 ? 0 : 1000;
    }
}

struct distance {
    uint64_t far;
    uint32_t node;
};

static int nearer(const void *a, const void *b) {
    const struct distance *x = a, *y = b;
    if (x->far != y->far) return x->far < y->far ? -1 : 1;
    return x->node < y->node ? -1 : x->node > y->node; /* the ids of the tests ascend with the numbers */
}

size_t twin_order(const struct test_node *nodes, size_t n, uint64_t middle, uint32_t *order) {
    struct distance *all = calloc(n + 1, sizeof *all);
    CHECK(all != NULL, "no memory for %zu nodes", n);
    size_t with = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (nodes[i].points == 0) continue;
        uint64_t state = roost_ring_hash(nodes[i].id, nodes[i].id_len), nearest = UINT64_MAX;
        for (uint32_t j = 0; j < nodes[i].points; j++) {
            uint64_t point = random_next(&state); /* SplitMix64 is how points are placed */
            uint64_t distance = point - middle < middle - point ? point - middle : middle - point;
            if (distance < nearest) nearest = distance;
        }
        all[with++] = (struct distance){nearest, i};
    }
    qsort(all, with, sizeof *all, nearer);
    for (size_t i = 0; i < with; i++) order[i] = all[i].node;
    free(all);
    return with;
}

uint64_t key_of_slot(uint32_t slot, uint32_t bits) {
    for (uint64_t key = 0;; key++)
        if (roost_ring_hash(&key, sizeof key) >> (64 - bits) == slot) return key;
}

void check_against_twin(roost_ring ring, uint32_t bits, const struct test_node *nodes, size_t n, uint32_t step) {
    uint32_t *want = calloc(2 * n + 2, sizeof *want), *got = want + n + 1;
    CHECK(want != NULL, "no memory for %zu nodes", n);
    for (uint32_t slot = 0; slot < (uint32_t)1 << bits; slot += step) {
        uint64_t key = key_of_slot(slot, bits), middle = ((uint64_t)slot << 1 | 1) << (63 - bits);
        size_t with = twin_order(nodes, n, middle, want), met, caps[] = {0, 1, 3, 16, 17, n};
        uint32_t owner;
        int32_t code = roost_ring_lookup(ring, &key, sizeof key, &owner);
        CHECK(code == (with ? ROOST_RING_OK : ROOST_RING_NOBODY), "slot %u: code %d", slot, code);
        CHECK(owner == (with ? want[0] : ROOST_RING_NO_NODE), "slot %u: %u, the twin says %u", slot, owner, want[0]);
        for (size_t i = 0; i < sizeof caps / sizeof *caps; i++) {
            size_t cap = caps[i] < n ? caps[i] : n, expected = cap < with ? cap : with;
            code = roost_ring_lookup_n(ring, &key, sizeof key, got, cap, &met);
            CHECK(code == (with ? ROOST_RING_OK : ROOST_RING_NOBODY), "slot %u: code %d", slot, code);
            CHECK(met == expected, "slot %u: %zu nodes of %zu, the twin says %zu", slot, met, cap, expected);
            CHECK(memcmp(want, got, met * sizeof *got) == 0, "slot %u: another order of %zu nodes", slot, met);
        }
    }
    free(want);
}

roost_ring load_nodes(uint64_t version, uint32_t bits, const struct test_node *nodes, size_t n) {
    struct bytes b = {0};
    roost_ring ring;
    roost_ring_error error;
    put_snapshot(&b, version, bits, nodes, n);
    int32_t code = roost_ring_load(b.at, b.len, &ring, &error);
    CHECK(code == ROOST_RING_OK, "%d at %llu: %s", code, (unsigned long long)error.offset, error.text);
    free(b.at);
    return ring;
}

void put_ring(struct bytes *b, roost_ring ring, uint32_t unit, uint32_t bits) {
    uint64_t version;
    uint32_t n;
    CHECK(roost_ring_version(ring, &version) == 0 && roost_ring_nodes(ring, &n) == 0, "the ring %llx",
          (unsigned long long)ring);
    b->len = 0;
    put_header(b, version, unit, bits, n);
    for (uint32_t i = 0; i < n; i++) {
        char id[256], addr[256], zone[256];
        roost_ring_node_info info = {{id, sizeof id, 0}, {addr, sizeof addr, 0}, {zone, sizeof zone, 0}, 0, 0, 0, 0};
        int32_t code = roost_ring_node(ring, i, &info);
        CHECK(code == 0, "node %u: code %d", i, code);
        put_text(b, id, info.id.len);
        put_text(b, addr, info.addr.len);
        put_text(b, zone, info.zone.len);
        put_double(b, info.weight);
        put_double(b, info.capacity);
        put_number(b, info.points, 4);
    }
    put_number(b, 0, 8);
    seal(b, false);
}
