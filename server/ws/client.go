package ws

import (
	"bytes"
	"encoding/base64"
	"errors"
)

// ClientRequest is what a client asks for. The same value serves AppendRequest
// and ParseResponse.
type ClientRequest struct {
	Host      string   // authority: host or host:port
	Path      string   // path and query, beginning with '/'; empty: "/"
	Key       []byte   // 24 bytes, see AppendKey; new for each connection (RFC 6455, 4.1)
	Protocols []string // offered subprotocols, the favourite first
	Deflate   bool     // offer DeflateOffer
	Header    []Field  // further headers, such as Origin or Authorization
}

// Field is one header of a client request.
type Field struct{ Name, Value string }

// ErrClientRequest reports a ClientRequest that cannot be written without
// saying something else than was meant: a space or control byte in Host, Path
// or a header, a name or subprotocol that is not a token, or a bad key.
var ErrClientRequest = errors.New("ws: client request is not valid")

// AppendKey appends the Sec-WebSocket-Key for 16 random bytes.
func AppendKey(dst []byte, nonce [16]byte) []byte {
	return base64.StdEncoding.AppendEncode(dst, nonce[:])
}

// AppendRequest appends the opening handshake (RFC 6455, 4.1).
func AppendRequest(dst []byte, r *ClientRequest) ([]byte, error) {
	if !r.valid() {
		return dst, ErrClientRequest
	}
	path := r.Path
	if path == "" {
		path = "/"
	}
	dst = append(append(dst, "GET "...), path...)
	dst = append(append(dst, " HTTP/1.1\r\nHost: "...), r.Host...)
	dst = append(dst, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "...)
	dst = append(dst, r.Key...)
	for i, p := range r.Protocols {
		if i == 0 {
			dst = append(dst, "\r\nSec-WebSocket-Protocol: "...)
		} else {
			dst = append(dst, ", "...)
		}
		dst = append(dst, p...)
	}
	if r.Deflate {
		dst = append(dst, "\r\nSec-WebSocket-Extensions: "+DeflateOffer...)
	}
	for i := range r.Header {
		dst = append(append(dst, "\r\n"...), r.Header[i].Name...)
		dst = append(append(dst, ": "...), r.Header[i].Value...)
	}
	return append(dst, "\r\n\r\n"...), nil
}

func (r *ClientRequest) valid() bool {
	if r.Host == "" || !allString(r.Host, hostByte) || !validKey(r.Key) {
		return false
	}
	if r.Path != "" && r.Path[0] != '/' || !allString(r.Path, targetByte) {
		return false
	}
	for _, p := range r.Protocols {
		if p == "" || !allString(p, tokenByte) {
			return false
		}
	}
	for i := range r.Header {
		if f := &r.Header[i]; f.Name == "" || !allString(f.Name, tokenByte) || !allString(f.Value, valueByte) {
			return false
		}
	}
	return true
}

func allString(s string, c uint8) bool {
	for i := range len(s) {
		if class[s[i]]&c == 0 {
			return false
		}
	}
	return true
}

// Response is the head of a server's answer. The slices point into the buffer
// that was parsed.
type Response struct {
	Status   int     // HTTP status, 100..599
	Protocol []byte  // the selected subprotocol, or nil
	Deflate  Deflate // what was agreed; Bits is for our own compressor

	lines      []byte
	accept     []byte
	extensions [][]byte
	upgrade    bool
	connection bool
	seen       struct{ accept, protocol uint8 }
}

// Get returns the value of the first header of that name, which must be given
// in lower case, or nil; such as retry-after behind a refusal.
func (r *Response) Get(lower string) []byte { return lookup(r.lines, lower) }

// Errors of ParseResponse, by RFC 6455, 4.1 unless said otherwise. ErrShort
// asks for more; malformed heads give the *HandshakeError of ParseRequest.
var (
	// ErrStatusLine: not "HTTP/1.x nnn" (RFC 9112, 4).
	ErrStatusLine = errors.New("ws: malformed status line")
	// ErrRefused: a status other than 101; Response.Status and Get are valid.
	ErrRefused = errors.New("ws: upgrade refused")
	// ErrNoUpgrade: Upgrade is not websocket or Connection is not upgrade.
	ErrNoUpgrade = errors.New("ws: response does not upgrade to websocket")
	// ErrAccept: Sec-WebSocket-Accept is missing, repeated or not of our key.
	ErrAccept = errors.New("ws: Sec-WebSocket-Accept does not match the key")
	// ErrProtocol: a subprotocol that was not offered, or more than one.
	ErrProtocol = errors.New("ws: subprotocol was not offered")
	// ErrExtension: an extension that was not offered, or not in a form that
	// answers DeflateOffer (RFC 7692, 7.1): server_no_context_takeover missing,
	// client_max_window_bits present, or a mistake.
	ErrExtension = errors.New("ws: extension does not answer the offer")
)

// ParseResponse parses and checks the answer to req at the begin of buf. n is
// the length of the head, with ErrRefused too: buf[n:] are frames already, or
// the body of the refusal. resp is valid with a nil error and with ErrRefused.
func ParseResponse(buf []byte, req *ClientRequest, resp *Response) (n int, err error) {
	head := buf[:min(len(buf), MaxHead)]
	end := headEnd(head, 0)
	if end == 0 {
		if _, e := checkCut(head, 0, checkStatusLine, checkCutStatusLine); e == errStatusLine {
			return 0, ErrStatusLine
		} else if e != nil {
			return 0, e
		}
		if len(buf) >= MaxHead {
			return 0, ErrHeadTooBig
		}
		return 0, ErrShort
	}
	if e := resp.parse(head[:end]); e == errStatusLine {
		return 0, ErrStatusLine
	} else if e != nil {
		return 0, e
	}
	if resp.Status != 101 {
		return end, ErrRefused
	}
	if err := resp.check(req); err != nil {
		return 0, err
	}
	return end, nil
}

// errStatusLine stands for ErrStatusLine where a HandshakeError is passed on.
var errStatusLine = &HandshakeError{Status: 400, Text: "malformed status line"}

const http1 = "HTTP/1."

// cutStatusLine reads "HTTP/1.x nnn[ reason]". A server that answers HTTP/1.0
// can refuse, but not upgrade.
func cutStatusLine(line []byte) (status int, minor uint8, ok bool) {
	const size = len(http1) + len("x nnn")
	if len(line) < size || string(line[:len(http1)]) != http1 || !digit(line[7]) || line[8] != ' ' {
		return 0, 0, false
	}
	for _, c := range line[9:12] {
		if !digit(c) {
			return 0, 0, false
		}
		status = 10*status + int(c-'0')
	}
	reason := line[size:]
	if len(reason) > 0 && reason[0] != ' ' || !all(reason, valueByte) || status < 100 || status > 599 {
		return 0, 0, false
	}
	return status, line[7] - '0', true
}

func checkStatusLine(line []byte) *HandshakeError {
	if _, _, ok := cutStatusLine(line); !ok {
		return errStatusLine
	}
	return nil
}

// checkCutStatusLine finds what is already wrong with a cut status line.
func checkCutStatusLine(b []byte) *HandshakeError {
	if n := min(len(b), len(http1)); string(b[:n]) != http1[:n] {
		return errStatusLine
	}
	return nil
}

// parse fills r from a head that ends in an empty line.
func (r *Response) parse(head []byte) *HandshakeError {
	*r = Response{extensions: r.extensions[:0]}
	line, rest, _, bare := cutLine(head)
	if bare {
		return ErrBareLF
	}
	status, minor, ok := cutStatusLine(line)
	if !ok {
		return errStatusLine
	}
	r.Status, r.lines = status, rest
	for {
		line, rest, _, bare = cutLine(rest)
		if bare {
			return ErrBareLF
		}
		if len(line) == 0 {
			break
		}
		name, value, e := cutField(line)
		if e == nil {
			e = r.field(name, value)
		}
		if e != nil {
			return e
		}
	}
	r.upgrade = r.upgrade && minor >= 1
	return nil
}

func (r *Response) field(name, value []byte) *HandshakeError {
	switch {
	case foldEq(name, "upgrade"):
		r.upgrade = foldEq(value, "websocket")
	case foldEq(name, "connection"):
		r.connection = r.connection || hasToken(value, "upgrade")
	case foldEq(name, "sec-websocket-accept"):
		once(&r.accept, value, &r.seen.accept)
	case foldEq(name, "sec-websocket-protocol"):
		once(&r.Protocol, value, &r.seen.protocol)
	case foldEq(name, "sec-websocket-extensions"):
		return several(&r.extensions, value)
	}
	return nil
}

// check judges a 101 (RFC 6455, 4.1, steps 2 to 6 behind the status).
func (r *Response) check(req *ClientRequest) error {
	if !r.upgrade || !r.connection {
		return ErrNoUpgrade
	}
	var buf [acceptLen]byte
	if r.seen.accept != 1 || len(req.Key) != keyLen || !bytes.Equal(r.accept, appendAccept(buf[:0], req.Key)) {
		return ErrAccept
	}
	if r.seen.protocol > 1 || r.seen.protocol == 1 && !offered(req.Protocols, r.Protocol) {
		return ErrProtocol
	}
	return r.checkExtensions(req.Deflate)
}

func offered(protocols []string, chosen []byte) bool {
	for _, p := range protocols {
		if p == string(chosen) {
			return true
		}
	}
	return false
}

// checkExtensions accepts nothing, or one answer to DeflateOffer. The server
// may name a window of its own unasked (RFC 7692, 7.1.2.1) and may leave out
// client_no_context_takeover, which only permits us what we do not do.
func (r *Response) checkExtensions(deflate bool) error {
	for _, v := range r.extensions {
		for len(skipSpace(v)) > 0 {
			var p deflateParams
			var ok bool
			p, ok, v = nextExtension(v)
			if !ok || !deflate || r.Deflate.On() || !p.serverNo || p.clientBits != 0 {
				return ErrExtension
			}
			r.Deflate = Deflate{maxBits}
		}
	}
	return nil
}
