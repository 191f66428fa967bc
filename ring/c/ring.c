/* The ring of roost in plain C. ring.h says what each function promises, docs/RING.md what a ring is.
 *
 * Parts, in order: the hash; reading a snapshot; building the table; the walk for n nodes; the registry of handles
 * and pins (the one part with atomics); the functions of ring.h.
 */
#include "ring.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#define NOINLINE static __attribute__((noinline))
#else
#define INLINE static inline
#define NOINLINE static
#endif

/* ---- Hash: XXH3-64, seed 0 (the specification of xxHash, version 0.2.0). Scalar: ids are short. ---- */

#define PRIME32_1 0x9e3779b1u
#define PRIME32_2 0x85ebca77u
#define PRIME32_3 0xc2b2ae3du
#define PRIME64_1 0x9e3779b185ebca87u
#define PRIME64_2 0xc2b2ae3d27d4eb4fu
#define PRIME64_3 0x165667b19e3779f9u
#define PRIME64_4 0x85ebca77c2b2ae63u
#define PRIME64_5 0x27d4eb2f165667c5u
#define PRIME_MX1 0x165667919e3779f9u
#define PRIME_MX2 0x9fb21c651e98df25u

enum { SECRET = 192, STRIPE = 64, BLOCK = 1024 };

static const uint8_t secret[SECRET] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
};

INLINE uint32_t read16(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8; }

INLINE uint32_t read32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Compilers make one load of it where the machine is little-endian. */
INLINE uint64_t read64(const uint8_t *p) { return (uint64_t)read32(p) | (uint64_t)read32(p + 4) << 32; }

INLINE uint64_t swap64(uint64_t v) {
    v = (v & 0x00ff00ff00ff00ffu) << 8 | (v >> 8 & 0x00ff00ff00ff00ffu);
    v = (v & 0x0000ffff0000ffffu) << 16 | (v >> 16 & 0x0000ffff0000ffffu);
    return v << 32 | v >> 32;
}

INLINE uint64_t rotate_left(uint64_t v, unsigned n) { return v << n | v >> (64 - n); }

