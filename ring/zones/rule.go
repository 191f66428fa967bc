package zones

import (
	"fmt"
	"strings"
	"time"

	"roost/ring"
	slot "roost/ring/slots"
)

// Every is how often zones are looked at: three checks in a row, which a
// correction takes, are 90 s.
const Every = 30 * time.Second

// Settings say when zones are evened out. The zero value is the default.
type Settings struct {
	// Every is the time between two checks; Every if 0.
	Every time.Duration
	// Slots are the governor's: Act 0.2, Rest, Alpha, Checks, Cool. Step is 1: a ring
	// changes at once, and its trial is the gradual part.
	Slots slot.Settings
}

// Memory is what the rule remembers from check to check. The zero value is of one
// that begins. It is a value: Check returns another one, and the one that it was
// given stays good.
type Memory struct {
	governor *slot.Governor // never changed once it is here
	targets  string         // those set, by which the governor goes
	checked  time.Time
	verdict  Verdict // of the last check
}

// Verdict is what a check says.
type Verdict struct {
	Act   bool // the weights of Table are to be made
	Table *Table
	Sigma float64 // smoothed, of the zones that are far off
	State slot.State
	Next  time.Duration // until the next check
	Why   string
}

// Check looks at the zones, if Every has passed since the last check, and says
// whether to act. Between checks it says what it said last, but for Act: what was
// not carried out by then is looked at anew.
func Check(m Memory, now time.Time, r *ring.Ring, nodes []Node, factors, targets map[string]float64, s Settings) (Verdict, Memory) {
	if s.Every == 0 {
		s.Every = Every
	}
	if since := now.Sub(m.checked); !m.checked.IsZero() && since >= 0 && since < s.Every {
		v := m.verdict
		v.Act, v.Next = false, s.Every-since
		return v, m
	}
	m.checked = now
	m.verdict = m.check(now, r, nodes, factors, targets, s)
	m.verdict.Next = s.Every
	return m.verdict, m
}

// check is a check that is due. It takes the governor's place.
func (m *Memory) check(now time.Time, r *ring.Ring, nodes []Node, factors, targets map[string]float64, s Settings) Verdict {
	t, hs, err := holdings(r, nodes, targets)
	if err != nil {
		m.governor = nil // who comes back begins anew
		return Verdict{Why: err.Error()}
	}
	var next slot.Governor
	// What capacities add up to is smoothed; what somebody sets is meant as it is.
	if set := fmt.Sprint(targets); m.governor == nil || set != m.targets {
		m.targets = set
		s.Slots.Step = 1
		g, err := slot.NewGovernor(s.Slots)
		if err != nil {
			return Verdict{Why: err.Error()}
		}
		next = *g
	} else {
		next = *m.governor // Check puts another map in the place of its own
	}
	d, err := next.Check(time.Duration(now.UnixNano()), hs)
	m.governor = &next
	if err != nil {
		return Verdict{Why: err.Error()}
	}
	v := Verdict{Table: t, Sigma: d.Sigma, State: d.State, Why: d.Why}
	if d.Plan == nil {
		return v
	}
	t.carryOut(r, nodes, factors, d.Plan)
	if over := t.Overloaded(r, nodes); len(over) > 0 {
		v.Why = fmt.Sprintf("sigma over zones %.3f, but evening them out would put %s above capacity", d.Sigma, strings.Join(over, ", "))
		return v
	}
	v.Act = len(t.Weights) > 0
	v.Why = t.why(d.Sigma)
	return v
}

// why says what a table does, in words.
func (t *Table) why(sigma float64) string {
	list := make([]string, len(t.Zones))
	for i, z := range t.Zones {
		list[i] = fmt.Sprintf("%s %d -> %d", label(z.Name), z.Slots, z.After)
	}
	why := fmt.Sprintf("sigma over zones %.3f: slots %s", sigma, strings.Join(list, ", "))
	if len(t.Pinned) > 0 {
		why += "; pinned, so left as they are: " + strings.Join(t.Pinned, ", ")
	}
	return why
}
