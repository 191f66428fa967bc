package result

import (
	"math"
	"time"
)

// stormFamilies are of storms. Over several storms they are the worst.
var stormFamilies = []family{
	storm("storm.t50", "ns", lower, func(t *Storm) float64 { return never(t.T50) }),
	storm("storm.t90", "ns", lower, func(t *Storm) float64 { return never(t.T90) }),
	storm("storm.t99", "ns", lower, func(t *Storm) float64 { return never(t.T99) }),
	storm("storm.t100", "ns", lower, func(t *Storm) float64 { return never(t.T100) }),
	storm("storm.dials_per_restored", "1", lower, func(t *Storm) float64 { return t.DialsPerRestored }),
	storm("storm.peak_dials", "1/s", "", func(t *Storm) float64 { return float64(t.PeakDials) }),
	storm("storm.resumed", "share", higher, func(t *Storm) float64 { return t.ResumedShare }),
	storm("storm.gap", "1", lower, func(t *Storm) float64 { return float64(t.Gap) }),
	storm("storm.cut", "1", "", func(t *Storm) float64 { return float64(t.Cut) }),
	storm("storm.restored", "1", "", func(t *Storm) float64 { return float64(t.Restored) }),
}

func storm(name, unit, better string, of func(*Storm) float64) family {
	return family{name: name, unit: unit, better: better, needs: "there was no storm",
		value: func(s *scope) (worst float64, note string, ok bool) {
			for _, p := range s.phases {
				if p.Storm == nil {
					continue
				}
				v := of(p.Storm)
				switch {
				case !ok:
					worst, ok = v, true
				case better == higher:
					worst = min(worst, v)
				default:
					worst = max(worst, v)
				}
			}
			return worst, "", ok
		}}
}

// never is a time in ns, +Inf for what did not come about.
func never(d time.Duration) float64 {
	if d < 0 {
		return math.Inf(1)
	}
	return float64(d)
}
