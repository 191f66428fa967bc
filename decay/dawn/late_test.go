package dawn

import (
	"strings"
	"testing"
	"time"
)

// TestLateFirings: what a node does that comes late, by what it finds.
func TestLateFirings(t *testing.T) {
	// toStep brings the machine under its lock, with the record that it finds.
	toStep := func(d *driver, rev int64, r Record, now time.Time) {
		d.t.Helper()
		d.give(Fired{Now: now, Known: true}, readNight, Checking)
		d.give(RecordRead{Now: now, Seq: d.seq(), Rev: rev, Record: r}, lockNight, Locking)
		d.give(LockResult{Now: now, Seq: d.seq(), Taken: true, Fence: 41}, readNight, Rechecking)
		d.give(RecordRead{Now: now, Seq: d.seq(), Rev: rev, Record: r}, d.commit(rev), Committing)
	}
	o := given(Linear)
	t.Run("nobody has begun, in time: the fall begins now", func(t *testing.T) {
		d := newDriver(t, nil)
		now := o.Last()
		toStep(d, 0, Record{}, now)
		d.give(CommitResult{Now: now, Seq: d.seq(), Rev: 1}, nil, Assessing)
		d.give(Assessed{Now: now, Seq: d.seq(), Loads: room}, d.commit(1), Committing)
		e := d.act.(Commit).Record.Entries[0]
		if e.Stage != Falling || !e.Begin.Equal(now) || e.Validate() != nil || e.Factor(now) != 1 {
			t.Errorf("%+v", e)
		}
	})
	t.Run("nobody has begun, too late: nobody will", func(t *testing.T) {
		d := newDriver(t, nil)
		now := o.Last().Add(1)
		toStep(d, 0, Record{}, now)
		r := d.act.(Commit).Record
		if !r.Done() || r.Entries[0].Stage != Skipped || !strings.Contains(r.Entries[0].Reason, "too late") {
			t.Errorf("%+v", r)
		}
	})
	t.Run("begun and left: resumed, however late", func(t *testing.T) {
		d := newDriver(t, nil)
		r := Record{Date: 20260314, Environment: "production", Step: 2, Holder: "n2", Fence: 3, Entries: []Entry{{Opening: d.m.night.Openings[0], Stage: Falling}}}
		d.now = o.Clear().Add(10 * time.Hour)
		toStep(d, 9, r, d.now)
		for i, want := range []Stage{AtFloor, Rising, Cleared} {
			if e := d.act.(Commit).Record.Entries[0]; e.Stage != want {
				t.Fatalf("step %d is %v", i, e.Stage)
			}
			d.act = d.m.Handle(CommitResult{Now: d.now, Seq: d.seq(), Rev: int64(10 + i)})
		}
		if _, ok := d.act.(Release); !ok {
			t.Errorf("%#v", d.act)
		}
	})
	t.Run("done: nothing", func(t *testing.T) {
		d := newDriver(t, nil)
		r := Record{Date: 20260314, Environment: "production", Step: 5, Holder: "n2", Fence: 3, Entries: []Entry{{Opening: o, Stage: Cleared}}}
		d.give(Fired{Now: o.Clear()}, readNight, Checking)
		d.give(RecordRead{Now: o.Clear(), Seq: d.seq(), Rev: 9, Record: r}, Stop{Reason: "the night is done"}, Finished)
	})
	t.Run("postponed until it is too late", func(t *testing.T) {
		d := newDriver(t, nil)
		r := Record{Date: 20260314, Environment: "production", Step: 3, Holder: "n2", Fence: 3, Entries: []Entry{{Opening: o, Postponed: 2}}}
		toStep(d, 9, r, o.Last().Add(1))
		if e := d.act.(Commit).Record.Entries[0]; e.Stage != Skipped || !strings.Contains(e.Reason, "too late") {
			t.Errorf("%+v", e)
		}
	})
}
