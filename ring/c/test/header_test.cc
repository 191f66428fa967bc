/* The header in C++, and the library called from it. */
#include "../ring.h"

#include <cstdio>

int main() {
    roost_ring ring = 1;
    roost_ring_error error{};
    int32_t code = roost_ring_load("ROOST", 5, &ring, &error);
    if (code != ROOST_RING_SHORT || ring != 0 || error.code != code || roost_ring_abi_serves(ROOST_RING_ABI) != 1) return 1;
    std::puts("header: C++ calls it");
    return 0;
}
