/* Snapshots that are refused: each code, every cut, every flipped bit, and many random changes with the content hash
 * made right again, so that the checks behind it are reached. What is accepted must be spelled as it was read.
 *
 *   parse_test [rounds]
 */
#include <string.h>

#include "support.h"

/* Linked with --wrap=malloc: a changed snapshot may ask for millions of points, which is right but slow. */
static size_t largest_block = SIZE_MAX;
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size) { return size <= largest_block ? __real_malloc(size) : NULL; }

static const struct test_node three[] = {
    {"a", "10.0.0.1:80", "east", 1, 1.0, 1000, 160},
    {"b\xc3\xa9", "", "", 3, 0.0, 0, 0},
    {"c", "10.0.0.3:80", "west", 1, 0.5, 500, 80},
};

static int32_t load(const void *bytes, size_t len, roost_ring *ring, roost_ring_error *error) {
    /* A copy of its very size, so that ASan finds a byte read too far. */
    uint8_t *copy = __real_malloc(len + (len == 0));
    CHECK(copy != NULL, "no memory");
    memcpy(copy, bytes, len);
    int32_t code = roost_ring_load(copy, len, ring, error);
    CHECK(error->code == code && (*ring != 0) == (code == ROOST_RING_OK), "code %d, error %d", code, error->code);
    CHECK(memchr(error->text, 0, sizeof error->text) != NULL, "a text without an end");
    free(copy);
    return code;
}

static struct bytes b;

/* The snapshot of three, to be changed by the caller. */
static uint8_t *again(void) {
    put_snapshot(&b, 7, 8, three, 3);
    return b.at;
}

static void expect(const char *what, int32_t want) {
    roost_ring ring;
    roost_ring_error e;
    int32_t code = load(b.at, b.len, &ring, &e);
    CHECK(code == want, "%s: code %d (%s), not %d", what, code, e.text, want);
    CHECK(code == 0 || (e.offset <= b.len && e.text[0] != 0), "%s: no detail", what);
    if (code == 0) roost_ring_free(ring);
}

/* Puts value at an offset and makes the content hash right. */
static void with(size_t offset, uint64_t value, size_t width) {
    for (size_t i = 0; i < width; i++) again()[offset + i] = 0;
    for (size_t i = 0; i < width; i++) b.at[offset + i] = (uint8_t)(value >> 8 * i);
    seal(&b, true);
}

/* The three nodes with one of them changed, and the code that this has. */
static void with_node(const char *what, size_t i, struct test_node node, int32_t want) {
    struct test_node nodes[3];
    memcpy(nodes, three, sizeof nodes);
    nodes[i] = node;
    put_snapshot(&b, 7, 8, nodes, 3);
    expect(what, want);
}

static struct test_node named(const char *id) {
    struct test_node node = {.weight = 1, .points = 1, .id_len = strlen(id)};
    memcpy(node.id, id, node.id_len);
    return node;
}

static void header_codes(void) {
    again(), expect("as it is", ROOST_RING_OK);
    with(0, 'r', 1), expect("magic", ROOST_RING_MAGIC);
    with(8, 2, 2), expect("format 2", ROOST_RING_FORMAT);
    with(8, 0, 2), expect("format 0", ROOST_RING_FORMAT);
    with(12, 43, 4), expect("length 43", ROOST_RING_LENGTH);
    with(12, 67108865, 4), expect("length too large", ROOST_RING_LENGTH);
    with(12, 67108864, 4), expect("length above what is there", ROOST_RING_SHORT);
    with(12, 44, 4), expect("length below what is there", ROOST_RING_LENGTH);
    again()[b.len - 1] ^= 1, expect("hash", ROOST_RING_HASH);
    with(10, 1, 1), expect("reserved 10", ROOST_RING_RESERVED);
    with(11, 1, 1), expect("reserved 11", ROOST_RING_RESERVED);
    with(30, 1, 1), expect("reserved 30", ROOST_RING_RESERVED);
    with(31, 1, 1), expect("reserved 31", ROOST_RING_RESERVED);
    with(29, 0x00010200, 3), expect("reserved before placement", ROOST_RING_RESERVED);
    with(29, 0, 1), expect("placement 0", ROOST_RING_PLACEMENT);
    with(29, 2, 1), expect("placement 2", ROOST_RING_PLACEMENT);
    with(28, 0x0207, 2), expect("placement before table", ROOST_RING_PLACEMENT);
    with(28, 7, 1), expect("k 7", ROOST_RING_TABLE);
    with(28, 20, 1), expect("k 20", ROOST_RING_OK);
    with(28, 21, 1), expect("k 21", ROOST_RING_TABLE);
    with(24, 0, 4), expect("unit 0", ROOST_RING_TABLE);
    with(24, 65536, 4), expect("unit 65536", ROOST_RING_OK);
    with(24, 65537, 4), expect("unit 65537", ROOST_RING_TABLE);
    with(32, 65536, 4), expect("nodes 65536", ROOST_RING_NODE);
    with(32, 4, 4), expect("a node fewer than said", ROOST_RING_NODE);
    with(32, 2, 4), expect("a node more than said", ROOST_RING_NODE); /* it is read as a section */
}

