// Package cluster is what nodes know of each other, by etcd: who is there, which
// ring is in force, who makes the next one, and the lock of a maintenance night.
// Nothing else in roost speaks to etcd.
//
//	Client        one connection to one prefix of one etcd; Identify
//	Registration  this node's key, on a lease, for as long as it lives
//	Publisher     this node's weight, on a lease of its own
//	Watcher       all keys but snapshots, as one View that never changes
//	Versions      rings written down, and the pointer to those in force
//	Router        the pointer followed: rings loaded, swapped, kept in a file
//	Planner       the elected one that makes new versions; Decide and Judge are its rules
//	Drains        operators' wishes that nodes be emptied
//	Nights        the requests of decay/dawn
//
// # Keys
//
// All under a prefix, each with one writer:
//
//	/cluster              id and environment             first who comes; never changed
//	/history              random, another one once etcd   with /cluster; who finds that
//	                      has lost data                   etcd was set back, by compare-and-swap
//	/redis                random: the mark of the data    who first takes a Redis for the
//	                      in Redis                        cluster; never changed
//	/nodes/<id>           address, zone, capacity, build  that node, lease of 10 s
//	/weights/<id>         weight and what it is made of   that node, lease of 5 s
//	/learned/<id>         Learned: its weight by load     that node, lease of 30 min
//	/rings/v/<version>    a snapshot (ring/snapshot)      planner or operator, once
//	/rings/active         Pointer                         planner or operator, by compare-and-swap
//	/rings/zones          ZoneFactors                     planner or operator, by compare-and-swap
//	/planner              who plans                       whoever got it, lease of 5 s
//	/config/...           live configuration, dawn's lock and records
//	/config/drain/<id>    Drain                           operators
//	/config/zones         ZoneConfig                      operators
//	/config/weights       Pins                            operators, by compare-and-swap
//
// Each write compares /cluster in its transaction: of two clusters that were given
// one prefix the second is refused, also if it finds out late.
//
// # States of a registration
//
//	             key put              lease or key gone
//	Registering ─────────▶ Registered ─────────────────▶ Registering
//	  │    ▲                  │   ▲
//	  │    │ lease of the     │   │ heard again, lease still there
//	  │    │ other expired    │   │
//	  ▼    │                  ▼   │
//	 Taken ┘               Unheard ── lease gone ──▶ Registering
//
//	Close leads from each to Left: the lease is revoked, the key is gone at once.
//
// Unheard is: no answer for longer than the TTL, so that others may see the node
// as gone. It goes on as if it were registered: nobody drops a device because
// etcd is away.
//
// # States of a watcher
//
//	Listing ── list at R ──▶ Following from R+1 ── closed, compacted, silent ──▶ Listing
//
// A list takes the place of the whole view. In Listing the last view stays, marked
// Stale after Silence. Members that are gone are looked at by a guard: where more
// than half of them went within Window they stay until a list, Look later, says
// the same. A revision below one that was seen begins a new history (setback.go).
//
// # A change of the ring
//
//	planner   Decide: something is wanted -> Apply -> Put snapshot, read back
//	          -> compare-and-swap of the pointer, fenced by /planner
//	watcher   event -> View                                    capture
//	router    View -> snapshots -> rings                       compute
//	          -> one pointer                                   swap
//	          -> file
//
// BenchmarkEventToSwap, 100 nodes, 100 weights a second beside, 2 cores with ten
// other processes on them, 500 changes: whole p50 0.55 ms, p99 5.8 ms (capture 0.01
// and 0.7, compute 0.53 and 5.8, swap below 0.001).
//
// A version that removes dead nodes, or empties a node that drains, is in force at
// once. Joins, weights and zones (ring/zones) begin as a canary, which Judge promotes or rolls back.
// A rollback is a new activation, so whatever is late never looks newer.
//
// # While etcd is away
//
// The last view and the last rings stay, and a node that starts then takes the
// rings from its file. Nothing can be changed: registrations, weights and versions
// wait, and operators get an error after the deadline of the request (5 s).
//
// # Goroutines and locks
//
// One goroutine each for Registration, Watcher (and while it follows two beside:
// one that opens the watch, one that asks for signs of life), Router and Planner. Readers load atomic pointers. Locks, each
// taken alone and with nothing called under it: Subscription sets (watchers),
// Registration.mu, Publisher.mu (held over its requests, which are one at a time).
package cluster
