// Package link is what a coordinator and its workers say to each other, and
// the connection that carries it.
//
//	worker                         coordinator
//	hello: version, token, host ->
//	                            <- plan: scenario, which worker of how many
//	ready, or fail              ->
//	                            <- begin: phase, instant
//	tick, each interval         ->    what was counted since the last
//	progress, 10 a second       ->    levels
//	                            <- finish: instant
//	finished: refusals          ->
//	                            <- settle: refusals of all
//	settled: last tick          ->
//	                            <- begin, or done
//
// The coordinator pings each second and is answered at once, which gives the
// difference of the two clocks; a worker that is on the same machine has none.
//
// A message is its length (4 bytes, big endian) and a JSON object with exactly
// one member, whose name is its kind. The token is compared in constant time,
// but travels in the clear, and so does everything else: link hosts over a
// network that is trusted.
package link
