// Package couplings compares when weights act on the choice of a node: before the
// push, by what was known a moment ago; after a failed connect, by what is measured
// then; both; by the ring alone; not at all.
//
//	Simulate   in virtual time, on ring, decay and publisher's own rules: nodes that
//	           queue, round-trip times by zone, nodes that refuse, hang, or are slow
//	sockets    the publisher itself (server/publisher) against HTTP servers of known
//	           behaviour on loopback
//	Run        both, as a table, JSON and what follows from them
//
// The simulation is seeded: with the same options it gives the same numbers.
//
// # A push in the simulation
//
//	now ──rtt/2──▶ node: waits for a place, is served ──rtt/2──▶ answered
//	refuses: rtt, then the next choice. hangs: Timeout, then the next choice.
//
// A snapshot is what one zone knows: weights, round-trip times, who did not answer. It is
// taken each Freshness, and is in force once its answers are in, those of nodes that
// hang after Timeout.
package couplings
