package merge

import (
	"math"
	"time"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// Storm returns how the connections came back that a phase's storm has cut: cut
// is their number, t what was counted, and peak the most dials of any second.
// Others that were lost and came back meanwhile are left out, but for the peak.
func Storm(cut uint64, t *tally.Tally, peak uint64) *result.Storm {
	sum := t.Total()
	at := t.Hists[tally.RestoreAt]
	cut = max(cut, at.Count()) // it may have been read before the last were cut
	s := &result.Storm{Cut: cut, Restored: at.Count(), PeakDials: peak, Gap: sum.Gap}
	s.T50, s.T90, s.T99, s.T100 = restored(at, cut, .5), restored(at, cut, .9), restored(at, cut, .99), restored(at, cut, 1)
	if s.Restored > 0 {
		s.DialsPerRestored = float64(sum.StormRedials) / float64(s.Restored)
		s.ResumedShare = float64(sum.StormResumed) / float64(s.Restored)
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
