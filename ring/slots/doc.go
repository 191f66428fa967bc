// Package slots measures how unevenly slots lie on nodes and zones, and plans
// the fewest moves that mend it. Slots are those of a Redis Cluster, 16,384 of
// them, or any other division with owners that are written down; a ring's shares
// can be measured in the same unit.
//
// # Skew
//
// With c_i slots on node i, whose target is t_i, the ratio r_i = c_i/t_i is 1 where
// all is well, and
//
//	sigma = (max r - min r) / mean r
//
// The report that this follows had sigma = (max c - min c) / mean c (0.68 on one
// cluster), which never reaches 0 when targets differ: 6554, 5734 and 4096 slots are
// exactly right for 40, 35 and 25 %, and have 0.45. For n nodes that differ by
// chance alone, a range is 2.5 (n=6) to 4.4 (n=48) standard deviations, so a fixed
// threshold on sigma is stricter for many nodes; Deviation = max |r - 1| is not.
//
// # Targets
//
// Shares become whole slots by the largest remainder; a node that holds the odd
// slot already keeps it, so rounding alone moves nothing. A zone's share is that of its scarcer
// resource: min(memory share, CPU share), normalised.
//
// # Moves
//
// sum max(0, c_i - t_i) is the least number of slots that must move, and any
// pairing of surplus with deficit reaches it. Pairing inside zones first makes the
// moves across zones minimal too: what zone z can settle by itself is
// min(surplus_z, deficit_z), whatever the others do. A slot is moved only where a
// node is more than Threshold slots (5) off.
//
// # When
//
// A threshold alone does not stop flapping: with targets that jitter by 3 % a
// minute it moves the whole table 22 times a day. Governor smooths the weights
// (EWMA, alpha 0.1), wants three checks above Act, stops below Rest, moves at most 1 % of
// the slots a step and rests between rebalances.
package slots
