// Package decaysim simulates decay in virtual time: what policies of weights do to
// a cluster (RunWeights, on decay/plant), and what models of decay do in a limiter
// of requests (RunModels). All is seeded, so a busy machine changes nothing.
package decaysim
