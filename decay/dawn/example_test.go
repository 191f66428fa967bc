package dawn_test

import (
	"fmt"
	"time"

	"roost/decay/dawn"
)

func ExampleParse() {
	berlin, _ := time.LoadLocation("Europe/Berlin")
	now := time.Date(2026, 3, 27, 12, 0, 0, 0, berlin)
	spec, _ := dawn.Parse("0 2 * * *", berlin)
	fmt.Println(spec.Form())
	for _, t := range spec.NextN(now, 3) { // 02:00 on the 29th is skipped
		fmt.Println(t)
	}
	_, err := dawn.Parse("0 25 * * *", berlin)
	fmt.Println(err)
	// Output:
	// 5 fields (minute, hour, day of month, month, day of week)
	// 2026-03-28 02:00:00 +0100 CET
	// 2026-03-29 03:00:00 +0200 CEST
	// 2026-03-30 02:00:00 +0200 CEST
	// cron "0 25 * * *": hour "25" at column 3: 25 is not in 0-23; write 2, 2,14, 1-5 or */6
}

func ExampleHeadroom() {
	opening := exampleCalendar().Windows[0]
	night, _ := exampleCalendar().Night(20260314)
	var loads []dawn.Load
	for _, id := range []string{"n1", "n2", "n3", "n4"} {
		loads = append(loads, dawn.Load{Node: dawn.Node{ID: id}, Used: 45, Capacity: 100})
	}
	o := &night.Openings[0]
	for _, spare := range []int{0, 1} {
		limits := dawn.DefaultLimits
		limits.Spare = spare
		d := dawn.Headroom(o, nil, 0, loads, o.Begin, limits)
		fmt.Printf("%s, %d spare: %v: %s\n", opening.ID, spare, d.Verdict, d.Reason)
	}
	// Output:
	// db, 0 spare: go: the rest (3 nodes) may carry 240 with 0 of them gone, 180 is there
	// db, 1 spare: postpone: until 01:40:00 UTC (1 of 6): the rest (3 nodes) may carry 160 with 1 of them gone, but 180 is there
}

// exampleCalendar has the given window: n1 is in maintenance from 02:00 to 04:00.
func exampleCalendar() *dawn.Calendar {
	spec, _ := dawn.Parse("0 2 * * *", time.UTC)
	return &dawn.Calendar{
		Environment: "production", Zone: time.UTC, Curve: dawn.DefaultCurve,
		Windows: []dawn.Window{{ID: "db", Cron: spec, Duration: 2 * time.Hour, Nodes: dawn.Group{IDs: []string{"n1"}}}},
	}
}

// memory is the store of the example: what etcd is for a node.
type memory struct {
	now     time.Time
	top     int64 // revision
	fence   int64
	value   string
	put     time.Time
	rev     int64
	record  dawn.Record
	explain func(format string, args ...any)
}

// do carries out a request and returns the answer. In etcd each is one
// transaction.
func (s *memory) do(a dawn.Action) dawn.Event {
	switch a := a.(type) {
	case dawn.Read:
		return dawn.RecordRead{Now: s.now, Seq: a.Seq, Rev: s.rev, Record: s.record}
	case dawn.Lock:
		if a.Replace != s.fence {
			return dawn.LockResult{Now: s.now, Seq: a.Seq, Fence: s.fence, Value: s.value, Age: s.now.Sub(s.put)}
		}
		if s.fence != 0 {
			s.explain("takes the lock over from %s, %v old", s.value, s.now.Sub(s.put))
		}
		s.top++
		s.fence, s.value, s.put = s.top, a.Value, s.now
		return dawn.LockResult{Now: s.now, Seq: a.Seq, Taken: true, Fence: s.fence}
	case dawn.Assess:
		return dawn.Assessed{Now: s.now, Seq: a.Seq, Loads: []dawn.Load{
			{Node: dawn.Node{ID: "n1"}, Used: 20, Capacity: 100}, {Node: dawn.Node{ID: "n2"}, Used: 20, Capacity: 100}, {Node: dawn.Node{ID: "n3"}, Used: 20, Capacity: 100},
		}}
	case dawn.Commit:
		if a.IfFence != s.fence || a.IfRevision != s.rev {
			return dawn.CommitResult{Now: s.now, Seq: a.Seq, Refusal: dawn.RecordMoved}
		}
		s.top++
		s.rev, s.record = s.top, a.Record
		s.explain("step %d: %v", a.Record.Step, a.Record.Entries[0].Stage)
		return dawn.CommitResult{Now: s.now, Seq: a.Seq, Rev: s.rev}
	case dawn.Release:
		if s.fence == a.Fence {
			s.fence = 0
		}
		return dawn.Released{Now: s.now, Seq: a.Seq}
	}
	return nil
}

