/* Eight threads at once load, free, look up and pin, on few handles, so that they meet. Every answer is either HANDLE
 * or what the ring of that version says. Run under ASan and UBSan, under TSan, and plainly for 10 million calls.
 *
 *   threads_test [rounds a thread]
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "support.h"

enum { THREADS = 8, SHARED = 3, RINGS = 4, KEYS = 64, WALK = 20 };

/* Rings that differ, and what they answer; written before the threads start. */
static struct bytes snapshots[RINGS];
static uint32_t nodes_of[RINGS], owners[RINGS][KEYS], walks[RINGS][KEYS][WALK];
static size_t walk_lengths[RINGS][KEYS];

static _Atomic roost_ring shared[SHARED];
static atomic_long calls, dead, freed, loaded;
static long rounds = 20000;

static void prepare(void) {
    static struct test_node nodes[40];
    uint64_t state = 5;
    for (uint32_t v = 0; v < RINGS; v++) {
        nodes_of[v] = 10 * (v + 1);
        random_nodes(&state, nodes, nodes_of[v], 30);
        nodes[0].points = 5, nodes[0].weight = 1;
        put_snapshot(&snapshots[v], v, 8, nodes, nodes_of[v]);
        roost_ring ring = load_nodes(v, 8, nodes, nodes_of[v]);
        for (uint32_t k = 0; k < KEYS; k++) {
            CHECK(roost_ring_lookup(ring, &k, sizeof k, &owners[v][k]) == 0, "key %u", k);
            CHECK(roost_ring_lookup_n(ring, &k, sizeof k, walks[v][k], WALK, &walk_lengths[v][k]) == 0, "key %u", k);
        }
        CHECK(roost_ring_free(ring) == 0, "free");
    }
}

/* A look at a ring that may be freed, and another put in its place, at any moment. */
static void look(roost_ring ring, uint32_t key, uint32_t how) {
    roost_ring_answer answer;
    roost_ring_view view;
    roost_ring_node_info info = {.points = 0};
    uint32_t out[WALK];
    uint64_t version = 0;
    size_t n;
    int32_t code = roost_ring_route(ring, NULL, &key, sizeof key, &answer);
    bool alive = code == 0;
    CHECK(alive || code == ROOST_RING_HANDLE, "route: code %d", code);
    if (alive) version = answer.version;
    CHECK(!alive || answer.node == owners[version][key], "ring %d, key %u: node %u", (int)version, key, answer.node);
    switch (how) {
    case 0: code = roost_ring_lookup(ring, &key, sizeof key, out);
        CHECK(code != 0 || (alive && out[0] == owners[version][key]), "lookup: node %u", out[0]);
        break;
    case 1: code = roost_ring_lookup_n(ring, &key, sizeof key, out, WALK, &n);
        CHECK(code != 0 || (alive && n == walk_lengths[version][key]), "lookup n: %zu", n);
        CHECK(code != 0 || memcmp(out, walks[version][key], n * sizeof *out) == 0, "lookup n: another order");
        break;
    case 2: code = roost_ring_node(ring, 0, &info);
        CHECK(code != 0 || info.points == 5, "node 0: %u points", info.points);
        break;
    default: code = roost_ring_pin(ring, &view);
        for (uint32_t k = 0; code == 0 && k < KEYS; k++)
            CHECK(alive && roost_ring_at(&view, &k, sizeof k) == owners[version][k], "view: key %u", k);
        if (code == 0) CHECK(roost_ring_unpin(&view) == 0, "unpin");
    }
    CHECK(code == 0 || code == ROOST_RING_HANDLE, "code %d", code);
    if (code != 0) atomic_fetch_add_explicit(&dead, 1, memory_order_relaxed);
}

static void *run(void *number) {
    uint64_t state = (uint64_t)(uintptr_t)number;
    for (long i = 0; i < rounds; i++) {
        uint32_t at = random_below(&state, SHARED), key = random_below(&state, KEYS);
        if (random_below(&state, 64) == 0) {
            const struct bytes *b = &snapshots[random_below(&state, RINGS)];
            roost_ring ring;
            int32_t code = roost_ring_load(b->at, b->len, &ring, NULL);
            CHECK(code == 0, "load: code %d", code);
            roost_ring old = atomic_exchange(&shared[at], ring);
            atomic_fetch_add(&loaded, 1);
            /* Sometimes two threads free the same: one of them succeeds. */
            if (old != 0 && roost_ring_free(old) == 0) atomic_fetch_add(&freed, 1);
        } else if (random_below(&state, 256) == 0) {
            if (roost_ring_free(atomic_load(&shared[at])) == 0) atomic_fetch_add(&freed, 1);
        } else {
            look(atomic_load(&shared[at]), key, random_below(&state, 4));
        }
    }
    atomic_fetch_add(&calls, 2 * rounds);
    return NULL;
}

