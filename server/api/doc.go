// Package api is roost's HTTP interface for publishers and operators, on a
// listener of its own: publish, devices, health, metrics and pprof. It knows no
// sockets of devices: it declares what it needs of a node as the interface Node.
//
// Errors are problem details (RFC 9457) that name the field at fault.
package api
