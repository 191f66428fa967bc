/* The ring for Node, by Node-API: load(buffer) -> handle, free(handle), lookupN(handle, key, n) -> ids, hash(key). A
 * code is thrown as an Error whose code is its name. Handles are BigInt.
 *
 *   gcc -std=c11 -O2 -fPIC -shared -I/usr/include/node -o ring.node ring.c ../../ring.c
 */
#include <node_api.h>
#include <string.h>

#include "../../ring.h"

enum { MOST = 16 };

static napi_value fail(napi_env env, int32_t code) {
    const char *text = roost_ring_error_text(code);
    char name[16] = "";
    size_t n = strcspn(text, ":");
    memcpy(name, text, n < sizeof name ? n : 0);
    napi_throw_error(env, name, text);
    return NULL;
}

/* The arguments: a handle first, if wanted; then bytes. */
static int32_t arguments(napi_env env, napi_callback_info info, size_t n, napi_value v[], uint64_t *ring, void **bytes,
                         size_t *len) {
    size_t given = n;
    bool lossless = true;
    napi_get_cb_info(env, info, &given, v, NULL, NULL);
    if (given < n || (ring != NULL && napi_get_value_bigint_uint64(env, v[0], ring, &lossless) != napi_ok))
        return ROOST_RING_ARGUMENT;
    if (!lossless) return ROOST_RING_HANDLE;
    if (bytes != NULL && napi_get_buffer_info(env, v[ring != NULL], bytes, len) != napi_ok) return ROOST_RING_ARGUMENT;
    return 0;
}

static napi_value load(napi_env env, napi_callback_info info) {
    napi_value v[1], handle;
    void *bytes = NULL;
    size_t len = 0;
    roost_ring ring;
    int32_t code = arguments(env, info, 1, v, NULL, &bytes, &len);
    if (code || (code = roost_ring_load(len ? bytes : "", len, &ring, NULL))) return fail(env, code);
    napi_create_bigint_uint64(env, ring, &handle);
    return handle;
}

static napi_value release(napi_env env, napi_callback_info info) {
    napi_value v[1];
    roost_ring ring = 0;
    int32_t code = arguments(env, info, 1, v, &ring, NULL, NULL);
    if (code || (code = roost_ring_free(ring))) return fail(env, code);
    return NULL;
}

static napi_value lookup_n(napi_env env, napi_callback_info info) {
    napi_value v[3], list, text;
    roost_ring ring = 0;
    void *key = NULL;
    size_t len = 0, n = 0;
    uint32_t nodes[MOST], most = 0;
    int32_t code = arguments(env, info, 3, v, &ring, &key, &len);
    if (code || napi_get_value_uint32(env, v[2], &most) != napi_ok || most > MOST)
        return fail(env, code ? code : ROOST_RING_ARGUMENT);
    code = roost_ring_lookup_n(ring, len ? key : "", len, nodes, most, &n);
    if (code && code != ROOST_RING_NOBODY) return fail(env, code);
    napi_create_array_with_length(env, n, &list);
    for (uint32_t i = 0; i < n; i++) {
        char id[256];
        roost_ring_node_info node = {.id = {id, sizeof id, 0}};
        if ((code = roost_ring_node(ring, nodes[i], &node))) return fail(env, code);
        napi_create_string_utf8(env, id, node.id.len, &text);
        napi_set_element(env, list, i, text);
    }
    return list;
}

static napi_value hash(napi_env env, napi_callback_info info) {
    napi_value v[1], number;
    void *key = NULL;
    size_t len = 0;
    int32_t code = arguments(env, info, 1, v, NULL, &key, &len);
    if (code) return fail(env, code);
    napi_create_bigint_uint64(env, roost_ring_hash(key, len), &number);
    return number;
}

NAPI_MODULE_INIT() {
    const struct {
        const char *name;
        napi_callback call;
    } functions[] = {{"load", load}, {"free", release}, {"lookupN", lookup_n}, {"hash", hash}};
    if (!roost_ring_abi_serves(ROOST_RING_ABI)) napi_throw_error(env, "ABI", "the library is of another ABI");
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        napi_value f;
        napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].call, NULL, &f);
        napi_set_named_property(env, exports, functions[i].name, f);
    }
    return exports;
}
