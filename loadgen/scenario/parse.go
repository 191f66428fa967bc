package scenario

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// ParseOptions say what comes from outside of the file.
type ParseOptions struct {
	// Params are values of the file's parameters, which stand before their
	// defaults.
	Params map[string]string
	// ReadFile reads what the file includes and replays, by a path relative to
	// the file's own. Nil: such a file is an error.
	ReadFile func(name string) ([]byte, error)
	// Overrides stand before what the file says.
	Overrides Overrides

	// shipped says that the file has no mistakes of its own: what does not go
	// together has come by flags, and has no place in a file.
	shipped bool
}

// Overrides are what a command line says beside parameters. Empty fields leave
// the file's value.
type Overrides struct {
	// Set holds values by their path in the file, phases and groups by their
	// names: clients.count, phases.hold.publish.rate. Where a phase publishes
	// `same`, set what is repeated.
	Set        map[string]string
	URLs, APIs []string
	Dialect    string
	Format     string
	Sources    []string
	PortRange  string
	Seed       *uint64
	Thresholds []string // beside the file's
	// Of Server, beside the file's.
	PIDs                    []int
	Cgroups, Metrics, Pprof []string
	Kill, Restart           string
}

// Parse reads a scenario and resolves it. name is the file's, for messages and
// as the scenario's name where it has none. The error is a Problems with every
// mistake.
func Parse(name string, text []byte, opt ParseOptions) (*Scenario, error) {
	var found findings
	l := loader{readFile: opt.ReadFile, found: &found}
	root := l.load(name, text, nil)
	if root == nil {
		return nil, found.problems()
	}
	setAll(root, opt.Overrides.Set, &found)
	substitute(root, readParams(root, opt.Params, &found), &found)
	r := &reader{found: &found, at: map[string]place{}, known: map[string]bool{}, bad: map[string]bool{}}
	s := &Scenario{}
	r.scenario(root, s)
	opt.Overrides.apply(s, r.at)
	if s.Name == "" {
		s.Name = baseName(name)
	}
	r.replays(s, name, opt.ReadFile)

	// What could not be read has its default, so that nothing follows from it.
	set := func(path string) bool { _, set := r.at[path]; return set && !r.bad[path] }
	resolveRun(s, set)
	for _, f := range r.later {
		f()
	}
	resolvePhases(s, set)
	check(s, set, func(path string, offset int, text string) {
		at := r.place(path, root).within(offset)
		if opt.shipped {
			at = place{}
		}
		if !r.unread(path) {
			found.add(at, path, "%s: %s", path, text)
		}
	})
	if err := found.problems(); err != nil {
		return nil, err
	}
	s.Phases = slices.Clip(s.Phases)
	for i := range s.Phases {
		s.Phases[i].Publish = slices.Clip(s.Phases[i].Publish)
	}
	return s, nil
}

// unread reports a path whose value, or a part of it, or what it is a part of,
// could not be read: that has been reported, and what is said about the rest
// would be wrong.
func (r *reader) unread(path string) bool {
	within := func(part, whole string) bool {
		rest, ok := strings.CutPrefix(part, whole)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	}
	for bad := range r.bad {
		if within(bad, path) || within(path, bad) {
			return true
		}
	}
	return false
}

// place returns where path was written, or else what it is a part of.
func (r *reader) place(path string, root *node) place {
	for path != "" {
		if at, ok := r.at[path]; ok {
			return at
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return root.at
}

// apply lays the overrides over s and forgets where the file said otherwise, so
// that no message points there.
func (o Overrides) apply(s *Scenario, at map[string]place) {
	replace := func(dst *[]string, with []string, path string) {
		if len(with) > 0 {
			*dst = with
			at[path] = place{}
		}
	}
	replaceText := func(dst *string, with, path string) {
		if with != "" {
			*dst = with
			at[path] = place{}
		}
	}
	replace(&s.Target.URLs, o.URLs, "target.url")
	replace(&s.Target.APIs, o.APIs, "target.api")
	replaceText(&s.Target.Dialect, o.Dialect, "target.dialect")
	replaceText(&s.Target.Format, o.Format, "target.format")
	replace(&s.Clients.Sources, o.Sources, "clients.sources")
	replaceText(&s.Clients.PortRange, o.PortRange, "clients.port_range")
	if o.Seed != nil {
		s.Seed = *o.Seed
		at["seed"] = place{}
	}
	for _, t := range o.Thresholds {
		at["thresholds["+strconv.Itoa(len(s.Thresholds))+"]"] = place{}
		s.Thresholds = append(s.Thresholds, t)
	}
	s.Server.PIDs = append(s.Server.PIDs, o.PIDs...)
	s.Server.Cgroups = append(s.Server.Cgroups, o.Cgroups...)
	s.Server.Metrics = append(s.Server.Metrics, o.Metrics...)
	s.Server.Pprof = append(s.Server.Pprof, o.Pprof...)
	replaceText(&s.Server.Kill, o.Kill, "server.kill")
	replaceText(&s.Server.Restart, o.Restart, "server.restart")
}

// baseName makes a name of a file's.
func baseName(file string) string {
	base := path.Base(file)
	base = strings.TrimSuffix(base, path.Ext(base))
	if !isName(base) {
		return "scenario"
	}
	return base
}
