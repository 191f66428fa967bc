/* The ring of roost in plain C: which node owns a device.
 *
 * One header, one source, libc alone. A snapshot (docs/RING.md) is loaded once; after that no function here
 * allocates, blocks or takes a lock. README.md has the rules in one page; they are at each function too.
 *
 * Every function that can fail returns a code, ROOST_RING_OK or one of roost_ring_code. What it was to fill is
 * then set to "nothing" (handle 0, ROOST_RING_NO_NODE, length 0), so that a caller who ignores the code gets
 * nobody, never somebody. Keys are any bytes, 0 included; NULL is allowed with the length 0 alone.
 */
#ifndef ROOST_RING_H
#define ROOST_RING_H

#include <stddef.h>
#include <stdint.h>

#ifndef ROOST_RING_API
#if defined(_WIN32)
#define ROOST_RING_API __declspec(dllexport)
#elif defined(__GNUC__)
#define ROOST_RING_API __attribute__((visibility("default")))
#else
#define ROOST_RING_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The ABI that this header describes. A library of ABI N serves callers of N and of N - 1; ask it before anything
 * else: roost_ring_abi_serves(ROOST_RING_ABI) is 1. Within an ABI no struct, code or signature changes; functions,
 * codes and new structs may come. */
#define ROOST_RING_ABI 1u

/* Limits of this implementation, beside those of the format. */
#define ROOST_RING_MAX_HANDLES 1024u /* rings loaded at the same time */
#define ROOST_RING_MAX_PINS 1024u    /* views pinned at the same time */

/* The number of a node that is not there: of a ring that gives its slots to nobody. */
#define ROOST_RING_NO_NODE 65535u

enum roost_ring_code {
    ROOST_RING_OK = 0,

    /* A snapshot is refused: the codes of docs/RING.md. */
    ROOST_RING_SHORT = 1,
    ROOST_RING_MAGIC = 2,
    ROOST_RING_FORMAT = 3,
    ROOST_RING_LENGTH = 4,
    ROOST_RING_HASH = 5,
    ROOST_RING_RESERVED = 6,
    ROOST_RING_PLACEMENT = 7,
    ROOST_RING_TABLE = 8,
    ROOST_RING_NODE = 9,
    ROOST_RING_WEIGHT = 10,
    ROOST_RING_POINTS = 11,
    ROOST_RING_SECTION = 12,

    /* A call is refused. */
    ROOST_RING_ARGUMENT = 64, /* NULL where something is needed, or a number out of range */
    ROOST_RING_HANDLE = 65,   /* never given out, or freed already (a view: unpinned already) */
    ROOST_RING_CAPACITY = 66, /* a buffer is too small; the length says how much is needed */
    ROOST_RING_MEMORY = 67,   /* no memory for the ring */
    ROOST_RING_NOBODY = 68,   /* no node owns the key: the ring has no points */
    ROOST_RING_FULL = 69      /* ROOST_RING_MAX_HANDLES rings, or ROOST_RING_MAX_PINS views, are there already */
};

/* A loaded ring: a place and its generation. 0 is no ring. A handle that was freed never comes to life again. */
typedef uint64_t roost_ring;

/* Why a snapshot is refused. */
typedef struct roost_ring_error {
    int32_t code;
    uint32_t item;   /* the node's or section's number, from 0; UINT32_MAX if it is about neither */
    uint64_t offset; /* of the first byte of what is wrong */
    char text[112];  /* in English, ended by 0 */
} roost_ring_error;

/* A text to be copied out. at == NULL: not wanted; len is set all the same. */
typedef struct roost_ring_text {
    char *at;   /* in: where to, of cap bytes */
    size_t cap; /* in: at least len + 1, for the 0 behind the text; 256 is always enough */
    size_t len; /* out: bytes of the text without that 0 */
} roost_ring_text;

typedef struct roost_ring_node_info {
    roost_ring_text id, addr, zone; /* UTF-8 without control characters */
    double weight;                  /* finite, at least 0 */
    double capacity;                /* finite, at least 0; 0 is unknown */
    uint32_t points;                /* 0 if and only if weight is 0 */
    uint32_t slots;                 /* slots of the table that the node owns, of 2^k */
} roost_ring_node_info;

/* W3C trace context as bytes. All zeros: no trace. */
typedef struct roost_ring_trace {
    uint8_t trace_id[16];
    uint8_t span_id[8];
} roost_ring_trace;

/* What roost_ring_route found out, with whose question it was. */
typedef struct roost_ring_answer {
    int32_t code;            /* as returned */
    uint32_t node;           /* the owner's number */
    uint64_t version;        /* of the ring that answered */
    uint64_t content_hash;   /* likewise */
    uint64_t key_hash;       /* H(key) */
    roost_ring_trace trace;  /* as given */
} roost_ring_answer;

/* Who asks, and who wants to see the answer. */
typedef struct roost_ring_context {
    roost_ring_trace trace;
    void (*observe)(const roost_ring_answer *answer, void *user); /* or NULL; runs before roost_ring_route returns */
    void *user;
} roost_ring_context;

