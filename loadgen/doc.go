// Package loadgen is the map of the load generator, whose parts are the packages
// below it; cmd/loadgen joins them, docs/LOADGEN.md is for who uses it.
//
// # Parts
//
//	the plan      scenario     what a run does, from a file or flags
//	              threshold    the conditions that it has to meet
//	              plan         when what is due, to whom, from which address; errors by class
//	              preflight    what that needs against what this machine has
//	a worker      swarm        its clients on one event loop, and an account of every delivery
//	              dialect      what clients say to a server: roost and others, without I/O
//	              stamp        what each message says about itself
//	              tally        what is counted; adds up without loss
//	              clock        one time for all workers
//	              worker       the process around a swarm
//	coordination  coord        workers through the phases; puts together what they count
//	              workerpool   who works, here and on other machines
//	              link         what both sides say to each other
//	              merge        one account of many workers' parts
//	              search       the largest value that holds, over many runs
//	verdict       validity     whether a run says something about the server
//	              probe        what the server uses, from outside
//	              usage        what processes and sockets cost, from the kernel
//	output        result       the file of a run, and its metrics by name
//	              report       a run for people: text, or a page
//	              live         a run under way
//	              redact       no secrets in what is written down
//	self-check    calibrate    does it see what a server of known behaviour does?
//	              faultserver  that server
//	              doctor       what the instrument itself costs on a machine
//	beside        listen       one device whose messages are printed
//
// What a package may import is in server/deps_test.go.
//
// # What is measured, and from where
//
// Load is an open loop: everything is due at a time planned before, latency counts
// from there, and what is late is sent late, never left out. How late the
// generator itself was is reported beside it, and a run in which the generator was
// the limit is INVALID and no result.
//
// Every message that comes in is compared byte for byte with what it must be, and
// accounted for by (message x subscriber): missing, doubled, late and damaged ones
// are told apart (package swarm). Kept messages are accounted for over lost
// connections and restarts of the server.
package loadgen
