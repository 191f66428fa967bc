//go:build !race

package inbox

import (
	"fmt"
	"testing"
)

// TestAllocIndex: what happens for every message and acknowledgement costs no
// allocation, but for the message's own bytes.
func TestAllocIndex(t *testing.T) {
	s := NewMemory(Limits{}, newClock().now)
	o := mustOpen(t, s, "d")
	m := &Message{TTL: 60, Channel: []byte("fw"), Payload: []byte(`{"a":1}`)}
	for range 900 {
		commit(t, s, &Put{Device: "d", Message: m})
	}
	all := &Spread{Message: m}
	commit(t, s, all)
	first := &Put{Ref: o.Ref, Seq: 1}
	f := &Fetch{Ref: o.Ref, Fence: o.Fence, From: 1, Max: 32, Bytes: 64 << 10}
	s.Fetch(f)
	seq := uint64(0)
	p := &Put{Device: "d", Message: m}
	c := &Commit{Ops: []Op{p}, Done: func(*Commit) {}}
	for _, row := range []struct {
		name string
		want float64
		f    func()
	}{
		{"Last", 0, func() { s.Last(o.Ref, o.Fence) }},
		{"IsNext", 0, func() { s.IsNext(o.Ref, o.Fence, 901, all.Body) }},
		{"Acked", 0, func() { s.Acked(first) }},
		{"Fetch", 0, func() { s.Fetch(f) }},
		{"Ack", 0, func() { seq++; s.Ack(o.Ref, o.Fence, seq) }},
		{"Put and Ack", 1, func() {
			p.Verdict = Pending
			s.Commit(c)
			if seq++; p.Verdict != Stored {
				t.Fatalf("%+v", p)
			}
			s.Ack(o.Ref, o.Fence, seq)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if n := testing.AllocsPerRun(200, row.f); n > row.want {
				t.Errorf("%v allocations, want %v", n, row.want)
			}
		})
	}
}

// TestAllocResume: a device that comes again costs no allocation.
func TestAllocResume(t *testing.T) {
	s := NewMemory(Limits{}, newClock().now)
	o := mustOpen(t, s, "d")
	for i := range 300 {
		put(t, s, "d", fmt.Sprint(i), "1", 60)
	}
	id, epoch, seq := []byte("d"), o.Epoch.Append(nil), uint64(0)
	n := testing.AllocsPerRun(200, func() {
		seq++
		if o, _ := s.Open(id, Resume{Given: true, Epoch: epoch, Seq: seq}); !o.Resumed {
			t.Fatalf("%+v", o)
		}
	})
	if n > 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
