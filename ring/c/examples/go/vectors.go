// The C ring from Go, by cgo: go run . ring/testdata. It is a module of its own, as roost itself needs no cgo: Go
// programs take the package roost/ring, where a lookup costs 3 ns and not a call into C.
package main

// #cgo CFLAGS: -std=c11 -O2
// #include <stdlib.h>
// #include "../../ring.h"
import "C"

import (
	"encoding/hex"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"unsafe"
)

// load returns the handle of a snapshot and the name of the code, "" if all is well.
func load(path string) (ring C.roost_ring, name string) {
	b, err := os.ReadFile(path)
	check(err == nil, "%v", err)
	code := C.roost_ring_load(unsafe.Pointer(unsafe.SliceData(b)), C.size_t(len(b)), &ring, nil)
	if code != C.ROOST_RING_OK {
		name, _, _ = strings.Cut(C.GoString(C.roost_ring_error_text(code)), ":")
	}
	return ring, name
}

// id needs memory of C: a struct of Go may not carry a pointer to Go's memory across.
func id(ring C.roost_ring, number C.uint32_t) string {
	info := C.roost_ring_node_info{id: C.roost_ring_text{at: (*C.char)(C.malloc(256)), cap: 256}}
	defer C.free(unsafe.Pointer(info.id.at))
	code := C.roost_ring_node(ring, number, &info)
	check(code == C.ROOST_RING_OK, "node %d: code %d", number, code)
	return C.GoStringN(info.id.at, C.int(info.id.len))
}

func firstFour(ring C.roost_ring, key []byte) string {
	var nodes [4]C.uint32_t
	var n C.size_t
	C.roost_ring_lookup_n(ring, unsafe.Pointer(unsafe.SliceData(key)), C.size_t(len(key)), &nodes[0], 4, &n)
	var ids []string
	for _, i := range nodes[:n] {
		ids = append(ids, id(ring, i))
	}
	if n == 0 {
		return "-"
	}
	return strings.Join(ids, ",")
}

func check(ok bool, format string, args ...any) {
	if !ok {
		log.Fatalf(format, args...)
	}
}

func main() {
	check(C.roost_ring_abi_serves(C.ROOST_RING_ABI) == 1, "the library is of another ABI")
	data := os.Args[1]
	text, err := os.ReadFile(filepath.Join(data, "vectors.tsv"))
	check(err == nil, "%v", err)
	rings, agree := map[string]C.roost_ring{}, 0
	for _, line := range strings.Split(string(text), "\n") {
		f := strings.Split(line, "\t")
		switch f[0] {
		case "load":
			ring, code := load(filepath.Join(data, "snapshots", f[1]))
			check(code == "", "%s: %s", line, code)
			rings[f[1]] = ring
		case "refuse":
			_, code := load(filepath.Join(data, "snapshots", f[1]))
			check(code == f[2], "%s: %s", line, code)
		case "lookup":
			key, err := hex.DecodeString(f[2])
			check(err == nil, "%s: %v", line, err)
			hash := C.roost_ring_hash(unsafe.Pointer(unsafe.SliceData(key)), C.size_t(len(key)))
			check(fmt.Sprintf("%016x", uint64(hash)) == f[3], "%s: %x", line, hash)
			check(firstFour(rings[f[1]], key) == f[4], "%s: %s", line, firstFour(rings[f[1]], key))
		default:
			continue
		}
		agree++
	}
	for name, ring := range rings {
		check(C.roost_ring_free(ring) == C.ROOST_RING_OK && C.roost_ring_free(ring) == C.ROOST_RING_HANDLE, "free %s", name)
	}
	fmt.Println(agree, "vectors agree")
}
