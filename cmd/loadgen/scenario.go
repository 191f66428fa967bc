package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"roost/loadgen/coord"
	"roost/loadgen/scenario"
)

// scenarioFlags say what to run: a file or the name of one that ships, and what
// stands before what it says.
type scenarioFlags struct {
	values scenario.FlagValues
	params pairs
	urls   list
	apis   list
	source list
	thresh list
	pids   numbers
	cgroup list
	metric list
	pprof  list
	seed   string
}

// add adds the flags.
func (s *scenarioFlags) add(f *flags) {
	v := &s.values
	f.Var(&s.params, "p", "`name=value` of a parameter of the scenario; many times")
	f.StringVar(&v.Count, "count", "", "how many `clients`; short for -p count=, as are the next ones")
	f.StringVar(&v.Rate, "rate", "", "messages a second, such as 100/s")
	f.StringVar(&v.Size, "size", "", "of payloads: `128B`")
	f.StringVar(&v.Hold, "hold", "", "how long each measured phase lasts: `30s`")
	f.StringVar(&v.Warmup, "warmup", "", "how long load is on before: `5s`")
	f.StringVar(&v.Ramp, "ramp", "", "dials a second: `1000/s`")
	f.StringVar(&v.Share, "share", "", "of a storm's victims, of slow or silent readers: `10%`")
	f.Var(&s.urls, "url", "`URL` to connect to, ws://host:port/path; many times")
	f.Var(&s.apis, "api", "base `URL` of the API of each, to publish at; many times")
	f.StringVar(&v.Dialect, "dialect", "", "the server's `protocol`: roost, plain, centrifugo, socketio, mqtt")
	f.StringVar(&v.Format, "format", "", "json or bin, where the dialect has both")
	f.Var(&s.source, "source", "`address`, CIDR block, 127/8 or all, to connect from; many times")
	f.StringVar(&v.PortRange, "ports", "", "source ports that may be used: `lo-hi`")
	f.StringVar(&s.seed, "seed", "", "`number` that everything random follows from")
	f.Var(&s.thresh, "threshold", "`condition` beside the scenario's, such as 'delivery.p99 < 50ms'; many times")
	f.Var(&s.pids, "pid", "`process` of the server, to measure what it uses; many times")
	f.Var(&s.cgroup, "cgroup", "cgroup v2 `directory` of the server; many times")
	f.Var(&s.metric, "metrics-url", "Prometheus `URL` of the server; many times")
	f.Var(&s.pprof, "pprof-url", "base `URL` of the server's /debug/pprof; many times")
	f.StringVar(&v.Kill, "kill", "", "shell `command` that kills the server, for storms with that hook")
	f.StringVar(&v.Restart, "restart", "", "shell `command` that restarts the server; it may print pid=NNN")
}

// load reads the scenario of a name or file. Its error is a mistake.
func (s *scenarioFlags) load(name string) (*scenario.Scenario, error) {
	v := s.values
	v.URLs, v.APIs, v.Sources, v.Thresholds = s.urls, s.apis, s.source, s.thresh
	v.PIDs, v.Cgroups, v.Metrics, v.Pprof = s.pids, s.cgroup, s.metric, s.pprof
	if s.seed != "" {
		n, err := strconv.ParseUint(s.seed, 10, 64)
		if err != nil {
			return nil, mistake("--seed %s: want a whole number from 0 to %d", s.seed, uint64(math.MaxUint64))
		}
		v.Seed = &n
	}
	v.Params = map[string]string{}
	for k, value := range s.params {
		v.Params[k] = value
	}
	text, err := readInput(name)
	if err != nil && bareName(name) && !isFile(name) { // a directory may have the name of a scenario
		v.Preset = name
		if text, err = scenario.ReadShipped(name); err == nil {
			hooks(v.Params, text, v.Overrides)
		}
		sc, err := scenario.FromFlags(v)
		if err != nil {
			return nil, fmt.Errorf("%w\n%w", errUsage, err)
		}
		return checked(sc)
	}
	if err != nil {
		return nil, fmt.Errorf("%w\n%w", errUsage, err)
	}
	hooks(v.Params, text, v.Overrides)
	if err := s.fileParams(v, name, text); err != nil {
		return nil, err
	}
	sc, err := scenario.Parse(name, text, scenario.ParseOptions{Params: v.Params, ReadFile: readInput, Overrides: v.Overrides})
	if err != nil {
		return nil, fmt.Errorf("%w\n%w", errUsage, err)
	}
	return checked(sc)
}

