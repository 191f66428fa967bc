package poller

import (
	"encoding/binary"
	"slices"
	"sync"
	"testing"
)

// caster is a handler for casts: a connection's variant is 1, or what its first
// byte says; the second byte, if not 0, puts it in the group.
type caster struct {
	group *Group
	pos   map[uint32]uint32 // slot -> position in group
	ready chan Handle
	gone  chan Handle
}

func newCaster() *caster {
	return &caster{group: &Group{}, pos: map[uint32]uint32{}, ready: make(chan Handle, 4096), gone: make(chan Handle, 4096)}
}

func (h *caster) script() *script {
	return &script{
		data: func(c Conn, b []byte) int {
			if len(b) < 2 {
				return 0
			}
			c.SetVariant(b[0])
			if b[1] != 0 {
				h.join(c)
			}
			h.ready <- c.Handle()
			return len(b)
		},
		closed: func(c Conn, _ error) {
			h.leave(c)
			h.gone <- c.Handle()
		},
	}
}

func (h *caster) join(c Conn) {
	if _, ok := h.pos[c.Slot()]; !ok {
		h.pos[c.Slot()] = h.group.Add(c)
	}
}

func (h *caster) leave(c Conn) {
	pos, ok := h.pos[c.Slot()]
	if !ok {
		return
	}
	delete(h.pos, c.Slot())
	h.group.Remove(pos, func(slot, pos uint32) { h.pos[slot] = pos })
}

// connect brings up a client with a variant, and its handle.
func (h *caster) connect(t testing.TB, p *Poller, rcvbuf int, variant byte, member bool) (*rawClient, Handle) {
	t.Helper()
	c := dialRaw(t, p, rcvbuf)
	hello := []byte{variant, 0}
	if member {
		hello[1] = 1
	}
	c.Write(hello)
	return c, recv(t, "registered", h.ready)
}

// cast casts on the loop and waits for the result.
func cast(t testing.TB, l *Loop, c Cast) CastResult {
	t.Helper()
	result := make(chan CastResult, 1)
	c.Done = func(r CastResult) { result <- r }
	do(t, l, func(l *Loop) {
		if !l.Cast(c) {
			t.Error("Cast refused")
		}
	})
	return recv(t, "the cast is done", result)
}

// variants makes the frames of a cast: each variant its own.
func variants(id uint32, size int, which ...uint8) (f [MaxVariants][]byte) {
	for _, v := range which {
		f[v] = frame(id<<4|uint32(v), size)
	}
	return f
}

// next reads one frame and returns its id.
func (c *rawClient) next(t testing.TB) uint32 {
	t.Helper()
	head := readFull(t, c, 8)
	n := int(binary.LittleEndian.Uint32(head))
	if n < 8 || n > 1<<24 {
		t.Fatalf("torn: a frame of %d bytes", n)
	}
	ids, _, err := parse(append(head, readFull(t, c, n-8)...))
	if err != nil {
		t.Fatal(err)
	}
	return ids[0]
}

// TestCastReachesWhoItShould: all, one group, each variant its own frame, and
// nobody of variant 0, not even when the caller fills in a frame for it.
func TestCastReachesWhoItShould(t *testing.T) {
	eachCastPath(t, func(t *testing.T, mode IOUringMode) {
		h := newCaster()
		p := start(t, Options{IOUring: mode}, h.script())
		l := p.Loops()[0]
		const n = 60
		var clients []*rawClient
		for i := range n { // variants 0, 1, 2; every fourth a member
			c, _ := h.connect(t, p, 0, byte(i%3), i%4 == 0)
			defer c.close()
			clients = append(clients, c)
		}
		gone, goneHandle := h.connect(t, p, 0, 1, true) // and a free slot between
		gone.close()
		if recv(t, "gone", h.gone) != goneHandle {
			t.Fatal("another one is gone")
		}
		expect := make([][]uint32, n)
		want := func(id uint32, member bool, vs ...uint8) (count int) {
			for i := range clients {
				if slices.Contains(vs, uint8(i%3)) && (!member || i%4 == 0) {
					expect[i] = append(expect[i], id<<4|uint32(i%3))
					count++
				}
			}
			return count
		}
		check := func(r CastResult, count int) {
			t.Helper()
			if r != (CastResult{Written: count}) {
				t.Errorf("result %+v, want %d written", r, count)
			}
		}
		f := variants(1, 100, 1, 2)
		f[0] = []byte("for nobody")
		check(cast(t, l, Cast{Frames: f}), want(1, false, 1, 2))
		check(cast(t, l, Cast{Frames: variants(2, 3000, 2)}), want(2, false, 2))
		check(cast(t, l, Cast{Frames: variants(3, 50, 1, 2, 5), Group: h.group}), want(3, true, 1, 2))
		check(cast(t, l, Cast{Frames: variants(4, 50, 7)}), 0)
		check(cast(t, l, Cast{Group: &Group{}, Frames: variants(5, 50, 1)}), 0)
		check(cast(t, l, Cast{}), 0)
		for i, c := range clients {
			for _, id := range expect[i] {
				if got := c.next(t); got != id {
					t.Fatalf("client %d got %d, want %d", i, got, id)
				}
			}
			if rest := c.readNow(100); len(rest) != 0 {
				t.Errorf("client %d got %d bytes that are not for it", i, len(rest))
			}
		}
		checked(t, p)
		if s := p.Stats(); s.RingsLost != 0 || s.CastWritten != uint64(40+20+10) {
			t.Errorf("%+v", s)
		}
	})
}

