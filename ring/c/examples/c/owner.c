/* Who owns these devices? owner SNAPSHOT DEVICE...
 *
 *   gcc -std=c11 -O2 -o owner owner.c ../../ring.c
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../../ring.h"

/* Sees every answer; a program would make a span of it. */
static void observe(const roost_ring_answer *answer, void *user) {
    fprintf(user, "trace ");
    for (int i = 0; i < 16; i++) fprintf(user, "%02x", answer->trace.trace_id[i]);
    fprintf(user, ": ring %" PRIu64 ", code %d, node %" PRIu32 "\n", answer->version, answer->code, answer->node);
}

int main(int argc, char **argv) {
    static char snapshot[1 << 20];
    roost_ring ring;
    roost_ring_error error;
    roost_ring_context context = {.trace = {.trace_id = {0x4b, 0xf9}, .span_id = {1}}, .observe = observe, .user = stderr};
    FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (f == NULL || !roost_ring_abi_serves(ROOST_RING_ABI)) return 2;
    size_t len = fread(snapshot, 1, sizeof snapshot, f);
    fclose(f);
    if (roost_ring_load(snapshot, len, &ring, &error) != ROOST_RING_OK) {
        fprintf(stderr, "%s: code %d at byte %" PRIu64 ": %s\n", argv[1], error.code, error.offset, error.text);
        return 1;
    }
    for (int i = 2; i < argc; i++) {
        roost_ring_answer answer;
        char id[256] = "nobody";
        roost_ring_node_info node = {.id = {id, sizeof id, 0}};
        if (roost_ring_route(ring, &context, argv[i], strlen(argv[i]), &answer) == ROOST_RING_OK)
            roost_ring_node(ring, answer.node, &node);
        printf("%s %s\n", argv[i], id);
    }
    return roost_ring_free(ring);
}
