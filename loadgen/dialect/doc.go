// Package dialect is what clients say to a server, without I/O: how they open
// a connection, what they answer, when they are ready, what a delivery looks
// like, and how a message is published. A dialect serves all clients of one
// worker and is called from its loop only; its state per client is small.
//
// # roost
//
// docs/PROTOCOL.md, as JSON or binary, by server/client: 184 bytes a client and
// its name. Publishing by POST /v1/publish. The node has to take devices without
// credentials: roostd --auth none.
//
// # plain
//
// Any server that speaks WebSocket and nothing above it: what comes is a
// message. No state. With an API (the control port of bench/peers, or
// whatever sends the body of POST /broadcast to every connection) messages go
// to all by it; without one a client sends them, and whom they reach is the
// server's choice: to self expects an echo, to all a broadcast.
package dialect
