package client

import (
	"encoding/binary"
	"testing"
	"time"

	"roost/server/wire"
)

// FuzzSessionOnMessage: whatever a node sends, the session does not panic,
// delivers kept messages in order of their numbers and once, acknowledges no
// more than was delivered or skipped, and never stays without a deadline. data
// is messages with their length before them.
func FuzzSessionOnMessage(f *testing.F) {
	w := defaultWelcome("e", 0)
	f.Add(pack(string(wire.AppendWelcome(nil, wire.JSON, &w)), `{"t":"msg","seq":1,"ttl":1,"id":"a"}`, `{"t":"msg","seq":1,"ttl":1}`,
		`{"t":"skip","to":5,"why":"ttl"}`, `{"t":"hb","spread":9}`, `{"t":"msg","seq":6,"ttl":1,"id":"a"}`, `{"t":"away","code":4001,"in":0}`,
		string(wire.AppendWelcome(nil, wire.JSON, &w)), `{"t":"msg","seq":9}`), false)
	f.Add(pack(string(wire.AppendWelcome(nil, wire.Binary, &w)), "\x82\x01\x01", "\x0a\x05ttl", "\x0b\xa1\x1f\x00"), true)
	f.Fuzz(func(t *testing.T, data []byte, bin bool) {
		form := wire.JSON
		if bin {
			form = wire.Binary
		}
		var s Session
		var d wire.Down
		s.Init("dev-1", form, Saved{}, 1)
		c := s.Begin()
		now, last, out := time.Duration(0), uint64(0), []byte(nil)
		for len(data) > 0 {
			n, k := binary.Uvarint(data)
			if k <= 0 || n > uint64(len(data)-k) {
				return
			}
			msg := data[k:][:n]
			data = data[k:][n:]
			now += time.Second
			switch e := s.OnMessage(c, now, msg, &d); e.Kind {
			case Welcome:
				last = d.Welcome.Acked
			case Skipped:
				last = max(last, d.To)
			case Deliver:
				if seq := d.Message.Seq; seq != 0 {
					if seq <= last || seq > s.seq+1 {
						t.Fatalf("delivered %d behind %d", seq, last)
					}
					last = seq
				}
				s.Handled(now)
			}
			var next Next
			out, next = s.OnTime(now, out[:0])
			var up wire.Up
			if len(out) > 0 {
				if err := wire.Parse(form, out, &up); err != nil || up.HasSeq && up.Seq > s.seq {
					t.Fatalf("said %q: %v", out, err)
				}
			}
			if s.NextDeadline() == never && s.next == 0 {
				t.Fatal("asleep for ever")
			}
			if next.Do == Reconnect && next.Drop == 0 {
				c = s.Begin()
			}
		}
	})
}

func pack(msgs ...string) (b []byte) {
	for _, m := range msgs {
		b = append(binary.AppendUvarint(b, uint64(len(m))), m...)
	}
	return b
}
