package dawn

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// run plays a machine alone with a store that answers at once, until it waits for
// a time after until, or stops.
func (d *driver) run(store *simRecord, until time.Time, act Action) Action {
	d.t.Helper()
	for range 1000 {
		seq := d.seq()
		switch a := act.(type) {
		case Wait:
			if d.now = later(d.now, a.Until); d.now.After(until) {
				return a
			}
			act = d.m.Handle(Tick{d.now})
		case Read:
			act = d.m.Handle(RecordRead{Now: d.now, Seq: seq, Rev: store.rev, Record: store.rec})
		case Lock:
			act = d.m.Handle(LockResult{Now: d.now, Seq: seq, Taken: true, Fence: 41})
		case Assess:
			act = d.m.Handle(Assessed{d.now, seq, room})
		case Commit:
			if err := checkStep(&store.rec, &a.Record); err != nil || a.Record.Validate() != nil {
				d.t.Fatalf("%v, %v", err, a.Record.Validate())
			}
			store.rev, store.rec = store.rev+1, a.Record
			act = d.m.Handle(CommitResult{Now: d.now, Seq: seq, Rev: store.rev})
		case Release:
			act = d.m.Handle(Released{d.now, seq})
		default:
			return a
		}
	}
	d.t.Fatal("it never waits")
	return nil
}

// afternoon is an opening at 15:00 of the night of the driver.
func afternoon() Opening {
	o := given(Linear)
	by := 13 * time.Hour
	o.Window, o.Nodes = "afternoon", Group{IDs: []string{"n1"}}
	o.Begin, o.Start, o.End = o.Begin.Add(by), o.Start.Add(by), o.End.Add(by)
	return o
}

// TestWindowAddedTheSameDay: the record is made at 01:29; at noon there is a
// window at 15:00. It is carried out, by a machine that had finished and by one
// that starts at 14:30, and 02:00 stays as it was.
func TestWindowAddedTheSameDay(t *testing.T) {
	o, n1 := afternoon(), &Node{ID: "n1"}
	for _, started := range []bool{true, false} {
		d, store := newDriver(t, nil), &simRecord{}
		act := d.run(store, o.Clear(), d.m.Handle(Fired{Now: d.now}))
		if _, done := act.(Stop); !done || d.m.State() != Finished {
			t.Fatalf("%#v", act)
		}
		before := store.rec.Entries[0]
		night := d.m.night
		night.Openings = []Opening{night.Openings[0], o}
		var ev Event = Reloaded{o.Start.Add(-3 * time.Hour), night}
		d.now = o.Start.Add(-3 * time.Hour)
		if !started {
			d.now = o.Start.Add(-30 * time.Minute)
			d = &driver{t: t, now: d.now}
			d.m, _ = NewMachine(Config{Node: "n1", Life: 8, Environment: "production", Rules: DefaultRules, Limits: DefaultLimits}, night)
			ev = Fired{Now: d.now}
		}
		act = d.run(store, o.Clear().Add(time.Hour), d.m.Handle(ev))
		if s, done := act.(Stop); !done || s.Refused || len(store.rec.Entries) != 2 || !store.rec.Done() {
			t.Fatalf("%#v %+v", act, store.rec)
		}
		if store.rec.Entries[0].Opening.Start != before.Start || store.rec.Entries[0].Stage != Cleared {
			t.Errorf("what was recorded becomes %+v", store.rec.Entries[0])
		}
		if f := store.rec.Factor(o.Start.Add(30*time.Minute), n1); f != 0.1 {
			t.Errorf("at 15:30 the factor is %v", f)
		}
	}
}

