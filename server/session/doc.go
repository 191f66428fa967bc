// Package session knows the devices of this node: who is connected, over which
// connection, and which of two connections of the same device is the current
// one. It has no sockets; a connection is an opaque 64-bit handle.
//
// # Layout
//
// A million devices must cost little memory and no garbage collector work, so
// nothing here holds a pointer per device. The registry is 32 shards, each with
// one lock, an idmap.Map and
//
//	entries  24 bytes: connection, session id, fence
//
// That is 24 + 28 (the id, up to 15 bytes, and its place in the map) per device.
//
// # Lock order
//
// One shard lock at a time, and nothing is called while it is held.
package session
