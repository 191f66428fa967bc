package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"roost/loadgen/coord"
	"roost/loadgen/live"
	"roost/loadgen/preflight"
	"roost/loadgen/result"
	"roost/loadgen/scenario"
	"roost/loadgen/search"
)

// runSearch is loadgen search.
func runSearch(ctx context.Context, args []string, t terminal) (coord.Exit, error) {
	f := newFlags("search", "SCENARIO --over count|rate|hold... --from N --to N [flags]", `Find the largest value of a parameter with which all thresholds of a scenario
hold: doubled until a run breaks, then halved, then the winner three times. A run
that is INVALID is made again up to three times; if it still is, the generator is
the limit, not the server, and what has held so far is confirmed.`)
	f.after = "\n" + exitCodes
	r := runFlags{views: viewFlags{reticent: true}} // each run has a line of its own
	r.add(f)
	over := f.String("over", "", "`parameter` of the scenario that is searched, such as count or rate")
	var o search.Options
	from := f.String("from", "", "the `value` to begin with: 1k, 100/s, 10s or 4KiB, as the parameter has it")
	to := f.String("to", "", "the largest `value` to try")
	f.Float64Var(&o.Precision, "precision", .05, "`share` of the value to which it is found")
	f.IntVar(&o.Confirm, "confirm", 3, "how `often` the winner has to hold")
	dir := f.String("steps", "", "`directory` for the result of each run")
	rest, err := f.parse(args, t.out)
	if err != nil {
		return 0, err
	}
	name, err := f.one(rest, "a scenario: a file, or one of loadgen scenarios")
	if err != nil {
		return 0, err
	}
	s := &searching{flags: &r, name: name, param: strings.TrimPrefix(*over, "clients."), dir: *dir, argv: append([]string{"loadgen", "search"}, args...), t: t}
	if s.kind, err = r.quantity(name, s.param); err != nil {
		return 0, err
	}
	if o.From, o.To, err = s.bounds(*from, *to); err != nil {
		return 0, err
	}
	if !(o.Precision > 0 && o.Precision < 1) || o.Confirm < 1 {
		return 0, mistake("--precision %g --confirm %d: want a share between 0 and 1, and once or more", o.Precision, o.Confirm)
	}
	if *dir != "" {
		if err := os.MkdirAll(*dir, 0o755); err != nil {
			return 0, err
		}
	}
	found, err := search.Run(o, func(step search.Step) (search.Outcome, string, error) { return s.step(ctx, step) })
	if err != nil {
		if found.Held != 0 {
			err = fmt.Errorf("%w\nso far: %s held, and was not confirmed", err, s.is(found.Held))
		}
		return s.exit, err
	}
	return s.tell(found, o)
}

// searching is a search under way.
type searching struct {
	// Static after the start.
	flags       *runFlags
	name, param string
	kind        scenario.Quantity
	dir         string
	argv        []string
	t           terminal

	// Of the runs so far.
	steps int
	moved map[int]int // process ids that a restart has made others
	exit  coord.Exit  // of what ended it
}

// quantity returns what kind of value a parameter of a scenario has.
func (s *scenarioFlags) quantity(name, param string) (scenario.Quantity, error) {
	if param == "" {
		return 0, mistake("say what to search: --over count, or another parameter of the scenario")
	}
	text, err := readInput(name)
	if err != nil && bareName(name) && !isFile(name) {
		text, err = scenario.ReadShipped(name)
	}
	if err != nil {
		return 0, fmt.Errorf("%w\n%w", errUsage, err)
	}
	_, known := scenario.About(text)
	for _, p := range known {
		if value, is := strings.CutPrefix(p, param+"="); is {
			if value == "" { // it has no default
				value = map[string]string{"rate": "1/s", "ramp": "1/s", "churn": "1/s", "hold": "1s", "warmup": "1s", "size": "1B"}[param]
			}
			q, ok := scenario.QuantityOf(cmp.Or(value, "1"))
			if !ok {
				return 0, mistake("--over %s: it is %q, and only counts, rates, times and sizes can be searched", param, value)
			}
			return q, nil
		}
	}
	return 0, mistake("--over %s: %s has no such parameter; it has %s", param, name, strings.Join(known, ", "))
}

// bounds reads --from and --to.
func (s *searching) bounds(from, to string) (lo, hi int64, err error) {
	if lo, err = s.kind.Read(from); err != nil {
		return 0, 0, mistake("--from %w", err)
	}
	if hi, err = s.kind.Read(to); err != nil {
		return 0, 0, mistake("--to %w", err)
	}
	if lo < 1 || hi < lo {
		return 0, 0, mistake("--from %s --to %s: want more than 0, and not less", from, to)
	}
	return lo, hi, nil
}

// is says a value of the parameter.
func (s *searching) is(n int64) string { return s.param + "=" + s.kind.Write(n) }