static void node_codes(void) {
    with_node("a control character", 0, named("a\x1f"), ROOST_RING_NODE);
    with_node("delete", 0, named("a\x7f"), ROOST_RING_NODE);
    with_node("half a letter", 0, named("a\xc3"), ROOST_RING_NODE);
    with_node("an overlong letter", 0, named("a\xc0\x80"), ROOST_RING_NODE);
    with_node("an overlong letter of 3", 0, named("a\xe0\x80\x80"), ROOST_RING_NODE);
    with_node("a surrogate", 0, named("a\xed\xa0\x80"), ROOST_RING_NODE);
    with_node("above U+10FFFF", 0, named("a\xf4\x90\x80\x80"), ROOST_RING_NODE);
    with_node("U+10FFFF", 0, named("a\xf4\x8f\xbf\xbf"), ROOST_RING_OK);
    with_node("U+0080, no control character here", 0, named("a\xc2\x80"), ROOST_RING_OK);
    with_node("an empty id", 0, named(""), ROOST_RING_NODE);
    with_node("the same id twice", 2, named("b\xc3\xa9"), ROOST_RING_NODE);
    with_node("descending", 2, named("b"), ROOST_RING_NODE);
    with_node("a longer one is above", 2, named("b\xc3\xa9 "), ROOST_RING_OK);
    struct test_node node = three[0];
    memcpy(node.addr, "\x80", 2), with_node("an address", 0, node, ROOST_RING_NODE);
    node = three[0], memcpy(node.zone, "\n", 2), with_node("a zone", 0, node, ROOST_RING_NODE);
    node = three[0], memset(node.addr, 'x', 255), with_node("a long address", 0, node, ROOST_RING_OK);

    static const struct {
        uint64_t bits;
        int32_t code;
    } amounts[] = {
        {0x8000000000000000u, ROOST_RING_WEIGHT}, {0xbff0000000000000u, ROOST_RING_WEIGHT},
        {0x7ff0000000000000u, ROOST_RING_WEIGHT}, {0xfff0000000000000u, ROOST_RING_WEIGHT},
        {0x7ff8000000000000u, ROOST_RING_WEIGHT}, {0x7ff0000000000001u, ROOST_RING_WEIGHT},
        {0x7fefffffffffffffu, ROOST_RING_OK},     {1, ROOST_RING_OK},
    };
    for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++) {
        node = three[0], memcpy(&node.weight, &amounts[i].bits, 8), with_node("a weight", 0, node, amounts[i].code);
        node = three[0], memcpy(&node.capacity, &amounts[i].bits, 8), with_node("a capacity", 0, node, amounts[i].code);
    }
    node = three[0], node.points = 0, with_node("weight 1, no points", 0, node, ROOST_RING_POINTS);
    node = three[1], node.points = 1, with_node("weight 0, a point", 1, node, ROOST_RING_POINTS);
    node = three[0], node.points = 1048576, with_node("the most points", 0, node, ROOST_RING_OK);
    node = three[0], node.points = 1048577, with_node("too many points", 0, node, ROOST_RING_POINTS);
    node.weight = -1, with_node("weight before points", 0, node, ROOST_RING_WEIGHT);
    node.id_len = 0, with_node("id before weight", 0, node, ROOST_RING_NODE);
    node = named("0"), node.weight = -1, with_node("order before weight", 2, node, ROOST_RING_NODE);
    node = named("d"), node.weight = -1, with_node("the last weight", 2, node, ROOST_RING_WEIGHT);
    b.len -= 1, seal(&b, false), expect("its end before its weight", ROOST_RING_NODE);
}

