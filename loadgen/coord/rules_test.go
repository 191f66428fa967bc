package coord

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"roost/loadgen/clock"
	"roost/loadgen/link"
	"roost/loadgen/result"
	"roost/loadgen/scenario"
	"roost/loadgen/swarm"
	"roost/loadgen/tally"
	"roost/loadgen/usage"
	"roost/loadgen/validity"
	"roost/loadgen/workerpool"
)

// TestConditions: each kind, just true and just not.
func TestConditions(t *testing.T) {
	storm := &scenario.Storm{Share: .5, How: scenario.CloseRST}
	killed := &scenario.Storm{How: scenario.CloseServer}
	at := func(connected, goal, cut, restored int) swarm.Progress {
		return swarm.Progress{Phase: 1, Connected: connected, Goal: goal, Cut: cut, Restored: restored}
	}
	for _, c := range []struct {
		name  string
		kind  scenario.UntilKind
		share float64
		storm *scenario.Storm
		over  bool
		p     swarm.Progress
		want  bool
	}{
		{"all connected", scenario.UntilConnected, 1, nil, false, at(1000, 1000, 0, 0), true},
		{"one is missing", scenario.UntilConnected, 1, nil, false, at(999, 1000, 0, 0), false},
		{"share connected", scenario.UntilConnected, .99, nil, false, at(990, 1000, 0, 0), true},
		{"of the phase before", scenario.UntilConnected, 1, nil, false, swarm.Progress{Connected: 1000, Goal: 1000}, false},
		{"all restored", scenario.UntilRestored, 1, storm, true, at(1000, 1000, 500, 500), true},
		{"restored before the storm was over", scenario.UntilRestored, 1, storm, false, at(1000, 1000, 500, 500), false},
		{"few were cut yet", scenario.UntilRestored, 1, storm, true, at(1000, 1000, 5, 5), false},
		{"one is not restored", scenario.UntilRestored, 1, storm, true, at(999, 1000, 500, 499), false},
		{"99.9 % restored", scenario.UntilRestored, .999, storm, true, at(999, 1000, 500, 500), true},
		{"nobody was cut by the server yet", scenario.UntilRestored, 1, killed, true, at(1000, 1000, 0, 0), false},
		{"restored after the server's end", scenario.UntilRestored, 1, killed, true, at(1000, 1000, 1000, 1000), true},
		{"drained", scenario.UntilDrained, 1, nil, false, at(100, 100, 0, 0), true},
		{"not drained", scenario.UntilDrained, 1, nil, false, at(101, 100, 0, 0), false},
		{"half drained", scenario.UntilDrained, .5, nil, false, at(550, 100, 0, 0), true},
		{"a time is no condition", scenario.UntilTime, 0, nil, true, at(1000, 1000, 0, 0), false},
	} {
		e := expectation{until: scenario.Until{Kind: c.kind, Share: c.share}, before: 1000, storm: c.storm, over: c.over}
		l := sum(1, []swarm.Progress{c.p})
		if got := e.holds(l); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
		if c.kind != scenario.UntilTime && (e.String() == "" || e.remaining(l) == "") {
			t.Errorf("%s: it has no words", c.name)
		}
	}
}

// TestLevelsAreSums, and idle only if all are.
func TestLevelsAreSums(t *testing.T) {
	l := sum(2, []swarm.Progress{
		{Phase: 2, Clients: 1, Connected: 2, Dialing: 3, Goal: 4, Dialed: 5, Cut: 6, Restored: 7, Away: 8, Pending: 9, Idle: true},
		{Phase: 2, Clients: 10, Connected: 20, Dialing: 30, Goal: 40, Dialed: 50, Cut: 60, Restored: 70, Away: 80, Pending: 90, Idle: true}})
	want := swarm.Progress{Clients: 11, Connected: 22, Dialing: 33, Goal: 44, Dialed: 55, Cut: 66, Restored: 77, Away: 88, Pending: 99}
	if l.Progress != want || !l.idle || !l.current {
		t.Errorf("%+v", l)
	}
	if l := sum(2, []swarm.Progress{{Phase: 2, Idle: true}, {Phase: 1, Idle: true, Connected: 3}}); l.idle || l.current || l.Connected != 3 {
		t.Errorf("%+v", l)
	}
	if l := sum(0, []swarm.Progress{{Phase: 0, Goal: 10, Connected: 10}, {Phase: -1}}); l.idle || l.current {
		t.Error("one has not begun the first phase, and all are in it")
	}
	if l := sum(0, nil); l.current {
		t.Error("nobody is there, and all are in the phase")
	}
}

