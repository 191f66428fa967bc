package member

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"roost/decay/dawn"
	"roost/server/cluster"
	"roost/server/testetcd"
)

// planOf is a plan of one window for one node that begins after a while.
func planOf(id string, start time.Time, lasts time.Duration) string {
	b, err := json.Marshal(map[string]any{
		"environment": desk.Environment, "zone": "UTC",
		"curve": map[string]any{"lead": "2s", "recovery": "1s"}, "limits": map[string]any{"max_use": 1, "spare": 0},
		"windows": []any{map[string]any{"id": "w", "start": start.UTC().Format(time.RFC3339Nano), "duration": lasts.String(), "nodes": map[string]any{"ids": []string{id}}}},
	})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestNight: a window that is planned empties its node ahead of it, by one record that all
// nodes agree on, and gives the weight back afterwards; a plan that cannot be read changes
// nothing.
func TestNight(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a night of some seconds")
	}
	t.Parallel()
	s := testetcd.Start(t)
	rules := dawn.DefaultRules
	rules.Spread, rules.Poll, rules.Backoff = 0, time.Second, time.Second
	var nodes []*rig
	for i := range 3 {
		r, err := dialed(t, s, fmt.Sprint("n", i))
		if err != nil {
			t.Fatal(err)
		}
		j := r.join()
		j.Rules = rules
		if err := r.Join(limit(t), j); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, r)
	}
	a := nodes[0]
	a.sees(t, "all weights", func(v *cluster.View) bool { return len(v.Weights) == 3 })
	put(t, s, "/roost/config/decay/plan", planOf("n1", time.Now().Add(4*time.Second), 3*time.Second))
	low := a.sees(t, "the floor", func(v *cluster.View) bool { return v.Weights["n1"].Value == 1000 })
	if w := low.Weights["n0"].Value; w != 10_000 {
		t.Errorf("n0, which is in no window, has %v", w)
	}
	put(t, s, "/roost/config/decay/plan", "spoilt")
	a.sees(t, "full weight again", func(v *cluster.View) bool { return v.Weights["n1"].Value == 10_000 })
	done := a.sees(t, "a night that is done", func(v *cluster.View) bool {
		records, err := cluster.Records(v)
		return err == nil && len(records) == 1 && records[0].Done()
	})
	records, err := cluster.Records(done)
	if err != nil || len(records[0].Entries) != 1 || records[0].Entries[0].Window != "w" || records[0].Entries[0].Stage != dawn.Cleared {
		t.Errorf("%+v, %v", records, err)
	}
	eventually(t, "the spoilt plan is spoken of", func() bool { return strings.Contains(a.log.String(), "the plan of maintenance nights is refused") })
}

// TestRecordsAreReadOnce: records are read again when they have changed, and only then.
func TestRecordsAreReadOnce(t *testing.T) {
	var r records
	v := viewOf(1, nil)
	if list, err := r.of(v); len(list) != 0 || err != nil {
		t.Errorf("none: %v, %v", list, err)
	}
	v.Config["decay/done/20260314"] = cluster.Entry{Value: []byte("spoilt"), Revision: 3}
	if _, err := r.of(v); err == nil {
		t.Error("a spoilt one is no error")
	}
	before := r.err
	if _, err := r.of(v); err == nil || r.err != before {
		t.Error("it was read again")
	}
	delete(v.Config, "decay/done/20260314")
	if _, err := r.of(v); err != nil {
		t.Errorf("it is gone: %v", err)
	}
}
