package poller

import (
	"testing"

	"golang.org/x/sys/unix"
)

// newTestUring makes a ring, or skips the test with the reason.
func newTestUring(t *testing.T) *uring {
	t.Helper()
	if probe := ProbeUring(); !probe.OK {
		t.Skipf("io_uring is not available: %s", probe.Why)
	}
	u, err := newUring()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.close)
	return u
}

func TestProbeLeavesNothing(t *testing.T) {
	before := len(openDescriptors())
	for range 20 {
		if probe := ProbeUring(); !probe.OK {
			t.Logf("io_uring is not available: %s", probe.Why)
		}
	}
	if after := len(openDescriptors()); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// TestUringSend: a whole slice in one go, with failures and short sends among
// it; each of them is reported once, by its index, and no other.
func TestUringSend(t *testing.T) {
	u := newTestUring(t)
	a, b, err := tcpPair()
	if err != nil {
		t.Fatal(err)
	}
	defer sysClose(a)
	defer sysClose(b)
	for round := range 5 { // indexes of the ring wrap
		targets := make([]target, ringEntries)
		for i := range targets {
			targets[i] = target{fd: int32(a), b: []byte{byte(round), byte(i)}}
		}
		targets[3].fd = -1
		targets[200].fd = int32(u.fd) // not a socket
		failed := map[int]int32{}
		done, err := u.send(targets, func(i int, res int32) {
			if _, twice := failed[i]; twice {
				t.Errorf("target %d failed twice", i)
			}
			failed[i] = res
		})
		if done != len(targets) || err != nil {
			t.Fatalf("done %d, %v", done, err)
		}
		if len(failed) != 2 || failed[3] != -int32(unix.EBADF) || failed[200] != -int32(unix.ENOTSOCK) {
			t.Errorf("failed: %v", failed)
		}
		for i := range targets {
			if i == 3 || i == 200 {
				continue
			}
			var got [2]byte
			if n, _ := unix.Read(b, got[:]); n != 2 || got[0] != byte(round) || got[1] != byte(i) {
				t.Fatalf("round %d, target %d: %d bytes: %v", round, i, n, got)
			}
		}
	}
}

// TestCastRingBreaks: io_uring_enter fails in all the ways it can, at once or
// after a part; the rest of the slice, and all later casts, go by sendto, and
// nobody misses or repeats anything.
func TestCastRingBreaks(t *testing.T) {
	if probe := ProbeUring(); !probe.OK {
		t.Skipf("io_uring is not available: %s", probe.Why)
	}
	type call = func(fd, n int) (int, unix.Errno)
	faults := map[string]func(calls int) call{
		"at once": func(int) call { return func(int, int) (int, unix.Errno) { return 0, unix.EBADF } },
		"after a part": func(calls int) call {
			if calls == 0 {
				return func(fd, n int) (int, unix.Errno) { return ringEnter(fd, n/3) }
			}
			return func(int, int) (int, unix.Errno) { return 0, unix.EOPNOTSUPP }
		},
		"busy for ever": func(calls int) call {
			if calls == 0 {
				return func(fd, n int) (int, unix.Errno) { return ringEnter(fd, 7) }
			}
			return func(int, int) (int, unix.Errno) { return 0, unix.EBUSY }
		},
		"submits nothing": func(int) call { return func(int, int) (int, unix.Errno) { return 0, 0 } },
		"another file":    nil,
		"stutters, but works": func(calls int) call {
			switch {
			case calls%3 == 1:
				return func(int, int) (int, unix.Errno) { return 0, unix.EINTR }
			case calls%3 == 2:
				return func(int, int) (int, unix.Errno) { return 0, unix.EAGAIN }
			}
			return func(fd, n int) (int, unix.Errno) { return ringEnter(fd, min(n, 11)) }
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			h := newCaster()
			p := start(t, Options{SendBuffer: 4 << 10, Limits: []Limits{{Messages: 50, Bytes: 16 << 20}}}, h.script())
			l := p.Loops()[0]
			var clients []*rawClient
			for i := range 90 {
				rcvbuf := 0
				if i%4 == 0 {
					rcvbuf = 4 << 10 // some sends are short
				}
				c, name := h.connect(t, p, rcvbuf, 1, false)
				defer c.close()
				if i%10 == 5 { // and some fail
					do(t, l, func(l *Loop) { unix.Shutdown(int(l.lookup(name).fd), unix.SHUT_WR) })
					continue
				}
				clients = append(clients, c)
			}
			calls := 0
			do(t, l, func(l *Loop) {
				if fault != nil {
					l.ring.enter = func(fd, n int) (int, unix.Errno) {
						defer func() { calls++ }()
						return fault(calls)(fd, n)
					}
					return
				}
				unix.Dup2(l.timer, l.ring.fd) // the descriptor is no ring any more
			})
			const size = 150 << 10
			if r := cast(t, l, Cast{Frames: variants(1, size, 1)}); r.Written+r.Queued != 81 || r.Dropped != 9 || r.Queued == 0 {
				t.Errorf("the cast that breaks: %+v", r)
			}
			if r := cast(t, l, Cast{Frames: variants(2, 100, 1)}); r.Written+r.Queued != 81 || r.Dropped != 0 {
				t.Errorf("the next one: %+v", r)
			}
			for _, c := range clients {
				for id := uint32(1); id <= 2; id++ {
					if got := c.next(t); got != id<<4|1 {
						t.Fatalf("got %d, want %d", got, id<<4|1)
					}
				}
				if rest := c.readNow(10); len(rest) > 0 {
					t.Error("something came twice")
				}
			}
			lost := uint64(1)
			if name == "stutters, but works" {
				lost = 0
			}
			await(t, "all bytes are counted", func() bool { return p.Stats().BytesOut == 81*(size+100) })
			if n := p.Stats().RingsLost; n != lost {
				t.Errorf("RingsLost %d, want %d", n, lost)
			}
			do(t, l, func(l *Loop) {
				if (l.ring == nil) != (lost == 1) {
					t.Errorf("ring is left: %v", l.ring != nil)
				}
			})
		})
	}
}
