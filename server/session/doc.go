// Package session knows the devices of this node: who is connected, over which
// connection, and which of two connections of the same device is the current
// one. It has no sockets; a connection is an opaque 64-bit handle.
//
// # Layout
//
// A million devices must cost little memory and no garbage collector work, so
// nothing here holds a pointer per device. The registry is 32 shards, each with
// one lock and
//
//	table    open addressing, 4 bytes a place: 8 bits of hash, 24 bits of entry
//	entries  24 bytes: connection, session id, fence, where the device id lies
//	ids      device ids in cells of 8, 16, 24, 32, 48, 64, 96 or 136 bytes
//
// That is 24 + 16 (an id of up to 15 bytes) + about 8 of table per device.
//
// # Lock order
//
// One shard lock at a time, and nothing is called while it is held.
package session
