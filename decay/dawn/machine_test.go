package dawn

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// driver gives a machine its events and checks what it says.
type driver struct {
	t   *testing.T
	m   *Machine
	now time.Time
	act Action
}

func newDriver(t *testing.T, change func(*Config)) *driver {
	c := Config{Node: "n1", Life: 7, Environment: "production", Rules: DefaultRules, Limits: DefaultLimits}
	c.Rules.Spread = 0
	if change != nil {
		change(&c)
	}
	o := given(Linear)
	o.Nodes = Group{IDs: []string{"n1"}}
	m, err := NewMachine(c, Night{Date: 20260314, Environment: "production", Openings: []Opening{o}})
	if err != nil {
		t.Fatal(err)
	}
	return &driver{t: t, m: m, now: m.night.Fire()}
}

// give hands over an event. If want is not nil the machine has to answer so, but
// for the number of the request; then it has to be in state.
func (d *driver) give(ev Event, want Action, state State) {
	d.t.Helper()
	d.act = d.m.Handle(ev)
	if want != nil && !reflect.DeepEqual(unnumbered(d.act), unnumbered(want)) {
		d.t.Fatalf("%T: it says\n%#v\nnot\n%#v", ev, d.act, want)
	}
	if d.m.State() != state {
		d.t.Fatalf("%T: %v, not %v", ev, d.m, state)
	}
}

func unnumbered(a Action) Action {
	switch a := a.(type) {
	case Read:
		a.Seq = 0
		return a
	case Lock:
		a.Seq = 0
		return a
	case Assess:
		a.Seq = 0
		return a
	case Commit:
		a.Seq, a.Record = 0, Record{}
		return a
	case Release:
		a.Seq = 0
		return a
	}
	return a
}

var (
	readNight = Read{Key: "/config/decay/done/20260314"}
	lockNight = Lock{Key: LockKey, Value: "triggered_by_cron_20260314/7/n1", TTL: LockTTL}
)

func (d *driver) seq() uint64 { return d.m.seq }

// toLock brings the machine to where it asks for the lock.
func (d *driver) toLock() {
	d.t.Helper()
	d.give(Fired{Now: d.now}, readNight, Checking)
	d.give(RecordRead{Now: d.now, Seq: d.seq()}, lockNight, Locking)
}

// toCommit brings it to where it makes the record, under lock 41.
func (d *driver) toCommit() {
	d.t.Helper()
	d.toLock()
	d.give(LockResult{Now: d.now, Seq: d.seq(), Taken: true, Fence: 41}, readNight, Rechecking)
	d.give(RecordRead{Now: d.now, Seq: d.seq()}, d.commit(0), Committing)
}

func (d *driver) commit(rev int64) Commit {
	return Commit{Key: readNight.Key, IfRevision: rev, IfFence: 41, IfEnvironment: "production"}
}

var room = []Load{{Node{ID: "n1"}, 10, 100}, {Node{ID: "n2"}, 10, 100}, {Node{ID: "n3"}, 10, 100}}

