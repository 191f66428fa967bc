// Package preflight compares what a scenario needs with what this machine has,
// before anything is dialled: descriptors, source addresses and ports, memory,
// and the kernel's limits. What is short is said with the line that mends it; a
// run with fewer connections than were asked for is never made in silence.
//
// Read looks at the machine; everything else is arithmetic on what it found.
package preflight
