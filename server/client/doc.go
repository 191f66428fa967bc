// Package client is a device, from the other side: a client of roost that keeps
// every rule of docs/PROTOCOL.md, "What a client MUST do".
//
// Session is the rules alone. It has no I/O, no goroutine and no clock: it is
// told what happened and when, and answers what to deliver, what to send and
// when to connect again. Whoever holds thousands of connections drives it from
// its own loop.
//
// Client drives one Session over one connection (two for a moment, when it
// changes nodes), for applications and tests.
package client
