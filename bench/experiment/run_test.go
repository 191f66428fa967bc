package experiment

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"roost/bench/compare"
)

// options are of an experiment with the fakes: B costs 10 % more than A.
func options(t *testing.T, do string) Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("EXPERIMENT_ROLE", "loadgen")
	t.Setenv("FAKE_DO", do)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // else each process of a race build ends a second late
	server := func(name, cost string, more ...string) Server {
		return Server{Name: name, Command: append([]string{self, "--listen", "127.0.0.1:{port}", "--dir", "{dir}", "--cost", cost}, more...),
			Env: []string{"EXPERIMENT_ROLE=server"}, URL: "ws://127.0.0.1:{port}/"}
	}
	return Options{Scenario: "fan-out", Params: []string{"count=10"}, Servers: []Server{server("A", "2000"), server("B", "2200")},
		Loadgen: self, Out: filepath.Join(t.TempDir(), "out"), Pairs: 6, Warmups: -1, Cooldown: time.Millisecond, Quiet: -1, StopTime: 10 * time.Second}
}

// leftovers are directories that servers were given and that should be gone.
func leftovers(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(os.TempDir(), "bench-[AB]-*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestRun(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	o := options(t, "")
	o.Warmups = 1
	var out bytes.Buffer
	cs, err := Run(t.Context(), o, &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if len(cs) != 1 || cs[0].Verdict != compare.Regressed {
		t.Errorf("%+v", cs)
	}
	for _, name := range []string{"experiment.json", "journal.jsonl", "compare.txt", "compare.md", "compare.html", "compare.json",
		"runs/01-A.json", "runs/06-B.json", "runs/06-B.log", "runs/01-A.loadgen.txt", "runs/warmup-A.json"} {
		if info, err := os.Stat(filepath.Join(o.Out, name)); err != nil || info.Size() == 0 && !strings.HasSuffix(name, ".txt") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !strings.Contains(out.String(), "pair 6 of 6") || !strings.Contains(out.String(), "server.cpu_per_msg 2.2 µs/msg") {
		t.Errorf("it said\n%s", out.String())
	}
	if left := leftovers(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	x, err := open(o.Out)
	if err != nil {
		t.Fatal(err)
	}
	defer x.journal.close()
	var got []string
	for _, e := range x.journal.entries {
		if e.Kind == kindRun {
			got = append(got, e.Server)
		}
	}
	if want := strings.Split("A B B A A B B A A B B A", " "); !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
	sides, _, err := Pairs(o.Out)
	if err != nil || len(sides) != 2 || len(sides[0].Runs) != 6 {
		t.Errorf("read back: %v, %v", sides, err)
	}
}

// TestInvalidIsRepeated: and counted, and nothing else is.
func TestInvalidIsRepeated(t *testing.T) {
	o := options(t, "invalid-once")
	var out bytes.Buffer
	cs, err := Run(t.Context(), o, &out)
	if err != nil {
		t.Fatal(err)
	}
	// The fake is INVALID whenever B has one result: in round 1, and never again.
	if cs[0].Verdict != compare.Regressed || !slices.ContainsFunc(cs[0].Notes, func(s string) bool { return strings.Contains(s, "runs of B were INVALID") }) {
		t.Errorf("%s: %s, notes %v", cs[0].Verdict, cs[0].Reason, cs[0].Notes)
	}
	rounds, err := Rounds(o.Out)
	if err != nil || len(rounds) != 6 || rounds[0].Runs["B"].Repeats != 0 || rounds[1].Runs["B"].Repeats != 1 ||
		rounds[0].Runs["A"].File != filepath.Join(o.Out, "runs/01-A.json") {
		t.Errorf("rounds %+v, %v", rounds, err)
	}
	if !strings.Contains(out.String(), "use more workers") {
		t.Errorf("it does not say why:\n%s", out.String())
	}
}

func TestAlwaysInvalid(t *testing.T) {
	o := options(t, "invalid")
	o.Pairs, o.Retries = 1, 2
	cs, err := Run(t.Context(), o, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(o.Out, "runs", "01-B*.json"))
	if cs[0].Verdict != compare.Invalid || len(files) != 3 {
		t.Errorf("%s, attempts %v", cs[0].Verdict, files)
	}
}

// TestOneServer: there is nothing to compare, and the results are there.
func TestOneServer(t *testing.T) {
	o := options(t, "")
	o.Servers, o.Pairs, o.MaxOther = o.Servers[:1], 1, 1000
	cs, err := Run(t.Context(), o, &bytes.Buffer{})
	if err != nil || len(cs) != 0 {
		t.Errorf("%v, %v", cs, err)
	}
	if rounds, err := Rounds(o.Out); err != nil || len(rounds) != 1 || len(rounds[0].Runs) != 1 || rounds[0].Runs["A"].Repeats != 0 {
		t.Errorf("rounds %+v, %v", rounds, err)
	}
	x := experiment{Options: o}
	if x.disturbed(entry{Other: 999}) || !x.disturbed(entry{Other: 1001}) {
		t.Error("MaxOther is not the limit")
	}
}

// TestFailures: what went wrong is said with the end of the log.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		name, do string
		change   func(o *Options)
		says     []string
	}{
		{"a server that does not start", "", func(o *Options) { o.Servers[1].Command = append(o.Servers[1].Command, "--refuse") },
			[]string{"server B", "before it was ready", "no space left", "exit status 3"}},
		{"a server that is never ready", "", func(o *Options) {
			o.Servers[0].Command = []string{"sleep", "100"}
			o.StartTime = 50 * time.Millisecond
		}, []string{"server A", "not ready within 50ms", "it said nothing"}},
		{"no such program", "", func(o *Options) { o.Servers[0].Command[0] = "/nowhere/x" }, []string{"server A", "/nowhere/x"}},
		{"a server that dies", "die", func(*Options) {}, []string{"server B ended under load", "panic: as asked", "exit status 7"}},
		{"a generator that fails", "fail", func(*Options) {}, []string{"loadgen left no result", "scenario fan-out: no phase"}},
		{"no such generator", "", func(o *Options) { o.Loadgen = "/nowhere/loadgen" }, []string{"/nowhere/loadgen"}},
		{"CPUs that are not there", "", func(o *Options) { o.ServerCPUs = "4095" }, []string{"server A", "affinity"}},
		{"a bad profile address", "", func(o *Options) { o.Servers[0].Name = "a/b" }, []string{`"a/b"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			o := options(t, c.do)
			o.Pairs = 1
			c.change(&o)
			_, err := Run(t.Context(), o, &bytes.Buffer{})
			for _, want := range c.says {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v\ndoes not say %q", err, want)
				}
			}
			if left := leftovers(t); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestReadyByPort: a server that says nothing is ready when it accepts; one that
// ignores SIGTERM is killed.
func TestReadyByPort(t *testing.T) {
	o := options(t, "")
	o.Pairs, o.StopTime = 1, 20*time.Millisecond
	o.Servers[0].Command = append(o.Servers[0].Command, "--mute", "--deaf")
	cs, err := Run(t.Context(), o, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(cs[0].Notes, func(s string) bool { return strings.Contains(s, "was killed") }) {
		t.Errorf("notes %v", cs[0].Notes)
	}
}

// stopper ends the experiment when a certain line is said.
type stopper struct {
	bytes.Buffer
	at   string
	stop context.CancelFunc
}

func (s *stopper) Write(p []byte) (int, error) {
	if strings.Contains(string(p), s.at) {
		s.stop()
	}
	return s.Buffer.Write(p)
}

// TestResume: an experiment that is ended goes on, more pairs can be added, and
// another one does not get into its folder.
func TestResume(t *testing.T) {
	o := options(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &stopper{at: "pair 3 of 6", stop: cancel}
	// It ends within pair 3, of which one run is there.
	_, err := Run(ctx, o, out)
	if err == nil || !strings.Contains(err.Error(), "after 2 of 6 pairs") {
		t.Fatalf("%v\n%s", err, out.String())
	}
	// A crash while a line was written.
	file := filepath.Join(o.Out, "journal.jsonl")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(data, `{"kind":"rou`...), 0o644); err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	cs, err := Run(t.Context(), o, &again)
	if err != nil || len(cs[0].A.Runs) != 6 {
		t.Fatalf("%v\n%s", err, again.String())
	}
	if !strings.Contains(again.String(), "2 of 6 pairs are there already") || strings.Contains(again.String(), "pair 2 of 6") {
		t.Errorf("it said\n%s", again.String())
	}
	if len(cs[0].Notes) != 0 && strings.Contains(strings.Join(cs[0].Notes, " "), "pairs were added") {
		t.Errorf("notes %v", cs[0].Notes)
	}
	o.Pairs = 7
	if cs, err = Run(t.Context(), o, &again); err != nil || len(cs[0].A.Runs) != 7 || !strings.Contains(strings.Join(cs[0].Notes, " "), "pairs were added") {
		t.Errorf("%v, notes %v", err, cs[0].Notes)
	}
	o.Params = []string{"count=11"}
	if _, err = Run(t.Context(), o, &again); err == nil || !strings.Contains(err.Error(), "another experiment") || !strings.Contains(err.Error(), "count=1") {
		t.Errorf("another experiment: %v", err)
	}
}

func TestOneAtATime(t *testing.T) {
	o := options(t, "")
	if err := o.check(); err != nil {
		t.Fatal(err)
	}
	j, err := openJournal(&o)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if _, err := openJournal(&o); err == nil || !strings.Contains(err.Error(), "another bench run") {
		t.Errorf("a second one: %v", err)
	}
}

func TestProfiles(t *testing.T) {
	o := options(t, "profile")
	o.Pairs, o.Pprof, o.PprofAfter, o.PprofSeconds = 2, "http://127.0.0.1:{port}/profile?seconds={seconds}", time.Millisecond, 3
	if _, err := Run(t.Context(), o, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	files, err := Profiles(o.Out, "B")
	if err != nil || len(files) != 2 {
		t.Fatalf("%v %v", files, err)
	}
	b, err := os.ReadFile(files["runs/01-B.json"])
	if err != nil || string(b) != "profile of 3 s" {
		t.Errorf("%q %v", b, err)
	}
}

func TestThreeServers(t *testing.T) {
	o := options(t, "")
	third := o.Servers[1]
	third.URL += "other/path"
	third.Name, third.Command = "C", slices.Clone(third.Command)
	third.Command[len(third.Command)-1] = "1800"
	o.Servers = append(o.Servers, third)
	cs, err := Run(t.Context(), o, &bytes.Buffer{})
	if err != nil || len(cs) != 2 || cs[0].Verdict != compare.Regressed || cs[1].Verdict != compare.Improved {
		t.Fatalf("%v %v", cs, err)
	}
	if !strings.Contains(strings.Join(cs[0].Notes, " "), "not spoken to in the same way") {
		t.Errorf("notes %v", cs[0].Notes)
	}
	b, err := os.ReadFile(filepath.Join(o.Out, "servers.md"))
	if err != nil || !strings.Contains(string(b), "| C | improved | **-10.0 %** |") {
		t.Errorf("%v\n%s", err, b)
	}
}

// TestCooldown: it lasts at least so long, says how busy the machine is, and
// ends with its context.
func TestCooldown(t *testing.T) {
	began := time.Now()
	busy, err := cooldown(t.Context(), 5*time.Millisecond, time.Nanosecond)
	if err != nil || busy < 0 || busy > 1 || time.Since(began) < 5*time.Millisecond {
		t.Errorf("busy %v, %v", busy, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := cooldown(ctx, time.Hour, time.Hour); err == nil {
		t.Error("it does not end")
	}
}