// TestEditBeforeTheFall: until its fall is to be decided an opening is what the
// calendar has, afterwards what the record has.
func TestEditBeforeTheFall(t *testing.T) {
	o := afternoon()
	d, store := newDriver(t, nil), &simRecord{}
	night := d.m.night
	night.Openings = []Opening{night.Openings[0], o}
	d.m.Handle(Reloaded{d.now, night})
	d.run(store, o.Begin.Add(-time.Hour), d.m.Handle(Fired{Now: d.now}))
	if len(store.rec.Entries) != 1 {
		t.Fatalf("%+v", store.rec)
	}
	longer := o
	longer.End = o.End.Add(time.Hour)
	night.Openings = []Opening{night.Openings[0], longer}
	if _, reads := d.m.Handle(Reloaded{d.now, night}).(Read); !reads {
		t.Fatalf("%v", d.m)
	}
	d.run(store, o.Begin, Read{})
	night.Openings = []Opening{night.Openings[0], o}
	d.m.Handle(Reloaded{d.now, night})
	act := d.run(store, longer.Clear().Add(time.Hour), Read{})
	if e := store.rec.Entries[1]; !e.End.Equal(longer.End) || e.Stage != Cleared || len(store.rec.Entries) != 2 {
		t.Errorf("%#v %+v", act, store.rec)
	}
}

// TestNightWithoutWindows: a node whose calendar has none finishes what others
// have begun.
func TestNightWithoutWindows(t *testing.T) {
	d := newDriver(t, nil)
	o := d.m.night.Openings[0]
	m, err := NewMachine(d.m.config, Night{Date: 20260314, Environment: "production"})
	if err != nil {
		t.Fatal(err)
	}
	d.m = m
	store := &simRecord{}
	if s, ok := d.run(store, o.Clear(), m.Handle(Fired{Now: d.now})).(Stop); !ok || s.Reason != "no window opens in this night" {
		t.Errorf("%#v", s)
	}
	m, _ = NewMachine(d.m.config, Night{Date: 20260314, Environment: "production"})
	d.m, store.rev = m, 7
	store.rec = Record{Date: 20260314, Environment: "production", Step: 2, Holder: "n2", Fence: 3, Entries: []Entry{{Opening: o, Stage: Falling}}}
	if _, ok := d.run(store, o.Clear().Add(time.Hour), m.Handle(Fired{Now: d.now})).(Stop); !ok || store.rec.Step != 5 {
		t.Errorf("%+v", store.rec)
	}
}

// TestFullRecord: where there is no room left, what is in the record is still
// done, and the machine says what is not.
func TestFullRecord(t *testing.T) {
	d := newDriver(t, nil)
	store := &simRecord{rev: 7, rec: Record{Date: 20260314, Environment: "production", Step: 2, Holder: "n2", Fence: 3}}
	o := d.m.night.Openings[0]
	for i := range maxEntries {
		e := Entry{Opening: o, Stage: Cleared}
		e.Window = fmt.Sprint("w", i)
		store.rec.Entries = append(store.rec.Entries, e)
	}
	store.rec.Entries[3].Stage = Rising
	act := d.run(store, o.Clear().Add(time.Hour), d.m.Handle(Fired{Now: d.now}))
	if s, ok := act.(Stop); !ok || !strings.Contains(s.Reason, "no room") || !store.rec.Done() || len(store.rec.Entries) != maxEntries {
		t.Errorf("%#v", act)
	}
	// Neither does a group that is too large come in.
	big := Record{Step: 1, Entries: []Entry{{Opening: o}}}
	n := d.m.night
	n.Openings = nil
	for i := range 5 {
		x := afternoon()
		x.Window = fmt.Sprint("big", i)
		x.Nodes = Group{}
		for j := range 1000 {
			x.Nodes.IDs = append(x.Nodes.IDs, fmt.Sprint(i, strings.Repeat("x", 240), j))
		}
		n.Openings = append(n.Openings, x)
	}
	if got, added := big.admit(&n, n.Openings[0].Start, true); added != 4 || len(got.Entries) != 5 || len(big.Entries) != 1 {
		t.Errorf("%d of 5 openings of 250 KB come into 1 MiB", added)
	}
}

