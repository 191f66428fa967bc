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
// # A run
//
//	                 scenario + parameters + seed
//	                              |
//	     loadgen run:  preflight -> coord (one goroutine) --------------------------> result.json, page, text
//	                     plan |  ^ tick, 1/s: counts, histograms    |  ^              verdict: validity, thresholds
//	     (link: a pair,       |  | progress, 10/s: levels     probe |  | CPU, memory, GC of the server
//	      a socket, TCP)      v  |                                  v  |
//	            +-------------+--+----------+                  +----+--+----+
//	            | worker 0    | worker 1 ...|                  |  server    |
//	            |   one loop each (swarm)   | == WebSockets == |  under     |
//	            |   clients c mod n         | -- publishes  -> |  test      |
//	            +---------------------------+                  +------------+
//
//	phase:  begin (an instant 200 ms ahead) -> under way -> finish -> answers -> deliveries
//	        -> settle (refusals of all) -> settled
//
// Workers tell each other nothing. A phase ends when its accounts are closed, not when its
// time is over: until then a message may still come, or be refused.
//
// # Life of a message
//
//	plan      due times walk out of the seed, in every worker alike: message k is due at t, to
//	          stream s, with number q in it
//	worker    k mod n is mine: at t (or as soon as may be, late and never left out) stamp it: run,
//	          phase, k, q, due, sent, sum
//	          POST (with others that are due at the same time: batch), or a frame of a client's
//	          own; send lag = sent - due
//	          kept, and no answer: again, under the same ids (retry)
//	server    ...
//	worker    any that holds a subscriber: the kernel's arrival time where the socket is sampled;
//	          frame -> dialect -> stamp
//	account   of (stream, subscriber): was q due to it? once? in order? unchanged? in time?
//	          delivery = now - due; what never comes is in the same histogram, above everything
//	          that did
//	settle    who was refused by the API is due to nobody: Expected = Delivered + Missing + Gap,
//	          to the message
//	coord     adds up the workers' counts and histograms, and judges
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
