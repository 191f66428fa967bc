/* The golden vectors that all implementations share; and each small ring of theirs against the slow twin.
 *
 *   vectors_test ring/testdata
 */
#include <inttypes.h>
#include <string.h>

#include "support.h"

static const char *testdata;
static int line_number;

/* The snapshot of a line; the last one is kept, as its lines follow each other. */
static roost_ring ring_of(const char *name, int32_t want) {
    static char last[256];
    static roost_ring ring;
    char path[1024];
    struct bytes b = {0};
    roost_ring_error error;
    if (want == 0 && ring != 0 && strcmp(last, name) == 0) return ring;
    CHECK(ring == 0 || roost_ring_free(ring) == 0, "line %d: not freed", line_number);
    snprintf(last, sizeof last, "%s", name);
    snprintf(path, sizeof path, "%s/snapshots/%s", testdata, name);
    CHECK(read_file(&b, path), "line %d: no file %s", line_number, path);
    int32_t code = roost_ring_load(b.at, b.len, &ring, &error);
    CHECK(code == want, "line %d: %s: code %d, not %d: at %" PRIu64 ": %s", line_number, name, code, want, error.offset,
          error.text);
    free(b.at);
    return ring;
}

static int32_t code_named(const char *name) {
    size_t n = strlen(name);
    for (int32_t code = 1; code < 128; code++) {
        const char *text = roost_ring_error_text(code);
        if (strncmp(text, name, n) == 0 && text[n] == ':') return code;
    }
    CHECK(false, "line %d: no code %s", line_number, name);
    return 0;
}

static size_t key_from(const char *hex, uint8_t *key, size_t cap) {
    size_t n = strlen(hex) / 2;
    CHECK(n <= cap, "line %d: a long key", line_number);
    for (size_t i = 0; i < n; i++) {
        unsigned byte;
        CHECK(sscanf(hex + 2 * i, "%2x", &byte) == 1, "line %d: not hexadecimal", line_number);
        key[i] = (uint8_t)byte;
    }
    return n;
}

static void put_id(struct bytes *b, roost_ring ring, uint32_t number) {
    char id[256];
    roost_ring_node_info info = {.id = {id, sizeof id, 0}};
    CHECK(roost_ring_node(ring, number, &info) == 0, "line %d: node %u", line_number, number);
    put(b, id, info.id.len);
}

static void lookup(char **field) {
    static uint8_t key[65536];
    struct bytes ids = {0};
    roost_ring ring = ring_of(field[1], 0);
    roost_ring_view view;
    uint32_t nodes[4], owner;
    size_t len = key_from(field[2], key, sizeof key), n, need;
    char id[256] = "";
    CHECK(roost_ring_hash(key, len) == strtoull(field[3], NULL, 16), "line %d: the hash", line_number);
    int32_t code = roost_ring_lookup_n(ring, key, len, nodes, 4, &n);
    CHECK(code == (n ? ROOST_RING_OK : ROOST_RING_NOBODY), "line %d: code %d", line_number, code);
    for (size_t i = 0; i < n; i++) {
        if (i > 0) put(&ids, ",", 1);
        put_id(&ids, ring, nodes[i]);
    }
    if (n == 0) put(&ids, "-", 1);
    put(&ids, "", 1);
    CHECK(strcmp((char *)ids.at, field[4]) == 0, "line %d: %s, not %s", line_number, (char *)ids.at, field[4]);

    CHECK(roost_ring_lookup(ring, key, len, &owner) == code && owner == (n ? nodes[0] : ROOST_RING_NO_NODE),
          "line %d: the owner %u", line_number, owner);
    CHECK(roost_ring_lookup_id(ring, key, len, id, sizeof id, &need) == code, "line %d: the id", line_number);
    CHECK(n == 0 || (strlen(id) + 1 == need && strncmp(id, field[4], need - 1) == 0), "line %d: %s", line_number, id);
    CHECK(roost_ring_pin(ring, &view) == 0 && roost_ring_at(&view, key, len) == owner && roost_ring_unpin(&view) == 0,
          "line %d: the view", line_number);
    free(ids.at);
}