// TestImpliedThresholds: losses fail a run unless a threshold is about them, and
// then those that it is not about still do.
func TestImpliedThresholds(t *testing.T) {
	load := make([]scenario.Publish, 1)
	two := &scenario.Scenario{Groups: []scenario.Group{{Name: "fast", Read: scenario.Read{Mode: scenario.ReadDrain}, AnswerPing: true},
		{Name: "near", Read: scenario.Read{Mode: scenario.ReadDrain}, AnswerPing: true}, {Name: "slow"}},
		Phases: []scenario.Phase{{Name: "ramp"}, {Name: "warm", Warmup: true, Publish: load}, {Name: "hold", Publish: load}, {Name: "storm", Publish: load},
			{Name: "after", Publish: load, HalfOpen: &scenario.HalfOpen{Group: "near"}}}}
	for _, c := range []struct{ given, want string }{
		{"", "lost == 0,lost_connections == 0"},
		{"delivery.p99 < 50ms", "lost == 0,lost_connections == 0"},
		{"hold.lost < 5", "storm.lost == 0,after.fast.lost == 0,lost_connections == 0"},
		{"hold.delivered_ratio > 99%,storm.lost < 5", "after.fast.lost == 0,lost_connections == 0"},
		{"warm.lost < 5", "lost == 0,lost_connections == 0"},
		{"slow.lost < 5", "lost == 0,lost_connections == 0"}, // it is not counted anyway
		{"fast.lost < 5", "hold.near.lost == 0,storm.near.lost == 0,lost_connections == 0"},
		{"storm.fast.lost < 5", "hold.lost == 0,storm.near.lost == 0,after.fast.lost == 0,lost_connections == 0"},
		{"storm.connected > 5", "lost == 0,ramp.lost_connections == 0,hold.lost_connections == 0,after.lost_connections == 0"},
		{"delivered_ratio > 99%,lost_connections < 3", ""},
	} {
		s := *two
		s.Thresholds = strings.Split(c.given+",refused < 9,unknown < 9,wrong < 9,failed < 9", ",")
		if c.given == "" {
			s.Thresholds = s.Thresholds[1:]
		}
		if got := impliedOf(t, &s); got != c.want {
			t.Errorf("%q: %q, want %q", c.given, got, c.want)
		}
	}
	if _, err := readConditions(&scenario.Scenario{Thresholds: []string{"lost =="}}); err == nil {
		t.Error("half a threshold is one")
	}
}

