// Package server is roost's node: it joins the reactor, the WebSocket protocol,
// the registry of devices and the API. The parts know nothing of each other;
// what they have to do with each other is written here, and no algorithm is.
//
// # Life of a connection
//
//	kindHandshake --GET /v1/connect--> kindDevice --.
//	      |       --GET /v1/echo-----> kindEcho   --+--> closing (close frame, FIN) --> gone
//	      '-- refused, plain GET, 8 s ---------------'
//
// # Goroutines
//
// One per loop, one for the API's listener and one per API request, one for
// signals in cmd/roostd, and while draining one more. None per connection.
//
// # Ownership
//
// handler and everything reached from it belongs to one loop. Shared are the
// session registry (a lock per shard), the counters (atomic), and broadcast
// (atomic). Nothing here takes a lock of its own.
package server
