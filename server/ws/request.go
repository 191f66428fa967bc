package ws

import "bytes"

// Request is the head of an opening handshake, or of any other GET. The slices
// point into the buffer that was parsed. Reuse one Request per loop: parsing
// into it allocates nothing once its lists have grown.
type Request struct {
	Path          []byte   // as sent, with its first slash, percent-encoding kept
	RawQuery      []byte   // behind the '?'; see QueryValue
	Host          []byte   // of the target if that was absolute (RFC 9112, 3.2.2), else of the header
	Origin        []byte   // nil if there is none
	Authorization []byte   // nil if there is none
	UserAgent     []byte   // nil if there is none
	Key           []byte   // Sec-WebSocket-Key, checked by CheckUpgrade
	Protocols     [][]byte // Sec-WebSocket-Protocol headers; see OfferedProtocols
	Extensions    [][]byte // Sec-WebSocket-Extensions headers; see Negotiate
	Minor         uint8    // of HTTP/1.Minor
	IsUpgrade     bool     // Upgrade lists websocket

	lines      []byte // the header lines, for Get
	connection bool   // Connection lists upgrade
	version13  bool   // the first Sec-WebSocket-Version is 13
	body       bool   // Content-Length above 0 or any Transfer-Encoding
	seen       counts
}

// counts of headers that must not be repeated.
type counts struct{ host, origin, auth, key, version uint8 }

// Errors of ParseRequest. All are *HandshakeError.
var (
	// ErrHeadTooBig: the head is longer than MaxHead (RFC 6585, 5).
	ErrHeadTooBig = &HandshakeError{Status: 431, Text: "request head above 8 KiB"}
	// ErrMethod: anything but GET (RFC 6455, 4.1).
	ErrMethod = &HandshakeError{Status: 405, Text: "only GET is served"}
	// ErrNotHTTP: the first bytes are no HTTP method (perhaps TLS).
	ErrNotHTTP = &HandshakeError{Status: 400, Text: "not an HTTP request"}
	// ErrTarget: neither origin form nor absolute form, or bytes that a target
	// cannot have (RFC 9112, 3.2).
	ErrTarget = &HandshakeError{Status: 400, Text: "malformed request target"}
	// ErrRequestLine: not "GET target HTTP/1.x" (RFC 9112, 3).
	ErrRequestLine = &HandshakeError{Status: 400, Text: "malformed request line"}
	// ErrHTTPVersion: not HTTP/1.x (RFC 9112, 2.3).
	ErrHTTPVersion = &HandshakeError{Status: 505, Text: "HTTP version is not 1.x"}
	// ErrBareLF: a line that ends without CR (RFC 9112, 2.2).
	ErrBareLF = &HandshakeError{Status: 400, Text: "line feed without carriage return"}
	// ErrHeaderFolded: obs-fold (RFC 9112, 5.2).
	ErrHeaderFolded = &HandshakeError{Status: 400, Text: "folded header line"}
	// ErrHeaderName: empty or not a token; also white space before the colon
	// (RFC 9112, 5.1).
	ErrHeaderName = &HandshakeError{Status: 400, Text: "header name is not a token"}
	// ErrHeaderColon: a header line without a colon (RFC 9112, 5).
	ErrHeaderColon = &HandshakeError{Status: 400, Text: "header line without a colon"}
	// ErrHeaderValue: a control byte in a value (RFC 9110, 5.5).
	ErrHeaderValue = &HandshakeError{Status: 400, Text: "control byte in a header value"}
	// ErrHeaderRepeat: more than 8 headers of a name that may repeat.
	ErrHeaderRepeat = &HandshakeError{Status: 400, Text: "too many headers of one name"}
	// ErrContentLength: not a number (RFC 9110, 8.6).
	ErrContentLength = &HandshakeError{Status: 400, Text: "malformed Content-Length"}
)

// ParseRequest parses a request head from the begin of buf. n is the length of
// the head: buf[n:] are the first bytes of what comes after it. ErrShort asks
// for the same bytes and more; any other error is a *HandshakeError, reported
// as soon as the bytes that show it are there. req is valid only with a nil
// error, and as long as buf.
func ParseRequest(buf []byte, req *Request) (n int, err error) {
	n, _, err = ParseRequestFrom(buf, 0, req)
	return n, err
}

// ParseRequestFrom is ParseRequest for a head that comes in many pieces: with
// ErrShort, next is a position such that buf[:next] was looked at and needs no
// second look. Give it as from with the same bytes and more, so that a peer who
// sends byte by byte costs one line each time and not the whole head. Begin
// with 0.
func ParseRequestFrom(buf []byte, from int, req *Request) (n, next int, err error) {
	head := buf[:min(len(buf), MaxHead)]
	if end := headEnd(head, from); end > 0 {
		if e := req.parse(head[:end]); e != nil {
			return 0, from, e
		}
		return end, end, nil
	}
	next, e := checkCut(head, from, checkRequestLine, checkCutRequestLine)
	switch {
	case e != nil:
		return 0, from, e
	case len(buf) >= MaxHead:
		return 0, from, ErrHeadTooBig
	}
	return 0, next, ErrShort
}

