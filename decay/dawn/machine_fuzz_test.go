package dawn

import (
	"testing"
	"time"
)

// FuzzMachine gives a machine any events with clocks that jump. It has to answer
// each without a panic, ask for one thing at a time, and never send a commit
// without a lock, or one that skips a step.
func FuzzMachine(f *testing.F) {
	f.Add([]byte{0, 0, 2, 0, 3, 0, 2, 0, 5, 0, 4, 0, 5, 0})
	f.Add([]byte{0, 9, 1, 200, 2, 1, 7, 0, 8, 3})
	f.Fuzz(func(t *testing.T, script []byte) {
		c := Config{Node: "n1", Life: 7, Environment: "production", Rules: DefaultRules, Limits: DefaultLimits}
		m, err := NewMachine(c, modelNight(2))
		if err != nil {
			t.Fatal(err)
		}
		now := m.night.Fire()
		for ; len(script) >= 2; script = script[2:] {
			x := script[1]
			now = now.Add(time.Duration(int8(x)) * time.Minute)
			if x == 255 {
				now = time.Unix(1<<61, 0)
			}
			before := m.seq
			a := m.Handle(fuzzEvent(m, script[0], x, now))
			if m.seq != before && m.seq != before+1 {
				t.Fatalf("request %d after %d", m.seq, before)
			}
			if k, ok := a.(Commit); ok {
				if k.IfFence == 0 || k.IfFence != m.fence || k.Record.Fence != k.IfFence || k.Record.Step != m.record.Step+1 || k.IfRevision != m.rev {
					t.Fatalf("%#v in %v", k, m)
				}
			}
			_ = m.String()
		}
	})
}

// fuzzEvent is an event of a kind, with the number of the request or another.
func fuzzEvent(m *Machine, kind, x byte, now time.Time) Event {
	seq := m.seq
	if kind >= 128 {
		seq--
	}
	switch kind % 9 {
	case 0:
		return Fired{now, time.Duration(int8(x)) * time.Second, x%2 == 0}
	case 1:
		return Tick{now}
	case 2:
		ev := RecordRead{Now: now, Seq: seq, Rev: int64(x % 3), Record: m.record}
		if len(ev.Record.Entries) == 0 {
			ev.Record = newRecord(&m.night, now)
			ev.Record.Step = 1
		}
		if x == 77 {
			ev.Err = ErrRecord
		}
		return ev
	case 3:
		return LockResult{now, seq, x%2 == 0, int64(x % 4 / 2 * 5), LockValue(20260314, "n1", uint64(x%9)), time.Duration(x) * 3 * time.Second}
	case 4:
		return Assessed{now, seq, loadsOf(int(x%4), x%2 == 0)}
	case 5:
		return CommitResult{now, seq, Refusal(x % 4), int64(x)}
	case 6:
		return Released{now, seq}
	case 7:
		return Failed{now, seq, nil}
	}
	return LeaseLost{now}
}
