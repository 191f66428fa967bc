// Package api is roost's HTTP interface for publishers and operators, on a
// listener of its own: publish, devices, topics, events, health, metrics and
// pprof. openapi.yaml describes it, and is served. The package knows no sockets
// of devices: it declares what it needs of a node as the interface Node.
//
// Errors are problem details (RFC 9457) that name the field or parameter at
// fault. The exceptions are requests that net/http cannot read as HTTP (a
// malformed head, one above MaxHeaderBytes, no Host): it answers those itself in
// plain text and closes the connection, before any handler is asked. Nobody gets
// these by using a client wrongly, only by not speaking HTTP.
package api
