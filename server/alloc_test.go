//go:build !race

package server

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"

	gobwas "github.com/gobwas/ws"

	"roost/poller"
	"roost/server/wire"
)

// allocsPer runs f n times after a warm-up and returns how many allocations the
// whole process made for each. The test's side must make none.
func allocsPer(n int, f func()) float64 {
	for range 100 {
		f()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n)
}

// fewAllocs is what counts as none: the runtime itself allocates now and then.
const fewAllocs = 0.05

// roundTrip returns a function that sends frame and reads an answer of size
// bytes, without allocating.
func roundTrip(t *testing.T, nc net.Conn, frame []byte, size int) func() {
	buf := make([]byte, size)
	return func() {
		if _, err := nc.Write(frame); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(nc, buf); err != nil {
			t.Fatal(err)
		}
	}
}

func clientFrame(op gobwas.OpCode, payload string) []byte {
	return gobwas.MustCompileFrame(gobwas.MaskFrame(gobwas.NewFrame(op, true, []byte(payload))))
}

func TestAllocsPerMessage(t *testing.T) {
	s := start(t, nil)
	echo := dial(t, s, "/v1/echo")
	msg := string(make([]byte, 128))
	if n := allocsPer(2000, roundTrip(t, echo.nc, clientFrame(gobwas.OpText, msg), 2+2+128)); n > fewAllocs {
		t.Errorf("an echo allocates %.3f times", n)
	}
	dev, _ := device(t, s, "device=d1", "roost.v1.json")
	hb := wire.AppendHeartbeat(nil, wire.JSON, s.spread(), s.wide(), wire.Ring{})
	if n := allocsPer(2000, roundTrip(t, dev.nc, clientFrame(gobwas.OpText, `{"t":"hb"}`), 2+len(hb))); n > fewAllocs {
		t.Errorf("a heartbeat allocates %.3f times", n)
	}
	if n := allocsPer(2000, roundTrip(t, dev.nc, clientFrame(gobwas.OpPing, "x"), 3)); n > fewAllocs {
		t.Errorf("a ping allocates %.3f times", n)
	}
	half := clientFrame(gobwas.OpText, msg)
	rest := roundTrip(t, echo.nc, half[70:], 2+2+128)
	if n := allocsPer(2000, func() {
		echo.nc.Write(half[:70])
		runtime.Gosched()
		rest()
	}); n > fewAllocs {
		t.Errorf("an echo of a cut frame allocates %.3f times", n)
	}
}

// TestAllocsPerDelivery: a broadcast may allocate, a receiver may not.
func TestAllocsPerDelivery(t *testing.T) {
	onBothPaths(t, func(t *testing.T, mode poller.IOUringMode) {
		s := start(t, func(o *Options) { o.IOUring = mode })
		const devices = 500
		var conns []net.Conn
		for i := range devices {
			p, _ := device(t, s, fmt.Sprintf("device=d%d", i), "roost.v1.json")
			conns = append(conns, p.nc)
		}
		m := &wire.Message{Payload: []byte(`{"n":1}`)}
		buf := make([]byte, 2+len(wire.AppendMessage(nil, wire.JSON, m)))
		n := allocsPer(100, func() {
			b := &broadcast{s: s, frames: s.encode(m), done: make(chan struct{})}
			s.broadcasts.Add(1)
			b.pending.Store(int32(len(s.handlers)))
			for _, l := range s.p.Loops() {
				l.Post(b)
			}
			<-b.done
			for _, nc := range conns {
				if _, err := io.ReadFull(nc, buf); err != nil {
					t.Fatal(err)
				}
			}
		})
		if n > 50 {
			t.Errorf("a broadcast to %d allocates %.0f times, %.3f for each receiver", devices, n, n/devices)
		}
	})
}

// TestAllocsPerConnect bounds what connecting leaves to the collector: with a
// million devices it shows in the resident memory.
func TestAllocsPerConnect(t *testing.T) {
	s := start(t, nil)
	request := []byte(upgradeRequest("/v1/connect?device=d1"))
	addr := net.TCPAddrFromAddrPort(s.Addr())
	buf := make([]byte, 4096)
	connect := func(send bool) func() {
		return func() {
			nc, err := net.DialTCP("tcp", nil, addr)
			if err != nil {
				t.Fatal(err)
			}
			if send {
				nc.Write(request)
				for n, got := 0, 0; got == 0 || buf[got-1] != '}'; got += n {
					if n, err = nc.Read(buf[got:]); err != nil {
						t.Fatal(err)
					}
				}
			}
			nc.Close()
			for s.pollerConns() > 0 {
				runtime.Gosched()
			}
		}
	}
	bare := allocsPer(200, connect(false))                  // what dialing costs on the test's side
	if n := allocsPer(200, connect(true)) - bare; n > 2.5 { // background work of the runtime adds a few hundredths
		t.Errorf("a connect allocates %.2f times", n)
	}
}
