package crossnode

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"roost/server/testbin"
)

// TestReal: two nodes of a real cluster, messages to devices at one of them, by the
// other node and by a publisher that routes itself. All arrive, nobody disagrees about the
// ring, and who routes itself goes to the right node.
func TestReal(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a cluster")
	}
	o := Options{Devices: 20}.withDefaults()
	bin := t.TempDir()
	if err := testbin.Into(bin, "roostd"); err != nil {
		t.Fatal(err)
	}
	o.Roostd = filepath.Join(bin, "roostd")
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	err := own(func(own *owner) error {
		s, err := start(ctx, own, &o, t.TempDir())
		if err != nil {
			return err
		}
		for i, mode := range []string{modeAny, modeRing} {
			before, err := s.a.Metrics()
			if err != nil {
				return err
			}
			x, err := s.measure(ctx, i+1, load{Name: "test", Rate: 200, Batch: 10, Publishers: 2, Lanes: 1}, mode, 0, time.Second)
			if err != nil {
				return err
			}
			if x.Published != 200 || x.Delivered != 200 || x.Missing != 0 || x.Repeats != 0 || x.Disagree != 0 || x.Stages["redis"].Count == 0 {
				t.Errorf("%s: %+v", mode, x)
			}
			after, err := s.a.Metrics()
			if err != nil {
				return err
			}
			took := after[stageCount] - before[stageCount]
			if mode == modeAny && took == 0 || mode == modeRing && took != 0 {
				t.Errorf("%s: node A took %v publishes", mode, took)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// stageCount is how many publishes a node has stored.
const stageCount = `roost_publish_stage_seconds_count{stage="redis"}`
