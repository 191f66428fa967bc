package experiment

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Options says what an experiment is. Zero fields mean their defaults.
type Options struct {
	Scenario string   `json:"scenario"`         // name or file, as loadgen run takes it
	Params   []string `json:"params,omitempty"` // key=value of the scenario
	Extra    []string `json:"extra,omitempty"`  // further flags of loadgen run, with placeholders
	Servers  []Server `json:"servers"`          // the first is what others are compared with

	ServerCPUs  string `json:"server_cpus,omitempty"`  // list of CPUs as taskset takes it, "0,2-3"; empty: all
	LoadgenCPUs string `json:"loadgen_cpus,omitempty"` // the generator's

	// Pprof is the URL of a CPU profile, with placeholders; {seconds} is its
	// length. Empty: none is taken.
	Pprof        string        `json:"pprof,omitempty"`
	PprofAfter   time.Duration `json:"pprof_after,omitempty"`   // begin of the profile, since the load's; default 5 s
	PprofSeconds int           `json:"pprof_seconds,omitempty"` // default 10

	// Chosen before anybody looks, as compare.Options.
	Primary   string  `json:"primary,omitempty"`
	MinEffect float64 `json:"min_effect,omitempty"`

	// MaxOther is how many cores other work of the machine may take during a run;
	// one in which it took more is run again, as an INVALID one is. 0: it is
	// written down and not judged.
	MaxOther float64 `json:"max_other,omitempty"`

	// These may be others when an experiment is taken up again.
	Loadgen   string        `json:"-"` // binary; default bin/loadgen
	Out       string        `json:"-"` // folder; must be given
	Pairs     int           `json:"-"` // default 10
	Warmups   int           `json:"-"` // runs of each server that do not count; default 1, negative: none
	Cooldown  time.Duration `json:"-"` // least time between runs; default 2 s
	Quiet     time.Duration `json:"-"` // most time to wait for a quiet machine; default 30 s, negative: none
	Retries   int           `json:"-"` // of a run that is INVALID or disturbed; default 3, negative: none
	StartTime time.Duration `json:"-"` // for a server to be ready; default 15 s
	StopTime  time.Duration `json:"-"` // for a server to end; default 40 s
}

// Server is one way to start one server. Command, Env, URL, API and Pprof have
// placeholders: {port} and {api} are free ports, {dir} is an empty directory of
// the run's, {name} the server's name.
type Server struct {
	Name    string   `json:"name"`
	Command []string `json:"command"` // words; no shell sees them
	Env     []string `json:"env,omitempty"`
	URL     string   `json:"url"`           // where clients connect; loadgen run --url
	API     string   `json:"api,omitempty"` // loadgen run --api
	Dialect string   `json:"dialect,omitempty"`
}

// Adapters are where servers of a kind listen: URL, API and dialect.
var Adapters = map[string]Server{
	"roost":      {URL: "ws://127.0.0.1:{port}/v1/connect", API: "http://127.0.0.1:{api}", Dialect: "roost"},
	"plain":      {URL: "ws://127.0.0.1:{port}/", API: "http://127.0.0.1:{api}", Dialect: "plain"},
	"centrifugo": {URL: "ws://127.0.0.1:{port}/connection/websocket", API: "http://127.0.0.1:{port}", Dialect: "centrifugo"},
	"mqtt":       {URL: "ws://127.0.0.1:{port}/mqtt", Dialect: "mqtt"},
	"socketio":   {URL: "ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket", Dialect: "socketio"},
}

// AdapterNames lists the adapters, sorted.
func AdapterNames() (names []string) {
	for name := range Adapters {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// serverName is what may be part of a file's name.
var serverName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_+-]{0,39}$`)

// check fills in defaults and says what is wrong.
func (o *Options) check() error {
	setDefault(&o.Loadgen, "bin/loadgen")
	setDefault(&o.Pairs, 10)
	setDefault(&o.Warmups, 1)
	setDefault(&o.Cooldown, 2*time.Second)
	setDefault(&o.Quiet, 30*time.Second)
	setDefault(&o.Retries, 3)
	setDefault(&o.StartTime, defaultStartTime)
	setDefault(&o.StopTime, defaultStopTime)
	setDefault(&o.PprofAfter, 5*time.Second)
	setDefault(&o.PprofSeconds, 10)
	switch {
	case o.Scenario == "":
		return errors.New("say which scenario to run: a name that loadgen scenarios lists, or a file")
	case len(o.Servers) == 0:
		return errors.New("there is no server to measure")
	case o.Out == "":
		return errors.New("say where results go: --out FOLDER")
	case o.Pairs < 1 || o.Pairs > 500:
		return fmt.Errorf("%d pairs: must be 1 to 500", o.Pairs)
	}
	seen := map[string]bool{}
	for i := range o.Servers {
		s := &o.Servers[i]
		switch {
		case !serverName.MatchString(s.Name):
			return fmt.Errorf("server name %q: must be 1 to 40 letters, digits, _, + or -, and begin with a letter or digit", s.Name)
		case seen[strings.ToLower(s.Name)]:
			return fmt.Errorf("two servers are named %s", s.Name)
		case len(s.Command) == 0:
			return fmt.Errorf("server %s has no command", s.Name)
		case s.URL == "":
			return fmt.Errorf("server %s: say where clients connect, by --url or --as (%s)", s.Name, strings.Join(AdapterNames(), ", "))
		}
		seen[strings.ToLower(s.Name)] = true
	}
	return nil
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

const (
	defaultStartTime = 15 * time.Second
	defaultStopTime  = 40 * time.Second // roostd drains for 30
)
