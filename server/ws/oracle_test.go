package ws

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// reference is the parser as one would write it with all bytes at hand and no
// care for speed: it reads a stream from its begin and says which events and
// which error a stream that stops there must have shown. It shares no code
// with the parser but the error values and ValidCloseCode.
type reference struct {
	cfg    Config
	in     []byte
	events []string

	message []byte
	kind    Kind // of the open message; Short: none
	zipped  bool
}

var errStop = errors.New("the stream stops here")

func refer(cfg Config, in []byte) ([]string, error) {
	r := &reference{cfg: cfg, in: in}
	var err error
	for err == nil {
		err = r.frame()
	}
	if err == errStop {
		err = nil
	}
	return r.events, err
}

func (r *reference) take(n int) ([]byte, error) {
	if len(r.in) < n {
		return nil, errStop
	}
	b := r.in[:n]
	r.in = r.in[n:]
	return b, nil
}

func (r *reference) frame() error {
	b, err := r.take(1)
	if err != nil {
		return err
	}
	fin, op := b[0]&0x80 != 0, int(b[0]&15)
	rsv1, rsv23 := b[0]&0x40 != 0, b[0]&0x30 != 0
	control := op >= 8
	switch {
	case op >= 3 && op <= 7, op >= 11:
		return ErrReservedOpcode
	case rsv23, rsv1 && !(r.cfg.Deflate && (op == 1 || op == 2)):
		return ErrReservedBits
	case control && !fin:
		return ErrFragmentedControl
	case op == 0 && r.kind == Short:
		return ErrUnexpectedContinuation
	case (op == 1 || op == 2) && r.kind != Short:
		return ErrExpectedContinuation
	}
	if b, err = r.take(1); err != nil {
		return err
	}
	isMasked, length := b[0]&0x80 != 0, uint64(b[0]&0x7F)
	switch {
	case r.cfg.Role == Server && !isMasked:
		return ErrUnmasked
	case r.cfg.Role == Client && isMasked:
		return ErrMasked
	case control && length > 125:
		return ErrLongControl
	case op == 8 && length == 1:
		return ErrShortClose
	}
	if length, err = r.length(length); err != nil {
		return err
	}
	if !control {
		if length > uint64(r.cfg.frame()) {
			return ErrFrameTooBig
		}
		if length+uint64(len(r.message)) > uint64(r.cfg.message()) {
			return ErrMessageTooBig
		}
	}
	mask := make([]byte, 4)
	if isMasked {
		if mask, err = r.take(4); err != nil {
			return err
		}
	}
	here := r.in[:min(length, uint64(len(r.in)))]
	r.in = r.in[len(here):]
	payload := make([]byte, len(here))
	for i := range here {
		payload[i] = here[i] ^ mask[i%4]
	}
	if control {
		return r.control(op, payload, len(here) == int(length))
	}
	return r.data(op, fin, rsv1, payload, len(here) == int(length))
}

func (r *reference) length(length uint64) (uint64, error) {
	switch length {
	case 126:
		b, err := r.take(2)
		if err != nil {
			return 0, err
		}
		if length = uint64(binary.BigEndian.Uint16(b)); length < 126 {
			return 0, ErrNonMinimalLength
		}
	case 127:
		if len(r.in) > 0 && r.in[0] >= 0x80 {
			return 0, ErrLengthOverflow
		}
		b, err := r.take(8)
		if err != nil {
			return 0, err
		}
		if length = binary.BigEndian.Uint64(b); length < 1<<16 {
			return 0, ErrNonMinimalLength
		}
	}
	return length, nil
}

func (r *reference) control(op int, payload []byte, whole bool) error {
	if !whole {
		return errStop
	}
	switch op {
	case 9:
		r.events = append(r.events, fmt.Sprintf("ping %q", payload))
	case 10:
		r.events = append(r.events, fmt.Sprintf("pong %q", payload))
	case 8:
		if len(payload) == 0 {
			r.events = append(r.events, `close 1005 ""`)
			return errStop
		}
		code := StatusCode(payload[0])<<8 | StatusCode(payload[1])
		if !ValidCloseCode(code) {
			return ErrInvalidCloseCode
		}
		if !utf8.Valid(payload[2:]) {
			return ErrInvalidReason
		}
		r.events = append(r.events, fmt.Sprintf("close %d %q", code, payload[2:]))
		return errStop
	}
	return nil
}

func (r *reference) data(op int, fin, rsv1 bool, payload []byte, whole bool) error {
	switch op {
	case 1:
		r.kind, r.zipped = Text, rsv1
	case 2:
		r.kind, r.zipped = Binary, rsv1
	}
	r.message = append(r.message, payload...)
	if r.kind == Text && !r.zipped && !viable(r.message) {
		return ErrInvalidUTF8
	}
	if !whole {
		return errStop
	}
	if !fin {
		return nil
	}
	message := r.message
	if r.zipped {
		out, err := slowInflate(message, r.cfg.inflated())
		if err != nil {
			return err
		}
		message = out
	}
	if r.kind == Text && !utf8.Valid(message) {
		return ErrInvalidUTF8
	}
	r.events = append(r.events, fmt.Sprintf("%v %q", r.kind, message))
	r.message, r.kind, r.zipped = nil, Short, false
	return nil
}

