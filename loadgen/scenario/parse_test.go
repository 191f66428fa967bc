package scenario

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestWrittenAndRead: the text of a resolved scenario is read as an equal one.
func TestWrittenAndRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := drawText(t)
		s, err := Parse("drawn.yaml", []byte(text), ParseOptions{})
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		again, err := Parse("again.yaml", s.Text(), ParseOptions{})
		if err != nil {
			t.Fatalf("%v\n%s", err, s.Text())
		}
		if !reflect.DeepEqual(s, again) || s.Hash() != again.Hash() {
			t.Fatalf("%s\nis read as\n%s", s.Text(), again.Text())
		}
		p := s.Plan()
		if p.Length <= 0 || p.MaxConnections != s.Clients.Count || p.PeakDeliveryRate < 0 || len(p.Phases) != len(s.Phases) {
			t.Fatalf("plan %+v", p)
		}
	})
}

// parse reads a text that has no mistakes.
func parse(t *testing.T, text string, opt ParseOptions) *Scenario {
	t.Helper()
	s, err := Parse("test.yaml", []byte(text), opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDefaults(t *testing.T) {
	s := parse(t, "phases: [{name: ramp, ramp: {}}, {name: hold, publish: {rate: 100/s}, for: 10s}]", ParseOptions{})
	want := &Scenario{
		Name: "test", Seed: 1,
		Target:    Target{URLs: []string{"ws://127.0.0.1:8080/v1/connect"}, APIs: []string{"http://127.0.0.1:8081"}, Dialect: "roost", Format: "json"},
		Clients:   Clients{Count: 1000, Prefix: "lg-", Sources: []string{"127/8"}, PortRange: "auto", Window: 256, Timeout: 10 * time.Second},
		Groups:    []Group{{Name: "all", Share: 1, Read: Read{Mode: ReadDrain}, AnswerPing: true}},
		Topics:    Topics{Prefix: "t-"},
		Reconnect: Reconnect{Policy: PolicyNone, Base: time.Second, Cap: 30 * time.Second, Resume: true},
		Measure:   Measure{Interval: time.Second, Deadline: 10 * time.Second, KernelStamps: .01},
		Phases: []Phase{
			{Name: "ramp", Until: Until{UntilConnected, 1}, Timeout: 62 * time.Second, Ramp: &Ramp{To: 1000, Arrival: Arrival{Kind: Constant, Rate: 1000, Burst: 1}}},
			{Name: "hold", For: 10 * time.Second, Publish: []Publish{{To: ToAll, Class: "live", Arrival: Arrival{Kind: Constant, Rate: 100, Burst: 1}, Size: Size{P50: 128}, Batch: 1}}},
		},
		Validity: DefaultValidity(nil),
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("%s\nwant\n%s\n%+v\n%+v", s.Text(), want.Text(), s, want)
	}
}

// TestDefaultsFollow: what is default depends on what was written.
func TestDefaultsFollow(t *testing.T) {
	const hold = "phases: [{name: ramp, ramp: {}}, {name: hold, publish: {rate: 1/s, to: self}, for: 1s}]\n"
	echo := parse(t, hold, ParseOptions{})
	if echo.Target.URLs[0] != defaultEcho || echo.Target.Dialect != "plain" || echo.Target.APIs != nil || echo.Reconnect.Resume {
		t.Errorf("an echo goes to %+v", echo.Target)
	}
	const storm = "phases: [{name: ramp, ramp: {}}, {name: storm, storm: {}}]\n"
	if s := parse(t, storm, ParseOptions{}); s.Reconnect.Policy != PolicyDialect || s.Phases[1].Until.Kind != UntilRestored || s.Phases[1].Storm.Share != .5 {
		t.Errorf("storm of roost: %+v, %+v", s.Reconnect, s.Phases[1])
	}
	s := parse(t, storm+"target: {url: \"ws://10.0.0.1/ws\", dialect: plain}\n", ParseOptions{})
	if s.Reconnect.Policy != PolicyFullJitter || s.Clients.Sources != nil {
		t.Errorf("storm of others: %+v, %+v", s.Reconnect, s.Clients)
	}
	s = parse(t, storm+"target: {url: [\"ws://10.0.0.1:8080/v1/connect\", \"ws://[::1]:8080/v1/connect\"]}\n", ParseOptions{})
	if want := []string{"http://10.0.0.1:8081", "http://[::1]:8081"}; !reflect.DeepEqual(s.Target.APIs, want) {
		t.Errorf("APIs %v, want %v", s.Target.APIs, want)
	}
	s = parse(t, storm+"groups: [{name: a, share: 30%}, {name: b}]\n", ParseOptions{})
	if s.Groups[1].Share != .7 {
		t.Errorf("the rest is %v", s.Groups[1].Share)
	}
}

// TestSendLagFollowsThresholds: a tenth of the tightest, within bounds.
func TestSendLagFollowsThresholds(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"lost == 0":                        10 * time.Millisecond,
		"delivery.p99 < 50ms":              5 * time.Millisecond,
		"hold.healthy.delivery.p50 <= 1ms": time.Millisecond,
		"delivery.p99 < 10s":               10 * time.Millisecond,
		"delivery.p99 > 10ms":              10 * time.Millisecond,
		"no threshold":                     10 * time.Millisecond,
	} {
		if got := DefaultValidity([]string{text}).SendLag; got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestSame(t *testing.T) {
	s := parse(t, `
phases:
  - {name: ramp, ramp: {}}
  - {name: a, publish: {to: all, rate: 5/s, size: 64B}, for: 1s}
  - {name: gap, for: 1s}
  - {name: b, publish: same, for: 1s}
  - {name: c, publish: same, for: 2s}
`, ParseOptions{})
	for _, i := range []int{3, 4} {
		if !reflect.DeepEqual(s.Phases[i].Publish, s.Phases[1].Publish) {
			t.Errorf("%+v is not the same as %+v", s.Phases[i].Publish, s.Phases[1].Publish)
		}
	}
}

func TestParams(t *testing.T) {
	const text = `
params: {count: 50, rate: 7/s, what: "a: b"}
description: "${what} for $${HOME} and ${count}/$${count}"
clients: {count: ${count}}
phases: [{name: ramp, ramp: {rate: ${rate}}}]
`
	s := parse(t, text, ParseOptions{Params: map[string]string{"rate": "20/s"}})
	if s.Clients.Count != 50 || s.Phases[0].Ramp.Arrival.Rate != 20 || s.Description != "a: b for ${HOME} and 50/${count}" {
		t.Errorf("%+v", s)
	}
	if again := parse(t, string(s.Text()), ParseOptions{}); again.Description != s.Description {
		t.Errorf("%q", again.Description)
	}
}

func TestOverrides(t *testing.T) {
	seed := uint64(0)
	s := parse(t, "seed: 5\ntarget: {url: \"ws://a:1/\", api: \"http://a:2\"}\nthresholds: [lost == 0]\nphases: [{name: ramp, ramp: {}}]", ParseOptions{Overrides: Overrides{
		URLs: []string{"ws://b:1/"}, APIs: []string{"http://b:2"}, Dialect: "plain", Sources: []string{"all"}, Seed: &seed,
		Thresholds: []string{"delivery.p99 < 20ms"}, PIDs: []int{7},
	}})
	if s.Seed != 0 || s.Target.URLs[0] != "ws://b:1/" || s.Target.APIs[0] != "http://b:2" || s.Target.Dialect != "plain" ||
		s.Clients.Sources[0] != "all" || len(s.Thresholds) != 2 || s.Server.PIDs[0] != 7 || s.Validity.SendLag != 2*time.Millisecond {
		t.Errorf("%s", s.Text())
	}
}

// TestSet: values by path, whether or not the file has the key.
func TestSet(t *testing.T) {
	const text = `
groups: [{name: a, read: never}, {name: b, share: 10%}]
phases:
  - {name: ramp, ramp: }
  - {name: hold, publish: {rate: 1/s}, for: 1s}
  - {name: two, publish: [{rate: 1/s}, {rate: 1/s}], for: 1s}
`
	s := parse(t, text, ParseOptions{Overrides: Overrides{Set: map[string]string{
		"clients.count": "7k", "groups.a.read.rate": "5B/s", "groups.b.share": "20%", "phases.hold.publish.rate": "9/s", "phases.hold.for": "3s",
		"phases.two.publish.1.size": "1KiB", "phases.0.ramp.rate": "50/s", "seed": "8", "target.url": "ws://a:1/,ws://b:1/", "target.dialect": "plain",
	}}})
	if s.Clients.Count != 7000 || s.Groups[0].Read != (Read{ReadRate, 5}) || s.Groups[1].Share != .2 || s.Phases[1].Publish[0].Arrival.Rate != 9 || s.Phases[1].For != 3*time.Second ||
		s.Phases[2].Publish[1].Size.P50 != 1024 || s.Phases[2].Publish[0].Size.P50 != 128 || s.Phases[0].Ramp.Arrival.Rate != 50 || s.Seed != 8 || len(s.Target.URLs) != 2 {
		t.Errorf("%s", s.Text())
	}
	for path, want := range map[string]string{
		"clients.cuont":     "unknown key `cuont`, did you mean `count`?",
		"phases.gone.for":   "phases.gone.for: there is no such place",
		"phases.two.5.rate": "unknown key `5`",
		"clients.count":     `clients.count: "x": want a whole number`,
		"":                  "unknown key ``",
	} {
		_, err := Parse("test.yaml", []byte(text), ParseOptions{Overrides: Overrides{Set: map[string]string{path: "x"}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", path, err, want)
		}
	}
}

// TestInclude: maps are laid over each other, lists and values replaced.
func TestInclude(t *testing.T) {
	files := map[string]string{
		"dir/base.yaml":     "include: sub/root.yaml\nclients: {count: 10, window: 5}\n",
		"dir/sub/root.yaml": "params: {ramp: 3/s}\nseed: 9\nclients: {window: 1, prefix: x-}\nphases: [{name: ramp, ramp: {rate: \"${ramp}\"}}]\n",
	}
	read := func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, errors.New("no such file")
	}
	s, err := Parse("dir/top.yaml", []byte("include: base.yaml\nclients: {count: 20}\n"), ParseOptions{ReadFile: read, Params: map[string]string{"ramp": "4/s"}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "top" || s.Seed != 9 || s.Clients.Count != 20 || s.Clients.Window != 5 || s.Clients.Prefix != "x-" || s.Phases[0].Ramp.Arrival.Rate != 4 {
		t.Errorf("%s", s.Text())
	}
	if _, err := Parse("top.yaml", []byte("include: base.yaml\n"), ParseOptions{}); err == nil || !strings.Contains(err.Error(), "no files can be read here") {
		t.Error(err)
	}
}

func TestReplayFile(t *testing.T) {
	read := func(string) ([]byte, error) { return []byte("# s\n0\n0.5, x\n\n1.25 # y\n1500ms\n"), nil }
	s := parse(t, "phases: [{name: ramp, ramp: {}}, {name: a, publish: {to: all, arrival: {replay: {file: t.csv, loop: true}}}, for: 10s}]", ParseOptions{ReadFile: read})
	a := s.Phases[1].Publish[0].Arrival
	want := []time.Duration{0, 500 * time.Millisecond, 1250 * time.Millisecond, 1500 * time.Millisecond}
	if !reflect.DeepEqual(a.Times, want) || !a.Loop || a.File != "t.csv" {
		t.Errorf("%+v", a)
	}
	if again := parse(t, string(s.Text()), ParseOptions{}); !reflect.DeepEqual(s.Phases, again.Phases) {
		t.Errorf("%s", again.Text())
	}
}

// TestRequestsOfSeveralMessages: they share a due time, so that rate counts
// requests, and what is written back is read as the same.
func TestRequestsOfSeveralMessages(t *testing.T) {
	const head = "phases: [{name: ramp, ramp: {}}, {name: hold, publish: {class: kept, rate: 5/s, "
	for text, want := range map[string]Publish{
		"to: device, batch: 100, wait: 1500ms, in_flight: 4, retry: true": {Retry: true, Batch: 100, Wait: 1500 * time.Millisecond, InFlight: 4, Arrival: Arrival{Burst: 100}},
		"batch: 100, burst: 300": {Batch: 100, Arrival: Arrival{Burst: 300}},
		"burst: 7":               {Batch: 1, Arrival: Arrival{Burst: 7}},
	} {
		s := parse(t, head+text+"}, for: 10s}]", ParseOptions{})
		got := s.Phases[1].Publish[0]
		if got.Batch != want.Batch || got.Wait != want.Wait || got.InFlight != want.InFlight || got.Retry != want.Retry || got.Arrival.Burst != want.Arrival.Burst {
			t.Errorf("%s: %+v", text, got)
		}
		if again := parse(t, string(s.Text()), ParseOptions{}); !reflect.DeepEqual(s, again) || s.Hash() != again.Hash() {
			t.Errorf("%s is read as\n%s", s.Text(), again.Text())
		}
	}
}