// TestClockNotKnown: a node that does not know how far its clock is off records
// nothing as too late, and does so when it knows.
func TestClockNotKnown(t *testing.T) {
	o := given(Linear)
	start := func(known bool) (*driver, Action) {
		d := newDriver(t, nil)
		d.now = o.Start.Add(100 * time.Minute) // three hours ahead it is 00:40
		return d, d.m.Handle(Fired{Now: d.now, Known: known})
	}
	d, act := start(false)
	store := &simRecord{}
	act = d.run(store, d.now.Add(time.Hour), act)
	if _, waits := act.(Wait); !waits || store.rev != 0 {
		t.Errorf("%#v: %+v", act, store.rec)
	}
	if _, reads := d.m.Handle(Fired{Now: d.now, Known: true}).(Read); !reads {
		t.Fatalf("%v", d.m)
	}
	if act = d.run(store, o.Clear().Add(time.Hour), Read{}); store.rev != 1 || store.rec.Entries[0].Stage != Skipped {
		t.Errorf("%#v: %+v", act, store.rec)
	}
	// It does not wait for ever, and says why it leaves.
	d, act = start(false)
	act = d.run(&simRecord{}, o.Clear().Add(2*Grace), act)
	if s, stops := act.(Stop); !stops || !strings.Contains(s.Reason, "may be wrong") {
		t.Errorf("%#v", act)
	}
	// It makes the record with what is not too late, and that only.
	night := d.m.night
	night.Openings = []Opening{night.Openings[0], afternoon()}
	if r, added := (Record{}).admit(&night, night.Openings[1].Start, false); added != 1 || r.Entries[0].Window != "afternoon" {
		t.Errorf("%+v", r)
	}
	// Headroom that says so by the time is not believed either.
	d = newDriver(t, nil)
	d.now = o.Last().Add(-time.Second)
	d.toCommit()
	d.give(CommitResult{Now: d.now, Seq: d.seq(), Rev: 100}, nil, Assessing)
	d.give(Assessed{d.now, d.seq(), loadsOf(3, true)}, Release{Key: LockKey, Fence: 41}, Releasing)
}

// TestSkewMended: a node that was refused for its clock takes part when the clock
// is right.
func TestSkewMended(t *testing.T) {
	d := newDriver(t, nil)
	d.give(Fired{Now: d.now, Skew: 3 * time.Minute, Known: true}, nil, Refused)
	d.give(Fired{Now: d.now, Skew: 3 * time.Minute, Known: true}, None{}, Refused)
	d.give(Fired{Now: d.now, Known: true}, readNight, Checking)
	// One whose clock goes wrong while it waits leaves.
	d = newDriver(t, nil)
	d.give(Fired{Now: d.now.Add(-time.Hour), Known: true}, nil, Asleep)
	d.give(Fired{Now: d.now, Known: true}, None{}, Asleep)
	d.give(Fired{Now: d.now, Skew: -time.Hour, Known: true}, nil, Refused)
	// Another reason stays.
	d = newDriver(t, func(c *Config) { c.Environment = "staging" })
	d.give(Fired{Now: d.now}, nil, Refused)
	d.give(Fired{Now: d.now, Known: true}, None{}, Refused)
}