/* The two halves of the 128-bit product, xor-ed. */
INLINE uint64_t fold(uint64_t a, uint64_t b) {
#if defined(__SIZEOF_INT128__) && !defined(__wasm__)
    __extension__ typedef unsigned __int128 uint128;
    uint128 product = (uint128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t al = a & 0xffffffffu, ah = a >> 32, bl = b & 0xffffffffu, bh = b >> 32;
    uint64_t low = al * bl, cross = (low >> 32) + (ah * bl & 0xffffffffu) + al * bh;
    uint64_t high = ah * bh + (ah * bl >> 32) + (cross >> 32);
    return (cross << 32 | (low & 0xffffffffu)) ^ high;
#endif
}

INLINE uint64_t avalanche(uint64_t h) {
    h = (h ^ h >> 37) * PRIME_MX1;
    return h ^ h >> 32;
}

INLINE uint64_t avalanche64(uint64_t h) { /* that of XXH64 */
    h = (h ^ h >> 33) * PRIME64_2;
    h = (h ^ h >> 29) * PRIME64_3;
    return h ^ h >> 32;
}

INLINE uint64_t hash_9_to_16(const uint8_t *p, size_t len) {
    uint64_t low = read64(p) ^ read64(secret + 24) ^ read64(secret + 32);
    uint64_t high = read64(p + len - 8) ^ read64(secret + 40) ^ read64(secret + 48);
    return avalanche((uint64_t)len + swap64(low) + high + fold(low, high));
}

INLINE uint64_t hash_0_to_8(const uint8_t *p, size_t len) {
    if (len >= 4) {
        uint64_t both = (uint64_t)read32(p + len - 4) | (uint64_t)read32(p) << 32;
        uint64_t h = both ^ read64(secret + 8) ^ read64(secret + 16);
        h ^= rotate_left(h, 49) ^ rotate_left(h, 24);
        h *= PRIME_MX2;
        h = (h ^ ((h >> 35) + (uint64_t)len)) * PRIME_MX2;
        return h ^ h >> 28;
    }
    if (len > 0) {
        uint32_t bytes = (uint32_t)p[0] << 16 | (uint32_t)p[len >> 1] << 24 | p[len - 1] | (uint32_t)len << 8;
        return avalanche64(bytes ^ read32(secret) ^ read32(secret + 4));
    }
    return avalanche64(read64(secret + 56) ^ read64(secret + 64));
}

INLINE uint64_t mix16(const uint8_t *p, const uint8_t *key) {
    return fold(read64(p) ^ read64(key), read64(p + 8) ^ read64(key + 8));
}

static uint64_t hash_17_to_240(const uint8_t *p, size_t len) {
    uint64_t h = (uint64_t)len * PRIME64_1;
    if (len <= 128) { /* pairs from both ends towards the middle */
        for (size_t i = 0; i < (len + 31) / 32; i++) {
            h += mix16(p + 16 * i, secret + 32 * i);
            h += mix16(p + len - 16 * (i + 1), secret + 32 * i + 16);
        }
        return avalanche(h);
    }
    for (size_t i = 0; i < 8; i++) h += mix16(p + 16 * i, secret + 16 * i);
    h = avalanche(h);
    for (size_t i = 8; i < len / 16; i++) h += mix16(p + 16 * i, secret + 16 * (i - 8) + 3);
    h += mix16(p + len - 16, secret + 136 - 17);
    return avalanche(h);
}

static void accumulate(uint64_t lanes[8], const uint8_t *p, const uint8_t *key) {
    for (size_t i = 0; i < 8; i++) {
        uint64_t value = read64(p + 8 * i), keyed = value ^ read64(key + 8 * i);
        lanes[i ^ 1] += value;
        lanes[i] += (keyed & 0xffffffffu) * (keyed >> 32);
    }
}

static uint64_t hash_from_241(const uint8_t *p, size_t len) {
    uint64_t lanes[8] = {PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1};
    size_t blocks = (len - 1) / BLOCK;
    for (size_t b = 0; b < blocks; b++) {
        for (size_t i = 0; i < BLOCK / STRIPE; i++) accumulate(lanes, p + b * BLOCK + i * STRIPE, secret + 8 * i);
        for (size_t i = 0; i < 8; i++)
            lanes[i] = (lanes[i] ^ lanes[i] >> 47 ^ read64(secret + SECRET - STRIPE + 8 * i)) * PRIME32_1;
    }
    size_t stripes = (len - 1 - blocks * BLOCK) / STRIPE;
    for (size_t i = 0; i < stripes; i++) accumulate(lanes, p + blocks * BLOCK + i * STRIPE, secret + 8 * i);
    accumulate(lanes, p + len - STRIPE, secret + SECRET - STRIPE - 7);

    uint64_t h = (uint64_t)len * PRIME64_1;
    for (size_t i = 0; i < 8; i += 2)
        h += fold(lanes[i] ^ read64(secret + 11 + 8 * i), lanes[i + 1] ^ read64(secret + 19 + 8 * i));
    return avalanche(h);
}

NOINLINE uint64_t hash_of_others(const uint8_t *p, size_t len) {
    if (len <= 8) return hash_0_to_8(p, len);
    return len <= 240 ? hash_17_to_240(p, len) : hash_from_241(p, len);
}

/* 9 to 16 bytes, the usual ids, without a call. */
INLINE uint64_t hash_of(const void *key, size_t len) {
    const uint8_t *p = key;
    if (len - 9 <= 16 - 9) return hash_9_to_16(p, len);
    return hash_of_others(p, len);
}

/* The output function of SplitMix64. */
INLINE uint64_t mix(uint64_t z) {
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* ---- Reading a snapshot. In the order of the table in docs/RING.md; nothing is allocated. ---- */

enum {
    HEADER = 36,
    TRAILER = 8,
    SMALLEST = HEADER + TRAILER,
    LARGEST = 67108864,
    MAX_NODES = 65535,
    MAX_POINTS_PER_UNIT = 65536,
    MAX_POINTS_OF_NODE = 1048576,
    MAX_POINTS = 16777216,
    MIN_BITS = 8,
    MAX_BITS = 20,
    CRITICAL = 0x8000
};

#define NO_ITEM UINT32_MAX

/* A snapshot while it is read: where, and why not. */
struct reader {
    const uint8_t *bytes;
    size_t at, end;
    uint32_t item;
    roost_ring_error *error;
};

static int32_t refuse(const struct reader *r, int32_t code, size_t offset, const char *text) {
    roost_ring_error *e = r->error;
    size_t n = strlen(text);
    if (n >= sizeof e->text) n = sizeof e->text - 1;
    memset(e, 0, sizeof *e);
    e->code = code;
    e->item = r->item;
    e->offset = offset;
    memcpy(e->text, text, n);
    return code;
}

/* The length of the UTF-8 sequence at p, at most n bytes; 0 if it is none, or a control character. */
static size_t utf8_length(const uint8_t *p, size_t n) {
    uint8_t c = p[0];
    if (c < 0x80) return c < 0x20 || c == 0x7f ? 0 : 1;
    size_t len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || len > n) return 0;
    /* The second byte rules out what is overlong, a surrogate, or above U+10FFFF. */
    uint8_t low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80, high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    return len;
}

/* A length and that many bytes; *start is where the length is. */
static int32_t read_text(struct reader *r, size_t *start, const char *ends, const char *wrong) {
    *start = r->at;
    if (r->at == r->end || r->bytes[r->at] > r->end - r->at - 1) return refuse(r, ROOST_RING_NODE, r->at, ends);
    size_t n = r->bytes[r->at++];
    for (size_t i = 0; i < n;) {
        size_t len = utf8_length(r->bytes + r->at + i, n - i);
        if (len == 0) return refuse(r, ROOST_RING_NODE, r->at + i, wrong);
        i += len;
    }
    r->at += n;
    return ROOST_RING_OK;
}

/* A weight or a capacity, as its bits: finite, not negative, not -0 (which would be a second spelling of 0). */
static int32_t read_amount(struct reader *r, uint64_t *bits, const char *wrong) {
    *bits = read64(r->bytes + r->at);
    if (*bits >= 0x7ff0000000000000u) return refuse(r, ROOST_RING_WEIGHT, r->at, wrong);
    r->at += 8;
    return ROOST_RING_OK;
}

/* Ids as bytes; each has its length in front. */
static bool id_below(const uint8_t *a, const uint8_t *b) {
    int order = memcmp(a + 1, b + 1, a[0] < b[0] ? a[0] : b[0]);
    return order < 0 || (order == 0 && a[0] < b[0]);
}

/* One node. *previous is where the id of the one before it is, or 0; *points grows by those of the node. */
static int32_t read_node(struct reader *r, size_t *previous, uint32_t *points) {
    int32_t code;
    size_t id, other;
    uint64_t weight, capacity;
    if ((code = read_text(r, &id, "the nodes end in an id", "an id with a byte that is not allowed"))) return code;
    if (r->bytes[id] == 0) return refuse(r, ROOST_RING_NODE, id, "an empty id");
    if ((code = read_text(r, &other, "the nodes end in an address", "an address with a byte that is not allowed")))
        return code;
    if ((code = read_text(r, &other, "the nodes end in a zone", "a zone with a byte that is not allowed"))) return code;
    if (r->end - r->at < 20) return refuse(r, ROOST_RING_NODE, r->at, "the nodes end before the points");
    if (*previous != 0 && !id_below(r->bytes + *previous, r->bytes + id))
        return refuse(r, ROOST_RING_NODE, id, "an id that is not above the one before it");
    *previous = id;
    if ((code = read_amount(r, &weight, "a weight that is negative or not finite"))) return code;
    if ((code = read_amount(r, &capacity, "a capacity that is negative or not finite"))) return code;
    uint32_t n = read32(r->bytes + r->at);
    if ((n == 0) != (weight == 0) || n > MAX_POINTS_OF_NODE)
        return refuse(r, ROOST_RING_POINTS, r->at, "points that do not fit the weight, or more than 1048576");
    if (n > MAX_POINTS - *points) return refuse(r, ROOST_RING_POINTS, r->at, "more than 16777216 points in all");
    *points += n;
    r->at += 4;
    return ROOST_RING_OK;
}

/* The sections, of which none is known: those that may be are passed over. */
static int32_t read_sections(struct reader *r) {
    uint32_t previous = 0;
    for (r->item = 0; r->at < r->end; r->item++) {
        size_t start = r->at;
        if (r->end - start < 6) return refuse(r, ROOST_RING_NODE, start, "the sections end in a tag or length");
        uint32_t tag = read16(r->bytes + start), len = read32(r->bytes + start + 2);
        if (len > r->end - start - 6) return refuse(r, ROOST_RING_NODE, start + 2, "a section longer than what is there");
        if (tag <= previous) return refuse(r, ROOST_RING_SECTION, start, "a tag that is not above the one before it");
        if (tag & CRITICAL) return refuse(r, ROOST_RING_SECTION, start, "a section that must be understood and is not");
        previous = tag;
        r->at = start + 6 + len;
    }
    return ROOST_RING_OK;
}

/* What comes before the nodes, the length and the content hash. */
static int32_t read_header(struct reader *r, size_t len) {
    const uint8_t *b = r->bytes;
    static const char magic[] = "ROOSTRNG";
    if (len < 8) return refuse(r, ROOST_RING_SHORT, len, "fewer than 8 bytes");
    if (memcmp(b, magic, 8) != 0) return refuse(r, ROOST_RING_MAGIC, 0, "it does not begin with ROOSTRNG");
    if (len < 10) return refuse(r, ROOST_RING_SHORT, len, "fewer than 10 bytes");
    if (read16(b + 8) != 1) return refuse(r, ROOST_RING_FORMAT, 8, "a format other than 1");
    if (len < 16) return refuse(r, ROOST_RING_SHORT, len, "fewer than 16 bytes");
    uint32_t said = read32(b + 12);
    if (said < SMALLEST || said > LARGEST) return refuse(r, ROOST_RING_LENGTH, 12, "a length that no snapshot has");
    if (len < said) return refuse(r, ROOST_RING_SHORT, len, "fewer bytes than its length says");
    if (len > said) return refuse(r, ROOST_RING_LENGTH, said, "more bytes than its length says");
    r->end = len - TRAILER;
    if (hash_of(b, r->end) != read64(b + r->end))
        return refuse(r, ROOST_RING_HASH, r->end, "the content hash is another: it was damaged");
    for (size_t i = 10; i <= 30; i += 20)
        if (read16(b + i) != 0) return refuse(r, ROOST_RING_RESERVED, i, "bytes that must be 0 are not");
    if (b[29] != 1) return refuse(r, ROOST_RING_PLACEMENT, 29, "a placement other than 1");
    if (b[28] < MIN_BITS || b[28] > MAX_BITS) return refuse(r, ROOST_RING_TABLE, 28, "table bits not from 8 to 20");
    uint32_t unit = read32(b + 24);
    if (unit == 0 || unit > MAX_POINTS_PER_UNIT)
        return refuse(r, ROOST_RING_TABLE, 24, "points per unit not from 1 to 65536");
    if (read32(b + 32) > MAX_NODES) return refuse(r, ROOST_RING_NODE, 32, "more than 65535 nodes");
    r->at = HEADER;
    return ROOST_RING_OK;
}

/* All of it. *points, 0 before, becomes their number, *nodes_end where the sections begin. */
static int32_t read_snapshot(struct reader *r, size_t len, uint32_t *points, size_t *nodes_end) {
    int32_t code = read_header(r, len);
    if (code) return code;
    uint32_t nodes = read32(r->bytes + 32);
    size_t previous = 0;
    for (r->item = 0; r->item < nodes; r->item++)
        if ((code = read_node(r, &previous, points))) return code;
    *nodes_end = r->at;
    return read_sections(r);
}

/* ---- The ring: one block of memory, never written to once it is built. ---- */

struct node {
    uint32_t offset; /* of its record in raw */
    uint32_t slots;
};

struct ring {
    const uint16_t *table; /* 2^bits owners */
    uint32_t shift;        /* 64 - bits: the slot of a key is H(key) >> shift */
    uint32_t nodes;
    uint32_t points;       /* in all */
    uint32_t with_points;  /* nodes that have some */
    uint64_t version, content_hash;
    const uint64_t *place; /* of the points, ascending; at the same place by node */
    const uint16_t *owner; /* of the points */
    const struct node *node;
    const uint8_t *raw;    /* the nodes as in the snapshot */
};

/* Radix sort, least byte first. It is stable, so points at the same place stay in the order of their nodes, and its
 * work does not depend on where the points are: ids that were chosen to collide cost no more than others. */
static void sort_points(uint64_t *place, uint16_t *owner, uint64_t *spare_place, uint16_t *spare_owner, size_t n) {
    uint64_t *from = place, *to = spare_place;
    uint16_t *from_owner = owner, *to_owner = spare_owner;
    for (unsigned shift = 0; shift < 64; shift += 8) { /* an even number of passes: it ends where it began */
        size_t start[256] = {0}, sum = 0;
        for (size_t i = 0; i < n; i++) start[from[i] >> shift & 0xff]++;
        for (size_t i = 0; i < 256; i++) {
            size_t count = start[i];
            start[i] = sum;
            sum += count;
        }
        for (size_t i = 0; i < n; i++) {
            size_t j = start[from[i] >> shift & 0xff]++;
            to[j] = from[i];
            to_owner[j] = from_owner[i];
        }
        uint64_t *swap = from;
        uint16_t *swap_owner = from_owner;
        from = to, to = swap;
        from_owner = to_owner, to_owner = swap_owner;
    }
}

INLINE uint64_t middle_of(uint64_t slot, uint32_t shift) { return slot << shift | (uint64_t)1 << (shift - 1); }

/* Each slot to the node with the point nearest to its middle. That point is the next one at or after the middle or
 * the one before it, round the circle; of points at the same place the first has the smallest id. */
static void fill_table(uint16_t *table, const struct ring *r) {
    size_t slots = (size_t)1 << (64 - r->shift), n = r->points;
    if (n == 0) {
        for (size_t s = 0; s < slots; s++) table[s] = ROOST_RING_NO_NODE;
        return;
    }
    size_t next = 0, before = n - 1; /* before: the first of the points at the place before next */
    while (before > 0 && r->place[before - 1] == r->place[n - 1]) before--;
    for (size_t s = 0; s < slots; s++) {
        uint64_t middle = middle_of(s, r->shift);
        while (next < n && r->place[next] < middle) {
            before = next;
            do next++;
            while (next < n && r->place[next] == r->place[before]);
        }
        size_t after = next < n ? next : 0;
        uint64_t ahead = r->place[after] - middle, behind = middle - r->place[before];
        uint16_t a = r->owner[after], b = r->owner[before];
        table[s] = ahead < behind ? a : behind < ahead ? b : a < b ? a : b;
    }
}

/* The points of all nodes, in the order of nodes. */
static void place_points(uint64_t *place, uint16_t *owner, struct ring *r, struct node *node) {
    size_t at = 0, record = 0;
    for (uint32_t i = 0; i < r->nodes; i++) {
        const uint8_t *p = r->raw + record;
        node[i].offset = (uint32_t)record;
        node[i].slots = 0;
        size_t id = p[0], addr = p[1 + id], zone = p[2 + id + addr], fixed = 3 + id + addr + zone;
        uint32_t points = read32(p + fixed + 16);
        uint64_t z = hash_of(p + 1, id);
        for (uint32_t j = 0; j < points; j++) {
            z += 0x9e3779b97f4a7c15u;
            place[at] = mix(z);
            owner[at++] = (uint16_t)i;
        }
        if (points > 0) r->with_points++;
        record += fixed + 20;
    }
}

/* The ring of a snapshot that was read without complaint; NULL if there is no memory. */
static struct ring *build(const uint8_t *bytes, size_t len, uint32_t points, size_t nodes_end) {
    uint32_t bits = bytes[28], nodes = read32(bytes + 32);
    size_t n = points, slots = (size_t)1 << bits, raw = nodes_end - HEADER;
    /* By alignment, the largest first: no part needs padding. */
    size_t size = sizeof(struct ring) + n * sizeof(uint64_t) + nodes * sizeof(struct node) +
                  (slots + n) * sizeof(uint16_t) + raw;
    struct ring *r = malloc(size);
    uint64_t *spare = malloc(n * (sizeof(uint64_t) + sizeof(uint16_t)) + 1);
    if (r == NULL || spare == NULL) {
        free(r);
        free(spare);
        return NULL;
    }
    uint64_t *place = (uint64_t *)(r + 1);
    struct node *node = (struct node *)(place + n);
    uint16_t *table = (uint16_t *)(node + nodes), *owner = table + slots;
    uint8_t *copy = (uint8_t *)(owner + n);
    memcpy(copy, bytes + HEADER, raw);
    *r = (struct ring){.table = table, .shift = 64 - bits, .nodes = nodes, .points = points, .place = place,
                       .owner = owner, .node = node, .raw = copy, .version = read64(bytes + 16),
                       .content_hash = read64(bytes + len - TRAILER)};
    place_points(place, owner, r, node);
    sort_points(place, owner, spare, (uint16_t *)(spare + n), n);
    free(spare);
    fill_table(table, r);
    for (size_t s = 0; n > 0 && s < slots; s++) node[table[s]].slots++;
    return r;
}

/* ---- The walk for n nodes: outwards from the middle, to both sides at once. ---- */

struct walk {
    const struct ring *ring;
    uint32_t *out;
    size_t cap, n;
    uint64_t *seen; /* a bit a node, or NULL: few enough to look through out */
};

static void meet(struct walk *w, uint32_t node) {
    if (w->n == w->cap) return;
    if (w->seen != NULL) {
        uint64_t bit = (uint64_t)1 << (node & 63);
        if (w->seen[node >> 6] & bit) return;
        w->seen[node >> 6] |= bit;
    } else {
        for (size_t i = 0; i < w->n; i++)
            if (w->out[i] == node) return;
    }
    w->out[w->n++] = node;
}

/* How many points are at the place of point i, from i on (step 1) or back from it (step -1). */
static size_t run_length(const struct ring *r, size_t i, bool back) {
    size_t n = 1;
    if (back)
        while (n <= i && r->place[i - n] == r->place[i]) n++;
    else
        while (i + n < r->points && r->place[i + n] == r->place[i]) n++;
    return n;
}

static void walk_from(struct walk *w, uint64_t middle) {
    const struct ring *r = w->ring;
    size_t n = r->points, low = 0;
    for (size_t rest = n; rest > 0;) { /* the first point at or after the middle; without a branch to be guessed */
        size_t half = (rest + 1) / 2;
        low += r->place[low + half - 1] < middle ? half : 0;
        rest -= half;
    }
    size_t after = low < n ? low : 0, before = low > 0 ? low - 1 : n - 1;
    while (w->n < w->cap) { /* there are that many nodes with points */
        uint64_t ahead = r->place[after] - middle, behind = middle - r->place[before];
        /* Runs of points at one place: the one ahead, the one behind, or both if they are as far. Both may be the same
         * run, the last one, half a circle away: it is met twice, which does no harm. */
        size_t a = ahead <= behind ? run_length(r, after, false) : 0;
        size_t b = behind <= ahead ? run_length(r, before, true) : 0;
        const uint16_t *x = r->owner + after, *y = r->owner + (before + 1 - b);
        for (size_t i = 0, j = 0; i < a || j < b;) {
            if (j == b || (i < a && x[i] <= y[j])) meet(w, x[i++]);
            else meet(w, y[j++]);
        }
        after = after + a < n ? after + a : after + a - n;
        before = before >= b ? before - b : before + n - b;
    }
}

static size_t first_nodes(const struct ring *r, uint64_t hash, uint32_t *out, size_t cap) {
    enum { FEW = 16 };
    if (cap > r->with_points) cap = r->with_points; /* so that the walk ends with the last of them */
    struct walk w = {.ring = r, .out = out, .cap = cap};
    uint64_t middle = middle_of(hash >> r->shift, r->shift), seen[(MAX_NODES + 63) / 64];
    if (cap == 0) return 0;
    if (cap > FEW) {
        memset(seen, 0, (r->nodes + 63) / 64 * sizeof seen[0]);
        w.seen = seen;
    }
    walk_from(&w, middle);
    return w.n;
}

/* ---- Handles. Readers are counted, nobody waits, and there is no lock that a fork could leave held. ----
 *
 * A place goes round:
 *
 *            load                 free                    the last reader out
 *   EMPTY ---------> LIVE ------------------> DYING ---------------------------> EMPTY, of the next generation
 *        (BUSY while filled)                        (BUSY while the memory is freed)
 *
 * Reader:  count +1;  see LIVE of its generation;  use the ring;  count -1;  if DYING, sweep.
 * Free:    LIVE -> DYING;  sweep.
 * Sweep:   if every count of the place is 0, one after the other: DYING -> BUSY, free the memory.
 *
 * Why it is safe. All of it is sequentially consistent. A reader that saw LIVE had counted itself before the place
 * became DYING, so a sweep, which comes after that, meets the count until the reader has left. A reader that counts
 * itself later does not see LIVE and touches nothing. So a sweep may look at one count after the other: a 0, once
 * seen, cannot become that of a reader with the ring. Why nothing stays: whoever takes a count of a dying place down
 * sweeps after that, so the last one finds only zeros.
 *
 * Counts are in rows, a row per thread (round robin), so that two threads do not share a cache line.
 *
 * A child of fork has the counts of threads that it does not have: a ring that one of them was using at that moment
 * is never freed in the child, its place is lost there, and nothing else: no function waits for it.
 */

enum { PLACES = ROOST_RING_MAX_HANDLES, PINS = ROOST_RING_MAX_PINS, ROWS = 64, INDEX_BITS = 16 };
enum { EMPTY, LIVE, DYING, BUSY, PHASE = 3, PHASE_BITS = 2 };

/* With locks behind the atomics a child of fork could wait for ever. */
_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_POINTER_LOCK_FREE == 2,
               "atomics of 64 bits must be lock-free");