// TestNightStepByStep is a whole night of one node.
func TestNightStepByStep(t *testing.T) {
	d := newDriver(t, nil)
	o := d.m.night.Openings[0]
	d.give(Fired{Now: d.now.Add(-time.Hour)}, Wait{d.now}, Asleep) // its cron is early
	d.give(Tick{d.now.Add(-1)}, Wait{d.now}, Asleep)
	d.give(Tick{d.now}, readNight, Checking)
	d.give(RecordRead{Now: d.now, Seq: d.seq()}, lockNight, Locking)
	d.give(LockResult{Now: d.now, Seq: d.seq(), Taken: true, Fence: 41}, readNight, Rechecking)
	d.give(RecordRead{Now: d.now, Seq: d.seq()}, d.commit(0), Committing)
	d.give(CommitResult{Now: d.now, Seq: d.seq(), Rev: 100}, Assess{Opening: o}, Assessing)
	d.give(Assessed{Now: d.now, Seq: d.seq(), Loads: room}, d.commit(100), Committing)
	d.give(CommitResult{Now: d.now, Seq: d.seq(), Rev: 101}, Release{Key: LockKey, Fence: 41}, Releasing)
	d.give(Released{Now: d.now, Seq: d.seq()}, Wait{o.Low()}, Asleep)
	for i, at := range []time.Time{o.Low(), o.End, o.Clear()} {
		rev := int64(101 + i)
		r, _ := d.m.Record()
		d.give(Tick{at}, readNight, Checking)
		d.give(RecordRead{Now: at, Seq: d.seq(), Rev: rev, Record: r}, lockNight, Locking)
		d.give(LockResult{Now: at, Seq: d.seq(), Taken: true, Fence: 41}, readNight, Rechecking)
		d.give(RecordRead{Now: at, Seq: d.seq(), Rev: rev, Record: r}, d.commit(rev), Committing)
		d.give(CommitResult{Now: at, Seq: d.seq(), Rev: rev + 1}, Release{Key: LockKey, Fence: 41}, Releasing)
		if i < 2 {
			d.give(Released{Now: at, Seq: d.seq()}, nil, Asleep)
		}
	}
	d.give(Released{Now: d.now, Seq: d.seq()}, Stop{Reason: "the night is done"}, Finished)
	r, ok := d.m.Record()
	if e := r.Entries[0]; !ok || !r.Done() || r.Step != 5 || e.Stage != Cleared || !e.Begin.Equal(o.Begin) || r.Holder != "n1" || r.Fence != 41 {
		t.Errorf("%+v", r)
	}
	if got, want := d.m.String(), "night 20260314: finished: the night is done, step 5 by n1"; got != want {
		t.Errorf("%s", got)
	}
}

// TestHolderAge is the given 300 s: below that age a holder is alive.
func TestHolderAge(t *testing.T) {
	other, former := "triggered_by_cron_20260314/9/n2", "triggered_by_cron_20260314/6/n1"
	for _, test := range []struct {
		name  string
		value string
		age   time.Duration
		takes bool
		wait  time.Duration
	}{
		{"new", other, 0, false, DefaultRules.Poll},
		{"almost 300 s", other, Alive - time.Second, false, time.Second},
		{"300 s", other, Alive, true, 0},
		{"no lease", other, LockTTL, true, 0},
		{"an age below 0", other, -time.Hour, false, DefaultRules.Poll},
		{"an age beyond all", other, math.MaxInt64, true, 0},
		{"our former life", former, 0, true, 0},
		{"ourselves: the answer was lost", lockNight.Value, 0, true, 0},
		{"ourselves, for another night", "triggered_by_cron_20260313/7/n1", 0, false, DefaultRules.Poll},
		{"our former life, for another night", "triggered_by_cron_20260313/6/n1", 0, true, 0},
		{"a later life of ours", "triggered_by_cron_20260314/8/n1", 0, false, DefaultRules.Poll},
		{"put by hand", "hands off", 0, false, DefaultRules.Poll},
		{"put by hand, long ago", "hands off", Alive, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDriver(t, nil)
			d.toLock()
			held := LockResult{Now: d.now, Seq: d.seq(), Fence: 33, Value: test.value, Age: test.age}
			if !test.takes {
				d.give(held, Wait{d.now.Add(test.wait)}, Asleep)
				return
			}
			want := lockNight
			want.Replace = 33
			d.give(held, want, Locking)
			// It was released meanwhile: later, then.
			d.give(LockResult{Now: d.now, Seq: d.seq()}, Wait{d.now.Add(DefaultRules.Backoff)}, Asleep)
		})
	}
}

// TestCommitWithoutAnswer: what became of it only the record knows.
func TestCommitWithoutAnswer(t *testing.T) {
	for _, arrived := range []bool{false, true} {
		d := newDriver(t, nil)
		d.toCommit()
		sent := d.act.(Commit)
		d.give(Failed{Now: d.now, Seq: d.seq(), Err: errors.New("deadline")}, readNight, Rechecking)
		if !arrived {
			d.give(RecordRead{Now: d.now, Seq: d.seq()}, d.commit(0), Committing)
			// Now it arrives after all, and this one finds it there.
			d.give(CommitResult{Now: d.now, Seq: d.seq(), Refusal: RecordMoved}, readNight, Rechecking)
		}
		d.give(RecordRead{Now: d.now, Seq: d.seq(), Rev: 100, Record: sent.Record}, Assess{Opening: d.m.night.Openings[0]}, Assessing)
	}
}

