// Package admission has the rules by which a node lets devices connect, as arithmetic on
// times that come in: what the node can take (Budget), how often an address may connect
// (Addresses), how often a device may, and which one is kept out for a while (Devices).
//
// Addresses and Devices remember in tables of a fixed size, so that nobody can make a
// node grow by connecting. Who falls out of a table is as if it had never been here: where
// many come, the rules err on the side of letting in.
//
// Times are since any instant, the same for all calls; those of different goroutines may
// be a little behind each other.
package admission
