// Package swarm is one worker: its share of a scenario's clients on one event
// loop, and everything that they do. A scenario is run by one worker or by
// many; each knows the whole plan, which follows from the scenario and its
// seed alone, and does its own part of it, so that workers need to tell each
// other nothing while load is on.
//
// # Shares
//
// Client c belongs to worker c mod Workers, message n of a publish is sent by
// worker n mod Workers (to self: by the worker of its client), and dial or cut
// n of a phase by the worker of its client. Client c connects to URL c mod
// len(URLs). All is planned in time since the phase's start, which is the same
// instant for all workers.
//
// # One loop
//
// A worker has one event loop and does everything on it: it dials, publishes
// over HTTP, reads, and walks the plan. More cores are used by more workers.
// The loop is woken each half millisecond while something is planned, and what
// is late is sent late and never left out.
//
// # What a delivery is worth
//
// A message carries a stamp (package stamp): run, phase, publish, number,
// number in its stream, due and sent. A stream is all, one topic or one
// client; numbers in a stream have no holes. Every connection knows, for each
// stream that it is subscribed to, from which number on messages are due to
// it, and a window of those that came. So at the end of a phase, and whenever
// a connection ends, it is known of every (message x subscriber) whether it
// came, once, in order, unchanged, in time, or not at all.
package swarm
