package ws

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

func TestParserSize(t *testing.T) {
	if n := unsafe.Sizeof(Parser{}); n > 112 {
		t.Errorf("Parser has %d bytes", n)
	}
	if n := unsafe.Sizeof(Deflate{}); n != 1 {
		t.Errorf("Deflate has %d bytes", n)
	}
}

// TestParserRules has one case per rule: the bytes, the error and the number
// of bytes at which it must come.
func TestParserRules(t *testing.T) {
	limits := Limits{Frame: 1000, Message: 1500, Inflated: 1000}
	server := Config{Role: Server, Limits: limits}
	deflate := Config{Role: Server, Limits: limits, Deflate: true}
	client := Config{Role: Client, Limits: limits}
	long := strings.Repeat("x", 1000)
	for _, c := range []struct {
		name string // with the clause of RFC 6455 unless said otherwise
		cfg  Config
		wire []byte
		err  *ProtocolError
		at   int // bytes until the error; 0: not checked
	}{
		{"5.1 unmasked client frame", server, plain(OpText, true, "a"), ErrUnmasked, 2},
		{"5.1 unmasked client control frame", server, plain(OpPing, true, ""), ErrUnmasked, 2},
		{"5.1 masked server frame", client, masked(OpText, true, "a"), ErrMasked, 2},
		{"5.2 RSV1 without an extension", server, frame(Header{Fin: true, Rsv: 4, OpCode: OpText, Masked: true}, "a"), ErrReservedBits, 1},
		{"5.2 RSV2", deflate, frame(Header{Fin: true, Rsv: 2, OpCode: OpText, Masked: true}, "a"), ErrReservedBits, 1},
		{"5.2 RSV3", deflate, frame(Header{Fin: true, Rsv: 1, OpCode: OpText, Masked: true}, "a"), ErrReservedBits, 1},
		{"5.2 RSV1 and RSV2", deflate, frame(Header{Fin: true, Rsv: 6, OpCode: OpText, Masked: true}, "a"), ErrReservedBits, 1},
		{"RFC 7692 6 RSV1 on a control frame", deflate, frame(Header{Fin: true, Rsv: 4, OpCode: OpPing, Masked: true}, "a"), ErrReservedBits, 1},
		{"RFC 7692 6.1 RSV1 on a continuation", deflate, join(masked(OpText, false, "a"), frame(Header{Fin: true, Rsv: 4, Masked: true}, "a")), ErrReservedBits, 8},
		{"5.2 opcode 3", server, frame(Header{Fin: true, OpCode: 3, Masked: true}, ""), ErrReservedOpcode, 1},
		{"5.2 opcode 7", server, frame(Header{Fin: true, OpCode: 7, Masked: true}, ""), ErrReservedOpcode, 1},
		{"5.2 opcode 11", server, frame(Header{Fin: true, OpCode: 11, Masked: true}, ""), ErrReservedOpcode, 1},
		{"5.2 opcode 15", server, frame(Header{Fin: true, OpCode: 15, Masked: true}, ""), ErrReservedOpcode, 1},
		{"5.5 fragmented ping", server, masked(OpPing, false, ""), ErrFragmentedControl, 1},
		{"5.5 fragmented close", server, masked(OpClose, false, ""), ErrFragmentedControl, 1},
		{"5.5 ping of 126 bytes", server, masked(OpPing, true, long[:126]), ErrLongControl, 2},
		{"5.5 close of 70000 bytes", server, frame(Header{Fin: true, OpCode: OpClose, Masked: true, Length: 70000}, ""), ErrLongControl, 2},
		{"5.4 continuation first", server, masked(OpContinuation, true, "a"), ErrUnexpectedContinuation, 1},
		{"5.4 continuation after a whole message", server, join(masked(OpText, true, "a"), masked(OpContinuation, true, "a")), ErrUnexpectedContinuation, 8},
		{"5.4 continuation after the last fragment", server, join(masked(OpText, false, ""), masked(OpContinuation, true, ""), masked(OpContinuation, true, "")), ErrUnexpectedContinuation, 13},
		{"5.4 text inside a message", server, join(masked(OpText, false, "a"), masked(OpText, true, "a")), ErrExpectedContinuation, 8},
		{"5.4 binary behind an empty fragment", server, join(masked(OpText, false, ""), masked(OpBinary, true, "a")), ErrExpectedContinuation, 7},
		{"5.2 16-bit length below 126", server, []byte{0x82, 0xFE, 0, 125, 0, 0, 0, 0}, ErrNonMinimalLength, 4},
		{"5.2 64-bit length of 65535", server, []byte{0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0}, ErrNonMinimalLength, 10},
		{"5.2 64-bit length of 0", client, []byte{0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0}, ErrNonMinimalLength, 10},
		{"5.2 64-bit length with the top bit", server, []byte{0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, ErrLengthOverflow, 3},
		{"10.4 frame above the limit", server, masked(OpBinary, true, long+"x"), ErrFrameTooBig, 4},
		{"10.4 frame of 2^63-1 bytes", server, []byte{0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0}, ErrFrameTooBig, 10},
		{"10.4 message above the limit", server, join(masked(OpBinary, false, long), masked(OpContinuation, true, long[:501])), ErrMessageTooBig, 8 + 1000 + 4},
		{"10.4 message above the limit by fragments of a byte", Config{Limits: Limits{Message: 2}}, join(masked(OpBinary, false, "a"), masked(OpContinuation, false, "b"), masked(OpContinuation, false, "c")), ErrMessageTooBig, 16},
		{"8.1 invalid text", server, masked(OpText, true, "a\xFFb"), ErrInvalidUTF8, 8},
		{"8.1 invalid in the middle of a frame that never ends", server, masked(OpText, true, "a\xFFb")[:8], ErrInvalidUTF8, 8},
		{"8.1 surrogate, known at its second byte", server, masked(OpText, true, "\xED\xA0\x80zzz"), ErrInvalidUTF8, 8},
		{"8.1 overlong, known at its second byte", server, masked(OpText, true, "\xE0\x80\x80zzz"), ErrInvalidUTF8, 8},
		{"8.1 above 10FFFF, known at its second byte", server, masked(OpText, true, "\xF4\x90\x80\x80"), ErrInvalidUTF8, 8},
		{"8.1 sequence cut by the end", server, masked(OpText, true, "a\xC3"), ErrInvalidUTF8, 8},
		{"8.1 sequence cut by the end of the last fragment", server, join(masked(OpText, false, "\xE2"), masked(OpContinuation, true, "\x82")), ErrInvalidUTF8, 14},
		{"8.1 sequence cut by an empty last fragment", server, join(masked(OpText, false, "\xE2"), masked(OpContinuation, true, "")), ErrInvalidUTF8, 13},
		{"8.1 sequence broken by the next fragment", server, join(masked(OpText, false, "\xE2"), masked(OpContinuation, false, "a")), ErrInvalidUTF8, 14},
		{"5.5.1 close of one byte", server, masked(OpClose, true, "\x03"), ErrShortClose, 2},
		{"7.4 close code 999", server, masked(OpClose, true, "\x03\xE7"), ErrInvalidCloseCode, 8},
		{"7.4.1 close code 1005", server, masked(OpClose, true, "\x03\xED"), ErrInvalidCloseCode, 8},
		{"8.1 close reason", server, masked(OpClose, true, "\x03\xE8\xC3"), ErrInvalidReason, 9},
		{"RFC 7692 7.2.2 no DEFLATE data", deflate, frame(Header{Fin: true, Rsv: 4, OpCode: OpText, Masked: true}, "\xFF\xFF"), ErrBadDeflate, 8},
		{"RFC 7692 8 inflated above the limit", deflate, frame(Header{Fin: true, Rsv: 4, OpCode: OpText, Masked: true}, deflated(long+"x")), ErrInflatedTooBig, 0},
		{"8.1 inflated text", deflate, frame(Header{Fin: true, Rsv: 4, OpCode: OpText, Masked: true}, deflated("a\xFF")), ErrInvalidUTF8, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := everyWay(t, c.cfg, c.wire)
			if got.err != error(c.err) {
				t.Fatalf("got %v, want %v (events %q)", got.err, c.err, got.events)
			}
			if c.at != 0 && got.failAt != c.at {
				t.Errorf("failed at byte %d, want %d", got.failAt, c.at)
			}
		})
	}
}

