// Package swarm is one worker: its share of a scenario's clients on one event
// loop, and everything that they do. A scenario is run by one worker or by
// many; each knows the whole plan, which follows from the scenario and its
// seed alone, and does its own part of it, so that workers need to tell each
// other nothing while load is on.
//
// # Shares
//
// Client c belongs to worker c mod Workers, message n of a publish is sent by
// worker (n / batch) mod Workers (to self: by the worker of its client), and dial
// or cut n of a phase by the worker of its client. Client c connects to URL c mod
// len(URLs). All is planned in time since the phase's start, which is the same
// instant for all workers.
//
// # One loop
//
// A worker has one event loop and does everything on it: it dials, publishes
// over HTTP, reads, and walks the plan. More cores are used by more workers.
// The loop has a turn when something is due, but at most each quarter of a millisecond,
// and what is late is sent late and never left out.
//
//	Begin, Finish, Settle, Tick   --post-->  loop          Progress reads gauges
//	the loop's alarm (pace.go)    ------->   turn: advance, cut, churn, send, dial, resume
//	poller's events               ------->   Open Data Timeout Closed
//
// The plan of a publish is walked twice (stream.go): when a message is due every
// worker knows to whom of its clients, and when it can be sent its worker sends
// it. Nothing is kept of messages in between.
//
// # What a delivery is worth
//
// A message carries a stamp (package stamp): run, phase, publish, number,
// number in its stream, due and sent. A stream is all, one topic, one node or
// one client; numbers in a stream have no holes. Every connection knows, for
// each stream that it is subscribed to, from which number on messages are due to
// it, and a window of those that came (account.go). What leaves the window
// without having come is noted (ledger.go). So at the end of a phase it is known
// of every (message x subscriber) whether it came, once, in order, unchanged, in
// time, or not at all:
//
//	due while connected, and came in time             Delivered (and Reordered)
//	due while connected, came after the deadline      Missing, and Late
//	due while connected, never came, or damaged       Missing
//	due after the server has ended the connection     Gap, if the client means to come back
//	due since a storm has cut it, or just before      Gap, if the client means to come back
//	due just before churn or a drain has ended it     nothing, unless it came
//	kept: due in any of these cases                   Delivered (and Late), or Gap once it was away
//	due before it was ready, and came                 Joining
//	refused by each API that it was for, or unsent    nothing, or Stray if it came after the refusal
//	unanswered, or tried in vain (tried.go)           Delivered if it came, else Missing
//	to itself, of a client that was cut off           Gap, if it means to come back
//	of a phase that is settled                        Late where it comes: it was Missing there
//	of one that has not begun here (early.go)         kept until it begins
//	came again, also of a phase that is settled       Duplicate
//
// A message without a stamp is Foreign and is nobody's fault: servers greet and
// beat in text as well. One of ours that lost its stamp on the way is Missing,
// and one whose stamp or body is damaged is Wrong beside that: what a subscriber
// lacks is told by Missing alone. Of settled phases the last four are known
// (past.go); what comes again of an older one is Late.
//
// Expected is what was resolved so: Expected = Delivered + Missing + Gap at any
// time. Missing and Gap, which wait for what was refused, are counted by Settle.
// Messages of clients that a phase makes slow or silent are Delivered if they
// come in it and nothing otherwise, also when they come later, and are in no histogram; those of a group that
// reads slowly or never are all counted, in their group. Messages of several
// connections to an API may overtake each other: Reordered is no fault then, but
// of one worker with one request under way (publish.in_flight). With publish.retry
// a request without an answer is made again (retry.go), so that nothing is
// unanswered but what the phase's end left so.
//
// A message to all, or to a topic, is published at each API; one that only some
// of them accept is expected of all. Planned = Sent + Unsent: what was tried counts
// as sent, and what became of it is the server's.
package swarm
