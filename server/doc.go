// Package server is roost's node: it joins the reactor, the WebSocket protocol,
// the registry of devices and the API. The parts know nothing of each other;
// what they have to do with each other is written here, and no algorithm is.
//
// # Life of a connection
//
//	kindHandshake --GET /v1/connect--> kindDevice --.
//	      |       --GET /v1/echo-----> kindEcho   --+--> closing (close frame, FIN) --> gone
//	      |-- refused, plain GET, 8 s ---------------|
//	      |                                          |
//	      | in a cluster                             |
//	      '-> kindOpening --opened--> kindDevice ----|
//	                  '-- refused, 8 s --------------'
//
// In a cluster a device is opened in a store that all nodes share, by a goroutine that may wait
// (doors.go). While that store is away its session is alone (flagAlone): it gets live messages, and
// once the store is back it is told to come again.
//
// # Rounds
//
// Where devices of this node belong elsewhere (moves.go, exodus.go):
//
//	another ring, a node is back    --> moving       away 4003, in slots
//	Evacuate                        --> emptying     away 4001, in slots; then closed
//	told, may stay, has not gone    --> again        away 4003, in slots
//	the store is back               --> coming back  away 4003 to those alone; then closed
//	cut off, and others are not     --> shedding     closed with 4101, in slots
//
// # Goroutines
//
// One per loop, one for the API's listener and one per API request, one for
// signals in cmd/roostd, and while draining one more. In a cluster 64 doors, and some that do one thing each
// (startCluster). None per connection.
//
// # Ownership
//
// handler and everything reached from it belongs to one loop. Shared are the
// session registry and who may connect (entrance.go; a lock per shard), the counters (atomic),
// and broadcast (atomic). In a cluster doors.mu, overtaken.mu, pacer.mu and resyncs.mu are each taken alone, and nothing is called
// while one is held.
package server
