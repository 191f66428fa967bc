// Package rings measures changes of the ring as a cluster makes them.
//
//	Fourth  a fourth equal node joins three: the planner's own decision, applied by the
//	        ring, and where a million ids lead before and after
//	Swaps   a change in a real etcd until readers see the new ring, with a hundred nodes
//	        that are there by their keys: capture, compute, swap, and the whole
//	Run     both, as a report and results.json
package rings
