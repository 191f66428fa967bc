package cluster

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"roost/decay/dawn"
)

// TestNightPlan: what people write about nights, and what is refused.
func TestNightPlan(t *testing.T) {
	c, limits, err := ReadNightPlan([]byte(`{"environment":"test","zone":"Europe/Berlin","curve":{"shape":"smooth","floor":0.2,"lead":"20m"},
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
		`{"environment":"test","zone":"UTC","windows":[{"id":"` + strings.Repeat("x", maxNightPlan) + `"}]}`:                                   "at most",
		`{"environment":"test","zone":"UTC","windows":[{"id":"x","start":"yesterday","duration":"1h","nodes":{"ids":["a"]}}]}`:                 "cannot be read",
		`{"environment":"test","zone":"UTC","curve":{"shape":"round"}}`:                                                                        "round",
		`{"environment":"test","zone":"UTC","curve":{"floor":2},"windows":[{"id":"x","cron":"@daily","duration":"1h","nodes":{"ids":["a"]}}]}`: "floor",
	} {
		if _, _, err := ReadNightPlan([]byte(text), "test"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.100s: %v, want %q", text, err, want)
		}
	}
}

// TestPureAnyNightPlan: whatever is taken for a plan can be asked for its nights. (No fuzz target: it
// would have etcd's client built anew, with counters.)
func TestPureAnyNightPlan(t *testing.T) {
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
		c, limits, err := ReadNightPlan([]byte(text), "test")
		if err != nil {
			continue
		}
		taken++
		for _, n := range c.Due(now) {
			if _, err := dawn.NewMachine(dawn.Config{Node: "n1", Life: 1, Environment: "test", Rules: dawn.DefaultRules, Limits: limits}, n); err != nil {
				t.Errorf("%s: no machine for %v: %v", text, n.Date, err)
			}
		}
		c.Next(now)
	}
	if taken < 20 {
		t.Errorf("%d plans were taken", taken)
	}
}
