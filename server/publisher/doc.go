// Package publisher publishes to a cluster and routes itself: it holds the ring,
// picks the node that owns a message's device, and posts there, so that most
// messages need no hop between nodes. It speaks HTTP alone, imports neither etcd nor
// Redis, and is meant to be used by backends as it is.
//
//	Publisher   Publish (waits), Send (calls back), Flush, Close, Stats
//	Source      where rings come from: Nodes asks GET /v1/ring of the nodes, the
//	            mirror in Redis (server/ringmirror) is another
//	Choose      which node gets a message: ByRing, Any, BeforePush, AfterFailure
//
// # A message's way
//
//	Publish ─▶ checked, encoded, an id made if there is none
//	        ─▶ bytes of the queue taken, or waited for
//	        ─▶ lane of the node that is chosen (Lanes a node, by hash of the target)
//	lane    ─▶ what waits, at most Batch messages, after Linger ─▶ one POST /v1/publish
//	        ─▶ results, in the order of the lines ─▶ whoever published
//
//	post fails, 503 ─▶ each of its messages to its next node, within the message's deadline
//	none is left    ─▶ a pause (Retry-After, or 50 ms doubled to 1 s), and all nodes again
//
// A lane has one request under way, so what is published to one device is stored in
// the order in which it was given, as long as the device's owner stays the same and
// answers. Around a change of owner two messages that are under way together may
// change places; who cannot have that awaits each result.
//
// # Repeats
//
// Every message that is kept has an idempotency key (Message.ID, else one made here),
// so it is repeated after any failure, and counts once (docs/PROTOCOL.md). A live
// message is repeated only if it has surely not been sent: the connect failed, or the
// node refused by 503. Otherwise its Result says ErrUncertain.
//
// # Rings
//
// A pointer names versions by number and content hash. A snapshot whose bytes have
// another hash is refused; so is a pointer whose activation is older than the one
// held, or equal with other hashes. Both are counted, as are nodes that answer
// with another hash than the one held at the same activation (Stats.Disagree). The
// last ring is kept in a file, so that a publisher may start while no node answers
// about rings. Where etcd has lost its data activations begin anew: then the pointer that
// was made later is newer. While what is held is old, messages take a hop more; none is
// lost.
//
// # States of a node
//
//	           connect failed, no answer, 5xx            Rest over
//	Well ───────────────────────────────────▶ Down ─────────────────▶ Trying
//	  ▲  ╲ 503, Retry-After ▶ Busy ─ over ─▶ Well    ▲                  │
//	  │                                              ╰── failed again ──┤ Rest doubled
//	  ╰──────────────────────────────────────────────── answered ───────╯
//
// A node that is Down is chosen only if no other is left, one that is Busy not at
// all. Rest is 250 ms, doubled to 10 s; Retry-After counts up to 30 s.
//
// # Goroutines and locks
//
// One goroutine polls the source; one a lane that was used (Lanes x nodes); one more
// a node for a batch whose messages go to several nodes after a failure, and one a
// message that waits for its device (Message.Wait), at most Waiters. Readers of the ring load one
// atomic pointer. Locks, each taken alone and with nothing called under it:
// lanes.mu, health.mu, budget.mu, call.mu.
package publisher
