package swarm

import (
	"testing"

	"pgregory.net/rapid"

	"roost/loadgen/tally"
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

// accounts are some subscribers of one stream, each by an account and its twin.
type accounts struct {
	l       ledger
	list    []account
	twins   []*subscriber
	planned uint32
}

func (m *accounts) of(i int) subject {
	return subject{place{publish: 2, group: 3, stream: 9}, uint32(i)}
}

func (m *accounts) plan(n int) {
	for range n {
		for _, s := range m.twins {
			s.plan(m.planned)
		}
		m.planned++
	}
}

func (m *accounts) take(t *rapid.T, i int, seq uint32) {
	if v, want := m.list[i].take(seq, m.of(i), &m.l), m.twins[i].take(seq); v != want {
		t.Fatalf("%d: verdict %d, want %d", seq, v, want)
	}
}

// actions are what can happen.
func (m *accounts) actions() map[string]func(*rapid.T) {
	pick := rapid.IntRange(0, len(m.list)-1)
	return map[string]func(*rapid.T){
		"plan":      func(*rapid.T) { m.plan(1) },
		"plan many": func(t *rapid.T) { m.plan(rapid.IntRange(1, 200).Draw(t, "many")) },
		"open": func(t *rapid.T) {
			if i := pick.Draw(t, "i"); m.twins[i].state != accountOpen {
				m.list[i].open(m.planned, m.of(i), &m.l)
				m.twins[i].open(m.planned)
			}
		},
		"in order": func(t *rapid.T) {
			i := pick.Draw(t, "i")
			for seq := m.twins[i].next; seq < m.planned; seq++ {
				if rapid.IntRange(0, 9).Draw(t, "drop") > 0 {
					m.take(t, i, seq)
				}
			}
		},
		"deliver": func(t *rapid.T) {
			i := pick.Draw(t, "i")
			if m.planned > 0 {
				m.take(t, i, uint32(rapid.IntRange(max(0, int(m.planned)-100), int(m.planned)-1).Draw(t, "seq")))
			}
		},
		"part": func(t *rapid.T) {
			i, k := pick.Draw(t, "i"), lossKind(rapid.IntRange(0, 1).Draw(t, "kind"))
			if m.twins[i].state == accountOpen {
				m.list[i].part(m.planned, m.of(i), k, &m.l)
				m.twins[i].end(k, true, accountAway)
			}
		},
		"drop": func(t *rapid.T) {
			i := pick.Draw(t, "i")
			m.list[i].drop()
			m.twins[i].end(missing, false, accountClosed)
		},
	}
}

// settle returns what is lost, by the accounts and by their twins.
func (m *accounts) settle(t *rapid.T) (have, want [lossKinds]uint64) {
	var r refused
	out := map[uint32]bool{}
	for range rapid.IntRange(0, 20).Draw(t, "refused") {
		seq := uint32(rapid.IntRange(0, int(m.planned)).Draw(t, "seq"))
		out[seq] = true
		r.add(m.of(0).publish, m.of(0).stream, seq)
	}
	r.sort()
	for i, s := range m.twins {
		m.list[i].resolve(m.planned, m.of(i), missing, &m.l)
		s.end(missing, true, accountClosed)
		for k := range s.lost {
			for seq := range s.lost[k] {
				if !out[seq] {
					want[k]++
				}
			}
		}
	}
	m.l.settle(&r, func(g uint8, k lossKind, n uint64) {
		if g != m.of(0).group {
			t.Fatalf("group %d", g)
		}
		have[k] += n
	})
	return have, want
}

// TestAccountsAreRight: for any order of plans, deliveries and ends of
// connections, accounts and ledger come to the same as sets of all messages.
func TestAccountsAreRight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(t, "subscribers")
		m := &accounts{list: make([]account, n)}
		for range n {
			m.twins = append(m.twins, newSubscriber())
		}
		t.Repeat(m.actions())
		if have, want := m.settle(t); have != want {
			t.Fatalf("lost %v, want %v", have, want)
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
			r.open(course{Round: tally.Round{Stream: 5, Seq: k * stride, Due: int64(k), Want: w}}, rec)
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

// TestRoundWithoutThoseThatLeave is as one that never waited for them, but for
// when its parts were there: not later than the last delivery.
func TestRoundWithoutThoseThatLeave(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Uint32Range(1, 40).Draw(t, "want")
		r := tally.Round{Want: want}
		last := int64(0)
		for _, leaves := range rapid.SliceOfN(rapid.Bool(), int(want), int(want)).Draw(t, "leaves") {
			if leaves {
				r.Leave(last)
			} else {
				last++
				r.Deliver(last)
			}
		}
		if r.Got != r.Want || r.Got > 0 && (r.Marks[tally.Octiles-1] != last || r.Marks[0] != 1) {
			t.Fatalf("%+v after %d", r, last)
		}
		for k := 1; k < tally.Octiles; k++ {
			if r.Marks[k] < r.Marks[k-1] || r.Marks[k] < int64(r.Want*uint32(k)+7)/8 {
				t.Fatalf("mark %d: %+v", k, r)
			}
		}
	})
}
