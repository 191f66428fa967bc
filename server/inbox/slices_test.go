package inbox

import (
	"fmt"
	"sync"
	"testing"
)

// TestSpreadAside: in memory, small commits go in between while a message to all is
// under way, each device gets both in an order of its own, and nothing is missed or
// doubled, whoever subscribes, leaves or is removed meanwhile.
func TestSpreadAside(t *testing.T) {
	s := NewMemory(Limits{}, nil)
	const devices = 20 * slice
	sessions := make([]Opened, devices)
	for i := range sessions {
		sessions[i] = mustOpen(t, s, fmt.Sprint("d", i))
		commit(t, s, &Subscription{Ref: sessions[i].Ref, Topic: "t", On: true})
	}
	all := &Spread{Topic: "t", Message: &Message{TTL: 3600, ID: []byte("k"), Payload: []byte("all")}}
	again := &Spread{Topic: "t", Message: all.Message}
	var work sync.WaitGroup
	work.Go(func() { commit(t, s, all) })
	work.Go(func() {
		for i := 0; i < devices; i += 7 {
			commit(t, s, &Put{Device: fmt.Sprint("d", i), Message: &Message{TTL: 3600, Payload: []byte("own")}})
		}
	})
	work.Go(func() {
		for i := 1; i < devices; i += 7 {
			commit(t, s, &Subscription{Ref: sessions[i].Ref, Topic: "t"})
			if i%16 == 1 { // it looks at everything
				s.Check()
			}
		}
	})
	work.Go(func() {
		for i := 2; i < devices; i += 7 {
			commit(t, s, &Removal{Device: fmt.Sprint("d", i)})
		}
	})
	work.Wait()
	commit(t, s, again)
	if all.Verdict != Stored || again.Verdict != Duplicate || again.Receivers != all.Receivers {
		t.Errorf("%d, then %d: %d and %d receivers", all.Verdict, again.Verdict, all.Receivers, again.Receivers)
	}
	for i, o := range sessions {
		if i%7 == 2 {
			continue
		}
		q := &Fetch{Ref: o.Ref, Fence: o.Fence, From: 1, Max: 10, Bytes: 1 << 20}
		got := map[string]int{}
		s.Fetch(q)
		for _, it := range q.Items {
			got[string(it.Message.Payload)]++
		}
		if own := i%7 == 0; got["own"] != map[bool]int{true: 1}[own] || got["all"] != 1 && i%7 != 1 || got["all"] > 1 {
			t.Fatalf("device %d: %v", i, got)
		}
	}
	if problems := s.Check(); len(problems) > 0 {
		t.Error(problems)
	}
}

// TestCheckFinds: the check still sees what does not add up.
func TestCheckFinds(t *testing.T) {
	for name, spoil := range map[string]func(x *index){
		"a counter":      func(x *index) { x.n.InFlight++ },
		"a reference":    func(x *index) { x.bodies.at(x.item(x.boxes.at(x.get(1).box), 0)).refs++ },
		"a body":         func(x *index) { x.bodies.alloc() },
		"a place":        func(x *index) { x.boxes.at(x.get(1).box).first++ },
		"a subscription": func(x *index) { x.topics.nodes.at(x.get(1).subs).ref = 77 },
	} {
		s := NewMemory(Limits{}, nil)
		o := mustOpen(t, s, "a")
		put(t, s, "a", "", "x", 60)
		commit(t, s, &Subscription{Ref: o.Ref, Topic: "t", On: true})
		if problems := s.Check(); len(problems) > 0 {
			t.Fatal(problems)
		}
		if spoil(s.x); len(s.Check()) == 0 {
			t.Errorf("%s: nothing is found", name)
		}
	}
}
