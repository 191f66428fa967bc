package ws

import "strconv"

// Deflate is what was agreed about permessage-deflate on one connection
// (RFC 7692, 7.1). The zero value means that it is off. One byte, so that it
// fits a slab of connections.
//
// Both sides always give up context takeover here. Its window would cost every
// connection up to 32 KiB per direction plus a compressor, thousands of times
// what an idle connection costs otherwise, and a message for many receivers
// could not be compressed once.
type Deflate struct {
	v uint8 // bits in the low half, echoBits
}

// echoBits: the offer had server_max_window_bits, so the answer must (RFC 7692, 7.1.2.1).
const echoBits = 0x80

// On reports that permessage-deflate was agreed.
func (d Deflate) On() bool { return d.v != 0 }

// Bits is the window that our own compressor may use, as a power of two in
// bytes: 8..15, or 0 if d is off. It is the argument of Deflater.Deflate.
func (d Deflate) Bits() int { return int(d.v &^ echoBits) }

// AppendAnswer appends the value of the server's Sec-WebSocket-Extensions.
func (d Deflate) AppendAnswer(dst []byte) []byte {
	dst = append(dst, DeflateOffer...)
	if d.v&echoBits != 0 {
		dst = append(dst, "; server_max_window_bits="...)
		dst = strconv.AppendInt(dst, int64(d.Bits()), 10)
	}
	return dst
}

// DeflateOffer is what our client offers: see Deflate for the reason.
const DeflateOffer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// Negotiate chooses among the offers of a client's Sec-WebSocket-Extensions
// headers: the first permessage-deflate offer without a mistake (RFC 7692, 5.1
// and 7). An offer with an unknown or repeated parameter or a wrong value is
// declined and the next one tried; other extensions are passed over; ok is
// false if nothing fits. It never fails a handshake.
//
// server_max_window_bits is obeyed and answered. client_max_window_bits is only
// a hint about the client's window and needs no answer: we can inflate 15.
func Negotiate(values [][]byte) (d Deflate, ok bool) {
	for _, v := range values {
		for len(v) > 0 {
			var p deflateParams
			var fits bool
			p, fits, v = nextExtension(v)
			if !fits {
				continue
			}
			d := Deflate{maxBits}
			if p.serverBits != 0 {
				d.v = p.serverBits | echoBits
			}
			return d, true
		}
	}
	return Deflate{}, false
}

// deflateParams are the parameters of one permessage-deflate element.
type deflateParams struct {
	serverBits uint8 // 0: not there
	clientBits uint8 // 0: not there; anyBits: without a value
	serverNo   bool  // server_no_context_takeover
	clientNo   bool  // client_no_context_takeover
}

const anyBits = 0xFF

// nextExtension reads the element at the head of v. ok means that it is a
// permessage-deflate without a mistake; rest begins behind its comma.
func nextExtension(v []byte) (p deflateParams, ok bool, rest []byte) {
	name, v := cutToken(skipSpace(v))
	ok = foldEq(name, "permessage-deflate")
	v = skipSpace(v)
	for len(v) > 0 && v[0] == ';' {
		var param, value []byte
		var form valueForm
		param, value, form, v = cutParam(v[1:])
		ok = ok && p.set(param, value, form)
		v = skipSpace(v)
	}
	if len(v) > 0 && v[0] != ',' {
		ok = false
		v = skipElement(v)
	}
	if len(v) > 0 {
		v = v[1:]
	}
	return p, ok, v
}

// set takes one parameter; false if it is unknown, repeated or has a wrong value.
func (p *deflateParams) set(name, value []byte, form valueForm) bool {
	switch {
	case foldEq(name, "server_no_context_takeover"):
		was := p.serverNo
		p.serverNo = true
		return !was && form == noValue
	case foldEq(name, "client_no_context_takeover"):
		was := p.clientNo
		p.clientNo = true
		return !was && form == noValue
	case foldEq(name, "server_max_window_bits"):
		was := p.serverBits
		p.serverBits = windowBits(value)
		return was == 0 && form == goodValue && p.serverBits != 0
	case foldEq(name, "client_max_window_bits"):
		was := p.clientBits
		if p.clientBits = anyBits; form != noValue {
			p.clientBits = windowBits(value)
		}
		return was == 0 && form != badValue && p.clientBits != 0
	}
	return false
}

// windowBits reads 8..15 without a leading zero (RFC 7692, 7.1.2.1); 0 if it is
// anything else.
func windowBits(v []byte) uint8 {
	switch {
	case len(v) == 1 && (v[0] == '8' || v[0] == '9'):
		return v[0] - '0'
	case len(v) == 2 && v[0] == '1' && '0' <= v[1] && v[1] <= '5':
		return 10 + v[1] - '0'
	}
	return 0
}

type valueForm uint8

const (
	noValue   valueForm = iota // no '='
	goodValue                  // token, or quoted string that holds a token
	badValue                   // '=' and neither
)

// cutParam reads `OWS token [ "=" ( token / quoted-string ) ]` (RFC 6455, 9.1).
// The space that RFC 2616 lists allow around '=' is not taken: no client sends it.
func cutParam(v []byte) (name, value []byte, form valueForm, rest []byte) {
	name, v = cutToken(skipSpace(v))
	if len(v) == 0 || v[0] != '=' {
		return name, nil, noValue, v
	}
	v = v[1:]
	if len(v) == 0 || v[0] != '"' {
		value, v = cutToken(v)
		form = goodValue
	} else {
		value, v, form = cutQuoted(v)
	}
	if len(value) == 0 {
		form = badValue
	}
	return name, value, form, v
}

// cutQuoted reads a quoted string that begins v. Escapes are passed over, not
// undone: unescaped the value must be a token (RFC 6455, 9.1), and what means
// something here needs no escape, so one with a backslash is a wrong value.
func cutQuoted(v []byte) (value, rest []byte, form valueForm) {
	for i := 1; i < len(v); i++ {
		switch v[i] {
		case '\\':
			i++
		case '"':
			return v[1:i], v[i+1:], goodValue
		}
	}
	return nil, nil, badValue
}

// skipElement goes to the next comma outside quotes.
func skipElement(v []byte) []byte {
	for len(v) > 0 && v[0] != ',' {
		if v[0] == '"' {
			_, v, _ = cutQuoted(v)
			continue
		}
		v = v[1:]
	}
	return v
}

func cutToken(v []byte) (token, rest []byte) {
	i := 0
	for i < len(v) && class[v[i]]&tokenByte != 0 {
		i++
	}
	return v[:i], v[i:]
}

func skipSpace(v []byte) []byte {
	for len(v) > 0 && (v[0] == ' ' || v[0] == '\t') {
		v = v[1:]
	}
	return v
}
