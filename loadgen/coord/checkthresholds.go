package coord

import (
	"errors"
	"fmt"
	"strings"

	"roost/loadgen/result"
	"roost/loadgen/scenario"
	"roost/loadgen/threshold"
)

// CheckThresholds says which thresholds of a scenario no run of it can ever
// have a value of, or not what was meant: metrics that do not exist, times
// without a unit, units that are no times. What a run may lack, such as
// figures of a server, is no mistake before it.
func CheckThresholds(s *scenario.Scenario) error {
	form := &result.Result{}
	for _, p := range s.Phases {
		form.Phases = append(form.Phases, result.Phase{Name: p.Name, Warmup: p.Warmup})
	}
	for _, g := range s.Groups {
		form.Scenario.Groups = append(form.Scenario.Groups, result.Group{Name: g.Name, Reads: Reads(g)})
	}
	var all error
	for _, text := range s.Thresholds {
		if err := checkThreshold(form, text); err != nil {
			all = errors.Join(all, fmt.Errorf("threshold %q: %w", text, err))
		}
	}
	return all
}

func checkThreshold(form *result.Result, text string) error {
	e, err := threshold.Parse(text)
	if err != nil {
		return err
	}
	unit, err := form.UnitOf(e.Metric)
	if err != nil {
		return err
	}
	isTime := strings.HasPrefix(unit, "ns")
	givesTime := strings.HasSuffix(e.Unit, "s") || e.Unit == "m"
	switch {
	case isTime && e.Unit == "" && e.Value != 0:
		return fmt.Errorf("%s is a time: want a unit, as in %gms", e.Metric, e.Value)
	case isTime && e.Unit != "" && !givesTime:
		return fmt.Errorf("%s is a time: want ns, us, ms, s or m, not %s", e.Metric, e.Unit)
	case !isTime && givesTime:
		return fmt.Errorf("%s is no time: want a number without %s", e.Metric, e.Unit)
	}
	return nil
}
