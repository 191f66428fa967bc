// Package loadgen makes WebSocket load and measures what it does to a server:
// many connections from a few event loops, without a goroutine each.
//
// # Modes
//
//	idle       connect, hold, send heartbeats: memory per connection
//	echo       messages that come back: latency and CPU per message
//	broadcast  one message to all, through the server's API: CPU per delivery,
//	           every delivery counted
//	listen     one connection whose messages are printed
//
// # What is measured, and from where
//
// Load is an open loop unless said otherwise: everything is due at a time
// planned before (plan.Schedule), latency counts from there, and what is late
// is sent late, never left out. How late the generator itself was is reported
// beside it. A run in which the generator was the limit says so (ClientBound)
// and is not a result.
//
// Every message that comes in is compared byte for byte with what it must be,
// and every broadcast is accounted for on every connection: missing, doubled
// and wrong ones are reported and fail the run.
//
// # Goroutines
//
// One per loop; Run's own, which plans and waits; one that paces echo messages;
// a handful that publish. None per connection. What belongs to a loop (client)
// is touched by that loop only; the others ask by a Task (swarm.each).
package loadgen
