package publisher

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"roost/decay"
)

// TestCheck: each rule of a message, broken.
func TestCheck(t *testing.T) {
	good := Message{Device: "d", Payload: []byte("1")}
	for _, row := range []struct {
		name, text string
		change     func(m *Message)
	}{
		{"no target", "0 times", func(m *Message) { m.Device = "" }},
		{"two targets", "2 times", func(m *Message) { m.All = true }},
		{"space", "device must", func(m *Message) { m.Device = "a b" }},
		{"long", "device must", func(m *Message) { m.Device = strings.Repeat("x", 129) }},
		{"topic", "topic must", func(m *Message) { m.Device, m.Topic = "", "a\nb" }},
		{"devices", "[1]", func(m *Message) { m.Device, m.Devices = "", []string{"a", "a"} }},
		{"many devices", "1001 entries", func(m *Message) { m.Device, m.Devices = "", make([]string, 1001) }},
		{"class", `"x"`, func(m *Message) { m.Class = "x" }},
		{"latest", "Topic", func(m *Message) { m.Class = ClassLatest }},
		{"id", "id must", func(m *Message) { m.ID = "ä" }},
		{"ttl", "ttl", func(m *Message) { m.TTL = time.Millisecond }},
		{"ttl too long", "ttl", func(m *Message) { m.TTL = 25 * time.Hour }},
		{"ttl of live", "ttl", func(m *Message) { m.TTL, m.Class = time.Second, ClassLive }},
		{"wait", "wait", func(m *Message) { m.Wait = time.Minute }},
		{"pace", "pace", func(m *Message) { m.Pace = 1 }},
		{"no payload", "JSON", func(m *Message) { m.Payload = nil }},
		{"two values", "JSON", func(m *Message) { m.Payload = []byte(`1},{"device":"x","payload":2`) }},
		{"big", "65537", func(m *Message) { m.Payload = make([]byte, 65537) }},
	} {
		m := good
		row.change(&m)
		if err := m.check(); !errors.Is(err, ErrMessage) || !has(err, row.text) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	if err := good.check(); err != nil {
		t.Error(err)
	}
}

// TestLine: a line is one line, and what encoding/json reads in it is the message.
func TestLine(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	name := func() string {
		b := make([]byte, 1+r.IntN(20))
		for i := range b {
			b[i] = byte('!' + r.IntN('~'-'!'+1))
		}
		return string(b)
	}
	payloads := []string{"1", `"a\n\"<&>"`, "{\"a\":\n [1, 2]}", "null", "\n\t3"}
	for range 2000 {
		m := Message{Payload: []byte(payloads[r.IntN(len(payloads))])}
		switch r.IntN(4) {
		case 0:
			m.Device = name()
		case 1:
			m.Topic, m.Pace = name(), r.IntN(3)
		case 2:
			m.All = true
		default:
			for i := range 1 + r.IntN(3) {
				m.Devices = append(m.Devices, string(rune('a'+i))+name())
			}
		}
		if r.IntN(2) == 0 {
			m.ID, m.Class, m.TTL = name(), ClassKept, time.Duration(r.IntN(3))*time.Second
		}
		if m.Raw = r.IntN(3) == 0; m.Raw {
			m.Payload = []byte{byte(r.Uint32()), '\n', 0}
		}
		if err := m.check(); err != nil {
			t.Fatal(err)
		}
		b := m.appendLine([]byte("x"), m.Devices)[1:]
		if bytes.Count(b, []byte("\n")) != 1 || b[len(b)-1] != '\n' {
			t.Fatalf("not a line: %q", b)
		}
		var l line
		if err := json.Unmarshal(b, &l); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if l.Device != m.Device || strings.Join(l.Devices, " ") != strings.Join(m.Devices, " ") || l.Topic != m.Topic || l.All != m.All ||
			l.ID != m.ID || l.Class != m.Class || time.Duration(l.TTL)*time.Second != m.TTL {
			t.Fatalf("%+v became %s", m, b)
		}
		if m.Raw && !bytes.Equal(l.Bytes, m.Payload) || !m.Raw && !sameJSON(l.Payload, m.Payload) {
			t.Fatalf("payload %q became %s", m.Payload, b)
		}
	}
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && string(json1(x)) == string(json1(y))
}

// TestDivide: which results are whose.
func TestDivide(t *testing.T) {
	ok := func(d string) Result { return Result{Device: d, Status: "written"} }
	bad := Result{Status: "refused", Reason: "too_big"}
	for _, row := range []struct {
		name   string
		counts []int
		rs     []Result
		want   []int // lengths; nil is an error
	}{
		{"one each", []int{1, 1}, []Result{ok("a"), ok("b")}, []int{1, 1}},
		{"many", []int{1, 3, 1}, []Result{ok("a"), ok("b"), ok("c"), ok("d"), ok("e")}, []int{1, 3, 1}},
		{"a line refused", []int{1, 3, 1}, []Result{ok("a"), bad, ok("e")}, []int{1, 1, 1}},
		{"too few", []int{1, 2}, []Result{ok("a"), ok("b")}, nil},
		{"too many", []int{1}, []Result{ok("a"), ok("b")}, nil},
		{"none", []int{1}, nil, nil},
	} {
		var items []*item
		for _, n := range row.counts {
			items = append(items, &item{count: n})
		}
		parts, err := divide(items, row.rs)
		if (err != nil) != (row.want == nil) {
			t.Errorf("%s: %v", row.name, err)
		}
		for i, n := range row.want {
			if len(parts[i]) != n {
				t.Errorf("%s: %v", row.name, parts)
			}
		}
	}
}

// TestOptions: options that cannot be.
func TestOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"no nodes":   {},
		"no url":     {Nodes: []string{"127.0.0.1:8081"}},
		"a query":    {Nodes: []string{"http://x?y"}},
		"choose":     {Nodes: []string{"http://x"}, Choose: 9},
		"batch":      {Nodes: []string{"http://x"}, Batch: 1001},
		"poll":       {Nodes: []string{"http://x"}, Poll: -1},
		"queue":      {Nodes: []string{"http://x"}, Queue: 1},
		"lanes":      {Nodes: []string{"http://x"}, Lanes: 65},
		"linger":     {Nodes: []string{"http://x"}, Linger: time.Hour},
		"round-trip": {Nodes: []string{"http://x"}, RTT: decay.Exponential{W0: -1}},
	} {
		if p, err := New(o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
}
