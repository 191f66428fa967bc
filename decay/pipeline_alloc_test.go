//go:build !race

package decay

import (
	"testing"
	"time"
)

// TestPipelineDoesNotAlloc: a step over nodes of every status, samples, and
// explanations with their text.
func TestPipelineDoesNotAlloc(t *testing.T) {
	for _, form := range []Form{ZScore, Given, Scaled} {
		p, nodes := cluster(t, 256, Settings{Form: form, Window: 3})
		c, err := NewController(p, ControlSettings{Live: LiveSettings{On: true, Update: time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Duration(0)
		var e Explanation
		text := make([]byte, 0, 1024)
		c.Update(now, 100)
		allocs := testing.AllocsPerRun(100, func() {
			now += 2 * time.Second
			for i, n := range nodes {
				if i > 10 {
					s := usual(now)
					s.CPU += float64(i%9) + float64(now/time.Second%5)
					p.Put(n, s)
				}
			}
			p.Rejoin(now, nodes[20+int(now/time.Second)%20])
			c.Update(now, 100)
			c.Explain(nodes[int(now/time.Second)%256], &e)
			text, _ = e.AppendText(text[:0])
		})
		if allocs != 0 {
			t.Errorf("form %d: %v allocations a step, want 0", form, allocs)
		}
	}
}