// TestImpliedOfTheServer: a server that says no, is silent or garbles fails a
// run, but for where the run takes it down.
func TestImpliedOfTheServer(t *testing.T) {
	load := make([]scenario.Publish, 1)
	s := &scenario.Scenario{Groups: []scenario.Group{{Name: "all", Read: scenario.Read{Mode: scenario.ReadDrain}, AnswerPing: true}},
		Phases: []scenario.Phase{{Name: "ramp"}, {Name: "storm", Publish: load, Storm: &scenario.Storm{How: scenario.CloseRST}}, {Name: "after", Publish: load}}}
	for _, c := range []struct{ given, want string }{
		{"lost < 9", "refused == 0,unknown == 0,wrong == 0,failed == 0"},
		{"lost < 9,wrong < 5", "refused == 0,unknown == 0,failed == 0"},
		{"lost < 9,storm.refused < 5,after.failed < 3", "after.refused == 0,unknown == 0,wrong == 0,ramp.failed == 0,storm.failed == 0"},
	} {
		s.Thresholds = strings.Split(c.given+",lost_connections < 9", ",")
		if got := impliedOf(t, s); got != c.want {
			t.Errorf("%q: %q, want %q", c.given, got, c.want)
		}
	}
	s.Phases[1].Storm.How, s.Thresholds = scenario.CloseServer, nil
	if got, want := impliedOf(t, s), "lost == 0,lost_connections == 0,after.refused == 0,after.unknown == 0,wrong == 0,ramp.failed == 0,after.failed == 0"; got != want {
		t.Errorf("where the server is taken down: %q, want %q", got, want)
	}
}

// impliedOf lists the thresholds that are implied beside a scenario's own.
func impliedOf(t *testing.T, s *scenario.Scenario) string {
	t.Helper()
	all, err := readConditions(s)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range all[len(s.Thresholds):] {
		got = append(got, x.text)
		if !x.implied {
			t.Errorf("%s is not implied", x.text)
		}
	}
	return strings.Join(got, ",")
}

// TestUnknownMetricIsNoSuccess: a threshold on what there is not does not hold.
func TestUnknownMetricIsNoSuccess(t *testing.T) {
	all, err := readConditions(&scenario.Scenario{Thresholds: []string{"storm.t99 < 20s"}})
	if err != nil {
		t.Fatal(err)
	}
	res := &result.Result{Scenario: result.Scenario{Groups: []result.Group{{Name: "all", Share: 1, Reads: true}}},
		Phases: []result.Phase{{Name: "hold", Tally: &tally.Tally{Groups: make([]tally.Group, 1)}}}}
	if got := judge(all, res, true); got[0].State != "unknown" || got[0].Reason == "" {
		t.Errorf("%+v", got)
	}
	if got := judge(all, res, false); len(got) > 0 && got[0].State == "unknown" {
		t.Errorf("it may still come: %+v", got)
	}
}

// TestExitCodes of every end.
func TestExitCodes(t *testing.T) {
	of := func(v result.Verdict) *result.Result { return &result.Result{Verdict: v} }
	for _, c := range []struct {
		res  *result.Result
		err  error
		want Exit
	}{
		{of(result.Valid), nil, 0}, {of(result.Invalid), nil, 3}, {of(result.Breached), nil, 4}, {of(result.Interrupted), nil, 130},
		{nil, errors.New("x"), 1}, {nil, &ShortError{}, 5}, {nil, nil, 1}, {of("?"), nil, 1},
	} {
		if got := ExitOf(c.res, c.err); got != c.want {
			t.Errorf("%v, %v: %d, want %d", c.res, c.err, got, c.want)
		}
	}
}

// TestPeak is the most of any interval, whatever the order of what is added.
func TestPeak(t *testing.T) {
	var p peak
	for i := range int64(1000) {
		p.add(i, 3)
		p.add(i-1, 2)
	}
	p.add(1000, 4)
	if p.most != 5 {
		t.Errorf("most %d", p.most)
	}
	if len(p.open) > openPeaks+1 {
		t.Errorf("%d intervals are kept", len(p.open))
	}
}

// TestStormUnderWay: what has not come true yet has lasted so long, and what
// has stays.
func TestStormUnderWay(t *testing.T) {
	s := result.Storm{T50: time.Second, T90: -1, T99: -1, T100: -1}
	soFar(&s, 5*time.Second)
	if s != (result.Storm{T50: time.Second, T90: 5 * time.Second, T99: 5 * time.Second, T100: 5 * time.Second}) {
		t.Errorf("%+v", s)
	}
}

