package dialect

import (
	"bytes"
	"testing"

	"roost/server/wire"
)

// FuzzLive: where the short way takes a message, the long way finds the same
// one. The first byte chooses the format.
func FuzzLive(f *testing.F) {
	for format := range wire.Formats {
		for _, m := range []wire.Message{{}, {Channel: []byte("fw/eu")}, {ID: []byte("a")}, {Seq: 1}} {
			for _, payload := range []string{`"x"`, `"0123456789"`, `""`, `"a\"b"`, `{"a":1}`, "\"\x01\"", `"ä"`, `12`} {
				m.Payload = []byte(payload)
				f.Add(append([]byte{byte(format)}, wire.AppendMessage(nil, format, &m)...))
			}
		}
	}
	f.Add([]byte("\x00" + `{"t":"msg","ch":"a\"b","p":"x"}`))
	f.Add([]byte("\x00" + `{"t":"msg","p":"x","p":"y"}`))
	f.Add([]byte("\x00" + `{"t":"msg","p":"x"} `))
	f.Add([]byte("\x00" + `{"t":"msg","p":"`))
	f.Add([]byte("\x01\x22\x80\x01a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		format, data := wire.Format(data[0]&1), data[1:]
		short := liveJSON
		if format == wire.Binary {
			short = liveBinary
		}
		payload, ok := short(data)
		if !ok {
			return
		}
		var d wire.Down
		if err := wire.ParseDown(format, data, &d); err != nil {
			t.Fatalf("taken, but: %v: %q", err, data)
		}
		if m := &d.Message; d.Op != wire.OpMessage || m.Seq != 0 || m.Raw || !bytes.Equal(unquoted(m.Payload), payload) {
			t.Errorf("%q: %q, want %+v", data, payload, d)
		}
	})
}

// TestLiveTakesWhatNodesWrite: or it would be of no use.
func TestLiveTakesWhatNodesWrite(t *testing.T) {
	for _, channel := range []string{"", "fw/eu"} {
		m := wire.Message{Channel: []byte(channel), Payload: []byte(`"one two three"`)}
		if got, ok := liveJSON(wire.AppendMessage(nil, wire.JSON, &m)); !ok || string(got) != "one two three" {
			t.Errorf("JSON, channel %q: %q %v", channel, got, ok)
		}
		if got, ok := liveBinary(wire.AppendMessage(nil, wire.Binary, &m)); !ok || string(got) != "one two three" {
			t.Errorf("binary, channel %q: %q %v", channel, got, ok)
		}
	}
}