// TestCastsJoined: casts that wait together go out in order, each with its own
// result, whatever the variants are of those behind it.
func TestCastsJoined(t *testing.T) {
	eachCastPath(t, func(t *testing.T, mode IOUringMode) {
		h := newCaster()
		p := start(t, Options{IOUring: mode}, h.script())
		l := p.Loops()[0]
		var clients []*rawClient
		for i := range 40 {
			c, _ := h.connect(t, p, 0, byte(1+i%2), false)
			defer c.close()
			clients = append(clients, c)
		}
		sends := p.Stats().Sends
		results := make(chan CastResult, 8)
		do(t, l, func(l *Loop) {
			for id, f := range [][MaxVariants][]byte{variants(1, 100, 1, 2), variants(2, 100, 1), variants(3, 90, 2), variants(4, 100, 1, 2), variants(5, 100, 6)} {
				if !l.Cast(Cast{Frames: f, Done: func(r CastResult) { results <- r; _ = id }}) {
					t.Error("refused")
				}
			}
		})
		for i, want := range []int{40, 20, 20, 40, 0} {
			if r := recv(t, "result", results); r != (CastResult{Written: want}) {
				t.Errorf("cast %d: %+v, want %d", i+1, r, want)
			}
		}
		if n := p.Stats().Sends - sends; n != 40 {
			t.Errorf("%d sends, want one for each receiver", n)
		}
		for i, c := range clients {
			want := []uint32{1<<4 | 1, 2<<4 | 1, 4<<4 | 1}
			if i%2 == 1 {
				want = []uint32{1<<4 | 2, 3<<4 | 2, 4<<4 | 2}
			}
			for _, id := range want {
				if got := c.next(t); got != id {
					t.Fatalf("client %d got %d, want %d", i, got, id)
				}
			}
		}
		if s := p.Stats(); s.CastWritten != 120 {
			t.Errorf("CastWritten %d", s.CastWritten)
		}
	})
}

// TestCastFromManyGoroutines posts casts from everywhere; every receiver gets
// all, and those of one goroutine in order.
func TestCastFromManyGoroutines(t *testing.T) {
	eachCastPath(t, func(t *testing.T, mode IOUringMode) {
		h := newCaster()
		p := start(t, Options{IOUring: mode, Limits: []Limits{{Messages: 10000, Bytes: 64 << 20}}}, h.script())
		l := p.Loops()[0]
		const posters, each, n = 6, 60, 30
		var readers, writers sync.WaitGroup
		for i := range n {
			c, _ := h.connect(t, p, 0, 1, false)
			defer c.close()
			readers.Go(func() {
				last := [posters]uint32{}
				for range posters * each {
					id := c.next(t) >> 4
					k, seq := id/each, id%each+1
					if last[k]+1 != seq {
						t.Errorf("client %d: cast %d of poster %d after %d", i, seq, k, last[k])
						return
					}
					last[k] = seq
				}
			})
		}
		for k := range uint32(posters) {
			writers.Go(func() {
				for i := range uint32(each) {
					f := variants(k*each+i, 20+int(i)*30, 1)
					for !l.Post(TaskFunc(func(l *Loop) {
						if !l.Cast(Cast{Frames: f}) {
							t.Error("Cast refused")
						}
					})) {
					}
				}
			})
		}
		writers.Wait()
		readers.Wait()
		if s := p.Stats(); s.CastWritten+s.CastQueued != posters*each*n {
			t.Errorf("%+v", s)
		}
	})
}

// TestCastBound: casts that wait are bounded, and all of them are reported.
func TestCastBound(t *testing.T) {
	h := newCaster()
	p := start(t, Options{}, h.script())
	var done tally
	do(t, p.Loops()[0], func(l *Loop) {
		taken := 0
		for l.Cast(Cast{Frames: variants(1, 20, 1), Group: &Group{}, Done: func(CastResult) { done.inc() }}) {
			taken++
		}
		if taken != maxCasts {
			t.Errorf("%d casts taken, want %d", taken, maxCasts)
		}
	})
	await(t, "all reported", func() bool { return done.get() == maxCasts })
	do(t, p.Loops()[0], func(l *Loop) {
		for range 5 {
			l.Cast(Cast{Frames: variants(1, 20, 1), Done: func(CastResult) { done.inc() }})
		}
		l.stop(ErrStopped)
		if l.Cast(Cast{}) {
			t.Error("cast on a loop that has ended")
		}
	})
	stop(t, p)
	if done.get() != maxCasts+5 {
		t.Errorf("%d casts were reported, want %d", done.get(), maxCasts+5)
	}
}

// TestCastLeavesTimeForOthers: during a long cast the loop deals with events
// between slices.
func TestCastLeavesTimeForOthers(t *testing.T) {
	eachCastPath(t, func(t *testing.T, mode IOUringMode) {
		h := newCaster()
		p := start(t, Options{IOUring: mode}, h.script())
		l := p.Loops()[0]
		var clients []*rawClient
		for range 3*sliceTargets + 10 {
			c, _ := h.connect(t, p, 0, 1, false)
			defer c.close()
			clients = append(clients, c)
		}
		before := p.Stats().Turns
		during := make(chan uint32, 100)
		var post func(l *Loop)
		post = func(l *Loop) {
			if l.walk != nil || len(l.jobs) > 0 {
				if l.walk != nil {
					during <- l.walk.cursor
				}
				l.Post(TaskFunc(post))
			}
		}
		do(t, l, func(l *Loop) {
			l.Cast(Cast{Frames: variants(1, 100, 1)})
			post(l)
		})
		for _, c := range clients {
			c.next(t)
		}
		do(t, l, func(*Loop) {})
		var cursors []uint32
		for len(during) > 0 {
			cursors = append(cursors, <-during)
		}
		if turns := p.Stats().Turns - before; turns < 4 || !slices.Contains(cursors, sliceTargets) {
			t.Errorf("%d turns, tasks ran at %v", turns, cursors)
		}
	})
}
