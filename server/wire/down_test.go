package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// payloads are values that a JSON message may carry.
var payloads = rapid.SampledFrom([]string{"", "null", "false", `""`, "-1.5e-3", `{"a":[1,{"b":"\u00e9\"é"}]}`, "[ ]"})

// bytesOf is s as a parser returns it: nil for nothing.
func bytesOf(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

func drawMessage(t *rapid.T) Message {
	s := rapid.String()
	m := Message{ID: bytesOf(s.Draw(t, "id")), Channel: bytesOf(s.Draw(t, "ch")), Payload: bytesOf(payloads.Draw(t, "p"))}
	if m.Raw = rapid.Bool().Draw(t, "raw"); m.Raw {
		m.Payload = rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
	}
	if m.Seq = rapid.Uint64().Draw(t, "seq"); m.Seq != 0 {
		m.TTL = rapid.Uint64().Draw(t, "ttl")
	}
	return m
}

// TestMessageRoundTrip: what a server appends as a message, a client reads.
func TestMessageRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		for f := range Formats {
			var d Down
			if err := ParseDown(f, AppendMessage(nil, f, &m), &d); err != nil {
				t.Fatalf("%v: %v", f, err)
			}
			got := d.Message
			if p := d.AppendPayload([]byte("x")); string(p) != "x"+string(m.Payload) {
				t.Fatalf("%v: payload %q, want %q", f, p, m.Payload)
			}
			if d.Op != OpMessage || got.Seq != m.Seq || got.TTL != m.TTL || got.Raw != (m.Raw && f == JSON) ||
				!bytes.Equal(got.ID, m.ID) || !bytes.Equal(got.Channel, m.Channel) {
				t.Fatalf("%v: got %+v, want %+v", f, got, m)
			}
		}
	})
}

// TestMessageInTwoParts: the head for one device and the tail for all are the
// message.
func TestMessageInTwoParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		m.Seq = rapid.Uint64Min(1).Draw(t, "kept seq")
		for f := range Formats {
			other := m
			other.Seq = 1 // of another device
			tail := AppendMessageTail(nil, f, &other)
			got := append(AppendMessageHead([]byte("x"), f, m.Shape(), m.Seq), tail...)
			if want := AppendMessage([]byte("x"), f, &m); !bytes.Equal(got, want) {
				t.Fatalf("%v: got %q, want %q", f, got, want)
			}
		}
	})
}

func drawDown(t *rapid.T) (d Down, appendTo func(f Format) []byte) {
	s := rapid.String()
	ms := rapid.IntRange(0, maxInt)
	n := rapid.Uint64()
	d.Op = rapid.SampledFrom([]Op{OpWelcome, OpHeartbeat, OpSkip, OpResult, OpError, OpAway}).Draw(t, "op")
	switch d.Op {
	case OpWelcome:
		w := &d.Welcome
		*w = Welcome{SID: []byte(s.Draw(t, "sid")), Epoch: s.Draw(t, "epoch"), Seq: n.Draw(t, "seq"), Acked: n.Draw(t, "acked"), From: n.Draw(t, "from"),
			Resumed: rapid.Bool().Draw(t, "resumed"), Heartbeat: ms.Draw(t, "hb"), Spread: ms.Draw(t, "spread"), Wide: ms.Draw(t, "wide"), Node: s.Draw(t, "node"),
			Max: ms.Draw(t, "max"), Win: ms.Draw(t, "win"), Ring: Ring{n.Draw(t, "ring"), n.Draw(t, "rh")}, Back: Back{ms.Draw(t, "base"), ms.Draw(t, "back max")}}
		return d, func(f Format) []byte { return AppendWelcome(nil, f, w) }
	case OpHeartbeat:
		d.Spread, d.Wide = ms.Draw(t, "spread"), ms.Draw(t, "wide")
		if rapid.Bool().Draw(t, "clustered") {
			d.Ring = Ring{n.Draw(t, "ring"), n.Draw(t, "rh")}
		}
		return d, func(f Format) []byte { return AppendHeartbeat(nil, f, d.Spread, d.Wide, d.Ring) }
	case OpSkip:
		d.To, d.Why = n.Draw(t, "to"), []byte(s.Draw(t, "why"))
		return d, func(f Format) []byte { return AppendSkip(nil, f, d.To, string(d.Why)) }
	case OpAway:
		d.Close, d.In, d.URL = rapid.Uint16().Draw(t, "code"), ms.Draw(t, "in"), []byte(s.Draw(t, "url"))
		return d, func(f Format) []byte { return AppendAway(nil, f, d.Close, d.In, string(d.URL)) }
	}
	e := &Error{s.Draw(t, "code"), s.Draw(t, "text")}
	if d.Op == OpResult {
		d.Request = n.Draw(t, "r")
		if d.OK = rapid.Bool().Draw(t, "ok"); d.OK {
			return d, func(f Format) []byte { return AppendResult(nil, f, d.Request, nil) }
		}
	}
	d.Code, d.Text = []byte(e.Code), []byte(e.Text)
	if d.Op == OpError {
		return d, func(f Format) []byte { return AppendError(nil, f, e) }
	}
	return d, func(f Format) []byte { return AppendResult(nil, f, d.Request, e) }
}

