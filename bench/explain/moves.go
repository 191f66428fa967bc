package explain

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"roost/bench/compare"
)

// Move is a metric that is not the same on both sides.
type Move struct {
	Metric string         `json:"metric"`
	Phase  string         `json:"phase,omitempty"`
	Unit   string         `json:"unit"`
	A      compare.Number `json:"a"` // medians
	B      compare.Number `json:"b"`
	Ratio  compare.Number `json:"ratio"`
	Lo     compare.Number `json:"lo"`
	Hi     compare.Number `json:"hi"`
	Clear  bool           `json:"clear"` // an interval of 95 % leaves out no difference
}

// ofGenerator are metrics of the generator, by their begin. They say whether a
// run is valid, and nothing about the server.
var ofGenerator = []string{"loadgen.", "hiccup", "send_lag", "dial_lag", "rx_lag"}

func isGenerators(base string) bool {
	return slices.ContainsFunc(ofGenerator, func(p string) bool { return strings.HasPrefix(base, p) })
}

func move(r *compare.Row) Move {
	return Move{r.Metric, r.Phase, r.Unit, r.MedianA, r.MedianB, r.Ratio, r.Lo, r.Hi, r.Coverage >= 0.95 && (r.Lo > 1 || r.Hi < 1)}
}

// moves lists the metrics that moved: those whose interval leaves 1 out first,
// then by how far. A metric with the values of one that is listed already, such
// as that of the only group, is left out, as are how many values a histogram has
// and what the generator did.
func moves(c *compare.Comparison) (list []Move) {
	seen := map[string]bool{}
	for _, rows := range [][]compare.Row{c.Tested, c.Shown} {
		for i := range rows {
			r := &rows[i]
			if len(r.ValuesA) == 0 || len(r.ValuesB) == 0 || r.Ratio == 1 || isGenerators(r.Base) || strings.HasSuffix(r.Base, ".count") {
				continue
			}
			values := fmt.Sprint(r.Unit, r.ValuesA, r.ValuesB)
			if seen[values] {
				continue
			}
			seen[values] = true
			list = append(list, move(r))
		}
	}
	slices.SortStableFunc(list, func(x, y Move) int {
		if x.Clear != y.Clear {
			if x.Clear {
				return -1
			}
			return 1
		}
		return cmp.Compare(distance(y.Ratio), distance(x.Ratio))
	})
	return list
}

// distance is how far a ratio is from 1, either way.
func distance(ratio compare.Number) float64 { return math.Abs(math.Log(float64(ratio))) }

// phases is the primary metric in each phase that has it.
func phases(c *compare.Comparison) (list []Move) {
	for i := range c.Shown {
		r := &c.Shown[i]
		if r.Phase != "" && r.Metric == r.Phase+"."+c.Tested[0].Metric && len(r.ValuesA) > 0 && len(r.ValuesB) > 0 {
			list = append(list, move(r))
		}
	}
	return list
}