/* A pinned ring: for loops in which counting readers costs more than the lookup. Fields are the library's own. */
typedef struct roost_ring_view {
    const uint16_t *table;
    uint32_t shift;
    uint32_t reserved;
    uint64_t pin;
} roost_ring_view;

/* ---- The library ---- */

/* The ABI of the library. */
ROOST_RING_API uint32_t roost_ring_abi(void);

/* 1 if the library serves callers of this ABI, else 0. */
ROOST_RING_API int32_t roost_ring_abi_serves(uint32_t abi);

/* What a code says, in English; "unknown code" for others. Never NULL, never to be freed. */
ROOST_RING_API const char *roost_ring_error_text(int32_t code);

/* ---- Life of a ring ---- */

/* Reads a snapshot; the bytes are not needed afterwards. Codes 1 to 12, ARGUMENT, MEMORY, FULL; error (may be NULL)
 * says more, and has the code 0 if all is well. Work and memory are bounded by the format: at most 16.8 M points at
 * 20 bytes each while loading and 10 bytes each after. */
ROOST_RING_API int32_t roost_ring_load(const void *bytes, size_t len, roost_ring *handle, roost_ring_error *error);

/* Ends a ring: the handle answers HANDLE from now on, in all threads. Never waits: if others are in the middle of
 * a lookup, or have it pinned, the last of them frees the memory. HANDLE if it was freed before. */
ROOST_RING_API int32_t roost_ring_free(roost_ring handle);

/* ---- What a ring is ---- */

ROOST_RING_API int32_t roost_ring_version(roost_ring handle, uint64_t *version);
ROOST_RING_API int32_t roost_ring_content_hash(roost_ring handle, uint64_t *hash);

/* The number of nodes, those without points included: 0 to 65,535. */
ROOST_RING_API int32_t roost_ring_nodes(roost_ring handle, uint32_t *nodes);

/* The node of a number, 0 to nodes - 1, by id ascending. CAPACITY if a text does not fit: then every len is set and
 * no text is written. ARGUMENT for a number that is not there. */
ROOST_RING_API int32_t roost_ring_node(roost_ring handle, uint32_t number, roost_ring_node_info *info);

/* ---- Lookups. From any thread, at the same time as anything else. NOBODY if the ring has no points. ---- */

/* The number of the node that owns the key. */
ROOST_RING_API int32_t roost_ring_lookup(roost_ring handle, const void *key, size_t len, uint32_t *node);

/* The id of the node that owns the key, ended by 0. need (may be NULL) is its length + 1: what cap must be at
 * least, else CAPACITY and nothing is written. */
ROOST_RING_API int32_t roost_ring_lookup_id(roost_ring handle, const void *key, size_t len, char *id, size_t cap,
                                            size_t *need);

/* The first cap different nodes for the key, the owner first; *n says how many were written, fewer than cap if the
 * ring has no more with points. Walks at most all points. */
ROOST_RING_API int32_t roost_ring_lookup_n(roost_ring handle, const void *key, size_t len, uint32_t *nodes, size_t cap,
                                           size_t *n);

/* The owners of many keys that lie one behind the other in bytes: key i ends before ends[i] and begins where the one
 * before it ends, the first at 0. nodes has room for count numbers. All of one ring, counted once as a reader.
 * ARGUMENT if the ends descend (all nodes are NO_NODE then); NOBODY likewise. */
ROOST_RING_API int32_t roost_ring_lookup_many(roost_ring handle, const void *bytes, const size_t *ends, size_t count,
                                              uint32_t *nodes);

/* A lookup that carries a trace across: the answer repeats the ids of the context (may be NULL), and the observer
 * sees it, whatever the code. The observer may call anything here, roost_ring_free included. */
ROOST_RING_API int32_t roost_ring_route(roost_ring handle, const roost_ring_context *context, const void *key,
                                        size_t len, roost_ring_answer *answer);

/* ---- Hot loops ---- */

/* Keeps the ring's memory until roost_ring_unpin, even if it is freed meanwhile. FULL if too many are pinned. A view
 * that could not be pinned, and one that was unpinned, gives NO_NODE for every key. */
ROOST_RING_API int32_t roost_ring_pin(roost_ring handle, roost_ring_view *view);

/* Gives it back, from any thread. HANDLE if it, or a copy of it, was given back before. No copy may be used after. */
ROOST_RING_API int32_t roost_ring_unpin(roost_ring_view *view);

/* The number of the node that owns the key, or NO_NODE. No check, no atomic: the view must be pinned, the key there. */
ROOST_RING_API uint32_t roost_ring_at(const roost_ring_view *view, const void *key, size_t len);

/* ---- Pure functions ---- */

/* XXH3-64 with seed 0. */
ROOST_RING_API uint64_t roost_ring_hash(const void *key, size_t len);

/* 1 if of two rings the second, with a share of 10,000, answers for the key, else 0. */
ROOST_RING_API int32_t roost_ring_canary(const void *key, size_t len, uint32_t share);

#ifdef __cplusplus
}
#endif
#endif
