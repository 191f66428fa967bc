// Package bench compares servers.
//
// # Peers
//
// RunPeers puts the same loads (scenarios/*.yaml) on each server of bench/peers
// and on roostd. Each load is an experiment of its own (package experiment): a
// round runs every server once, as a fresh process, every second round backwards.
// The machine changes its speed by up to 30 % for minutes, so what is compared is
// the ratio to the C floor in the same round; the table has the median of the
// rounds with the smallest and the largest. A run that is INVALID, or during
// which other work took more than maxOther of a core, is repeated; if it stays so
// it does not count.
//
// # One node
//
// RunNode measures memory and waiting publishers by scenarios of loadgen run. RunKept
// measures kept messages, by the older modes of cmd/loadgen: CPU per
// push by part, broadcasts with acknowledgements beside live ones, recovery after
// a crash, memory. Both use cmd/loadgen and the same rule of what counts.
//
// # Decay
//
// RunDecayReport and RunDecayModels simulate: what policies of weights do to a
// cluster (package decay/plant), and what models of decay do in a request limiter.
// Both are in virtual time and seeded, so a busy machine changes nothing.
//
// stat.go, load.go, table.go and profile.go's parser are pure.
package bench