struct place {
    _Atomic uint64_t state; /* generation, phase */
    _Atomic(struct ring *) ring;
};

static struct place places[PLACES];
static _Alignas(64) _Atomic uint32_t readers[ROWS][PLACES];

/* A pin is free (even) or taken (odd); each change is a new number, so a copy of a view cannot unpin twice. */
static _Atomic uint64_t pins[PINS];
static _Atomic uint32_t pin_reader[PINS]; /* row and place of its count */

static _Atomic uint32_t threads;
static _Thread_local uint32_t thread; /* from 1; 0: not yet numbered */

INLINE uint32_t my_row(void) {
    if (thread == 0) thread = atomic_fetch_add(&threads, 1) % ROWS + 1;
    return thread - 1;
}

INLINE uint64_t state_of(uint64_t generation, uint64_t phase) { return generation << PHASE_BITS | phase; }

NOINLINE void sweep(uint32_t index, uint64_t dying) {
    struct place *p = &places[index];
    for (size_t row = 0; row < ROWS; row++)
        if (atomic_load(&readers[row][index]) != 0) return;
    if (!atomic_compare_exchange_strong(&p->state, &dying, dying - DYING + BUSY)) return; /* another was first */
    struct ring *r = atomic_exchange(&p->ring, NULL);
    atomic_store(&p->state, dying - DYING + EMPTY);
    free(r);
}

