// Writes hash_values.h: what another implementation of XXH3-64 says for every class of lengths.
//
//	go run ring/c/test/testdata/hash_values.go > ring/c/test/testdata/hash_values.h
package main

import (
	"fmt"

	"github.com/zeebo/xxh3"
)

func main() {
	lengths := []int{400, 511, 512, 513, 768, 1023, 1024, 1025, 1087, 1088, 1089, 2047, 2048, 2049, 3072, 4095, 4096, 4097, 10_000, 65_536, 100_001}
	for i := 300; i >= 0; i-- {
		lengths = append([]int{i}, lengths...)
	}
	text := make([]byte, 100_001)
	for i := range text {
		text[i] = byte(uint32(i+1) * 2_654_435_761 >> 24)
	}
	fmt.Println("/* XXH3-64, seed 0, of the first bytes of a text with the byte (i + 1) * 2654435761 mod 2^32 >> 24 at i.")
	fmt.Println(" * Made with github.com/zeebo/xxh3: go run ring/c/test/testdata/hash_values.go > ring/c/test/testdata/hash_values.h */")
	for _, n := range lengths {
		fmt.Printf("{%d, 0x%016x},\n", n, xxh3.Hash(text[:n]))
	}
}
