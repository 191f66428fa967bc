package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"roost/loadgen/result"
)

// secondary are the metrics that are tested beside the primary one, the most
// telling first. What the runs do not have falls away; what too few pairs cannot
// tell is cut from the end.
var secondary = []string{
	"lost", "delivery.p99", "delivery.p50", "server.cpu_per_msg", "system.cpu_per_msg", "server.user_b_per_conn", "delivery.p999",
	"storm.t99", "fan_last.p99", "publish_ack.p99", "connect.p99", "greeting.p99", "restore.p99", "server.kernel_b_per_conn",
	"failed", "lost_connections", "duplicate", "storm.gap", "server.rss_b_per_conn", "server.gc_pause_max",
	"delivery_rate", "ready_rate",
}

// primaries are what the primary metric is chosen from.
var primaries = []string{"server.cpu_to_loadgen", "server.cpu_per_msg", "delivery.p99", "connect.p99"}

const (
	effectTimes  = 0.05 // p99 and other times scatter more than sums do
	effectOthers = 0.02
)

// TestedMetrics are those that comparisons test: what could be primary, then the
// secondary ones.
func TestedMetrics() (names []string) {
	for _, name := range slices.Concat(primaries, secondary) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// MinEffect is the least |ratio - 1| that counts for metrics of a unit, unless
// another is asked for.
func MinEffect(unit string) float64 {
	if unit == "ns" {
		return effectTimes
	}
	return effectOthers
}

func (o *Options) minEffect(m *result.Metric) float64 {
	if o.MinEffect > 0 {
		return o.MinEffect
	}
	return MinEffect(m.Unit)
}

// table holds the metrics of both sides by name.
type table struct {
	order []string // as listed by the runs
	kinds map[string]*result.Metric
	a, b  map[string][]float64 // by run; NaN where a run has none
}

func newTable(a, b Side) *table {
	t := &table{kinds: map[string]*result.Metric{}, a: map[string][]float64{}, b: map[string][]float64{}}
	t.fill(t.a, a)
	t.fill(t.b, b)
	return t
}

// fill adds a side's metrics. Negative values are levels that were not read.
func (t *table) fill(values map[string][]float64, side Side) {
	for i, run := range side.Runs {
		for _, m := range run.Result.Metrics() {
			if m.Warmup || math.IsNaN(m.Value) || m.Value < 0 {
				continue
			}
			if t.kinds[m.Name] == nil {
				t.order = append(t.order, m.Name)
				t.kinds[m.Name] = &m
			}
			v := values[m.Name]
			for len(v) < len(side.Runs) {
				v = append(v, math.NaN())
			}
			v[i] = m.Value
			values[m.Name] = v
		}
	}
}

// everywhere reports whether every run has a value of the metric.
func (t *table) everywhere(name string) bool {
	a, b := t.a[name], t.b[name]
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	for _, v := range slices.Concat(a, b) {
		if math.IsNaN(v) {
			return false
		}
	}
	return true
}

// primary chooses the primary metric.
func (t *table) primary(o *Options, any *result.Result) (string, error) {
	if o.Primary != "" {
		m := t.kinds[o.Primary]
		if m == nil {
			_, _, why := any.Lookup(o.Primary)
			return "", fmt.Errorf("primary metric: no run has a value of it: %s", strings.TrimPrefix(why, "there is "))
		}
		if m.Better == "" {
			return "", fmt.Errorf("primary metric %s: neither more nor less of it is better; choose another", o.Primary)
		}
		return o.Primary, nil
	}
	for _, name := range TestedMetrics() {
		if t.everywhere(name) && t.kinds[name].Better != "" {
			return name, nil
		}
	}
	return "", fmt.Errorf("no metric that could be primary is in every run: choose one by --primary, of %s", strings.Join(t.order[:min(len(t.order), 20)], ", "))
}
