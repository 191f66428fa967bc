// Package poller is roost's reactor: event loops that hold TCP connections at
// the cost of the kernel's socket and 32 bytes of ours. It knows bytes, queues
// and deadlines, and no protocol; the example is a complete server.
//
// # The owner rule
//
// A connection belongs to one loop, and only that loop's goroutine touches it.
// Everyone else posts a Task, naming the connection by its Handle. So there are
// no locks around connections, writes of one connection keep their order, and a
// write can never reach a descriptor that was closed and reused: a Handle
// carries the generation of its slot, and so does every event that epoll
// reports.
//
// # A turn of the loop
//
//	epoll_wait (netpoll's Wait)
//	  -> events: read, write, accept          handler: Open Data Drained Closed
//	  -> posted tasks, one slice of a cast
//	  -> deadlines that have passed           handler: Timeout; the loop's alarm
//	  -> settle: input resumed, then the dead buried   handler: Data, Closed
//	  -> timerfd armed for the next deadline
//
// Nothing in a turn blocks, and every step has a budget, after which the rest
// waits for the next turn: 64 accepts, 4 x 64 KiB from one connection, 512
// sends of a cast.
//
// # What waits, and its bounds
//
//	output the socket does not take   Options.Limits per connection; Class says what happens beyond
//	input the handler leaves          Options.MaxPartial; paused connections at most one read
//	tasks                             65,536 per loop; Post says false
//	casts                             1,024 per loop; Cast says false
//	connections                       Options.MaxConns; refused in words
//
// # Lock order
//
// There is one lock, taskQueue.mu; nothing but the write that wakes the loop is
// called while it is held.
package poller