func deflated(s string) string { return string(NewDeflater().Deflate(nil, []byte(s), 15)) }

// TestParserAccepts has what must pass, and what comes out.
func TestParserAccepts(t *testing.T) {
	limits := Limits{Frame: 70000, Message: 80000, Inflated: 80000}
	server := Config{Role: Server, Limits: limits}
	client := Config{Role: Client, Limits: limits}
	deflate := Config{Role: Server, Limits: limits, Deflate: true}
	rsv1 := func(fin bool, op OpCode, payload string) []byte {
		return frame(Header{Fin: fin, Rsv: RSV1, OpCode: op, Masked: true, Mask: testMask}, payload)
	}
	hello := "\xf2\x48\xcd\xc9\xc9\x07\x00" // RFC 7692, 7.2.3.1
	for _, c := range []struct {
		name string
		cfg  Config
		wire []byte
		want string
	}{
		{"nothing", server, nil, ``},
		{"5.7 unmasked Hello", client, []byte("\x81\x05Hello"), `text "Hello"`},
		{"5.7 masked Hello", server, []byte("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), `text "Hello"`},
		{"5.7 fragmented Hello", client, []byte("\x01\x03Hel\x80\x02lo"), `text "Hello"`},
		{"5.7 ping and pong", client, []byte("\x89\x05Hello\x8a\x05Hello"), `ping "Hello" | pong "Hello"`},
		{"empty text", server, masked(OpText, true, ""), `text ""`},
		{"empty binary in three fragments", server, join(masked(OpBinary, false, ""), masked(OpContinuation, false, ""), masked(OpContinuation, true, "")), `binary ""`},
		{"5.4 control frames between fragments", server,
			join(masked(OpText, false, "a\xC3"), masked(OpPing, true, "1"), masked(OpPong, true, ""), masked(OpContinuation, false, "\xA4"), masked(OpPing, true, "2"), masked(OpContinuation, true, "")),
			`ping "1" | pong "" | ping "2" | text "aä"`},
		{"5.5.1 close between fragments, the rest swallowed", server,
			join(masked(OpText, false, "a"), masked(OpClose, true, "\x03\xE9bye"), masked(OpContinuation, true, "b"), []byte("rubbish")),
			`close 1001 "bye"`},
		{"5.5.1 empty close", server, masked(OpClose, true, ""), `close 1005 ""`},
		{"5.5 ping of 125 bytes", server, masked(OpPing, true, strings.Repeat("p", 125)), `ping "` + strings.Repeat("p", 125) + `"`},
		{"8.1 highest and lowest of each length", server, masked(OpText, true, "\x00\x7F\u0080\u07FF\u0800\uD7FF\uE000\uFFFF\U00010000\U0010FFFF"), "text " + strconv.Quote("\x00\x7F\u0080\u07FF\u0800\uD7FF\uE000\uFFFF\U00010000\U0010FFFF")},
		{"binary is not text", server, masked(OpBinary, true, "\xFF"), `binary "\xff"`},
		{"RFC 7692 7.2.3.1 one frame", deflate, rsv1(true, OpText, hello), `text "Hello"`},
		{"RFC 7692 7.2.3.1 two frames", deflate, join(rsv1(false, OpText, hello[:3]), masked(OpPing, true, "x"), masked(OpContinuation, true, hello[3:])), `ping "x" | text "Hello"`},
		{"RFC 7692 7.2.3.3 stored block", deflate, rsv1(true, OpText, "\x00\x05\x00\xfa\xffHello\x00"), `text "Hello"`},
		{"RFC 7692 7.2.3.4 BFINAL", deflate, rsv1(true, OpText, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), `text "Hello"`},
		{"RFC 7692 7.2.3.5 two blocks", deflate, rsv1(true, OpText, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), `text "Hello"`},
		{"RFC 7692 7.2.3.6 empty message", deflate, rsv1(true, OpBinary, "\x00"), `binary ""`},
		{"RFC 7692 no byte at all", deflate, rsv1(true, OpBinary, ""), `binary ""`},
		{"RFC 7692 6 uncompressed message", deflate, masked(OpText, true, "plain"), `text "plain"`},
		{"RFC 7692 6 mixed messages", deflate, join(rsv1(true, OpText, hello), masked(OpText, true, "plain"), rsv1(true, OpBinary, hello)), `text "Hello" | text "plain" | binary "Hello"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := everyWay(t, c.cfg, c.wire)
			if s := strings.Join(got.events, " | "); s != c.want || got.err != nil {
				t.Fatalf("got %s, %v\nwant %s", s, got.err, c.want)
			}
		})
	}
}

// TestParserLengths takes each length form at its edges, cut around the header.
func TestParserLengths(t *testing.T) {
	cfg := Config{Limits: Limits{Frame: 70000, Message: 70000}}
	for _, n := range []int{0, 1, 2, 3, 4, 15, 16, 17, 125, 126, 127, 65535, 65536, 70000} {
		body := strings.Repeat("0123456789abcde", n/15+1)[:n]
		wire := masked(OpBinary, true, body)
		want := trace{events: []string{show(Event{Kind: Binary, Payload: []byte(body)})}}.String()
		cuts := [][]int{nil, {1}, {2}, {3, 4, 5}, {6, 7}, {len(wire) - 1}, {len(wire) / 2}, {len(wire) / 3, len(wire) / 2}}
		for _, cut := range cuts {
			ok := true
			for _, c := range cut {
				ok = ok && c <= len(wire)
			}
			if !ok {
				continue
			}
			if got := feed(t, cfg, wire, cut...); got.String() != want {
				t.Errorf("n=%d cut %v: got %.60s", n, cut, got)
			}
		}
	}
}

// TestParserZeroCopy: a whole frame is handed out where it lies, without a buffer.
func TestParserZeroCopy(t *testing.T) {
	l := newLender(t)
	var p Parser
	p.Reset(&Config{Buffers: l})
	in := masked(OpText, true, "where it lies")
	ev, n, err := p.Next(in)
	if err != nil || n != len(in) || &ev.Payload[0] != &in[6] || l.gets != 0 {
		t.Fatalf("n=%d err=%v gets=%d", n, err, l.gets)
	}
	// Cut behind the header it is still whole.
	in = masked(OpPing, true, "header first")
	if ev, _, err = p.Next(in[:6]); ev.Kind != Short || err != nil {
		t.Fatal(ev, err)
	}
	if ev, _, err = p.Next(in[6:]); err != nil || &ev.Payload[0] != &in[6] || l.gets != 0 {
		t.Fatalf("err=%v gets=%d", err, l.gets)
	}
}

// TestParserAnnouncement: memory follows what arrived, not what is announced.
func TestParserAnnouncement(t *testing.T) {
	const big = 16 << 20
	l := newLender(t)
	var p Parser
	p.Reset(&Config{Buffers: l, Limits: Limits{Frame: big, Message: big}})
	mustShort := func(in []byte) {
		t.Helper()
		if ev, n, err := p.Next(in); ev.Kind != Short || n != len(in) || err != nil {
			t.Fatal(ev.Kind, n, err)
		}
	}
	mustShort(AppendHeader(nil, Header{Fin: true, OpCode: OpBinary, Masked: true, Length: big}))
	if l.gets != 0 {
		t.Fatal("a header alone made a buffer")
	}
	sent := 0
	for range 200 {
		mustShort(make([]byte, 100))
		sent += 100
		if l.held > max(minBuffer, 2*sent) {
			t.Fatalf("%d bytes held for %d bytes", l.held, sent)
		}
		if l.peak > max(2*minBuffer, 4*sent) {
			t.Fatalf("%d bytes held at peak for %d bytes", l.peak, sent)
		}
	}
	p.Release()
	l.settled()
}

func TestParserIdle(t *testing.T) {
	l := newLender(t)
	var p Parser
	p.Reset(&Config{Buffers: l})
	step := func(in []byte, idle bool) {
		t.Helper()
		in = bytes.Clone(in) // unmasked in place
		for {
			ev, n, err := p.Next(in)
			if err != nil {
				t.Fatal(err)
			}
			in = in[n:]
			if ev.Kind == Short {
				break
			}
		}
		if p.Idle() != idle {
			t.Fatalf("Idle() = %v", !idle)
		}
	}
	text := masked(OpText, true, "abc")
	step(nil, true)
	step(text, true)
	step(text[:1], false)
	step(text[1:6], false)
	step(text[6:8], false)
	step(text[8:], true)
	step(masked(OpText, false, ""), false)
	step(masked(OpPing, true, ""), false)
	step(masked(OpContinuation, true, ""), true)
	p.Release()
	l.settled()
	step(text, true) // idle at Release: goes on
	step(text[:7], false)
	p.Release()
	l.settled()
	if _, _, err := p.Next(text[7:]); err != error(ErrReleased) {
		t.Fatalf("after Release in a frame: %v", err)
	}
	p.Reset(&Config{Buffers: l})
	step(text, true)
	step(masked(OpClose, true, ""), false)
}

// TestParserResetReturns: Reset gives back what a former connection held.
func TestParserResetReturns(t *testing.T) {
	l := newLender(t)
	var p Parser
	p.Reset(&Config{Buffers: l})
	if _, _, err := p.Next(join(masked(OpText, false, "abc"), masked(OpPing, true, "abc")[:8])); err != nil {
		t.Fatal(err)
	}
	if len(l.out) != 2 {
		t.Fatalf("%d buffers held", len(l.out))
	}
	p.Reset(&Config{})
	l.settled()
}

func TestKindString(t *testing.T) {
	for k, want := range map[Kind]string{Short: "short", Text: "text", Binary: "binary", Ping: "ping", Pong: "pong", Close: "close", 99: "unknown"} {
		if k.String() != want {
			t.Errorf("%d: %s", k, k)
		}
	}
}

// TestParserDefaults: a zero Limits means 64 KiB, and a nil Buffers the heap.
func TestParserDefaults(t *testing.T) {
	var p Parser
	p.Reset(&Config{Role: Client})
	in := AppendFrame(nil, OpBinary, make([]byte, DefaultLimit))
	if _, _, err := p.Next(in[:10]); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Next(in[10:500]); err != nil {
		t.Fatal(err)
	}
	if ev, _, err := p.Next(in[500:]); err != nil || len(ev.Payload) != DefaultLimit {
		t.Fatal(len(ev.Payload), err)
	}
	if _, _, err := p.Next(AppendFrame(nil, OpBinary, make([]byte, DefaultLimit+1))); err != error(ErrFrameTooBig) {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Fatal("Deflate without an Inflater passed Reset")
		}
	}()
	p.Reset(&Config{Deflate: true})
}

// TestParserUnmasksOnlyItsOwn: bytes behind the frame are not touched.
func TestParserUnmasksOnlyItsOwn(t *testing.T) {
	var p Parser
	p.Reset(&Config{})
	behind := masked(OpText, true, "second")
	in := join(masked(OpText, true, "first"), behind)
	_, n, err := p.Next(in)
	if err != nil || !bytes.Equal(in[n:], behind) {
		t.Fatal(n, err)
	}
}
