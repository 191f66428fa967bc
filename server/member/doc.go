// Package member makes this process a member of its cluster: what it says of itself
// in etcd, and what it does because of what others say there. Devices, sockets and
// Redis are not known here; the server's part comes in as functions (Hooks).
//
//	Dial      identity of the prefix, a view of the cluster, the rings
//	Join      registration, weight, planner, drains, maintenance nights
//	Leave     weight 0, so that the ring goes on without this node
//	Close     gives everything back
//
//	accept    how many connects a second this node can take (admission.Budget)
//	weigher   samples of all nodes -> this node's weight (decay)
//	drainer   /config/drain/<node> and Leave -> Hooks.Evacuate, Hooks.Stay
//	leases    what presence is told of the registrations of others
//	nights    /config/decay/plan -> machines of decay/dawn -> the factor of the weight
//
// # States of a member
//
//	Dial ──▶ Looking ── Join ──▶ Serving ◀── key gone ─── Draining
//	            │                   │  ╰──── key put ────────▲ │
//	            │                   ╰──── Leave ──▶ Leaving ◀──╯ Leave
//	            ╰─────── Close ──────────┴────▶ Closed
//
// Draining and Leaving publish a weight of 0. A drain is a key that stays, so a node
// that starts again while it is there is Draining from its first weight on. Leaving is
// for good.
//
// # While etcd is away
//
// Dial takes the rings from the ring file and goes on; the identity is compared as soon
// as etcd answers. Join waits JoinWithin for the registration, says that it has
// not come about, and goes on: it is tried for as long as the node lives. Weights,
// drains and nights stay as they were heard last.
//
// What ends the node is told by Failed: the prefix turns out to be another cluster's
// although it was never seen to be this one's, or another process that is alive has the
// id.
//
// # A weight
//
//	every second
//	own sample ─┐
//	samples of the others (their weights' inputs, at most WeightRefresh old)
//	            ├─▶ decay.Pipeline ─▶ decay.Controller, live ─▶ x dawn's factor ─▶ cluster.Publisher
//	draining: 0 ┘
//
// A change of this ring moves connections that are open, so the weight is the
// controller's LiveWeight: it integrates deviations in steps, and does not follow
// levels, which would oscillate. Its step is 10 minutes, for a change takes as long to
// be seen: versions for weights are 5 minutes apart, and each is 5 minutes on trial.
// Each node steers only itself, from its own look at all: where looks differ by some
// seconds, so do the means, and nothing else. Nodes that drain do not count. What it has come to is kept in
// /learned/<id> for half an hour (learning.go), and a process that starts within that goes on from there.
//
// # Goroutines and locks
//
// From Dial on one that follows views, and one that asks for the identity until that is
// known. From Join on one for the weight and one for nights. Locks: weightLoop.mu, which is held
// over a publish and taken before peers.mu; peers.mu and notes.mu, with nothing called under
// them.
package member
