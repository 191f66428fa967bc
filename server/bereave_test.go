package server

import "testing"

// TestRedisForgets: devices whose streams Redis has lost keep their connections until they are back for others, however
// often that happens: each time they are told at once, and nobody is closed before.
func TestRedisForgets(t *testing.T) {
	f := newFleet(t)
	s := f.node("n1")
	f.ring(1, "n1")
	f.up(s)
	p, w := device(t, s, "device=d1", "roost.v1.json")
	for i := range 3 {
		p.send(`{"t":"sub","r":1,"ch":"fw"}`)
		p.gets(`{"t":"res","r":1,"ok":true}`)
		publish(t, s, `{"device":"d1","payload":0}`)
		p.awaits("msg")
		f.redis.Text("FLUSHALL")
		if i > 0 { // else an acknowledgement finds it
			s.StoreLost()
		} else {
			p.send(`{"t":"ack","seq":1}`)
		}
		if m := p.awaits("away"); m["code"] != 4003.0 || m["url"] != nil {
			t.Fatalf("told %v", m)
		}
		publish(t, s, `{"topic":"fw","class":"live","payload":1}`)
		if m := p.awaits("msg"); m["p"] != 1.0 {
			t.Errorf("got %v", m)
		}
		if n := s.cluster.alone.Load(); n != 1 {
			t.Errorf("%d devices are without a session in the store", n)
		}
		next, again := device(t, s, "device=d1&sid="+w["sid"].(string)+"&epoch="+w["epoch"].(string)+"&seq=1", "roost.v1.json")
		if again["resumed"] != false || again["epoch"] == w["epoch"] {
			t.Errorf("welcomed %v after %v", again, w)
		}
		publish(t, s, `{"device":"d1","payload":2}`)
		if m := next.awaits("msg"); m["p"] != 2.0 {
			t.Errorf("got %v", m)
		}
		if code := p.closeCode(); code != 4002 {
			t.Errorf("the connection before was closed with %d", code)
		}
		p, w = next, again
		eventually(t, "all have one", func() bool { return s.cluster.alone.Load() == 0 })
	}
}