// TestDownRoundTrip: the same for all that is not a message.
func TestDownRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want, appendTo := drawDown(t)
		for f := range Formats {
			var got Down
			msg := appendTo(f)
			if err := ParseDown(f, msg, &got); err != nil {
				t.Fatalf("%v: %q: %v", f, msg, err)
			}
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
				t.Fatalf("%v: %q:\ngot  %+v\nwant %+v", f, msg, got, want)
			}
			if f == JSON && !json.Valid(msg) {
				t.Fatalf("%q is not JSON", msg)
			}
		}
	})
}

// TestAppendString: strings are written like encoding/json does, and read back.
func TestAppendString(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "s")
		out := appendString([]byte("x"), s)
		var got, want string
		quoted, _ := json.Marshal(s)
		if json.Unmarshal(out[1:], &got) != nil || json.Unmarshal(quoted, &want) != nil || got != want || !utf8.Valid(out) {
			t.Fatalf("%q became %q", s, out)
		}
	})
}

// TestParseDownKeepsNothing: a Down that is used again has nothing of before.
func TestParseDownKeepsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, first := drawDown(t)
		_, second := drawDown(t)
		f := rapid.SampledFrom([]Format{JSON, Binary}).Draw(t, "format")
		var used, fresh Down
		ParseDown(f, first(f), &used)
		ParseDown(f, second(f), &used)
		ParseDown(f, second(f), &fresh)
		if !reflect.DeepEqual(used, fresh) {
			t.Fatalf("got %+v, want %+v", used, fresh)
		}
	})
}

// FuzzParseDown: ParseDown never panics; what it understands is a JSON object,
// and says the same when it is written and read again.
func FuzzParseDown(f *testing.F) {
	for _, v := range vectors(f) {
		for form, msg := range v.forms(f) {
			if msg != nil {
				f.Add(msg, form == int(Binary))
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, bin bool) {
		form := JSON
		if bin {
			form = Binary
		}
		var d Down
		if err := ParseDown(form, data, &d); err != nil {
			if err.Code != CodeMalformed && err.Code != CodeUnknown || err.Text == "" {
				t.Fatalf("error %+v", err)
			}
			return
		}
		if !bin && utf8.Valid(data) && !json.Valid(data) {
			t.Fatalf("accepted %q, which is not JSON", data)
		}
		d.AppendPayload(nil)
		if !utf8.Valid(data) {
			return // never comes in a text message; a string of a binary one may change in JSON
		}
		v := vector{From: "S", Fields: map[string]any{}}
		for k, s := range downFields(&d) {
			v.Fields[k] = s
		}
		again := v.append(t, form)
		var second Down
		if err := ParseDown(form, again, &second); err != nil || !reflect.DeepEqual(downFields(&second), downFields(&d)) {
			t.Fatalf("%q was written as %q: %v, %+v", data, again, err, second)
		}
	})
}
