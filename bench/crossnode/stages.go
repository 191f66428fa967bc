package crossnode

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"roost/bench/chaos/rig"
)

// node is whose metrics are read: *rig.Node.
type node interface{ Metrics() (rig.Metrics, error) }

// stageMetric is the histogram of the stages of a publish.
const stageMetric = "roost_publish_stage_seconds_bucket"

// buckets are counts by stage and upper bound, cumulative, as the metrics have them.
type buckets map[string]map[float64]float64

// Stage is a stage of a publish in a node's own histogram. Times are upper bounds of
// buckets, in milliseconds; -1 is above all of them.
type Stage struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50_ms_at_most"`
	P99   float64 `json:"p99_ms_at_most"`
}

func stagesOf(n node) (buckets, error) {
	m, err := n.Metrics()
	if err != nil {
		return nil, err
	}
	return parse(m), nil
}

// parse finds the histogram in the metrics.
func parse(m rig.Metrics) buckets {
	all := buckets{}
	for series, v := range m {
		labels, ok := strings.CutPrefix(series, stageMetric+"{")
		if !ok {
			continue
		}
		stage, le := label(labels, "stage"), label(labels, "le")
		bound, err := strconv.ParseFloat(le, 64) // "+Inf" too
		if err != nil {
			continue
		}
		if all[stage] == nil {
			all[stage] = map[float64]float64{}
		}
		all[stage][bound] = v
	}
	return all
}

// label returns the value of a label.
func label(labels, name string) string {
	_, rest, _ := strings.Cut(labels, name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// since returns what came behind before.
func (b buckets) since(before buckets) map[string]Stage {
	all := map[string]Stage{}
	for stage, counts := range b {
		var bounds []float64
		for bound := range counts {
			bounds = append(bounds, bound)
		}
		slices.Sort(bounds)
		count := func(bound float64) float64 { return counts[bound] - before[stage][bound] }
		n := count(math.Inf(1))
		quantile := func(q float64) float64 {
			for _, bound := range bounds {
				if count(bound) >= q*n && !math.IsInf(bound, 1) {
					return bound * 1e3
				}
			}
			return -1
		}
		if n > 0 {
			all[stage] = Stage{int(n), quantile(0.5), quantile(0.99)}
		}
	}
	return all
}
