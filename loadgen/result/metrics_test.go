package result_test

import (
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"roost/loadgen/result"
	"roost/loadgen/result/sample"
	"roost/loadgen/tally"
)

// small is a run whose metrics can be worked out by hand: two measured phases
// and a warm-up, a group that reads and one that does not.
func small() *result.Result {
	group := func(c tally.Counts, values ...int64) tally.Group {
		g := tally.Group{Counts: c}
		if len(values) > 0 {
			g.Hists[tally.Delivery] = tally.NewHist()
			for _, v := range values {
				g.Hists[tally.Delivery].Record(v)
			}
			g.Hists[tally.Delivery].Miss(c.Missing)
		}
		return g
	}
	return &result.Result{
		Schema: result.Schema, ID: "x", Verdict: result.Valid,
		Scenario: result.Scenario{Groups: []result.Group{{Name: "healthy", Reads: true}, {Name: "slow"}}},
		Servers:  []result.Server{{Name: "s", Before: &result.ServerUse{RSS: 1000, Heap: -1, Slab: 100, Sock: 0}}},
		Workers:  []result.Worker{{Clients: 10, UserPerConn: 100}, {Clients: 30, UserPerConn: 200}},
		Phases: []result.Phase{
			{Name: "ramp", Length: 2 * time.Second, Connected: 40, Tally: &tally.Tally{Groups: []tally.Group{
				group(tally.Counts{Dials: 30, Established: 30, Ready: 30}), group(tally.Counts{Dials: 10, Established: 10, Ready: 10})}},
				Servers: []result.ServerUse{{CPU: time.Second, RSS: 5000, Heap: 10, Slab: 500, Sock: 0}}, Workers: result.WorkerUse{Cores: 1, RSS: 7}},
			{Name: "warm", Warmup: true, Length: time.Second, Connected: 40, Tally: &tally.Tally{Groups: []tally.Group{
				group(tally.Counts{Expected: 1, Delivered: 1}, 9e9), {}}}},
			{Name: "hold", Length: 4 * time.Second, Connected: 40, Tally: &tally.Tally{Groups: []tally.Group{
				group(tally.Counts{Planned: 4, Sent: 4, Expected: 10, Delivered: 9, Wrong: 1, Missing: 1, Late: 3}, 1e6, 2e6, 2e6, 2e6, 2e6, 2e6, 2e6, 2e6, 2e6),
				group(tally.Counts{Expected: 10, Delivered: 5, Missing: 5}, 1e9, 1e9, 1e9, 1e9, 1e9)}},
				Servers: []result.ServerUse{{CPU: 14 * time.Microsecond, User: 7 * time.Microsecond, Softirq: 14 * time.Microsecond, RSS: 5000, Heap: 10, Slab: 900, Sock: 200}},
				Errors:  []result.ErrorLine{{Stage: "open", Class: "close 1006", Count: 3}}},
		},
	}
}

// TestOrderAccusesNobody: reordered has no better side, and says why.
func TestOrderAccusesNobody(t *testing.T) {
	if m, ok, _ := small().Lookup("hold.reordered"); !ok || m.Better != "" || !strings.Contains(m.Note, "overtake") {
		t.Errorf("%+v, %v", m, ok)
	}
}

func TestMetrics(t *testing.T) {
	miss := math.Inf(1)
	for name, want := range map[string]float64{
		"delivery.p50":                2e6,
		"delivery.p99":                miss,
		"delivery.max":                miss,
		"delivery.count":              10, // the reading group, the miss included, without the warm-up
		"hold.delivery.p90":           2e6,
		"warm.delivery.p50":           9e9,
		"hold.slow.delivery.p50":      1e9,
		"hold.slow.delivery.count":    10,
		"healthy.delivery.count":      10,
		"lost":                        1,
		"hold.slow.lost":              5,
		"missing":                     6,
		"expected":                    20,
		"delivered_ratio":             .9,
		"hold.slow.delivered_ratio":   .5,
		"warm.delivered_ratio":        1,
		"errors":                      3,
		"dials":                       40,
		"dial_rate":                   20, // of the ramp alone
		"ramp.healthy.ready_rate":     15,
		"send_rate":                   1,
		"connected":                   40,
		"server.cpu_per_msg":          1000,
		"server.user_cpu_per_msg":     500,
		"ramp.server.cpu_per_msg":     1e9 / 40,
		"system.cpu_per_msg":          2000,
		"server.rss_b_per_conn":       125,
		"server.user_b_per_conn":      100,
		"server.kernel_b_per_conn":    25,
		"ramp.server.sock_b_per_conn": 0,
		"loadgen.user_b_per_conn":     175,
		"loadgen.cores":               2. / 6,
		"loadgen.rss":                 7,
	} {
		m, ok, reason := small().Lookup(name)
		if !ok {
			t.Errorf("%s: %s", name, reason)
		} else if m.Name != name || !near(m.Value, want) {
			t.Errorf("%s = %v, want %v", m.Name, m.Value, want)
		}
	}
}

