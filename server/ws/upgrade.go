package ws

import (
	"crypto/sha1"
	"encoding/base64"
)

// Errors of CheckUpgrade.
var (
	// ErrNotUpgrade: no Upgrade: websocket (RFC 6455, 4.2.1; 426: RFC 9110, 15.5.22).
	ErrNotUpgrade = &HandshakeError{Status: 426, Text: "this is a WebSocket endpoint"}
	// ErrConnection: Connection does not list upgrade (RFC 6455, 4.2.1).
	ErrConnection = &HandshakeError{Status: 400, Text: "Connection does not list upgrade"}
	// ErrHTTP10: the version must be at least 1.1 (RFC 6455, 4.2.1).
	ErrHTTP10 = &HandshakeError{Status: 505, Text: "WebSocket needs HTTP/1.1"}
	// ErrHost: Host is missing, repeated or malformed (RFC 9112, 3.2).
	ErrHost = &HandshakeError{Status: 400, Text: "exactly one valid Host is needed"}
	// ErrVersion: Sec-WebSocket-Version is not 13 (RFC 6455, 4.4).
	ErrVersion = &HandshakeError{Status: 426, Text: "Sec-WebSocket-Version is not 13"}
	// ErrKey: not exactly one Sec-WebSocket-Key of 16 bytes in base64 (RFC 6455, 4.2.1).
	ErrKey = &HandshakeError{Status: 400, Text: "Sec-WebSocket-Key is not 16 bytes in base64"}
	// ErrBody: an upgrade request with a body: its bytes could be taken for frames.
	ErrBody = &HandshakeError{Status: 400, Text: "upgrade request with a body"}
	// ErrRepeated: two Origin or two Authorization headers: which one counts?
	ErrRepeated = &HandshakeError{Status: 400, Text: "repeated Origin or Authorization"}
	// ErrProtocolToken: an offered subprotocol is not a token (RFC 6455, 4.1).
	ErrProtocolToken = &HandshakeError{Status: 400, Text: "offered subprotocol is not a token"}
)

// CheckPlain judges a parsed GET that is no upgrade: HTTP/1.1 needs exactly one
// Host (RFC 9112, 3.2), and no body is taken.
func CheckPlain(req *Request) *HandshakeError {
	switch {
	case req.Minor >= 1 && !req.oneHost():
		return ErrHost
	case req.body:
		return ErrBody
	}
	return nil
}

func (r *Request) oneHost() bool {
	return r.seen.host == 1 && len(r.Host) > 0 && all(r.Host, hostByte)
}

// CheckUpgrade judges a parsed request by RFC 6455, 4.2.1. Nil means that it
// may be answered with AppendUpgrade; the method was checked by ParseRequest;
// path, origin and credentials are the caller's matter.
func CheckUpgrade(req *Request) *HandshakeError {
	switch {
	case !req.IsUpgrade:
		return ErrNotUpgrade
	case req.Minor < 1:
		return ErrHTTP10
	case !req.connection:
		return ErrConnection
	case !req.oneHost():
		return ErrHost
	case req.body:
		return ErrBody
	case req.seen.version != 1 || !req.version13:
		return ErrVersion
	case req.seen.key != 1 || !validKey(req.Key):
		return ErrKey
	case req.seen.origin > 1 || req.seen.auth > 1:
		return ErrRepeated
	}
	for t := req.OfferedProtocols(); t.Next(); {
		if !isToken(t.Token()) {
			return ErrProtocolToken
		}
	}
	return nil
}

// keyLen is the length of 16 bytes in base64.
const keyLen = 24

// validKey reports that key is 16 bytes in base64 (RFC 6455, 4.1). The four
// bits that 22 characters have to spare may be anything, as most decoders have it.
func validKey(key []byte) bool {
	if len(key) != keyLen || key[22] != '=' || key[23] != '=' {
		return false
	}
	for _, c := range key[:22] {
		alnum := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
		if !alnum && c != '+' && c != '/' {
			return false
		}
	}
	return true
}

// acceptLen is the length of a SHA-1 sum in base64.
const acceptLen = 28

// appendAccept appends the answer to a key of keyLen bytes (RFC 6455, 4.2.2).
func appendAccept(dst, key []byte) []byte {
	var buf [keyLen + 36]byte
	copy(buf[:keyLen], key)
	copy(buf[keyLen:], "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
	sum := sha1.Sum(buf[:])
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}

// AppendUpgrade appends the 101 response to a request that CheckUpgrade passed
// (RFC 6455, 4.2.2). protocol is one that was offered, or empty; ext is what
// Negotiate returned, or nil.
func AppendUpgrade(dst []byte, req *Request, protocol string, ext *Deflate) []byte {
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	dst = appendAccept(dst, req.Key)
	if protocol != "" {
		dst = append(dst, "\r\nSec-WebSocket-Protocol: "...)
		dst = append(dst, protocol...)
	}
	if ext != nil && ext.On() {
		dst = append(dst, "\r\nSec-WebSocket-Extensions: "...)
		dst = ext.AppendAnswer(dst)
	}
	return append(dst, "\r\n\r\n"...)
}
