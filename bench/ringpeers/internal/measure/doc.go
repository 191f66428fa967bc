// Package measure compares roost's ring with its peers in one run and writes
// down what came out.
//
// # Method
//
// Everything is measured in rounds, in each of which every subject has its turn,
// in another order each time: what the machine does for a while happens to all.
// Ratios are taken within a round, and their median over the rounds is given, with
// the smallest and the largest.
//
//   - Lookups are timed in windows of 1.8 ms on bound threads, kept only if the
//     thread was not off its core (package timing): one after the other, each
//     dependent on the answer before, and on two threads at once.
//   - Builds and changes take longer than that. Their time is the CPU time of their
//     thread, so that waiting for a busy core is not in it. The collector sleeps
//     meanwhile.
//   - Balance, moves and memory are counts and do not depend on the machine's load.
//
// A Result has all that was measured; the report is made from it alone.
package measure