// near allows for the width of a histogram's bucket, 1 part in 1000.
func near(got, want float64) bool {
	return got == want || math.Abs(got-want) <= 1e-3*math.Abs(want)
}

func TestLookupSaysWhyNot(t *testing.T) {
	for name, want := range map[string]string{
		"delivry.p99":              "did you mean delivery.p99?",
		"hold.healty.delivery.p99": "did you mean hold.healthy.delivery.p99?",
		"delivery":                 "delivery is a histogram: say which part of it, as in delivery.p99",
		"storm.t99":                "there is no value of storm.t99: there was no storm",
		"ramp.delivery.p50":        "there is no value of ramp.delivery.p50: nothing was due to anybody",
		"server.heap_b_per_conn":   "give its --pid or --metrics-url",
		"hold.healthy.errors":      "no metric is named",
		"":                         "no metric is named \"\"",
		"gibberish_of_somebody":    "phases here are ramp, warm, hold",
		strings.Repeat("x", 999):   "no metric has so long a name",
	} {
		if _, ok, reason := small().Lookup(name); ok || !strings.Contains(reason, want) {
			t.Errorf("%.40s: %v %q, want %q", name, ok, reason, want)
		}
	}
}

// TestLookupIsMetrics: every metric of a list is what Lookup finds by its name.
func TestLookupIsMetrics(t *testing.T) {
	for _, name := range sample.Names {
		r := sample.Make(name)
		list := r.Metrics()
		for _, m := range list {
			if got, ok, reason := r.Lookup(m.Name); !ok || got != m {
				t.Errorf("%s: %s: %+v %s, want %+v", name, m.Name, got, reason, m)
			}
			if math.IsNaN(m.Value) || m.Unit == "" || m.Base == "" || !strings.HasSuffix(m.Name, m.Base) {
				t.Errorf("%s: %+v", name, m)
			}
		}
		if name != "empty" && len(list) < 100 {
			t.Errorf("%s: %d metrics", name, len(list))
		}
	}
}

// TestSlopeBeatsDifference: what depends on the process alone is left out.
func TestSlopeBeatsDifference(t *testing.T) {
	r := small()
	r.Servers[0].Slope = map[string]float64{"rss": 77}
	m, _, _ := r.Lookup("server.user_b_per_conn")
	if m.Value != 77 || !strings.Contains(m.Note, "slope") {
		t.Errorf("%+v", m)
	}
	if m, _, _ := r.Lookup("hold.server.user_b_per_conn"); m.Value != 100 || !strings.Contains(m.Note, "difference") {
		t.Errorf("%+v", m)
	}
}

// TestDocumented holds docs/RESULT.md and the code together: every metric has
// a line with its unit and direction there, and every line is a metric.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/RESULT.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_.]+)` \\| ([^|]+) \\| (lower|higher|-) \\|").FindAllStringSubmatch(string(text), -1) {
		documented[m[1]] = strings.TrimSpace(m[2]) + " " + m[3]
	}
	for _, f := range result.Families() {
		if got := documented[f[0]]; got != f[1]+" "+f[2] {
			t.Errorf("docs/RESULT.md has %q for %s, want %q", got, f[0], f[1]+" "+f[2])
		}
		delete(documented, f[0])
	}
	for name := range documented {
		t.Errorf("docs/RESULT.md has %s, which is no metric", name)
	}
}

// TestLookupOfAnything: no name makes it panic.
func TestLookupOfAnything(t *testing.T) {
	r := small()
	rapid.Check(t, func(t *rapid.T) {
		name := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"hold", "ramp", "healthy", "slow", "delivery", "p99", "lost", ".", "server", "storm", "x"}), 0, 6).Draw(t, "name"), ".")
		if _, ok, reason := r.Lookup(name); ok == (reason != "") {
			t.Fatalf("%q: %v %q", name, ok, reason)
		}
	})
}
