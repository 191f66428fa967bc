// Package plant is a cluster to try weights on: a simulation of nodes with
// long-lived connections, whose stale and noisy samples drive decay's own
// Pipeline and Controller. It is pure and seeded: the same settings give the same
// result.
//
// # The plant
//
// N connections live on n nodes of capacities c_i. In each second of simulated
// time connections end and as many begin:
//
//	ends_i   ~ Poisson(a_i / life)            a_i connections of node i
//	begins_i ~ Poisson(R w_i / sum w)         R placements a second, w_i published weight
//	a_i'     = a_i + begins_i - ends_i
//
// (normal approximations), so without feedback a node's deviation is that of a
// Poisson count: 0.8 % at 15,625 connections. A connection stays where it was
// placed: the node integrates its weight with the time constant life. Where
// Settings.Moves is set, connections follow the weights instead: each change of
// weights moves the share of them that the nodes which grow gain.
//
// What a node measures follows from its utilisation u = Load x (a_i/c_i) over the
// mean of that, plus HandshakeCost per placement a second and unit of capacity:
//
//	CPU = 100 u, P95 = 2/(1-u) ms, Connections = a_i, Backlog = 20 u/(1-u) kB, LoopLag = 0.2/(1-u) ms
//
// all but the count with a relative noise of Noise, and read Stale late.
//
// It is a model: a connection costs the same wherever it comes from, the ring's
// own skew is left out unless RingSkew is set, and nodes do not fail.
package plant