// TestHookOutput: what is printed is bounded, and a server that is left behind
// does not hold the hook up.
func TestHookOutput(t *testing.T) {
	out, pid, err := runHook(t.Context(), "echo up, pid=12; head -c 1000000 /dev/zero | tr '\\0' x; echo end", "p")
	if err != nil || len(out) > maxOutput+4 || !strings.HasSuffix(out, "xend") || pid != 12 {
		t.Errorf("%d bytes, process %d, %v", len(out), pid, err)
	}
	// It is killed after a minute, which is an error, if it waits for the sleep.
	if out, pid, err := runHook(t.Context(), "sleep 600 & echo pid=$!", "p"); err != nil || pid == 0 {
		t.Errorf("%q, %v", out, err)
	} else if err := killGroup(pid); err != nil {
		t.Error(err)
	}
}

// TestGoVersion is that of the server's build, and not its name.
func TestGoVersion(t *testing.T) {
	for version, want := range map[string]string{
		"roost (devel) 0123abc modified go1.26.2":       "go1.26.2",
		"roost v0.9.0 go1.26.2 X:jsonv2":                "go1.26.2 X:jsonv2",
		"example.com/go2 v1.0.0 go1.25":                 "go1.25",
		"roost devel go1.27-0123abcd Tue Mar 1 00:00:0": "go1.27-0123abcd Tue Mar 1 00:00:0",
		"centrifugo 6.1":                                "",
		"":                                              "",
	} {
		if got := goVersion(version); got != want {
			t.Errorf("%q: %q, want %q", version, got, want)
		}
	}
}

// TestHashIsOfFacts: values cannot run into each other.
func TestHashIsOfFacts(t *testing.T) {
	a := hash([]result.Fact{{Name: "a", Value: "b=c"}})
	b := hash([]result.Fact{{Name: "a=b", Value: "c"}})
	c := hash([]result.Fact{{Name: "a", Value: "b"}, {Name: "c", Value: ""}})
	if a == b || b == c || a == c || a != hash([]result.Fact{{Name: "a", Value: "b=c"}}) {
		t.Error(a, b, c)
	}
}

// TestPausesAreOfTheWholeLength: one bad second does not make the p99 of a
// minute, and warm-ups do not count.
func TestPausesAreOfTheWholeLength(t *testing.T) {
	m := &member{Member: &workerpool.Member{Hello: &link.Hello{}}, selfAt: 1}
	second := func(ns int64, n uint64) *link.Tick {
		h := tally.NewHist()
		h.RecordN(ns, n)
		return &link.Tick{Tally: &tally.Tally{}, Self: &link.Self{GCPause: h, Sched: h}}
	}
	for range 1000 {
		m.noteLags(second(100_000, 1))
	}
	m.noteLags(second(50_000_000, 5))
	w := m.observed(nil)
	if w.GCPause > 110*time.Microsecond || w.Sched > 110*time.Microsecond || w.GCPause == 0 {
		t.Errorf("gc %v, scheduling %v", w.GCPause, w.Sched)
	}
	m.noteLags(second(50_000_000, 50))
	if w := m.observed(nil); w.GCPause < 49*time.Millisecond {
		t.Errorf("gc %v, though one in 20 takes 50 ms", w.GCPause)
	}
}

// TestStealThatIsNotReadIsUnknown, and not 0; nor is what was not read before.
func TestStealThatIsNotReadIsUnknown(t *testing.T) {
	hello := &link.Hello{Boot: "b", Cores: 2}
	for _, c := range []struct {
		readings []time.Duration // at the end of each phase
		want     float64
	}{
		{[]time.Duration{0, time.Second, 2 * time.Second}, .1},
		{[]time.Duration{-1, -1, -1}, validity.Unread},
		{[]time.Duration{-1, time.Hour, time.Hour}, validity.Unread},
		{[]time.Duration{0, -1, time.Second}, validity.Unread},
	} {
		m := &member{Member: &workerpool.Member{Hello: hello}}
		var uses []selfUse
		for i, steal := range c.readings {
			m.noteSelf(&link.Self{Steal: steal}, int64(i+1))
			if i > 0 {
				uses = append(uses, m.use())
				m.nextUse()
			}
		}
		r := &run{members: []*member{m}}
		if got := r.machines([][]selfUse{uses}, 10*time.Second)[0].Steal; got != c.want {
			t.Errorf("%v: %g, want %g", c.readings, got, c.want)
		}
	}
}

