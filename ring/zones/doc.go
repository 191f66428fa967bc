// Package zones evens out what a ring's zones own against what they can carry, by
// changing the weights of nodes. It does no I/O and reads no clock.
//
// # Words
//
// A zone's slots are its share of the ring's table in units of a Redis Cluster's
// 16,384 (slots.Count). Its target is its share of the devices that all nodes can
// hold, or what an operator has set: by hand, or by the memory and the CPU of zones,
// whichever is scarcer (slots.ZoneShares). A zone's factor multiplies the weights that its nodes publish; 1 is none.
//
// # The rule
//
// Sigma is (max - min)/mean of slots/target over zones. Where it is 0.2 or more
// for three checks, smoothed (slots.Governor: EWMA of the targets, hysteresis), zones
// that are more than five slots off get another factor, so that their slots come
// out at the fewest moves' end (slots.Rebalance); the others, and with them the
// weights of their nodes, stay as they are. So does what an operator has pinned: the other nodes of its zone
// make up for it. The sum of all weights stays too, where factors are within their bounds. Inside
// a zone the weights keep their proportions: they are what load has made of them.
//
//	slots  7210 5120 4054, targets 0.40 0.35 0.25  ->  6554 5734 4096
//	sigma of slots/target 0.208 -> 0.000
//
// A ring follows weights by points. Twelve nodes in three zones come within 0.2 % of
// their zones' targets, and 27 % of the ids move where a table of owners would move
// 16: what a zone gives up goes to the points that are nearest, in whichever zone, and
// what another takes comes from them (TestRingFollows). To leave the zone with most
// weight as it is and raise the others would move 32 %, to lower all but the last 44.
//
// # Load
//
// A target says what a zone can carry, load says what it has to. What load makes of
// the weights of a whole zone counts until sigma is 0.2; from there on the zone gets its
// share of the capacity, and load counts inside of it. A correction after which a
// node would hold more devices than its capacity is not made, and said: evening out
// the zones is worth no overloaded node. Factors stay within a quarter and four.
package zones
