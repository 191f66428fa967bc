package inbox

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"roost/server/inbox/journal/diskfault"
)

// TestSubscriptionsOfOneBatch: of what a device asks at once the last word on a
// topic counts, in memory, on disk and after a restart.
func TestSubscriptionsOfOneBatch(t *testing.T) {
	for name, words := range map[string][]string{
		"on, off":           {"+a", "-a"},
		"off, on":           {"+x", "|", "-x", "+x"},
		"on, off, on":       {"+a", "-a", "+a"},
		"off, on, off":      {"+x", "|", "-x", "+x", "-x"},
		"on, on, off":       {"+a", "+a", "-a"},
		"two at once":       {"+a", "+b", "-a", "+a", "-b"},
		"twice off":         {"-a", "-a", "+a", "-a"},
		"apart":             {"+a", "|", "-a", "|", "+a"},
		"and then the same": {"+a", "-a", "|", "-a", "+a"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManual(t, diskfault.New(), newClock())
			memory := NewMemory(Limits{}, m.clock.now)
			o := m.open("d")
			if _, err := memory.Open([]byte("d"), Resume{}); err != nil {
				t.Fatal(err)
			}
			want := map[string]bool{}
			var ops []Op
			flush := func() {
				for _, s := range []Store{m.File, memory} {
					s.Commit(&Commit{Ops: slices.Clone(ops), Done: func(c *Commit) {
						if c.Err != nil {
							t.Error(c.Err)
						}
					}})
					m.Step()
				}
				ops = nil
			}
			for _, w := range words {
				if w == "|" {
					flush()
					continue
				}
				want[w[1:]] = w[0] == '+'
				ops = append(ops, &Subscription{Ref: o.Ref, Topic: w[1:], On: w[0] == '+'})
			}
			flush()
			check := func(where string, s Store) {
				info, _ := s.Lookup([]byte("d"))
				for topic, on := range want {
					if slices.Contains(info.Topics, topic) != on {
						t.Errorf("%s: %s is %v, topics are %v", where, topic, on, info.Topics)
					}
				}
				if p := s.Check(); len(p) > 0 {
					t.Errorf("%s: %v", where, p)
				}
			}
			check("file", m)
			check("memory", memory)
			check("after a restart", m.again())
		})
	}
}

// TestSubscriptionMakesRoom: leaving a topic makes room for the next one in the
// same batch, and a failed batch leaves nothing behind.
func TestSubscriptionMakesRoom(t *testing.T) {
	m := newManual(t, diskfault.New(), newClock())
	o := m.open("d")
	for i := range MaxSubscriptions {
		m.do(&Subscription{Ref: o.Ref, Topic: fmt.Sprint(i), On: true})
	}
	off := &Subscription{Ref: o.Ref, Topic: "0"}
	on, more := &Subscription{Ref: o.Ref, Topic: "new", On: true}, &Subscription{Ref: o.Ref, Topic: "more", On: true}
	m.do(off, on, more)
	if off.Err != nil || on.Err != nil || more.Err != ErrSubscriptions {
		t.Errorf("%v, %v, %v", off.Err, on.Err, more.Err)
	}
	m.disk.Fail(diskfault.OpWrite, 0, 100, syscall.EIO)
	if c := m.do(&Subscription{Ref: o.Ref, Topic: "new"}); c.Err == nil {
		t.Error("it was stored on a disk that fails")
	}
	if n := len(m.x.topics.planned); n != 0 {
		t.Errorf("%d are on their way", n)
	}
	m.disk.Fail(diskfault.OpWrite, 0, 0, nil)
	m = m.again()
	if i, _ := m.Lookup([]byte("d")); len(i.Topics) != MaxSubscriptions || !slices.Contains(i.Topics, "new") || slices.Contains(i.Topics, "0") {
		t.Errorf("%d topics: %v", len(i.Topics), i.Topics)
	}
}
