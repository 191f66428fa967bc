// Package proxyproto reads the header of the PROXY protocol, versions 1 and 2:
// what a proxy (haproxy, nginx, a cloud's load balancer) says about a connection
// that it forwards, before the first byte of it. Section numbers are those of
// haproxy's doc/proxy-protocol.txt.
//
// Nothing here reads, waits, allocates or keeps anything. Parse is given what has
// come so far, from the first byte on, and says one of four things:
//
//	nil        a header of n bytes; what comes behind it is the client's
//	ErrShort   may become one: call again with the same bytes and more
//	ErrNone    is none, and no further byte makes it one
//	other      claims to be one and is not valid: end the connection
//
// Who may be believed is not decided here: a client that can send this header can
// claim any address, so it must be taken from known proxies only (section 5).
package proxyproto
