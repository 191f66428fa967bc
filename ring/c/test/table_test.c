/* Tables and walks against the slow twin: random rings, and the rings at the edges of the definition. */
#include <string.h>

#include "support.h"

static void one(const char *what, uint32_t bits, const struct test_node *nodes, size_t n, uint32_t step) {
    roost_ring ring = load_nodes(3, bits, nodes, n);
    check_against_twin(ring, bits, nodes, n, step);
    uint32_t slots = 0;
    for (uint32_t i = 0; i < n; i++) {
        roost_ring_node_info info = {.weight = -1};
        CHECK(roost_ring_node(ring, i, &info) == 0, "%s: node %u", what, i);
        CHECK(info.points == nodes[i].points && info.id.len == nodes[i].id_len, "%s: node %u is another", what, i);
        slots += info.slots;
    }
    size_t with = 0;
    for (size_t i = 0; i < n; i++) with += nodes[i].points > 0;
    CHECK(slots == (with ? (uint32_t)1 << bits : 0), "%s: %u slots in all", what, slots);
    CHECK(roost_ring_free(ring) == 0, "%s: not freed", what);
}

static void edges(void) {
    static struct test_node many[300];
    const struct test_node a = {"a", "", "", 1, 1, 0, 1}, b = {"b", "", "", 1, 1, 0, 1}, none = {"n", "", "", 1, 0, 0, 0};
    struct test_node long_id = {.id_len = 255, .weight = 1e9, .points = 1000}, pair[] = {a, b}, empty[] = {a, none};
    memset(long_id.id, 'z', 255);
    one("no nodes", 8, &a, 0, 1);
    one("no points", 8, &none, 1, 1);
    one("one node, one point", 8, &a, 1, 1);
    one("one of two with points", 8, empty, 2, 1);
    one("two points", 10, pair, 2, 1);
    one("a long id", 8, &long_id, 1, 16);
    for (size_t i = 0; i < 300; i++) { /* more nodes than slots */
        many[i] = a;
        many[i].id_len = (size_t)snprintf(many[i].id, sizeof many[i].id, "n%03zu", i);
    }
    one("300 nodes with a point each", 8, many, 300, 5);
}

/* ---- Rings made by hand: points where we want them. H is one to one on ids of 8 bytes, and so is mix. ---- */

/* Of an odd number; each round doubles the bits that are right. */
static uint64_t inverse(uint64_t odd) {
    uint64_t x = odd;
    for (int i = 0; i < 6; i++) x *= 2 - odd * x;
    return x;
}

/* The id of 8 bytes with this H, if it has only printable ASCII and letters of two bytes: one of 900 or so. */
static bool id_of_hash(uint64_t h, struct test_node *node) {
    static uint64_t flip, back;
    const uint64_t want = h;
    if (back == 0) {
        back = inverse(0x9fb21c651e98df25u);
        flip = 0x1cad21f72c81017cu ^ 0xdb979083e96dd4deu; /* bytes 8 to 23 of the secret of XXH3 */
    }
    h = (h ^ h >> 28 ^ h >> 56) * back;
    h = (h ^ ((h >> 35) + 8)) * back;
    /* x ^ rotl(x, 49) ^ rotl(x, 24), 64 times, is x again (in characteristic 2). So 63 more times undoes it; a power
     * 2^i of it is one with 49 * 2^i and 24 * 2^i. */
    for (unsigned i = 0; i < 6; i++) {
        unsigned r = (49u << i) & 63, s = (24u << i) & 63;
        h = h ^ (h << r | h >> ((64 - r) & 63)) ^ (h << s | h >> ((64 - s) & 63));
    }
    h ^= flip;
    *node = (struct test_node){.id_len = 8, .weight = 1, .points = 1};
    for (size_t i = 0; i < 8; i++) {
        uint8_t byte = (uint8_t)(i < 4 ? h >> (32 + 8 * i) : h >> 8 * (i - 4));
        bool follows = i > 0 && (uint8_t)node->id[i - 1] >= 0xc2 && (uint8_t)node->id[i - 1] <= 0xdf;
        bool begins = (byte >= 0x20 && byte <= 0x7e) || (byte >= 0xc2 && byte <= 0xdf && i < 7);
        if (follows ? (byte & 0xc0) != 0x80 : !begins) return false;
        node->id[i] = (char)byte;
    }
    CHECK(roost_ring_hash(node->id, 8) == want, "the id %s has another hash", node->id);
    return true;
}