// A night of three nodes, of which two take part; the one that has begun dies at
// the hour with the lock in its hands.
func ExampleMachine() {
	calendar := exampleCalendar()
	night, _ := calendar.Night(20260314)
	store := &memory{}
	machines, wake := map[string]*dawn.Machine{}, map[string]time.Time{}
	nodes := []string{"n2", "n3"}
	for i, id := range nodes {
		machines[id], _ = dawn.NewMachine(dawn.Config{
			Node: id, Life: uint64(i + 1), Environment: "production", Rules: dawn.DefaultRules, Limits: dawn.DefaultLimits,
		}, night)
		wake[id] = night.Fire()
	}
	n1 := &dawn.Node{ID: "n1"}
	for end := night.Clear().Add(time.Minute); ; {
		id := nodes[0]
		if len(nodes) > 1 && wake[nodes[1]].Before(wake[id]) {
			id = nodes[1]
		}
		if store.now = wake[id]; store.now.After(end) {
			break
		}
		store.explain = func(format string, args ...any) {
			fmt.Printf("%s  %.2f  %s %s\n", store.now.Format("15:04"), store.record.Factor(store.now, n1), id, fmt.Sprintf(format, args...))
		}
		var ev dawn.Event = dawn.Tick{Now: store.now}
		if machines[id].State() == dawn.Idle {
			ev = dawn.Fired{Now: store.now}
		}
		for ev != nil {
			action := machines[id].Handle(ev)
			ev = store.do(action)
			switch a := action.(type) {
			case dawn.Wait:
				wake[id] = a.Until
			case dawn.Stop:
				store.explain("%s", a.Reason)
				wake[id] = end.Add(1)
			case dawn.Lock:
				if store.record.Step == 2 && len(nodes) == 2 {
					store.explain("has the lock and dies")
					nodes, ev = []string{map[string]string{"n2": "n3", "n3": "n2"}[id]}, nil
				}
			}
		}
	}
	for _, at := range []string{"01:30", "01:45", "02:00", "03:00", "04:00", "04:10", "04:15"} {
		t, _ := time.Parse("2006-01-02 15:04", "2026-03-14 "+at)
		fmt.Printf("%s  weight of n1 %.2f\n", at, store.record.Factor(t, n1))
	}
	// Output:
	// 01:29  1.00  n2 step 1: planned
	// 01:29  1.00  n2 step 2: falling
	// 02:00  0.10  n2 has the lock and dies
	// 02:05  0.10  n3 takes the lock over from triggered_by_cron_20260314/1/n2, 5m0s old
	// 02:05  0.10  n3 step 3: floor
	// 04:00  0.10  n3 step 4: rising
	// 04:15  1.00  n3 step 5: cleared
	// 04:15  1.00  n3 the night is done
	// 01:30  weight of n1 1.00
	// 01:45  weight of n1 0.55
	// 02:00  weight of n1 0.10
	// 03:00  weight of n1 0.10
	// 04:00  weight of n1 0.10
	// 04:10  weight of n1 0.70
	// 04:15  weight of n1 1.00
}
