package swarm

import (
	"testing"

	"pgregory.net/rapid"
)

// subscriber is the slow twin of an account: it keeps every message.
type subscriber struct {
	state accountState
	due   map[uint32]bool // true: has come
	from  uint32
	next  uint32 // behind the newest that has come
	away  []uint32
	lost  [lossKinds]map[uint32]bool
}

func newSubscriber() *subscriber {
	s := &subscriber{due: map[uint32]bool{}}
	for k := range s.lost {
		s.lost[k] = map[uint32]bool{}
	}
	return s
}

func (s *subscriber) plan(seq uint32) {
	switch s.state {
	case accountOpen:
		s.due[seq] = false
	case accountAway:
		s.away = append(s.away, seq)
	}
}

func (s *subscriber) open(planned uint32) {
	for _, seq := range s.away {
		s.lost[gap][seq] = true
	}
	s.state, s.due, s.from, s.next, s.away = accountOpen, map[uint32]bool{}, planned, planned, nil
}

// slid reports whether a message has left the window.
func (s *subscriber) slid(seq uint32) bool { return s.next > windowSize && seq < s.next-windowSize }

func (s *subscriber) take(seq uint32) verdict {
	came, known := s.due[seq]
	switch {
	case s.state != accountOpen || !known:
		return joining
	case came:
		return duplicate
	}
	s.due[seq] = true
	if seq < s.next {
		return behind
	}
	s.next = seq + 1
	return fresh
}

// end ends the connection: what has not come and is still in the window, or
// newer, is lost by k, or is nobody's loss.
func (s *subscriber) end(k lossKind, counts bool, then accountState) {
	for seq, came := range s.due {
		switch {
		case came:
		case s.slid(seq):
			s.lost[missing][seq] = true
		case counts:
			s.lost[k][seq] = true
		}
	}
	for _, seq := range s.away {
		if counts {
			s.lost[gap][seq] = true
		}
	}
	s.state, s.due, s.away = then, map[uint32]bool{}, nil
}

// TestAccountsAreRight: for any order of plans, deliveries and ends of
// connections, accounts and ledger come to the same as sets of all messages.
func TestAccountsAreRight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const group = 3
		where := place{publish: 2, group: group, stream: 9}
		of := func(i int) subject { return subject{where, uint32(i)} }
		n := rapid.IntRange(1, 4).Draw(t, "subscribers")
		accounts, twins := make([]account, n), make([]*subscriber, n)
		for i := range twins {
			twins[i] = newSubscriber()
		}
		var l ledger
		planned := uint32(0)
		got := make([]uint64, n)
		pick := rapid.IntRange(0, n-1)
		planMany := func(m int) {
			for range m {
				for _, s := range twins {
					s.plan(planned)
				}
				planned++
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"plan":      func(t *rapid.T) { planMany(1) },
			"plan many": func(t *rapid.T) { planMany(rapid.IntRange(1, 200).Draw(t, "many")) },
			"open": func(t *rapid.T) {
				if i := pick.Draw(t, "i"); twins[i].state != accountOpen {
					accounts[i].open(planned, of(i), &l)
					twins[i].open(planned)
				}
			},
			"in order": func(t *rapid.T) {
				i := pick.Draw(t, "i")
				for seq := twins[i].next; seq < planned; seq++ {
					if rapid.IntRange(0, 9).Draw(t, "drop") == 0 {
						continue
					}
					if v, want := accounts[i].take(seq, of(i), &l), twins[i].take(seq); v != want {
						t.Fatalf("%d: verdict %d, want %d", seq, v, want)
					} else if v <= behind {
						got[i]++
					}
				}
			},
			"deliver": func(t *rapid.T) {
				i := pick.Draw(t, "i")
				if planned == 0 {
					return
				}
				seq := uint32(rapid.IntRange(max(0, int(planned)-100), int(planned)-1).Draw(t, "seq"))
				if v, want := accounts[i].take(seq, of(i), &l), twins[i].take(seq); v != want {
					t.Fatalf("%d: verdict %d, want %d", seq, v, want)
				} else if v <= behind {
					got[i]++
				}
			},
			"part": func(t *rapid.T) {
				i, k := pick.Draw(t, "i"), lossKind(rapid.IntRange(0, 1).Draw(t, "kind"))
				if twins[i].state == accountOpen {
					accounts[i].part(planned, of(i), k, &l)
					twins[i].end(k, true, accountAway)
				}
			},
			"drop": func(t *rapid.T) {
				i := pick.Draw(t, "i")
				accounts[i].drop()
				twins[i].end(missing, false, accountClosed)
			},
		})
		var r refused
		out := map[uint32]bool{}
		for range rapid.IntRange(0, 20).Draw(t, "refused") {
			seq := uint32(rapid.IntRange(0, int(planned)).Draw(t, "refused"))
			out[seq] = true
			r.add(where.publish, where.stream, seq)
		}
		r.sort()
		var want, have [lossKinds]uint64
		for i, s := range twins {
			accounts[i].resolve(planned, of(i), missing, &l)
			s.end(missing, true, accountClosed)
			for k := range s.lost {
				for seq := range s.lost[k] {
					if !out[seq] {
						want[k]++
					}
				}
			}
		}
		l.settle(&r, func(g uint8, k lossKind, n uint64) {
			if g != group {
				t.Fatalf("group %d", g)
			}
			have[k] += n
		})
		if have != want {
			t.Fatalf("lost %v, want %v", have, want)
		}
		if len(l.single)+len(l.holes)+len(l.ranges) != 0 {
			t.Fatal("the ledger is not empty")
		}
	})
}

