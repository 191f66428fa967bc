// Package ringmirror keeps what a cluster tells everybody in its Redis: whose Redis it is, and
// which rings are in force, for publishers that do not ask etcd, also in other languages.
//
//	Store     one Redis; Look, Identify, Write, Pointer, Snapshot
//	Mirror    writes what a router has in force, on every node
//	Reader    polls it, and never goes back
//	Guard     lets a node use no Redis but its cluster's; notices one that has lost its data
//
// # Keys
//
// P is the prefix, "roost:" unless set.
//
//	P cluster          JSON of cluster.Identity, set once; who comes with another is refused
//	presence:cluster   the same: keys of presence have no prefix
//	P data             the mark of the data, random, the same in etcd (cluster's /redis): tells clusters
//	                   of one name apart; a dot; a life, random, another one each time it is put. In a Redis Cluster P data:{tag}, one in each 512 slots
//	P ring:active      JSON of Pointer
//	P ring:<version>   a snapshot, ring/snapshot's binary form; never expires while the pointer
//	                   names the version, and Retire after that
//
// Each key lies in a slot of its own of a Redis Cluster, so nothing here needs two in one
// script.
//
// # A write
//
//	look at the pointer: ours is older -> refused; the same -> only see that all is there
//	put the snapshots that it names, never expiring
//	read them back: what is there is what was meant
//	compare-and-swap of the pointer: it is as it was when looked at, and ours is newer
//	snapshots that it does not name any more expire after Retire
//
// Every node does it when it has swapped, and each minute: a Redis that has lost its data, or a
// writer that died halfway, is mended by whoever comes next. What a writer has put for
// nothing is in the pointer's list of retired versions, or is overwritten.
//
// # Older and newer
//
// Of one history of etcd the larger activation is newer; a rollback is a new activation. Where etcd
// has lost its data activations begin anew: of two histories the pointer that was made later
// is newer, by the clocks of who made them. (Newer, and the same in Lua.) So an old pointer that
// is replayed is refused by Write and by Reader, and an old snapshot under a new version
// by its content hash.
package ringmirror
