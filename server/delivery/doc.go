// Package delivery brings kept messages from the store to connected devices, in
// order, with acknowledgements and a window. It has no sockets: connections are
// opaque numbers, sends go through an interface, and who runs what on which
// goroutine is the caller's business, so that a simulation runs the same code
// as the server.
//
// # Who does what
//
//	Hub   one a node, any goroutine: a device connects (Connect); a publish is
//	      committed by the store and routed to the lane that has the device
//	Lane  one a loop, that loop's goroutine only: what is under way to each of
//	      its connections
//
// # States of a connection's kept messages
//
//	        Offer, Begin with something waiting
//	idle ---------------------------------------> flow: acked <= sent <= last
//	  ^                                             |
//	  +-- acked = sent = last ----------------------+
//
// An idle connection costs a Peer, 12 bytes; the flow of one with something
// under way lives in the lane. A flow sends number sent + 1 and no other: from
// the hands of the publisher if that is the one, else from the store. It stands
// still while the window is full (until an Ack), the socket is (until Drained), or
// the store is being asked (until Fetched).
//
// # Why nothing is missed
//
// A device registers first and reads the end of its stream afterwards (Connect,
// then Begin); a publish is committed first and looks the device up afterwards.
// So one of the two sees the other. What a lane is not told (its queue was full)
// it finds by itself within a Tick.
//
// # Lock order
//
// waiters.mu, then the store's. Locks of the store and the registry are taken
// inside their calls.
package delivery