// bareName reports whether a name may be that of a scenario that ships.
func bareName(name string) bool { return !strings.ContainsRune(name, '/') && filepath.Ext(name) == "" }

// isFile reports whether there is a file, or a pipe, of that name.
func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}

// fileParams gives the flags that are short for parameters to a file, which has
// to have them.
func (s *scenarioFlags) fileParams(v scenario.FlagValues, name string, text []byte) error {
	_, known := scenario.About(text)
	for _, flag := range []struct{ name, value string }{{"count", v.Count}, {"rate", v.Rate}, {"size", v.Size}, {"hold", v.Hold},
		{"warmup", v.Warmup}, {"ramp", v.Ramp}, {"share", v.Share}} {
		if flag.value == "" {
			continue
		}
		if !slices.ContainsFunc(known, func(p string) bool { return strings.HasPrefix(p, flag.name+"=") }) {
			has := "it has none"
			if len(known) > 0 {
				has = "it has " + strings.Join(known, ", ")
			}
			return mistake("--%s %s: %s has no parameter %s; %s", flag.name, flag.value, name, flag.name, has)
		}
		v.Params[flag.name] = flag.value
	}
	return nil
}

// hooks gives --kill and --restart to a scenario that has parameters of those
// names, too.
func hooks(params map[string]string, text []byte, o scenario.Overrides) {
	_, known := scenario.About(text)
	for name, command := range map[string]string{"kill": o.Kill, "restart": o.Restart} {
		has := slices.ContainsFunc(known, func(p string) bool { return strings.HasPrefix(p, name+"=") })
		if _, given := params[name]; has && command != "" && !given {
			params[name] = command
		}
	}
}

// runScenarios is loadgen scenarios.
func runScenarios(_ context.Context, args []string, t terminal) (coord.Exit, error) {
	f := newFlags("scenarios", "[list | show NAME]", "List the scenarios that come with loadgen, or print the file of one.")
	rest, err := f.parse(args, t.out)
	if err != nil {
		return 0, err
	}
	switch {
	case len(rest) == 0 || len(rest) == 1 && rest[0] == "list":
		for _, name := range scenario.Shipped() {
			text, err := scenario.ReadShipped(name)
			if err != nil {
				return 0, err
			}
			about, params := scenario.About(text)
			slices.Sort(params)
			if _, err := fmt.Fprintf(t.out, "%-16s %s\n%16s  -p %s\n", name, about, "", strings.Join(params, " ")); err != nil {
				return 0, err
			}
		}
		return 0, nil
	case len(rest) == 2 && rest[0] == "show":
		text, err := scenario.ReadShipped(rest[1])
		if err != nil {
			return 0, fmt.Errorf("%w\n%w", errUsage, err)
		}
		_, err = t.out.Write(text)
		return 0, err
	}
	return 0, mistake("want list, or show NAME, not %q", strings.Join(rest, " "))
}

// runCheck is loadgen check.
func runCheck(_ context.Context, args []string, t terminal) (coord.Exit, error) {
	f := newFlags("check", "SCENARIO [flags]", "Read a scenario and print what it would do. Every mistake is said with its place.")
	var s scenarioFlags
	s.add(f)
	resolved := f.Bool("resolved", false, "print it with every default written out instead")
	rest, err := f.parse(args, t.out)
	if err != nil {
		return 0, err
	}
	name, err := f.one(rest, "a scenario: a file, or one of loadgen scenarios")
	if err != nil {
		return 0, err
	}
	sc, err := s.load(name)
	if err != nil {
		return 0, err
	}
	if *resolved {
		_, err = t.out.Write(sc.Text())
		return 0, err
	}
	return 0, scenario.DryRun(t.out, sc)
}