// checkAgainst feeds wire whole and bytewise and compares what every prefix
// has shown with the reference. step thins out the prefixes of long streams.
func checkAgainst(t rapid.TB, cfg Config, wire []byte, step int) {
	t.Helper()
	cfg.Inflater = NewInflater()
	l := newLender(t)
	cfg.Buffers = l
	var p Parser
	p.Reset(&cfg)
	var tr trace
	for i := 0; i < len(wire) && tr.err == nil; i++ {
		tr.err = drain(t, &p, []byte{wire[i]}, &tr)
		if i%step != 0 && i != len(wire)-1 && tr.err == nil {
			continue
		}
		events, err := refer(cfg, wire[:i+1])
		if want := (trace{events: events, err: err}); tr.String() != want.String() {
			t.Fatalf("after %d of %d bytes:\n got %s\nwant %s\nwire %x", i+1, len(wire), tr, want, wire)
		}
	}
	p.Release()
	l.settled()
	if whole := feed(t, cfg, wire); whole.String() != tr.String() {
		t.Fatalf("whole %s\nbytewise %s\nwire %x", whole, tr, wire)
	}
}

// sent is one message or control frame of a generated stream.
type sent struct {
	wire   []byte
	events []string
}

func genPayload(text bool) *rapid.Generator[[]byte] {
	if text {
		return rapid.Map(rapid.StringN(0, 80, 300), func(s string) []byte { return []byte(s) })
	}
	return rapid.SliceOfN(rapid.Byte(), 0, 300)
}

// genMessage draws a message in 1..5 fragments with control frames between.
func genMessage(t *rapid.T, cfg Config, d *Deflater) (m sent) {
	text := rapid.Bool().Draw(t, "text")
	kind, op := Binary, OpBinary
	if text {
		kind, op = Text, OpText
	}
	payload := genPayload(text).Draw(t, "payload")
	body, rsv := payload, byte(0)
	if cfg.Deflate && rapid.Bool().Draw(t, "compressed") {
		body, rsv = d.Deflate(nil, payload, rapid.IntRange(8, 15).Draw(t, "bits")), RSV1
	}
	pieces := rapid.IntRange(1, 5).Draw(t, "fragments")
	for i := range pieces {
		n := len(body)
		if i < pieces-1 {
			n = rapid.IntRange(0, len(body)).Draw(t, "fragment")
		}
		m.frame(t, cfg, Header{Fin: i == pieces-1, Rsv: rsv, OpCode: op}, body[:n])
		body, op, rsv = body[n:], OpContinuation, 0
		if i < pieces-1 && rapid.Bool().Draw(t, "between") {
			m.control(t, cfg)
		}
	}
	m.events = append(m.events, fmt.Sprintf("%v %q", kind, payload))
	return m
}

func (m *sent) control(t *rapid.T, cfg Config) {
	payload := rapid.SliceOfN(rapid.Byte(), 0, MaxControl).Draw(t, "control")
	if rapid.Bool().Draw(t, "ping") {
		m.frame(t, cfg, Header{Fin: true, OpCode: OpPing}, payload)
		m.events = append(m.events, fmt.Sprintf("ping %q", payload))
	} else {
		m.frame(t, cfg, Header{Fin: true, OpCode: OpPong}, payload)
		m.events = append(m.events, fmt.Sprintf("pong %q", payload))
	}
}

func (m *sent) frame(t *rapid.T, cfg Config, h Header, payload []byte) {
	if cfg.Role == Server {
		copy(h.Mask[:], rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "mask"))
		m.wire = AppendMaskedFrame(m.wire, h, payload)
		return
	}
	h.Length = int64(len(payload))
	m.wire = append(AppendHeader(m.wire, h), payload...)
}

// TestParserProperty: any sequence of messages, fragmented, interleaved,
// masked, compressed and cut in any way, comes out as it went in.
func TestParserProperty(t *testing.T) {
	d := NewDeflater()
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{Role: Role(rapid.IntRange(0, 1).Draw(t, "role")), Deflate: rapid.Bool().Draw(t, "deflate")}
		var all sent
		for range rapid.IntRange(1, 5).Draw(t, "messages") {
			if rapid.IntRange(0, 3).Draw(t, "what") == 0 {
				all.control(t, cfg)
				continue
			}
			m := genMessage(t, cfg, d)
			all.wire = append(all.wire, m.wire...)
			all.events = append(all.events, m.events...)
		}
		n := len(all.wire)
		want := trace{events: all.events}
		cuts := rapid.SliceOfNDistinct(rapid.IntRange(0, n), 0, min(n, 8), rapid.ID[int]).Draw(t, "cuts")
		slices.Sort(cuts)
		for _, how := range [][]int{nil, cuts, bytewise(n)} {
			if got := feed(t, cfg, all.wire, how...); got.String() != want.String() {
				t.Fatalf("cuts %v:\n got %s\nwant %s", how, got, want)
			}
		}
	})
}

// TestParserOracle breaks generated streams in one place and compares with the
// reference after each byte.
func TestParserOracle(t *testing.T) {
	d := NewDeflater()
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{
			Role: Role(rapid.IntRange(0, 1).Draw(t, "role")), Deflate: rapid.Bool().Draw(t, "deflate"),
			Limits: Limits{Frame: rapid.IntRange(1, 400).Draw(t, "frame"), Message: rapid.IntRange(1, 400).Draw(t, "message"), Inflated: 300},
		}
		var all sent
		for range rapid.IntRange(1, 3).Draw(t, "messages") {
			all.wire = append(all.wire, genMessage(t, cfg, d).wire...)
		}
		at := rapid.IntRange(0, len(all.wire)-1).Draw(t, "at")
		all.wire[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		checkAgainst(t, cfg, all.wire, 7)
	})
}

// stdInflate inflates a message with the standard library: the missing tail
// and a final block behind it.
func stdInflate(payload []byte) ([]byte, error) {
	return io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(payload), bytes.NewReader([]byte("\x00\x00\xff\xff\x01\x00\x00\xff\xff")))))
}
