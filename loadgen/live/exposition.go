package live

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"roost/loadgen/result"
	"roost/loadgen/tally"
)

// exposition is a text of metrics as Prometheus reads it, version 0.0.4.
type exposition struct{ b []byte }

// family begins a metric.
func (e *exposition) family(name, kind, help string) {
	e.b = append(e.b, "# HELP "+name+" "+escape(help, false)+"\n# TYPE "+name+" "+kind+"\n"...)
}

// sample writes a value. labels are names and values in turn.
func (e *exposition) sample(name string, v float64, labels ...string) {
	e.b = append(e.b, name...)
	for i := 0; i+1 < len(labels); i += 2 {
		sep := byte(',')
		if i == 0 {
			sep = '{'
		}
		e.b = append(e.b, sep)
		e.b = append(e.b, labels[i]+`="`+escape(labels[i+1], true)+`"`...)
	}
	if len(labels) > 1 {
		e.b = append(e.b, '}')
	}
	e.b = append(e.b, ' ')
	switch {
	case math.IsInf(v, 1):
		e.b = append(e.b, "+Inf"...)
	case math.IsInf(v, -1):
		e.b = append(e.b, "-Inf"...)
	default:
		e.b = strconv.AppendFloat(e.b, v, 'g', -1, 64)
	}
	e.b = append(e.b, '\n')
}

func (e *exposition) gauge(name, help string, v float64, labels ...string) {
	e.family(name, "gauge", help)
	e.sample(name, v, labels...)
}

// escape is that of label values, and of help texts, in which quotes stay.
func escape(s string, quotes bool) string {
	s = strings.ToValidUTF8(s, "?")
	s = strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "\n", `\n`)
	if quotes {
		s = strings.ReplaceAll(s, `"`, `\"`)
	}
	return s
}

// figures is what a scrape is made of. It stays as it is.
type figures struct {
	*snapshot
	errors []classCount
	phases []phaseHists // those so far, in order
}

// classCount is how often errors of a class came, whatever their text.
type classCount struct {
	stage, class string
	n            uint64
}

// phaseHists are a phase's histograms by name, in tally's order.
type phaseHists struct {
	phase string
	names []string
	hists []*buckets
}

func (p *phaseHists) get(name string) *buckets {
	if i := slices.Index(p.names, name); i >= 0 {
		return p.hists[i]
	}
	return nil
}

// countErrors sums errors up by stage and class, in order.
func countErrors(all tally.Errors) (list []classCount) {
	for _, l := range all.Lines() {
		i := slices.IndexFunc(list, func(c classCount) bool { return c.stage == l.Stage && c.class == l.Class })
		if i < 0 {
			list = append(list, classCount{stage: l.Stage, class: l.Class})
			i = len(list) - 1
		}
		list[i].n += l.N
	}
	slices.SortFunc(list, func(a, b classCount) int {
		return strings.Compare(a.stage+"\x00"+a.class, b.stage+"\x00"+b.class)
	})
	return list
}

// write writes all metrics. docs/LIVE.md lists them.
func (f *figures) write() []byte {
	e := &exposition{b: make([]byte, 0, 32<<10)}
	e.gauge("loadgen_run_info", "The run under way.", 1, "scenario", f.Scenario)
	e.gauge("loadgen_phase_info", "The phase under way.", 1, "phase", f.Phase, "index", strconv.Itoa(f.Index), "warmup", strconv.FormatBool(f.Warmup), "state", f.State)
	e.gauge("loadgen_run_seconds", "Time since the run began.", f.At.Seconds())
	e.gauge("loadgen_phase_elapsed_seconds", "Time since the phase began.", max(f.Elapsed, 0).Seconds())
	e.gauge("loadgen_phase_left_seconds", "Time until the phase's planned end, or its timeout.", f.Left.Seconds())
	for _, g := range []struct {
		name, help string
		n          int
	}{
		{"workers", "Workers of the run.", f.Workers}, {"workers_lost", "Of these, those that are gone.", f.Lost},
		{"clients", "Clients of the scenario.", f.Clients}, {"connected", "Clients that are ready now.", f.Connected},
		{"dialing", "Dials under way.", f.Dialing}, {"connected_goal", "What the phase brings connected to.", f.Goal},
		{"away", "Clients that mean to come back.", f.Away}, {"requests_pending", "Requests to the API under way.", f.Pending},
	} {
		e.gauge("loadgen_"+g.name, g.help, float64(g.n))
	}
	f.machines(e)
	f.counters(e)
	e.family("loadgen_errors_total", "counter", "Errors, by where in the life of a connection or message and what.")
	for _, c := range f.errors {
		e.sample("loadgen_errors_total", float64(c.n), "stage", c.stage, "class", c.class)
	}
	f.judged(e)
	f.histograms(e)
	return e.b
}