// TestServersThatAreKeptApart do not share processors with workers.
func TestServersThatAreKeptApart(t *testing.T) {
	own, err := usage.Process(0).Processors()
	if err != nil || len(own) < 2 {
		t.Skipf("this needs two processors: %v, %v", own, err)
	}
	var pids []int
	for _, cpu := range own[:2] {
		cmd := exec.Command("taskset", "-c", fmt.Sprint(cpu), "cat")
		in, err1 := cmd.StdinPipe()
		out, err2 := cmd.StdoutPipe()
		if err := errors.Join(err1, err2, cmd.Start()); err != nil {
			t.Skip(err)
		}
		defer func() { _ = in.Close(); _ = cmd.Wait() }()
		if _, err := in.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil { // it is bound
			t.Fatal(err)
		}
		pids = append(pids, cmd.Process.Pid)
	}
	hello := &link.Hello{Boot: "b"}
	for _, c := range []struct {
		name   string
		urls   []string
		server []int
		worker int
		want   bool
	}{
		{"apart", []string{"ws://127.0.0.1:1/"}, pids[:1], pids[1], false},
		{"on the same", []string{"ws://127.0.0.1:1/"}, pids[:1], pids[0], true},
		{"everywhere", []string{"ws://127.0.0.1:1/"}, pids[:1], os.Getpid(), true},
		{"not known", []string{"ws://127.0.0.1:1/"}, nil, pids[1], true},
		{"one of two is not known", []string{"ws://127.0.0.1:1/", "ws://127.0.0.1:2/"}, pids[:1], pids[1], true},
		{"no process", []string{"ws://127.0.0.1:1/"}, []int{1 << 30}, pids[1], true},
		{"elsewhere", []string{"ws://192.0.2.1:1/"}, nil, pids[1], false},
	} {
		s := &scenario.Scenario{Target: scenario.Target{URLs: c.urls}, Server: scenario.Server{PIDs: c.server}}
		r := &run{s: s, hello: hello, members: []*member{{Member: &workerpool.Member{Hello: &link.Hello{Boot: "b", PID: c.worker}}}}}
		if got := r.sharesProcessors(); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

// killGroup ends a process that a test's hook has left.
func killGroup(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }

// TestRefusalsAreBounded: what lost workers were to send takes no more memory
// than what is kept of it.
func TestRefusalsAreBounded(t *testing.T) {
	pub := scenario.Publish{To: scenario.ToAll, Arrival: scenario.Arrival{Kind: scenario.Constant, Rate: 1e6}}
	p := &phase{spec: &scenario.Phase{Name: "hold", For: 10 * time.Second, Publish: []scenario.Publish{pub}}, at: 1, end: 1 + int64(10*time.Second)}
	r := &run{clock: clock.New()}
	for i := range 8 {
		r.members = append(r.members, &member{Member: &workerpool.Member{Index: i}, lost: "gone"})
	}
	all := r.refused(p)
	if len(all) != maxRefusals || cap(all) > 2*maxRefusals || len(r.notes) != 1 {
		t.Errorf("%d of %d, notes %q", len(all), cap(all), r.notes)
	}
	r.notes, r.members = nil, r.members[:1]
	r.members[0].refused = make([]swarm.Refusal, 10)
	p.end = 1 + int64(time.Second)
	if all := r.refused(p); len(all) < 1_000_010 || len(all) > 1_020_030 || len(r.notes) != 0 {
		t.Errorf("%d, notes %q", len(all), r.notes)
	}
}