// parse fills r from a head that ends in an empty line.
func (r *Request) parse(head []byte) *HandshakeError {
	*r = Request{Protocols: r.Protocols[:0], Extensions: r.Extensions[:0]}
	line, rest, _, bare := cutLine(head)
	if bare {
		return ErrBareLF
	}
	target, minor, e := cutRequestLine(line)
	if e != nil {
		return e
	}
	r.Minor = minor
	r.lines = rest
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
	return r.setTarget(target)
}

// field takes one header.
func (r *Request) field(name, value []byte) *HandshakeError {
	switch len(name) {
	case len("host"):
		if foldEq(name, "host") {
			once(&r.Host, value, &r.seen.host)
		}
	case len("origin"):
		if foldEq(name, "origin") {
			once(&r.Origin, value, &r.seen.origin)
		}
	case len("upgrade"):
		if foldEq(name, "upgrade") {
			r.IsUpgrade = r.IsUpgrade || hasToken(value, "websocket")
		}
	case len("connection"): // and user-agent
		if foldEq(name, "connection") {
			r.connection = r.connection || hasToken(value, "upgrade")
		} else if foldEq(name, "user-agent") && r.UserAgent == nil {
			r.UserAgent = value
		}
	case len("authorization"):
		if foldEq(name, "authorization") {
			once(&r.Authorization, value, &r.seen.auth)
		}
	case len("content-length"):
		if foldEq(name, "content-length") {
			return r.contentLength(value)
		}
	case len("sec-websocket-key"): // and transfer-encoding
		if foldEq(name, "sec-websocket-key") {
			once(&r.Key, value, &r.seen.key)
		} else if foldEq(name, "transfer-encoding") {
			r.body = true
		}
	case len("sec-websocket-version"):
		if foldEq(name, "sec-websocket-version") {
			r.version13 = r.seen.version == 0 && string(value) == "13"
			r.seen.version = min(r.seen.version, 1) + 1 // two are as wrong as 256
		}
	case len("sec-websocket-protocol"):
		if foldEq(name, "sec-websocket-protocol") {
			return several(&r.Protocols, value)
		}
	case len("sec-websocket-extensions"):
		if foldEq(name, "sec-websocket-extensions") {
			return several(&r.Extensions, value)
		}
	}
	return nil
}

func once(field *[]byte, value []byte, seen *uint8) {
	if *seen == 0 {
		*field = value
	}
	if *seen < 2 {
		*seen++
	}
}

func several(list *[][]byte, value []byte) *HandshakeError {
	if len(*list) == maxRepeat {
		return ErrHeaderRepeat
	}
	*list = append(*list, value)
	return nil
}

func (r *Request) contentLength(value []byte) *HandshakeError {
	if len(value) == 0 {
		return ErrContentLength
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return ErrContentLength
		}
		r.body = r.body || c != '0'
	}
	return nil
}

// Get returns the value of the first header of that name, which must be given
// in lower case, or nil.
func (r *Request) Get(lower string) []byte { return lookup(r.lines, lower) }

// HasBody reports that a body follows the head: what comes next is not ours to
// understand, so answer and close.
func (r *Request) HasBody() bool { return r.body }

// OfferedProtocols walks the subprotocols that the client offers, its favourite
// first (RFC 6455, 4.2.1). Names are compared with case (11.3.4).
func (r *Request) OfferedProtocols() Tokens { return NewTokens(r.Protocols) }

// SelectProtocol returns the first offered subprotocol that is one of ours.
func (r *Request) SelectProtocol(ours ...string) (string, bool) {
	for t := r.OfferedProtocols(); t.Next(); {
		for _, name := range ours {
			if string(t.Token()) == name {
				return name, true
			}
		}
	}
	return "", false
}

// setTarget splits an origin-form or absolute-form target.
func (r *Request) setTarget(target []byte) *HandshakeError {
	if target[0] != '/' {
		i := bytes.Index(target, []byte("://"))
		if i < 0 {
			return ErrTarget
		}
		if s := target[:i]; !foldEq(s, "http") && !foldEq(s, "https") && !foldEq(s, "ws") && !foldEq(s, "wss") {
			return ErrTarget
		}
		target = target[i+3:]
		end := bytes.IndexAny(target, "/?")
		if end < 0 {
			end = len(target)
		}
		if end == 0 {
			return ErrTarget
		}
		r.Host, target = target[:end], target[end:]
	}
	r.Path = target
	if i := bytes.IndexByte(target, '?'); i >= 0 {
		r.Path, r.RawQuery = target[:i], target[i+1:]
	}
	if len(r.Path) == 0 {
		r.Path = slash
	}
	return nil
}

var slash = []byte("/")
