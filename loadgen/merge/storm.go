package merge

import (
	"math"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// Storm returns how the connections of a phase came back: cut were ended, t is
// what was counted, and peak the most dials of any second.
func Storm(cut uint64, t *tally.Tally, peak uint64) *result.Storm {
	sum := t.Total()
	s := &result.Storm{Cut: cut, Restored: sum.Restored, PeakDials: peak, Gap: sum.Gap}
	at := t.Hists[tally.RestoreAt]
	s.T50, s.T90, s.T99, s.T100 = restored(at, cut, .5), restored(at, cut, .9), restored(at, cut, .99), restored(at, cut, 1)
	if s.Restored > 0 {
		s.DialsPerRestored = float64(sum.Redials) / float64(s.Restored)
		s.ResumedShare = float64(sum.Resumed) / float64(s.Restored)
	}
	return s
}

// restored returns when a share of cut was ready again, by the times in at; -1:
// never.
func restored(at *tally.Hist, cut uint64, share float64) time.Duration {
	came := at.Count()
	need := uint64(math.Ceil(share*float64(cut) - 1e-9))
	if cut == 0 || came < need || came == 0 {
		return -1
	}
	if need == came {
		return time.Duration(at.Max())
	}
	return time.Duration(at.Quantile(float64(need) / float64(came)))
}
