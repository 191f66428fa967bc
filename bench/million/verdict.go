package million

import (
	"fmt"
	"strings"

	"roost/loadgen/result"
)

// Failure is a run that came to its end and does not show that the devices were
// held and reached.
type Failure struct {
	Verdict result.Verdict
	Why     []string // not empty
}

func (f *Failure) Error() string {
	return fmt.Sprintf("%s: %s", f.Verdict, strings.Join(f.Why, "; "))
}

// judge returns a *Failure or nil.
func judge(r *result.Result) error {
	var why []string
	for _, c := range r.Validity {
		if c.State == "fail" {
			why = append(why, c.Name+": "+c.Text)
		}
	}
	for _, t := range r.Thresholds {
		if t.State != "pass" {
			why = append(why, fmt.Sprintf("%s does not hold: %g", t.Text, t.Value))
		}
	}
	if m, ok, _ := r.Lookup("lost"); ok && m.Value > 0 && len(why) == 0 {
		why = append(why, fmt.Sprintf("%.0f messages were lost", m.Value))
	}
	if len(why) == 0 && r.Verdict != result.Valid {
		why = append(why, "see report.md")
	}
	if len(why) == 0 {
		return nil
	}
	return &Failure{Verdict: r.Verdict, Why: why}
}
