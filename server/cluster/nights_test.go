package cluster

import (
	"fmt"
	"testing"
	"time"

	"roost/decay/dawn"
	"roost/server/testetcd"
)

// TestNight: three machines of decay/dawn play a night on etcd, in virtual time.
// One dies with the lock in its hands. Every step is made once, and all see the
// record in their views.
func TestNight(t *testing.T) {
	t.Parallel()
	s := testetcd.Start(t)
	c := identified(t, s)
	w := watching(t, c, fast)
	spec, err := dawn.Parse("0 2 * * *", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	calendar := &dawn.Calendar{
		Environment: desk.Environment, Zone: time.UTC, Curve: dawn.DefaultCurve,
		Windows: []dawn.Window{{ID: "db", Cron: spec, Duration: 2 * time.Hour, Nodes: dawn.Group{IDs: []string{"n0"}}}},
	}
	night, ok := calendar.Night(20260314)
	if !ok {
		t.Fatal("no night")
	}
	now := night.Fire()
	store := &Nights{c, func() time.Time { return now }}
	// A lock whose holder died. Its lease is young, so it is waited for until it is
	// gone: nobody of this night holds it.
	dead, ok := store.Do(limit(t), dawn.Lock{Seq: 1, Key: dawn.LockKey, Value: dawn.LockValue(20260314, "n9", 1), TTL: 2 * time.Second})
	if got, is := dead.(dawn.LockResult); !ok || !is || !got.Taken || got.Fence == 0 {
		t.Fatalf("%+v", dead)
	}
	held, _ := store.Do(limit(t), dawn.Lock{Seq: 2, Key: dawn.LockKey, Value: "x", TTL: dawn.LockTTL})
	if got := held.(dawn.LockResult); got.Taken || got.Fence != dead.(dawn.LockResult).Fence || got.Value == "x" || got.Age > 5*time.Second {
		t.Errorf("a lock that is held: %+v", got)
	}
	machines, wake := map[string]*dawn.Machine{}, map[string]time.Time{}
	for i := range 3 {
		id := fmt.Sprint("n", i)
		machines[id], err = dawn.NewMachine(dawn.Config{Node: id, Life: uint64(i + 1), Environment: desk.Environment, Rules: dawn.DefaultRules, Limits: dawn.DefaultLimits}, night)
		if err != nil {
			t.Fatal(err)
		}
		wake[id] = now
	}
	// In virtual time the dead holder's lease does not age: it is taken over by hand.
	if freed, _ := store.Do(limit(t), dawn.Release{Seq: 3, Key: dawn.LockKey, Fence: dead.(dawn.LockResult).Fence}); freed != (dawn.Released{Now: now, Seq: 3}) {
		t.Errorf("%+v", freed)
	}
	commits := playNight(t, store, night, machines, wake, &now)
	v := sees(t, w, "the record", func(v *View) bool { r, _ := Records(v); return len(r) == 1 && r[0].Step == commits })
	records, err := Records(v)
	if err != nil || records[0].Date != 20260314 {
		t.Fatalf("%+v, %v", records, err)
	}
	if commits < 3 || len(records[0].Entries) != 1 {
		t.Errorf("%d steps: %+v", commits, records[0])
	}
	put(t, c, c.keys.config()+"decay/done/20260315", "spoilt")
	v = sees(t, w, "a spoilt record", func(v *View) bool { return v.Config["decay/done/20260315"].Value != nil })
	if good, err := Records(v); err == nil || len(good) != 1 {
		t.Errorf("a spoilt record: %v, %v", good, err)
	}
	refusedCommits(t, store, records[0])
}

// playNight carries out what the machines ask for until the night is over, and
// returns how many commits were accepted.
func playNight(t *testing.T, store *Nights, night dawn.Night, machines map[string]*dawn.Machine, wake map[string]time.Time, now *time.Time) (commits int) {
	for range 10_000 {
		id := ""
		for other := range wake {
			if id == "" || wake[other].Before(wake[id]) || wake[other].Equal(wake[id]) && other < id {
				id = other
			}
		}
		if id == "" || wake[id].After(night.Clear().Add(time.Minute)) {
			return commits
		}
		if wake[id].After(*now) {
			*now = wake[id]
		}
		var event dawn.Event = dawn.Tick{Now: *now}
		if machines[id].State() == dawn.Idle {
			event = dawn.Fired{Now: *now, Known: true}
		}
		for event != nil {
			action := machines[id].Handle(event)
			event = nil
			switch a := action.(type) {
			case dawn.Wait:
				wake[id] = a.Until
			case dawn.Stop:
				delete(wake, id)
			case dawn.Assess:
				event = dawn.Assessed{Now: *now, Seq: a.Seq, Loads: []dawn.Load{
					{Node: dawn.Node{ID: "n0"}, Used: 20, Capacity: 100}, {Node: dawn.Node{ID: "n1"}, Used: 20, Capacity: 100}, {Node: dawn.Node{ID: "n2"}, Used: 20, Capacity: 100},
				}}
			default:
				event, _ = store.Do(limit(t), action)
				if r, is := event.(dawn.CommitResult); is && r.Refusal == dawn.Accepted {
					commits++
				}
				if f, is := event.(dawn.Failed); is {
					t.Fatal(f.Err)
				}
			}
		}
	}
	t.Fatal("the night does not end")
	return 0
}

// refusedCommits: what a commit compares.
func refusedCommits(t *testing.T, store *Nights, r dawn.Record) {
	lock, _ := store.Do(limit(t), dawn.Lock{Seq: 1, Key: dawn.LockKey, Value: "x", TTL: dawn.LockTTL})
	fence := lock.(dawn.LockResult).Fence
	read, _ := store.Do(limit(t), dawn.Read{Seq: 2, Key: dawn.DoneKey(r.Date)})
	rev := read.(dawn.RecordRead).Rev
	for name, c := range map[string]struct {
		rev, fence  int64
		environment string
		want        dawn.Refusal
	}{
		"record moved":      {rev - 1, fence, desk.Environment, dawn.RecordMoved},
		"lock moved":        {rev, fence - 1, desk.Environment, dawn.LockMoved},
		"other environment": {rev, fence, "production", dawn.WrongEnvironment},
	} {
		event, _ := store.Do(limit(t), dawn.Commit{Seq: 3, Key: dawn.DoneKey(r.Date), Record: r, IfRevision: c.rev, IfFence: c.fence, IfEnvironment: c.environment})
		if got, is := event.(dawn.CommitResult); !is || got.Refusal != c.want || got.Seq != 3 {
			t.Errorf("%s: %+v", name, event)
		}
	}
	if _, ok := store.Do(limit(t), dawn.Wait{}); ok {
		t.Error("Wait was taken for a request")
	}
}
