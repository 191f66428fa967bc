package proxyproto

import (
	"bytes"
	"errors"
	"net/netip"
)

const (
	// MaxV1 is the longest header of version 1 in bytes, its CR LF included (2.1).
	MaxV1 = 107

	// MaxV2 is the longest header of version 2 that is taken, in bytes. The
	// format has 64 KiB; addresses take 52, everything about a TLS connection
	// with a client's certificate some hundred.
	MaxV2 = 4096
)

// Header is what a proxy says about a connection.
type Header struct {
	// Version is 1 or 2.
	Version uint8

	// Local is set where the proxy speaks for itself, as in a health check
	// (command LOCAL, 2.2).
	Local bool

	// Source is the client's address, and Destination the one that it called.
	// Both are zero where there are none: with Local, with an address that the
	// proxy does not know (UNKNOWN, AF_UNSPEC) and with sockets of a file
	// system (AF_UNIX). The connection's own address counts then.
	Source, Destination netip.AddrPort
}

// What Parse answers beside a header. Errors are compared by identity.
var (
	// ErrShort asks for the same bytes and more.
	ErrShort = errors.New("the PROXY protocol header is not whole")
	// ErrNone: something else than a header.
	ErrNone = errors.New("no PROXY protocol header")
)

// What is wrong with a header.
var (
	// ErrV1TooLong: no CR LF within MaxV1 bytes.
	ErrV1TooLong = errors.New("PROXY line without an end in 107 bytes")
	// ErrV1End: a CR or LF alone.
	ErrV1End = errors.New("PROXY line that does not end with CR LF")
	// ErrV1Family: neither TCP4, TCP6 nor UNKNOWN.
	ErrV1Family = errors.New("PROXY line: want TCP4, TCP6 or UNKNOWN")
	// ErrV1Fields: not two addresses and two ports, each behind one space.
	ErrV1Fields = errors.New("PROXY line: want two addresses and two ports, each behind one space")
	// ErrV1Address: not an address of that family.
	ErrV1Address = errors.New("PROXY line: malformed address")
	// ErrV1Port: not 0 to 65535 without zeros in front.
	ErrV1Port = errors.New("PROXY line: malformed port")

	// ErrV2Version: behind the signature another version than 2.
	ErrV2Version = errors.New("PROXY header of a version that is not 2")
	// ErrV2Command: neither LOCAL nor PROXY.
	ErrV2Command = errors.New("PROXY header: unknown command")
	// ErrV2Family: an address family or a transport that version 2 does not have.
	ErrV2Family = errors.New("PROXY header: unknown address family or transport")
	// ErrV2Length: too short for the addresses of its family.
	ErrV2Length = errors.New("PROXY header: too short for its addresses")
	// ErrV2TooLong: more than MaxV2 bytes.
	ErrV2TooLong = errors.New("PROXY header above 4096 bytes")
	// ErrV2TLV: an extension that goes beyond the header's end.
	ErrV2TLV = errors.New("PROXY header: an extension does not end with it")
	// ErrV2Checksum: the header's CRC-32C is another one.
	ErrV2Checksum = errors.New("PROXY header: wrong checksum")
)

const (
	prefixV1 = "PROXY "
	// signature cannot begin a request of HTTP, nor of TLS (2.2).
	signature = "\r\n\r\n\x00\r\nQUIT\n"
)

// Parse reads the header at the begin of b. n is its length, above 0 with a nil
// error and 0 otherwise. The errors are those of this package.
func Parse(b []byte) (h Header, n int, err error) {
	switch {
	case bytes.HasPrefix(b, []byte(signature)):
		return parseV2(b)
	case bytes.HasPrefix(b, []byte(prefixV1)):
		return parseV1(b)
	case begins(signature, b) || begins(prefixV1, b):
		return Header{}, 0, ErrShort
	}
	return Header{}, 0, ErrNone
}

// begins reports whether b is the begin of text.
func begins(text string, b []byte) bool {
	return len(b) < len(text) && text[:len(b)] == string(b)
}
