// Package loadgen makes WebSocket load and measures what it does to a server:
// many connections from a few event loops, without a goroutine each.
//
// # Modes
//
//	idle       connect, hold, send heartbeats: memory per connection
//	echo       messages that come back: latency and CPU per message
//	broadcast  one message to all, through the server's API: CPU per delivery,
//	           every delivery counted
//	kept       messages that are stored until acknowledged, through the API to
//	           each device or to all: CPU, latency, every message accounted for
//	listen     one device whose messages are printed, by server/client's Client
//
// Devices keep the protocol by a server/client.Session each (device.go).
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
// and wrong ones are reported and fail the run. So is every kept message that
// was accepted: once at its device, in the order of publishing, also when
// connections were cut and requests made again.
//
// # Goroutines
//
// One per loop; Run's own, which plans and waits; one that paces echo messages;
// a handful that publish (kept: one for each connection to the API). None per
// connection of a device. What belongs to a loop (client)
// is touched by that loop only; the others ask by a Task (swarm.each).
package loadgen
