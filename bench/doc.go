// Package bench compares servers.
//
// # Peers
//
// RunPeers starts each server of bench/peers, and roostd, alone and afresh,
// puts the same load on all of them by cmd/loadgen, and repeats that in rounds.
// The machine changes its speed by up to 30 % for minutes, so:
//
//   - a round runs every server once, each round in another order;
//   - what is compared is the ratio to the C floor of the same round; the table
//     has the median of the rounds with the smallest and the largest;
//   - load is an open loop of the same rate for all, at most half of what the
//     generator can do against the C floor, which is measured first;
//   - a run in which the generator was the limit, or other work took more than
//     maxOther of a core, is repeated; if it stays so it does not count.
//
// # One node
//
// RunNode measures memory and waiting publishers, RunKept kept messages: CPU per
// push by part, broadcasts with acknowledgements beside live ones, recovery after
// a crash, memory. Both use cmd/loadgen and the same rule of what counts.
//
// # Decay
//
// RunDecayReport and RunDecayModels simulate: what policies of weights do to a
// cluster (package decay/plant), and what models of decay do in a request limiter.
// Both are in virtual time and seeded, so a busy machine changes nothing.
//
// stat.go, table.go and profile.go's parser are pure.
package bench