/* Small rings once more, against the twin. */
static void twin(roost_ring ring, uint32_t bits) {
    static struct test_node nodes[300];
    uint32_t n;
    CHECK(roost_ring_nodes(ring, &n) == 0, "line %d: nodes", line_number);
    if (n > 300) return;
    for (uint32_t i = 0; i < n; i++) {
        roost_ring_node_info info = {.id = {nodes[i].id, sizeof nodes[i].id, 0}};
        CHECK(roost_ring_node(ring, i, &info) == 0, "line %d: node %u", line_number, i);
        nodes[i].id_len = info.id.len, nodes[i].points = info.points;
    }
    check_against_twin(ring, bits, nodes, n, ((uint32_t)1 << bits) / 32 + 1);
}

static void table(char **field) {
    roost_ring ring = ring_of(field[1], 0);
    roost_ring_view view;
    struct bytes owners = {0};
    CHECK(roost_ring_pin(ring, &view) == 0, "line %d: not pinned", line_number);
    for (size_t slot = 0; slot < (size_t)1 << (64 - view.shift); slot++) put_number(&owners, view.table[slot], 2);
    uint64_t hash = roost_ring_hash(owners.at, owners.len);
    CHECK(hash == strtoull(field[2], NULL, 16), "line %d: the table is another: %016" PRIx64, line_number, hash);
    twin(ring, 64 - view.shift);
    CHECK(roost_ring_unpin(&view) == 0, "line %d: not unpinned", line_number);
    free(owners.at);
}

static void load(char **field) {
    roost_ring ring = ring_of(field[1], 0);
    uint64_t version, hash;
    uint32_t nodes;
    CHECK(roost_ring_version(ring, &version) == 0 && version == strtoull(field[2], NULL, 10), "line %d", line_number);
    CHECK(roost_ring_content_hash(ring, &hash) == 0 && hash == strtoull(field[3], NULL, 16), "line %d", line_number);
    CHECK(roost_ring_nodes(ring, &nodes) == 0 && nodes == strtoul(field[4], NULL, 10), "line %d", line_number);
}

static void canary(char **field) {
    static uint8_t key[65536];
    size_t len = key_from(field[1], key, sizeof key);
    int32_t yes = roost_ring_canary(key, len, (uint32_t)strtoul(field[2], NULL, 10));
    CHECK(yes == atoi(field[3]), "line %d: %d", line_number, yes);
}

int main(int argc, char **argv) {
    static char line[1 << 20], path[1024];
    CHECK(argc == 2, "usage: vectors_test ring/testdata");
    testdata = argv[1];
    snprintf(path, sizeof path, "%s/vectors.tsv", testdata);
    FILE *f = fopen(path, "r");
    CHECK(f != NULL, "no file %s", path);
    int cases = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        char *field[8] = {line}, *rest = line;
        size_t n = 1;
        line_number++;
        line[strcspn(line, "\n")] = 0;
        if (line[0] == '#' || line[0] == 0) continue;
        for (; n < 8 && (rest = strchr(rest, '\t')) != NULL; n++) *rest++ = 0, field[n] = rest;
        if (strcmp(field[0], "load") == 0 && n == 5) load(field);
        else if (strcmp(field[0], "refuse") == 0 && n == 3) ring_of(field[1], code_named(field[2]));
        else if (strcmp(field[0], "lookup") == 0 && n == 5) lookup(field);
        else if (strcmp(field[0], "canary") == 0 && n == 4) canary(field);
        else if (strcmp(field[0], "table") == 0 && n == 3) table(field);
        else CHECK(false, "line %d: not a case: %s", line_number, line);
        cases++;
    }
    fclose(f);
    roost_ring_free(ring_of("v1/empty.ring", 0));
    CHECK(cases > 100, "only %d cases", cases);
    printf("vectors: %d cases agree\n", cases);
    return 0;
}
