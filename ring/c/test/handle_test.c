/* Handles, views, buffers and arguments that are wrong; no allocation after load; memory that is not there. */
#include <string.h>

#include "support.h"

/* Linked with --wrap=malloc and --wrap=free. */
static long allocations, blocks, fail_after = -1;
void *__real_malloc(size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void __wrap_free(void *p);
void *__wrap_malloc(size_t size) {
    allocations++;
    if (fail_after == 0) return NULL;
    if (fail_after > 0) fail_after--;
    blocks++;
    return __real_malloc(size);
}
void __wrap_free(void *p) {
    blocks -= p != NULL;
    __real_free(p);
}

static const struct test_node two[] = {
    {"alpha", "10.0.0.1:80", "east", 5, 1.0, 1000, 160},
    {"beta", "", "", 4, 0.5, 0, 80},
};
static const struct test_node idle = {"idle", "", "", 4, 0.0, 0, 0};

static struct bytes snapshot;

static roost_ring load(void) {
    roost_ring ring;
    int32_t code = roost_ring_load(snapshot.at, snapshot.len, &ring, NULL);
    CHECK(code == 0 && ring != 0, "code %d", code);
    return ring;
}

/* Every function says HANDLE, and fills in nothing. */
static void check_dead(roost_ring ring) {
    uint64_t number = 1;
    uint32_t node = 1, nodes[4];
    size_t n = 1, ends[] = {3};
    char id[256];
    roost_ring_node_info info = {.points = 1};
    roost_ring_answer answer;
    roost_ring_view view;
    CHECK(roost_ring_version(ring, &number) == ROOST_RING_HANDLE && number == 0, "version");
    CHECK(roost_ring_content_hash(ring, &number) == ROOST_RING_HANDLE && number == 0, "content hash");
    CHECK(roost_ring_nodes(ring, &node) == ROOST_RING_HANDLE && node == 0, "nodes");
    CHECK(roost_ring_node(ring, 0, &info) == ROOST_RING_HANDLE && info.points == 0, "node");
    CHECK(roost_ring_lookup(ring, "key", 3, &node) == ROOST_RING_HANDLE && node == ROOST_RING_NO_NODE, "lookup");
    CHECK(roost_ring_lookup_id(ring, "key", 3, id, sizeof id, &n) == ROOST_RING_HANDLE && n == 0, "lookup id");
    CHECK(roost_ring_lookup_n(ring, "key", 3, nodes, 4, &n) == ROOST_RING_HANDLE && n == 0, "lookup n");
    CHECK(roost_ring_lookup_many(ring, "key", ends, 1, nodes) == ROOST_RING_HANDLE && nodes[0] == ROOST_RING_NO_NODE,
          "lookup many");
    CHECK(roost_ring_route(ring, NULL, "key", 3, &answer) == ROOST_RING_HANDLE && answer.node == ROOST_RING_NO_NODE &&
              answer.code == ROOST_RING_HANDLE,
          "route");
    CHECK(roost_ring_pin(ring, &view) == ROOST_RING_HANDLE, "pin");
    CHECK(roost_ring_at(&view, "key", 3) == ROOST_RING_NO_NODE, "a view that was not pinned");
    CHECK(roost_ring_unpin(&view) == ROOST_RING_HANDLE, "unpin");
    CHECK(roost_ring_free(ring) == ROOST_RING_HANDLE, "free");
}

static void life(void) {
    uint64_t state = 2;
    check_dead(0);
    check_dead(UINT64_MAX);
    roost_ring first = load();
    check_dead(first + 1);          /* another place */
    check_dead(first + (1u << 16)); /* another generation */
    check_dead(first - (1u << 16));
    CHECK(roost_ring_free(first) == 0, "free");
    check_dead(first);
    roost_ring second = load(); /* in the same place */
    CHECK(second != first, "a handle came back");
    check_dead(first);
    for (int i = 0; i < 10000; i++) {
        roost_ring any = random_next(&state) >> random_below(&state, 64);
        if (any != second) check_dead(any);
    }
    CHECK(roost_ring_free(second) == 0, "free");
}

static void full(void) {
    static roost_ring rings[ROOST_RING_MAX_HANDLES];
    roost_ring_error error;
    roost_ring more = 1;
    for (size_t i = 0; i < ROOST_RING_MAX_HANDLES; i++) rings[i] = load();
    long before = blocks;
    CHECK(roost_ring_load(snapshot.at, snapshot.len, &more, &error) == ROOST_RING_FULL && more == 0, "%d", error.code);
    CHECK(blocks == before, "FULL keeps memory");
    CHECK(roost_ring_free(rings[500]) == 0, "free");
    roost_ring again = load();
    check_dead(rings[500]);
    rings[500] = again;
    for (size_t i = 0; i < ROOST_RING_MAX_HANDLES; i++) CHECK(roost_ring_free(rings[i]) == 0, "%zu", i);
}

static void pins(void) {
    static roost_ring_view views[ROOST_RING_MAX_PINS];
    roost_ring_view more, copy;
    long before = blocks;
    roost_ring ring = load();
    uint32_t owner;
    CHECK(roost_ring_lookup(ring, "key", 3, &owner) == 0, "lookup");
    for (size_t i = 0; i < ROOST_RING_MAX_PINS; i++) CHECK(roost_ring_pin(ring, &views[i]) == 0, "pin %zu", i);
    CHECK(roost_ring_pin(ring, &more) == ROOST_RING_FULL, "one pin too many");
    CHECK(roost_ring_at(&more, "key", 3) == ROOST_RING_NO_NODE, "a view that was not pinned");
    CHECK(roost_ring_free(ring) == 0, "free while pinned");
    check_dead(ring);
    for (size_t i = 0; i < ROOST_RING_MAX_PINS; i++) {
        CHECK(blocks == before + 1, "freed under %zu pins", ROOST_RING_MAX_PINS - i);
        CHECK(roost_ring_at(&views[i], "key", 3) == owner, "view %zu", i);
        copy = views[i];
        CHECK(roost_ring_unpin(&views[i]) == 0, "unpin %zu", i);
        CHECK(roost_ring_unpin(&views[i]) == ROOST_RING_HANDLE, "unpin %zu twice", i);
        CHECK(roost_ring_unpin(&copy) == ROOST_RING_HANDLE, "unpin a copy of %zu", i);
        CHECK(roost_ring_at(&views[i], "key", 3) == ROOST_RING_NO_NODE, "view %zu after", i);
    }
    CHECK(blocks == before, "not freed after the last pin");
}

static void buffers(void) {
    char id[256] = "untouched", addr[256], zone[256] = "untouched";
    size_t need, n;
    uint32_t nodes[4];
    roost_ring ring = load();
    roost_ring_node_info info = {{id, 5, 0}, {addr, sizeof addr, 0}, {zone, sizeof zone, 0}, 0, 0, 0, 0};
    CHECK(roost_ring_node(ring, 0, &info) == ROOST_RING_CAPACITY && info.id.len == 5, "an id of 5 into 5 bytes");
    CHECK(info.addr.len == 11 && info.zone.len == 4 && info.points == 160, "the rest is told");
    CHECK(strcmp(id, "untouched") == 0 && strcmp(zone, "untouched") == 0, "written in spite of CAPACITY");
    info.id.cap = 6;
    CHECK(roost_ring_node(ring, 0, &info) == 0, "an id of 5 into 6 bytes");
    CHECK(!strcmp(id, "alpha") && !strcmp(addr, "10.0.0.1:80") && !strcmp(zone, "east"), "%s %s %s", id, addr, zone);
    CHECK(info.weight >= 1 && info.weight <= 1 && info.capacity >= 1000 && info.capacity <= 1000, "%g", info.weight);
    roost_ring_node_info bare = {.weight = -1};
    CHECK(roost_ring_node(ring, 1, &bare) == 0 && bare.id.len == 4 && bare.addr.len == 0, "no texts wanted");
    CHECK(bare.slots + info.slots == 256, "%u slots", bare.slots + info.slots);
    CHECK(roost_ring_node(ring, 2, &bare) == ROOST_RING_ARGUMENT && bare.id.len == 0, "node 2 of 2");
    CHECK(roost_ring_node(ring, UINT32_MAX, &bare) == ROOST_RING_ARGUMENT, "node UINT32_MAX");

    CHECK(roost_ring_lookup_id(ring, "k", 1, NULL, 0, &need) == ROOST_RING_CAPACITY && need >= 5, "need %zu", need);
    CHECK(roost_ring_lookup_id(ring, "k", 1, id, need - 1, &n) == ROOST_RING_CAPACITY && n == need, "need %zu", n);
    CHECK(roost_ring_lookup_id(ring, "k", 1, id, need, NULL) == 0 && strlen(id) + 1 == need, "%s", id);
    CHECK(roost_ring_lookup_n(ring, "k", 1, NULL, 0, &n) == 0 && n == 0, "lookup 0");
    CHECK(roost_ring_lookup_n(ring, "k", 1, nodes, 4, &n) == 0 && n == 2, "lookup 4 of 2: %zu", n);
    CHECK(roost_ring_free(ring) == 0, "free");
}

static void arguments(void) {
    size_t n, down[] = {3, 2}, up[] = {0, 3, 3};
    uint32_t node, nodes[3], plain;
    char id[8];
    roost_ring ring;
    roost_ring_error error;
    roost_ring_answer answer;
    const int32_t argument = ROOST_RING_ARGUMENT;
    CHECK(roost_ring_load(NULL, 0, &ring, NULL) == ROOST_RING_SHORT && ring == 0, "no bytes");
    CHECK(roost_ring_load(NULL, 1, &ring, &error) == argument && error.code == argument, "NULL bytes");
    CHECK(roost_ring_load(snapshot.at, snapshot.len, NULL, &error) == argument && error.text[0], "no handle");
    ring = load();
    CHECK(roost_ring_version(ring, NULL) == argument && roost_ring_content_hash(ring, NULL) == argument, "no number");
    CHECK(roost_ring_nodes(ring, NULL) == argument && roost_ring_node(ring, 0, NULL) == argument, "no node");
    CHECK(roost_ring_lookup(ring, "k", 1, NULL) == argument, "no node");
    CHECK(roost_ring_lookup(ring, NULL, 1, &node) == argument && node == ROOST_RING_NO_NODE, "no key");
    CHECK(roost_ring_lookup(ring, NULL, 0, &node) == 0 && node < 2, "an empty key");
    CHECK(roost_ring_lookup_id(ring, NULL, 1, id, 8, &n) == argument, "no key");
    CHECK(roost_ring_lookup_id(ring, "k", 1, NULL, 8, &n) == argument, "no buffer");
    CHECK(roost_ring_lookup_n(ring, "k", 1, nodes, 3, NULL) == argument, "no n");
    CHECK(roost_ring_lookup_n(ring, "k", 1, NULL, 3, &n) == argument && n == 0, "no buffer");
    CHECK(roost_ring_lookup_n(ring, NULL, 1, nodes, 3, &n) == argument, "no key");
    CHECK(roost_ring_lookup_many(ring, "abc", down, 2, nodes) == argument && nodes[1] == ROOST_RING_NO_NODE, "down");
    CHECK(roost_ring_lookup_many(ring, NULL, up, 3, nodes) == argument, "no bytes");
    CHECK(roost_ring_lookup_many(ring, "abc", NULL, 3, nodes) == argument, "no ends");
    CHECK(roost_ring_lookup_many(ring, "abc", up, 3, NULL) == argument, "no nodes");
    CHECK(roost_ring_lookup_many(ring, NULL, NULL, 0, NULL) == 0, "none");
    CHECK(roost_ring_lookup_many(ring, "abc", up, 3, nodes) == 0 && nodes[0] == node && nodes[2] == node, "empty keys");
    CHECK(roost_ring_lookup(ring, "abc", 3, &plain) == 0 && nodes[1] == plain, "the one in the middle");
    CHECK(roost_ring_route(ring, NULL, "k", 1, NULL) == argument, "no answer");
    CHECK(roost_ring_route(ring, NULL, NULL, 1, &answer) == argument && answer.code == argument, "no key");
    CHECK(roost_ring_pin(ring, NULL) == argument && roost_ring_unpin(NULL) == argument, "no view");
    CHECK(roost_ring_free(ring) == 0, "free");
}

static void nobody(void) {
    roost_ring ring = load_nodes(1, 8, &idle, 1);
    uint32_t node, nodes[2];
    size_t n, ends[] = {1, 1};
    char id[8] = "before";
    roost_ring_answer answer;
    roost_ring_view view;
    CHECK(roost_ring_lookup(ring, "k", 1, &node) == ROOST_RING_NOBODY && node == ROOST_RING_NO_NODE, "%u", node);
    CHECK(roost_ring_lookup_id(ring, "k", 1, id, 8, &n) == ROOST_RING_NOBODY && n == 0 && id[0] == 'b', "%s", id);
    CHECK(roost_ring_lookup_n(ring, "k", 1, nodes, 2, &n) == ROOST_RING_NOBODY && n == 0, "%zu", n);
    CHECK(roost_ring_lookup_many(ring, "k", ends, 2, nodes) == ROOST_RING_NOBODY && nodes[1] == 65535, "%u", nodes[1]);
    CHECK(roost_ring_route(ring, NULL, "k", 1, &answer) == ROOST_RING_NOBODY && answer.version == 1, "route");
    CHECK(roost_ring_pin(ring, &view) == 0 && roost_ring_at(&view, "k", 1) == ROOST_RING_NO_NODE, "view");
    CHECK(roost_ring_unpin(&view) == 0 && roost_ring_free(ring) == 0, "free");
}

struct seen {
    roost_ring ring;
    roost_ring_answer answer;
    int times;
};

static void observe(const roost_ring_answer *answer, void *user) {
    struct seen *seen = user;
    seen->answer = *answer;
    seen->times++;
    roost_ring_free(seen->ring); /* allowed */
}

static void traces(void) {
    struct seen seen = {.ring = load()};
    roost_ring_context context = {.observe = observe, .user = &seen};
    roost_ring_answer answer;
    uint32_t owner;
    for (size_t i = 0; i < 16; i++) context.trace.trace_id[i] = (uint8_t)(i + 1);
    for (size_t i = 0; i < 8; i++) context.trace.span_id[i] = (uint8_t)(0xf0 + i);
    CHECK(roost_ring_lookup(seen.ring, "device", 6, &owner) == 0, "lookup");
    CHECK(roost_ring_route(seen.ring, &context, "device", 6, &answer) == 0 && answer.node == owner, "%u", answer.node);
    CHECK(memcmp(&answer.trace, &context.trace, sizeof answer.trace) == 0, "the trace is another");
    CHECK(answer.version == 7 && answer.key_hash == roost_ring_hash("device", 6), "version %d", (int)answer.version);
    CHECK(memcmp(&snapshot.at[snapshot.len - 8], (uint8_t[]){(uint8_t)answer.content_hash}, 1) == 0, "content hash");
    CHECK(seen.times == 1 && memcmp(&seen.answer, &answer, sizeof answer) == 0, "seen %d times", seen.times);
    CHECK(roost_ring_route(seen.ring, &context, "device", 6, &answer) == ROOST_RING_HANDLE, "freed by the observer");
    CHECK(seen.times == 2 && seen.answer.code == ROOST_RING_HANDLE, "an answer that failed is seen too");
    CHECK(memcmp(&seen.answer.trace, &context.trace, sizeof answer.trace) == 0, "with its trace");
}

static void nothing_allocated(void) {
    roost_ring ring = load();
    long before = allocations;
    for (uint64_t key = 0; key < 100000; key++) {
        uint32_t nodes[4];
        size_t n, end = sizeof key;
        char id[256];
        roost_ring_node_info info = {.id = {id, sizeof id, 0}};
        roost_ring_answer answer;
        roost_ring_view view;
        CHECK(roost_ring_lookup(ring, &key, sizeof key, nodes) == 0, "lookup");
        CHECK(roost_ring_lookup_id(ring, &key, sizeof key, id, sizeof id, &n) == 0, "lookup id");
        CHECK(roost_ring_lookup_n(ring, &key, sizeof key, nodes, 2, &n) == 0, "lookup n");
        CHECK(roost_ring_lookup_many(ring, &key, &end, 1, nodes) == 0, "lookup many");
        CHECK(roost_ring_route(ring, NULL, &key, sizeof key, &answer) == 0, "route");
        CHECK(roost_ring_node(ring, nodes[0], &info) == 0, "node");
        CHECK(roost_ring_pin(ring, &view) == 0 && roost_ring_unpin(&view) == 0, "pin");
    }
    CHECK(allocations == before, "%ld allocations", allocations - before);
    CHECK(roost_ring_free(ring) == 0, "free");
}

static void no_memory(void) {
    for (long after = 0;; after++) {
        roost_ring ring;
        roost_ring_error error;
        long before = blocks;
        fail_after = after;
        int32_t code = roost_ring_load(snapshot.at, snapshot.len, &ring, &error);
        fail_after = -1;
        if (code == 0) {
            CHECK(after > 0 && roost_ring_free(ring) == 0, "a ring without memory");
            break;
        }
        CHECK(code == ROOST_RING_MEMORY && error.code == code && ring == 0, "code %d", code);
        CHECK(blocks == before, "%ld blocks stay", blocks - before);
    }
}

static void texts(void) {
    CHECK(roost_ring_abi() == ROOST_RING_ABI && roost_ring_abi_serves(ROOST_RING_ABI) == 1, "the ABI");
    CHECK(roost_ring_abi_serves(0) == 0 && roost_ring_abi_serves(ROOST_RING_ABI + 1) == 0, "an ABI to come");
    for (int32_t code = -3; code < 100; code++) {
        const char *text = roost_ring_error_text(code);
        bool known = (code >= 0 && code <= 12) || (code >= 64 && code <= 69);
        CHECK(text != NULL && (strcmp(text, "unknown code") != 0) == known, "code %d: %s", code, text);
    }
    CHECK(roost_ring_canary("k", 1, 0) == 0 && roost_ring_canary("k", 1, 10000) == 1, "the canary");
    CHECK(roost_ring_canary("k", 1, UINT32_MAX) == 1 && roost_ring_canary(NULL, 0, 10000) == 1, "the canary");
}

int main(void) {
    put_snapshot(&snapshot, 7, 8, two, 2);
    long before = blocks;
    life();
    full();
    pins();
    buffers();
    arguments();
    nobody();
    traces();
    nothing_allocated();
    no_memory();
    texts();
    CHECK(blocks == before, "%ld blocks stay", blocks - before);
    puts("handle: misuse is answered, nothing is allocated after load");
    return 0;
}
