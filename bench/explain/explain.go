package explain

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"roost/bench/compare"
	"roost/bench/cpuprofile"
	"roost/bench/experiment"
)

// Options says how to explain. Zero fields mean their defaults.
type Options struct {
	Server  string // which is compared with the first; default the second
	Primary string // metric; default the experiment's
	All     bool   // profiles of all runs, not of the two medians
}

// Explanation is what was found.
type Explanation struct {
	Scenario string          `json:"scenario"`
	A        string          `json:"a"` // servers
	B        string          `json:"b"`
	Verdict  compare.Verdict `json:"verdict"`
	Reason   string          `json:"reason"`
	Primary  string          `json:"primary"`

	Phases []Move `json:"phases,omitempty"` // the primary metric in each
	Moves  []Move `json:"moves"`

	RunsA     []string   `json:"runs_a,omitempty"` // whose profiles are compared
	RunsB     []string   `json:"runs_b,omitempty"`
	PerMsg    bool       `json:"per_message"` // Functions are in ns per message, else shares
	Functions []Function `json:"functions,omitempty"`
	Notes     []string   `json:"notes,omitempty"`
}

// Folder explains the folder of a bench run.
func Folder(folder string, o Options) (*Explanation, error) {
	sides, how, err := experiment.Pairs(folder)
	if err != nil {
		return nil, err
	}
	at := 1
	if o.Server != "" {
		at = slices.IndexFunc(sides, func(s compare.Side) bool { return s.Label == o.Server })
	}
	if at < 1 || len(sides[0].Runs) == 0 {
		return nil, fmt.Errorf("%s: no complete pair of %s and a server %q", folder, sides[0].Label, o.Server)
	}
	if o.Primary != "" {
		how.Primary = o.Primary
	}
	x, err := explain(sides[0], sides[at], how)
	if err != nil {
		return nil, err
	}
	if x.Verdict == compare.NotComparable {
		return x, nil
	}
	var files [2]map[string]string
	for i, side := range []compare.Side{sides[0], sides[at]} {
		if files[i], err = experiment.Profiles(folder, side.Label); err != nil {
			return nil, err
		}
		for _, run := range side.Runs {
			if s := run.Result.Servers; files[i][run.File] == "" && len(s) > 0 && s[0].Profile != "" {
				files[i][run.File] = filepath.Join(folder, filepath.Dir(run.File), filepath.Base(s[0].Profile))
			}
		}
	}
	return x, x.functions(sides[0], sides[at], files, o)
}

// explain is everything without profiles.
func explain(a, b compare.Side, how compare.Options) (*Explanation, error) {
	c, err := compare.Compare(a, b, how)
	if err != nil {
		return nil, err
	}
	x := &Explanation{Scenario: c.Scenario, A: a.Label, B: b.Label, Verdict: c.Verdict, Reason: c.Reason, Notes: c.Notes}
	if c.Verdict == compare.NotComparable {
		return x, nil
	}
	x.Primary, x.Phases, x.Moves = c.Tested[0].Metric, phases(c), moves(c)
	return x, nil
}

// functions compares profiles.
func (x *Explanation) functions(a, b compare.Side, files [2]map[string]string, o Options) error {
	runsA, runsB := x.choose(a, files[0], o), x.choose(b, files[1], o)
	if len(runsA) == 0 || len(runsB) == 0 {
		x.Notes = append(x.Notes, "there is no CPU profile of both servers: bench run takes them with --pprof")
		return nil
	}
	x.PerMsg = true
	for _, run := range slices.Concat(runsA, runsB) {
		if _, ok, _ := run.Result.Lookup("server.cpu_per_msg"); !ok {
			x.PerMsg = false
			x.Notes = append(x.Notes, "a run has no server.cpu_per_msg: functions are shares of all CPU")
			break
		}
	}
	pa, err := x.read(runsA, files[0])
	if err != nil {
		return err
	}
	pb, err := x.read(runsB, files[1])
	if err != nil {
		return err
	}
	for _, run := range runsA {
		x.RunsA = append(x.RunsA, run.File)
	}
	for _, run := range runsB {
		x.RunsB = append(x.RunsB, run.File)
	}
	if x.Functions, err = compareFunctions(pa, pb); err != nil {
		x.Notes = append(x.Notes, "functions cannot be compared: "+err.Error())
	}
	return nil
}

// read reads the profiles of runs.
func (x *Explanation) read(runs []compare.Run, files map[string]string) (list []profiled, err error) {
	for _, run := range runs {
		p := profiled{cost: 1}
		if p.profile, err = cpuprofile.Read(files[run.File]); err != nil {
			return nil, err
		}
		if x.PerMsg {
			m, _, _ := run.Result.Lookup("server.cpu_per_msg")
			p.cost = m.Value
		}
		list = append(list, p)
	}
	return list, nil
}

// choose returns the runs with a profile: all, or the one whose primary metric
// is nearest to the side's median.
func (x *Explanation) choose(s compare.Side, files map[string]string, o Options) (runs []compare.Run) {
	var values []float64
	for _, run := range s.Runs {
		if m, ok, _ := run.Result.Lookup(x.Primary); ok {
			values = append(values, m.Value)
		}
	}
	slices.Sort(values)
	best := math.Inf(1)
	for _, run := range s.Runs {
		if files[run.File] == "" {
			continue
		}
		if o.All {
			runs = append(runs, run)
			continue
		}
		m, ok, _ := run.Result.Lookup(x.Primary)
		if !ok {
			continue
		}
		// The lower of two medians: it is a run, and their middle is none.
		if d := math.Abs(m.Value - values[(len(values)-1)/2]); d < best || len(runs) == 0 {
			best, runs = d, []compare.Run{run}
		}
	}
	return runs
}
