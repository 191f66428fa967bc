// Package decay turns what nodes measure into weights, and decides which of them
// a ring gets. It is pure: no clock, no I/O; times are durations since an origin
// that the caller chooses, on a monotonic clock, and come in as arguments.
//
//	samples ──> Pipeline ──> weight per node ──> Controller ──> published weight
//	            smooth, compare, bound           smooth, hold, step, budget
//
// # From samples to weights
//
// Node i, signal s. Each sample x, in the signal's unit, becomes a level
//
//	u_is = x / scale_s                  CPU, P95 latency, loop lag
//	u_is = x / (scale_s c_i)            connections, write backlog; c_i is the capacity
//
// smoothed as by [EWMA]: u <- e^(-dt/Tau) u + (1 - e^(-dt/Tau)) x/scale. Over the
// nodes whose load is known, with every level cut to the quantiles of CutLow and
// CutHigh (the 5 % and the 95 % one; of three nodes and more at least one at either
// end is cut, to the value of the next one),
//
//	m_s     = mean of the cut levels
//	sigma_s = max(their standard deviation, SigmaFloor m_s, ScaleFloor)
//	z_is    = (u_is - m_s) / sigma_s, within +-ZClip
//	z_i     = sum_s weight_s z_is / sum_s weight_s
//	r_i     = e^(-Beta z_i), within [Min, Max]
//	w_i     = c_i r_i                   what a ring gets
//
// For joiners j, added less than JoinTime ago, the largest bound B with
//
//	r_j <= B = JoinCap x sum w_i / sum c_i   over all nodes, so   w_j / sum w <= JoinCap x c_j / sum c
//
// though never less than Min. Where only joiners are known there is none. It bounds
// what a weight is to become; what is published follows.
//
// A node whose load is not known (no sample, one older than Expire, or Blackout
// after it joined) has the mean r of those whose load is.
//
// e^(-Beta z_i) is the softmax of -Beta z over the nodes, divided by the softmax
// share of a node at the mean. The share itself is never used: it sums to one, so
// one node's change would change every other's, and every node's number of points
// on the ring. As it is, a node's change reaches the others by m and sigma alone,
// and however far it goes it counts as the quantile. What remains is that the
// value that it had is gone from them: m moves by up to (quantile - that)/n, the
// quantiles by a rank, and above the floor sigma with them. When one of 64 nodes
// goes to its limit, the other whose weight moves most moves by
//
//	spread of the nodes' levels        1 %    2 %    5 %   10 %
//	CPU alone, mean of 50 clusters     0.6    1.2    3.6    7.1 %
//	           largest of them         2.1    4.3     12     14 %
//	all five signals, mean             0.4    0.9    2.9    6.5 %
//	           largest                 1.1    2.2      9     12 %
//
// So in a cluster whose loads are even, as the controller keeps them (0.3 %), the
// dead band of 5 % holds it; in one whose loads differ by 5 % and more it does
// not always (TestWhatOneNodeMovesOf64). With n nodes spread by 1 % all others
// move together, by 10 % of weight among 3, 6 among 5, 4 among 8, 2 among 16
// (TestOneBadNodeLeavesTheOthers): they keep their shares of what the bad one
// leaves.
//
// The floors are what keeps a balanced cluster quiet. Without them its noise is
// the deviation, so z is +-1 whatever the size of the noise: in package plant's
// simulation weights then change by 53 % at each update, by 195 % without
// smoothing, and with the floor by 2.4 %.
//
// The quantile cut is of the population; a node's own z is of its own level,
// unless CutOwn is set. Cut itself, an empty joiner among 64 nodes could not be
// told from the fourth-emptiest.
//
// [Settings.Form] has two other forms of r_i: the original report's per-metric
// forms on raw values, [Given], and on levels, [Scaled]: r_i is then their blend
// over that of a node at the mean levels. scoreGiven's comment says what they do
// at real values.
//
// Why levels and not, say, requests completed: connections here live for half an
// hour and longer. What is measured when something ends says nothing about them.
//
// # From weights to a ring
//
// [Controller] smooths the weights again, follows one only when it has left a
// dead band, bounds its step, and publishes what has gathered since the last
// time. There are two kinds of rings, with settings of their own:
//
//   - One that only places new connections ([PlacementSettings]). A node then
//     integrates its weight over the life of its connections, and the controller
//     of levels that the pipeline is, is stable.
//   - One whose change moves open connections ([LiveSettings]). Then the load
//     follows at once, and the same controller has a gain of Beta/SigmaFloor = 20:
//     it cycles, and moves a tenth of all connections in a minute if it is damped,
//     and almost five times all of them if it is not. There the weight itself is
//     the integral, in steps
//     w <- w (1 - Gain x deviation from the mean), under a budget of moves.
//
// When several times the usual number of connections come at once, levels that
// are seconds old mislead; then weights are the capacities ([StormSettings]).
//
// # Cost
//
// A [Pipeline.Step] over 1,024 nodes and five signals takes 22.5 us, a textbook
// z-softmax of one signal on the same core 25.5 us (CPU time of the thread, best
// of 400 windows of 64 steps, on two shared cores of a Xeon; BenchmarkStep and
// BenchmarkTextbook have the same in real time); nothing allocates.
//
// # Also here
//
// [Exponential], [DecayingSum], [EWMA] and [PeakEWMA] are decay by time. Packages
// decay/window (counting over the last second), decay/dawn (weights ahead of
// maintenance) and decay/plant (a cluster to try all this on) stand beside.
package decay