// TestAbort: weights come back from where they are, without a jump, in as much of
// the recovery as they had fallen.
func TestAbort(t *testing.T) {
	o := given(Linear) // floor 0.1 from 02:00 to 04:00, 30 min down, 15 up
	n1 := &Node{ID: "n1"}
	for _, test := range []struct {
		name   string
		at     time.Time
		stage  Stage
		now    float64
		clear  time.Duration // after the abort
		minute float64       // factor a minute after it
	}{
		{"before the record", o.Begin.Add(-time.Hour), Skipped, 1, 0, 1},
		{"decided, not begun", o.Begin.Add(-30 * time.Second), Rising, 1, 30 * time.Second, 1},
		{"half way down", o.Begin.Add(15 * time.Minute), Rising, 0.55, 7*time.Minute + 30*time.Second, 0.61},
		{"at the floor", o.Start.Add(time.Hour), Rising, 0.1, 15 * time.Minute, 0.16},
	} {
		d, store := newDriver(t, nil), &simRecord{}
		d.m.night.Openings[0].Window = o.Window
		act := d.run(store, test.at, d.m.Handle(Fired{Now: later(d.now.Add(-2*time.Hour), o.Begin.Add(-3*time.Hour))}))
		d.now = test.at
		if _, reads := d.m.Handle(Abort{Now: d.now, Window: o.Window, Reason: "by hand"}).(Read); !reads {
			t.Fatalf("%s: %v after %#v", test.name, d.m, act)
		}
		act = d.run(store, d.now, Read{})
		e := store.rec.Entries[0]
		if e.Stage != test.stage || e.Reason != "aborted: by hand" || test.stage == Rising && !e.Clear().Equal(test.at.Add(test.clear)) {
			t.Errorf("%s: %+v, clear at %v", test.name, e, e.Clear())
		}
		for at, want := range map[time.Time]float64{test.at.Add(-1): test.now, test.at: test.now, test.at.Add(time.Minute): test.minute, test.at.Add(15 * time.Minute): 1} {
			if got := store.rec.Factor(at, n1); math.Abs(got-want) > 1e-9 {
				t.Errorf("%s: at %v the factor is %v, not %v", test.name, at, got, want)
			}
		}
		if act = d.run(store, o.Clear().Add(time.Hour), act); !store.rec.Done() {
			t.Errorf("%s: %#v %+v", test.name, act, store.rec)
		}
	}
	// One window of two; the other one goes on.
	d, store := newDriver(t, nil), &simRecord{}
	x := afternoon()
	d.m.night.Openings = append(d.m.night.Openings[:1:1], x)
	d.run(store, o.Start, d.m.Handle(Fired{Now: d.now}))
	d.now = o.Start
	d.m.Handle(Abort{Now: d.now, Window: x.Window, Reason: strings.Repeat("x\xff", 500)})
	act := d.run(store, x.Clear().Add(time.Hour), Read{})
	if e := store.rec.Entries; len(e) != 2 || e[0].Stage != Cleared || e[0].Aborted || e[1].Stage != Skipped || len(e[1].Reason) > maxReason {
		t.Errorf("%#v %+v", act, store.rec)
	}
	// Done is done.
	d.give(Abort{Now: d.now}, readNight, Checking)
	d.give(RecordRead{Now: d.now, Seq: d.seq(), Rev: store.rev, Record: store.rec}, Stop{Reason: "the night is done"}, Finished)
}

// TestAbortIsContinuous: at any time, on any curve, an abort changes no weight of
// now, and none falls afterwards.
func TestAbortIsContinuous(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := Entry{Opening: genOpening(t), Stage: Falling}
		old := e
		now := e.Begin.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(e.Clear().Sub(e.Begin))).Draw(t, "now")))
		changed := e.abort(now)
		if changed != now.Before(old.End) || e.validate(e.Aborted) != nil {
			t.Fatalf("%v: %+v, %v", changed, e, e.validate(e.Aborted))
		}
		was, is := old.Factor(now), e.Factor(now)
		// Nanoseconds are lost in End.
		if math.Abs(was-is) > 1e-6+10*e.Curve.steepest()*1e-9 {
			t.Fatalf("at %v the factor was %v and is %v", now, was, is)
		}
		for range 20 {
			now = now.Add(e.Curve.Recovery / 16)
			f := e.Factor(now)
			if f < is-1e-6 {
				t.Fatalf("after an abort the factor falls from %v to %v", is, f)
			}
			is = f
		}
		if !now.Before(e.Clear()) && is != 1 {
			t.Fatalf("the weight does not come back: %v", is)
		}
	})
}