func (f *figures) machines(e *exposition) {
	pt := &f.Point
	e.gauge("loadgen_worker_cores", "Cores that the workers used in the last interval.", pt.WorkerCPU)
	if pt.ServerRSS > 0 || pt.ServerCPU > 0 {
		e.gauge("loadgen_server_cores", "Cores that the probed servers used in the last interval.", pt.ServerCPU)
		e.gauge("loadgen_server_rss_bytes", "Resident memory of the probed servers.", float64(pt.ServerRSS))
	}
}

// counters are the fields of tally.Counts, over all phases, under the names
// that metrics of results have.
func (f *figures) counters(e *exposition) {
	v := reflect.ValueOf(f.Total)
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag.Get("json")
		if tag == "lost" {
			tag = "lost_connections"
		}
		name := "loadgen_" + tag + "_total"
		e.family(name, "counter", "See "+tag+" in docs/RESULT.md; of all phases, warm-up too.")
		e.sample(name, float64(v.Field(i).Uint()))
	}
}

// judged are checks and thresholds. Those that are not known are left out.
func (f *figures) judged(e *exposition) {
	e.family("loadgen_check_ok", "gauge", "Checks of validity so far: 1 passes or is advice alone, 0 fails.")
	for _, c := range f.Validity {
		if c.State != "unknown" {
			e.sample("loadgen_check_ok", okay(c.State), "check", c.Name)
		}
	}
	e.family("loadgen_check_value", "gauge", "Their values.")
	for _, c := range f.Validity {
		if c.State != "unknown" {
			e.sample("loadgen_check_value", c.Value, "check", c.Name, "unit", c.Unit)
		}
	}
	known := func(each func(i int, t result.Threshold)) {
		for i, t := range f.Thresholds {
			twice := slices.ContainsFunc(f.Thresholds[:i], func(o result.Threshold) bool { return o.Text == t.Text })
			if t.State != "unknown" && !twice {
				each(i, t)
			}
		}
	}
	e.family("loadgen_threshold_ok", "gauge", "Thresholds so far: 1 holds, 0 does not.")
	known(func(_ int, t result.Threshold) { e.sample("loadgen_threshold_ok", okay(t.State), "threshold", t.Text) })
	e.family("loadgen_threshold_value", "gauge", "Their values.")
	known(func(_ int, t result.Threshold) { e.sample("loadgen_threshold_value", t.Value, "threshold", t.Text) })
}

func okay(state string) float64 {
	if state == "fail" {
		return 0
	}
	return 1
}

// histograms are of each phase, so that what they count never falls.
func (f *figures) histograms(e *exposition) {
	for _, name := range histNames {
		metric := "loadgen_" + name + "_seconds"
		begun := false
		for i := range f.phases {
			b := f.phases[i].get(name)
			if b == nil {
				continue
			}
			if !begun {
				begun = true
				e.family(metric, "histogram", "See "+name+" in docs/RESULT.md. What never came is in le=\"+Inf\" alone.")
			}
			phase := f.phases[i].phase
			for k, bound := range bounds {
				e.sample(metric+"_bucket", float64(b.upTo[k]), "phase", phase, "le", strconv.FormatFloat(float64(bound)/1e9, 'g', -1, 64))
			}
			e.sample(metric+"_bucket", float64(b.count), "phase", phase, "le", "+Inf")
			e.sample(metric+"_sum", b.sum, "phase", phase)
			e.sample(metric+"_count", float64(b.count), "phase", phase)
		}
	}
}

// histNames are the histograms that are shown: deliveries of groups that read,
// and those of no group.
var histNames = func() []string {
	names := []string{tally.Delivery.String()}
	for id := range tally.NumHists {
		names = append(names, id.String())
	}
	return names
}()