// step makes one run.
func (s *searching) step(ctx context.Context, step search.Step) (search.Outcome, string, error) {
	if s.flags.params == nil {
		s.flags.params = pairs{}
	}
	s.flags.params[s.param] = s.kind.Write(step.Value)
	sc, err := s.flags.load(s.name)
	if err != nil {
		s.exit = coord.ExitUsage
		return 0, "", err
	}
	sc.Server.PIDs = s.current(sc.Server.PIDs)
	workers, err := s.flags.countWorkers(ctx, sc)
	if err != nil {
		return 0, "", err
	}
	lacking, err := shortfalls(ctx, sc, workers, nil)
	if err != nil {
		return 0, "", err
	}
	if len(lacking) > 0 && !s.flags.unchecked {
		return search.Beyond, (&coord.ShortError{Lines: lacking}).Error(), s.say(step, search.Beyond, strings.Join(lacking, "; "))
	}
	res, err := s.run(ctx, sc, workers)
	if err != nil {
		s.exit = coord.ExitOf(nil, err)
		return 0, "", err
	}
	s.follow(sc, res)
	s.steps++
	if s.dir != "" {
		file := filepath.Join(s.dir, fmt.Sprintf("step-%02d-%s-%d.json", s.steps, s.param, step.Value))
		if err := result.WriteFile(file, res); err != nil {
			return 0, "", err
		}
	}
	out, reason := outcome(res)
	if res.Verdict == result.Interrupted {
		s.exit = coord.ExitInterrupted
		return 0, "", context.Canceled
	}
	return out, reason, s.say(step, out, reason)
}

// current returns the processes that servers are now, by those that they were
// named by.
func (s *searching) current(named []int) (pids []int) {
	for _, pid := range named {
		if now, moved := s.moved[pid]; moved {
			pid = now
		}
		pids = append(pids, pid)
	}
	return pids
}

// follow keeps in mind which processes the servers are after a run that has
// restarted some.
func (s *searching) follow(sc *scenario.Scenario, res *result.Result) {
	for i, pid := range sc.Server.PIDs {
		if i >= len(res.Servers) || res.Servers[i].PID == pid {
			continue
		}
		if s.moved == nil {
			s.moved = map[int]int{}
		}
		for was, is := range s.moved {
			if is == pid {
				s.moved[was] = res.Servers[i].PID
			}
		}
		s.moved[pid] = res.Servers[i].PID
	}
}

// run runs the scenario, and shows it meanwhile.
func (s *searching) run(ctx context.Context, sc *scenario.Scenario, workers preflight.Workers) (res *result.Result, err error) {
	v, err := s.flags.views.open(s.t)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	o, err := s.flags.options(sc, workers, s.argv, s.t)
	if err != nil {
		return nil, err
	}
	o.View, o.Log = v, v.log
	return coord.Run(ctx, o)
}

// outcome is what a result says for a search.
func outcome(res *result.Result) (search.Outcome, string) {
	var why []string
	if res.Verdict == result.Invalid {
		for _, c := range res.Validity {
			if c.State == "fail" {
				why = append(why, live.CheckWords(c))
			}
		}
		return search.Invalid, strings.Join(why, "; ")
	}
	for _, th := range res.Thresholds {
		if th.State != "pass" {
			unit, _ := res.UnitOf(live.MetricOf(th.Text)) // of a phase that timed out there is none
			why = append(why, live.ThresholdWords(th, unit))
		}
	}
	if res.Verdict == result.Valid {
		return search.Holds, ""
	}
	return search.Breaks, strings.Join(why, "; ")
}

func (s *searching) say(step search.Step, out search.Outcome, reason string) error {
	line := fmt.Sprintf("%s  %s", s.is(step.Value), out)
	if step.Confirm > 0 {
		line += fmt.Sprintf("  (confirmation %d)", step.Confirm)
	}
	if step.Again > 0 {
		line += fmt.Sprintf("  (repetition %d)", step.Again)
	}
	if reason != "" {
		line += "  " + reason
	}
	_, err := fmt.Fprintln(s.t.out, line)
	return err
}

// tell says what was found.
func (s *searching) tell(f search.Found, o search.Options) (coord.Exit, error) {
	var line string
	exit := coord.ExitOK
	switch {
	case f.Limited != 0 && f.Best == 0 && f.Held != 0:
		line, exit = fmt.Sprintf("%s held, and could not be confirmed: the generator is the limit at %s", s.is(f.Held), s.kind.Write(f.Limited)), coord.ExitInvalid
	case f.Limited != 0 && f.Best == 0:
		line, exit = fmt.Sprintf("nothing is known: the generator is the limit already at %s", s.is(f.Limited)), coord.ExitInvalid
	case f.Limited != 0:
		line, exit = fmt.Sprintf("%s holds; at %s the generator is the limit, so the server's is not known", s.is(f.Best), s.kind.Write(f.Limited)), coord.ExitInvalid
	case f.Best == 0:
		line, exit = fmt.Sprintf("not even %s holds", s.is(o.From)), coord.ExitBreached
	case f.Broke == 0:
		line = fmt.Sprintf("%s holds, the largest that was allowed: the limit is beyond it", s.is(f.Best))
	default:
		line = fmt.Sprintf("%s is the largest that holds, within %.3g %%; %s breaks", s.is(f.Best), 100*o.Precision, s.kind.Write(f.Broke))
	}
	if f.Again > 0 {
		line += fmt.Sprintf(" (%d runs were INVALID and made again)", f.Again)
	}
	_, err := fmt.Fprintln(s.t.out, line)
	return exit, err
}
