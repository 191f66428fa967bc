//go:build !race

package wire

import "testing"

func TestNoAllocs(t *testing.T) {
	var up Up
	buf := make([]byte, 0, 1024)
	hb, sub, bin := []byte(`{"t":"hb","seq":1043}`), []byte(`{"t":"sub","r":1,"ch":"fw/eu"}`), []byte("\x20\x07")
	auth := []byte(`{"t":"auth","token":"x"}`)
	m := Message{Seq: 7, ID: []byte("m1"), Channel: []byte("cmd"), Payload: []byte(`{"a":1}`)}
	for name, f := range map[string]func(){
		"heartbeat":        func() { Parse(JSON, hb, &up) },
		"subscribe":        func() { Parse(JSON, sub, &up) },
		"binary heartbeat": func() { Parse(Binary, bin, &up) },
		"append heartbeat": func() { AppendHeartbeat(buf, JSON, 20000, 3000, Ring{7, 1 << 63}) },
		"append message":   func() { AppendMessage(buf, JSON, &m) },
		"append welcome":   func() { AppendWelcome(buf, JSON, &Welcome{SID: bin[1:1], Epoch: "e", Node: "n", Seq: 1}) },
		"append parts":     func() { AppendMessageTail(AppendMessageHead(buf, JSON, m.Shape(), 7), JSON, &m) },
		"append bin parts": func() { AppendMessageTail(AppendMessageHead(buf, Binary, m.Shape(), 7), Binary, &m) },
		"append escapes":   func() { AppendSkip(buf, JSON, 7, "é\"\n") },
		"append skip":      func() { AppendSkip(buf, Binary, 7, "ttl") },
		"append away":      func() { AppendAway(buf, JSON, 4001, 8000, "wss://n8") },
		"auth":             func() { Parse(JSON, auth, &up) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// TestNoAllocsDown: a client that holds thousands of connections reads what
// comes often without allocating.
func TestNoAllocsDown(t *testing.T) {
	var d Down
	m := Message{Seq: 7, TTL: 60, ID: []byte("m1"), Channel: []byte("cmd"), Payload: []byte(`{"a":1}`)}
	raw := m
	raw.Raw = true
	buf := make([]byte, 0, 64)
	for name, msg := range map[string]func(Format) []byte{
		"msg":     func(f Format) []byte { return AppendMessage(nil, f, &m) },
		"raw msg": func(f Format) []byte { return AppendMessage(nil, f, &raw) },
		"hb":      func(f Format) []byte { return AppendHeartbeat(nil, f, 7500, 9000, Ring{7, 1 << 63}) },
		"skip":    func(f Format) []byte { return AppendSkip(nil, f, 7, "ttl") },
		"res":     func(f Format) []byte { return AppendResult(nil, f, 7, nil) },
		"refused": func(f Format) []byte { return AppendResult(nil, f, 7, &Error{"limit", "no"}) },
		"away":    func(f Format) []byte { return AppendAway(nil, f, 4001, 8000, "wss://n8") },
	} {
		for f := range Formats {
			data := msg(f)
			if n := testing.AllocsPerRun(100, func() {
				if err := ParseDown(f, data, &d); err != nil {
					t.Fatal(err)
				}
				d.AppendPayload(buf)
			}); n != 0 {
				t.Errorf("%s, %v: allocates %v times", name, f, n)
			}
		}
	}
}
