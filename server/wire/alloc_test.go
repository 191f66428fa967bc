//go:build !race

package wire

import "testing"

func TestNoAllocs(t *testing.T) {
	var up Up
	buf := make([]byte, 0, 1024)
	hb, sub, bin := []byte(`{"t":"hb","seq":1043}`), []byte(`{"t":"sub","r":1,"ch":"fw/eu"}`), []byte("\x20\x07")
	m := Message{Seq: 7, ID: []byte("m1"), Channel: []byte("cmd"), Payload: []byte(`{"a":1}`)}
	for name, f := range map[string]func(){
		"heartbeat":        func() { Parse(JSON, hb, &up) },
		"subscribe":        func() { Parse(JSON, sub, &up) },
		"binary heartbeat": func() { Parse(Binary, bin, &up) },
		"append heartbeat": func() { AppendHeartbeat(buf, JSON, 20000) },
		"append message":   func() { AppendMessage(buf, JSON, &m) },
		"append welcome":   func() { AppendWelcome(buf, JSON, &Welcome{SID: bin[1:1], Node: "n"}) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
