package main

import (
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
	f := newFlags("search", "SCENARIO --over count|rate --from N --to N [flags]", `Find the largest value of a parameter with which all thresholds of a scenario
hold: doubled until a run breaks, then halved, then the winner three times. A run
that is INVALID ends the search: then the generator is the limit, not the server.`)
	f.after = "\n" + exitCodes
	r := runFlags{views: viewFlags{reticent: true}} // each run has a line of its own
	r.add(f)
	over := f.String("over", "", "`parameter` of the scenario that is searched, such as count or rate")
	var o search.Options
	f.Int64Var(&o.From, "from", 0, "the `value` to begin with")
	f.Int64Var(&o.To, "to", 0, "the largest `value` to try")
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
	param := strings.TrimPrefix(*over, "clients.")
	if param == "" {
		return 0, mistake("say what to search: --over count, or another parameter of the scenario")
	}
	if o.From < 1 || o.To < o.From {
		return 0, mistake("--from %d --to %d: want 1 or more, and not less", o.From, o.To)
	}
	if *dir != "" {
		if err := os.MkdirAll(*dir, 0o755); err != nil {
			return 0, err
		}
	}
	s := &searching{flags: &r, name: name, param: param, dir: *dir, argv: append([]string{"loadgen", "search"}, args...), t: t}
	found, err := search.Run(o, func(step search.Step) (search.Outcome, string, error) { return s.step(ctx, step) })
	if err != nil {
		return s.exit, err
	}
	return s.tell(found, o)
}

// searching is a search under way.
type searching struct {
	flags       *runFlags
	name, param string
	dir         string
	argv        []string
	t           terminal
	steps       int
	exit        coord.Exit // of what ended it
}

// step makes one run.
func (s *searching) step(ctx context.Context, step search.Step) (search.Outcome, string, error) {
	if s.flags.params == nil {
		s.flags.params = pairs{}
	}
	value := fmt.Sprint(step.Value)
	if s.param == "rate" || s.param == "ramp" || s.param == "churn" {
		value += "/s"
	}
	s.flags.params[s.param] = value
	sc, err := s.flags.load(s.name)
	if err != nil {
		s.exit = coord.ExitUsage
		return 0, "", err
	}
	crew, err := s.flags.crew(ctx, sc)
	if err != nil {
		return 0, "", err
	}
	lacking, err := shortfalls(ctx, sc, crew, nil)
	if err != nil {
		return 0, "", err
	}
	if len(lacking) > 0 && !s.flags.unchecked {
		return search.Invalid, (&coord.ShortError{Lines: lacking}).Error(), s.say(step, search.Invalid, strings.Join(lacking, "; "))
	}
	res, err := s.run(ctx, sc, crew)
	if err != nil {
		s.exit = coord.ExitOf(nil, err)
		return 0, "", err
	}
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

// run runs the scenario, and shows it meanwhile.
func (s *searching) run(ctx context.Context, sc *scenario.Scenario, crew preflight.Crew) (res *result.Result, err error) {
	v, err := s.flags.views.open(s.t)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	o, err := s.flags.options(sc, crew, s.argv, s.t)
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
	line := fmt.Sprintf("%s=%d  %s", s.param, step.Value, out)
	if step.Confirm > 0 {
		line += fmt.Sprintf("  (confirmation %d)", step.Confirm)
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
	case f.Limited != 0 && f.Best == 0:
		line, exit = fmt.Sprintf("nothing is known: the generator is the limit already at %s=%d", s.param, f.Limited), coord.ExitInvalid
	case f.Limited != 0:
		line, exit = fmt.Sprintf("%s=%d holds; at %d the generator is the limit, so the server's is not known", s.param, f.Best, f.Limited), coord.ExitInvalid
	case f.Best == 0:
		line, exit = fmt.Sprintf("not even %s=%d holds", s.param, o.From), coord.ExitBreached
	case f.Broke == 0:
		line = fmt.Sprintf("%s=%d holds, the largest that was allowed: the limit is beyond it", s.param, f.Best)
	default:
		line = fmt.Sprintf("%s=%d is the largest that holds, within %.3g %%; %d breaks", s.param, f.Best, 100*o.Precision, f.Broke)
	}
	_, err := fmt.Fprintln(s.t.out, line)
	return exit, err
}
