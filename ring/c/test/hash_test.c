/* The hash against another implementation, at every length up to 300 and at the edges above, at any alignment. */
#include <string.h>

#include "support.h"

static const struct {
    size_t len;
    uint64_t hash;
} values[] = {
#include "testdata/hash_values.h"
};

int main(void) {
    enum { LONGEST = 100001, N = sizeof values / sizeof *values };
    uint8_t *text = malloc(LONGEST);
    CHECK(text != NULL, "no memory");
    for (uint32_t i = 0; i < LONGEST; i++) text[i] = (uint8_t)((i + 1) * 2654435761u >> 24);
    for (size_t i = 0; i < N; i++)
        for (size_t shift = 0; shift < 8; shift++) {
            /* A block of its very size, so that a byte too far is found. */
            uint8_t *copy = malloc(values[i].len + shift + (values[i].len + shift == 0));
            CHECK(copy != NULL, "no memory");
            memcpy(copy + shift, text, values[i].len);
            uint64_t hash = roost_ring_hash(copy + shift, values[i].len);
            CHECK(hash == values[i].hash, "%zu bytes: %016llx, not %016llx", values[i].len, (unsigned long long)hash,
                  (unsigned long long)values[i].hash);
            free(copy);
        }
    CHECK(roost_ring_hash(NULL, 0) == values[0].hash && roost_ring_hash(NULL, 9) == values[0].hash, "NULL is empty");
    free(text);
    printf("hash: %d lengths agree\n", (int)N);
    return 0;
}
