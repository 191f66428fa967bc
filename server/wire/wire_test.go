package wire

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestParse has one row per rule of docs/PROTOCOL.md about what devices send.
func TestParse(t *testing.T) {
	deep := strings.Repeat("[", 70) + strings.Repeat("]", 70)
	tests := []struct {
		name string
		f    Format
		in   string
		want Up
		code string // of the error
		text string // part of its text
	}{
		{name: "heartbeat", in: `{"t":"hb"}`, want: Up{Op: OpHeartbeat}},
		{name: "heartbeat with ack", in: ` { "seq" : 7 , "t" : "hb" } `, want: Up{Op: OpHeartbeat, Seq: 7, HasSeq: true}},
		{name: "ack", in: `{"t":"ack","seq":18446744073709551615}`, want: Up{Op: OpAck, Seq: 1<<64 - 1, HasSeq: true}},
		{name: "sub", in: `{"t":"sub","r":7,"ch":"fw/eu"}`, want: Up{Op: OpSubscribe, Request: 7, Channel: []byte("fw/eu")}},
		{name: "escaped channel", in: `{"t":"unsub","r":0,"ch":"fw\/\u0065u"}`, want: Up{Op: OpUnsubscribe, Channel: []byte("fw/eu")}},
		{name: "up", in: `{"t":"up","ch":"s","p":{"a":[1,-2.5e3,"x",null,true]}}`, want: Up{Op: OpUp, Channel: []byte("s"), Payload: []byte(`{"a":[1,-2.5e3,"x",null,true]}`)}},
		{name: "unknown key", in: `{"x":{"y":[{}]},"t":"hb"}`, want: Up{Op: OpHeartbeat}},
		{name: "keys of others", in: `{"seq":"x","r":[],"t":"up","ch":"s","p":1}`, want: Up{Op: OpUp, Channel: []byte("s"), Payload: []byte("1")}},
		{name: "the last of a repeated key counts", in: `{"t":5,"ch":5,"t":"up","ch":"s","p":0,"p":1}`, want: Up{Op: OpUp, Channel: []byte("s"), Payload: []byte("1")}},
		{name: "the last of a repeated key is wrong", in: `{"t":"up","ch":"s","ch":5}`, code: "malformed", text: `key "ch": byte 24: want a string, got '5'`},
		{name: "keys that a heartbeat ignores", in: `{"t":"hb","ch":5,"r":"x"}`, want: Up{Op: OpHeartbeat}},
		{name: "a key that a subscription ignores", in: `{"t":"sub","r":1,"ch":"a","seq":-1}`, want: Up{Op: OpSubscribe, Request: 1, Channel: []byte("a")}},
		{name: "unknown type", in: `{"t":"dance"}`, code: "unknown", text: `"dance"`},
		{name: "server's type", in: `{"t":"welcome"}`, code: "unknown", text: "not for devices"},
		{name: "no type", in: `{}`, code: "malformed", text: `"t" is missing`},
		{name: "empty", in: ``, code: "malformed", text: "byte 0: want '{', got the end"},
		{name: "array", in: `[]`, code: "malformed", text: "byte 0"},
		{name: "two values", in: `{"t":"hb"}{}`, code: "malformed", text: "want the end"},
		{name: "trailing comma", in: `{"t":"hb",}`, code: "malformed", text: "want a string"},
		{name: "fraction as seq", in: `{"t":"ack","seq":1.5}`, code: "malformed", text: `key "seq"`},
		{name: "negative seq", in: `{"t":"ack","seq":-1}`, code: "malformed", text: `non-negative`},
		{name: "seq beyond 64 bits", in: `{"t":"ack","seq":18446744073709551616}`, code: "malformed", text: "64 bits"},
		{name: "ack without seq", in: `{"t":"ack"}`, code: "malformed", text: "seq"},
		{name: "no channel", in: `{"t":"sub","r":1}`, code: "channel"},
		{name: "channel with space", in: `{"t":"sub","r":1,"ch":"a b"}`, code: "channel"},
		{name: "deep payload", in: `{"t":"up","ch":"s","p":` + deep + `}`, code: "malformed", text: "levels"},

		{name: "bin ack", f: Binary, in: "\x03\x05", want: Up{Op: OpAck, Seq: 5, HasSeq: true}},
		{name: "bin empty", f: Binary, in: "", code: "malformed", text: "empty"},
		{name: "bin cut", f: Binary, in: "\x03\x80", code: "malformed", text: "cut short"},
		{name: "bin channel longer than message", f: Binary, in: "\x07\x05s", code: "malformed", text: "cut short"},
		{name: "bin unknown", f: Binary, in: "\x1f", code: "unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var up Up
			err := Parse(tt.f, []byte(tt.in), &up)
			if tt.code != "" {
				if err == nil || err.Code != tt.code || !strings.Contains(err.Text, tt.text) {
					t.Fatalf("got %+v, %v; want code %q with %q", up, err, tt.code, tt.text)
				}
				return
			}
			if err != nil || fmt.Sprintf("%+v", up) != fmt.Sprintf("%+v", tt.want) {
				t.Fatalf("got %+v, %v; want %+v", up, err, tt.want)
			}
		})
	}
}