INLINE void leave(uint32_t row, uint32_t index) {
    atomic_fetch_sub(&readers[row][index], 1);
    uint64_t state = atomic_load(&places[index].state);
    if ((state & PHASE) == DYING) sweep(index, state);
}

/* Takes part as a reader: the ring, or NULL. After NULL there is nothing to leave. */
INLINE const struct ring *enter(roost_ring handle, uint32_t row, uint32_t *index) {
    uint32_t i = (uint32_t)(handle & ((1u << INDEX_BITS) - 1));
    if (i >= PLACES) return NULL;
    *index = i;
    atomic_fetch_add(&readers[row][i], 1);
    if (atomic_load(&places[i].state) != state_of(handle >> INDEX_BITS, LIVE)) {
        leave(row, i);
        return NULL;
    }
    return atomic_load_explicit(&places[i].ring, memory_order_relaxed);
}

/* A place for the ring, and its handle; 0 if all are taken. */
static roost_ring take_place(struct ring *r) {
    for (uint32_t i = 0; i < PLACES; i++) {
        uint64_t state = atomic_load(&places[i].state);
        if ((state & PHASE) != EMPTY) continue;
        uint64_t generation = (state >> PHASE_BITS) + 1; /* of 48 bits: at a million loads a second, 9 years */
        if (!atomic_compare_exchange_strong(&places[i].state, &state, state_of(generation, BUSY))) continue;
        atomic_store(&places[i].ring, r);
        atomic_store(&places[i].state, state_of(generation, LIVE));
        return generation << INDEX_BITS | i;
    }
    return 0;
}