// TestAnswersToAFormerLife: a node that has started again is not taken in by what
// its former life had asked.
func TestAnswersToAFormerLife(t *testing.T) {
	former, d := newDriver(t, func(c *Config) { c.Life = 6 }), newDriver(t, nil)
	former.m.Handle(Fired{Now: d.now})
	d.give(Fired{Now: d.now}, readNight, Checking)
	d.give(RecordRead{Now: d.now, Seq: former.seq()}, None{}, Checking)
}

// TestFencedOff: a node whose lock is another's stops writing.
func TestFencedOff(t *testing.T) {
	d := newDriver(t, nil)
	d.toCommit()
	d.give(CommitResult{Now: d.now, Seq: d.seq(), Refusal: LockMoved}, Wait{d.now.Add(DefaultRules.Backoff)}, Asleep)

	d = newDriver(t, nil)
	d.toCommit()
	seq := d.seq()
	d.give(LeaseLost{d.now}, readNight, Checking)
	d.give(CommitResult{Now: d.now, Seq: seq, Rev: 100}, None{}, Checking) // too late to be believed
	d.give(LeaseLost{d.now}, None{}, Checking)                             // has no lock

	d = newDriver(t, nil)
	d.toCommit()
	d.give(CommitResult{Now: d.now, Seq: d.seq(), Refusal: WrongEnvironment}, Release{Key: LockKey, Fence: 41}, Releasing)
	d.give(LeaseLost{d.now}, nil, Refused)
}

// TestHoldIsBounded: a node gives the lock back before others take it for dead,
// also when its clock was set back.
func TestHoldIsBounded(t *testing.T) {
	for _, late := range []time.Duration{DefaultRules.Hold + 1, -1, -1000 * time.Hour} {
		d := newDriver(t, nil)
		d.toLock()
		d.give(LockResult{Now: d.now, Seq: d.seq(), Taken: true, Fence: 41}, readNight, Rechecking)
		d.m.night.Openings[0].Begin = d.now.Add(-2000 * time.Hour) // due in any case
		d.give(RecordRead{Now: d.now.Add(late), Seq: d.seq()}, Release{Key: LockKey, Fence: 41}, Releasing)
		d.give(Failed{Now: d.now, Seq: d.seq()}, Wait{d.now.Add(late + DefaultRules.Backoff)}, Asleep)
	}
}

// TestClockSetBackWhileAssessing: nothing is put off into the past.
func TestClockSetBackWhileAssessing(t *testing.T) {
	for _, loads := range [][]Load{nil, room} {
		d := newDriver(t, nil)
		d.toCommit()
		d.give(CommitResult{Now: d.now, Seq: d.seq(), Rev: 100}, nil, Assessing)
		d.give(Assessed{Now: d.now.Add(-5 * time.Hour), Seq: d.seq(), Loads: loads}, d.commit(100), Committing)
		e := d.act.(Commit).Record.Entries[0]
		if err := e.Validate(); err != nil || e.Begin.Before(d.m.night.Openings[0].Begin) {
			t.Errorf("%+v: %v", e, err)
		}
	}
}

// TestRefused: who may not take part says why, and touches nothing.
func TestRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Config)
		fired  Fired
		want   string
	}{
		{"environment", func(c *Config) { c.Environment = "staging" }, Fired{}, `for environment "production", this cluster is "staging"`},
		{"fast clock", nil, Fired{Skew: time.Hour}, "is 1h0m0s off"},
		{"slow clock", nil, Fired{Skew: -2*time.Minute - 1}, "off the cluster's, more than 2m0s"},
		{"broken clock", nil, Fired{Skew: math.MinInt64}, "off the cluster's"},
	} {
		d := newDriver(t, test.change)
		test.fired.Now = d.now
		d.give(test.fired, nil, Refused)
		if s, ok := d.act.(Stop); !ok || !s.Refused || !strings.Contains(s.Reason, test.want) {
			t.Errorf("%s: %#v", test.name, d.act)
		}
		d.give(test.fired, None{}, Refused)
		d.give(Tick{d.now}, None{}, Refused)
	}
}

