package member

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"roost/decay/dawn"
	"roost/server/cluster"
	"roost/server/testetcd"
)

// TestPlan: what people write about nights, and what is refused.
func TestPlan(t *testing.T) {
	c, limits, err := cluster.ReadNightPlan([]byte(`{"environment":"test","zone":"Europe/Berlin","curve":{"shape":"smooth","floor":0.2,"lead":"20m"},
		"limits":{"spare":0,"retry":"5m"},
		"windows":[{"id":"db","cron":"0 2 * * *","until":"04:00","nodes":{"zones":["a"]}},
		           {"id":"once","start":"2026-03-14T03:00:00Z","duration":"1h","nodes":{"ids":["n1"]},"curve":{"recovery":"10m"}}]}`), "test")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Windows) != 2 || c.Zone.String() != "Europe/Berlin" || c.Curve.Shape != dawn.Smooth || c.Curve.Floor != 0.2 || c.Curve.Lead != 20*time.Minute ||
		c.Curve.Recovery != dawn.DefaultCurve.Recovery || limits.Spare != 0 || limits.Retry != 5*time.Minute || limits.MaxUse != dawn.DefaultLimits.MaxUse ||
		c.Windows[1].Curve.Recovery != 10*time.Minute || c.Windows[1].Curve.Lead != 20*time.Minute || c.Windows[0].Until.String() != "04:00:00" {
		t.Errorf("%+v, %+v", c, limits)
	}
	for text, want := range map[string]string{
		``:                                      "cannot be read",
		`{`:                                     "cannot be read",
		`{"environment":"test","zone":"UTC"} x`: "something follows",
		`{"environment":"test","zone":"UTC","widows":[]}`: `unknown field "widows"`,
		`{"environment":"production","zone":"UTC"}`:       `environment "production", this cluster is "test"`,
		`{"environment":"test"}`:                          "zone",
		`{"environment":"test","zone":"Local"}`:           "zone",
		`{"environment":"test","zone":"Mars/Olympus"}`:    "Mars/Olympus",
		`{"environment":"test","zone":"UTC","windows":[{"id":"x","cron":"0 25 * * *","duration":"1h","nodes":{"ids":["a"]}}]}`:                 `window "x"`,
		`{"environment":"test","zone":"UTC","windows":[{"id":"x","cron":"0 2 * * *","duration":"1 hour","nodes":{"ids":["a"]}}]}`:              "duration",
		`{"environment":"test","zone":"UTC","windows":[{"id":"x","cron":"0 2 * * *","duration":"1h","nodes":{}}]}`:                             `window "x"`,
		`{"environment":"test","zone":"UTC","windows":[{"id":"x","cron":"0 2 * * *","until":"25:00","nodes":{"ids":["a"]}}]}`:                  `window "x"`,
		`{"environment":"test","zone":"UTC","windows":[{"id":"x","cron":"0 2 * * *","cron_zone":"X","until":"4:00","nodes":{}}]}`:              `window "x"`,
		`{"environment":"test","zone":"UTC","limits":{"max_use":7}}`:                                                                           "7",
		`{"environment":"test","zone":"UTC","windows":[{"id":"` + strings.Repeat("x", maxPlan) + `"}]}`:                                        "at most",
		`{"environment":"test","zone":"UTC","windows":[{"id":"x","start":"yesterday","duration":"1h","nodes":{"ids":["a"]}}]}`:                 "cannot be read",
		`{"environment":"test","zone":"UTC","curve":{"shape":"round"}}`:                                                                        "round",
		`{"environment":"test","zone":"UTC","curve":{"floor":2},"windows":[{"id":"x","cron":"@daily","duration":"1h","nodes":{"ids":["a"]}}]}`: "floor",
	} {
		if _, _, err := cluster.ReadNightPlan([]byte(text), "test"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.100s: %v, want %q", text, err, want)
		}
	}
}

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

// TestAnyPlan: whatever is taken for a plan can be asked for its nights. (No fuzz target: it
// would have etcd's client built anew, with counters.)
func TestAnyPlan(t *testing.T) {
	pick := func(list ...string) string { return list[rand.IntN(len(list))] }
	taken, now := 0, time.Unix(1_800_000_000, 0)
	for range 5000 {
		window := fmt.Sprintf(`{"id":%q,%s,%s,"nodes":{%s}}`, pick("w", "w", "", "x"),
			pick(`"cron":"0 2 * * *"`, `"cron":"*/5 * * * * *"`, `"cron":"@daily","cron_zone":"Asia/Kolkata"`, `"start":"2027-01-15T08:00:00Z"`, `"start":"0000-01-01T00:00:00Z"`, `"cron":"0 0 30 2 *"`),
			pick(`"until":"04:00"`, `"duration":"1h"`, `"duration":"-1h"`, `"duration":"9000h"`, `"until":"2:60"`, `"duration":"1h","until":"04:00"`),
			pick(`"zones":["a*"]`, `"ids":["*"]`, `"labels":{"a":"b"}`, ``, `"ids":[""]`))
		text := fmt.Sprintf(`{"environment":"test","zone":%q,"curve":{"shape":%q,"floor":%s,"lead":%q},"limits":{"spare":%s,"retry":%q},"windows":[%s]}`,
			pick("UTC", "Europe/Berlin", "Australia/Lord_Howe"), pick("linear", "smooth", "exponential"), pick("0", "0.1", "1", "2", "-1"), pick("30m", "1s", "24h", "25h"),
			pick("0", "1", "-1"), pick("10m", "1s", "24h"), window)
		c, limits, err := cluster.ReadNightPlan([]byte(text), desk.Environment)
		if err != nil {
			continue
		}
		taken++
		for _, n := range c.Due(now) {
			if _, err := dawn.NewMachine(dawn.Config{Node: "n1", Life: 1, Environment: desk.Environment, Rules: dawn.DefaultRules, Limits: limits}, n); err != nil {
				t.Errorf("%s: no machine for %v: %v", text, n.Date, err)
			}
		}
		c.Next(now)
	}
	if taken < 20 {
		t.Errorf("%d plans were taken", taken)
	}
}
