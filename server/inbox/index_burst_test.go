package inbox

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// TestBurst stores more than the slabs keep, gets rid of all of it, and goes on:
// the numbers of what comes then are not taken for those of before.
func TestBurst(t *testing.T) {
	s := NewMemory(Limits{}, newClock().now)
	var devices []Opened
	for i := range 3000 {
		devices = append(devices, mustOpen(t, s, fmt.Sprint("d", i)))
	}
	var old Body
	for round := range 3 {
		var ops []Op
		for i := range devices {
			ops = append(ops, &Put{Device: fmt.Sprint("d", i), Message: &Message{TTL: 60, Payload: fmt.Appendf(nil, "%d/%d", round, i)}})
		}
		all := &Spread{Message: &Message{TTL: 60, Payload: []byte("all")}}
		commit(t, s, append(ops, all)...)
		if all.Receivers != len(devices) || s.Remaining(all.Body) != len(devices) || s.Remaining(old) != 0 {
			t.Fatalf("round %d: %+v, %d of an old one", round, all, s.Remaining(old))
		}
		if problems := s.Check(); len(problems) > 0 {
			t.Fatal(problems)
		}
		seq := uint64(2 * (round + 1))
		for i, o := range devices {
			f := &Fetch{Ref: o.Ref, Fence: o.Fence, From: seq - 1, Max: 10, Bytes: 1 << 20}
			if s.Fetch(f); len(f.Items) != 2 || string(f.Items[0].Message.Payload) != fmt.Sprintf("%d/%d", round, i) {
				t.Fatalf("round %d: %+v", round, f)
			}
			if !s.IsNext(o.Ref, o.Fence, seq, all.Body) || s.IsNext(o.Ref, o.Fence, seq-1, all.Body) || s.IsNext(o.Ref, o.Fence-1, seq, all.Body) {
				t.Fatal("IsNext")
			}
			s.Ack(o.Ref, o.Fence, seq)
		}
		if c := s.Counts(); c.InFlight != 0 || c.Bytes != 0 || s.Remaining(all.Body) != 0 {
			t.Fatalf("round %d: %+v", round, c)
		}
		old = all.Body
	}
	if problems := s.Check(); len(problems) > 0 {
		t.Fatal(problems)
	}
}

// TestStoresAtOnce has goroutines publish to one and to all, acknowledge, connect
// and look at a store all at once; at the end everything adds up. The race
// detector looks on.
func TestStoresAtOnce(t *testing.T) {
	for _, store := range stores {
		t.Run(store.name, func(t *testing.T) {
			s := store.open(t, Limits{Messages: 50})
			for i := range 1500 { // more than a spread looks at in one piece
				mustOpen(t, s, fmt.Sprint("d", i))
			}
			var work sync.WaitGroup
			for g := range 4 {
				work.Go(func() { s.hammer(t, rand.New(rand.NewPCG(1, uint64(g)))) })
			}
			work.Wait()
			if problems := s.Check(); len(problems) > 0 {
				t.Error(problems)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// hammer does whatever stores can do.
func (s testStore) hammer(t *testing.T, rng *rand.Rand) {
	var f Fetch
	for range 300 {
		id := fmt.Sprint("d", rng.IntN(20))
		switch rng.IntN(8) {
		case 0, 1, 2:
			c := commit(t, s, &Put{Device: id, Message: &Message{TTL: 60, ID: fmt.Append(nil, rng.IntN(50)), Payload: []byte("1")}})
			s.Remember(c)
		case 3:
			all := &Spread{Message: &Message{TTL: 60, Payload: []byte("2")}}
			commit(t, s, all)
			s.Remaining(all.Body)
		case 4:
			if rng.IntN(10) == 0 {
				commit(t, s, &Removal{Device: id})
			}
		case 5, 6:
			o, err := s.Open([]byte(id), Resume{})
			if err != nil {
				t.Error(err)
				return
			}
			f.Ref, f.Fence, f.From, f.Max, f.Bytes = o.Ref, o.Fence, o.Acked+1, 10, 1000
			if s.Fetch(&f); len(f.Items) > 0 {
				s.Ack(o.Ref, o.Fence, f.Items[len(f.Items)-1].Seq)
			}
			commit(t, s, &Subscription{Ref: o.Ref, Topic: fmt.Sprint("t", rng.IntN(3)), On: rng.IntN(2) == 0})
		case 7:
			s.Tick()
			s.Counts()
			s.Lookup([]byte(id))
			s.Topics("", 10)
			s.Devices("", 10)
		}
	}
}

// testStore is a store in a table of tests.
type testStore struct{ Store }

var stores = []struct {
	name string
	open func(t *testing.T, l Limits) testStore
}{
	{"memory", func(_ *testing.T, l Limits) testStore { return testStore{NewMemory(l, nil)} }},
	{"file", func(t *testing.T, l Limits) testStore {
		f, _ := openFile(t, t.TempDir(), FileOptions{Limits: l, SegmentBytes: 64 << 10})
		return testStore{f}
	}},
}
