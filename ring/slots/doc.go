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
// exactly right for 40, 35 and 25 %, and have 0.45. A node whose share is below
// 1e-15 has no target: its c counts as Outside, and has no r. For n nodes that differ by
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
// A node is far off if it is more than Threshold slots (5) off its target, or if it
// should have none and has any; a slot moves only to or from such a node. With S
// and D the sums of the surplus and the deficit of all that are far off, no fewer
// than max(S, D) slots can move. Let S > D: all of S goes, D of it to those that lack much, and E =
// S - D to those that lack a little, whose deficits are d. The moves across zones are the
// fewest too. Zone z keeps min(S_z, D_z) whatever the others do, and then up to
// min(d_z, S_z - D_z) more, of which together E: so pair inside zones, first with
// those that are far off, then E with the others, then the rest anywhere. For
// S < D the same holds with the sides exchanged.
//
// # When
//
// A threshold alone does not stop flapping: with targets that jitter by 3 % a
// minute it moves the whole table 22 times a day. Governor smooths the weights
// (EWMA, alpha 0.1), wants three checks above Act, stops below Rest, moves at most 1 % of
// the slots a step and rests between rebalances.
//
// Its sigma is that above, but with r_i = 1 for every node that is not far off. Slots
// are whole, so the r of a node with a target of 1.4 is 0.7 or 1.4 at best: with it
// in sigma, one such node keeps sigma above any Act, and the jitter of all the others moves
// slots at every check. What a rebalance would leave as it is, must not start one or
// keep it going.
package slots