/* ---- Duels: threads that do the same at the same moment, while another takes every place that becomes free. ---- */

enum { DUELISTS = 3 };
#ifdef __SANITIZE_THREAD__
static const long duels = 300;
#else
static const long duels = 1200;
#endif
static atomic_long arrived;
static atomic_int winners, over;
static roost_ring prize;
static roost_ring_view held[DUELISTS], copies[DUELISTS];

/* Waits for all duelists and the referee; there is no other way to make them meet. */
static void meet(long round) {
    atomic_fetch_add(&arrived, 1);
    while (atomic_load(&arrived) < round * (DUELISTS + 1)) sched_yield();
}

static void *duel(void *number) {
    size_t me = (uintptr_t)number;
    for (long i = 0; i < duels; i++) {
        meet(3 * i + 1);
        /* Round about: all free it; all give a view back, the last of which frees the memory; all give the same back. */
        int32_t code = i % 3 == 0 ? roost_ring_free(prize) : roost_ring_unpin(i % 3 == 1 ? &held[me] : &copies[me]);
        CHECK(code == 0 || (code == ROOST_RING_HANDLE && i % 3 != 1), "duel %ld: code %d", i, code);
        if (code == 0) atomic_fetch_add(&winners, 1);
        meet(3 * i + 2);
        meet(3 * i + 3);
    }
    return NULL;
}

static void *take_places(void *unused) {
    while (!atomic_load(&over)) {
        roost_ring ring;
        uint32_t key = 1, node;
        CHECK(roost_ring_load(snapshots[0].at, snapshots[0].len, &ring, NULL) == 0, "load");
        CHECK(roost_ring_lookup(ring, &key, sizeof key, &node) == 0 && node == owners[0][1], "a ring that is not freed");
        CHECK(roost_ring_free(ring) == 0, "free");
    }
    return unused;
}

static void all_duels(void) {
    pthread_t threads[DUELISTS + 1];
    CHECK(pthread_create(&threads[DUELISTS], NULL, take_places, NULL) == 0, "no thread");
    for (uintptr_t i = 0; i < DUELISTS; i++) CHECK(pthread_create(&threads[i], NULL, duel, (void *)i) == 0, "no thread");
    for (long i = 0; i < duels; i++) {
        CHECK(roost_ring_load(snapshots[1].at, snapshots[1].len, &prize, NULL) == 0, "load");
        for (size_t d = 0; d < DUELISTS; d++) {
            if (i % 3 == 1 || (i % 3 == 2 && d == 0)) CHECK(roost_ring_pin(prize, &held[d]) == 0, "pin");
            copies[d] = held[0];
        }
        if (i % 3 != 0) CHECK(roost_ring_free(prize) == 0, "free");
        atomic_store(&winners, 0);
        meet(3 * i + 1);
        meet(3 * i + 2);
        int won = atomic_load(&winners);
        CHECK(won == (i % 3 == 1 ? DUELISTS : 1), "duel %ld: %d threads succeeded", i, won);
        meet(3 * i + 3);
    }
    for (size_t i = 0; i < DUELISTS; i++) CHECK(pthread_join(threads[i], NULL) == 0, "no join");
    atomic_store(&over, 1);
    CHECK(pthread_join(threads[DUELISTS], NULL) == 0, "no join");
}

/* No place is lost: as many rings as there may be can be loaded, and freed. */
static void all_places(void) {
    static roost_ring all[ROOST_RING_MAX_HANDLES];
    for (size_t i = 0; i < ROOST_RING_MAX_HANDLES; i++)
        CHECK(roost_ring_load(snapshots[0].at, snapshots[0].len, &all[i], NULL) == 0, "only %zu places are left", i);
    for (size_t i = 0; i < ROOST_RING_MAX_HANDLES; i++) CHECK(roost_ring_free(all[i]) == 0, "free");
}

int main(int argc, char **argv) {
    pthread_t threads[THREADS];
    if (argc > 1) rounds = atol(argv[1]);
    prepare();
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, run, (void *)(i + 1)) == 0, "no thread");
    for (size_t i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0, "no join");
    for (size_t i = 0; i < SHARED; i++)
        if (roost_ring_free(atomic_load(&shared[i])) == 0) freed++;
    all_places();
    all_duels();
    all_places();
    for (size_t i = 0; i < RINGS; i++) free(snapshots[i].at);
    CHECK(atomic_load(&freed) == atomic_load(&loaded), "%ld loaded, %ld freed", loaded, freed);
    CHECK(dead > 0, "no thread met a dead handle: the test tests nothing");
    printf("threads: %d, about %ld calls, %ld rings loaded and freed, %ld times a dead handle\n", THREADS, calls, loaded,
           dead);
    return 0;
}
