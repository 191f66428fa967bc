// Package fanout carries messages between nodes: a bus with one channel per node, one for
// all nodes, and one per topic that only those nodes listen to which have a subscriber.
//
//	Envelope   what is sent: who, to whom, what for, until when, in compact bytes
//	Bus        sends and receives; Memory for tests with faults, Redis for clusters
//	Requests   answers, matched to what was asked
//	Dedupe     ids seen of late, so that what comes twice is done once
//
// # What a bus promises
//
// At most once, and in order from one sender to one channel. Nothing more: what was sent
// while a node was not subscribed is lost, and so is what overflows a queue. Whoever must
// not lose anything stores first, and looks again (sweeps) when the bus says that something
// may be missing: Hooks.Up and Hooks.Dropped.
//
// A sender learns how many nodes took its message. 0 for a node's channel means that nobody
// is there: the node is down, or cut off.
//
// # Life of a message
//
//	Post        encoded at once into the bytes that wait for the lane; the caller's
//	            memory is free again
//	lane        one goroutine while something waits: all that waits is one pipeline, and
//	            the next one begins when its replies are there
//	Redis       PUBLISH, or SPUBLISH in a Cluster
//	line        the subscriber's connection; its reader copies the bytes into a queue and
//	            does nothing else, for while it does, nothing is read
//	queue       bounded; its own goroutine decodes and calls the handler with all that
//	            waits, at most 128 at a time
//
// A store on the same Redis may send notices from the script that stores (StoredLua), several to one node as
// one message; they arrive as if they had come one by one.
//
// # States of a line
//
//	        connected, all channels confirmed
//	down  ------------------------------------>  up
//	 ^  ^                                         |
//	 |  '-- connect or subscribe failed:          |  connection lost, slot moved away, or
//	 |      wait 20 ms to 1 s, jittered           |  three probes unheard
//	 '--------------------------------------------'
//
// With one Redis (or Sentinel) a bus has one line and one lane. In a Cluster a connection
// serves one server, so there is one of each for the node's own channel, for all, and for each of 16 parts of
// the topics that is in use: their channels carry the part as a hash tag, lie in one
// slot, and are spread over the servers. A server that hangs holds up its own lanes only.
//
// # What it costs
//
// On two cores that were busy with other work as well (load 9), 128 bytes of payload, 261 with the envelope: 0.3 us to encode, 0.6 to
// decode, neither allocates; node to node over one Redis 190,000 a second with 5 allocations and
// 540 bytes each, both nodes in one process; question and answer, one after the other, p50 0.11 ms, p99
// 0.28 ms. At 5,000 a second, one by one, 27 us of CPU for both nodes and 9 in Redis; at 1,000 a second 129 and 38, most of
// it waking up (go test -bench . ./server/fanout).
//
// # Lock order
//
// Redis.mu, then line.mu, then sender.mu; queue.mu and Requests.mu are taken alone.
// Handlers, hooks and done functions are called with none of them held.
package fanout
