// Package mesh is a node among nodes: what they say to each other over the bus, and who
// is asked where a device is. It has no sockets, no etcd and no Redis: rings, members,
// presence, the bus and the node itself are interfaces, so that a simulation in virtual
// time runs the product's own code.
//
// # Who is asked
//
//	kept     is stored first. What stored it says who has the device (inbox.Put.Owner, by
//	         presence, in the same script); that node is told (Notice), and reads the store.
//	live     to one device: the ring's owner (hop 1). Where it is not there, presence says
//	         where it is (hop 2); where presence does not answer, the other ring's owner, while
//	         two are live. Never more: a live message is not worth a search.
//	         to a topic or all: one post to the nodes that listen; where the publisher wants
//	         counts, one to each member, with an answer each.
//
// Whoever asks asks again: a node never sends on what it was sent, so nothing goes round in
// circles, and nobody holds state for somebody else's message.
//
// # What an envelope carries
//
//	Kind      to           fields                                          the receiver calls
//	Notice    node         Device Epoch Seq Fence Tag; to be answered: ID  Local.Noticed
//	                       Wait Deadline
//	Forward   node         as Notice, and the message: Raw TTL MessageID   Local.Noticed, with
//	                       Channel Payload                                 the message
//	Notice    node         no Device                                       Local.Sweep(false)
//	Notice    all          no Device                                       Local.Sweep(true)
//	Live      node         Device Class Raw TTL MessageID Channel Payload  Local.Live
//	                       Trace Hop; ID Wait Deadline
//	Live      node         Channel (none: all), as above, Tag = pace;      Local.Cast
//	                       ID Part Wait Deadline
//	Live      topic, all   as above, ID; no answer                         Local.Cast
//	Latest    as Live to a topic                                           Local.Cast, latest
//	Topic     topic, all   Channel (none: all)                             Local.Spread
//	Control   node         Device Code >= 1000 Fence, Payload = reason     Local.Control
//	Control   node         Device Code 1 or 2 Channel                      Local.Subscribed
//	Result    node         results (fanout.AppendResult)                   the asker's answer
//
// Results of casts have their counts in Seq, 21 bits each for written, queued and dropped. Kinds and codes
// that a node does not know are counted and left alone: it is older than their sender.
//
// # What is repeated, late or lost
//
// Live envelopes and notices that want an answer have an id, and are done once however often they
// come; a notice without one is idempotent in the store. A live envelope that comes after its
// deadline is dropped, since its publisher has been told that it was not delivered; a notice is taken, and not
// answered. The deadline is on its sender's clock, whose difference to ours is learned from what it sends (lateness.go). So
// a live message is delivered at most once, but for one whose answer was lost and whose device was
// found elsewhere afterwards.
//
// What the bus may have lost is looked for: a node sweeps (Local.Sweep) when its channels are listened to,
// again or for the first time, and when a queue of it was full. A notice, spread or subscription that the bus did
// not take, or that nobody took though the node is a member, is a debt: that node, or all, are told to
// sweep as soon as the bus takes that. Debts are a flag a node, however many messages there were.
//
// # Trials
//
// While a canary is on, what this node sees of devices whose owner differs between the two rings is counted, for the
// side whose ring answers (cluster.Moving): see Trial. Where devices are is counted only once the rings have been in
// force for Options.Settle: until then those that move are on their way.
//
// # What it costs
//
// On two cores shared with other work (load 9 to 18), 128 bytes of payload, both nodes in one process, one Redis: a live
// message to the other node and its answer, one after the other, p50 0.08 to 0.13 ms, p99 0.4 to 0.6; a notice with
// its acknowledgement p50 0.08 to 0.11, p99 0.2 to 0.5. At 1,000 a second, one by one, 0.1 to 0.3 ms of CPU each for both nodes and 0.03 to 0.07 in
// Redis, most of it waking up; at 5,000 a second in bursts of 50, 18 to 28 us (live) and 11 to 20 (notice), and 2.5 to 5.5 in Redis;
// p50 from when it was due 0.7 to 1.1 and 1.3 to 1.9 ms, of which the pacing's own lateness is 0.5 to 0.8. Owner takes 0.1 us
// (go test -run XXX -bench . -benchtime 3s ./server/mesh).
//
// # Goroutines and locks
//
// None but timers', and while somebody asks presence for who must not wait (Subscribed, and Notice with a wait whose
// device has moved) at most 64. Handlers run on the bus's goroutines. Locks, each taken alone and with nothing called
// under it: debts.mu, replies.mu, topics.mu, seekers.mu, delays.mu.
package mesh
