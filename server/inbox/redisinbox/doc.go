// Package redisinbox keeps messages in Redis: an inbox.Store that all nodes of a cluster
// share. What a device has waiting is found by whichever node it comes back to.
//
// # What lies where
//
// Everything that one operation on a device has to see lies in one slot (keys.go), so
// that it is one script and one round trip: a put looks for a repetition, counts, numbers,
// appends, and sets expiries; an open numbers the session, judges what the device says of
// itself, and returns where the stream stands. What waits is a list and not a stream of
// Redis: numbers are without holes, so the place in the list is the number, and a list with
// one message of 100 bytes has 280 bytes where a stream has 4,728, because that
// allocates a node of 4 KiB at once (TestBytesInRedis).
//
// A node mirrors the devices that are connected to it (mirror.go): what the loops ask is
// answered from there. Open, Fetch and Commit go to Redis; acknowledgements follow within
// 50 ms, many in one pipeline.
//
// # Life of a put
//
//	Commit     queued; 16,384 commits or 256 MiB wait at most, then inbox.ErrBusy
//	pipeline   all that waits, up to 2,048 operations, in up to four pieces: who gets the first message of
//	           a request has it while the last ones are stored (Commit.Some)
//	script     up to 25 messages a call, each by itself: known? repeated? room? numbered and appended; with
//	           Options.Notify the node that has the device is told, one PUBLISH a node and call
//	WAIT       with Options.Replicas: until so many replicas have it
//	stored     the mirror of a device that is connected here moves, then Done
//
// # Durability
//
// Redis answers when it has the message in memory. What survives its death is its
// configuration's business, and is what "stored" means:
//
//	appendfsync always     on disk before the answer: nothing is lost by kill -9 or loss of power
//	appendfsync everysec   a second or two is lost by loss of power, and by kill -9 too while an fsync is slow:
//	                       Redis then puts off the write (the model test has met it)
//	no append-only file    all is lost by a restart without a replica
//	Replicas: 1            (WAIT 1) a failover to that replica loses nothing; with several, Redis chooses the
//	                       one that has most. It does not say that anything is on a disk.
//
// maxmemory-policy has to be noeviction: what is full refuses (inbox.ErrFull), and nothing
// that was accepted goes.
//
// # Failure
//
// No answer within the deadline, or a connection that broke, is a failure for whoever
// published, and nothing is said to be stored that was not. It may be stored nevertheless:
// with the same id the repetition is told that it is a duplicate; without one it is a
// second message. A device that is connected here is looked at, and gets what is there.
// A commit of many devices that fails may have reached some of them, who get what is theirs (abandoned.go). An open, a removal, a
// subscription and a latest value are not carried out after the deadline (late.go).
//
// A Redis that has lost what it had (a failover before replication, a file that was
// damaged) is found out by tags: each append leaves a random number in the message and
// in the hash, and a node says with every question which message it saw last, with which
// tag. If that is not in the list, the device gets a new stream and its session ends with
// ErrHistory. What a node hears of counts as seen only where it is behind what was seen before, by the tag of the message
// before it, which answers and notices have; of anything else Redis is asked, with what was seen (history.go). A
// device that was away, and whom no node had seen those messages with, says
// itself how far it was. What nobody had seen but the node that has stored it, that finds with its
// next connection (accepted.go), unless it has died too: that is what Replicas is for.
//
// # Messages to many
//
// The content is stored once, under body:<name>, and each receiver's list has a reference
// to it. Receivers are found in the index and given it in slices of 256, each device by the
// script put. So: a device that is a member when it starts and when it ends gets it exactly
// once (a failed slice is tried again, and devices remember the name); one that comes
// or goes meanwhile gets it or does not. It is accepted when all have it. If it fails
// midway, those who have it keep it, and a repetition with the same id reaches the others.
// It is not atomic, and no order is promised against other messages of its time.
//
// # What is promised of sessions
//
// The fence counts the sessions of a device over all nodes; acknowledgements, fetches and
// looks name it, and what is not the last session's has no effect. A session that was
// overtaken elsewhere learns of it with the next thing that it asks, or within
// Options.Sweep.
//
// # Costs
//
// In Redis 7.0, by MEMORY USAGE: a device that has nothing waiting 152 bytes and about 88
// for its place in the index; its first message of 100 bytes 280, each further one 119 to
// 128; an idempotency key of 16 bytes 136 if it is the device's only one.
//
// A call of 17 puts with their notices took Redis 43 us of CPU a put, one call a put and no notices 66 (medians of three
// interleaved rounds of 10,000 at a load of 20 to 28 on two cores, 2026-11-28: the ratio counts); of what
// was saved two thirds are calls of many and one third is the state in one field.
//
// BenchmarkPut before that on two cores that were shared with other work (load 11, 2026-11-27, so these are
// upper bounds): a put with an id and the acknowledgement of the one before take Redis
// 42 to 52 us in pipelines, which is what bounds puts, and 88 us one by one. p50 of a single
// commit 0.13 ms, p99 0.8 ms; 0.94 and 10 ms with appendfsync always; an open takes 0.06 ms,
// a fetch of 32 messages 0.2 ms, a message to many 49 us a receiver.
//
// # Lock order
//
// acks.flushing, then one of Store.mu, acks.mu, queue.wake.L, doubts.mu, link.mu, each
// taken alone. No question is asked, and no hook called, while one of those is held.
package redisinbox
