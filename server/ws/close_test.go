package ws

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	gobwas "github.com/gobwas/ws"
)

// TestValidCloseCode walks all 65536 codes against the ranges of RFC 6455, 7.4
// and the IANA registry.
func TestValidCloseCode(t *testing.T) {
	valid := map[int]bool{}
	for _, r := range [][2]int{{1000, 1003}, {1007, 1014}, {3000, 4999}} {
		for c := r[0]; c <= r[1]; c++ {
			valid[c] = true
		}
	}
	for c := range 1 << 16 {
		if got := ValidCloseCode(StatusCode(c)); got != valid[c] {
			t.Errorf("%d: %v", c, got)
		}
	}
	// Where gobwas/ws is known to be wrong: the reason for a table of our own.
	for _, c := range []StatusCode{1012, 1013, 1014, 5000} {
		if ValidCloseCode(c) == (gobwas.CheckCloseFrameData(c, "") == nil) {
			t.Errorf("%d: gobwas/ws now agrees", c)
		}
	}
}

// TestParserCloseCodes: the parser uses that table for every code.
func TestParserCloseCodes(t *testing.T) {
	var p Parser
	cfg := &Config{Role: Client}
	for c := range 1 << 16 {
		p.Reset(cfg)
		ev, _, err := p.Next([]byte{0x88, 2, byte(c >> 8), byte(c)})
		if ok := ValidCloseCode(StatusCode(c)); ok != (err == nil) || ok && (ev.Kind != Close || int(ev.Code) != c) {
			t.Fatalf("%d: %v, %v", c, ev, err)
		}
	}
}

func TestAppendClose(t *testing.T) {
	long := strings.Repeat("ä", 62) // 124 bytes
	for _, c := range []struct {
		code   StatusCode
		reason string
		want   string
	}{
		{1000, "", "\x88\x02\x03\xe8"},
		{1001, "bye", "\x88\x05\x03\xe9bye"},
		{4001, "drain", "\x88\x07\x0f\xa1drain"},
		{0, "ignored", "\x88\x00"},
		{StatusNoStatus, "ignored", "\x88\x00"},
		{StatusAbnormal, "x", "\x88\x03\x03\xf3x"},
		{StatusTLSHandshake, "", "\x88\x02\x03\xf3"},
		{999, "", "\x88\x02\x03\xf3"},
		{5000, "", "\x88\x02\x03\xf3"},
		{1000, long, "\x88\x7c\x03\xe8" + long[:122]},
		{1000, "x" + long, "\x88\x7d\x03\xe8x" + long[:122]},
		{1000, strings.Repeat("x", 122) + "\U0001F600", "\x88\x7c\x03\xe8" + strings.Repeat("x", 122)},
		{1000, "a\xFF", "\x88\x02\x03\xe8"},
		{1000, strings.Repeat("\x80", 200), "\x88\x02\x03\xe8"},
	} {
		got := AppendClose([]byte("pre"), c.code, c.reason)
		if string(got) != "pre"+c.want {
			t.Errorf("%d %q: %q", c.code, c.reason, got)
		}
		mask := [4]byte{1, 2, 3, 4}
		var p Parser
		p.Reset(&Config{})
		if ev, _, err := p.Next(AppendMaskedClose(nil, mask, c.code, c.reason)); err != nil || string(ev.Payload) != c.want[2:] {
			t.Errorf("%d %q masked: %q, %v", c.code, c.reason, ev.Payload, err)
		}
	}
}

// TestClosePasses: what AppendClose writes, any parser of ours accepts.
func TestClosePasses(t *testing.T) {
	for n := range 200 {
		for _, unit := range []string{"x", "ä", "€", "\U0001F600"} {
			reason := strings.Repeat(unit, n)
			var p Parser
			p.Reset(&Config{Role: Client})
			ev, _, err := p.Next(AppendClose(nil, 1000, reason))
			if err != nil || !strings.HasPrefix(reason, string(ev.Reason)) || len(ev.Reason) < min(len(reason), MaxReason-utf8.UTFMax+1) {
				t.Fatalf("%d of %q: %q, %v", n, unit, ev.Reason, err)
			}
		}
	}
}

func TestCloseEchoAndFor(t *testing.T) {
	for in, want := range map[string]string{"\x88\x00": "\x88\x00", "\x88\x02\x03\xe9": "\x88\x02\x03\xe9", "\x88\x05\x0f\xa1abc": "\x88\x02\x0f\xa1"} {
		var p Parser
		p.Reset(&Config{Role: Client})
		ev, _, err := p.Next([]byte(in))
		if got := string(AppendClose(nil, CloseEcho(ev), "")); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, c := range []struct {
		err  error
		want StatusCode
	}{
		{nil, StatusNormal},
		{ErrMessageTooBig, StatusTooBig},
		{fmt.Errorf("device 7: %w", ErrInvalidUTF8), StatusInvalidData},
		{errors.New("other"), StatusInternalError},
	} {
		if got := CloseFor(c.err); got != c.want {
			t.Errorf("%v: %d", c.err, got)
		}
	}
}
