//go:build !race

package dialect

import (
	"encoding/hex"
	"testing"
	"time"

	"roost/server/wire"
	"roost/server/ws"
)

// steady are dialects with a greeted client, and messages that come again and
// again.
func steady(t testing.TB) map[string]struct {
	d        Dialect
	op       ws.OpCode
	messages [][]byte
} {
	bin := func(text string) []byte {
		data, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	live := func(f wire.Format) []byte {
		return wire.AppendMessage(nil, f, &wire.Message{Channel: []byte("fw/eu"), Payload: []byte(`"` + hundred + `"`)})
	}
	type one = struct {
		d        Dialect
		op       ws.OpCode
		messages [][]byte
	}
	greeted := func(name string, cfg Config, op ws.OpCode, greeting ...[]byte) one {
		cfg.Clients, cfg.Name = 1, deviceName
		d := mustNew(t, name, cfg)
		n := new(notes)
		var r ws.ClientRequest
		d.Request(0, 1, time.Hour, &r)
		d.Opened(0, 1, time.Hour, n)
		for _, m := range greeting {
			d.Message(0, 1, time.Hour, op, m, n)
		}
		if n.ready != 1 {
			t.Fatalf("%s: not greeted: %q", name, n.lines)
		}
		return one{d: d, op: op}
	}
	all := map[string]one{}
	add := func(name string, o one, messages ...[]byte) {
		o.messages = messages
		all[name] = o
	}
	to := []string{"all"}
	add("plain", greeted("plain", Config{}, ws.OpText), []byte(hundred))
	add("roost json", greeted("roost", Config{}, ws.OpText, welcome("e")(nil, wire.JSON)), live(wire.JSON))
	add("roost bin", greeted("roost", Config{Format: "bin"}, ws.OpBinary, welcome("e")(nil, wire.Binary)), live(wire.Binary))
	add("centrifugo", greeted("centrifugo", Config{To: to}, ws.OpText, []byte(`{"id":1,"connect":{"ping":25,"pong":true}}`), []byte(`{"id":2,"subscribe":{}}`)),
		[]byte(`{"push":{"channel":"all","pub":{"data":"`+hundred+`","offset":12}}}`), []byte(`{}`))
	add("socketio", greeted("socketio", Config{To: to}, ws.OpText, []byte(`0{"pingInterval":25000,"pingTimeout":20000}`), []byte(`40{"sid":"x"}`)),
		[]byte(`42["msg","`+hundred+`"]`), []byte(`2`))
	add("mqtt", greeted("mqtt", Config{To: to}, ws.OpBinary, bin("20020000"), bin("9003000101")),
		append(bin("30690003616c6c"), hundred...), append(bin("326b0003616c6c0007"), hundred...),
		append(bin("30690003616c6c"), hundred[:40]...), []byte(hundred[40:]))
	return all
}

const hundred = "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqr"

// TestAllocMessage: what comes all the time costs no allocation.
func TestAllocMessage(t *testing.T) {
	for name, s := range steady(t) {
		var n count
		var sink Sink = &n
		now := time.Hour
		got := testing.AllocsPerRun(1000, func() {
			for _, m := range s.messages {
				s.d.Message(0, 1, now, s.op, m, sink)
			}
			if at := s.d.Deadline(0); at < 0 {
				t.Fatal(at)
			}
			now += time.Microsecond
		})
		if got != 0 || n.delivered < 1001 {
			t.Errorf("%s: %v allocations, %d deliveries", name, got, n.delivered)
		}
	}
}

// TestAllocKept: nor do kept messages and their acknowledgements.
func TestAllocKept(t *testing.T) {
	for _, name := range []string{"roost json", "roost bin"} {
		s := steady(t)[name]
		f := wire.JSON
		if s.op == ws.OpBinary {
			f = wire.Binary
		}
		var n count
		var sink Sink = &n
		var text []byte
		seq, now := uint64(0), time.Hour
		payload := []byte(`"` + hundred + `"`)
		got := testing.AllocsPerRun(1000, func() {
			seq++
			text = wire.AppendMessage(text[:0], f, &wire.Message{Seq: seq, TTL: 60, Payload: payload})
			s.d.Message(0, 1, now, s.op, text, sink)
		})
		if got != 0 || n.delivered != 1001 || n.sent != 1001/16 {
			t.Errorf("%s: %v allocations, %d deliveries, %d acknowledgements", name, got, n.delivered, n.sent)
		}
	}
}

// TestAllocPublish: nor does publishing.
func TestAllocPublish(t *testing.T) {
	for _, name := range Names() {
		for _, api := range []string{"", "http://key@127.0.0.1:1/base"} {
			d := mustNew(t, name, Config{Clients: 1, Name: deviceName, API: api, Resume: true})
			dst := make([]byte, 0, 4096)
			for _, to := range []string{"all", "node", "topic", "device", "self"} {
				for _, class := range []string{"", "live", "kept", "latest"} {
					if d.Supports(to, class) != nil {
						continue
					}
					m := &Message{To: to, Name: "some-name", ID: []byte("id-1"), Class: class, TTL: time.Minute, Payload: []byte(hundred)}
					var r HTTPRequest
					got := testing.AllocsPerRun(100, func() {
						if d.Publishing(to) == ByHTTP {
							d.AppendRequest(dst[:0], m, &r)
						} else {
							d.AppendFrame(dst[:0], 0, m)
						}
					})
					if got != 0 {
						t.Errorf("%s: to %s, class %q: %v allocations", name, to, class, got)
					}
				}
			}
		}
	}
}

// TestAllocAnswer: nor does an answer that says yes.
func TestAllocAnswer(t *testing.T) {
	for name, body := range map[string]string{
		"roost":      `{"results":[{"device":"d1","status":"written","seq":7}]}` + "\n",
		"centrifugo": `{"result":{"offset":1,"epoch":"x"}}`,
		"plain":      `{"sent":3}`,
	} {
		d := mustNew(t, name, Config{API: "http://127.0.0.1:1"})
		answer := []byte(body)
		got := testing.AllocsPerRun(100, func() {
			if err := d.Answer(200, answer); err != nil {
				t.Fatal(err)
			}
		})
		if got > 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}

// BenchmarkMessage is what a delivery of 100 bytes costs a dialect.
func BenchmarkMessage(b *testing.B) {
	for name, s := range steady(b) {
		b.Run("dialect="+name, func(b *testing.B) {
			var n count
			b.ReportAllocs()
			for b.Loop() {
				s.d.Message(0, 1, time.Hour, s.op, s.messages[0], &n)
			}
		})
	}
}