// TestStrangeRecords: a record that is not of this night is left alone.
func TestStrangeRecords(t *testing.T) {
	o := given(Linear)
	good := Record{Date: 20260314, Environment: "production", Step: 1, Entries: []Entry{{Opening: o}}}
	for _, test := range []struct {
		name  string
		spoil func(*RecordRead)
		want  string
	}{
		{"newer", func(r *RecordRead) { r.Err = ErrNewer }, "newer version"},
		{"another night", func(r *RecordRead) { r.Record.Date = 20260313 }, "is of night 20260313"},
		{"another environment", func(r *RecordRead) { r.Record.Environment = "staging" }, `environment "staging"`},
	} {
		d := newDriver(t, nil)
		d.give(Fired{Now: d.now}, readNight, Checking)
		ev := RecordRead{Now: d.now, Seq: d.seq(), Rev: 5, Record: good}
		test.spoil(&ev)
		d.give(ev, nil, Refused)
		if s := d.act.(Stop); !strings.Contains(s.Reason, test.want) {
			t.Errorf("%s: %s", test.name, s.Reason)
		}
	}
}

// TestStagger: nodes come one after the other, the one that was there first.
func TestStagger(t *testing.T) {
	spread := func(c *Config) { c.Rules.Spread = DefaultRules.Spread }
	seen := map[time.Duration]bool{}
	for i := range 50 {
		d := newDriver(t, func(c *Config) { spread(c); c.Node = fmt.Sprint("n", i) })
		if d.m.stagger < 0 || d.m.stagger >= DefaultRules.Spread {
			t.Fatalf("%v", d.m.stagger)
		}
		seen[d.m.stagger] = true
	}
	if len(seen) < 45 {
		t.Errorf("50 nodes come at %d times", len(seen))
	}
	for _, holder := range []string{"n1", "n2"} {
		d := newDriver(t, spread)
		o := d.m.night.Openings[0]
		r := Record{Date: 20260314, Environment: "production", Step: 2, Holder: holder, Fence: 3, Entries: []Entry{{Opening: o, Stage: Falling}}}
		d.give(Fired{Now: d.now.Add(time.Minute)}, readNight, Checking)
		want := o.Low()
		if holder != "n1" {
			want = want.Add(d.m.stagger + DefaultRules.Spread/4)
		}
		d.give(RecordRead{Now: d.now.Add(time.Minute), Seq: d.seq(), Rev: 9, Record: r}, Wait{want}, Asleep)
	}
}

func TestMachineErrors(t *testing.T) {
	night := modelNight(1)
	good := Config{Node: "n", Rules: DefaultRules, Limits: DefaultLimits}
	if _, err := NewMachine(good, night); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config, *Night){
		"no id":         func(c *Config, _ *Night) { c.Node = "" },
		"not UTF-8":     func(c *Config, _ *Night) { c.Node = "\xff" },
		"long id":       func(c *Config, _ *Night) { c.Node = strings.Repeat("n", 65) },
		"life":          func(c *Config, _ *Night) { c.Life = 1<<32 + 1 },
		"hold":          func(c *Config, _ *Night) { c.Rules.Hold = Alive },
		"short hold":    func(c *Config, _ *Night) { c.Rules.Hold = time.Second },
		"poll":          func(c *Config, _ *Night) { c.Rules.Poll = 0 },
		"backoff":       func(c *Config, _ *Night) { c.Rules.Backoff = -1 },
		"spread":        func(c *Config, _ *Night) { c.Rules.Spread = time.Hour },
		"skew":          func(c *Config, _ *Night) { c.Rules.MaxSkew = 0 },
		"limits":        func(c *Config, _ *Night) { c.Limits.MaxUse = 2 },
		"date":          func(_ *Config, n *Night) { n.Date = 20260230 },
		"an opening":    func(_ *Config, n *Night) { n.Openings[0].End = n.Openings[0].Start },
		"no name of it": func(_ *Config, n *Night) { n.Environment = "" },
	} {
		c, n := good, night
		n.Openings = slices.Clone(n.Openings)
		spoil(&c, &n)
		if _, err := NewMachine(c, n); err == nil {
			t.Errorf("%s: %+v is allowed", name, c)
		}
	}
}
