package ws

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"pgregory.net/rapid"
)

// lender is a Buffers that keeps account: every buffer must come back once,
// and what comes back is spoiled so that late readers are seen.
type lender struct {
	t    rapid.TB
	out  map[*byte]int // lent, by first byte: capacity
	held int           // bytes lent now
	peak int           // most bytes ever lent at once
	gets int
}

func newLender(t rapid.TB) *lender { return &lender{t: t, out: map[*byte]int{}} }

func (l *lender) Get(n int) []byte {
	b := make([]byte, 0, max(n, 1))
	l.out[unsafe.SliceData(b)] = cap(b)
	l.gets++
	l.held += cap(b)
	l.peak = max(l.peak, l.held)
	return b
}

func (l *lender) Put(b []byte) {
	l.t.Helper()
	c, ok := l.out[unsafe.SliceData(b)]
	if !ok {
		l.t.Fatal("Put of a buffer that is not lent")
	}
	delete(l.out, unsafe.SliceData(b))
	l.held -= c
	b = b[:cap(b)]
	for i := range b {
		b[i] = 0xDB
	}
}

// settled fails the test if a buffer is still out.
func (l *lender) settled() {
	l.t.Helper()
	if len(l.out) != 0 || l.held != 0 {
		l.t.Fatalf("%d buffers (%d bytes) did not come back", len(l.out), l.held)
	}
}

// show renders an event for comparison; the payload is copied into the string.
func show(ev Event) string {
	if ev.Kind == Close {
		return fmt.Sprintf("close %d %q", ev.Code, ev.Reason)
	}
	return fmt.Sprintf("%v %q", ev.Kind, ev.Payload)
}

// trace is what one parser made of a stream.
type trace struct {
	events []string
	err    error
	failAt int // input bytes given when the error came
}

func (tr trace) String() string {
	return fmt.Sprintf("%s err=%v", strings.Join(tr.events, " | "), tr.err)
}

// feed gives wire to a fresh parser in the pieces that end at cuts and checks
// what holds for any input: n in bounds, progress, Short only when all is
// consumed, errors that stay, buffers that come back.
func feed(t rapid.TB, cfg Config, wire []byte, cuts ...int) trace {
	t.Helper()
	l := newLender(t)
	cfg.Buffers = l
	if cfg.Deflate && cfg.Inflater == nil {
		cfg.Inflater = NewInflater()
	}
	var p Parser
	p.Reset(&cfg)
	var tr trace
	from := 0
	for _, to := range append(cuts, len(wire)) {
		// Each piece in memory of its own: the parser must not look outside.
		piece := bytes.Clone(wire[from:to])
		from = to
		if tr.err = drain(t, &p, piece, &tr); tr.err != nil {
			tr.failAt = to
			break
		}
	}
	if tr.err != nil {
		l.settled() // a dead parser holds nothing, Released or not
		checkDead(t, &p, tr.err)
	}
	p.Release()
	l.settled()
	return tr
}

func drain(t rapid.TB, p *Parser, piece []byte, tr *trace) error {
	t.Helper()
	for {
		ev, n, err := p.Next(piece)
		if n < 0 || n > len(piece) {
			t.Fatalf("n = %d of %d", n, len(piece))
		}
		if err != nil {
			if ev.Kind != Short {
				t.Fatalf("an event with an error: %s, %v", show(ev), err)
			}
			return err
		}
		piece = piece[n:]
		if ev.Kind == Short {
			if len(piece) != 0 {
				t.Fatalf("Short with %d bytes left", len(piece))
			}
			return nil
		}
		tr.events = append(tr.events, show(ev))
	}
}

func checkDead(t rapid.TB, p *Parser, err error) {
	t.Helper()
	var pe *ProtocolError
	if !errors.As(err, &pe) || pe.Code == 0 || len(pe.Text) == 0 || len(pe.Text) > MaxReason {
		t.Fatalf("error %#v is no usable ProtocolError", err)
	}
	if _, n, again := p.Next([]byte{0x82, 0x80, 0, 0, 0, 0}); again != err || n != 0 {
		t.Fatalf("after %v: n=%d, %v", err, n, again)
	}
	if p.Idle() {
		t.Fatal("a dead parser calls itself idle")
	}
}

// bytewise are the cuts that give every byte alone.
func bytewise(n int) []int {
	cuts := make([]int, n)
	for i := range cuts {
		cuts[i] = i
	}
	return cuts
}

// everyWay feeds wire whole, byte by byte and in two pieces cut anywhere, and
// demands the same of all.
func everyWay(t rapid.TB, cfg Config, wire []byte) trace {
	t.Helper()
	whole := feed(t, cfg, wire)
	same := func(how string, got trace) {
		t.Helper()
		if got.String() != whole.String() {
			t.Fatalf("%s:\n got %s\nwhole %s", how, got, whole)
		}
	}
	slow := feed(t, cfg, wire, bytewise(len(wire))...)
	same("bytewise", slow)
	for i := range len(wire) + 1 {
		cut := feed(t, cfg, wire, i)
		same(fmt.Sprintf("cut at %d", i), cut)
		if cut.err != nil && slow.failAt <= i && cut.failAt > i {
			t.Fatalf("cut at %d: fails at byte %d when bytewise, but not with the first piece", i, slow.failAt)
		}
	}
	whole.failAt = slow.failAt
	return whole
}

var testMask = [4]byte{0x37, 0xFA, 0x21, 0x3D}

// frame builds a frame without any care for the rules: h.Length is what is
// announced if it is not 0, otherwise the payload's length.
func frame(h Header, payload string) []byte {
	if h.Length == 0 {
		h.Length = int64(len(payload))
	}
	out := AppendHeader(nil, h)
	for i := range len(payload) {
		c := payload[i]
		if h.Masked {
			c ^= h.Mask[i%4]
		}
		out = append(out, c)
	}
	return out
}

// masked and plain build correct frames of a client and a server.
func masked(op OpCode, fin bool, payload string) []byte {
	return frame(Header{Fin: fin, OpCode: op, Masked: true, Mask: testMask}, payload)
}

func plain(op OpCode, fin bool, payload string) []byte {
	return frame(Header{Fin: fin, OpCode: op}, payload)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
