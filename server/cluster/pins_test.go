package cluster

import (
	"errors"
	"math"
	"testing"
	"time"

	"roost/server/testetcd"
)

// TestPinnedWeights: a pin takes the place of what is published, also of 0, which
// goes through a trial; a node that drains drains.
func TestPinnedWeights(t *testing.T) {
	abc := built(t, 1, "a", "b", "c")
	for name, c := range map[string]struct {
		members, pins string
		want          string
		after         time.Duration
	}{
		"pinned as it is":           {"a=5000 b c", `{"nodes":{"a":{"weight":1}}}`, "nothing", 0},
		"a step of a tenth":         {"a=9000 b c", `{"nodes":{}}`, "weights: a=0.9", 5 * time.Minute}, // 1 - 0.9 is less than 0.1, in floats
		"less than that":            {"a=9100 b c", `{"nodes":{}}`, "nothing", 0},
		"pinned to half":            {"a=10000 b c", `{"nodes":{"a":{"weight":0.5}}}`, "weights: a=0.5", 5 * time.Minute},
		"pinned to nothing":         {"a=10000 b c", `{"nodes":{"a":{"weight":0}}}`, "weights: a=0", 5 * time.Minute},
		"pinned, and drains":        {"a=0 b c", `{"nodes":{"a":{"weight":1}}}`, "urgent: a=0", 200 * time.Millisecond},
		"who comes is pinned":       {"a b c d=10000", `{"nodes":{"d":{"weight":0}}}`, "nothing", 0},
		"damaged":                   {"a=5000 b c", `{"nodes":{"a":{"weight":-1}}}`, "weights: a=0.5", 5 * time.Minute},
		"somebody who is not there": {"a b c", `{"nodes":{"x":{"weight":1}}}`, "nothing", 0},
	} {
		t.Run(name, func(t *testing.T) {
			v := planView(50, c.members)
			v.Config = map[string]Entry{"weights": {Value: []byte(c.pins), Revision: 3}}
			if d, after := decideInTime(v, abc, nil); said(d) != c.want || after != c.after {
				t.Errorf("decided %q after %v (%s), want %q after %v", said(d), after, d.Why, c.want, c.after)
			}
		})
	}
}

// TestPin: pins are set and taken away by compare-and-swap.
func TestPin(t *testing.T) {
	s := testetcd.Start(t)
	c := identified(t, s)
	w := watching(t, c, fast)
	none := w.View()
	if err := c.Pin(limit(t), none, map[string]Pin{"a": {Weight: 0.5, By: "ada"}, "b": {Weight: 0}}); err != nil {
		t.Fatal(err)
	}
	v := sees(t, w, "pins", func(v *View) bool {
		pins, err := PinsOf(v)
		return err == nil && len(pins) == 2 && pins["a"].Weight == 0.5
	})
	if err := c.Pin(limit(t), none, map[string]Pin{"c": {Weight: 1}}); !errors.Is(err, ErrMoved) {
		t.Errorf("late: %v", err)
	}
	for _, bad := range []float64{-1, math.NaN(), math.Inf(1), 1e9} {
		if err := c.Pin(limit(t), v, map[string]Pin{"c": {Weight: bad}}); !errors.Is(err, ErrOptions) {
			t.Errorf("weight %v: %v", bad, err)
		}
	}
	if err := c.Pin(limit(t), v, nil, "a", "b"); err != nil {
		t.Fatal(err)
	}
	sees(t, w, "no pins", func(v *View) bool { _, there := v.Config["weights"]; return !there })
	if other := dial(t, s, func(o *Options) { o.Cluster.ID = "other" }); !errors.Is(other.Pin(limit(t), none, nil), ErrOtherCluster) {
		t.Error("another cluster pins")
	}
}