/* ---- The functions of ring.h ---- */

/* What bindings have written down. */
_Static_assert(sizeof(roost_ring_error) == 128 && offsetof(roost_ring_error, text) == 16, "ABI");
_Static_assert(sizeof(roost_ring_answer) == 56 && offsetof(roost_ring_answer, trace) == 32, "ABI");
_Static_assert(sizeof(roost_ring_trace) == 24 && sizeof(roost_ring_text) == 3 * sizeof(size_t), "ABI");

uint32_t roost_ring_abi(void) { return ROOST_RING_ABI; }

int32_t roost_ring_abi_serves(uint32_t abi) { return abi == ROOST_RING_ABI; /* there is no ABI 0 */ }

const char *roost_ring_error_text(int32_t code) {
    static const char *const refused[] = {
        "all is well",
        "SHORT: fewer bytes than a snapshot has, or than its length says",
        "MAGIC: it does not begin with ROOSTRNG",
        "FORMAT: a format that this library does not know",
        "LENGTH: more bytes than its length says, or a length that no snapshot has",
        "HASH: the content hash is another: it was damaged",
        "RESERVED: a byte that must be 0 is not",
        "PLACEMENT: a placement that this library does not know",
        "TABLE: the table bits or the points per unit are out of range",
        "NODE: too many nodes, an id, address or zone that is not allowed, ids not ascending, or an end in the middle",
        "WEIGHT: a weight or a capacity that is not allowed",
        "POINTS: points that do not fit the weight, or too many",
        "SECTION: a section that must be understood and is not, or sections not ascending",
    };
    static const char *const failed[] = {
        "ARGUMENT: NULL where something is needed, or a number out of range",
        "HANDLE: never given out, or freed already",
        "CAPACITY: a buffer is too small",
        "MEMORY: no memory for the ring",
        "NOBODY: no node owns the key, the ring has no points",
        "FULL: too many rings or views at the same time",
    };
    if (code >= ROOST_RING_OK && code <= ROOST_RING_SECTION) return refused[code];
    if (code >= ROOST_RING_ARGUMENT && code <= ROOST_RING_FULL) return failed[code - ROOST_RING_ARGUMENT];
    return "unknown code";
}