/* The id whose point 0 is there, if it is printable. */
static bool id_of_point(uint64_t point, struct test_node *node) {
    static uint64_t first, second;
    const uint64_t want = point;
    if (first == 0) first = inverse(0xbf58476d1ce4e5b9u), second = inverse(0x94d049bb133111ebu);
    point = (point ^ point >> 31 ^ point >> 62) * second;
    point = (point ^ point >> 27 ^ point >> 54) * first;
    uint64_t h = (point ^ point >> 30 ^ point >> 60) - 0x9e3779b97f4a7c15u, state = h;
    CHECK(random_next(&state) == want, "another point");
    return id_of_hash(h, node);
}

static int by_id(const void *a, const void *b) {
    return memcmp(((const struct test_node *)a)->id, ((const struct test_node *)b)->id, 8);
}

/* Three nodes, of which two have points at the places of the first's. */
static void coinciding(void) {
    struct test_node nodes[3];
    uint64_t state = 9;
    for (int found = 0, rings = 0; rings < 3; found = 0) {
        while (!id_of_hash(random_next(&state), &nodes[0])) continue;
        uint64_t h = roost_ring_hash(nodes[0].id, 8);
        for (uint64_t d = 1; d < 80 && found < 2; d++) found += id_of_hash(h + d * 0x9e3779b97f4a7c15u, &nodes[1 + found]);
        if (found < 2) continue;
        for (size_t i = 0; i < 3; i++) nodes[i].points = 100;
        qsort(nodes, 3, sizeof *nodes, by_id);
        one("points that coincide", 9, nodes, 3, 1);
        rings++;
    }
}

/* A point as far before the middle of a slot as another is behind it: the smaller id has the slot. */
static void ties(void) {
    struct test_node nodes[2];
    const uint64_t middle = (uint64_t)0x55 << 56 | (uint64_t)1 << 55;
    int found = 0;
    for (uint64_t x = 1; found < 2; x++) {
        if (!id_of_point(middle + x, &nodes[0]) || !id_of_point(middle - x, &nodes[1])) continue;
        qsort(nodes, 2, sizeof *nodes, by_id);
        one("points as far", 8, nodes, 2, 1);
        found++;
    }
    /* Two points at one place before the middle, or behind it, and one as far on the other side. */
    for (uint64_t x = 1; found < 10; x++) {
        uint64_t one_side = found % 2 ? middle + x : middle - x, other_side = 2 * middle - one_side;
        if (!id_of_point(one_side, &nodes[0]) || !id_of_point(other_side, &nodes[1])) continue;
        uint64_t h = roost_ring_hash(nodes[0].id, 8);
        for (uint64_t d = 1; d < 200; d++) {
            struct test_node three[] = {nodes[0], nodes[1], {.points = 0}};
            if (!id_of_hash(h - d * 0x9e3779b97f4a7c15u, &three[2])) continue;
            three[2].points = (uint32_t)d + 1;
            qsort(three, 3, sizeof *three, by_id);
            one("three points as far", 8, three, 3, 1);
            found++;
            break;
        }
    }
    /* A point on the very middle, and on the opposite of one: as far on both sides. */
    for (uint64_t slot = 0; found < 14; slot++) {
        uint64_t at = slot << 45 | (uint64_t)1 << 44;
        if (!id_of_point(at, &nodes[0])) continue;
        roost_ring ring = load_nodes(1, 19, nodes, 1);
        uint64_t there = key_of_slot((uint32_t)slot, 19), opposite = key_of_slot((uint32_t)slot ^ 1u << 18, 19);
        uint32_t owner, all[2];
        size_t n;
        CHECK(roost_ring_lookup(ring, &there, 8, &owner) == 0 && owner == 0, "on the middle: %u", owner);
        CHECK(roost_ring_lookup_n(ring, &opposite, 8, all, 2, &n) == 0 && n == 1 && all[0] == 0, "opposite: %zu", n);
        CHECK(roost_ring_free(ring) == 0, "not freed");
        found++;
    }
}

int main(void) {
    static struct test_node nodes[200];
    uint64_t state = 4;
    int rings = 0;
    edges();
    coinciding();
    ties();
    for (; rings < 60; rings++) {
        uint32_t n = 1 + random_below(&state, rings % 10 == 0 ? 200 : 12), bits = 8 + random_below(&state, 4);
        random_nodes(&state, nodes, n, 1 + random_below(&state, rings % 3 == 0 ? 3 : 60));
        one("a random ring", bits, nodes, n, 1 + (n * 8 >> random_below(&state, 4)));
    }
    one("a table of 2^20", 20, nodes, 20, 65537);
    printf("table: %d random rings are as their twins\n", rings);
    return 0;
}
