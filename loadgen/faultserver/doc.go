// Package faultserver is a WebSocket server whose behaviour is known: it is as fast
// as it can be, or has exactly the faults that it was told to have, and says
// afterwards how often it had them. What measures servers is measured against
// it.
//
//	/            echo: a client gets back what it sends
//	/all         every client gets what one of them sends
//	POST /broadcast  every client gets the body
//	GET /truth   what was done so far, as JSON
//
// # Determinism
//
// Faults are not drawn but counted: "1 in N" is every Nth, of all deliveries of
// the server in the order in which they are made. So a plan of n deliveries has
// n/N faults, whatever the timing.
//
// # One loop
//
// Everything is on one event loop of package poller, so nothing is locked; what
// has to happen later is on an agenda, which a thread of its own wakes the loop
// for. A server without faults takes the shortest way there is.
package faultserver