// TestUpRoundTrip: what a client appends, the server parses, in both forms.
func TestUpRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		up := Up{Op: rapid.SampledFrom([]Op{OpHeartbeat, OpAck, OpSubscribe, OpUnsubscribe, OpUp, OpAuth}).Draw(t, "op")}
		switch up.Op {
		case OpHeartbeat, OpAck:
			up.HasSeq = up.Op == OpAck || rapid.Bool().Draw(t, "has seq")
			if up.HasSeq {
				up.Seq = rapid.Uint64().Draw(t, "seq")
			}
		case OpAuth:
			up.Token = []byte(rapid.StringN(1, -1, -1).Draw(t, "token"))
		default:
			up.Channel = []byte(rapid.StringMatching(`[!-~]{1,128}`).Draw(t, "ch"))
			if up.Op == OpUp {
				up.Payload = bytesOf(payloads.Draw(t, "p"))
			} else {
				up.Request = rapid.Uint64().Draw(t, "r")
			}
		}
		for f := range Formats {
			var got Up
			if err := Parse(f, AppendUp(nil, f, &up), &got); err != nil {
				t.Fatalf("%v: %v", f, err)
			}
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", up) {
				t.Fatalf("%v: got %+v, want %+v", f, got, up)
			}
		}
	})
}

// FuzzParse: Parse never panics, takes nothing that encoding/json refuses, and
// refuses nothing of the right shape that encoding/json takes.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"t":"hb","seq":1}`), false)
	f.Add([]byte(`{"t":"up","ch":"a","p":[1e5,"\u00e9",{"k":-0.1}]}`), false)
	f.Add([]byte("\x07\x01s\x00"), true)
	f.Fuzz(func(t *testing.T, data []byte, bin bool) {
		var up Up
		if bin {
			Parse(Binary, data, &up)
			return
		}
		err := Parse(JSON, data, &up)
		var obj map[string]json.RawMessage
		valid := json.Unmarshal(data, &obj) == nil && obj != nil
		if err == nil && !valid {
			t.Fatalf("accepted %q, which is not a JSON object", data)
		}
		if err == nil && up.Op == OpUp && len(up.Payload) > 0 && !json.Valid(up.Payload) {
			t.Fatalf("payload %q of %q is not JSON", up.Payload, data)
		}
		var probe struct {
			T string  `json:"t"`
			S *uint64 `json:"seq"`
		}
		if err != nil && err.Code == "malformed" && valid && len(obj) == 1 &&
			json.Unmarshal(data, &probe) == nil && probe.T == "hb" && string(obj["t"]) == `"hb"` {
			t.Fatalf("refused a heartbeat %q: %v", data, err)
		}
	})
}

func BenchmarkParseDown(b *testing.B) {
	m := Message{Seq: 1043, TTL: 60, ID: []byte("m1"), Channel: []byte("fw/eu"), Payload: []byte(`{"battery":81,"temp":21.5}`)}
	for f := range Formats {
		b.Run(f.String()+"/msg", func(b *testing.B) {
			b.ReportAllocs()
			data, d := AppendMessage(nil, f, &m), Down{}
			for b.Loop() {
				ParseDown(f, data, &d)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for name, in := range map[string]string{"hb": `{"t":"hb","seq":1043}`, "up": `{"t":"up","ch":"state","p":{"battery":81,"temp":21.5}}`} {
		b.Run("json/"+name, func(b *testing.B) {
			b.ReportAllocs()
			data, up := []byte(in), Up{}
			for b.Loop() {
				Parse(JSON, data, &up)
			}
		})
	}
}