int32_t roost_ring_load(const void *bytes, size_t len, roost_ring *handle, roost_ring_error *error) {
    roost_ring_error ignored;
    struct reader r = {.bytes = bytes, .item = NO_ITEM, .error = error != NULL ? error : &ignored};
    uint32_t points = 0;
    size_t nodes_end = 0;
    if (handle != NULL) *handle = 0;
    if (handle == NULL || (bytes == NULL && len > 0))
        return refuse(&r, ROOST_RING_ARGUMENT, 0, roost_ring_error_text(ROOST_RING_ARGUMENT));
    int32_t code = read_snapshot(&r, len, &points, &nodes_end);
    if (code) return code;
    r.item = NO_ITEM;
    struct ring *ring = build(bytes, len, points, nodes_end);
    if (ring == NULL) return refuse(&r, ROOST_RING_MEMORY, 0, roost_ring_error_text(ROOST_RING_MEMORY));
    *handle = take_place(ring);
    if (*handle == 0) {
        free(ring);
        return refuse(&r, ROOST_RING_FULL, 0, roost_ring_error_text(ROOST_RING_FULL));
    }
    return refuse(&r, ROOST_RING_OK, 0, "");
}

int32_t roost_ring_free(roost_ring handle) {
    uint32_t index = (uint32_t)(handle & ((1u << INDEX_BITS) - 1));
    if (index >= PLACES) return ROOST_RING_HANDLE;
    uint64_t live = state_of(handle >> INDEX_BITS, LIVE), dying = live - LIVE + DYING;
    if (!atomic_compare_exchange_strong(&places[index].state, &live, dying)) return ROOST_RING_HANDLE;
    sweep(index, dying);
    return ROOST_RING_OK;
}