static void points_in_all(void) {
    struct test_node nodes[17];
    memset(nodes, 0, sizeof nodes);
    for (size_t i = 0; i < 17; i++) nodes[i] = named((char[]){(char)('a' + i), 0}), nodes[i].points = 1048576;
    largest_block = 1 << 20; /* read, but not built: it would be 336 MB */
    put_snapshot(&b, 1, 8, nodes, 16), expect("the most points in all", ROOST_RING_MEMORY);
    put_snapshot(&b, 1, 8, nodes, 17), expect("too many points in all", ROOST_RING_POINTS);
    nodes[16].points = 1;
    put_snapshot(&b, 1, 8, nodes, 17), expect("one too many in all", ROOST_RING_POINTS);
    largest_block = SIZE_MAX;
}

/* The three nodes and sections: tag, length as said, bytes that are there. */
static void sections(const char *what, int32_t want, size_t n, const uint32_t (*list)[3]) {
    again();
    b.len -= 8;
    for (size_t i = 0; i < n; i++) {
        put_number(&b, list[i][0], 2);
        put_number(&b, list[i][1], 4);
        for (uint32_t j = 0; j < list[i][2]; j++) put_number(&b, j, 1);
    }
    put_number(&b, 0, 8);
    seal(&b, false);
    expect(what, want);
}

static void section_codes(void) {
#define SECTIONS(what, want, ...) \
    sections(what, want, sizeof(uint32_t[][3]){__VA_ARGS__} / sizeof(uint32_t[3]), (const uint32_t[][3]){__VA_ARGS__})
    SECTIONS("unknown sections", ROOST_RING_OK, {1, 0, 0}, {2, 300, 300}, {0x7fff, 5, 5});
    SECTIONS("tag 0", ROOST_RING_SECTION, {0, 0, 0});
    SECTIONS("twice", ROOST_RING_SECTION, {3, 1, 1}, {3, 1, 1});
    SECTIONS("descending", ROOST_RING_SECTION, {3, 1, 1}, {2, 1, 1});
    SECTIONS("must be understood", ROOST_RING_SECTION, {3, 1, 1}, {0x8001, 0, 0});
    SECTIONS("longer than what is there", ROOST_RING_NODE, {3, 5, 4});
    SECTIONS("much longer", ROOST_RING_NODE, {3, UINT32_MAX, 4});
    SECTIONS("its end before its order", ROOST_RING_NODE, {3, 1, 1}, {2, 2, 1});
    SECTIONS("its end before its meaning", ROOST_RING_NODE, {0x8001, 1, 0});
    for (size_t n = 1; n < 6; n++) {
        again();
        b.len -= 8;
        put_number(&b, 0x0101010101, n);
        put_number(&b, 0, 8);
        seal(&b, false);
        expect("half a section", ROOST_RING_NODE);
    }
}

