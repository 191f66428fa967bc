package ws

import (
	"bytes"
	"testing"

	gobwas "github.com/gobwas/ws"
)

// TestAppendHeader compares each header with gobwas/ws and with the slow
// reading of RFC 6455, 5.2.
func TestAppendHeader(t *testing.T) {
	for _, n := range []int64{0, 1, 125, 126, 127, 65535, 65536, 1 << 40} {
		for first := range 1 << 5 {
			h := Header{Fin: first&1 != 0, Rsv: byte(first>>1) & 7, OpCode: OpBinary, Masked: first&16 != 0, Mask: testMask, Length: n}
			var want bytes.Buffer
			if err := gobwas.WriteHeader(&want, h); err != nil {
				t.Fatal(err)
			}
			if got := AppendHeader([]byte("pre"), h); string(got) != "pre"+want.String() {
				t.Errorf("%+v: %x, want %x", h, got, want.Bytes())
			}
		}
		if got := HeaderSize(int(n)); got != len(AppendHeader(nil, Header{Length: n})) {
			t.Errorf("HeaderSize(%d) = %d", n, got)
		}
	}
}

func TestAppendFrames(t *testing.T) {
	for _, n := range []int{0, 5, 125, 126, 65535, 65536} {
		payload := bytes.Repeat([]byte{'p'}, n)
		for name, c := range map[string]struct {
			got []byte
			h   Header
		}{
			"frame":        {AppendFrame(nil, OpText, payload), Header{Fin: true, OpCode: OpText}},
			"rsv1":         {AppendFrameRSV1(nil, OpBinary, payload), Header{Fin: true, Rsv: RSV1, OpCode: OpBinary}},
			"first":        {AppendFragment(nil, OpText, false, payload), Header{OpCode: OpText}},
			"last":         {AppendFragment(nil, OpContinuation, true, payload), Header{Fin: true}},
			"masked":       {AppendMasked(nil, OpText, testMask, payload), Header{Fin: true, OpCode: OpText, Masked: true, Mask: testMask}},
			"masked frame": {AppendMaskedFrame(nil, Header{Rsv: RSV1, OpCode: OpText, Mask: testMask}, payload), Header{Rsv: RSV1, OpCode: OpText, Masked: true, Mask: testMask}},
		} {
			if want := frame(c.h, string(payload)); !bytes.Equal(c.got, want) {
				t.Errorf("%s of %d: %.20x, want %.20x", name, n, c.got, want)
			}
		}
		if !bytes.Equal(payload, bytes.Repeat([]byte{'p'}, n)) {
			t.Fatal("payload was changed")
		}
	}
}