int32_t roost_ring_version(roost_ring handle, uint64_t *version) {
    uint32_t row = my_row(), index;
    if (version == NULL) return ROOST_RING_ARGUMENT;
    *version = 0;
    const struct ring *r = enter(handle, row, &index);
    if (r == NULL) return ROOST_RING_HANDLE;
    *version = r->version;
    leave(row, index);
    return ROOST_RING_OK;
}

int32_t roost_ring_content_hash(roost_ring handle, uint64_t *hash) {
    uint32_t row = my_row(), index;
    if (hash == NULL) return ROOST_RING_ARGUMENT;
    *hash = 0;
    const struct ring *r = enter(handle, row, &index);
    if (r == NULL) return ROOST_RING_HANDLE;
    *hash = r->content_hash;
    leave(row, index);
    return ROOST_RING_OK;
}

int32_t roost_ring_nodes(roost_ring handle, uint32_t *nodes) {
    uint32_t row = my_row(), index;
    if (nodes == NULL) return ROOST_RING_ARGUMENT;
    *nodes = 0;
    const struct ring *r = enter(handle, row, &index);
    if (r == NULL) return ROOST_RING_HANDLE;
    *nodes = r->nodes;
    leave(row, index);
    return ROOST_RING_OK;
}

static double amount(const uint8_t *p) {
    uint64_t bits = read64(p);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int32_t copy_node(const struct ring *r, uint32_t number, roost_ring_node_info *info) {
    const uint8_t *p = r->raw + r->node[number].offset;
    roost_ring_text *texts[] = {&info->id, &info->addr, &info->zone};
    const uint8_t *from[3];
    int32_t code = ROOST_RING_OK;
    for (size_t i = 0; i < 3; i++) {
        texts[i]->len = p[0];
        from[i] = p + 1;
        p += 1 + texts[i]->len;
        if (texts[i]->at != NULL && texts[i]->cap <= texts[i]->len) code = ROOST_RING_CAPACITY;
    }
    info->weight = amount(p);
    info->capacity = amount(p + 8);
    info->points = read32(p + 16);
    info->slots = r->node[number].slots;
    for (size_t i = 0; i < 3 && code == ROOST_RING_OK; i++) {
        if (texts[i]->at == NULL) continue;
        memcpy(texts[i]->at, from[i], texts[i]->len);
        texts[i]->at[texts[i]->len] = 0;
    }
    return code;
}

int32_t roost_ring_node(roost_ring handle, uint32_t number, roost_ring_node_info *info) {
    uint32_t row = my_row(), index;
    if (info == NULL) return ROOST_RING_ARGUMENT;
    info->id.len = info->addr.len = info->zone.len = 0;
    info->weight = info->capacity = 0;
    info->points = info->slots = 0;
    const struct ring *r = enter(handle, row, &index);
    if (r == NULL) return ROOST_RING_HANDLE;
    int32_t code = number < r->nodes ? copy_node(r, number, info) : ROOST_RING_ARGUMENT;
    leave(row, index);
    return code;
}

INLINE bool key_is_there(const void *key, size_t len) { return key != NULL || len == 0; }

INLINE int32_t code_of(uint32_t node) { return node == ROOST_RING_NO_NODE ? ROOST_RING_NOBODY : ROOST_RING_OK; }

int32_t roost_ring_lookup(roost_ring handle, const void *key, size_t len, uint32_t *node) {
    uint32_t row = my_row(), index;
    if (node == NULL) return ROOST_RING_ARGUMENT;
    *node = ROOST_RING_NO_NODE;
    if (!key_is_there(key, len)) return ROOST_RING_ARGUMENT;
    const struct ring *r = enter(handle, row, &index);
    if (r == NULL) return ROOST_RING_HANDLE;
    uint32_t owner = r->table[hash_of(key, len) >> r->shift];
    leave(row, index);
    *node = owner;
    return code_of(owner);
}

int32_t roost_ring_lookup_id(roost_ring handle, const void *key, size_t len, char *id, size_t cap, size_t *need) {
    uint32_t row = my_row(), index;
    if (need != NULL) *need = 0;
    if (!key_is_there(key, len) || (id == NULL && cap > 0)) return ROOST_RING_ARGUMENT;
    const struct ring *r = enter(handle, row, &index);
    if (r == NULL) return ROOST_RING_HANDLE;
    uint32_t owner = r->table[hash_of(key, len) >> r->shift];
    int32_t code = code_of(owner);
    if (code == ROOST_RING_OK) {
        const uint8_t *p = r->raw + r->node[owner].offset;
        size_t n = p[0];
        if (need != NULL) *need = n + 1;
        if (cap <= n) {
            code = ROOST_RING_CAPACITY;
        } else {
            memcpy(id, p + 1, n);
            id[n] = 0;
        }
    }
    leave(row, index);
    return code;
}

int32_t roost_ring_lookup_n(roost_ring handle, const void *key, size_t len, uint32_t *nodes, size_t cap, size_t *n) {
    uint32_t row = my_row(), index;
    if (n == NULL) return ROOST_RING_ARGUMENT;
    *n = 0;
    if (!key_is_there(key, len) || (nodes == NULL && cap > 0)) return ROOST_RING_ARGUMENT;
    const struct ring *r = enter(handle, row, &index);
    if (r == NULL) return ROOST_RING_HANDLE;
    *n = first_nodes(r, hash_of(key, len), nodes, cap);
    int32_t code = r->points > 0 ? ROOST_RING_OK : ROOST_RING_NOBODY;
    leave(row, index);
    return code;
}

int32_t roost_ring_lookup_many(roost_ring handle, const void *bytes, const size_t *ends, size_t count,
                               uint32_t *nodes) {
    uint32_t row = my_row(), index;
    if (count > 0 && (ends == NULL || nodes == NULL)) return ROOST_RING_ARGUMENT;
    for (size_t i = 0; i < count; i++) nodes[i] = ROOST_RING_NO_NODE;
    for (size_t i = 1; i < count; i++)
        if (ends[i] < ends[i - 1]) return ROOST_RING_ARGUMENT;
    if (count > 0 && !key_is_there(bytes, ends[count - 1])) return ROOST_RING_ARGUMENT;
    const struct ring *r = enter(handle, row, &index);
    if (r == NULL) return ROOST_RING_HANDLE;
    const uint8_t *p = bytes;
    for (size_t i = 0, start = 0; i < count; i++) {
        nodes[i] = r->table[hash_of(start < ends[i] ? p + start : p, ends[i] - start) >> r->shift];
        start = ends[i];
    }
    int32_t code = r->points > 0 ? ROOST_RING_OK : ROOST_RING_NOBODY;
    leave(row, index);
    return code;
}

int32_t roost_ring_route(roost_ring handle, const roost_ring_context *context, const void *key, size_t len,
                         roost_ring_answer *answer) {
    uint32_t row = my_row(), index;
    if (answer == NULL) return ROOST_RING_ARGUMENT;
    memset(answer, 0, sizeof *answer);
    answer->node = ROOST_RING_NO_NODE;
    if (context != NULL) answer->trace = context->trace;
    if (!key_is_there(key, len)) {
        answer->code = ROOST_RING_ARGUMENT;
    } else {
        const struct ring *r = enter(handle, row, &index);
        answer->code = ROOST_RING_HANDLE;
        answer->key_hash = hash_of(key, len);
        if (r != NULL) {
            answer->version = r->version;
            answer->content_hash = r->content_hash;
            answer->node = r->table[answer->key_hash >> r->shift];
            answer->code = code_of(answer->node);
            leave(row, index);
        }
    }
    int32_t code = answer->code; /* the observer may reuse the answer's memory */
    if (context != NULL && context->observe != NULL) context->observe(answer, context->user);
    return code;
}

/* The table of a view without a ring. */
static const uint16_t nobody[2] = {ROOST_RING_NO_NODE, ROOST_RING_NO_NODE};
static const roost_ring_view no_view = {.table = nobody, .shift = 63};

int32_t roost_ring_pin(roost_ring handle, roost_ring_view *view) {
    uint32_t row = my_row(), index;
    if (view == NULL) return ROOST_RING_ARGUMENT;
    *view = no_view;
    const struct ring *r = enter(handle, row, &index);
    if (r == NULL) return ROOST_RING_HANDLE;
    for (uint32_t i = 0; i < PINS; i++) {
        uint64_t is = atomic_load_explicit(&pins[i], memory_order_relaxed);
        if (is & 1 || !atomic_compare_exchange_strong(&pins[i], &is, is + 1)) continue;
        atomic_store(&pin_reader[i], row << INDEX_BITS | index);
        *view = (roost_ring_view){.table = r->table, .shift = r->shift, .pin = (is + 1) << INDEX_BITS | i};
        return ROOST_RING_OK;
    }
    leave(row, index);
    return ROOST_RING_FULL;
}

int32_t roost_ring_unpin(roost_ring_view *view) {
    if (view == NULL) return ROOST_RING_ARGUMENT;
    uint64_t pin = view->pin, is = pin >> INDEX_BITS;
    uint32_t i = (uint32_t)(pin & ((1u << INDEX_BITS) - 1));
    *view = no_view;
    if (i >= PINS || !(is & 1)) return ROOST_RING_HANDLE;
    /* Read before the pin is given back: after that another may take it. If it is another's, the exchange fails. */
    uint32_t reader = atomic_load(&pin_reader[i]);
    if (!atomic_compare_exchange_strong(&pins[i], &is, is + 1)) return ROOST_RING_HANDLE;
    leave(reader >> INDEX_BITS, reader & ((1u << INDEX_BITS) - 1));
    return ROOST_RING_OK;
}

uint32_t roost_ring_at(const roost_ring_view *view, const void *key, size_t len) {
    return view->table[hash_of(key, len) >> view->shift];
}

uint64_t roost_ring_hash(const void *key, size_t len) { return hash_of(key, key != NULL ? len : 0); }

int32_t roost_ring_canary(const void *key, size_t len, uint32_t share) {
    return (roost_ring_hash(key, len) & 0xffffffffu) * 10000 < (uint64_t)share << 32;
}
