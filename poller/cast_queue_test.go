package poller

import (
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestCastsJoinedAtABlockedPeer: where a socket is full, joined casts count one
// by one, within the bounds, as if they had come alone.
func TestCastsJoinedAtABlockedPeer(t *testing.T) {
	eachCastPath(t, func(t *testing.T, mode IOUringMode) {
		h := newCaster()
		p := start(t, Options{IOUring: mode, SendBuffer: 4 << 10, Limits: []Limits{{Messages: 6, Bytes: 1 << 20}}}, h.script())
		l := p.Loops()[0]
		for _, class := range []Class{Reliable, Droppable} {
			client, name := h.connect(t, p, 4<<10, 1, false)
			results := make(chan CastResult, 32)
			do(t, l, func(l *Loop) {
				c := l.Conn(name)
				if r := c.Write(frame(1, 400<<10), Reliable); r != Queued {
					t.Errorf("blocking write: %d", r)
				}
				for id := uint32(1); id <= 10; id++ {
					l.Cast(Cast{Frames: variants(id, 100, 1), Class: class, Done: func(r CastResult) { results <- r }})
				}
			})
			want := []uint32{1} // 6 in all: the blocking one and 5 of 10
			for id := uint32(1); id <= 10; id++ {
				r := recv(t, "result", results)
				wanted := CastResult{Queued: 1}
				if class == Reliable && id > 5 {
					wanted = CastResult{Dropped: 1}
				}
				if r != wanted {
					t.Errorf("class %d, cast %d: %+v, want %+v", class, id, r, wanted)
				}
				if class == Reliable && id <= 5 || class == Droppable && id > 5 {
					want = append(want, id<<4|1)
				}
			}
			for _, id := range want {
				if got := client.next(t); got != id {
					t.Errorf("class %d: frame %d, want %d", class, got, id)
				}
			}
			client.close()
			recv(t, "gone", h.gone)
		}
	})
}

// TestCastShortSends casts frames larger than the sockets take, again and again,
// to peers that read at their own pace: every stream stays whole.
func TestCastShortSends(t *testing.T) {
	eachCastPath(t, func(t *testing.T, mode IOUringMode) {
		h := newCaster()
		p := start(t, Options{IOUring: mode, SendBuffer: 4 << 10, Limits: []Limits{{Messages: 100, Bytes: 64 << 20}}}, h.script())
		l := p.Loops()[0]
		const n, casts = 24, 12
		var readers sync.WaitGroup
		for range n {
			c, _ := h.connect(t, p, 4<<10, 1, false)
			defer c.close()
			readers.Go(func() {
				for id := uint32(1); id <= casts; id++ {
					if got := c.next(t); got != id<<4|1 {
						t.Errorf("got %d, want %d", got, id<<4|1)
						return
					}
				}
			})
		}
		var sum CastResult
		for id := uint32(1); id <= casts; id++ {
			r := cast(t, l, Cast{Frames: variants(id, 10000*int(id), 1)})
			sum.Written += r.Written
			sum.Queued += r.Queued
			sum.Dropped += r.Dropped
			if r.Written+r.Queued != n {
				t.Errorf("cast %d: %+v", id, r)
			}
		}
		readers.Wait()
		if sum.Queued == 0 {
			t.Error("no send was short: nothing was tested")
		}
		s := p.Stats()
		if s.CastWritten != uint64(sum.Written) || s.CastQueued != uint64(sum.Queued) || s.CastDropped != 0 || s.RingsLost != 0 {
			t.Errorf("results %+v, %+v", sum, s)
		}
		total := uint64(n) * 10000 * casts * (casts + 1) / 2
		await(t, "all bytes are counted", func() bool { return p.Stats().BytesOut == total })
	})
}

// TestCastSlowReceiver: one that never reads is closed as slow; the others get
// everything.
func TestCastSlowReceiver(t *testing.T) {
	eachCastPath(t, func(t *testing.T, mode IOUringMode) {
		h := newCaster()
		why := make(chan error, 1)
		s := h.script()
		s.closed = func(c Conn, err error) { h.leave(c); why <- err }
		p := start(t, Options{IOUring: mode, SendBuffer: 4 << 10, WriteTimeout: 50 * time.Millisecond}, s)
		l := p.Loops()[0]
		slow, slowName := h.connect(t, p, 4<<10, 1, true)
		var clients []*rawClient
		for range 30 {
			c, _ := h.connect(t, p, 0, 1, true)
			clients = append(clients, c)
		}
		full := 0
		for id := uint32(1); full == 0; id++ {
			r := cast(t, l, Cast{Frames: variants(id, 4000, 1), Group: h.group})
			full = r.Dropped
			if r.Written+r.Queued < 30 {
				t.Fatalf("others are affected: %+v", r)
			}
			for _, c := range clients {
				if got := c.next(t); got != id<<4|1 {
					t.Fatalf("got %d, want %d", got, id<<4|1)
				}
			}
		}
		if err := recv(t, "Closed", why); err != ErrSlow {
			t.Errorf("closed: %v", err)
		}
		do(t, l, func(l *Loop) {
			if l.Conn(slowName).Alive() || h.group.Len() != 30 {
				t.Errorf("alive %v, %d members", l.Conn(slowName).Alive(), h.group.Len())
			}
		})
		slow.close()
		for _, c := range clients {
			c.close()
		}
		for range clients {
			recv(t, "Closed", why)
		}
	})
}

// TestCastToBrokenPeers: sends that fail end those connections, and only those,
// and are counted.
func TestCastToBrokenPeers(t *testing.T) {
	eachCastPath(t, func(t *testing.T, mode IOUringMode) {
		h := newCaster()
		p := start(t, Options{IOUring: mode}, h.script())
		l := p.Loops()[0]
		var clients []*rawClient
		for i := range 50 {
			c, name := h.connect(t, p, 0, 1, false)
			clients = append(clients, c)
			if i%5 == 0 { // the loop learns of it by the send
				do(t, l, func(l *Loop) { unix.Shutdown(int(l.lookup(name).fd), unix.SHUT_WR) })
			}
		}
		if r := cast(t, l, Cast{Frames: variants(1, 500, 1)}); r != (CastResult{Written: 40, Dropped: 10}) {
			t.Errorf("%+v", r)
		}
		for range 10 {
			recv(t, "gone", h.gone)
		}
		for i, c := range clients {
			if i%5 != 0 {
				if got := c.next(t); got != 1<<4|1 {
					t.Errorf("client %d got %d", i, got)
				}
			}
			c.close()
		}
		checked(t, p)
	})
}

// TestCastTwiceInTheGroup: a member that was added twice gets both, and its
// stream stays whole when the first was short.
func TestCastTwiceInTheGroup(t *testing.T) {
	eachCastPath(t, func(t *testing.T, mode IOUringMode) {
		h := newCaster()
		p := start(t, Options{IOUring: mode, SendBuffer: 4 << 10, Limits: []Limits{{Messages: 10, Bytes: 8 << 20}}}, h.script())
		l := p.Loops()[0]
		var clients []*rawClient
		var group Group
		for range 20 {
			c, name := h.connect(t, p, 4<<10, 1, false)
			defer c.close()
			clients = append(clients, c)
			do(t, l, func(l *Loop) { group.Add(l.Conn(name)); group.Add(l.Conn(name)) })
		}
		r := cast(t, l, Cast{Frames: variants(1, 200<<10, 1), Group: &group})
		if r.Written+r.Queued != 40 {
			t.Errorf("%+v", r)
		}
		for _, c := range clients {
			for range 2 {
				c.next(t)
			}
		}
		checked(t, p)
	})
}