static void cuts_and_bits(void) {
    struct bytes whole = {0};
    roost_ring ring;
    roost_ring_error e;
    put_snapshot(&whole, 7, 8, three, 3);
    for (size_t n = 0; n < whole.len; n++)
        CHECK(load(whole.at, n, &ring, &e) == ROOST_RING_SHORT, "cut to %zu bytes: %d", n, e.code);
    for (size_t bit = 0; bit < 8 * whole.len; bit++) {
        whole.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        int32_t code = load(whole.at, whole.len, &ring, &e);
        size_t i = bit / 8;
        bool right = i < 8           ? code == ROOST_RING_MAGIC
                     : i < 10        ? code == ROOST_RING_FORMAT
                     : i / 4 * 4 == 12 ? code == ROOST_RING_LENGTH || code == ROOST_RING_SHORT
                                     : code == ROOST_RING_HASH;
        CHECK(right, "bit %zu flipped: code %d", bit, code);
        whole.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    /* Cut, and its length and hash made right: the nodes end in the middle. */
    for (size_t n = whole.len - 1; n >= 44; n--) {
        put_snapshot(&b, 7, 8, three, 3);
        b.len = n, seal(&b, false), expect("cut and sealed", ROOST_RING_NODE);
        for (size_t more = 1; n > 44 && more < 4; more++) { /* the same where a text is said to go on */
            put_snapshot(&b, 7, 8, three, 3);
            b.len = n, b.at[n - 9] = (uint8_t)more, seal(&b, false);
            CHECK(load(b.at, b.len, &ring, &e) != 0, "cut to %zu bytes and sealed: accepted", n);
        }
    }
    put_number(&whole, 0, 1);
    CHECK(load(whole.at, whole.len, &ring, &e) == ROOST_RING_LENGTH, "a byte more: %d", e.code);
    free(whole.at);
}

/* One random change. */
static void change(uint64_t *state, struct bytes *m) {
    static const uint8_t telling[] = {0, 1, 0x1f, 0x20, 0x7f, 0x80, 0xbf, 0xc2, 0xe0, 0xed, 0xf4, 0xff};
    size_t i = random_below(state, (uint32_t)m->len), n = 1 + random_below(state, 12);
    switch (random_below(state, 5)) {
    case 0: m->at[i] ^= (uint8_t)(1 << random_below(state, 8)); break;
    case 1: m->at[i] = telling[random_below(state, sizeof telling)]; break;
    case 2: /* some bytes fewer */
        if (n > m->len - i) n = m->len - i;
        memmove(m->at + i, m->at + i + n, m->len - i - n);
        m->len -= n;
        break;
    case 3: /* some bytes twice */
        if (n > m->len - i) n = m->len - i;
        put(m, m->at + m->len - n, n); /* room, and something at the end */
        memmove(m->at + i + n, m->at + i, m->len - i - n);
        break;
    default: /* a number elsewhere */
        if (m->len - i >= 4) memcpy(m->at + i, m->at + random_below(state, (uint32_t)m->len - 3), 4);
    }
}

/* What is accepted has the one spelling of what it says (if it has no sections), and lookups stay in range. */
static void look_at(roost_ring ring, const struct bytes *m) {
    struct bytes spelled = {0};
    uint64_t hash, key = 1;
    uint32_t n, out[32];
    size_t met;
    put_ring(&spelled, ring, (uint32_t)(m->at[24] | m->at[25] << 8 | m->at[26] << 16), m->at[28]);
    CHECK(roost_ring_content_hash(ring, &hash) == 0 && roost_ring_nodes(ring, &n) == 0, "a ring without a hash");
    bool same = spelled.len == m->len && memcmp(spelled.at, m->at, m->len) == 0;
    CHECK(same || spelled.len < m->len, "%zu bytes were accepted that are spelled in %zu", m->len, spelled.len);
    CHECK(!same || hash == roost_ring_hash(m->at, m->len - 8), "the hash");
    for (; key < 50; key++) {
        int32_t code = roost_ring_lookup_n(ring, &key, sizeof key, out, 32, &met);
        CHECK((code == ROOST_RING_NOBODY) == (met == 0), "code %d with %zu nodes", code, met);
        for (size_t i = 0; i < met; i++) CHECK(out[i] < n, "node %u of %u", out[i], n);
    }
    free(spelled.at);
}

static void changes(int rounds) {
    uint64_t state = 1;
    long counts[128] = {0};
    struct bytes m = {0};
    largest_block = 1 << 19;
    for (int round = 0; round < rounds; round++) {
        roost_ring ring;
        roost_ring_error e;
        put_snapshot(&m, 7, 8 + random_below(&state, 3), three, 1 + random_below(&state, 3));
        if (random_below(&state, 3) == 0) { /* a section */
            m.len -= 8;
            put_number(&m, 5, 2), put_number(&m, 3, 4), put(&m, "xyz", 3), put_number(&m, 0, 8);
            seal(&m, false);
        }
        for (uint32_t n = 1 + random_below(&state, 3); n > 0 && m.len > 20; n--) change(&state, &m);
        if (m.len >= 44 && random_below(&state, 20) != 0) seal(&m, random_below(&state, 20) == 0);
        int32_t code = load(m.at, m.len, &ring, &e);
        counts[code]++;
        if (code != 0) continue;
        look_at(ring, &m);
        CHECK(roost_ring_free(ring) == 0, "not freed");
    }
    printf("parse: %d random changes:", rounds);
    for (int i = 0; i < 128; i++)
        if (counts[i]) printf(" %.*s %ld", (int)strcspn(roost_ring_error_text(i), ":"), roost_ring_error_text(i), counts[i]);
    putchar('\n');
    for (int32_t code = 0; code <= ROOST_RING_SECTION; code++)
        CHECK(rounds < 100000 || counts[code] > 0, "no change led to the code %d", code);
    largest_block = SIZE_MAX;
    free(m.at);
}

int main(int argc, char **argv) {
    header_codes();
    node_codes();
    points_in_all();
    section_codes();
    cuts_and_bits();
    changes(argc > 1 ? atoi(argv[1]) : 100000);
    free(b.at);
    return 0;
}
