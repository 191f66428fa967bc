// Package session knows which devices of this node are connected, over which
// connection, and which of two connections of the same device is the current
// one. It has no sockets: a connection is an opaque 64-bit handle, a device the
// small number that the store of kept messages gives it.
//
// A million devices must cost little memory and no garbage collector work, so
// nothing here holds a pointer per device: 24 bytes for each in chunks of 128
// that exist while one of them is connected, in 32 shards with a lock each.
//
// # Lock order
//
// One shard lock at a time, and nothing is called while it is held.
package session