// TestLedgerIsBounded: what finds no room is counted as lost all the same.
func TestLedgerIsBounded(t *testing.T) {
	var l ledger
	for i := range uint32(maxSingle + 100) {
		l.add(subject{}, missing, 2*i)
	}
	for range maxRanges + 5 {
		l.addRange(subject{place: place{group: 1}}, gap, 10, 10+2*shortRange)
	}
	var n [2]uint64
	l.settle(&refused{}, func(g uint8, _ lossKind, k uint64) { n[g] += k })
	if n[0] != maxSingle+100 || n[1] != (maxRanges+5)*2*shortRange {
		t.Errorf("%v", n)
	}
}

func TestHeapGivesTheFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h timedHeap
		for i, at := range rapid.SliceOf(rapid.Int64Range(0, 50)).Draw(t, "times") {
			h.push(timed{at, uint64(i)})
		}
		for last := int64(0); len(h) > 0; {
			at, _ := h.peek()
			if got := h.pop(); got.at != at || at < last {
				t.Fatalf("%d after %d", got.at, last)
			}
			last = at
		}
		if h != nil {
			t.Fatal("the array is kept")
		}
	})
}

func TestRoundsAreHandedOverInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rec := &recorder{}
		rec.init(1)
		var r rounds
		stride := uint32(rapid.IntRange(1, 3).Draw(t, "stride"))
		n := rapid.IntRange(0, 3*maxRounds).Draw(t, "rounds")
		want := 0
		for k := range uint32(n) {
			w := uint32(k % 3)
			r.open(5, k*stride, int64(k), w, rec)
			if w > 0 {
				want++
			}
			for range w {
				r.deliver(k*stride, stride, int64(k)+7)
			}
			r.deliver(k*stride+stride, stride, 1) // not open yet
		}
		r.emit(1<<60, rec)
		if len(rec.t.Rounds) != want {
			t.Fatalf("%d rounds, want %d", len(rec.t.Rounds), want)
		}
		for i, o := range rec.t.Rounds {
			if o.Stream != 5 || o.Got != o.Want || o.Marks[0] != o.Due+7 || i > 0 && o.Seq <= rec.t.Rounds[i-1].Seq {
				t.Fatalf("%+v", o)
			}
		}
	})
}

// TestCompleteIsThatAllCame, by the slow twin: nothing that is due and inside of
// the window is lacking.
func TestCompleteIsThatAllCame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a account
		var l ledger
		from := rapid.Uint32Range(0, 200).Draw(t, "from")
		a.open(from, subject{}, &l)
		planned := from + rapid.Uint32Range(0, 150).Draw(t, "due")
		came := map[uint32]bool{}
		next := from
		for _, seq := range rapid.SliceOfN(rapid.Uint32Range(from, max(planned, from+1)-1), 0, 300).Draw(t, "arrivals") {
			if planned == from {
				break
			}
			a.take(seq, subject{}, &l)
			came[seq] = true
			next = max(next, seq+1)
		}
		want := next >= planned
		for seq := from; seq < next; seq++ {
			if seq+windowSize >= next && !came[seq] {
				want = false
			}
		}
		if got := a.complete(planned); got != want {
			t.Fatalf("from %d, planned %d, %d came: complete is %v, want %v", from, planned, len(came), got, want)
		}
	})
}
