package server

import (
	"fmt"
	"strings"
	"testing"

	"roost/server/presence"
)

// TestTakenForLost: a node that did not run for longer than others wait is taken for dead, and its devices for lost. When it
// runs again it still has them: what was stored for them meanwhile, which nobody was told of, they get as soon as presence
// has them again.
func TestTakenForLost(t *testing.T) {
	f := newFleet(t)
	a, b := f.node("n1"), f.node("n2")
	f.ring(1, "n1", "n2")
	f.up(a, b)
	d := f.owned("n2", 1)[0]
	p := at(t, b, d)
	looks := func() uint64 { return b.resync.n.Load() }
	eventually(t, "it has looked, as each that listens", func() bool { return looks() > 0 })
	for i := 0; ; i++ {
		before := looks()
		since, err := f.redis.Do("HGET", presence.Key(d), "t")
		if err == nil { // as who sweeps a dead node does
			_, err = f.redis.Do("HSET", presence.Key(d), "x", "3", "c", fmt.Sprint(since), "r", fmt.Sprint(int(presence.NodeLost)))
		}
		if err != nil {
			t.Fatal(err)
		}
		missed := strings.Contains(publish(t, a, fmt.Sprintf(`{"device":%q,"payload":%d}`, d, i)), `"offline"`)
		for m := p.awaits("msg"); m["p"] != float64(i); m = p.awaits("msg") {
		}
		if missed {
			eventually(t, "it looks, not only once a minute", func() bool { return looks() > before })
			break
		} // else it had said already that it has the device
	}
	eventually(t, "presence has it again", func() bool { return f.held(d) == "n2" })
}
