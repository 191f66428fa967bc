// Package wire is roost's protocol inside WebSocket messages: what a device and
// a server say to each other over /v1/connect, in two forms of equal meaning,
// roost.v1.json (text) and roost.v1.bin (binary). docs/PROTOCOL.md is the
// normative description.
//
// It has no I/O and keeps nothing: Append functions write into the caller's
// buffer, Parse functions return slices of their input. Neither allocates for
// messages without escapes.
package wire
