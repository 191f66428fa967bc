// Package idmap numbers device ids: a map from ids to small dense numbers for
// use as indexes, without a pointer or an allocation per id, so that a million
// of them give the garbage collector nothing to do.
//
//	table  open addressing, 4 bytes a place: 8 bits of hash, 24 bits of number
//	refs   4 bytes a number: where the id lies
//	arena  ids in cells of 8, 16, 24, 32, 48, 64, 96 or 136 bytes
//
// That is 16 + 4 + about 8 bytes for an id of up to 15 bytes.
package idmap
