/* Children of fork, made while other threads are in the middle of lookups, loads and frees: a child looks up, loads,
 * frees and unpins, and never waits; the parent notices nothing.
 *
 *   fork_test [children]
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

enum { THREADS = 4, KEYS = 100 };

static struct bytes snapshot;
static roost_ring ring;
static roost_ring_view view;
static uint32_t owners[KEYS];
static atomic_bool stop;

static roost_ring load(void) {
    roost_ring loaded;
    roost_ring_error error;
    int32_t code = roost_ring_load(snapshot.at, snapshot.len, &loaded, &error);
    CHECK(code == 0, "code %d: %s", code, error.text);
    return loaded;
}

static void look(roost_ring at) {
    for (uint32_t key = 0; key < KEYS; key++) {
        uint32_t node, nodes[3];
        size_t n;
        CHECK(roost_ring_lookup(at, &key, sizeof key, &node) == 0 && node == owners[key], "key %u: %u", key, node);
        CHECK(roost_ring_lookup_n(at, &key, sizeof key, nodes, 3, &n) == 0 && nodes[0] == node, "key %u", key);
    }
}

static void *run(void *unused) {
    while (!atomic_load(&stop)) {
        look(ring);
#ifndef __SANITIZE_ADDRESS__ /* whose allocator may be left locked by a fork; that of libc is not */
        roost_ring own = load();
        look(own);
        CHECK(roost_ring_free(own) == 0, "free");
#endif
    }
    return unused;
}

static void child(int number) {
    alarm(30); /* a child that waits is killed, and its parent sees it */
    look(ring);
    for (int i = 0; i < 20; i++) {
        roost_ring own = load();
        look(own);
        CHECK(own != ring && roost_ring_free(own) == 0 && roost_ring_free(own) == ROOST_RING_HANDLE, "free");
    }
    /* A place may be lost to a thread that was using it, or filling it, at the fork; all others are there. */
    static roost_ring many[ROOST_RING_MAX_HANDLES];
    size_t most = number % 16 == 0 ? ROOST_RING_MAX_HANDLES - 2 * THREADS - 1 : 16;
    for (size_t i = 0; i < most; i++) many[i] = load();
    for (size_t i = 0; many[i] != 0; i++) CHECK(roost_ring_free(many[i]) == 0, "free");

    uint32_t key = 1;
    CHECK(roost_ring_free(ring) == 0 && roost_ring_free(ring) == ROOST_RING_HANDLE, "the parent's ring");
    CHECK(roost_ring_at(&view, &key, sizeof key) == owners[1], "the parent's view");
    CHECK(roost_ring_unpin(&view) == 0 && roost_ring_unpin(&view) == ROOST_RING_HANDLE, "the parent's view");
    _exit(0);
}

int main(int argc, char **argv) {
    int children = argc > 1 ? atoi(argv[1]) : 200;
    static struct test_node nodes[10];
    pthread_t threads[THREADS];
    uint64_t state = 6;
    random_nodes(&state, nodes, 10, 20);
    nodes[0].points = 5, nodes[0].weight = 1;
    put_snapshot(&snapshot, 9, 8, nodes, 10);
    ring = load();
    for (uint32_t key = 0; key < KEYS; key++) CHECK(roost_ring_lookup(ring, &key, 4, &owners[key]) == 0, "%u", key);
    CHECK(roost_ring_pin(ring, &view) == 0, "pin");
    for (size_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, run, NULL) == 0, "no thread");
    for (int i = 0; i < children; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) child(i);
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid, "no child");
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child %d: status %x", i, (unsigned)status);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0, "no join");
    look(ring); /* freed in the children alone */
    CHECK(roost_ring_free(ring) == 0 && roost_ring_unpin(&view) == 0, "free");
    free(snapshot.at);
    printf("fork: %d children of a parent with %d busy threads\n", children, THREADS);
    return 0;
}
